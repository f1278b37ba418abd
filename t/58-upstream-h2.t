# once
# HTTP/2 to servers that people have: nghttpd in the clear and over TLS, Node's http2; many requests over few sockets, content,
# trailers and streams both ways, reloads under load.
use lib 't/lib';
use Reeve::Test;
use Digest::SHA qw(sha256_hex);
use POSIX ();
use Reeve::Certificates;
use Reeve::H2;
use Reeve::H2Upstream;
use Reeve::Load;

$ENV{PATH} .= ':/usr/sbin';
my $root = temp_dir();
my $authority = Reeve::Certificates->new;
my $site = $authority->issue('127.0.0.1', names => ['127.0.0.1', 'a.test']);
my ($port, $h2c_port, $nghttpd_port, $tls_port, $node_port, $https1_port, $reeve_port) = map { free_port() } 1 .. 7;
my @pids;
END { kill KILL => @pids if @pids }

sub begin
{
	my (@command) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>>', "$root/programs";
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	push @pids, $pid;
	return $pid;
}

sub listens { my ($on) = @_; return eventually(10, sub { Reeve::Server::ports_listening()->{$on} }) }

# Established connections to a port of this machine.
sub sockets_to
{
	my ($to) = @_;
	my $count = 0;
	open my $in, '<', '/proc/net/tcp' or die;
	while (<$in>) {
		$count++ if /^\s*\d+:\s+\S+\s+[0-9A-F]+:([0-9A-F]{4})\s+01\s/ && hex $1 == $to;
	}
	return $count;
}

write_file("$root/small", 'hello');
write_file("$root/large", my $large = join '', map { sprintf "%07d\n", $_ } 1 .. 1_250_000);
my $own = Reeve::H2Upstream->start;
END { $own->stop if $own }
my $config = <<"END";
listen:
  - {address: "127.0.0.1:$port"}
  - {address: "127.0.0.1:$h2c_port", protocols: [h2c, http/1.1]}
workers: 1
upstreams:
  own: {servers: ["@{[$own->url]}"], protocol: h2}
  nghttpd: {servers: ["http://127.0.0.1:$nghttpd_port"], protocol: h2}
  secure: {servers: ["https://127.0.0.1:$tls_port"], protocol: h2, tls: {ca: @{[$authority->ca]}}}
  node: {servers: ["http://127.0.0.1:$node_port/base"], protocol: h2, timeouts: {response: 5s}}
  https1: {servers: ["https://127.0.0.1:$https1_port"], protocol: h2, retry: 0, tls: {ca: @{[$authority->ca]}}}
  short: {servers: ["@{[$own->url]}"], protocol: h2, agent: {idle_timeout: 200ms}}
  counted: {servers: ["@{[$own->url]}"], protocol: h2, agent: {max_requests: 3}}
routes:
@{[join '', map { "  - match: {path: /$_/*}\n    body: {max_size: 50M}\n    proxy: {to: $_, strip_prefix: /$_, websocket: true}\n" }
    qw(own nghttpd secure node https1 short counted)]}
END
my $server = start($config);

# -- what the server gets, and the client --
my $echo = request($port, 'POST', '/own/echo?a=b', body => 'content', headers => ['X-One' => 1, Cookie => 'a=1', TE => 'trailers',
    Connection => 'TE, X-Hop', 'X-Hop' => 1, 'Keep-Alive' => 'timeout=5'])->json;
my %header = map { $_->[0] => $_->[1] } @{$echo->{headers}};
is "$echo->{method} $echo->{target}", 'POST /echo?a=b', 'the request line';
is $header{':authority'}, "127.0.0.1:$port", 'the authority is the Host of the client';
is $header{':scheme'}, 'http', 'the scheme is that of the connection';
is $header{'content-length'}, 7, 'the length goes along';
is $header{te}, 'trailers', 'TE: trailers, too';
is $header{via}, '1.1 reeve', 'Via';
is $header{cookie}, 'a=1', 'a cookie';
is $header{'x-one'}, 1, 'a field of the client';
is_deeply [sort grep { /^(?:connection|keep-alive|x-hop|host|transfer-encoding|expect|upgrade)$/ } keys %header], [],
    'nothing that belongs to one connection';
