# once
# HTTP/2 to servers that take requests back, break off, lie about lengths, or do not keep to the protocol: what the client gets,
# what is sent again, and that nobody else is harmed.
use lib 't/lib';
use Reeve::Test;
use Reeve::Frames;
use Reeve::H2Upstream;

my (%server, @names);
my @upstreams;
sub h2_upstream
{
	my ($name, %options) = @_;
	push @names, $name;
	push @upstreams, my $upstream = Reeve::H2Upstream->start(name => $name, %options);
	return $upstream;
}
END { $_->stop for @upstreams }

my $one = h2_upstream('one');
my $two = h2_upstream('two', willing => 1);
my $few = h2_upstream('few', settings => [MAX_CONCURRENT_STREAMS => 2]);
my $small = h2_upstream('small', settings => [INITIAL_WINDOW_SIZE => 100]);
my $deaf = h2_upstream('deaf', deaf => 1);
my $mute = h2_upstream('mute', first => '');
my $strange = h2_upstream('strange', first => "220 mail.test ESMTP\r\n");
my $port = free_port();
my $limits = 'eject: {failures: 100000}, timeouts: {response: 1s, idle: 1s, connect: 500ms}';
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
upstreams:
  once: {servers: ["@{[$one->url]}"], protocol: h2, retry: {attempts: 1, budget: 100%}, $limits}
  never: {servers: ["@{[$one->url]}"], protocol: h2, retry: 0, $limits}
  both: {servers: ["@{[$one->url]}", {url: "@{[$two->url]}", backup: true}], protocol: h2, retry: 0, $limits}
  few: {servers: ["@{[$few->url]}"], protocol: h2, agent: {max_sockets: 2}, retry: 0, $limits}
  small: {servers: ["@{[$small->url]}"], protocol: h2, retry: 0, $limits}
  deaf: {servers: ["@{[$deaf->url]}"], protocol: h2, retry: 0, $limits}
  mute: {servers: ["@{[$mute->url]}"], protocol: h2, retry: 0, $limits}
  strange: {servers: ["@{[$strange->url]}"], protocol: h2, retry: 0, $limits}
routes:
@{[join '', map { "  - match: {path: /$_/*}\n    proxy: {to: $_, strip_prefix: /$_}\n" }
    qw(once never both few small deaf mute strange)]}
END

