# Thousands of slow clients, and a storm of signals: good traffic is served as if nothing were.
use lib 't/lib';
use Reeve::Test;
use Reeve::Load qw(rss);

my $upstream = upstream();
my $dir = temp_dir();
my ($port, $slow_port) = (free_port(), free_port());
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
workers: 2
log: {level: info, output: $dir/log}
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}"]}
routes:
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up}
  - respond: "hello"
END

# -- slowloris --
my $patient = start(<<"END");
listen: [{address: "127.0.0.1:$slow_port"}]
workers: 2
limits: {header_timeout: 3s}
log: {level: warn}
routes:
  - respond: "hello"
END
my $wanted = is_sanitized() ? 500 : 2000;
my $client_pid = fork // die "fork: $!";
if (!$client_pid) {
	# all the descriptors there are, in a process of its own
	my @slow;
	while (@slow < $wanted) {
		my $client = eval { connect_to($slow_port) } or last;
		$client->send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
		push @slow, $client;
	}
	write_file("$dir/slow", scalar @slow);
	my $end = time + 20;
	my $closed = 0;
	while (@slow && time < $end) {
		sleep 0.25;
		for my $client (splice @slow) {
			# a byte now and then, until it is closed on us
			my $gone = $client->wait_readable(0) && $client->end(0) ne 'open';
			$gone ? $closed++ : push @slow, $client;
			$client->send('x') unless $gone || rand() < 0.5;
		}
	}
	write_file("$dir/closed.new", $closed);
	rename "$dir/closed.new", "$dir/closed";
	POSIX::_exit(0);
}
ok eventually(10, sub { -s "$dir/slow" }), 'slow clients';
my $slow = read_file("$dir/slow");
cmp_ok $slow, '>=', $wanted * 0.45, "... $slow of them";
my ($served, $slowest) = (0, 0);
my $good = connect_to($slow_port);
my $until = time + 2;
while ((my $start = time) < $until) {
	$served++ if $good->fetch('GET', '/')->status == 200 && get($slow_port, '/')->status == 200;
	my $took = time - $start;
	$slowest = $took if $took > $slowest;
}
cmp_ok $served, '>', 100, sprintf '... good requests are served meanwhile: %d, the slowest pair in %.1f ms', 2 * $served, 1000 * $slowest;
cmp_ok $slowest, '<', 1, '... and soon';
my ($biggest) = sort { $b <=> $a } map { rss($_) } $patient->workers;
cmp_ok $biggest, '<', is_sanitized() ? 1000 : 64, sprintf '... a worker holds %.1f MiB', $biggest;
ok eventually(12, sub { -e "$dir/closed" }), '... the slow ones are gone when their time is over';
is read_file("$dir/closed"), $slow, '... all of them';
waitpid $client_pid, 0;
is $patient->status->{totals}{timeouts}, $slow, '... and counted';
$good->close;

# -- signals --
my $server = start($config);
get($port, '/') for 1 .. 20;
my @workers = $server->workers;
srand 68;
my $storm = Reeve::Load->start($port, 5, 3, '/', '/up/bytes/100');
my $sent = 0;
$until = time + 5;
while (time < $until) {
	$server->signal((qw(HUP HUP USR1))[rand 3]);
	$sent++;
	sleep 0.02;
}
my $result = $storm->sum;
is $result->{failed} + $result->{lost}, 0, "$sent signals, $result->{done} requests: none failed" or diag explain $result;
ok eventually(10, sub { my $status = $server->status; $status->{reload}{result} eq 'ok' && $status->{state} eq 'running' }),
    '... it comes to rest';
is $server->reload->{exit}, 0, '... takes a reload';
is_deeply [$server->workers], \@workers, '... and the workers are the same';
is scalar(grep { !eval { json($_); 1 } } split /\n/, read_file("$dir/log")), 0, '... every line of the log is whole';

finish;
