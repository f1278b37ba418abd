# once
# The picture cannot lie: docs/rooms.tsv says which room may include which, src/ has to keep to it, and
# docs/architecture.md has to show the same table.
use strict;
use warnings;
use Test::More;

my (%floor, %may);
open my $table, '<', 'docs/rooms.tsv' or die "docs/rooms.tsv: $!";
while (<$table>) {
	chomp;
	next if /^#/ or !/\S/;
	my ($room, $floor, $may) = split /\t/;
	$floor{$room} = $floor;
	$may{$room} = { map { $_ => 1 } grep { $_ ne '-' } split ' ', $may };
}

# A lower floor for everything that is included: then there can be no circle.
for my $room (sort keys %may) {
	next if $room eq 'main.c';
	my @up = grep { !defined $floor{$_} || $floor{$_} >= $floor{$room} } sort keys %{$may{$room}};
	is "@up", '', "$room includes downward only";
}

sub includes_of
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!";
	my @includes;
	while (<$in>) {
		push @includes, [$., $1] if /^\s*#\s*include\s*"([^"]+)"/;
	}
	return @includes;
}

for my $path (sort glob 'src/*.c src/*/*.[ch]') {
	my ($room) = $path =~ m{^src/([^/]+)};
	next if $path eq 'src/reeve/module.h';
	if (!$may{$room}) {
		fail("$room stands in docs/rooms.tsv");
		next;
	}
	my @wrong;
	my @includes = includes_of($path);
	for (@includes) {
		my ($line, $header) = @$_;
		my ($of) = $header =~ m{^([^/]+)/};
		push @wrong, "$path:$line: \"$header\" is not written as \"room/file.h\"" and next unless defined $of;
		push @wrong, "$path:$line: $room may not include $header" unless $of eq $room or $may{$room}{$of};
	}
	if ($path =~ m{^src/(.*)\.c$} && -e "src/$1.h") {
		push @wrong, "$path: its own header comes first" unless @includes && $includes[0][1] eq "$1.h";
	}
	is join("\n", @wrong), '', $path;
}

# The table in docs/architecture.md: | floor | `room/` | may include | ...
SKIP: {
	open my $page, '<', 'docs/architecture.md' or skip 'docs/architecture.md is not there', 1;
	my %drawn;
	while (<$page>) {
		next unless /^\|\s*(\d+)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|/;
		my ($floor, $rooms, $may) = ($1, $2, $3);
		$drawn{$_} = "$floor: " . join ' ', sort grep { $_ ne 'nothing' } split ' ', $may
		    for map { s{/$}{}r } $rooms =~ /`([^`]+)`/g;
	}
	my %written = map { $_ => "$floor{$_}: " . join ' ', sort keys %{$may{$_}} } grep { $_ ne 'main.c' } keys %may;
	delete $drawn{'main.c'};
	is_deeply \%drawn, \%written, 'docs/architecture.md draws docs/rooms.tsv';
}

done_testing;
