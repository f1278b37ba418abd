# Through the proxy: what the upstream is told, what the client gets back, and the fields that belong to one hop only.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream(name => 'one');
my $socket = upstream(name => 'socket', path => temp_dir() . '/app.sock');
my $port = free_port();
my $to = 'http://127.0.0.1:' . $upstream->port;
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
upstreams:
  named: {servers: ["$to"]}
  local: {servers: ["unix:@{[$socket->path]}"]}
  base: {servers: ["$to/echo"]}
routes:
  - match: {path: /named/*}
    proxy: {to: named, strip_prefix: /named}
  - match: {path: /socket/*}
    proxy: {to: local, strip_prefix: /socket}
  - match: {path: "/users/{id}/x"}
    proxy: {to: named, path: "/echo?id={id}&from={client_ip}"}
  - match: {path: /fields}
    proxy:
      to: named
      path: /echo
      set_headers: {X-Set: "{method} {host}", X-Two: "new", Host: "inner.test"}
      remove_headers: [X-Three, User-Agent]
  - proxy: $to
END

sub echo
{
	my ($target, %options) = @_;
	my $response = request($port, $options{method} // 'GET', $target, %options);
	return $response->status == 200 ? $response->json : { status => $response->status };
}

# -- the request --
my $seen = echo('/echo?a=b&c=%20', headers => ['X-One' => '1', 'X-Two' => '2', 'x-one' => '3', 'X-Empty' => '']);
is $seen->{method}, 'GET', 'the method';
is $seen->{target}, '/echo?a=b&c=%20', 'path and query as they came';
is $seen->{version}, '1.1', 'HTTP/1.1';
is $seen->{header}{'x-two'}, 2, 'fields';
is $seen->{header}{'x-one'}, '1, 3', '... of one name, in order';
is $seen->{header}{'x-empty'}, '', '... an empty one';
is scalar(grep { lc $_->[0] eq 'host' } @{$seen->{headers}}), 1, 'one Host';
is echo('/echo', host => 'shop.test:81')->{header}{host}, 'shop.test:81', 'Host is what the client asked for';
is echo('/other/../echo')->{target}, '/echo', 'the path in its normal form';
is echo('/named/echo?x')->{target}, '/echo?x', 'strip_prefix';
is echo('/socket/echo')->{target}, '/echo', 'over a unix socket';
is echo('/users/a%20b/x')->{target}, '/echo?id=a%20b&from=127.0.0.1', 'path by a template';
is echo('/users/a&from=b%2Fc/x')->{target}, '/echo?id=a%26from%3Db%2Fc&from=127.0.0.1', "... where a value is one value";
is echo('http://abs.test/echo?y', host => 'abs.test')->{target}, '/echo?y', 'absolute-form becomes origin-form';
is echo('/echo', method => 'BREW')->{method}, 'BREW', 'any method';
is echo('/echo', method => 'POST', body => 'x' x 300000)->{body_size}, 300000, 'content';
$seen = echo('/fields', headers => ['X-Two' => 'old', 'X-Three' => '3', 'User-Agent' => 'me'], host => 'a.test');
is $seen->{header}{'x-set'}, 'GET a.test', 'set_headers';
is $seen->{header}{'x-two'}, 'new', '... in the place of what came';
is $seen->{header}{host}, 'inner.test', '... also Host';
is $seen->{header}{'x-three'}, undef, 'remove_headers';
is $seen->{header}{'user-agent'}, undef, '... another';

is echo('/echo', headers => ['Proxy' => 'http://evil.test'])->{header}{proxy}, undef, 'Proxy is nobody\'s to set';

my $trace = request($port, 'TRACE', '/echo');
is $trace->status, 405, 'TRACE goes nowhere';
like $trace->header('allow'), qr/GET/, '... and hears what does';

# -- fields of one hop --
$seen = echo('/echo', headers => [
	'Connection' => 'close, X-Mine', 'X-Mine' => '1', 'Keep-Alive' => 'timeout=5', 'Proxy-Connection' => 'keep-alive',
	'TE' => 'gzip', 'Upgrade' => 'h2c', 'Proxy-Authorization' => 'Basic eDp5', 'HTTP2-Settings' => 'x', 'X-Kept' => '1',
])->{header};
is $seen->{$_}, undef, "to the upstream: no $_" for qw(x-mine keep-alive proxy-connection upgrade http2-settings);
unlike $seen->{connection} // '', qr/close|x-mine/i, '... nor Connection as it came';
unlike $seen->{te} // '', qr/gzip/, '... nor TE beyond trailers';
is $seen->{'x-kept'}, 1, '... but others';
$seen = echo('/echo', headers => ['Connection' => 'Content-Length, Host, Transfer-Encoding', 'X' => 'y'], method => 'POST',
    body => 'framed');
is $seen->{body}, 'framed', 'Connection cannot take the framing away' if $seen->{body} || !$seen->{status};
is $seen->{status}, 400, 'Connection cannot take the framing away' if $seen->{status};

my $response = get($port, '/raw/' . unpack 'H*', join "\r\n", 'HTTP/1.1 200 OK', 'Content-Length: 2', 'Connection: X-Hop',
    'X-Hop: 1', 'Keep-Alive: timeout=5', 'Proxy-Authenticate: x', 'Upgrade: h2c', 'X-End: 1', 'Server: theirs',
    'Date: Sun, 13 Sep 2020 12:26:40 GMT', '', 'ok');
is $response->status, 200, 'an answer with fields of its hop';
is $response->header($_), undef, "to the client: no $_" for qw(x-hop keep-alive upgrade);
is $response->header('x-end'), 1, '... but others';
is $response->header('date'), 'Sun, 13 Sep 2020 12:26:40 GMT', 'the Date of the upstream is kept';
is scalar(() = $response->all('date')), 1, '... the only one';
is scalar(my @cookies = get($port, '/cookies')->all('set-cookie')), 2, 'Set-Cookie is never joined';
like get($port, '/bytes/1')->header('via') // '', qr/1\.1 /, 'Via, back to the client';

# -- the answer --
$response = get($port, '/bytes/1234');
is length $response->body, 1234, 'content with a length';
is $response->header('content-length'), 1234, '... keeps it';
is get($port, "/status/$_")->status, $_, "status $_" for 200, 201, 301, 400, 404, 500, 503, 599;
is get($port, '/redirect')->header('location'), '/echo', 'Location is passed as it is';
$response = get($port, '/early-hints');
is join(' ', map { $_->status } $response->interim), '103', '103 is passed';
is +($response->interim)[0]->header('link'), '</style.css>; rel=preload', '... with its fields';
is $response->status, 200, '... before the answer';
my $client = connect_to($port);
$client->request('GET', '/early-hints', version => '1.0');
is scalar(() = $client->read_response->interim), 0, 'HTTP/1.0 gets no 103';
is scalar(() = get($port, '/continue')->interim), 0, 'a 100 nobody asked for is not passed';
is get($port, '/continue')->body, "continued\n", '... and what follows is the answer';
$client = connect_to($port);
$client->request('POST', '/early-200', headers => ['Content-Length' => 10]);
is $client->read_response->body, "early\n", 'an answer before the content';
$client->send('0123456789');
is $client->end(0.3), 'open', '... the content still goes up';
is $client->fetch('GET', '/bytes/1')->status, 200, '... and the connection lives on';
$client->close;
$client = connect_to($port);
$client->request('POST', '/early-413', headers => ['Content-Length' => 50_000_000]);
$client->send_some('x' x 65536) for 1 .. 20;
is $client->read_response->status, 413, 'a refusal before the content';
$client->close;

# -- connections are kept --
$upstream->forget;
$client = connect_to($port);
my %connection;
$connection{$client->fetch('GET', '/bytes/10')->header('x-connection')}++ for 1 .. 20;
is scalar keys %connection, 1, 'one connection of the agent serves twenty requests';
$client->close;
$connection{get($port, '/bytes/10')->header('x-connection')}++ for 1 .. 20;
cmp_ok scalar keys %connection, '<=', 2, '... of any client, one a worker';
is get($port, '/status/404')->header('x-connection') =~ /\d/, 1, '... after an error';
get($port, '/until-close/10');
is get($port, '/bytes/10')->status, 200, '... and after an answer that ended one';

# -- upstreams in the log and in status --
ok $server->wait_log(msg => 'request', path => '/bytes/1234', upstream => '127.0.0.1:' . $upstream->port, status => 200),
    'the log names the server';

finish;
