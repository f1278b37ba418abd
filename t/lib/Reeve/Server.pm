package Reeve::Server;

# The real binary ($REEVE, else build/reeve), started from a configuration written in the test, in a directory of its own.
#
# Keys that the configuration does not have are appended, so that its own line numbers stay: control, state_dir, workers: 2,
# log: {level: debug}. `raw => 1` appends nothing.
#
# stop_and_check asserts: exit code 0 after SIGTERM, no process left, no sanitizer report, socket and pid file gone.
use strict;
use warnings;
use Cwd ();
use Fcntl;
use File::Temp ();
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $count = 0;

sub binary
{
	return Cwd::abs_path($ENV{REEVE} // 'build/reeve') // ($ENV{REEVE} // 'build/reeve');
}

# The binary, which has to be there.
sub built_binary
{
	my $path = binary();
	-x $path or die "no $path: build it, or set REEVE\n";
	return $path;
}

sub temp_dir
{
	return File::Temp::tempdir('reeve-test-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
}

# Options: config, raw, args (instead of run -c FILE), env => {}, dir, file (name of the configuration), limits => 'ulimit
# arguments', wait => 0 (do not wait until it serves), exit => expected exit code.
sub new
{
	my ($class, %options) = @_;
	my $self = bless { %options }, $class;
	$self->{dir} //= temp_dir();
	chmod 0755, $self->{dir};
	$self->{id} = "$$-" . ++$count;
	$self->{file} = "$self->{dir}/" . ($options{file} // 'reeve.yaml');
	$self->{control} = "$self->{dir}/control.sock";
	$self->{log} = "$self->{dir}/stderr";
	$self->{out} = "$self->{dir}/stdout";
	$self->write_config($options{config});
	return $self;
}

# -- configuration ----------------------------------------------------------------------------------------------------------

sub complete_config
{
	my ($self, $config) = @_;
	return $config if $self->{raw};
	$config .= "\n" unless $config =~ /\n\z/;
	$config .= "control: $self->{control}\n" unless $config =~ /^control:/m;
	$config .= "state_dir: $self->{dir}/state\n" unless $config =~ /^state_dir:/m;
	$config .= "workers: 2\n" unless $config =~ /^workers:/m;
	$config .= "log: {level: debug}\n" unless $config =~ /^log:/m;
	return $config;
}

# Also for reloads: write_config, then reload.
sub write_config
{
	my ($self, $config) = @_;
	mkdir "$self->{dir}/state";
	open my $out, '>', "$self->{file}.new" or die "$self->{file}: $!";
	binmode $out, utf8::is_utf8($config) ? ':utf8' : ':raw';
	print $out $self->complete_config($config);
	close $out or die;
	rename "$self->{file}.new", $self->{file} or die;
	$self->{config} = $config;
}

# -- life -------------------------------------------------------------------------------------------------------------------

# The environment of every program we start: the mark by which its processes are found again, and where reports go.
sub environment
{
	my ($self) = @_;
	my $report = "log_path=$self->{dir}/sanitizer";
	return (
		REEVE_TEST_ID	=> $self->{id},
		TMPDIR		=> $self->{dir},
		ASAN_OPTIONS	=> "$report:detect_leaks=1:exitcode=99:abort_on_error=0:detect_stack_use_after_return=1",
		UBSAN_OPTIONS	=> "$report:print_stacktrace=1",
		LSAN_OPTIONS	=> "exitcode=99",
		%{$self->{env} // {}},
	);
}

sub start
{
	my ($self) = @_;
	my @argv = (built_binary(), @{$self->{args} // ['run', '-c', $self->{file}]});
	@argv = ('sh', '-c', "ulimit $self->{limits}; exec \"\$@\"", 'sh', @argv) if $self->{limits};
	my %environment = $self->environment;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		@ENV{keys %environment} = values %environment;
		delete @ENV{grep { !defined $environment{$_} } keys %environment};
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $self->{out};
		open STDERR, '>>', $self->{log};
		$SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM ALRM);
		POSIX::setpgid(0, 0);
		exec { $argv[0] } @argv or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	$self->{seen} = { $pid => 1 };
	$self->{exit_status} = undef;
	$self->wait_until_serving unless exists $self->{wait} && !$self->{wait};
	return $self;
}

sub listen_ports
{
	my ($self) = @_;
	my ($listen) = $self->{config} =~ /^(listen:.*?)(?=^\S|\z)/ms or return;
	return $listen =~ m{:(\d{4,5})\b(?![:\]])}g;
}

# Ports in state LISTEN, without connecting to them.
sub ports_listening
{
	my %listening;
	for my $table ('/proc/net/tcp', '/proc/net/tcp6') {
		open my $in, '<', $table or next;
		while (<$in>) {
			$listening{hex $1} = 1 if /^\s*\d+:\s+[0-9A-F]+:([0-9A-F]{4})\s+\S+\s+0A\s/;
		}
	}
	return \%listening;
}

sub is_serving
{
	my ($self) = @_;
	my $listening = ports_listening();
	return 0 if grep { !$listening->{$_} } $self->listen_ports;
	return 1 if $self->find_log(msg => 'started');
	my ($control) = $self->{config} =~ /^control:\s*(\S+)/m;
	my $peer = IO::Socket::UNIX->new(Peer => $control // $self->{control}) or return 0;
	$peer->close;
	# the log's level or destination keeps "started" from us
	return $self->{config} =~ /^log:/m;
}

sub wait_until_serving
{
	my ($self) = @_;
	my $end = time + 30;
	until ($self->is_serving) {
		die "reeve ended at start, exit " . ($self->{exit_status} >> 8) . ":\n" . $self->stderr if $self->has_ended;
		die "reeve does not serve after 30 s:\n" . $self->stderr if time > $end;
		sleep 0.02;
	}
}

sub has_ended
{
	my ($self) = @_;
	return 1 if defined $self->{exit_status};
	return 0 unless waitpid($self->{pid}, POSIX::WNOHANG) == $self->{pid};
	$self->{exit_status} = $?;
	return 1;
}

# True when it ended by itself within the seconds.
sub wait_end
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 10);
	until ($self->has_ended) {
		return 0 if time > $end;
		sleep 0.02;
	}
	return 1;
}

sub exit_code
{
	my ($self) = @_;
	return undef unless defined $self->{exit_status};
	return $self->{exit_status} & 127 ? 'signal ' . ($self->{exit_status} & 127) : $self->{exit_status} >> 8;
}

sub signal
{
	my ($self, $signal) = @_;
	kill $signal, $self->{pid};
}

# -- processes --------------------------------------------------------------------------------------------------------------

sub parent_of
{
	my ($pid) = @_;
	open my $in, '<', "/proc/$pid/stat" or return;
	my $line = <$in> // return;
	return $line =~ /\) (\S) (\d+)/ ? ($2, $1) : ();
}

# Every process that carries our mark or descends from one that does; ended ones (zombies) not.
sub processes
{
	my ($self) = @_;
	opendir my $proc, '/proc' or die;
	my (%parent, %ours);
	for my $pid (grep { /^\d+$/ } readdir $proc) {
		my ($parent, $state) = parent_of($pid) or next;
		next if $state eq 'Z';
		$parent{$pid} = $parent;
		next if $pid == $$;
		if (open my $in, '<', "/proc/$pid/environ") {
			local $/;
			$ours{$pid} = 1 if ("\0" . (<$in> // '')) =~ /\0REEVE_TEST_ID=\Q$self->{id}\E\0/;
		}
	}
	$ours{$self->{pid}} = 1 if $self->{pid} && exists $parent{$self->{pid}};
	for (my $found = 1; $found; ) {
		$found = 0;
		for my $pid (keys %parent) {
			next if $ours{$pid} or !$ours{$parent{$pid}};
			$ours{$pid} = $found = 1;
		}
	}
	$self->{seen}{$_} = 1 for keys %ours;
	return sort { $a <=> $b } keys %ours;
}

# Titles as `ps` shows them: pid → title.
sub titles
{
	my ($self) = @_;
	my %title;
	for my $pid ($self->processes) {
		open my $in, '<', "/proc/$pid/cmdline" or next;
		local $/;
		my $line = <$in> // next;
		$line =~ s/\0+\z//;
		$line =~ tr/\0/ /;
		$title{$pid} = $line;
	}
	return \%title;
}

# Pids of the workers, by their number.
sub workers
{
	my ($self) = @_;
	my $titles = $self->titles;
	my %worker;
	for my $pid (keys %$titles) {
		$worker{$1} = $pid if $titles->{$pid} =~ /reeve: worker (\d+)/;
	}
	return map { $worker{$_} } sort { $a <=> $b } keys %worker;
}

sub fd_count
{
	my ($self, $pid) = @_;
	opendir my $dir, "/proc/$pid/fd" or return -1;
	return scalar grep { !/^\./ } readdir $dir;
}

# Bytes of memory that only count this process's share.
sub pss
{
	my ($self, $pid) = @_;
	open my $in, '<', "/proc/$pid/smaps_rollup" or return 0;
	while (<$in>) {
		return $1 * 1024 if /^Pss:\s+(\d+) kB/;
	}
	return 0;
}

# Seconds of CPU.
sub cpu
{
	my ($self, $pid) = @_;
	open my $in, '<', "/proc/$pid/schedstat" or return 0;
	return (split ' ', <$in> // '0')[0] / 1e9;
}

# -- log --------------------------------------------------------------------------------------------------------------------

sub slurp
{
	my ($path) = @_;
	open my $in, '<:raw', $path or return '';
	local $/;
	return scalar(<$in>) // '';
}

sub stderr
{
	my ($self) = @_;
	return slurp($self->{log});
}

sub stdout
{
	my ($self) = @_;
	return slurp($self->{out});
}

# Records that are whole lines of JSON; from the mark on when one was set.
sub log_records
{
	my ($self, $path) = @_;
	my $text = slurp($path // $self->{log});
	$text = substr $text, $self->{mark} if !$path && $self->{mark};
	my $json = JSON::PP->new->utf8;
	return grep { defined } map { my $record = $_; eval { $json->decode($record) } } grep { /^\{.*\}$/ } split /\n/, $text;
}

# What is logged from here on is what find_log and wait_log look at.
sub mark_log
{
	my ($self) = @_;
	$self->{mark} = -s $self->{log} // 0;
}

# First record whose fields fit: a value is compared, a regex matched, undef means "absent", a code ref is asked.
sub find_log
{
	my ($self, %want) = @_;
	my $path = delete $want{from};
	RECORD: for my $record ($self->log_records($path)) {
		for my $name (keys %want) {
			my ($want, $is) = ($want{$name}, $record->{$name});
			my $fits = !defined $want ? !defined $is
			    : !defined $is ? 0
			    : ref $want eq 'Regexp' ? $is =~ $want
			    : ref $want eq 'CODE' ? $want->($is)
			    : $is eq $want;
			next RECORD unless $fits;
		}
		return $record;
	}
	return;
}

sub wait_log
{
	my ($self, %want) = @_;
	my $end = time + (delete $want{within} // 10);
	while (1) {
		my $record = $self->find_log(%want);
		return $record if $record;
		return if time > $end;
		sleep 0.02;
	}
}

# -- commands ---------------------------------------------------------------------------------------------------------------

# Runs `reeve ARGS`: { exit, signal, out, err, seconds }. First argument may be a hash ref: env, dir, in, timeout.
sub run_command
{
	my $options = ref $_[0] eq 'HASH' ? shift : {};
	my @argv = (built_binary(), @_);
	my $dir = $options->{dir} // temp_dir();
	my ($out, $err) = (File::Temp->new, File::Temp->new);
	my $start = time;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		my %environment = (ASAN_OPTIONS => 'detect_leaks=1:exitcode=99', %{$options->{env} // {}});
		for my $name (keys %environment) {
			defined $environment{$name} ? $ENV{$name} = $environment{$name} : delete $ENV{$name};
		}
		open STDIN, '<', $options->{in} // '/dev/null';
		open STDOUT, '>&', $out;
		open STDERR, '>&', $err;
		$SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM ALRM);
		chdir $dir;
		exec { $argv[0] } @argv or POSIX::_exit(127);
	}
	my $end = time + ($options->{timeout} // 60);
	until (waitpid($pid, POSIX::WNOHANG) == $pid) {
		if (time > $end) {
			kill KILL => $pid;
			waitpid $pid, 0;
			diag "reeve @_ did not end in time";
			last;
		}
		sleep 0.01;
	}
	my $status = $?;
	return {
		exit => $status >> 8, signal => $status & 127, seconds => time - $start,
		out => slurp($out->filename), err => slurp($err->filename),
	};
}

# `reeve NAME --control OURS ARGS`
sub control
{
	my ($self, $name, @args) = @_;
	return run_command($name, '--control', $self->{control}, @args);
}

sub status
{
	my ($self) = @_;
	my $answer = $self->control('status', '--json');
	my $status = eval { JSON::PP->new->utf8->decode($answer->{out}) };
	diag "reeve status --json: exit $answer->{exit}, not JSON: $answer->{out}$answer->{err}" unless $status;
	return $status // {};
}

# Writes the configuration when one is given, asks for a reload and waits for its outcome.
sub reload
{
	my ($self, $config) = @_;
	$self->write_config($config) if defined $config;
	return $self->control('reload');
}

# -- end --------------------------------------------------------------------------------------------------------------------

sub sanitizer_reports
{
	my ($self) = @_;
	my @reports = map { slurp($_) } glob "$self->{dir}/sanitizer.*";
	push @reports, $self->stderr if $self->stderr =~ /(?:ERROR|WARNING): \w+Sanitizer|runtime error:/;
	return @reports;
}

# Ended ones that wait for somebody to reap them are nobody's: init has them within moments.
sub processes_left
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 3);
	while (1) {
		my %left = map { $_ => 1 } $self->processes;
		delete $left{$self->{pid}} if $self->has_ended;
		return unless %left;
		return sort keys %left if time > $end;
		sleep 0.02;
	}
}

sub crash_reports
{
	my ($self) = @_;
	return map { slurp($_) } grep { -f && /crash/ } glob "$self->{dir}/state/*";
}

sub stop_and_check
{
	my ($self) = @_;
	my @problems;
	$self->processes unless $self->has_ended;	# to know them later
	if (!$self->has_ended) {
		$self->signal('TERM');
		$self->wait_end(40) or push @problems, "did not end within 40 s of SIGTERM";
	}
	if (!$self->has_ended) {
		$self->kill_all;
		$self->wait_end(5);
	}
	my $wanted = $self->{exit} // 0;
	push @problems, "exit code " . ($self->exit_code // '?') . ", not $wanted" unless ($self->exit_code // '?') eq $wanted;
	my @left = $self->processes_left;
	push @problems, "processes left: @left" if @left;
	my @reports = $self->sanitizer_reports;
	push @problems, "sanitizer: $_" for @reports;
	push @problems, "crash report: $_" for $self->{crashes} ? () : $self->crash_reports;
	push @problems, "left: $_" for grep { -e || -l } $self->{control}, map { s/^pid_file:\s*//r } $self->{config} =~ /^pid_file:.*$/mg;
	push @problems, "left in state_dir: $_" for grep { /\.(?:tmp|new)$/ } glob "$self->{dir}/state/*";
	ok !@problems, 'stopped, and nothing is left' or diag join "\n", @problems, $self->tail_of_log;
	kill KILL => @left if @left;
	return !@problems;
}

sub tail_of_log
{
	my ($self) = @_;
	my @lines = split /\n/, $self->stderr;
	splice @lines, 0, @lines - 25 if @lines > 25;
	return join "\n", 'end of the log:', @lines;
}

sub kill_all
{
	my ($self) = @_;
	return unless $self->{pid};
	my @pids = $self->processes;
	kill KILL => @pids if @pids;
	$self->wait_end(5) unless defined $self->{exit_status};
}

1;
