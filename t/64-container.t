# As process 1 of a container: it reaps whoever is left to it, ends on SIGTERM although process 1 ignores what it does not
# handle, and `workers: auto` counts what it may use.
use lib 't/lib';
use Reeve::Test;

my @unshare = grep { system("$_ true >/dev/null 2>&1") == 0 } 'unshare -fp', 'unshare -Urfp';
plan skip_all => 'a process namespace may not be made here' unless @unshare && can_run('nsenter');

sub path_of
{
	my ($program) = @_;
	return (grep { -x } map { "$_/$program" } split /:/, "$ENV{PATH}:/usr/sbin:/sbin")[0];
}

my $port = free_port();
my $binary = Reeve::Server::binary();
my $dir = temp_dir();
my $server = Reeve::Server->new(dir => $dir, config => "listen: [{address: \"127.0.0.1:$port\"}]\nworkers: 2\nroutes: [{respond: hi}]\n",
    raw => 0);
{
	no warnings 'redefine';
	local *Reeve::Server::binary = sub { path_of('unshare') };
	$server->{args} = [(split ' ', $unshare[0])[1], $binary, 'run', '-c', $server->{file}];
	$server->start;
}
is get($port, '/')->body, 'hi', 'process 1 serves';
my ($primary) = grep { ($server->titles->{$_} // '') =~ /^reeve: primary/ } $server->processes;
ok $primary, 'it is there';
like read_file("/proc/$primary/status"), qr/^NSpid:\s+\d+\s+1$/m, '... as process 1';

# An orphan: its parent ends first.
system "nsenter -t $primary " . ($unshare[0] =~ /U/ ? '-U --preserve-credentials ' : '') . "-p sh -c 'sleep 0.3 & exit 0'";
sleep 1;
my @zombies;
for my $stat (glob '/proc/[0-9]*/stat') {
	open my $in, '<', $stat or next;
	my $line = <$in> // next;
	push @zombies, $1 if $line =~ /^(\d+) .*\) Z $primary /;
}
is "@zombies", '', 'orphans are reaped';
is scalar(my @workers = $server->workers), 2, '... and mistaken for none of its own';
is get($port, '/')->body, 'hi', '... and it serves';

my $pid = $server->{pid};
kill TERM => $primary;
ok $server->wait_end(10), 'SIGTERM ends process 1';
is $server->exit_code, 0, '... exit code 0';
is join(' ', $server->processes_left), '', '... and all with it';
is join("\n", $server->sanitizer_reports), '', '... without a report';

# -- workers: auto --
SKIP: {
	skip 'taskset is not installed', 1 unless can_run('taskset');
	my $auto_port = free_port();
	my $auto = Reeve::Server->new(config => "listen: [{address: \"127.0.0.1:$auto_port\"}]\nworkers: auto\nroutes: [{respond: hi}]\n");
	no warnings 'redefine';
	local *Reeve::Server::binary = sub { path_of('taskset') };
	$auto->{args} = ['-c', '0', $binary, 'run', '-c', $auto->{file}];
	$auto->start;
	is scalar(my @all = $auto->workers), 1, 'workers: auto is the CPUs in the affinity mask';
	$auto->stop_and_check;
}

finish;
