# TLS to upstreams: who is trusted and who is not, what is said when not, certificates of our own, sessions, sockets that stay
# warm over a reload, probes, and answers that end well or badly.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::SecureUpstream;
use Socket;

my $authority = Reeve::Certificates->new;
my $stranger = Reeve::Certificates->new(name => 'a stranger');
my $site = $authority->issue('a.test', names => ['a.test', '127.0.0.1']);
my $me = $authority->issue('me', for => 'client');
my @secure;

sub secure
{
	my ($pair, %options) = @_;
	push @secure, Reeve::SecureUpstream->start(cert => $pair->{cert}, key => $pair->{key}, %options);
	return $secure[-1];
}

# A server of HTTP in the clear, as most are: what is no request gets 400.
sub listener
{
	socket my $listener, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
	bind $listener, pack_sockaddr_in(0, INADDR_LOOPBACK) or die "bind: $!";
	listen $listener, 16 or die "listen: $!";
	return $listener;
}

sub answer_in_the_clear
{
	my ($listener) = @_;
	accept my $socket, $listener or die "accept: $!";
	sysread $socket, my $hello, 4096;
	syswrite $socket, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	close $socket;
	return $hello;
}

my $good = secure($site);
my $named = secure($authority->issue('b.test'));
my $expired = secure($authority->issue('c.test', names => ['127.0.0.1'], expired => 1));
my $early = secure($authority->issue('d.test', names => ['127.0.0.1'], early => 1));
my $unknown = secure($stranger->issue('e.test', names => ['127.0.0.1']));
my $own = secure(Reeve::Certificates::self_signed('f.test', names => ['127.0.0.1']));
my $demanding = secure($site, ca => $authority->ca);
my $strict = secure($site, ca => $authority->ca, max => '1.2');
my $old = secure($site, old => 1);
my $two = secure($site, max => '1.2', tickets => 0);
my $other_alpn = secure($site, alpn => 'h2');
my $stalled = secure($site, stall => 1);
my $cut = secure($site, cut => 1);
my $plain = upstream(name => 'plain');
my $clear = listener();
my $port = free_port();

my $ca = $authority->ca;
my %upstreams = (
	good => [$good, "ca: $ca"],
	named => [$named, "ca: $ca"],
	called => [$named, "ca: $ca, server_name: b.test"],
	expired => [$expired, "ca: $ca"],
	early => [$early, "ca: $ca"],
	unknown => [$unknown, "ca: $ca"],
	believed => [$unknown, "ca: @{[$stranger->ca]}"],
	own => [$own, "ca: $ca"],
	pinned => [$own, "ca: $own->{cert}"],
	any => [$expired, 'verify: false'],
	system => [$good, 'server_name: a.test'],
	anonymous => [$demanding, "ca: $ca"],
	known => [$demanding, "ca: $ca, cert: $me->{cert}, key: $me->{key}"],
	anonymous2 => [$strict, "ca: $ca"],
	known2 => [$strict, "ca: $ca, cert: $me->{cert}, key: $me->{key}"],
	old => [$old, "ca: $ca"],
	two => [$two, "ca: $ca"],
	other_alpn => [$other_alpn, "ca: $ca"],
	stalled => [$stalled, "ca: $ca"],
	cut => [$cut, "ca: $ca"],
);

