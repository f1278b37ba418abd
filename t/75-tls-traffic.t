# HTTP/1.1 over TLS: the same answers byte for byte, large and small; and who asks how is told as it is.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;
use Digest::MD5 qw(md5_hex);

my $dir = temp_dir();
my $authority = Reeve::Certificates->new;
my $site = $authority->issue('a.test', names => ['a.test', '127.0.0.1']);
my $large = 20 * 1024 * 1024;
my $upstream = upstream(on => { digest => sub {
	my ($connection, $request) = @_;
	my $digest = Digest::MD5->new;
	$connection->read_body($request, sub { $digest->add($_[0]) });
	$connection->answer(200, $digest->hexdigest);
} });
sub pattern { return Reeve::Upstream::Connection::pattern(@_) }
my %size = (small => 1_000, middle => 100_000, large => $large);
write_file("$dir/$_.bin", pattern($size{$_})) for keys %size;
my ($port, $plain) = map { free_port() } 1 .. 2;
my $to = 'http://127.0.0.1:' . $upstream->port;
my $config = <<"END";
listen:
  - {address: "127.0.0.1:$port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}}
  - {address: "127.0.0.1:$plain"}
trusted_proxies: [127.0.0.3]
limits: {keepalive_timeout: 2s}
shutdown: {grace: 3s, idle: 200ms}
routes:
  - match: {scheme: http, path: /only-secure}
    redirect: {to: "https://{host}{uri}", status: 308}
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
  - match: {path: /ws/*}
    proxy: {to: "$to", strip_prefix: /ws, websocket: true}
  - match: {path: /up/*}
    body: {max_size: 64M}
    proxy: {to: "$to", strip_prefix: /up}
  - respond: "{scheme} {host} {client_ip}"
END
my $server = start($config);

# -- the versions, everything that passes --
for my $version ('1.2', '1.3') {
	my $client = tls_to($port, max => $version);
	for my $name (qw(small middle large)) {
		my $response = $client->fetch('GET', "/files/$name.bin");
		is md5_hex($response->body), md5_hex(pattern($size{$name})), "a file: $name, TLS $version";
	}
	my $response = $client->fetch('GET', '/files/large.bin', headers => [Range => 'bytes=1048570-9437190']);
	is $response->status, 206, '... a part of it';
	is md5_hex($response->body), md5_hex(substr pattern($large), 1048570, 9437190 - 1048570 + 1), '... the right one';
	$response = $client->fetch('GET', '/files/small.bin', headers => [Range => 'bytes=-5']);
	is $response->body, substr(pattern(1000), -5), '... its end';
	is $client->fetch('HEAD', '/files/large.bin')->header('content-length'), $large, '... HEAD';
	is md5_hex($client->fetch('GET', "/up/bytes/$size{middle}")->body), md5_hex(pattern($size{middle})), '... proxied';
	is md5_hex($client->fetch('GET', '/up/chunked/300000/777')->body), md5_hex(pattern(300000)), '... proxied in chunks';
	is md5_hex($client->fetch('GET', '/up/bytes/5000000')->body), md5_hex(pattern(5000000)), '... proxied, five megabytes';
	my $body = pattern(3_000_000);
	is $client->fetch('POST', '/up/digest', body => $body)->body, md5_hex($body), '... sent up';
	my @pieces = map { substr $body, $_ * 700, 700 } 0 .. 999;
	is $client->fetch('POST', '/up/digest', body => \@pieces, chunked => 1)->body, md5_hex(join '', @pieces), '... in chunks';
	is $client->fetch('POST', '/up/digest', body => '')->body, md5_hex(''), '... nothing';
	$response = $client->fetch('POST', '/up/echo', body => 'x', headers => [Expect => '100-continue']);
	is join(' ', map { $_->status } $response->interim), 100, '... Expect: 100-continue';
	is $client->fetch('GET', '/', host => 'a.test')->body, 'https a.test 127.0.0.1', '... all on one connection';
	$client->close;
	$client = tls_to($port, max => $version);
	my @targets = ('/a', '/files/small.bin', '/up/bytes/500', '/b', '/files/middle.bin', '/up/chunked/3000/70', '/c');
	$client->send(join '', map { $client->request_bytes('GET', $_, host => 'p') } @targets);
	is join(' ', map { md5_hex($client->read_response->body) } @targets), join(' ', map { md5_hex($_) } 'https p 127.0.0.1',
	    pattern(1000), pattern(500), 'https p 127.0.0.1', pattern(100_000), pattern(3000), 'https p 127.0.0.1'), '... pipelined';
	$client->close;
	is length tls_get($port, '/up/until-close/20000', max => $version)->body, 20000, '... a body of no known length';
	ok !eval { tls_get($port, '/up/close-early', max => $version) }, '... one that the upstream broke off is not whole';
}

# -- a client that reads slowly, one that does not read --
my $client = tls_to($port);
$client->request('GET', '/files/large.bin');
my $head = $client->read_head;
$client->pause;
sleep 0.5;
$client->resume;
is md5_hex($client->read_bytes($large, 'content')), md5_hex(pattern($large)), 'a client that pauses has all';
is $client->fetch('GET', '/', host => 'a')->body, 'https a 127.0.0.1', '... and goes on';
$client->close;
for my $version ('1.2', '1.3') {
	$client = tls_to($port, max => $version);
	$client->request('GET', '/up/bytes/5000000', close => 1);
	$client->pause;
	sleep 0.3;
	$client->resume;
	is md5_hex($client->read_response->body), md5_hex(pattern(5_000_000)), "... also when the connection is closed behind it, TLS $version";
	is $client->end(5), 'closed', '... with close_notify';
	$client->close;
}
my @stuck = map { my $stuck = tls_to($port); $stuck->pause; $stuck->request('GET', '/up/bytes/20000000'); $stuck } 1 .. 8;
sleep 0.5;
my $start = time;
is tls_get($port, '/')->status, 200, 'those who do not read';
within 0, 1, time - $start, '... stop nobody';
SKIP: {
	skip 'memory means nothing here', 1 if is_sanitized;
	my $held = 0;
	$held += $server->pss($_) for $server->workers;
	cmp_ok $held, '<', 60 * 1024 * 1024, '... and take no memory of their bodies';
}
$_->reset for @stuck;

# -- curl --
SKIP: {
	skip 'no curl', 8 unless can_run('curl');
	my @curl = ('curl', '-sS', '--http1.1', '--cacert', $authority->ca, '--max-time', 100);
	for my $version ('1.2', '1.3') {
		my @version = ("--tlsv$version", '--tls-max', $version);
		is system(@curl, @version, '-o', "$dir/got", "https://127.0.0.1:$port/files/large.bin"), 0, "curl: 20 MB down, TLS $version";
		is md5_hex(read_file("$dir/got")), md5_hex(pattern($large)), '... whole';
		is `@curl @version --data-binary \@$dir/large.bin https://127.0.0.1:$port/up/digest`, md5_hex(pattern($large)),
		    "curl: 20 MB up, TLS $version";
	}
	is `@curl -r 100-199 https://127.0.0.1:$port/files/large.bin`, substr(pattern($large), 100, 100), 'curl: a range';
	my $connections = `@curl -w '%{num_connects} ' -o /dev/null https://127.0.0.1:$port/ -o /dev/null https://127.0.0.1:$port/x`;
	is $connections, '1 0 ', 'curl: one connection for two';
}

# -- a tunnel --
my @upgrade = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13,
    'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
sub tunnel
{
	my $tunnelled = tls_to($port, @_);
	$tunnelled->request('GET', '/ws/upgrade', headers => \@upgrade);
	is $tunnelled->read_response->status, 101, 'a tunnel';
	is $tunnelled->read_bytes(6, 'greeting'), 'HELLO ', '... what came right behind the head';
	return $tunnelled;
}
for my $version ('1.2', '1.3') {
	$client = tunnel(max => $version);
	$client->send("abc\r\n");
	is $client->read_bytes(5, 'echo'), "ABC\r\n", "... bytes are bytes, TLS $version";
	my $much = pattern(3_000_000) =~ tr/0-9/a-j/r;
	$client->send($much);
	is md5_hex($client->read_bytes(length $much, 'echo')), md5_hex(uc $much), '... three megabytes there and back';
	sleep 2.5 if $version eq '1.3';
	$client->update if $version eq '1.3';
	$client->send('still');
	is $client->read_bytes(5, 'echo'), 'STILL', '... it is not idle keep-alive';
	$client->notify;
	is $client->end(5), 'closed', '... close_notify of one side ends it, in order';
	$client->close;
}
my $closed = $upstream->closed;
$client = tunnel();
$client->reset;
ok eventually(3, sub { $upstream->closed > $closed }), 'a client that goes away ends the upstream\'s side';
$client = tls_to($port);
$client->send($client->request_bytes('GET', '/ws/upgrade', headers => \@upgrade) . 'early');
is $client->read_response->status, 101, 'bytes sent before the switch, in the same record';
is $client->read_bytes(11, 'echo'), 'HELLO EARLY', '... arrive behind it';
$client->close;

# -- what is told --
sub told { return tls_get($port, '/up/echo', host => 'shop.test:443', @_)->json->{header} }
my $told = told();
is $told->{'x-forwarded-proto'}, 'https', 'upstream: X-Forwarded-Proto';
is $told->{'x-forwarded-host'}, 'shop.test:443', 'upstream: X-Forwarded-Host';
is $told->{'x-forwarded-port'}, $port, 'upstream: X-Forwarded-Port' if defined $told->{'x-forwarded-port'};
like $told->{forwarded}, qr/proto=https/, 'upstream: Forwarded' if defined $told->{forwarded};
is told(headers => ['X-Forwarded-Proto' => 'http'])->{'x-forwarded-proto'}, 'https', '... whatever a stranger says';
is get($plain, '/up/echo')->json->{header}{'x-forwarded-proto'}, 'http', '... and http in the clear';
is request($plain, 'GET', '/up/echo', headers => ['X-Forwarded-Proto' => 'https'])->json->{header}{'x-forwarded-proto'}, 'http',
    '... whatever a stranger says';
is tls_get($port, '/', from => '127.0.0.3', headers => ['X-Forwarded-Proto' => 'http', 'X-Forwarded-For' => '203.0.113.7'])->body,
    'http a.test 203.0.113.7', 'a trusted proxy is believed that its client came in the clear';
my $redirect = get($plain, '/only-secure?x=1', Host => 'a.test');
is $redirect->status, 308, 'match scheme: http';
is $redirect->header('location'), 'https://a.test/only-secure?x=1', '... to the secure one';
is tls_get($port, '/only-secure')->status, 200, '... which is there';

# -- the access log --
for my $version ('1.2', '1.3') {
	$server->mark_log;
	tls_get($port, "/logged-$version", max => $version);
	my $record = $server->wait_log(msg => 'request', path => "/logged-$version");
	like $record->{tls} // '', qr/^TLSv\Q$version\E/, "log: tls, $version" or diag explain $record;
	is $record->{protocol}, 'HTTP/1.1', 'log: protocol';
	is $record->{scheme}, 'https', 'log: scheme' if defined $record->{scheme};
}
$server->mark_log;
get($plain, '/logged-plain');
is $server->wait_log(msg => 'request', path => '/logged-plain')->{tls}, undef, 'log: no tls in the clear';

# -- a reload and a stop --
$client = tls_to($port);
is $client->fetch('GET', '/', host => 'a')->status, 200, 'a connection';
my $tunnel = tunnel();
my $busy = tls_to($port);
$busy->request('GET', '/up/slow/10/0.2');
$busy->read_head;
is $server->reload("$config\n# changed\n")->{exit}, 0, '... a reload';
is $client->fetch('GET', '/', host => 'a')->body, 'https a 127.0.0.1', '... leaves it';
is $busy->read_bytes(10, 'content'), '.' x 10, '... what is under way is finished';
$tunnel->send('on');
is $tunnel->read_bytes(2, 'echo'), 'ON', '... tunnels, too';
my $late = tls_to($port);
$late->request('GET', '/up/slow/10/0.1');
$late->read_head;
$server->signal('TERM');
is $late->read_bytes(10, 'content'), '.' x 10, 'a stop: what is under way is finished';
is $late->end(5), 'closed', '... and closed with close_notify';
is $client->end(5), 'closed', '... an idle one, too';
isnt $tunnel->end(8), 'open', '... a tunnel is cut when shutdown.grace is over';
ok $server->wait_end(10), '... and it has ended';

finish;
