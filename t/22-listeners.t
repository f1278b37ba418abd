# Listeners of every kind, the PROXY protocol, and whom reeve believes when somebody tells who the client is.
use lib 't/lib';
use Reeve::Test;
use Socket;

my $dir = temp_dir();
my $has_v6 = socket(my $v6, AF_INET6, SOCK_STREAM, 0) ? 1 : 0;
$has_v6 &&= bind $v6, pack_sockaddr_in6(0, Socket::IN6ADDR_LOOPBACK);
my ($plain, $proxied, $every, $six) = map { free_port() } 1 .. 4;
my $listen_six = $has_v6 ? "  - {address: \"[::1]:$six\"}\n" : '';
my $upstream = upstream();
my $server = start(<<"END");
trusted_proxies: [127.0.0.1/32, "fd00::/8"]
listen:
  - {address: "127.0.0.1:$plain"}
  - {address: "127.0.0.1:$proxied", proxy_protocol: true}
  - {address: ":$every"}
  - {address: "unix:$dir/reeve.sock"}
${listen_six}routes:
  - match: {path: /up/*}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", strip_prefix: /up}
  - respond: "{client_ip} {scheme} {host}"
END

# -- kinds --
is get($plain, '/')->body, '127.0.0.1 http 127.0.0.1', 'an IPv4 address';
is get($every, '/')->body, '127.0.0.1 http 127.0.0.1', 'every interface';
my $client = connect_to(path => "$dir/reeve.sock");
is $client->fetch('GET', '/', host => 'a')->status, 200, 'a unix socket';
$client->close;
SKIP: {
	skip 'no IPv6 on this machine', 2 unless $has_v6;
	$client = connect_to(host => '::1', port => $six);
	is $client->fetch('GET', '/', host => '[::1]')->body, '::1 http [::1]', 'an IPv6 address';
	$client = connect_to(host => '::1', port => $every);
	is $client->fetch('GET', '/', host => 'a')->body, '::1 http a', 'every interface, over IPv6';
}

# -- the PROXY protocol --
sub with_proxy
{
	my ($header, %options) = @_;
	my $proxied_client = connect_to(port => $proxied, timeout => 5, %options);
	$proxied_client->send($header . "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	my $response = eval { $proxied_client->read_response };
	return $response ? $response->body : 'nothing';
}
sub header_v2
{
	my ($command, $family, $address) = @_;
	return "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x20 | $command, $family, length $address) . $address;
}
my $four = pack 'a4a4nn', inet_aton('203.0.113.7'), inet_aton('10.0.0.1'), 4567, 80;
my $sixteen = Socket::inet_pton(AF_INET6, '2001:db8::7') . Socket::inet_pton(AF_INET6, '::1') . pack 'nn', 4567, 80;
is with_proxy("PROXY TCP4 203.0.113.7 10.0.0.1 4567 80\r\n"), '203.0.113.7 http a', 'v1, TCP4';
is with_proxy("PROXY TCP6 2001:db8::7 ::1 4567 80\r\n"), '2001:db8::7 http a', 'v1, TCP6';
is with_proxy("PROXY UNKNOWN\r\n"), '127.0.0.1 http a', 'v1, UNKNOWN: the peer counts';
is with_proxy("PROXY UNKNOWN whatever it says\r\n"), '127.0.0.1 http a', 'v1, UNKNOWN with more';
is with_proxy(header_v2(1, 0x11, $four)), '203.0.113.7 http a', 'v2, TCP over IPv4';
is with_proxy(header_v2(1, 0x21, $sixteen)), '2001:db8::7 http a', 'v2, TCP over IPv6';
is with_proxy(header_v2(1, 0x11, $four . pack 'Cna5', 4, 5, 'noise')), '203.0.113.7 http a', 'v2, TLVs are skipped';
is with_proxy(header_v2(0, 0, '')), '127.0.0.1 http a', 'v2, LOCAL: the peer counts';
for my $bad (
	['no header', ''],
	['a header that is none', "PROXXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n"],
	['lower case', "proxy TCP4 203.0.113.7 10.0.0.1 4567 80\r\n"],
	['an address that is none', "PROXY TCP4 203.0.113.777 10.0.0.1 4567 80\r\n"],
	['an address of the other family', "PROXY TCP4 ::1 ::1 4567 80\r\n"],
	['a port too large', "PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n"],
	['a bare LF', "PROXY TCP4 203.0.113.7 10.0.0.1 4567 80\n"],
	['no line end', 'PROXY ' . 'x' x 300],
	['v2, a version that is none', "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x31, 0x11, 12) . $four],
	['v2, too short', header_v2(1, 0x11, substr $four, 0, 8)],
	['v2, huge', "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x21, 0x11, 65535) . 'x' x 65535],
) {
	is with_proxy($bad->[1]), 'nothing', "PROXY: $bad->[0]: closed without an answer";
}
unlike with_proxy("PROXY TCP4 203.0.113.7 10.0.0.1 4567 80\r\n", from => '127.0.0.2'), qr/203/,
    'PROXY from a peer that is not trusted is not believed';
my $cut = connect_to($proxied);
for my $byte (split //, "PROXY TCP4 203.0.113.7 10.0.0.1 4567 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") {
	$cut->send($byte);
	sleep 0.001;
}
is $cut->read_response->body, '203.0.113.7 http a', 'PROXY byte by byte';
is $cut->fetch('GET', '/', host => 'a')->body, '203.0.113.7 http a', '... counts for the whole connection';

# -- who the client is, by fields --
sub asked
{
	my ($from, @headers) = @_;
	my $asking = connect_to(port => $plain, from => $from);
	my $response = $asking->fetch('GET', '/', host => 'a', headers => \@headers);
	$asking->close;
	return $response->body;
}
is asked('127.0.0.2', 'X-Forwarded-For' => '203.0.113.7'), '127.0.0.2 http a', 'X-Forwarded-For of a stranger';
is asked('127.0.0.2', 'Forwarded' => 'for=203.0.113.7;proto=https'), '127.0.0.2 http a', 'Forwarded of a stranger';
is asked('127.0.0.1', 'X-Forwarded-For' => '203.0.113.7'), '203.0.113.7 http a', 'X-Forwarded-For of a trusted proxy';
is asked('127.0.0.1', 'X-Forwarded-For' => '6.6.6.6, 203.0.113.7'), '203.0.113.7 http a',
    '... from the right: what the client made up does not count';
is asked('127.0.0.1', 'X-Forwarded-For' => '203.0.113.7, 127.0.0.1'), '203.0.113.7 http a', '... trusted hops are passed over';
is asked('127.0.0.1', 'X-Forwarded-For' => '6.6.6.6', 'X-Forwarded-For' => '203.0.113.7'), '203.0.113.7 http a',
    '... also in two fields';
is asked('127.0.0.1', 'X-Forwarded-For' => '203.0.113.7', 'X-Forwarded-Proto' => 'https'), '203.0.113.7 https a',
    'X-Forwarded-Proto of a trusted proxy';
is asked('127.0.0.1', 'Forwarded' => 'for="[2001:db8::7]:4567";proto=https'), '2001:db8::7 https a', 'Forwarded of a trusted proxy';
is asked('127.0.0.1', 'X-Forwarded-For' => '<script>, 203.0.113.7'), '203.0.113.7 http a',
    'nonsense of the client does not hide what the trusted proxy put behind it';
is asked('127.0.0.1', 'Forwarded' => 'for=6.6.6.6;by="x, for=203.0.113.7'), '203.0.113.7 http a', '... nor an open quote in Forwarded';
is asked('127.0.0.1', 'X-Forwarded-For' => '203.0.113.7', 'Forwarded' => 'for=6.6.6.6'), '203.0.113.7 http a',
    "... nor the client's own Forwarded beside the proxy's X-Forwarded-For";
like asked('127.0.0.1', 'X-Forwarded-For' => 'no address'), qr/ http a$/, 'X-Forwarded-For that is no address';
unlike asked('127.0.0.1', 'X-Forwarded-Proto' => 'gopher'), qr/gopher/, 'X-Forwarded-Proto that is no scheme';

# -- what the upstream is told --
sub told
{
	my ($from, @headers) = @_;
	my $asking = connect_to(port => $plain, from => $from);
	my $response = $asking->fetch('GET', '/up/echo', host => 'shop.example:81', headers => \@headers);
	$asking->close;
	return $response->json->{header};
}
my $told = told('127.0.0.2', 'X-Forwarded-For' => '6.6.6.6', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil',
    'Forwarded' => 'for=6.6.6.6', 'X-Real-IP' => '6.6.6.6');
is $told->{'x-forwarded-for'}, '127.0.0.2', 'upstream: X-Forwarded-For has no hearsay of strangers';
is $told->{'x-forwarded-proto'}, 'http', 'upstream: X-Forwarded-Proto is how the client came';
is $told->{'x-forwarded-host'}, 'shop.example:81', 'upstream: X-Forwarded-Host is what the client asked for';
unlike $told->{forwarded} // '', qr/6\.6\.6\.6/, 'upstream: Forwarded has no hearsay either';
like $told->{via} // '', qr/1\.1 /, 'upstream: Via';
$told = told('127.0.0.1', 'X-Forwarded-For' => '203.0.113.7', 'X-Forwarded-Proto' => 'https');
is $told->{'x-forwarded-for'}, '203.0.113.7, 127.0.0.1', 'upstream: a trusted proxy is believed, and we add whom we saw';
is $told->{'x-forwarded-proto'}, 'https', '... also about the scheme';

finish;