sub config
{
	my (%more) = @_;
	my ($upstreams, $routes) = ('', '');
	for my $name (sort keys %upstreams) {
		my ($server, $tls) = @{$upstreams{$name}};
		$upstreams .= "  $name:\n    servers: [\"@{[$server->url]}\"]\n    tls: {$tls}\n    retry: 0\n"
		    . "    eject: {failures: 0}\n    timeouts: {connect: 1s}\n@{[$more{$name} // '']}";
		$routes .= "  - match: {path: /$name/*}\n    proxy: {to: $name, strip_prefix: /$name}\n";
	}
	return <<"END";
listen: [{address: "127.0.0.1:$port"}]
workers: 1
upstreams:
$upstreams
  clear:
    servers: ["https://127.0.0.1:@{[(unpack_sockaddr_in(getsockname $clear))[0]]}"]
    tls: {ca: $ca}
    retry: 0
  elsewhere:
    servers: ["@{[$expired->url]}", {url: "@{[$good->url]}", backup: true}]
    tls: {ca: $ca}
  mixed:
    servers: ["http://127.0.0.1:@{[$plain->port]}", "@{[$good->url]}"]
    balance: round_robin
    tls: {ca: $ca}
routes:
$routes
@{[join '', map { "  - match: {path: /$_/*}\n    proxy: {to: $_, strip_prefix: /$_}\n" } qw(clear elsewhere mixed)]}
  - match: {path: /ws/*}
    proxy: {to: good, strip_prefix: /ws, websocket: true}
  - match: {path: /direct/*}
    proxy: {to: "@{[$good->url]}", strip_prefix: /direct}
@{[$more{routes} // '']}
END
}

my $server = start(config());

sub totals
{
	my $totals = $server->status->{totals};
	return map { $totals->{$_} } @_;
}

# -- good ones --
my $seen = get($port, '/good/echo?x', 'X-One' => 1)->json;
is $seen->{target}, '/echo?x', 'https://';
is $seen->{header}{'x-one'}, 1, '... with fields';
is(($good->handshakes)[0]{version}, 'TLSv1.3', '... over TLS 1.3');
is(($good->handshakes)[0]{sni}, '', '... without SNI for an address');
is_deeply [totals('upstream_tls_handshakes', 'upstream_tls_resumed')], [1, 0], '... counted';
get($port, '/good/echo') for 1 .. 5;
is scalar($good->handshakes), 1, '... on one socket';
is get($port, '/called/echo')->status, 200, 'server_name';
is(($named->handshakes)[0]{sni}, 'b.test', '... is what is asked for');
is get($port, "/$_/echo")->status, 200, "trusted: $_" for qw(believed pinned any two);
is(($two->handshakes)[0]{version}, 'TLSv1.2', 'TLS 1.2');
my $ways = join ' ', sort map { get($port, '/mixed/status/204')->status } 1 .. 4;
is $ways, '204 204 204 204', 'http:// and https:// servers in one upstream';
is $plain->request_count, 2, '... both were asked';
is get($port, '/elsewhere/echo')->status, 200, 'the server before has expired: the next one';
is request($port, 'POST', '/elsewhere/echo', body => 'x')->json->{body}, 'x', '... for POST, too: nothing had been sent';

# -- bad ones --
my @bad = (
	[named => 'certificate verify failed: IP address mismatch, it is for b.test; host 127.0.0.1'],
	[expired => 'certificate verify failed: certificate has expired, it ended on 20'],
	[early => 'certificate verify failed: certificate is not yet valid, it begins on 20'],
	[unknown => 'certificate verify failed: unable to get local issuer certificate, its issuer is '],
	[own => 'certificate verify failed: self-signed certificate; host 127.0.0.1'],
	[system => 'certificate verify failed: unable to get local issuer certificate'],
	[direct => 'certificate verify failed: unable to get local issuer certificate'],
	[old => 'TLS handshake failed: the peer refused: protocol version'],
	[other_alpn => 'TLS handshake failed: the peer refused: no application protocol'],
	[anonymous => 'the peer refused: certificate required'],
	[anonymous2 => 'TLS handshake failed: the peer refused: handshake failure'],
);
for my $case (@bad) {
	my ($name, $why) = @$case;
	$server->mark_log;
	my $response = get($port, "/$name/echo");
	is $response->status, 502, "$name: 502";
	my $record = $server->wait_log(msg => 'upstream failed', reason => qr/\A\Q$why\E/, within => 2);
	ok $record, "... $why" or diag explain [map { $_->{reason} } grep { $_->{reason} } $server->log_records];
	unlike $response->body, qr/certificate|TLS|127\.0\.0\.1/, '... which the client is not told';
}
$server->mark_log;
my $asking = connect_to($port);
$asking->request('GET', '/clear/echo', headers => ['Cookie' => 'secret']);
like answer_in_the_clear($clear), qr/\A\x16\x03[^\n]*/, 'a server that speaks HTTP in the clear is sent a ClientHello';
is $asking->read_response->status, 502, '... 502';
$asking->close;
ok $server->wait_log(msg => 'upstream failed', reason => 'TLS handshake failed: what the peer sent is not TLS'), '... and why';
is $plain->request_count, 2, 'nothing was ever asked in the clear';
is scalar(grep { $_->request_count } $early, $own), 1, 'and nothing of who is not trusted';	# own: by `pinned`
is get($port, "/good/echo")->status, 200, 'others are served on';
$server->mark_log;
my $began = time;
is get($port, '/stalled/echo')->status, 504, 'a server that says nothing: 504';
ok within(0.9, 3, time - $began, 'after timeouts.connect');
ok $server->wait_log(msg => 'upstream failed', reason => 'no TLS handshake in time'), '... with the reason';

# -- who we are --
for my $name (qw(known known2)) {
	my $to = $upstreams{$name}[0];
	is get($port, "/$name/echo")->status, 200, "$name: a certificate is shown";
	is(($to->handshakes)[-1]{subject}, 'me', '... ours');
}

# -- content --
is request($port, 'POST', '/good/echo', body => 'x' x 900_000)->json->{body_size}, 900_000, 'much content to the server';
is length get($port, "/$_")->body, 3_000_000, "much from it: $_"
    for qw(good/bytes/3000000 good/chunked/3000000/70000 good/until-close/3000000 two/bytes/3000000 cut/bytes/3000000);
is length get($port, '/two/until-close/300000')->body, 300000, 'until close_notify';
is get($port, '/good/trailers')->status, 200, 'trailers';

# -- ends --
my $cut_client = connect_to($port);
$cut_client->request('GET', '/cut/until-close/20000');
my $whole = eval { $cut_client->read_response };
ok !$whole, 'the end without close_notify of content without a length: the client sees that it was cut'
    or diag explain [$whole->status, length $whole->body];
ok $server->wait_log(msg => 'request', path => '/cut/until-close/20000', error => qr/without close_notify/), '... and the log'
    or diag explain [grep { ($_->{path} // '') =~ /until/ } $server->log_records];
$cut_client->close;
is get($port, '/good/close')->status, 502, 'closed without an answer';
is get($port, '/good/reset')->status, 502, 'reset without an answer';
is get($port, '/cut/close')->status, 502, 'cut without an answer';
my $half = connect_to($port);
$half->request('GET', '/good/close-early');
ok !eval { $half->read_response }, 'closed in the middle of the content';
$half->close;

# -- tunnels --
my $tunnel = connect_to($port);
$tunnel->request('GET', '/ws/upgrade', headers => [Connection => 'Upgrade', Upgrade => 'websocket']);
is $tunnel->read_response->status, 101, 'an upgrade over TLS';
is $tunnel->read_bytes(6, 'greeting'), 'HELLO ', '... what came right behind the head';
$tunnel->send('abc');
is $tunnel->read_bytes(3, 'echo'), 'ABC', '... both ways';
my $much = 'x' x 1_000_000;
my $pid = fork // die "fork: $!";
if (!$pid) {
	$tunnel->send($much);
	POSIX::_exit(0);
}
is $tunnel->read_bytes(length $much, 'echo'), uc $much, '... much';
waitpid $pid, 0;
$tunnel->shutdown_write;
is $tunnel->end(5), 'closed', '... until one side ends';
$tunnel->close;

# -- kept sockets --
is get($port, '/good/echo')->status, 200, 'all is well';
$good->forget;
my $idle = secure($site, upstream => { idle => 0.3 });
$upstreams{idle} = [$idle, "ca: $ca"];
is $server->reload(config())->{exit}, 0, 'reload';
is get($port, '/good/echo')->status, 200, 'after a reload';
is scalar($good->handshakes), 0, '... sockets are warm';
is get($port, '/idle/echo')->status, 200, 'a server that closes idle connections';
ok eventually(5, sub { $idle->plain->closed }), '... has closed one';
is request($port, 'POST', '/idle/echo', body => 'x')->status, 200, '... POST goes on another';
is scalar($idle->handshakes), 2, '... two handshakes';
is(($idle->handshakes)[1]{resumed}, 1, '... the second resumed the session of the first');
my ($handshakes, $resumed) = totals('upstream_tls_handshakes', 'upstream_tls_resumed');
ok $resumed >= 1 && $resumed < $handshakes, "counted: $resumed of $handshakes";
$two->forget;
$upstreams{two}[1] .= ', server_name: a.test';
is $server->reload(config())->{exit}, 0, 'another server_name';
is get($port, '/two/echo')->status, 200, '... is another identity';
is_deeply [map { $_->{sni} } $two->handshakes], ['a.test'], '... on a socket of its own';

# -- files that change, without a reload --
my $dir = temp_dir();
my ($one, $other) = map { $authority->issue($_, for => 'client') } qw(one other);
my %copy = (cert => "$dir/mine.pem", key => "$dir/mine.key");
Reeve::Certificates::replace(\%copy, $one);
Reeve::Certificates::write_to("$dir/ca.pem", read_file($ca));
$demanding->forget;
$upstreams{renewed} = [$demanding, "ca: $dir/ca.pem, cert: $dir/mine.pem, key: $dir/mine.key"];
$upstreams{trusting} = [$unknown, "ca: $dir/ca.pem"];
is $server->reload(config())->{exit}, 0, 'certificates of our own in files';
is get($port, '/renewed/echo')->status, 200, '... are shown';
is get($port, '/trusting/echo')->status, 502, 'who is not trusted';
is(($demanding->handshakes)[-1]{subject}, 'one', '... as they are');
Reeve::Certificates::replace(\%copy, $other);
ok eventually(15, sub {
	get($port, '/renewed/echo')->status == 200 && ($demanding->handshakes)[-1]{subject} eq 'other';
}), '... and as they become';
Reeve::Certificates::write_to("$dir/ca.pem", read_file($ca) . read_file($stranger->ca));
ok eventually(15, sub { get($port, '/trusting/echo')->status == 200 }), 'one more who is trusted';
my $shaken = $good->handshakes;
is get($port, '/good/echo')->status, 200, 'others';
is scalar($good->handshakes), $shaken, '... keep their sockets';
delete @upstreams{qw(renewed trusting)};

# -- probes --
$upstreams{probed} = [$good, "ca: $ca"];
$upstreams{probed_badly} = [$unknown, "ca: $ca"];
$upstreams{probed_forever} = [$stalled, "ca: $ca"];
my $health = "    health: {path: /health, interval: 200ms, timeout: 500ms}\n";
is $server->reload(config(map { $_ => $health } qw(probed probed_badly probed_forever)))->{exit}, 0, 'health: over TLS';
my %states;
ok eventually(10, sub {
	%states = map { $_->{upstream} => $_ } @{$server->status->{upstreams} // []};
	return 3 == grep { ($states{$_}{state} // 'unknown') ne 'unknown' } qw(probed probed_badly probed_forever);
}), '... probes come' or diag explain \%states;
is $states{probed}{state}, 'up', 'a good one is up';
is $states{probed_badly}{state}, 'down', 'who is not trusted is down';
like $states{probed_badly}{reason}, qr/certificate verify failed: unable to get local issuer/, '... and it is said why';
is $states{probed_forever}{reason}, 'no TLS handshake in time', 'who says nothing, too';
is get($port, '/probed_badly/echo')->status, 503, '... and gets no requests';

# -- checks --
sub check
{
	my ($tls, $url) = @_;
	$url //= 'https://127.0.0.1';
	my $file = write_file(temp_dir() . '/check.yaml', <<"END");
listen: [{address: ":80"}]
upstreams:
  a:
    servers: ["$url"]
    tls: {$tls}
routes: [{proxy: a}]
END
	my $result = command('check', '-c', $file);
	return "$result->{exit} $result->{out}$result->{err}";
}
my @checks = (
	["verify: false", undef, qr/\A0 .*:5:19: upstreams\.a\.tls\.verify: warning: the servers' certificates are not verified/],
	["ca: $ca", 'http://127.0.0.1', qr/\A0 .*upstreams\.a\.tls: warning: has no effect/],
	["ca: /nowhere.pem", undef, qr/\A1 .*:5:15: upstreams\.a\.tls\.ca: cannot open \/nowhere\.pem/],
	["ca: $me->{key}", undef, qr/\A1 .*upstreams\.a\.tls\.ca: the file has no certificate in PEM form/],
	["cert: $me->{cert}", undef, qr/\A1 .*upstreams\.a\.tls: `cert` without `key`/],
	["key: $me->{key}", undef, qr/\A1 .*upstreams\.a\.tls: `key` without `cert`/],
	["cert: $me->{cert}, key: $site->{key}", undef, qr/\A1 .*upstreams\.a\.tls\.cert: /],
	["cert: $me->{cert}, key: @{[Reeve::Certificates::locked_key($me)]}", undef,
	    qr/\A1 .*upstreams\.a\.tls\.cert: .*(?:encrypt|pass)/],
	["server_name: 127.0.0.1", undef, qr/\A1 .*upstreams\.a\.tls\.server_name: expected a host name/],
	["ca: $ca", 'srv+https://a.test', qr/\A1 .*srv\+http:\/\/ is not supported/],
	["ca: $ca, cert: $me->{cert}, key: $me->{key}, server_name: a.test", undef, qr/\A0 /],
);
for my $case (@checks) {
	my ($tls, $url, $like) = @$case;
	(my $name = $tls) =~ s{/\S+/}{}g;
	like check($tls, $url), $like, "check: $name";
}
unlike $server->stderr, qr/PRIVATE KEY-----\nM/, 'no key in the log';

# -- servers of others --
# A program that prints what it has to say, above all "ready"; ended with the test.
my @programs;
sub program
{
	my @argv = @_;
	my $pid = open my $out, '-|' // die "fork: $!";
	if (!$pid) {
		alarm 0;
		open STDIN, '<', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec @argv or POSIX::_exit(127);
	}
	push @programs, [$pid, $out];
	return $out;
}
END { kill KILL => map { $_->[0] } @programs }

my ($www, $node1, $node2, $node_clear) = map { free_port() } 1 .. 4;
my $root = temp_dir();
write_file("$root/file.txt", 'y' x 200_000);
chdir $root;
program('openssl', 's_server', '-accept', "127.0.0.1:$www", '-cert', $site->{cert}, '-key', $site->{key}, '-HTTP', '-quiet');
write_file("$root/file.http", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" . 'y' x 200_000);
my $has_node = can_run('node');
if ($has_node) {
	my $out = program('node', '-e', <<"END");
const fs = require('fs');
const pair = { cert: fs.readFileSync('$site->{cert}'), key: fs.readFileSync('$site->{key}'), keepAliveTimeout: 300 };
const answer = (request, response) => {
	let size = 0;
	request.on('data', piece => { size += piece.length; });
	request.on('end', () => response.end(`\${request.httpVersion} \${request.method} \${request.url} \${size}`));
};
let left = 3;
const ready = () => { if (--left === 0) console.log('ready'); };
require('https').createServer(pair, answer).listen($node1, '127.0.0.1', ready);
require('http2').createSecureServer(pair, answer).listen($node2, '127.0.0.1', ready);
require('http2').createServer(answer).listen($node_clear, '127.0.0.1', ready);
END
	is readline $out, "ready\n", 'Node serves';
}
my $port2 = free_port();
my $second = start(<<"END");
listen: [{address: "127.0.0.1:$port2"}]
workers: 1
upstreams:
  www: {servers: ["https://127.0.0.1:$www"], tls: {ca: $ca, server_name: a.test}}
  node: {servers: ["https://127.0.0.1:$node1"], tls: {ca: $ca}, health: {path: /h, interval: 100ms}}
  node2: {servers: ["https://127.0.0.1:$node2"], tls: {ca: $ca}, protocol: h2, health: {path: /h, interval: 100ms}}
  clear: {servers: ["http://127.0.0.1:$node_clear"], protocol: h2, health: {path: /h, interval: 100ms}}
  not2: {servers: ["https://127.0.0.1:$node1"], tls: {ca: $ca}, protocol: h2, health: {path: /h, interval: 100ms}}
routes:
@{[join '', map { "  - match: {path: /$_/*}\n    proxy: {to: $_, strip_prefix: /$_}\n" } qw(www node node2 clear not2)]}
END
ok eventually(10, sub { my $page = eval { get($port2, '/www/file.http') }; $page && $page->status == 200 }), 'openssl s_server';
is length get($port2, '/www/file.http')->body, 200_000, '... a page of it, until close_notify';
SKIP: {
	skip 'no node', 13 unless $has_node;
	my %state;
	ok eventually(10, sub {
		%state = map { $_->{upstream} => $_ } @{$second->status->{upstreams} // []};
		return 4 == grep { ($state{$_}{state} // 'unknown') ne 'unknown' } qw(node node2 clear not2);
	}), 'probes of Node';
	is $state{$_}{state} . ' ' . $state{$_}{reason}, 'up status 200', "$_ is up" for qw(node node2 clear);
	is $state{not2}{state}, 'down', 'a server that was to speak HTTP/2 and does not is down';
	is $state{not2}{reason}, 'TLS handshake failed: the peer refused: no application protocol', '... and it is said why';
	is request($port2, 'POST', '/node/x?y', body => 'z' x 100_000)->body, '1.1 POST /x?y 100000', 'Node, HTTP/1.1';
	is request($port2, 'POST', '/node2/x?y', body => 'z' x 100_000)->body, '2.0 POST /x?y 100000', 'Node, HTTP/2 over TLS';
	is request($port2, 'POST', '/clear/x?y', body => 'z' x 100_000)->body, '2.0 POST /x?y 100000', 'Node, HTTP/2 in the clear';
	my $sockets = sub { my $sum = 0; $sum += $_->{upstream_sockets} for @{$second->status->{workers}}; $sum };
	my $totals = $second->status->{totals};
	ok eventually(5, sub { $sockets->() == 2 }), 'Node closes idle connections';
	is get($port2, '/node/x')->body, '1.1 GET /x 0', '... and another serves';
	is request($port2, 'POST', '/node/x', body => 'a')->body, '1.1 POST /x 1', '... POST, too';
	cmp_ok $second->status->{totals}{upstream_tls_resumed}, '>', $totals->{upstream_tls_resumed}, '... its session resumed';
}

kill KILL => map { $_->[0] } @programs;
close $_->[1] for splice @programs;
$_->stop for @secure;
chdir '/';
finish;
