#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sorts the call stacks that perf sampled by what they are for, and prints two tables: the guest's processes, the
# server. A stack belongs to the first line that one of its functions matches, whichever function was running when the
# sample was taken: what the host's kernel does for the driver counts as the driver's.
#
# usage: profile-table.pl GUEST SERVER   (output of perf script --fields comm,ip,sym,dso)
#        profile-table.pl --slow SECONDS RATE LOOP CLIENTS SERVER   (of perf script --fields tid,ip,sym,dso)
#
# The second prints one table, of clients on the host, one of which reads while what the others ask for waits for a slow
# disk (profile.sh slow). LOOP is the server's first thread.

use strict;
use warnings;

# What functions begin with. "user" is put before the functions of a sample that was not taken in the host's kernel.
my @guest = (
	[ 'the disk: waiting for the server', qr/^(?:dvk_spin_until|rdisk_user_wait)/ ],
	[ 'the disk: its driver', qr/^(?:rdisk_|dvk_|exchange_over|ubd_|do_ubd|io_thread|do_io|brd_)/ ],
	[ "the guest's block layer", qr/^(?:blk_|__blk_|submit_bio|__submit_bio|bio_|blkdev_)/ ],
	[ 'page faults, and mapping memory for programs', qr/^(?:segv|handle_page_fault|fix_range|flush_tlb|do_op_one_page|run_syscall_stub|do_syscall_stub|exit_mmap)/ ],
	[ "the rest of system calls in the guest's kernel", qr/^handle_syscall/ ],
	[ "User-Mode Linux running the guest's programs: ptrace, wait4, registers", qr/^(?:userspace|ptrace$|__GI___wait4|__GI___ptrace|(?:get|put)_fp_registers|arch_switch_to)/ ],
	[ "the guest's kernel threads, idling, timer", qr/^(?:new_thread_handler|fork_handler|uml_|sig_handler|timer_handler|unblock_signals|arch_cpu_idle|os_idle)/ ],
	[ "the guest's programs themselves", qr/^user$/ ],
	[ "the guest's programs being stopped and woken", qr// ],
);
my @server = (
	[ 'pread, pwrite', qr/^(?:__x64_sys_p(?:read|write)|vfs_(?:iter_)?(?:read|write)|do_iter_readv|vfs_(?:readv|writev))/ ],
	[ 'waiting for requests', qr/^(?:dvk_spin_until|dvk_wait_until|dvk_events_pending|any_arrived|take_posted|look|__sched_yield|__x64_sys_(?:sched_yield|futex)|do_futex|__vdso_clock_gettime)/ ],
	[ 'the rest', qr// ],
);

# The name of a sample's program and its functions, the innermost first; nothing at the end.
sub next_sample {
	my ($in) = @_;
	my ($program, @functions);

	while (my $line = <$in>) {
		if ($line =~ /^\s*$/) {
			last if defined $program;
		} elsif (!defined $program) {
			$program = $line =~ s/^\s+|\s+$//gr;
		} elsif ($line =~ /^\s+[0-9a-f]+\s+(\S+).*\((.*)\)$/) {
			my ($function, $file) = ($1, $2);

			push @functions, 'user' if !@functions && index($file, '[kernel') != 0;
			push @functions, $function;
		}
	}
	return defined $program ? ($program, @functions) : ();
}

sub table {
	my ($title, $file, @kinds) = @_;
	my ($all, %count, %unknown) = (0);

	open(my $in, '<', $file) or die "$file: $!\n";
	while (my ($program, @functions) = next_sample($in)) {
		my ($kind) = grep { my $words = $_->[1]; grep { $_ =~ $words } @functions, '' } @kinds;
		$count{ $kind->[0] }++;
		$all++;
	}
	close($in);
	die "$title: perf has no samples\n" unless $all;
	print "| $title | share of $all samples |\n|---|---|\n";
	printf "| %s | %.1f %% |\n", $_->[0], 100 * ($count{ $_->[0] } // 0) / $all for @kinds;
	print "\n";
}

# Of the server's loop and of its other threads, for --slow. What the C library was called by is mostly not to be seen:
# it has no frame pointers.
my @loop = (
	[ 'waking a thread, or a client that sleeps', qr/^(?:__x64_sys_futex|do_futex|futex_wake|pthread_cond_signal|workers_post)/ ],
	[ 'pread, and all else', qr// ],
);
my @threads = (
	[ "the disk's own operations: fallocate, fdatasync", qr/^(?:vfs_fallocate|__x64_sys_fallocate|__x64_sys_fdatasync|do_fsync)/ ],
	[ 'making them slow: nanosleep', qr/nanosleep/ ],
	[ 'waiting for work, and being woken', qr/^(?:__x64_sys_futex|do_futex|futex_wait|pthread_cond_wait|__futex)/ ],
	[ 'all else', qr// ],
);

sub slow_table {
	my ($seconds, $rate, $loop, $clients, $server) = @_;
	my (%client, %count);

	open(my $in, '<', $clients) or die "$clients: $!\n";
	while (my ($thread) = next_sample($in)) {
		$client{$thread}++;
	}
	close($in);
	open($in, '<', $server) or die "$server: $!\n";
	while (my ($thread, @functions) = next_sample($in)) {
		my ($who, @kinds) = $thread == $loop ? ("the server's loop", @loop) : ("the server's threads", @threads);
		my ($kind) = grep { my $words = $_->[1]; grep { $_ =~ $words } @functions, '' } @kinds;

		$count{"$who: $kind->[0]"}++;
	}
	close($in);
	die "perf has no samples\n" unless %client && %count;
	my ($reader, @others) = sort { $b <=> $a } values %client;
	$count{'the client that reads'} = $reader;
	$count{'the client whose requests wait'} += $_ for @others;
	print "| | of one processor's time |\n|---|---|\n";
	printf "| %s | %.1f %% |\n", $_, 100 * $count{$_} / $rate / $seconds for sort { $count{$b} <=> $count{$a} } keys %count;
}

if (@ARGV == 6 && $ARGV[0] eq '--slow') {
	slow_table(@ARGV[ 1 .. 5 ]);
	exit 0;
}
die "usage: profile-table.pl GUEST SERVER\n" unless @ARGV == 2;
table("the guest's processes", $ARGV[0], @guest);
table('the server', $ARGV[1], @server);
