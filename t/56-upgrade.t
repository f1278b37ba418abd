# Upgrades are tunnelled only where the route allows them, and then byte for byte both ways.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my $port = free_port();
my $to = 'http://127.0.0.1:' . $upstream->port;
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
workers: 1
limits: {keepalive_timeout: 1s, header_timeout: 1s, body_timeout: 1s}
shutdown: {grace: 2s, idle: 200ms}
routes:
  - match: {path: /ws/*}
    proxy: {to: "$to", strip_prefix: /ws, websocket: true}
  - proxy: $to
END
my $server = start($config);
my @upgrade = (Connection => 'keep-alive, Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13,
    'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');

# -- not allowed --
my $client = connect_to($port);
my $response = $client->fetch('GET', '/upgrade', headers => \@upgrade);
is $response->status, 426, 'a route that does not allow it: the upstream is not asked to upgrade';
is $client->fetch('GET', '/bytes/1')->status, 200, '... and the connection is an ordinary one';
$client->close;

# -- allowed --
sub tunnel
{
	my $tunnelled = connect_to($port);
	$tunnelled->request('GET', '/ws/upgrade', headers => \@upgrade);
	my $switched = $tunnelled->read_response;
	is $switched->status, 101, 'switched';
	is lc $switched->header('upgrade'), 'websocket', '... to that';
	like lc $switched->header('connection'), qr/upgrade/, '... for this hop';
	is $switched->header('content-length') // $switched->header('transfer-encoding'), undef, '... without framing';
	is $tunnelled->read_bytes(6, 'greeting'), 'HELLO ', 'what came right behind the head';
	return $tunnelled;
}
$client = tunnel();
$client->send("abc\r\nGET / HTTP/1.1\r\n\r\n");
is $client->read_bytes(23, 'echo'), uc "abc\r\nGET / HTTP/1.1\r\n\r\n", 'bytes are bytes';
my $much = 'x' x 3_000_000;
my $pid = fork;
if (!$pid) {
	$client->send($much);
	POSIX::_exit(0);
}
is $client->read_bytes(length $much, 'echo'), uc $much, 'three megabytes there and back';
waitpid $pid, 0;
sleep 1.5;
$client->send('still');
is $client->read_bytes(5, 'echo'), 'STILL', 'a tunnel is not idle keep-alive';
$client->shutdown_write;
is $client->end(5), 'closed', 'the end of one side ends it';
my $sent_early = connect_to($port);
$sent_early->send($sent_early->request_bytes('GET', '/ws/upgrade', headers => \@upgrade) . 'early');
is $sent_early->read_response->status, 101, 'bytes sent before the switch';
is $sent_early->read_bytes(11, 'echo'), 'HELLO EARLY', '... arrive behind it';
$sent_early->close;
$client = tunnel();
my $before = $upstream->closed;
$client->reset;
ok eventually(3, sub { $upstream->closed > $before }), 'a client that goes away ends the upstream\'s side';
$client = connect_to($port);
$response = $client->fetch('GET', '/ws/bytes/5', headers => \@upgrade);
is $response->status, 200, 'an upstream that does not want to upgrade answers as usual';
is $client->fetch('GET', '/bytes/1')->status, 200, '... and the connection goes on';
$client->close;
$client = connect_to($port);
is $client->fetch('GET', '/ws/upgrade', version => '1.0', headers => [@upgrade])->status, 426, 'HTTP/1.0 cannot upgrade';
$client->close;
$client = connect_to($port);
$client->send("GET /ws/upgrade HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
is $client->read_response->status, 426, 'Upgrade without Connection: upgrade is none';
$client->close;
for my $protocol ('h2c', 'websocket, H2C', 'HTTP/2.0') {
	$client = connect_to($port);
	$response = $client->fetch('GET', '/ws/upgrade', headers => [@upgrade[0, 1], Upgrade => $protocol]);
	is $response->status, 426, "no tunnel for HTTP past the routes: $protocol";
	$client->close;
}

# -- a reload leaves tunnels alone; a stop cuts them when the grace is over --
$client = tunnel();
is $server->reload("$config\n# changed\n")->{exit}, 0, 'reloaded';
$client->send('on');
is $client->read_bytes(2, 'echo'), 'ON', 'a reload leaves a tunnel alone';
my $start = time;
$server->signal('TERM');
sleep 0.5;
$client->send('and');
is eval { $client->read_bytes(3, 'echo') } // $@, 'AND', 'a stop lets it go on for a while';
isnt $client->end(8), 'open', '... and cuts it when shutdown.grace is over';
within 1.5, 5, time - $start, '... in that time';
ok $server->wait_end(5), 'and it has ended';

finish;
