# The life of an HTTP/1 connection: keep-alive, pipelining, old clients, messages without content, Expect, trailers,
# chunks both ways, and what happens to those who are slow or want too much.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my ($port, $strict) = (free_port(), free_port());
my $to = 'http://127.0.0.1:' . $upstream->port;
my $routes = <<"END";
routes:
  - match: {path: /none}
    respond: {status: 204}
  - match: {path: /unchanged}
    respond: {status: 304}
  - match: {path: /own}
    body: {max_size: 10G}
    respond: "own {path}?{query}"
  - match: {path: /small/*}
    body: {max_size: 1K}
    proxy: {to: "$to", strip_prefix: /small}
  - body: {max_size: 10M}
    proxy: $to
END
my $server = start("listen: [{address: \"127.0.0.1:$port\"}]\n$routes");

# -- keep-alive --
my $client = connect_to($port);
for my $round (1 .. 3) {
	is $client->fetch('GET', "/own?$round")->body, "own /own?$round", "request $round on one connection";
}
my $response = $client->fetch('GET', '/own', headers => [Connection => 'close']);
is $response->header('connection'), 'close', 'Connection: close is answered with the same';
is $client->end, 'closed', '... and done';
$client = connect_to($port);
$client->fetch('GET', '/own', headers => [Connection => 'Keep-Alive, CLOSE']);
is $client->end, 'closed', 'close counts anywhere in the list and in any case';

# -- dates --
like get($port, '/own')->header('date'), qr/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, 'a Date';

# -- HTTP/1.0 --
$client = connect_to($port);
$client->request('GET', '/own', version => '1.0');
$response = $client->read_response;
is $response->status, 200, 'HTTP/1.0';
is $client->end, 'closed', '... is closed behind the answer';
$client = connect_to($port);
$client->send("GET /own HTTP/1.0\r\n\r\n");
is $client->read_response->status, 200, 'HTTP/1.0 without Host';
$client = connect_to($port);
$client->request('GET', '/own', version => '1.0', headers => [Connection => 'keep-alive']);
$response = $client->read_response;
is lc($response->header('connection') // ''), 'keep-alive', 'HTTP/1.0 with keep-alive is told so';
is $client->fetch('GET', '/own', version => '1.0')->status, 200, '... and served again';
is $client->end, 'closed', '... until it no longer asks';
$client = connect_to($port);
$client->request('GET', '/chunked/3000', version => '1.0', headers => [Connection => 'keep-alive']);
$response = $client->read_response;
is $response->header('transfer-encoding'), undef, 'HTTP/1.0 never gets chunks';
is length $response->body, 3000, '... but all of the content';
ok $response->until_close, '... up to the end of the connection';

# -- pipelining --
$client = connect_to($port);
$client->send(join '', map { $client->request_bytes('GET', "/own?$_") } 1 .. 50);
is join(' ', map { $client->read_response->body } 1 .. 50), join(' ', map { "own /own?$_" } 1 .. 50), 'pipelined: in order';
$client->send(join '', map { $client->request_bytes('GET', $_) } '/delay/0.3', '/own?fast', '/bytes/9', '/own?last');
is join(' ', map { $client->read_response->body } 1 .. 4), "after 0.3\n own /own?fast 0000000,0 own /own?last",
    'pipelined: a slow one is waited for';
$client->send(join '', map { $client->request_bytes('POST', '/echo', body => "body $_") } 1 .. 5);
is join(' ', map { $client->read_response->json->{body} } 1 .. 5), join(' ', map { "body $_" } 1 .. 5),
    'pipelined: with content';
$client->send($client->request_bytes('GET', '/own?1', close => 1) . $client->request_bytes('GET', '/own?2'));
$client->read_response;
isnt $client->end, 'open', 'behind Connection: close nothing is answered';
is $client->buffered, '', '... nothing at all';

# Byte by byte, and cut anywhere.
$client = connect_to($port);
my $bytes = $client->request_bytes('POST', '/echo', body => 'cut') . $client->request_bytes('GET', '/own?x');
for my $byte (split //, $bytes) {
	$client->send($byte);
	sleep 0.002;
}
is $client->read_response->json->{body}, 'cut', 'byte by byte: content';
is $client->read_response->body, 'own /own?x', 'byte by byte: the next';
$client->close;

# -- messages without content --
$client = connect_to($port);
my $length = $client->fetch('GET', '/own')->header('content-length');
$response = $client->fetch('HEAD', '/own');
is $response->header('content-length'), $length, 'HEAD tells the length';
is $client->fetch('GET', '/own')->status, 200, '... and sends nothing else';
is $client->fetch('HEAD', '/bytes/1000')->header('content-length'), 1000, 'HEAD through the proxy';
is $client->fetch('HEAD', '/chunked/1000')->status, 200, 'HEAD of a chunked response';
$response = $client->fetch('GET', '/none');
is $response->status, 204, 'no content';
is $response->header('content-length'), undef, '... has no length';
is $response->header('transfer-encoding'), undef, '... and no coding';
is $client->fetch('GET', '/unchanged')->status, 304, 'not modified';
is $client->fetch('GET', '/status/204')->status, 204, '204 through the proxy';
is $client->fetch('GET', '/status/304')->status, 304, '304 through the proxy';
is $client->fetch('GET', '/own')->status, 200, 'the connection lives on';
$client->close;

# -- chunks --
$client = connect_to($port);
$response = $client->fetch('GET', '/chunked/200000/777');
is length $response->body, 200000, 'chunks come back whole';
is $response->header('content-length'), undef, '... without a length';
$response = $client->fetch('GET', '/until-close/100000');
is length $response->body, 100000, 'content until close, of the upstream, comes whole';
is lc($response->header('transfer-encoding') // ''), 'chunked', '... in chunks';
is $client->fetch('GET', '/own')->status, 200, '... and our connection lives on';
$response = $client->fetch('POST', '/echo', body => ['a' x 1000, 'b' x 50000, 'c'], chunked => 1);
is $response->json->{body_size}, 51001, 'chunks go up whole';
$response = $client->fetch('POST', '/echo', body => ['abc'], chunked => 1, trailers => "X-Sum: 7\r\nContent-Length: 9\r\n");
is_deeply $response->json->{trailers}, [['X-Sum', '7']], 'trailers go up, but none that frames'
    or diag explain $response->json->{trailers};
$response = $client->fetch('GET', '/trailers', headers => [TE => 'trailers']);
is $response->trailer('x-checksum'), '1234', 'trailers come back';
is $client->fetch('POST', '/echo', body => '')->json->{body_size}, 0, 'content of no bytes';
$client->close;

# -- Expect: 100-continue --
$client = connect_to($port);
$client->request('POST', '/echo', headers => [Expect => '100-continue', 'Content-Length' => 5]);
like $client->read_line('interim'), qr{^HTTP/1\.1 100 }, 'Expect: 100 comes before the content';
$client->read_fields('interim');
$client->send('hello');
is $client->read_response->json->{body}, 'hello', '... then the answer';
$client->request('POST', '/echo', headers => [Expect => '100-Continue'], body => 'at once');
is $client->read_response->json->{body}, 'at once', 'Expect: content that did not wait';
$client->close;
$client = connect_to($port);
$client->request('POST', '/small/echo', headers => [Expect => '100-continue', 'Content-Length' => 5000]);
$response = $client->read_response;
is $response->status, 413, 'Expect: a refusal comes without the content';
is scalar(() = $response->interim), 0, '... and without 100';
$client->close;
$client = connect_to($port);
$client->request('POST', '/echo', version => '1.0', headers => [Expect => '100-continue'], body => 'old');
$response = $client->read_response;
is scalar(() = $response->interim), 0, 'HTTP/1.0 gets no 100';
is $response->json->{body}, 'old', '... but its answer';
$client->close;

# -- content nobody wants --
$client = connect_to($port);
is $client->fetch('POST', '/own', body => 'x' x 10000)->status, 200, 'unwanted content is read';
is $client->fetch('GET', '/own')->status, 200, '... and the connection kept';
is $client->fetch('POST', '/own', body => ['x' x 1000, 'y' x 1000], chunked => 1)->status, 200, 'also chunked';
is $client->fetch('GET', '/own')->status, 200, '... and kept';
$client->close;
$client = connect_to($port);
$client->request('POST', '/own', headers => ['Content-Length' => 1000000000]);
is $client->read_response->status, 200, 'a gigabyte nobody wants: answered';
$client->send_some('x' x 65536) for 1 .. 200;
ok eventually(10, sub { $client->end(0.1) ne 'open' }), '... and not read';
$client->close;

# -- content too large --
$client = connect_to($port);
$client->request('POST', '/small/echo', body => 'x' x 1024);
is $client->read_response->json->{body_size}, 1024, 'content of the size allowed';
is $client->fetch('POST', '/small/echo', body => 'x' x 1025)->status, 413, 'a byte more: 413';
$client->close;
$client = connect_to($port);
$client->request('POST', '/small/echo', body => ['x' x 1000, 'y' x 1000], chunked => 1);
is $client->read_response->status, 413, 'in chunks: 413';
$client->close;

# -- clients that leave --
$client = connect_to($port);
$client->request('GET', '/own');
$client->shutdown_write;
is $client->read_response->status, 200, 'a client that has finished sending is answered';
is $client->end, 'closed', '... and closed';
$client = connect_to($port);
$client->send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
$client->shutdown_write;
my $rest = $client->read_to_end;
unlike $rest, qr{^HTTP/1.1 2}, 'content that ends too early is no success';
$client = connect_to($port);
$client->request('GET', '/delay/5');
sleep 0.2;
$client->reset;
ok eventually(3, sub { $upstream->connections - $upstream->closed < 10 }), 'a client that goes away is let go';

# -- limits in time and number --
my $limited = start("listen: [{address: \"127.0.0.1:$strict\"}]\n$routes" . <<'END');
limits:
  header_timeout: 700ms
  body_timeout: 700ms
  send_timeout: 1s
  keepalive_timeout: 1500ms
  keepalive_requests: 3
END
my $start = time;
$client = connect_to($strict);
$client->send("GET /own HTTP/1.1\r\nHost: a\r\nX: ");
is $client->read_response->status, 408, 'a head that does not end: 408';
within 0.6, 2, time - $start, '... in the time configured';
is $client->end, 'closed', '... and closed';
$start = time;
$client = connect_to($strict);
my $trickled = 0;
for (1 .. 40) {
	last if $client->wait_readable(0.1);
	$client->send('G') and $trickled++;
}
is eval { $client->read_response->status }, 408, 'a byte now and then does not help';
within 0.6, 2.5, time - $start, '... the time counts from the first';
$client->close;
$start = time;
$client = connect_to($strict);
$client->request('POST', '/echo', headers => ['Content-Length' => 10]);
$client->send('half');
is $client->read_response->status, 408, 'content that does not come: 408';
within 0.6, 2.5, time - $start, '... in the time configured';
is $client->end, 'closed', '... and closed';
$client = connect_to($strict);
$client->request('POST', '/echo', headers => ['Content-Length' => 5]);
for my $byte (split //, 'hello') {
	sleep 0.3;
	$client->send($byte);
}
is $client->read_response->json->{body}, 'hello', 'content that comes slowly, but comes';
$client->close;
$client = connect_to($strict);
$client->fetch('GET', '/own');
$start = time;
is $client->end(10), 'closed', 'an idle connection is closed';
within 1.3, 3, time - $start, '... after keepalive_timeout';
is $client->buffered, '', '... without a word';
$client = connect_to($strict);
$start = time;
isnt $client->end(10), 'open', 'a connection on which nothing comes is closed';
within 0.6, 3, time - $start, '... in time';
$client = connect_to($strict);
is join(' ', map { $client->fetch('GET', '/own')->header('connection') // '-' } 1 .. 3), '- - close',
    'keepalive_requests: the last says so';
is $client->end, 'closed', '... and is the last';
$client = connect_to(port => $strict, receive_buffer => 4096);
$client->request('GET', '/bytes/30000000');
$start = time;
sleep 0.1 until time - $start > 3.5;
my $got = length $client->read_to_end;
cmp_ok $got, '<', 30000000, 'a client that does not read is cut off after send_timeout';
$client = connect_to(port => $strict, receive_buffer => 65536);
$client->request('GET', '/bytes/3000000');
my $read = 0;
$start = time;
while ((my $piece = $client->read_some(65536, 5)) ne '') {
	$read += length $piece;
	last if $read > 3000000;
	sleep 0.05;
}
cmp_ok $read, '>', 3000000, 'one that reads slowly gets all';
$client->close;

finish;
