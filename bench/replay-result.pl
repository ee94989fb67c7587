#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes a line of results (results.h) of what rdisk-replay --json has written: operations a second of a whole trace.
# A replay that left something out or had errors is refused: its time is not that of the trace.
#
# usage: replay-result.pl ROW SIDE ROUND <JSON

use strict;
use warnings;
use JSON::PP;

die "usage: replay-result.pl ROW SIDE ROUND <JSON\n" unless @ARGV == 3;
my ($row, $side, $round) = @ARGV;
my $result = eval { JSON::PP->new->decode(join '', <STDIN>) } or die "$row, $side: this is no result of rdisk-replay\n";

for my $count (qw(broken missing not_replayable skipped misplaced discarded unanswered errors signal)) {
	my $times = $result->{$count} // die "$row, $side: the result does not say \"$count\"\n";
	die "$row, $side: the replay is not the whole trace: $count is $times\n" if $times;
}
my $rate = $result->{all}{iops} or die "$row, $side: nothing was replayed\n";
print JSON::PP->new->canonical->encode({ row => $row, side => $side, round => $round + 0, value => $rate + 0 }), "\n";
