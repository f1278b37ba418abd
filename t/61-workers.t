# Workers die, hang, crash in a loop and run out of descriptors; the service goes on.
use lib 't/lib';
use Reeve::Test;

my $port = free_port();
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
workers: 2
watchdog: {timeout: 1s}
routes:
  - respond: "worker"
END
my $server = start($config, crashes => 1);
my @workers = $server->workers;
is scalar @workers, 2, 'two workers';
my $titles = $server->titles;
is scalar(grep { /^reeve: primary \(.*reeve\.yaml\)$/ } values %$titles), 1, 'ps: reeve: primary (FILE)' or diag explain $titles;
is scalar(grep { /^reeve: worker [01]$/ } values %$titles), 2, 'ps: reeve: worker N';
is scalar(grep { /^reeve: logger$/ } values %$titles), 1, 'ps: reeve: logger';

# -- kill -9: only what the worker held is lost --
my @clients;
for (1 .. 40) {
	my $client = connect_to($port);
	$client->fetch('GET', '/');
	push @clients, $client;
}
my $start = time;
kill KILL => $workers[0];
my ($lost, $kept) = (0, 0);
for my $client (@clients) {
	my $response = eval { $client->fetch('GET', '/') };
	$response && $response->status == 200 ? $kept++ : $lost++;
}
cmp_ok $kept, '>', 0, "connections of the other worker live on ($kept kept, $lost lost)";
cmp_ok $lost, '>', 0, '... those of the dead one cannot';
ok eventually(2, sub { my %now = map { $_ => 1 } $server->workers; keys %now == 2 && !$now{$workers[0]} }), 'it is replaced';
my $died = $server->wait_log(msg => 'worker died: replacing it');
ok $died, '... and the log tells';
like(JSON::PP->new->encode($died // {}), qr/SIGKILL|"signal":"?9/, '... by which signal');
$_->close for @clients;
# -- kill -9 again and again, new connections meanwhile: none is refused --
my ($failed, $done) = (0, 0);
my $next_kill = time;
my $kills = 0;
$start = time;
while (time - $start < 3) {
	if (time > $next_kill) {
		my @now = $server->workers;
		kill KILL => $now[$kills++ % 2] if @now == 2;
		$next_kill = time + 0.3;
	}
	my $response = eval { get($port, '/') };
	$response && $response->status == 200 ? $done++ : $failed++;
}
cmp_ok $failed, '<=', $kills, "$kills kills: $failed of $done failed, no more than were held";
ok $server->wait_log(msg => qr/workers keep dying/, within => 5), 'it starts to wait between starts, and says so';
ok eventually(15, sub { 2 == (my @all = $server->workers) }), '... but never gives up';
is get($port, '/')->status, 200, '... and serves';

# -- a crash leaves a report --
my ($victim) = $server->workers;
kill SEGV => $victim;
ok eventually(5, sub { $server->crash_reports }), 'a crash leaves a report in state_dir' unless is_sanitized;
if (!is_sanitized) {
	my ($report) = $server->crash_reports;
	like $report, qr/SEGV|signal/i, '... with the signal' or diag $report;
}
ok eventually(15, sub { 2 == (my @all = $server->workers) }), 'and the worker is replaced';
unlink glob "$server->{dir}/sanitizer.*";

# -- a worker that hangs is aborted --
($victim) = $server->workers;
kill STOP => $victim;
$server->mark_log;
$start = time;
my $slow = 0;
for (1 .. 10) {
	my $before = time;
	get($port, '/');
	$slow++ if time - $before > 1;
}
is $slow, 0, 'a worker that hangs does not hold up new connections';
ok $server->wait_log(msg => qr/does not turn its loop/, within => 15), 'the watchdog notices';
ok eventually(15, sub { my %now = map { $_ => 1 } $server->workers; keys %now == 2 && !$now{$victim} }), '... and replaces it';
unlink glob "$server->{dir}/sanitizer.*";
is get($port, '/')->status, 200, 'it serves';

# -- the logger dies --
my $title = $server->titles;
my ($logger) = grep { $title->{$_} eq 'reeve: logger' } keys %$title;
kill KILL => $logger;
ok eventually(10, sub { my $now = $server->titles; grep { $now->{$_} eq 'reeve: logger' && $_ != $logger } keys %$now }),
    'a logger that dies is replaced';
$server->mark_log;
get($port, '/after-the-logger');
ok $server->wait_log(msg => 'request', path => '/after-the-logger'), '... and lines arrive';

# -- how soon the next worker is there: the best of three servers, because the machine is shared --
SKIP: {
	skip 'a sanitized worker starts slowly', 1 if is_sanitized;
	my $best;
	for (1 .. 3) {
		my $quick = start($config =~ s/:$port/':' . free_port()/er);
		my ($worker) = $quick->workers;
		$quick->mark_log;
		my $killed = time;
		kill KILL => $worker;
		my $ready = $quick->wait_log(msg => 'worker is ready') or last;
		my ($hour, $minute, $second) = $ready->{time} =~ /T(\d\d):(\d\d):([\d.]+)Z/;
		my $took = $hour * 3600 + $minute * 60 + $second - ($killed - 86400 * int($killed / 86400));
		$best = $took if !defined $best || $took < $best;
		last if $best < 0.05;
	}
	cmp_ok $best, '<', 0.05, 'the next worker is ready within 50 ms';
}

# -- no more descriptors --
my $small_port = free_port();
my $small = start(<<"END", limits => '-n 64');
listen: [{address: "127.0.0.1:$small_port"}]
workers: 1
routes:
  - respond: "small"
END
my ($worker) = $small->workers;
my $first = connect_to($small_port);
is $first->fetch('GET', '/')->status, 200, 'with 64 descriptors: the first';
my @many = map { connect_to($small_port) } 1 .. 150;
sleep 0.5;
my $cpu = $small->cpu($worker);
sleep 1;
cmp_ok $small->cpu($worker) - $cpu, '<', 0.3, 'out of descriptors: it does not spin';
is $first->fetch('GET', '/')->status, 200, '... who is connected is served';
ok $small->find_log(msg => 'accepting is paused'), '... the log tells';
$_->request('GET', '/') for @many;
my $served = 0;
for my $client (@many) {
	my $response = eval { $client->read_response };
	$served++ if $response && $response->status == 200;
	$client->close;
}
is $served, 150, '... and the others are served as soon as there is room';
$small->mark_log;

# -- the primary dies: nothing stays behind --
my $orphan_port = free_port();
my $orphans = start($config =~ s/$port/$orphan_port/r, exit => 'signal 9');
my @family = $orphans->processes;
cmp_ok scalar @family, '>=', 4, 'primary, workers, logger';
kill KILL => $orphans->{pid};
ok $orphans->wait_end(5), 'the primary is killed';
ok eventually(15, sub { my @left = $orphans->processes_left(0); !@left }), 'workers and logger notice and end';
unlink $orphans->{control};

finish;
