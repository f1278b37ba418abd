# once
# The HTTP/2 client of the test library against another server than reeve. What fails here makes every test of HTTP/2 doubtful.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::H2;

$ENV{PATH} .= ':/usr/sbin';
plan skip_all => 'nghttpd is not installed' unless can_run('nghttpd');

my $root = temp_dir();
write_file("$root/small", 'hello');
write_file("$root/large", 'x' x 500_000);
my ($port, $tls_port) = (free_port(), free_port());
my $site = Reeve::Certificates->new->issue('a.test');
my @pids;
END { kill KILL => @pids if @pids }
for my $arguments (['--no-tls', $port], [$tls_port, $site->{key}, $site->{cert}]) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', '/dev/null';
		exec 'nghttpd', '-a', '127.0.0.1', '-d', $root, '--trailer=x-sum: 7', @$arguments or POSIX::_exit(127);
	}
	push @pids, $pid;
}
ok eventually(10, sub { my $is = Reeve::Server::ports_listening(); $is->{$port} && $is->{$tls_port} }), 'a server';

for my $tls (0, 1) {
	my @how = $tls ? ('index', 'huffman') : ();
	my $h2 = Reeve::H2->connect(port => $tls ? $tls_port : $port, tls => $tls, how => \@how);
	is $h2->alpn, 'h2', 'h2 was agreed on' if $tls;
	my $response = $h2->fetch('GET', '/small');
	is $response->status, 200, 'a status';
	is $response->header('content-length'), 5, '... a field';
	is $response->body, 'hello', '... content';
	is $response->trailer('x-sum'), 7, '... a trailer';
	is length $h2->fetch('GET', '/large')->body, 500_000, 'more than a window';
	is $h2->fetch('GET', '/none')->status, 404, 'another status';
	my $id = $h2->request('POST', '/small', body => 'x' x 300_000);
	is $h2->outcome($id), 'status 200', 'content sent, more than a window';
	is $h2->fetch('GET', '/small', headers => ['x-long' => 'y' x 5000], split => 1000, padding => 7)->status, 200,
	    'a head in many frames';
	$h2->send_settings(HEADER_TABLE_SIZE => 0, INITIAL_WINDOW_SIZE => 1000);
	ok $h2->wait_frame(type => 'SETTINGS', ack => 1), 'settings are acknowledged';
	is $h2->fetch('GET', '/small')->body, 'hello', '... and the table shrinks';
	$response = $h2->fetch('GET', '/large');
	is length $response->body, 500_000, '... and content comes in small pieces';
	ok $h2->is_alive, 'PING';
	$id = $h2->request('GET', '/large');
	$h2->send_reset($id);
	is $h2->fetch('GET', '/small')->body, 'hello', 'a stream is reset, the next one is served';
	$h2->send(frame('PING', 0, 1, '12345678'));
	is $h2->verdict, 'GOAWAY PROTOCOL_ERROR', 'a wrong frame ends the connection';
	like $h2->story, qr/> PING stream 1\n.*< GOAWAY last \d+ PROTOCOL_ERROR.*\n  < closed\z/s, '... and the story tells';
	$h2->close;
}

my $h2 = Reeve::H2->connect(port => $port, auto => 0);
my $id = $h2->request('GET', '/large');
is $h2->outcome($id, 0.3), 'open', 'no window is opened by itself when that is not wanted';
is length $h2->stream($id)->{body}, 65535, '... and what was open has come';
is $h2->verdict(0), 'open', 'a connection that stays';
kill KILL => splice @pids;
is $h2->outcome($id), 'closed', 'one that ends without a word' or diag $h2->story;

finish;
