# Agents: sockets that are kept, that die while they wait, that are too many or too old; and what that costs the client.
use lib 't/lib';
use Reeve::Test;

my $limited = upstream(name => 'limited', max_requests => 3);
my $idle = upstream(name => 'idle', idle => 0.3);
my $plain = upstream(name => 'plain');
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
upstreams:
  limited: {servers: ["http://127.0.0.1:@{[$limited->port]}"]}
  idle: {servers: ["http://127.0.0.1:@{[$idle->port]}"]}
  few: {servers: ["http://127.0.0.1:@{[$plain->port]}"], agent: {max_sockets: 2}, queue: {size: 3, timeout: 1s}}
  short: {servers: ["http://127.0.0.1:@{[$plain->port]}"], agent: {idle_timeout: 300ms}}
  counted: {servers: ["http://127.0.0.1:@{[$plain->port]}"], agent: {max_requests: 2}}
  none: {servers: ["http://127.0.0.1:@{[$plain->port]}"], agent: {max_free_sockets: 0}}
routes:
  - match: {path: /limited/*}
    proxy: {to: limited, strip_prefix: /limited}
  - match: {path: /idle/*}
    proxy: {to: idle, strip_prefix: /idle}
  - match: {path: /few/*}
    proxy: {to: few, strip_prefix: /few}
  - match: {path: /short/*}
    proxy: {to: short, strip_prefix: /short}
  - match: {path: /counted/*}
    proxy: {to: counted, strip_prefix: /counted}
  - match: {path: /none/*}
    proxy: {to: none, strip_prefix: /none}
END

sub connections_of
{
	my ($count, $target, %options) = @_;
	my %seen;
	for (1 .. $count) {
		sleep $options{pause} if $options{pause};
		my $response = request($port, $options{method} // 'GET', $target, %options);
		$seen{$response->status == 200 ? $response->header('x-connection') : 'status ' . $response->status}++;
	}
	return join ' ', map { /status/ ? "$_: $seen{$_}" : $seen{$_} } sort { $seen{$a} <=> $seen{$b} } keys %seen;
}

# -- sockets that the upstream closes without a word --
is connections_of(12, '/limited/bytes/5'), '3 3 3 3', 'a socket that died while it waited costs nobody an answer: GET';
is connections_of(12, '/limited/echo', method => 'PUT', body => 'x' x 5000), '3 3 3 3', '... PUT with content';
my $posts = connections_of(12, '/limited/echo', method => 'POST', body => 'x', pause => 0.05);
unlike $posts, qr/status/, '... POST: what is known to be closed is not used' or diag $posts;
is scalar(grep { $_->{method} eq 'POST' } $limited->requests), 12, '... each was sent once';
is connections_of(1, '/idle/bytes/5'), '1', 'before the pause';
sleep 0.8;
is connections_of(1, '/idle/echo', method => 'POST', body => 'x'), '1', 'after a pause that was too long for the upstream: POST';
is scalar(grep { $_->{method} eq 'POST' } $idle->requests), 1, '... was sent once';

# -- our own limits --
is connections_of(4, '/counted/bytes/1'), '2 2', 'agent.max_requests';
is connections_of(3, '/none/bytes/1'), '1 1 1', 'agent.max_free_sockets: 0 keeps none';
is connections_of(2, '/short/bytes/1'), '2', 'agent.idle_timeout: used in time';
sleep 1;
my $before = $plain->closed;
is connections_of(1, '/short/bytes/1'), '1', '... and a new one afterwards';

# -- at most so many at a time; the others wait in the queue --
$plain->forget;
my @clients = map { connect_to($port) } 1 .. 5;
my $start = time;
$_->request('GET', '/few/delay/0.4') for @clients;
is join(' ', map { $_->read_response->status } @clients), '200 200 200 200 200', 'five wait for two sockets';
within 1.1, 2, time - $start, '... in three turns';
is $plain->connections, 2, '... over two connections';
$_->request('GET', '/few/delay/0.7') for @clients;
sleep 0.15;
my $sixth = connect_to($port);
$start = time;
my $response = $sixth->fetch('GET', '/few/bytes/1');
is $response->status, 503, 'queue.size: one more than fits is refused';
ok defined $response->header('retry-after'), '... with Retry-After';
cmp_ok time - $start, '<', 0.5, '... at once';
my @statuses = sort map { $_->read_response->status } @clients;
is "@statuses", '200 200 200 200 503', 'queue.timeout: the one that waits more than a second is refused';
$response = $sixth->fetch('GET', '/few/bytes/1');
is $response->status, 200, '... and when it is over all is well';

# -- a client that goes away frees its place --
$_->request('GET', '/few/hang') for @clients[0, 1];
sleep 0.2;
$_->reset for @clients[0, 1];
is connections_of(2, '/few/bytes/1'), '2', 'clients that went away leave no socket taken';

finish;
