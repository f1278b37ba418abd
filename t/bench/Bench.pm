package Bench;

# What every table of t/bench is made with: programs found and built, servers started on core 0 and load on core 1, the CPU
# and memory of processes, and how it is printed.
use strict;
use warnings;
use Cwd ();
use Exporter 'import';
use File::Temp ();
use FindBin;
use JSON::PP ();
use POSIX ();
use Reeve::Port qw(free_port);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(%option %running $reeve $dir $nofile @on_server @on_load find tool write_file spawn load family cpu_of memory_of
    is_listening stop start chosen median table print_json free_port);

our %option;			# of the command line
our %running;			# servers: name → { name, pid, port }
our $reeve = Cwd::abs_path($ENV{REEVE} // "$FindBin::Bin/../../build/reeve") // '';
our $dir = File::Temp::tempdir('reeve-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $cores = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
# What a server may hold; more than the hard limit none may have.
our $nofile = do { my $hard = `sh -c "ulimit -Hn"`; $hard =~ /(\d+)/ && $1 < 40000 ? $1 + 0 : 40000 };
our @on_server = $cores > 1 ? ('taskset', '-c', '0') : ();
our @on_load = $cores > 1 ? ('taskset', '-c', '1') : ();

# -- tools ------------------------------------------------------------------------------------------------------------------

sub find
{
	my ($name) = @_;
	for (split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin') {
		return "$_/$name" if -x "$_/$name";
	}
	return;
}

# A load tool of ours, built when it is not yet: tool(name, libraries).
sub tool
{
	my ($name) = @_;
	my $built = ($ENV{REEVE_BENCH_TOOLS} // '') . "/$name";
	return $built if -x $built;
	my $made = "$dir/$name";
	return $made if -x $made;
	system('cc', '-std=gnu17', '-D_GNU_SOURCE', '-O2', '-o', $made, "$FindBin::Bin/$name.c", @_[1 .. $#_]) == 0
	    or die "cc $name.c failed\n";
	return $made;
}

sub write_file
{
	my ($path, $content) = @_;
	open my $out, '>', $path or die "$path: $!";
	print $out $content;
	close $out or die;
	return $path;
}

sub spawn
{
	my (@command) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	setpgrp;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', "$dir/server.out";
	open STDERR, '>>', "$dir/server.err";
	$SIG{$_} = 'DEFAULT' for qw(INT TERM);
	exec @command or POSIX::_exit(127);
}

# Runs a load tool and gives what it printed.
sub load
{
	my (@command) = @_;
	open my $in, '-|', @on_load, @command or die "$command[0]: $!";
	local $/;
	my $text = <$in>;
	close $in;
	return $text;
}

# -- processes --------------------------------------------------------------------------------------------------------------

sub family
{
	my ($root) = @_;
	my %children;
	for my $stat (glob '/proc/[0-9]*/stat') {
		open my $in, '<', $stat or next;
		my $line = <$in> // next;
		push @{$children{$2}}, $1 if $line =~ /^(\d+) .*\) \S (\d+)/;
	}
	my @family = ($root);
	for (my $i = 0; $i < @family; $i++) {
		push @family, @{$children{$family[$i]} // []};
	}
	return @family;
}

# Seconds of CPU of these processes, all their threads.
sub cpu_of
{
	my $sum = 0;
	for my $path (map { glob "/proc/$_/task/*/schedstat" } @_) {
		open my $in, '<', $path or next;
		$sum += (split ' ', <$in> // '0')[0];
	}
	return $sum / 1e9;
}

sub memory_of
{
	my $sum = 0;
	for my $pid (@_) {
		open my $in, '<', "/proc/$pid/smaps_rollup" or next;
		while (<$in>) {
			$sum += $1 * 1024 if /^Pss:\s+(\d+)/;
		}
	}
	return $sum;
}

sub is_listening
{
	my ($port) = @_;
	my $hex = sprintf ':%04X', $port;
	open my $in, '<', '/proc/net/tcp' or return 0;
	return scalar grep { /^\s*\d+:\s+\S+\Q$hex\E\s+\S+\s+0A\s/ } <$in>;
}

sub stop
{
	my ($name) = @_;
	my $server = delete $running{$name} or return;
	my @family = family($server->{pid});
	kill KILL => @family;
	waitpid $server->{pid}, 0;
}
END { my $status = $?; stop($_) for keys %running; $? = $status }

# Starts a server and waits until it listens on the port.
sub start
{
	my ($name, $port, $command, @pin) = @_;
	my $pid = spawn(@pin, @$command);
	my $end = time + 10;
	until (is_listening($port)) {
		if (time > $end || waitpid($pid, POSIX::WNOHANG) == $pid) {
			open my $in, '<', "$dir/server.err";
			die "$name does not start:\n", $in ? <$in> : '';
		}
		sleep 0.05;
	}
	sleep 0.3;
	$running{$name} = { pid => $pid, port => $port, name => $name };
	return $running{$name};
}

my %absent;
# Those that were asked for and are here; `servers` says what program each needs.
sub chosen
{
	my ($servers, @names) = @_;
	@names = grep { my $name = $_; grep { $_ eq $name } @{$option{server}} } @names if $option{server};
	return grep {
		my $program = $servers->{$_}{program};
		my $is_here = !$program || find($program);
		print "$program is not installed: left out\n" if !$is_here && !$absent{$program}++ && !$option{json};
		$is_here;
	} @names;
}

# -- figures -----------------------------------------------------------------------------------------------------------------

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[@sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

sub table
{
	my (@rows) = @_;
	my @width;
	for my $row (@rows) {
		for my $i (0 .. $#$row) {
			my $length = length($row->[$i] // '-');
			$width[$i] = $length if !$width[$i] || $length > $width[$i];
		}
	}
	for my $row (@rows) {
		print join('  ', map { sprintf $_ ? "%*s" : "%-*s", $_ ? $width[$_] : $width[$_], $row->[$_] // '-' } 0 .. $#width), "\n";
	}
}

sub print_json
{
	print JSON::PP->new->canonical->pretty->encode($_[0]);
}

1;
