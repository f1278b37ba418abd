# Upstreams that are down, hang, lie, close early or talk nonsense: 502, 503 or 504 in the time configured, the reason in
# the log, and no socket used again after something that broke framing.
use lib 't/lib';
use Reeve::Test;

# Nonsense: [name, bytes]; each 502, and the next request gets its own answer --
my $ok = "HTTP/1.1 200 OK\r\n";
my @nonsense = (
	['noise', "\x00\x01\x02noise\r\n\r\n"],
	['HTML without a head', "<html>hello</html>\r\n\r\n"],
	['another protocol', "220 mail ESMTP\r\n\r\n"],
	['a version that is none', "HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\nok"],
	['lower case', "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
	['no status', "HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok"],
	['status 99', "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"],
	['status 2000', "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"],
	['bare LF', "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"],
	['bare CR in a value', "${ok}X: a\rb\r\nContent-Length: 2\r\n\r\nok"],
	['a folded field', "${ok}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"],
	['space before the colon', "${ok}Content-Length : 2\r\n\r\nok"],
	['a field without a colon', "${ok}Hello\r\nContent-Length: 2\r\n\r\nok"],
	['NUL in a value', "${ok}X: a\x00b\r\nContent-Length: 2\r\n\r\nok"],
	['CL twice, different', "${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!"],
	['CL: 2, 3', "${ok}Content-Length: 2, 3\r\n\r\nok!"],
	['CL: -2', "${ok}Content-Length: -2\r\n\r\nok"],
	['CL: 2x', "${ok}Content-Length: 2x\r\n\r\nok"],
	['CL: 2^64', "${ok}Content-Length: 18446744073709551616\r\n\r\nok"],
	['CL with TE', "${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
	['TE twice', "${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
	['TE: chunked, gzip', "${ok}Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
	['TE: xchunked', "${ok}Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
	['TE in 1.0', "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
	['a head that is too large', $ok . join('', map { "X-$_: " . 'x' x 1000 . "\r\n" } 1 .. 30) . "\r\n"],
	['too many fields', $ok . "X: y\r\n" x 200 . "\r\n"],
	['101 nobody asked for', "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
	['half a head', "${ok}Content-Le"],
	['a head that never ends', "${ok}X: " . 'x' x 40000],
	['nothing', ''],
);

# /case/N says it and closes, /case-open/N says it and waits.
sub say
{
	my ($connection, $request, $leave) = @_;
	my ($index) = $request->{target} =~ m{(\d+)$};
	$connection->read_body($request);
	$connection->write($nonsense[$index][1]);
	die "gone\n" if $leave;
}
my $upstream = upstream(on => { case => sub { say(@_[0, 1], 1) }, 'case-open' => sub { say(@_[0, 1], 0) } });
my $dead = free_port();
my ($port) = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
limits: {header_size: 16K, header_count: 100}
upstreams:
  good:
    servers: ["http://127.0.0.1:@{[$upstream->port]}"]
    timeouts: {connect: 500ms, response: 700ms, idle: 700ms}
    retry: {attempts: 0}
    eject: {failures: 1000}
  dead:
    servers: ["http://127.0.0.1:$dead"]
    retry: {attempts: 0}
    eject: {failures: 1000}
  void:
    servers: ["http://192.0.2.1:80"]
    timeouts: {connect: 500ms}
    retry: {attempts: 0}
  unknown:
    servers: ["http://no-such-host.invalid:80"]
    timeouts: {connect: 1s}
    retry: {attempts: 0}
  gone:
    servers: ["unix:/nonexistent/app.sock"]
    retry: {attempts: 0}
routes:
  - match: {path: /dead}
    proxy: dead
  - match: {path: /void}
    proxy: void
  - match: {path: /unknown}
    proxy: unknown
  - match: {path: /gone}
    proxy: gone
  - proxy: good
END

for my $kind ('case', 'case-open') {
	for my $index (0 .. $#nonsense) {
		my $name = $nonsense[$index][0];
		next if $kind eq 'case-open' && $name =~ /^(?:half|nothing)/;	# that waits for more: below
		my $response = eval { get($port, "/$kind/$index") };
		is $response && $response->status, 502, "$kind: $name: 502" or diag $@;
	}
	is get($port, '/bytes/10')->body, '0000000,00', "$kind: and then all is well";
}
ok $server->wait_log(msg => 'request', status => 502, path => qr{^/case/}), 'the log tells of it';

# -- several 1xx, then an answer; too many are nonsense --
my $hint = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";
is get($port, '/raw/' . unpack 'H*', $hint x 3 . "${ok}Content-Length: 2\r\n\r\nok")->body, 'ok', 'three 1xx and an answer';

# -- an answer that goes on behind its end: what follows is never the answer to another --
my $more = "${ok}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
for my $round (1 .. 10) {
	is get($port, '/raw-open/' . unpack 'H*', $more)->body, 'ok', "more than was asked for, $round" if $round < 3;
	isnt get($port, '/bytes/4')->body, 'evil', "... is not given to the next, $round";
}
is request($port, 'HEAD', '/raw-open/' . unpack 'H*', "${ok}Content-Length: 4\r\n\r\nevil")->status, 200, 'content for HEAD';
isnt get($port, '/bytes/4')->body, 'evil', '... is not given to the next';
get($port, '/raw-open/' . unpack 'H*', "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil");
isnt get($port, '/bytes/4')->body, 'evil', 'content for 304 is not given to the next';
get($port, '/raw-open/' . unpack 'H*', "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil");
isnt get($port, '/bytes/4')->body, 'evil', 'content for 204 is not given to the next';

# -- content that breaks off: the client has to see it --
for my $path ('/close-early', '/chunked-early', '/raw/' . unpack 'H*', "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n") {
	my $client = connect_to($port);
	$client->request('GET', $path);
	my $response = eval { $client->read_response };
	ok !$response || $response->status == 502, 'content that breaks off is never taken for whole: ' . substr $path, 0, 20
	    or diag $response->status, $response->body;
	$client->close;
}
ok eventually(3, sub { get($port, '/bytes/10')->status == 200 }), '... and then all is well';

# -- closing without an answer --
is get($port, '/close')->status, 502, 'closed without an answer';
is get($port, '/reset')->status, 502, 'reset without an answer';
is request($port, 'POST', '/close', body => 'x')->status, 502, '... of a POST';

# -- nobody there --
for my $case (['/dead', 'refused'], ['/gone', 'no such socket'], ['/unknown', 'a name that is none']) {
	my $start = time;
	my $response = get($port, $case->[0]);
	like $response->status, qr/^50[234]$/, "$case->[1]: @{[$response->status]}";
	cmp_ok time - $start, '<', 8, '... soon';
}
is get($port, '/dead')->status, 502, 'a refused connection is 502';

# -- nobody answers --
my $start = time;
my $void = get($port, '/void')->status;
like $void, qr/^50[24]$/, "no connection: $void";
cmp_ok time - $start, '<', 4, '... after timeouts.connect';
$start = time;
is get($port, '/hang')->status, 504, 'no answer: 504';
within 0.6, 2, time - $start, '... after timeouts.response';
$start = time;
is get($port, '/raw-open/' . unpack 'H*', "${ok}Content-Le")->status, 504, 'half a head: 504';
within 0.6, 2, time - $start, '... after timeouts.response';
my $client = connect_to($port);
$start = time;
$client->request('GET', '/hang-body');
ok !eval { $client->read_response; 1 }, 'half the content, then nothing: cut off';
within 0.6, 2, time - $start, '... after timeouts.idle';
is length get($port, '/slow/4/0.4')->body, 4, 'a slow one is no dead one';
ok $server->wait_log(msg => 'request', status => 504, path => '/hang'), 'the log tells of it';
is get($port, '/bytes/10')->status, 200, 'and then all is well';

# -- frozen: the kernel accepts, nobody answers --
$upstream->freeze;
is get($port, '/bytes/10')->status, 504, 'a frozen upstream: 504';
$upstream->thaw;
ok eventually(5, sub { get($port, '/bytes/10')->status == 200 }), '... until it thaws';

finish;
