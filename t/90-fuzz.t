# once
# A short run of every fuzz target over its corpus and beyond; FUZZ_SECONDS for each (5).
use strict;
use warnings;
use Test::More;
use File::Temp ();

my $build = $ENV{REEVE_BUILD} // 'build';
my @sources = sort glob 't/fuzz/*.c';
plan skip_all => 'no fuzz targets' unless @sources;
plan skip_all => 'clang is not installed, so there are no fuzz targets (make fuzz)' unless glob "$build/fuzz/*";

my $seconds = $ENV{FUZZ_SECONDS} // 5;
for my $source (@sources) {
	my ($name) = $source =~ m{([^/]+)\.c$};
	my $found = File::Temp::tempdir("reeve-fuzz-XXXXXXXX", TMPDIR => 1, CLEANUP => 1);
	my @command = ("$build/fuzz/$name", "-max_total_time=$seconds", '-timeout=5', '-rss_limit_mb=1024', '-print_final_stats=1',
	    "-artifact_prefix=$found/", $found);
	push @command, "t/fuzz/corpus/$name" if -d "t/fuzz/corpus/$name";
	push @command, "-dict=t/fuzz/$name.dict" if -e "t/fuzz/$name.dict";
	my $pid = open my $out, '-|';
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		$ENV{ASAN_OPTIONS} = 'detect_leaks=1';
		exec @command or die "$command[0]: $!";
	}
	my @lines = <$out>;
	close $out;
	my $result = $?;
	my ($count) = map { /number_of_executed_units:\s*(\d+)/ ? $1 : () } @lines;
	is $result, 0, "$name: " . ($count // 'no') . ' inputs' or diag @lines > 60 ? @lines[-60 .. -1] : @lines;
	cmp_ok $count // 0, '>', 100, "$name: it really ran";
}
done_testing;
