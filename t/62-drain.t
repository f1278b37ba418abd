# A graceful stop: `ready` says so while everything is still served, requests in flight finish, idle connections get one
# more answer or are closed, and past the grace what is left is cut.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my $port;
sub server
{
	my ($shutdown, %options) = @_;
	$port = free_port();
	return start(<<"END", %options);
listen: [{address: "127.0.0.1:$port"}]
shutdown: $shutdown
routes:
  - match: {path: /ready}
    health: ready
  - match: {path: /live}
    health: live
  - match: {path: /own}
    respond: "own"
  - proxy: http://127.0.0.1:@{[$upstream->port]}
END
}

# -- delay, then drain --
my $server = server('{delay: 1s, grace: 10s, idle: 1s}');
my ($idle, $silent, $busy, $upload, $ready) = map { connect_to($port) } 1 .. 5;
$_->fetch('GET', '/own') for $idle, $silent;
is $ready->fetch('GET', '/ready')->status, 200, 'ready';
$busy->request('GET', '/slow/20/0.2');
$busy->read_head;
$upload->request('POST', '/echo', headers => ['Content-Length' => 10]);
$upload->send('01234');
sleep 0.3;
my $start = time;
$server->signal('TERM');
ok eventually(0.8, sub { $ready->fetch('GET', '/ready')->status == 503 }), 'ready turns 503';
is $ready->fetch('GET', '/live')->status, 200, '... live does not';
is get($port, '/own')->status, 200, '... and new connections are served during shutdown.delay';
ok eventually(3, sub { !eval { connect_to($port)->close; 1 } }), 'then the listeners close';
within 0.9, 2.5, time - $start, '... after the delay';
my $response = $idle->fetch('GET', '/own');
is $response->status, 200, 'an idle connection has one more request answered';
is $response->header('connection'), 'close', '... with Connection: close';
is $idle->end, 'closed', '... and is closed';
is $silent->end(4), 'closed', 'one that asks nothing is closed after shutdown.idle';
is $silent->buffered, '', '... without a word';
$upload->send('56789');
$response = $upload->read_response;
is $response->json->{body}, '0123456789', 'an upload in flight is finished';
is $response->header('connection'), 'close', '... and its connection closed';
is $busy->read_bytes(20, 'content'), '.' x 20, 'a download in flight is finished';
is $busy->end, 'closed', '... and its connection closed';
ok $server->wait_end(5), 'then it ends';
cmp_ok time - $start, '<', 9, '... as soon as nothing is left to do';
is $server->exit_code, 0, '... exit code 0';
ok $server->find_log(msg => qr/^stopping/), 'the log tells';
ok $server->find_log(msg => 'stopped'), '... to the end';

# -- nothing to do --
$server = server('{grace: 20s}');
$start = time;
$server->signal('INT');
ok $server->wait_end(5), 'SIGINT stops, too';
cmp_ok time - $start, '<', 3, '... at once when nobody is there';

# -- past the grace --
$server = server('{grace: 1s, idle: 500ms}');
$busy = connect_to($port);
$busy->request('GET', '/hang');
sleep 0.3;
$start = time;
$server->signal('TERM');
my $end = $busy->end(8);
isnt $end, 'open', 'past shutdown.grace what is left is cut';
within 0.8, 3, time - $start, '... in that time';
ok $server->wait_end(5), '... and it ends';
is $server->exit_code, 0, '... as asked';

# -- a second signal, SIGQUIT --
for my $signals (['TERM', 'TERM'], ['INT', 'TERM'], ['QUIT']) {
	$server = server('{grace: 20s}');
	$busy = connect_to($port);
	$busy->request('GET', '/hang');
	sleep 0.3;
	$start = time;
	for my $signal (@$signals) {
		$server->signal($signal);
		sleep 0.3;
	}
	ok $server->wait_end(5), "SIG@{[join ', SIG', @$signals]}: at once";
	cmp_ok time - $start, '<', 4, '... indeed';
	is $server->exit_code, 0, '... as asked';
	$busy->close;
}

# -- no request is lost in a stop and start behind a balancer that listens to `ready` --
$server = server('{delay: 1500ms, grace: 10s}');
my $pid = fork;
if (!$pid) {
	my ($failed, $done) = (0, 0);
	while (get($port, '/ready')->status == 200) {
		my $answer = eval { get($port, '/bytes/1000') };
		$answer && $answer->status == 200 && length $answer->body == 1000 ? $done++ : $failed++;
	}
	POSIX::_exit($failed || !$done ? 1 : 0);
}
sleep 0.5;
$server->signal('TERM');
waitpid $pid, 0;
is $?, 0, 'a balancer that asks `ready` loses nothing';
ok $server->wait_end(10), 'and it ends';

finish;