is_deeply [grep { /[A-Z]/ } keys %header], [], 'all names in lower case';
is $echo->{body}, 'content', 'the content';
my $response = get($port, '/own/bytes/100');
is $response->header('via'), '2.0 reeve', 'Via of the response';
is $response->header('content-length'), 100, 'a length';
$response = get($port, '/own/stream/1000/7');
is $response->body, 'x' x 1000, 'content without a length, in many frames';
is $response->header('transfer-encoding'), 'chunked', '... is chunked to an HTTP/1.1 client';
is request($port, 'HEAD', '/own/bytes/100')->header('content-length'), 100, 'HEAD';
is get($port, "/own/status/$_")->status, $_, "status $_" for qw(204 304 404 500);
is +(get($port, '/own/early-hints')->interim)[0]{status}, 103, '103 is passed on';
is get($port, '/own/trailers')->trailer('x-sum'), 7, 'trailers of the response';
$response = request($port, 'POST', '/own/echo', body => ['one', 'two'], chunked => 1, trailers => "X-Sum: 9\r\n");
is $response->json->{body}, 'onetwo', 'chunked content';
is_deeply $response->json->{trailers}, [['x-sum', 9]], '... and its trailers';
is $own->connections, 1, 'all that over one connection';

# -- what cannot be --
$response = request($port, 'GET', '/own/echo', headers => [Connection => 'upgrade', Upgrade => 'websocket']);
is $response->status, 501, 'an upgrade cannot be';
like $server->wait_log(msg => 'request', status => 501)->{error}, qr/speaks HTTP\/2, which cannot upgrade/, '... and the log says why';

# -- over HTTP/2 on both sides --
my $h2 = Reeve::H2->connect(port => $h2c_port);
is $h2->fetch('POST', '/own/echo', body => 'abc', trailers => ['x-sum' => 3], headers => [te => 'trailers'])->json->{trailers}[0][1], 3,
    'h2 to h2: trailers of the request';
is $h2->fetch('GET', '/own/trailers')->trailer('x-sum'), 7, '... of the response';
my @ids = map { $h2->request('GET', "/own/bytes/$_") } 1 .. 50;
is scalar(grep { length $h2->response($ids[$_ - 1])->body == $_ } 1 .. 50), 50, 'fifty at once';
$h2->close;

# -- many over few --
my $before = $own->connections;
my @clients = map { connect_to($port) } 1 .. 200;
$_->request('GET', '/own/bytes/10') for @clients;
is scalar(grep { $_->read_response->status == 200 } @clients), 200, '200 requests at once';
cmp_ok $own->connections - $before, '<=', 1, '... over two sockets';
$_->close for @clients;
$before = $own->connections;
is get($port, '/short/bytes/1')->status, 200, 'agent.idle_timeout';
ok eventually(3, sub { $own->closed }), '... a link goes when nobody uses it';
$own->forget;
is get($port, '/counted/bytes/1')->status, 200, 'agent.max_requests' for 1 .. 7;
is $own->connections, 3, '... is of links';
ok eventually(2, sub { $own->closed == 2 }), '... and those that are used up are closed';

