# Requests over HTTP/2, in the clear and over TLS: every kind of message both ways, and what the upstream and the log are
# told about them.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::H2;

my $upstream = upstream(on => { '/wide' => sub {
	my ($connection) = @_;
	$connection->answer(200, 'wide', map { ("X-Wide-$_" => 'y' x 6000) } 1 .. 4);
} });
my ($port, $tls_port) = (free_port(), free_port());
my $root = temp_dir();
my $text = join '', map { "line $_\n" } 1 .. 200;
write_file("$root/a.txt", $text);
write_file("$root/empty", '');
my $site = Reeve::Certificates->new->issue('a.test');
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", protocols: [h2c, http/1.1]}
  - {address: "127.0.0.1:$tls_port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}}
limits: {header_size: 16K, header_count: 50, uri_size: 2K}
routes:
  - match: {path: /files/*}
    files: {root: $root, strip_prefix: /files}
  - match: {path: /told}
    respond: "{scheme} {host} {method} {path} {query}"
  - body: {max_size: 10M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END

my $h2 = Reeve::H2->connect(port => $port);

# -- methods --
for my $method (qw(GET POST PUT PATCH DELETE PURGE)) {
	my $echo = $h2->fetch($method, '/echo?a=b')->json;
	is "$echo->{method} $echo->{target} $echo->{version}", "$method /echo?a=b 1.1", "$method, to the upstream";
	is $echo->{header}{'transfer-encoding'}, undef, '... without content, and no chunks';
}
is $h2->fetch('OPTIONS', '/echo')->json->{method}, 'OPTIONS', 'OPTIONS';
my $response = $h2->fetch('HEAD', '/bytes/1234');
is $response->status, 200, 'HEAD';
is $response->header('content-length'), 1234, '... has the length';
is $response->body, '', '... and no content';
is $h2->fetch('TRACE', '/echo')->status, 405, 'TRACE goes nowhere';

# -- content, both ways --
my $body = join '', map { chr } 0 .. 255;
my $echo = $h2->fetch('POST', '/echo', body => 'hello', headers => ['content-length' => 5])->json;
is $echo->{body}, 'hello', 'content with a length';
is $echo->{header}{'content-length'}, 5, '... keeps it';
$echo = $h2->fetch('POST', '/echo', body => 'hello')->json;
is $echo->{body}, 'hello', 'content without a length';
is $echo->{header}{'transfer-encoding'}, 'chunked', '... is chunked to the upstream';
is $h2->fetch('POST', '/echo', body => '')->json->{body}, '', 'content of no bytes';
is $h2->fetch('GET', '/echo', body => 'hello')->json->{body}, 'hello', 'content with a GET';
is $h2->fetch('GET', '/status/204')->status, 204, 'no content: 204';
is $h2->fetch('GET', '/status/304')->status, 304, 'not modified: 304';
is length $h2->fetch('GET', $_)->body, 100_000, $_ for '/bytes/100000', '/chunked/100000', '/until-close/100000';
is $h2->fetch('GET', '/bytes/0')->body, '', 'no content';
is $h2->fetch('GET', '/chunked/5')->header('transfer-encoding'), undef, 'chunks end at the upstream';
my $id = $h2->request('POST', '/echo', open => 1);
for my $piece (split //, 'piecemeal') {
	$h2->send_data($id, $piece);
	sleep 0.005;
}
$h2->send_data($id, '', end => 1);
is $h2->response($id)->json->{body}, 'piecemeal', 'byte by byte';
is $h2->outcome($h2->request('POST', '/echo', body => 'x' x 300_000, headers => ['content-length' => 11_000_000])), 'status 413',
    'more than body.max_size, by its length: 413';
$id = $h2->request('POST', '/echo', open => 1);
$h2->send_content($id, 'x' x 10_600_000);
like $h2->outcome($id), qr/^status 413|^reset/, '... and by its content';
is $h2->fetch('GET', '/told')->status, 200, '... and the connection goes on';

# -- trailers --
$echo = $h2->fetch('POST', '/echo', body => 'hello', trailers => ['x-sum' => '7', 'x-other' => 'y'])->json;
is_deeply $echo->{trailers}, [['x-sum', 7], ['x-other', 'y']], 'trailers go to the upstream';
$echo = $h2->fetch('POST', '/echo', trailers => ['x-sum' => '7'])->json;
is_deeply $echo->{trailers}, [['x-sum', 7]], '... also without content';
$echo = $h2->fetch('POST', '/echo', body => 'hello', trailers => ['x-sum' => 1, 'content-length' => 9, host => 'b',
    authorization => 'x',
    cookie => 'a=b', 'content-type' => 'x', 'x-last' => 2])->json;
is_deeply [map { $_->[0] } @{$echo->{trailers}}], ['x-sum', 'x-last'], '... none that frames, routes or identifies';
is $h2->fetch('GET', '/trailers')->trailer('x-checksum'), 1234, 'trailers come from the upstream';
is $h2->fetch('GET', '/trailers')->body, "with trailers\n", '... behind the content';

# -- interim responses --
$id = $h2->request('POST', '/echo', headers => [expect => '100-continue'], open => 1);
my $stream = $h2->stream($id);
ok $h2->wait_until(5, sub { @{$stream->{interim}} }), 'Expect: 100-continue is answered';
is $stream->{interim}[0]->status, 100, '... with 100';
$h2->send_data($id, 'now', end => 1);
$response = $h2->response($id);
is $response->json->{body}, 'now', '... and the content follows';
is scalar(@{$stream->{interim}}), 1, '... once';
$response = $h2->fetch('POST', '/echo', headers => [expect => '100-continue'], body => 'at once');
is $response->json->{body}, 'at once', '... also when the client does not wait';
is $h2->fetch('GET', '/told', headers => [expect => 'else'])->status, 417, 'another expectation: 417';
$response = $h2->fetch('GET', '/early-hints');
is join(' ', map { $_->status } $response->interim), '103', '103 is passed';
is +($response->interim)[0]->header('link'), '</style.css>; rel=preload', '... with its fields';
is scalar(() = $h2->fetch('GET', '/continue')->interim), 0, 'a 100 nobody asked for is not';
is scalar(my @cookies = $h2->fetch('GET', '/cookies')->all('set-cookie')), 2, 'Set-Cookie is never joined';

# -- what an upstream does wrong --
is $h2->outcome($h2->request('GET', '/close')), 'status 502', 'an upstream that closes: 502';
like $h2->outcome($h2->request('GET', '/close-early')), qr/^reset (?:INTERNAL_ERROR|CANCEL)\z/,
    '... early in its content: the stream is reset';
like $h2->outcome($h2->request('GET', '/chunked-early')), qr/^reset (?:INTERNAL_ERROR|CANCEL)\z/, '... inside a chunk';
$response = $h2->fetch('GET', '/raw/' . unpack 'H*', join "\r\n", 'HTTP/1.1 200 OK', 'Content-Length: 2', 'Connection: X-Hop',
    'X-Hop: 1',
    'Keep-Alive: timeout=5', 'Proxy-Connection: x', 'Upgrade: h2c', 'X-UPPER: 1', 'X-Spaces:   two   ', '', 'ok');
is $response->body, 'ok', 'an answer with fields of HTTP/1.1';
is $response->header($_), undef, "... without $_" for qw(x-hop keep-alive upgrade connection proxy-connection);
is $response->header('x-upper'), 1, '... others in lower case';
is $response->header('x-spaces'), 'two', '... and trimmed';
is $h2->fetch('GET', '/told')->status, 200, 'after all that the connection goes on';

$response = $h2->fetch('GET', '/wide');
is $response->status, 200, 'a head that needs more than one frame';
is length $response->header("x-wide-$_"), 6000, '... all of it' for 1 .. 4;

# -- files --
$response = $h2->fetch('GET', '/files/a.txt');
is $response->body, $text, 'a file';
my ($etag, $date) = map { $response->header($_) } qw(etag last-modified);
is $h2->fetch('HEAD', '/files/a.txt')->header('content-length'), length $text, '... its HEAD';
is $h2->fetch('GET', '/files/empty')->body, '', '... an empty one';
$response = $h2->fetch('GET', '/files/a.txt', headers => [range => 'bytes=5-9']);
is $response->status, 206, 'a part';
is $response->body, substr($text, 5, 5), '... its content';
is $response->header('content-range'), 'bytes 5-9/' . length $text, '... and place';
is $h2->fetch('GET', '/files/a.txt', headers => [range => 'bytes=999999-'])->status, 416, '... behind the end: 416';
is $h2->fetch('GET', '/files/a.txt', headers => ['if-none-match' => $etag])->status, 304, 'not modified, by tag';
is $h2->fetch('GET', '/files/a.txt', headers => ['if-modified-since' => $date])->status, 304, '... by date';
is $h2->fetch('GET', '/files/none')->status, 404, 'none';

# -- limits of heads --
is $h2->fetch('GET', '/told', headers => ['x-large' => 'y' x 20_000])->status, 431, 'a field too large: 431';
is $h2->fetch('GET', '/told', headers => [map { ("x-$_" => 1) } 1 .. 60])->status, 431, 'too many fields: 431';
is $h2->fetch('GET', '/' . 'y' x 3000)->status, 414, 'a target too long: 414';
is $h2->fetch('POST', '/told', headers => ['x-large' => 'y' x 20_000], body => 'x' x 1000)->status, 431, '... with content';
is $h2->fetch('GET', '/told', headers => ['x-large' => 'y' x 10_000, map { ("x-$_" => 1) } 1 .. 30])->status, 200,
    'just within them: 200';
is $h2->fetch('GET', '/echo', headers => [cookie => 'a=b', map { (cookie => "c$_=d") } 1 .. 100])->status, 200,
    'a cookie\'s crumbs count as one field';

# -- many at once --
my @ids = map { $h2->request('GET', "/delay/0.0$_") } reverse 1 .. 9;
push @ids, map { $h2->request('GET', '/told?' . $_) } 1 .. 30;
is_deeply [map { $h2->outcome($_) } @ids], [('status 200') x 39], 'many at once, slow ones and quick ones';
my @ends = map { $_->{stream} } grep { $_->{type} eq 'DATA' && $_->{flags} & 1 && grep { $_ } $_->{stream} >= $ids[0] } $h2->frames;
cmp_ok $ends[0], '>=', $ids[9], '... the quick ones first';
is $h2->response($ids[9 + 4])->body, 'http 127.0.0.1 GET /told 5', '... each its own';
$h2->close;

# -- the client goes away --
my $gone = Reeve::H2->connect(port => $port);
$upstream->forget;
$gone->request('GET', '/slow/1000/0.05');
$gone->head(1);
$gone->close;
ok eventually(5, sub { $upstream->closed }), 'a client that goes away: the upstream is told';
ok $server->wait_log(msg => 'request', path => '/slow/1000/0.05'), '... and the log';

# -- who and how, told to the upstream and the log --
for my $tls (0, 1) {
	my ($scheme, $name) = $tls ? ('https', 'TLS') : ('http', 'in the clear');
	my $h2 = Reeve::H2->connect(port => $tls ? $tls_port : $port, tls => $tls && { name => 'a.test' });
	is $h2->fetch('GET', '/told?x=y', authority => 'a.test')->body, "$scheme a.test GET /told x=y", "$name: templates";
	my $told = $h2->fetch('GET', '/echo', authority => 'a.test')->json->{header};
	is $told->{host}, 'a.test', '... Host';
	is $told->{'x-forwarded-proto'}, $scheme, '... X-Forwarded-Proto';
	is $told->{'x-forwarded-for'}, '127.0.0.1', '... X-Forwarded-For';
	is $told->{'x-forwarded-host'}, 'a.test', '... X-Forwarded-Host';
	like $told->{forwarded}, qr/proto=$scheme/, '... Forwarded';
	like $told->{via}, qr/^2(?:\.0)? /, '... Via';
	is $h2->fetch('GET', '/told', authority => 'a.test', scheme => $tls ? 'http' : 'https')->body =~ s/ .*//sr, $scheme,
	    '... the scheme is what it is, not what :scheme says';
	$h2->fetch('GET', "/echo?logged=$tls", headers => ['user-agent' => 'frames'], authority => 'a.test', body => 'four');
	my $record = $server->wait_log(msg => 'request', path => '/echo', user_agent => 'frames', $tls ? (tls => qr/./) :
	    (tls => undef));
	is $record->{protocol}, 'HTTP/2', '... the log: the protocol' or diag explain $record;
	like $record->{tls}, qr/^TLSv1\.3\z/, '... and TLS\'s version' if $tls;
	is $record->{status}, 200, '... the status';
	is $record->{bytes_in}, 4, '... bytes in';
	cmp_ok $record->{bytes_out}, '>', 100, '... bytes out';
	is $record->{client_ip}, '127.0.0.1', '... the client';
	$h2->close;
}
is get($port, '/told')->body, 'http 127.0.0.1 GET /told ', 'HTTP/1.1 beside it';

finish;
