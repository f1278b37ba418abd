# Streams beside one another: windows that are tied to who takes the content, memory that is bounded by them, and the order
# in which content is sent (RFC 9218).
use lib 't/lib';
use Reeve::Test;
use Reeve::H2;
use Reeve::Upstream;

my $upstream = upstream(receive_buffer => 16384, on => { '/deaf' => sub { sleep 60 }, '/later' => sub {
	my ($connection, $request) = @_;
	sleep 1.5;
	my $size = 0;
	$connection->read_body($request, sub { $size += length $_[0] });
	$connection->answer(200, "$size\n");
} });
my $port = free_port();
my $root = temp_dir();
write_file("$root/40k", 'x' x 40_000);
write_file("$root/200k", 'x' x 200_000);
write_file("$root/large", 'x' x 30_000_000);
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port", protocols: [h2c]}]
workers: 1
limits: {http2: {window: 256K}}
routes:
  - match: {path: /own}
    respond: own
  - match: {path: /files/*}
    files: {root: $root, strip_prefix: /files}
  - body: {max_size: 1G}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
my ($worker) = $server->workers;

sub pattern { return Reeve::Upstream::Connection::pattern(@_) }

# -- large content through small windows --
for my $window (100, 1000, 65535, 1_000_000) {
	my $size = $window < 1000 ? 20_000 : $window * 20 > 3_000_000 ? 3_000_000 : $window * 20;
	my $h2 = Reeve::H2->connect(port => $port, settings => [INITIAL_WINDOW_SIZE => $window]);
	ok $h2->fetch('GET', "/bytes/$size")->body eq pattern($size), "$size bytes through windows of $window";
	ok $h2->fetch('GET', "/chunked/$size/7000")->body eq pattern($size), '... in chunks';
	is length $h2->fetch('GET', '/files/40k')->body, 40_000, '... a file' if $window >= 1000;
	$h2->close;
}
my $h2 = Reeve::H2->connect(port => $port);
is $h2->{peer}{INITIAL_WINDOW_SIZE} <= 262144 ? 'less' : 'more', 'less', 'limits.http2.window bounds a stream\'s window';
is $h2->fetch('POST', '/echo', body => 'x' x 5_000_000)->json->{body_size}, 5_000_000, '5 MB sent';
my @ids = map { $h2->request('POST', '/echo', open => 1) } 1 .. 5;
for my $round (1 .. 10) {
	$h2->send_content($_, 'y' x 30_000, end => $round == 10) for @ids;
}
is_deeply [map { $h2->response($_)->json->{body_size} } @ids], [(300_000) x 5], '... and on five streams in turns';
$h2->close;

# -- an upstream that takes nothing: the client may send no more than the windows and the kernel hold --
my $before = $server->pss($worker);
$h2 = Reeve::H2->connect(port => $port);
my ($deaf, $other) = map { $h2->request('POST', $_, open => 1) } '/deaf', '/echo';
my $sent = 0;
my $stream = $h2->stream($deaf);
while ($sent < 40_000_000) {
	my ($room) = sort { $a <=> $b } $h2->{send_window}, $stream->{send_window}, 16384;
	if ($room <= 0) {
		$h2->step(0.4) or last;
		next;
	}
	$h2->send_data($deaf, 'x' x $room);
	$sent += $room;
}
cmp_ok $sent, '<', 20_000_000, 'an upstream that takes nothing stops the client\'s window';
cmp_ok $stream->{send_window}, '<=', 0, '... the stream\'s';
cmp_ok $h2->{send_window}, '>', 0, '... not the connection\'s';
cmp_ok $server->pss($worker) - $before, '<', 3_000_000, '... and the worker\'s memory is bounded' unless is_sanitized;
$h2->send_content($other, 'y' x 500_000, end => 1);
is $h2->response($other)->json->{body_size}, 500_000, '... while another stream goes on';
$h2->send_reset($deaf);
is $h2->fetch('POST', '/echo', body => 'x' x 1_000_000)->json->{body_size}, 1_000_000,
    '... and when it is reset its room is given back';
my $late = $h2->request('POST', '/later', open => 1);
ok $h2->send_content($late, 'x' x 8_000_000, end => 1, within => 20), 'an upstream that takes its time is waited for';
is $h2->response($late)->body, "8000000\n", '... and gets everything';
$h2->close;

# -- a client that takes nothing: the upstream, and the file, wait --
$before = $server->pss($worker);
$upstream->forget;
$h2 = Reeve::H2->connect(port => $port, auto => 0);
@ids = map { $h2->request('GET', $_) } ('/bytes/30000000') x 5, ('/files/large') x 5;
$h2->listen_for(0.7);
my $came = 0;
$came += length $h2->stream($_)->{body} for @ids;
is $came, 65535, 'a client that opens no window gets what the first one holds';
cmp_ok $server->pss($worker) - $before, '<', 4_000_000, '... and ten answers of 30 MB wait outside' unless is_sanitized;
$h2->send_reset($_) for @ids;
ok eventually(5, sub { $upstream->closed >= 5 }), '... until it takes them back';
$h2->send_window(0, 100_000);
is $h2->fetch('GET', '/own')->body, 'own', '... and asks for less';
$h2->close;

# -- the order of content: the streams that wait, then in the order their DATA comes; a number for each frame --
sub order
{
	my ($wanted, $change, @requests) = @_;
	my $h2 = Reeve::H2->connect(port => $port, auto => 0, settings => [INITIAL_WINDOW_SIZE => 1_000_000]);
	my $first = $h2->request('GET', '/files/large');
	$h2->wait_until(5, sub { $h2->{receive_window} <= 0 });
	my @ids = map { my ($path, $priority) = @$_; $h2->request('GET', $path,
	    headers => $priority ? [priority => $priority] : []) } @requests;
	$h2->head($_) for @ids;
	$change->($h2, @ids) if $change;
	$h2->send_reset($first);
	$h2->is_alive;
	$h2->send_window(0, 1_000_000);
	$h2->outcome($_) for @ids;
	my %number = map { $ids[$_] => $_ } 0 .. $#ids;
	my $order = join '',
	    map { $number{$_->{stream}} } grep { $_->{type} eq 'DATA' && $_->{length} && exists $number{$_->{stream}} } $h2->frames;
	$h2->close;
	return $order if !$wanted;
	return like $order, $wanted->[0], $wanted->[1];
}

order([qr/\A1+2+0+\z/, 'the more urgent first'], undef, ['/files/40k', 'u=5'], ['/files/40k', 'u=1'], ['/files/40k', 'u=3']);
order([qr/\A1+0+2+\z/, 'without a word: u=3'], undef, ['/files/40k'], ['/files/40k', 'u=2'], ['/files/40k', 'u=4']);
order([qr/\A0+1+2+\z/, 'of one urgency, not incremental: one behind the other'], undef, map { ['/files/200k', 'u=3'] } 1 .. 3);
order([qr/\A(?!0+1+2+\z)[012]*?(?:01|10|02|20|12|21)[012]*(?:01|10|02|20|12|21)/, '... incremental: in turns'], undef,
    map { ['/files/200k', 'u=3, i'] } 1 .. 3);
order([qr/\A2+/, 'incremental or not, urgency comes first'], undef, ['/files/200k', 'i'], ['/files/200k', 'i'], ['/files/40k',
    'u=0']);
order([qr/\A2+0+1+\z/, 'PRIORITY_UPDATE changes it'], sub {
	my ($h2, @ids) = @_;
	$h2->send(frame('PRIORITY_UPDATE', 0, 0, pack('N', $ids[2]) . 'u=0') . frame('PRIORITY_UPDATE', 0, 0, pack('N',
	    $ids[1]) . 'u=7'));
}, map { ['/files/40k', 'u=3'] } 1 .. 3);
order([qr/\A0+1+\z/, 'a priority nobody understands is none'], undef, ['/files/40k', 'u=9, x="'], ['/files/40k', 'u=4']);
order([qr/\A1+0+\z/, 'the priority of content from an upstream'], undef, ['/bytes/40000', 'u=6'], ['/bytes/40000', 'u=2']);

my $turns = order(undef, undef, map { ['/files/200k', 'u=3, i'] } 1 .. 2);
my ($longest) = sort { $b <=> $a } map { length } $turns =~ /(0+|1+)/g;
cmp_ok $longest, '<=', 4, 'incremental ones take turns every few frames' or diag $turns;

# -- PRIORITY_UPDATE before its request, and wrong ones --
$h2 = Reeve::H2->connect(port => $port);
$h2->send(frame('PRIORITY_UPDATE', 0, 0, pack('N', 1) . 'u=0'));
is $h2->fetch('GET', '/own')->status, 200, 'PRIORITY_UPDATE may come before its request';
$h2->close;
for (['on a stream', 'PROTOCOL_ERROR', 1, pack('N', 1) . 'u=0'], ['of stream 0', 'PROTOCOL_ERROR', 0, pack('N', 0) . 'u=0'],
    ['too short', 'FRAME_SIZE_ERROR', 0, 'xyz']) {
	my ($name, $code, $on, $payload) = @$_;
	$h2 = Reeve::H2->connect(port => $port);
	$h2->request('POST', '/echo', open => 1);
	$h2->send(frame('PRIORITY_UPDATE', 0, $on, $payload));
	is $h2->verdict, "GOAWAY $code", "RFC 9218 7.1: PRIORITY_UPDATE $name";
	$h2->close;
}

finish;
