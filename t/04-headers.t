# once
# Every header compiles alone: whoever includes it needs to know nothing else first. And every .c includes its own
# first, so the compiler would find out anyway; headers without a .c are found here.
use strict;
use warnings;
use Test::More;

my $compiler = $ENV{CC} || 'cc';
my $flags = `pkg-config --cflags libevent libnghttp2 yaml-0.1 2>/dev/null`;
chomp $flags;
plan skip_all => "no $compiler here" if system "$compiler --version >/dev/null 2>&1";

for my $header (sort glob 'src/*/*.h') {
	my $told = `$compiler -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -Isrc $flags -x c -fsyntax-only $header 2>&1`;
	is $told, '', $header;
}

done_testing;
