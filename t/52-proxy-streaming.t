# Bodies of any size in bounded memory: a slow client slows the upstream, a slow upstream slows the client, and pieces
# travel as they come.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream(receive_buffer => 65536);
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
limits: {send_timeout: 20s, body_timeout: 20s}
routes:
  - body: {max_size: 1G}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
my ($worker) = $server->workers;
my $size = 60_000_000;
my $bound = 12_000_000;		# what a hundred megabytes may cost us, sockets' buffers apart

sub memory
{
	return $server->pss($worker // $server->{pid});
}

get($port, '/bytes/1000000');
my $base = memory();

# -- pieces travel as they come --
my $client = connect_to($port);
my $start = time;
$client->request('GET', '/slow/4/0.3');
$client->read_head;
cmp_ok time - $start, '<', 0.9, 'the head comes before the content';
is $client->read_bytes(1, 'piece'), '.', 'the first byte';
cmp_ok time - $start, '<', 1.1, '... comes before the last';
$client->read_bytes(3, 'rest');
$client->request('POST', '/slow-read/0', headers => ['Transfer-Encoding' => 'chunked']);
$client->send("5\r\nhello\r\n");
sleep 0.3;
is $upstream->request_count, 3, 'a request whose content is not all there is on its way already';
$client->send("0\r\n\r\n");
is $client->read_response->body, "5\n", '... and complete in the end';
$client->close;

# -- a client that does not read --
my @slow = map { connect_to(port => $port, receive_buffer => 4096) } 1 .. 2;
$_->request('GET', "/bytes/$size") for @slow;
sleep 1.5;
cmp_ok memory() - $base, '<', $bound, 'clients that do not read hold a bounded amount' unless is_sanitized;
is get($port, '/bytes/10')->status, 200, '... and hinder nobody';
my $response = $slow[0]->read_response;
is length $response->body, $size, '... and get all of it once they read';
is $response->body, Reeve::Upstream::Connection::pattern($size), '... byte for byte';
$_->close for @slow;

# -- an upstream that does not read --
my @fast = map { connect_to($port) } 1 .. 2;
for my $sender (@fast) {
	$sender->request('POST', '/slow-read/0.2', headers => ['Content-Length' => $size]);
	my $sent = 0;
	for (1 .. 200) {
		my $some = $sender->send_some('x' x 262144) or last;
		$sent += $some;
	}
	cmp_ok $sent, '<', 30_000_000, 'a client is slowed down by an upstream that does not read';
}
sleep 0.5;
cmp_ok memory() - $base, '<', $bound, '... and a bounded amount is held' unless is_sanitized;
is get($port, '/bytes/10')->status, 200, '... and hinders nobody';
$_->reset for @fast;

# -- large ones both ways --
my $content = Reeve::Upstream::Connection::pattern(20_000_000);
$client = connect_to(port => $port, timeout => 60);
is $client->fetch('POST', '/slow-read/0', body => $content)->body, "20000000\n", 'twenty megabytes up';
is $client->fetch('POST', '/slow-read/0', body => [map { substr $content, $_ * 100_000, 100_000 } 0 .. 99], chunked => 1)->body,
    "10000000\n", 'ten megabytes up in chunks';
is $client->fetch('GET', '/chunked/20000000/8191')->body, $content, 'twenty megabytes down in chunks';
is $client->fetch('GET', '/until-close/20000000')->body, $content, '... and until close';
$client->close;
ok eventually(5, sub { memory() - $base < $bound }), 'and all is given back' unless is_sanitized;

# -- a client that leaves in the middle --
for (1 .. 5) {
	$client = connect_to(port => $port, receive_buffer => 4096);
	$client->request('GET', "/bytes/$size");
	$client->read_some(1000, 5);
	$client->reset;
}
ok eventually(5, sub { $upstream->connections - $upstream->closed <= 4 }), 'a client that leaves ends the answer it does not want'
    or diag $upstream->connections - $upstream->closed;
is get($port, '/bytes/10')->status, 200, 'it serves as before';

finish;