sub seen
{
	my ($target, %options) = @_;
	my $response = eval { request($port, $options{method} // 'GET', $target, %options) };
	return $response ? $response->status : 'broken';
}

# The reason in the access log of the last request.
sub reason
{
	my ($target) = @_;
	my $record = $server->wait_log(msg => 'request', path => $target =~ s/\?.*//sr);
	return $record ? $record->{error} : 'no record';
}

my $key = 0;
sub tries
{
	my ($to, $how, $times, %options) = @_;
	$key++;
	$_->forget for $one, $two;
	my $status = seen("/$to/$how/k$key/$times", %options);
	return "$status after " . ($one->request_count + $two->request_count);
}

# -- what has not been processed is sent again, whatever it is (RFC 9113 §8.7) --
is tries('never', 'refuse', 1), '200 after 2', 'REFUSED_STREAM: sent again, and that is no retry';
is tries('never', 'refuse', 2, method => 'POST', body => 'x' x 5000), '200 after 3', '... POST with content, too';
is tries('never', 'refuse', 100), '502 after 4', '... but not for ever';
like reason("/never/refuse/k$key/100"), qr/it refused the stream/, '... and the log says so';
is tries('never', 'goaway', 1, method => 'POST', body => 'x'), '200 after 2', 'GOAWAY takes a POST back: sent again';
is tries('never', 'goaway', 2), '200 after 3', '... twice, each time on another connection';
is tries('both', 'refuse', 1, method => 'POST', body => 'x'), '200 after 2', 'with two servers';
ok $one->request_count == 1 && $two->request_count == 1, '... the other one is asked';
my $before = $one->connections;
is seen('/never/goaway-behind'), 200, 'GOAWAY behind an answer';
is seen('/never/bytes/5'), 200, '... the next request is served';
is $one->connections, $before + 1, '... on another connection';
my $client = connect_to($port);
$client->request('GET', '/never/goaway-wait/0.4');
sleep 0.1;
is seen('/never/bytes/5'), 200, 'while a connection is left, others go elsewhere';
is $client->read_response->body, 'hello', '... and what it has is finished';

# -- what breaks off --
for my $code (qw(NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR STREAM_CLOSED CANCEL ENHANCE_YOUR_CALM
    INADEQUATE_SECURITY HTTP_1_1_REQUIRED 99)) {
	$one->forget;
	is seen("/once/reset/$code", method => 'POST', body => 'x'), 502, "RST_STREAM $code: 502";
	is $one->request_count, 1, '... a POST is not sent again';
}
like reason('/once/reset/HTTP_1_1_REQUIRED'), qr/HTTP\/1\.1/, 'HTTP_1_1_REQUIRED has its own words';
$one->forget;
is seen('/once/reset/INTERNAL_ERROR'), 502, 'GET';
is $one->request_count, 2, '... is tried again';
is $one->connections, 0, '... on the same connection, which was not broken';
$one->forget;
is seen('/once/close', method => 'POST', body => 'x'), 502, 'closed without an answer: a POST';
is $one->request_count, 1, '... is not sent again';
is seen('/once/close'), 502, 'a GET';
is $one->request_count, 3, '... is';
is seen('/never/hang'), 504, 'no answer: 504';
ok eventually(2, sub { grep { $_->{code} eq 'CANCEL' } $one->events('reset') }), '... and the stream is reset';
for my $how (qw(close-middle reset-middle/CANCEL reset-middle/NO_ERROR)) {
	is seen("/never/$how"), 'broken', "$how: the client sees that the answer is not complete";
}

# -- lies --
is seen('/never/longer'), 502, 'more content than content-length';
is seen('/never/shorter'), 502, 'less';
is seen('/never/late'), 200, 'frames on a stream that is over harm nobody';
is seen('/never/huge-head/20000'), 200, 'a head of 20 KB';
is seen('/never/huge-head/30000'), 502, '... of 30 KB is too large';
is seen('/never/many-fields/100'), 200, '100 fields';
is seen('/never/many-fields/200'), 502, '... 200 are too many';
for (['connection', 'close'], ['transfer-encoding', 'chunked'], ['keep-alive', 'timeout=5'], ['upgrade', 'h2c'],
    ['proxy-connection', 'close'], ['X-Upper', 'a'], ["x\r\ny", 'a'], ['x', "a\r\nSet-Cookie: evil=1"], ['x', "a\0b"],
    [':status', 200], [':path', '/'], ['content-length', 7]) {
	my ($name, $value) = @$_;
	is seen('/never/field/' . unpack('H*', $name) . '/' . unpack('H*', $value)), 502,
	    "field \"$name: $value\"" =~ s/[\r\n\0]/?/gr;
}
is seen("/never/status-text/$_"), 502, "status $_" for qw(99 600 101 2x0 2000 -20);
is seen('/never/status-text/103'), 502, 'a 1xx that ends the stream';

# -- frames that must not be --
for (['DATA on a stream that never was', 'DATA', 0, 99, '61'], ['PUSH_PROMISE', 'PUSH_PROMISE', 4, 'own', '00000002828684'],
    ['WINDOW_UPDATE of nothing', 'WINDOW_UPDATE', 0, 0, '00000000'], ['PING of 7 bytes', 'PING', 0, 0, '61' x 7],
    ['SETTINGS of 5 bytes', 'SETTINGS', 0, 0, '00' x 5], ['CONTINUATION out of nowhere', 'CONTINUATION', 4, 'own', '88'],
    ['nonsense for HPACK', 'HEADERS', 5, 'own', 'ff' x 9], ['a window beyond all bounds', 'WINDOW_UPDATE', 0, 0, '7fffffff'],
    ['HEADERS of a push', 'HEADERS', 5, 2, '88']) {
	my ($name, $type, $flags, $id, $hex) = @$_;
	$one->forget;
	is seen("/never/frame/$type/$flags/$id/$hex"), 'broken', "$name: the answer ends";
	ok eventually(2, sub { $one->closed }), '... and the connection';
	ok scalar(grep { $_->{code} ne 'NO_ERROR' } $one->events('goaway')), '... with GOAWAY';
	is seen('/never/bytes/5'), 200, '... the next request is served';
}
is seen('/never/frame/99/0/0/616263'), 'broken', 'a frame of unknown type is passed over (the answer never ends)';
is seen('/never/frame/PRIORITY/0/own/0000000010'), 'broken', 'PRIORITY, too';

# -- windows --
is request($port, 'POST', '/small/echo', body => 'x' x 5000)->json->{body}, 'x' x 5000, 'a small window: content goes through';
is seen('/small/slow-read', method => 'POST', body => 'x' x 5000), 504, 'a window that never opens: 504';
is seen('/never/zero-window'), 200, 'a window of 0 from now on';
is seen('/never/echo', method => 'POST', body => 'x' x 5000), 504, '... content cannot leave: 504';
is seen('/never/bytes/5'), 200, '... a request without is served';
is seen('/never/early-answer', method => 'POST', body => 'x' x 300_000), 413, 'an answer before all content is there';
is length(get($port, '/never/bytes/1000000')->body), 1_000_000, 'an answer larger than all windows';
is length(get($port, '/never/stream/300000/1')->body), 300_000, '... in frames of a byte';

# -- servers that allow few streams, say nothing, or something else --
my @clients = map { connect_to($port) } 1 .. 20;
$_->request('GET', '/few/bytes/5') for @clients;
is scalar(grep { $_->read_response->status == 200 } @clients), 20, 'twenty at once where two streams are allowed, two sockets';
is seen('/deaf/bytes/5'), 504, 'a server that reads nothing: 504';
is seen('/mute/bytes/5'), 502, 'one that answers without SETTINGS: 502';
is seen('/strange/bytes/5'), 502, 'one that speaks something else: 502';
like reason('/strange/bytes/5'), qr/it does not speak HTTP\/2/, '... and the log says so';
is seen('/never/bytes/5'), 200, 'at the end all is well';
$_->close for $client, @clients;
is_deeply [map { $_->{msg} } grep { $_->{level} eq 'fatal' } $server->log_records], [], 'nothing fatal was logged';

$_->stop for splice @upstreams;
finish;
