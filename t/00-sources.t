# once
# Makefile.am lists its sources by name; a file that nobody listed would never be compiled in a release.
use strict;
use warnings;
use Test::More;

my $told = `$^X contrib/sources --check 2>&1`;
is $?, 0, 'Makefile.am and src/ agree' or diag $told;

my @loose = grep { !m{^src/[a-z0-9_]+/[a-z0-9_]+\.[ch]$} && $_ ne 'src/main.c' } glob 'src/* src/*/*';
is_deeply [grep { !-d } @loose], [], 'a source lies in a room';
is_deeply [grep { !m{^t/unit/([a-z0-9_]+)/} || !-d "src/$1" } glob 't/unit/*/*.c'], [], 'a unit test belongs to a room';

$told = `$^X contrib/columns --check 2>&1`;
is $?, 0, 'columns stand where contrib/columns puts them' or diag $told;

done_testing;
