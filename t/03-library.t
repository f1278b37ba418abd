# once
# The test library itself: its client against its own upstream, without reeve. What fails here makes every scenario doubtful.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream(name => 'one');
my $port = $upstream->port;

isnt free_port(), free_port(), 'ports are dealt once';

my $response = request($port, 'POST', '/echo?a=b', headers => ['X-One' => '1', 'X-Two' => '2'], body => 'hello');
is $response->status, 200, 'a status';
is $response->header('content-type'), 'application/json', 'a field';
my $echo = $response->json;
is $echo->{method}, 'POST', 'the method arrives';
is $echo->{target}, '/echo?a=b', 'the target arrives';
is $echo->{header}{'x-two'}, 2, 'fields arrive';
is $echo->{body}, 'hello', 'the body arrives';

my $client = connect_to($port);
$client->request('GET', '/bytes/5');
$client->request('GET', '/chunked/2500/1000');
$client->request('POST', '/echo', body => ['one', 'two'], chunked => 1, trailers => "X-Sum: 7\r\n");
is $client->read_response->body, '0000000'  =~ s/..$//r, 'pipelined: first';
my $chunked = $client->read_response;
is length $chunked->body, 2500, 'pipelined: second, in chunks';
is_deeply $chunked->chunks, [1000, 1000, 500], 'chunks are told';
my $third = $client->read_response->json;
is $third->{body}, 'onetwo', 'chunks arrive';
is $third->{trailers}[0][1], 7, 'trailers arrive';
is $client->end(0.1), 'open', 'the connection stays open';
$client->close;

is get($port, '/trailers')->trailer('x-checksum'), 1234, 'trailers come back';
is join(' ', map { $_->status } get($port, '/early-hints')->interim), 103, 'interim responses are kept';
ok get($port, '/until-close/20000')->until_close, 'a body until close';
is request($port, 'HEAD', '/bytes/100')->header('content-length'), 100, 'HEAD has a length and no body';
is get($port, '/status/204')->status, 204, 'no content';
is scalar(my @cookies = get($port, '/cookies')->all('set-cookie')), 2, 'fields of one name stay apart';

ok !eval { get($port, '/close-early'); 1 }, 'a body that ends early dies';
like $@, qr/^closed while reading body/, '... and says so';
ok !eval { get($port, '/reset'); 1 }, 'a reset dies';
like $@, qr/^reset while reading/, '... and says so';
is exchange($port, "GET /raw/6162630a HTTP/1.1\r\nHost: x\r\n\r\n"), "abc\n", 'raw bytes';

$client = connect_to($port);
$client->send("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n");
is $client->read_response->status, 101, 'an upgrade';
$client->send('abc');
is $client->read_bytes(9, 'echo'), 'HELLO ABC', '... and bytes both ways';
$client->close;

is join(' ', map { get($port, '/flaky/x/2/503')->status } 1 .. 3), '503 503 200', 'flaky';
my $start = time;
is get($port, '/delay/0.3')->status, 200, 'delayed';
within 0.3, 2, time - $start, '... by as much';

$upstream->set_health(503);
is get($port, '/health')->status, 503, 'health can be set';
is scalar(my @checks = $upstream->health_checks), 1, 'health checks are counted apart';
cmp_ok $upstream->connections, '>', 10, 'connections are counted';
is scalar(grep { $_->{target} eq '/delay/0.3' } $upstream->requests), 1, 'requests are kept';

$upstream->stop;
ok !eval { connect_to($port) }, 'stopped: refused';
$upstream->open;
is get($port, '/bytes/1')->status, 200, 'opened again';
my $limited = upstream(max_requests => 2);
$client = connect_to($limited->port);
is $client->fetch('GET', '/bytes/1')->status, 200, 'first of two';
is $client->fetch('GET', '/bytes/1')->status, 200, 'second of two';
is $client->end, 'closed', 'then closed';

my $socket = upstream(path => temp_dir() . '/u.sock');
is connect_to(path => $socket->path)->fetch('GET', '/bytes/3')->body, '000', 'over a unix socket';

# A server of another kind tries the life of a Reeve::Server: start, signals, what is left.
my $server = Reeve::Server->new(config => '', raw => 1, wait => 0, args => ['x']);
{
	no warnings 'redefine';
	my $script = write_file("$server->{dir}/fake", "#!/bin/sh\necho '{\"msg\":\"started\",\"a\":1}' >&2\n" .
	    "trap 'exit 0' TERM\nsleep 100 & wait\n");
	chmod 0755, $script;
	local *Reeve::Server::binary = sub { $script };
	$server->start;
}
ok $server->wait_log(msg => qr/^start/, a => 1), 'log records are found';
ok !$server->find_log(msg => 'started', a => 2), '... and only those that fit';
ok eventually(5, sub { 2 == (my @all = $server->processes) }), 'its processes are known';
$server->signal('TERM');
ok $server->wait_end(5), 'it ends';
is $server->exit_code, 0, '... with its exit code';
is scalar(my @left = $server->processes_left(0.2)), 1, 'a process that is left is found';
kill KILL => @left;
ok eventually(3, sub { !$server->processes }), '... and then gone';

finish;
