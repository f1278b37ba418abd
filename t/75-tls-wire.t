# What happens below HTTP on a port with TLS: records cut and glued anywhere, handshakes that stall or are none, ends of
# every kind, PROXY headers, unix sockets.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;

my $dir = temp_dir();
my $authority = Reeve::Certificates->new;
my $site = $authority->issue('a.test');
my ($port, $plain, $proxied, $quiet_port) = map { free_port() } 1 .. 4;
my $certificates = "certificates: [{cert: $site->{cert}, key: $site->{key}}]";
my $upstream = upstream();
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", tls: {$certificates}}
  - {address: "127.0.0.1:$plain"}
  - {address: "127.0.0.1:$proxied", tls: {$certificates}, proxy_protocol: true}
  - {address: "unix:$dir/tls.sock", tls: {$certificates}}
trusted_proxies: [127.0.0.1]
limits: {header_timeout: 1s, keepalive_timeout: 1s}
routes:
  - match: {path: /up/*}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", strip_prefix: /up}
  - respond: "{client_ip} {scheme} {host}"
END
my $request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
my $closing = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

sub totals { return $server->status->{totals} }

# -- HTTP in the clear --
for my $case (['a request', $request], ['a long one', 'POST /' . 'x' x 3000 . " HTTP/1.1\r\n\r\n" . 'y' x 20000], ['its first letter', 'G'],
    ['HTTP/2 in the clear', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]) {
	my ($name, $bytes) = @$case;
	my $client = connect_to($port);
	$client->send($bytes);
	my $response = eval { $client->read_response };
	ok $response, "in the clear on a TLS port: $name" or diag($@), next;
	is $response->status, 400, '... 400';
	like $response->header('content-type'), qr{^text/plain}, '... in plain text';
	like $response->body, qr{TLS.*https://}, '... with what to do';
	is $client->end(5), 'closed', '... and closed';
	$client->close;
}
for my $case (['a ClientHello', client_hello(sni => 'a.test')], ['a record of nothing', "\x16\x03\x01\0\0"]) {
	my ($name, $bytes) = @$case;
	my $response = exchange($plain, $bytes);
	like $response, qr{^HTTP/1\.1 400 }, "TLS on a plain port: $name: 400";
	is get($plain, '/')->status, 200, '... and it serves';
}

# -- bytes in any pieces --
for my $version ('1.2', '1.3') {
	my $client = tls_to($port, piece => 1, max => $version, sni => 'a.test', alpn => 'http/1.1');
	is $client->fetch('GET', '/', host => 'bytes')->body, '127.0.0.1 https bytes', "a handshake and a request byte by byte, TLS $version";
	$client->close;
	$client = tls_to($port, piece => 7, max => $version);
	is $client->fetch('GET', '/', host => 'seven')->body, '127.0.0.1 https seven', '... seven at a time';
	$client->close;
	$client = tls_to($port, max => $version);
	for my $byte (split //, $request) {
		$client->send($byte);
		sleep 0.0005;
	}
	is $client->read_response->body, '127.0.0.1 https a.test', '... a request over many records';
	$client->send($request x 30);
	is scalar(grep { eval { $client->read_response->status == 200 } } 1 .. 30), 30, '... many requests in one record';
	$client->send($request x 700);	# more than a record, and more than is read at a time
	is scalar(grep { eval { $client->read_response->status == 200 } } 1 .. 700), 700, '... many requests in several records';
	$client->close;
	my $long = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: " . 'x' x 20000 . "\r\n\r\n";
	$client = tls_to($port, max => $version, fragment => 512);
	$client->send($long x 3);
	is scalar(grep { eval { $client->read_response->status == 200 } } 1 .. 3), 3, '... long ones in small records';
	$client->close;
	$client = tls_to($port, max => $version);
	$client->send('');
	$client->send($request);
	is $client->read_response->status, 200, '... an empty write first';
	$client->close;
}
my $client = tls_to($port);
$client->send($request), $client->send($request);
is $client->read_response->status + $client->read_response->status, 400, 'two requests at once on a kept connection';
is $client->fetch('GET', '/', host => 'kept')->body, '127.0.0.1 https kept', '... and a third';
$client->close;

# -- ends --
for my $version ('1.2', '1.3') {
	my @version = (max => $version);
	$client = tls_to($port, @version);
	$client->send($closing);
	is $client->read_response->status, 200, "Connection: close, TLS $version";
	is $client->end(5), 'closed', '... the server sends close_notify, then FIN';
	$client->close;
	$client = tls_to($port, @version);
	$client->send($request);
	$client->notify;
	is eval { $client->read_response->status } // $@, 200, 'close_notify right behind the request: it is answered';
	is $client->end(5), 'closed', '... and closed in order';
	$client->close;
	$client = tls_to($port, @version);
	$client->request('GET', '/up/delay/0.3');
	$client->notify;
	is eval { $client->read_response->status } // $@, 200, '... also one that takes its time';
	$client->end(5);
	$client->close;
	$client = tls_to($port, @version);
	$client->fetch('GET', '/');
	$client->notify;
	is $client->end(5), 'closed', 'close_notify between requests: answered with ours';
	$client->close;
	$client = tls_to($port, @version);
	$client->fetch('GET', '/');
	$client->fin;
	isnt $client->end(5), 'open', 'a FIN without close_notify: closed';
	$client->close;
	$client = tls_to($port, @version);
	$client->send('POST /up/echo HTTP/1.1' . "\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345");
	$client->fin;
	isnt $client->end(5), 'open', '... in the middle of a body: closed';
	unlike $client->buffered, qr{^HTTP/1\.1 200}, '... and not taken for whole';
	$client->close;
	$client = tls_to($port, @version);
	$client->send('POST /up/echo HTTP/1.1' . "\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345");
	$client->notify;
	isnt $client->end(5), 'open', 'close_notify in the middle of a body: closed';
	unlike $client->buffered, qr{^HTTP/1\.1 200}, '... and not taken for whole';
	$client->close;
	$client = tls_to($port, @version);
	$client->fetch('GET', '/');
	is $client->end(8), 'closed', 'keepalive_timeout: close_notify, then FIN';
	$client->close;
	for my $moment (['an idle connection', ''], ['half a request', 'GET / HT'], ['a request', $request]) {
		$client = tls_to($port, @version);
		$client->send($moment->[1]) if length $moment->[1];
		$client->reset;
	}
}
is tls_get($port, '/')->status, 200, 'resets do no harm';
ok eventually(5, sub { !grep { $_->{requests_active} || $_->{connections} } @{$server->status->{workers}} }), '... and nothing stays open'
    or diag explain $server->status->{workers};
$client = tls_to($port);
$client->send("GET / HTTP/9.9\r\n\r\n");
like eval { $client->read_response->status } // $@, qr/^(?:400|505)$/, 'a request that is none, over TLS: refused';
is $client->end(5), 'closed', '... with a proper end';
$client->close;

# -- what is not TLS --
sub sent_raw
{
	my ($bytes, %options) = @_;
	my $raw = connect_to(port => $port, timeout => 5);
	$raw->send($bytes);
	$raw->shutdown_write if $options{shutdown};
	my $all = $raw->read_to_end;
	my $end = $raw->end(0);
	$raw->close;
	return ($end, $all);
}
my $hello = client_hello(sni => 'a.test', alpn => 'http/1.1');
my $failures = totals()->{tls_failures};
my $cases = 0;
for my $case (
	['zeros', "\0" x 1000],
	['ones', "\xff" x 1000],
	['noise', "\x80" . join '', map { chr int rand 256 } 1 .. 5000],
	['a record longer than any', "\x16\x03\x01\xff\xff" . 'x' x 70000],
	['a record a byte longer than may be', "\x16\x03\x01\x48\x01" . 'x' x 0x4801],
	['data before a handshake', "\x17\x03\x03\x00\x05hello"],
	['an alert', "\x15\x03\x03\x00\x02\x02\x28"],
	['a change of ciphers', "\x14\x03\x03\x00\x01\x01"],
	['a handshake message longer than any', "\x16\x03\x01\x00\x04\x01\xff\xff\xff" . "\x16\x03\x01\x40\x00" . 'x' x 0x4000],
	['a message that is no ClientHello', "\x16\x03\x01\x00\x08\x02\0\0\4abcd"],
	['a ClientHello with lengths that lie', do { my $lie = $hello; substr($lie, 43, 1) = "\xff"; $lie }],
	['a ClientHello of SSL 2', "\x80\x2e\x01\x00\x02\0\x15\0\0\0\x10" . 'x' x 35],
	['version 9', do { my $lie = $hello; substr($lie, 1, 2) = "\x09\x09"; $lie }],
	['a ClientHello, then nonsense', $hello . 'x' x 500],
	['a ClientHello, then plain HTTP', $hello . $request],
	['two of them', $hello x 2],
	['empty records for ever', "\x16\x03\x01\0\0" x 100],
) {
	my ($name, $bytes) = @$case;
	my ($end, $got) = sent_raw($bytes);
	isnt $end, 'open', "not TLS: $name: closed";
	unlike $got, qr/HTTP/, '... with an alert at most';
	$cases++;
}
for my $cut (1, 3, 5, 6, 40, length($hello) - 1) {
	my ($end) = sent_raw(substr($hello, 0, $cut), shutdown => 1);
	isnt $end, 'open', "a ClientHello that ends behind $cut bytes: closed";
	$cases++;
}
# what ends within its first bytes may be called nobody's failure
ok eventually(5, sub { totals()->{tls_failures} >= $failures + $cases - 6 }), 'they are counted' or diag totals()->{tls_failures} - $failures, " of $cases";
is tls_get($port, '/')->status, 200, '... and it serves';
for my $version ('1.2', '1.3') {
	for my $case (['a damaged record', "\x17\x03\x03\x00\x20" . 'x' x 32], ['noise', 'x' x 100], ['a record too long', "\x17\x03\x03\xff\xff" . 'x' x 70000],
	    ['plain HTTP', $request]) {
		my ($name, $bytes) = @$case;
		$client = tls_to($port, max => $version);
		$client->fetch('GET', '/');
		$client->raw($bytes);
		my $end = $client->end(5);
		isnt $end, 'open', "in the middle of a connection, TLS $version: $name: closed";
		like $client->why, qr/alert (?:bad record mac|protocol version|unexpected message|record overflow|decode error|decryption failed)|^(?:cut|reset|broken|closed)$/,
		    '... by an alert: ' . $client->why;
		$client->close;
	}
}

$client = tls_to($port);
$client->fetch('GET', '/');
$client->update for 1 .. 500;
$client->end(1);
is tls_get($port, '/')->status, 200, 'new keys without end harm nobody';
$client->close;

# -- handshakes that stall --
sub stalls
{
	my ($name, $bytes, $to) = @_;
	my $raw = connect_to(port => $to // $port, timeout => 10);
	my $start = time;
	$raw->send($bytes) if length $bytes;
	$raw->read_to_end;
	within 0.9, 3, time - $start, "$name: cut off by header_timeout";
	$raw->close;
}
$failures = totals()->{tls_failures};
stalls('nothing at all', '');
stalls('half a ClientHello', substr $hello, 0, 100);
stalls('a ClientHello and no more', $hello);
stalls('a record that is announced', "\x16\x03\x01\x40\x00");
ok $server->wait_log(msg => 'TLS handshake with a client failed', reason => qr/time/), '... and logged with the reason';
cmp_ok totals()->{tls_failures}, '>=', $failures + 3, '... and counted';
my $slow = connect_to($port);
my $start = time;
for my $byte (split //, $hello) {
	last unless $slow->send($byte);
	last if $slow->end(0.02) ne 'open';
}
within 0.9, 3, time - $start, 'a byte now and then does not make it longer';
$slow->close;

# -- with a PROXY header --
sub with_proxy
{
	my ($header, %options) = @_;
	my $behind = eval { tls_to($proxied, before => $header, %options) } // return "nothing";
	my $response = eval { $behind->fetch('GET', '/', host => 'a') };
	$behind->close;
	return $response ? $response->body : 'nothing';
}
is with_proxy("PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n"), '203.0.113.7 https a', 'a PROXY header before TLS';
is with_proxy("PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n", piece => 1), '203.0.113.7 https a', '... byte by byte';
is with_proxy("PROXY UNKNOWN\r\n"), '127.0.0.1 https a', '... UNKNOWN';
is with_proxy(''), 'nothing', '... without one: closed';
is with_proxy("PROXY TCP4 203.0.113.777 10.0.0.1 4567 443\r\n"), 'nothing', '... with a wrong one: closed';
unlike with_proxy("PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n", from => '127.0.0.2'), qr/203/, '... from a stranger: not believed';
my $two = connect_to($proxied);
$two->send("PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n" . $request);
is eval { $two->read_response->status } // $@, 400, '... and HTTP in the clear behind it: 400';
stalls('a PROXY header and no more', "PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n", $proxied);
stalls('a PROXY header and half a ClientHello', "PROXY TCP4 203.0.113.7 10.0.0.1 4567 443\r\n" . substr($hello, 0, 50), $proxied);

# -- a unix socket --
is tls_get(undef, '/', path => "$dir/tls.sock", host => 'local')->body =~ s/^\S+ //r, 'https local', 'TLS on a unix socket';

# -- at info nobody's failure is logged --
my $quiet = start(<<"END");
listen: [{address: "127.0.0.1:$quiet_port", tls: {$certificates}}]
log: {level: info}
routes:
  - respond: x
END
tls_failure($quiet_port, min => '1.1', max => '1.1', weak => 1) for 1 .. 3;
exchange($quiet_port, $_) for 'x' x 50, $hello . 'x' x 50, $request;
ok eventually(5, sub { $quiet->status->{totals}{tls_failures} >= 6 }), 'log.level info: failures are counted';
is tls_get($quiet_port, '/')->status, 200, '... it serves';
ok !$quiet->find_log(msg => qr/handshake/i), '... and no line is written of them';
is scalar(grep { $_->{level} =~ /warn|error/ } $quiet->log_records), 0, '... nothing to worry about';

finish;