# -- nghttpd --
SKIP: {
	skip 'nghttpd is not installed', 16 unless can_run('nghttpd');
	begin('nghttpd', '-a', '127.0.0.1', '-d', $root, '--no-tls', '--trailer=x-sum: 7', $nghttpd_port);
	my $secure = begin('nghttpd', '-a', '127.0.0.1', '-d', $root, $tls_port, $site->{key}, $site->{cert});
	ok listens($nghttpd_port) && listens($tls_port), 'nghttpd';
	for my $to (qw(nghttpd secure)) {
		is get($port, "/$to/small")->body, 'hello', "$to: a file";
		is sha256_hex(get($port, "/$to/large")->body), sha256_hex($large), '... 10 MB';
		is request($port, 'POST', "/$to/small", body => $large, timeout => 30)->status, 200, '... 10 MB there';
		is get($port, "/$to/none")->status, 404, '... no file';
		@clients = map { connect_to($port) } 1 .. 200;
		$_->request('GET', "/$to/small") for @clients;
		is scalar(grep { $_->read_response->body eq 'hello' } @clients), 200, '... 200 at once';
		$_->close for @clients;
		cmp_ok sockets_to($to eq 'secure' ? $tls_port : $nghttpd_port), '<=', 2, '... over at most two sockets';
	}
	my $client = Reeve::H2->connect(port => $h2c_port);
	is $client->fetch('GET', '/nghttpd/small')->trailer('x-sum'), 7, 'trailers of nghttpd';
	$client->close;
	my $load = Reeve::Load->start($port, 3, 4, '/nghttpd/small', '/secure/small', '/own/bytes/100');
	for (1 .. 5) {
		sleep 0.4;
		$server->reload;
	}
	my $sum = $load->sum;
	is "$sum->{failed} failed, $sum->{lost} lost", '0 failed, 0 lost', 'reloads under load' or diag explain $sum;
	cmp_ok sockets_to($tls_port), '<=', 2, '... leave the links open';
	kill KILL => $secure;
	is get($port, '/secure/small')->status, 502, 'a server that has gone: 502';
}

# -- TLS without HTTP/2 --
begin('openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$https1_port", '-cert', $site->{cert}, '-key', $site->{key}, '-www');
ok listens($https1_port), 'a server that knows no h2';
is get($port, '/https1/')->status, 502, '... 502';
like $server->wait_log(msg => 'upstream failed', upstream => 'https1')->{reason}, qr/ALPN/, '... and the log says why';

# -- Node --
SKIP: {
	skip 'node is not installed', 8 unless can_run('node');
	write_file("$root/server.js", <<'JS');
const http2 = require('http2');
const crypto = require('crypto');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
	const path = headers[':path'];
	stream.on('error', () => {});
	if (path === '/base/hash') {
		const hash = crypto.createHash('sha256');
		stream.on('data', piece => hash.update(piece));
		stream.on('end', () => { stream.respond({ ':status': 200 }); stream.end(hash.digest('hex')); });
	} else if (path === '/base/mirror') {
		// as gRPC streams: each piece is answered when it comes
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
		stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', te: undefined }));
		stream.on('data', piece => stream.write(piece.toString().toUpperCase()));
		stream.on('end', () => stream.end());
	} else if (path === '/base/trailers-only') {
		stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
	} else if (path === '/base/goaway') {
		stream.respond({ ':status': 200 });
		stream.end('bye');
		stream.session.close();
	} else {
		stream.respond({ ':status': 404 }, { endStream: true });
	}
});
server.listen(Number(process.argv[2]), '127.0.0.1');
JS
	begin('node', "$root/server.js", $node_port);
	ok listens($node_port), 'node';
	is request($port, 'POST', '/node/hash', body => $large, timeout => 30)->body, sha256_hex($large), '10 MB to node, whole';
	is request($port, 'POST', '/node/hash', body => [map { substr $large, $_ * 1000, 1000 } 0 .. 999], chunked => 1)->body,
	    sha256_hex(substr $large, 0, 1_000_000), '... in chunks';
	my $stream = Reeve::H2->connect(port => $h2c_port);
	my $id = $stream->request('POST', '/node/mirror', open => 1, headers => ['content-type' => 'application/grpc', te => 'trailers']);
	my $heard = '';
	for my $word (qw(one two three)) {
		$stream->send_data($id, $word);
		$heard .= uc $word;
		$stream->wait_until(5, sub { $stream->stream($id)->{body} eq $heard });
	}
	is $stream->stream($id)->{body}, 'ONETWOTHREE', 'a stream both ways, word by word';
	$stream->send_data($id, '', end => 1);
	$response = $stream->response($id);
	is $response->trailer('grpc-status'), 0, '... and its trailers at the end';
	is $stream->fetch('POST', '/node/trailers-only')->header('grpc-status'), 5, 'an answer that is a head alone';
	is get($port, '/node/goaway')->body, 'bye', 'a session that node ends behind the answer' for 1 .. 3;
	$stream->close;
}

$own->stop;
kill KILL => splice @pids;
finish;
