#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the table of scripts/bench.sh --only wait from the results of rdisk-bench-wait: medians of the rounds, in
# microseconds.
#
# usage: wait-table.pl <RESULTS

use strict;
use warnings;
use JSON::PP;

my @kinds = (
	[ 'wait', 'bare', qw(futex pipe socket eventfd inner) ],
	[ 'dvk', 'libdvk', qw(futex descriptors) ],
);
my @figures = (
	[ 'sleep', 'both sleep, p50' ],
	[ 'tail', 'both sleep, p99' ],
	[ 'spin', 'both spin, p50' ],
);
my %values;

while (my $line = <STDIN>) {
	my $result = JSON::PP->new->decode($line);

	push @{ $values{"$result->{row} $result->{side}"} }, $result->{value} if defined $result->{row};
}

sub median {
	my @sorted = sort { $a <=> $b } @{ $_[0] // [] };

	return @sorted ? sprintf '%.3g', 1e6 * $sorted[$#sorted / 2] : '';
}

for my $kind (@kinds) {
	my ($name, $title, @sides) = @$kind;

	print "| $title, us a round trip | ", join(' | ', @sides), " |\n|---|", '---|' x @sides, "\n";
	for my $figure (@figures) {
		for my $channels (1, 8, 200) {
			print "| $figure->[1], $channels channels | ",
				join(' | ', map { median($values{"$name-$figure->[0]-$channels $_"}) } @sides), " |\n";
		}
	}
	print "\n";
}
