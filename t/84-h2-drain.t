# The life of an HTTP/2 connection: reloads touch nothing, a stop says GOAWAY twice and loses no stream, idle connections end.
use lib 't/lib';
use Reeve::Test;
use Reeve::H2;
use POSIX ();

use constant ALL => 2 ** 31 - 1;

my $upstream = upstream(receive_buffer => 16384);
my $port;
sub config
{
	my ($word, $more) = @_;
	return <<"END";
listen: [{address: "127.0.0.1:$port", protocols: [h2c, http/1.1]}]
@{[$more // '']}
routes:
  - match: {path: /own}
    respond: "$word"
  - match: {path: /ready}
    health: ready
  - body: {max_size: 100M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
}

sub server
{
	my ($more, %options) = @_;
	$port = free_port();
	return start(config('one', $more), %options);
}

sub goaways { return grep { $_->{type} eq 'GOAWAY' } $_[0]->frames }

# -- a reload touches no stream --
my $server = server();
my ($busy, $idle) = map { Reeve::H2->connect(port => $port) } 1 .. 2;
is $idle->fetch('GET', '/own')->body, 'one', 'a connection that idles';
my $download = $busy->request('GET', '/slow/20/0.05');
my $upload = $busy->request('POST', '/echo', open => 1);
$busy->send_data($upload, 'before, ');
$busy->head($download);
is $server->reload(config('two'))->{exit}, 0, 'a reload';
is $idle->fetch('GET', '/own')->body, 'two', '... the connection goes on, with the new configuration';
is $busy->fetch('GET', '/own')->body, 'two', '... also beside streams that are older';
$server->reload(config("three $_")) for 1 .. 5;
$busy->send_data($upload, 'behind', end => 1);
is $busy->response($upload)->json->{body}, 'before, behind', '... an upload goes on';
is $busy->response($download)->body, '.' x 20, '... a download, too';
is scalar(map { goaways($_) } $busy, $idle), 0, '... and nobody was told to go';
ok $idle->is_alive, '... nor is anybody gone';

my $pid = fork // die "fork: $!";
if (!$pid) {
	my $h2 = Reeve::H2->connect(port => $port);
	my $failed = 0;
	for (1 .. 200) {
		my @ids = map { $h2->request('GET', $_) } '/own', '/bytes/10000';
		$failed += grep { $h2->outcome($_) ne 'status 200' } @ids;
		sleep 0.002;
	}
	$h2->close;
	POSIX::_exit($failed ? 1 : 0);
}
$server->reload(config("four $_")) for 1 .. 6;
waitpid $pid, 0;
is $?, 0, 'four hundred requests during six reloads: none fails';

# -- a worker dies --
my $start = time;
my @workers = $server->workers;
kill KILL => @workers;
$server->{crashes} = 1;
like $idle->verdict(5), qr/^(?:closed|reset)\z/, 'a worker that is killed takes its connections along';
ok eventually(8, sub { eval { my $h2 = Reeve::H2->connect(port => $port, timeout => 2); my $told = $h2->fetch('GET',
    '/own')->status; $h2->close; $told == 200 } }),
    '... and the next one serves';
$_->close for $busy, $idle;

# -- a stop --
$server = server('shutdown: {delay: 700ms, grace: 10s, idle: 500ms}');
($busy, $idle) = map { Reeve::H2->connect(port => $port) } 1 .. 2;
my $late = Reeve::H2->connect(port => $port);
$_->fetch('GET', '/own') for $idle, $late;
$download = $busy->request('GET', '/slow/25/0.1');
$upload = $busy->request('POST', '/echo', open => 1);
$busy->send_data($upload, 'before, ');
$busy->head($download);
$start = time;
$server->signal('TERM');
ok eventually(0.6, sub { $late->fetch('GET', '/ready')->status == 503 }), 'ready turns 503';
is $late->fetch('GET', '/own')->status, 200, '... and all is served during shutdown.delay';
ok !goaways($late), '... without GOAWAY';
for my $h2 ($busy, $idle, $late) {
	my $goaway = $h2->wait_frame(type => 'GOAWAY', within => 3);
	is $goaway && "$goaway->{last} $goaway->{code}", ALL . ' NO_ERROR',
	    '6.8: the first GOAWAY: all that is on its way is still taken';
}
within 0.6, 2, time - $start, '... behind shutdown.delay';
my $last = $late->request('GET', '/own');
is $late->outcome($last), 'status 200', '... and is served';
my $final = $late->wait_frame(type => 'GOAWAY', within => 3);
is $final && "$final->{last} $final->{code}", "$last NO_ERROR", '... the second says which stream was the last';
is $late->verdict, 'GOAWAY NO_ERROR', '... and then the connection is closed';
is $idle->verdict, 'GOAWAY NO_ERROR', 'an idle one, too';
is +(goaways($idle))[-1]{last}, 1, '... with its last stream';
$final = $busy->wait_frame(type => 'GOAWAY', within => 3);
is $final && $final->{last}, $upload, 'a busy one hears which is its last stream';
like $busy->outcome($busy->request('GET', '/own'), 0.3), qr/^(?:reset REFUSED_STREAM|open)\z/,
    '... another one is refused, so that it may be sent elsewhere';
$busy->send_data($upload, 'behind', end => 1);
is $busy->response($upload)->json->{body}, 'before, behind', '... an upload in flight is finished';
is $busy->response($download)->body, '.' x 25, '... a download in flight is finished';
is $busy->verdict, 'GOAWAY NO_ERROR', '... and then it is closed';
$_->close for $busy, $idle, $late;
ok $server->wait_end(5), 'and the server ends';
cmp_ok time - $start, '<', 9, '... as soon as nothing is left';
is $server->exit_code, 0, '... as asked';

# -- past the grace --
$server = server('shutdown: {grace: 1s, idle: 300ms}');
$busy = Reeve::H2->connect(port => $port);
my $hangs = $busy->request('GET', '/hang');
$busy->is_alive;
$start = time;
$server->signal('TERM');
isnt $busy->outcome($hangs, 6), 'open', 'past shutdown.grace what is left is cut';
within 0.8, 3, time - $start, '... in that time';
$busy->close;
ok $server->wait_end(5), '... and it ends';
is $server->exit_code, 0, '... as asked';

# -- clients that come and go while it stops: nothing is lost --
$server = server('shutdown: {delay: 500ms, grace: 10s, idle: 500ms}');
$pid = fork // die "fork: $!";
if (!$pid) {
	my ($failed, $done) = (0, 0);
	my $h2 = Reeve::H2->connect(port => $port);
	until ($h2->{goaway} && $h2->{goaway}{last} != ALL) {
		my @ids = map { $h2->request('GET', $_) } ('/own', '/bytes/5000') x 4;
		for my $id (@ids) {
			my $outcome = $h2->outcome($id, 5);
			next if $outcome ne 'status 200' && $h2->{goaway} && $id > $h2->{goaway}{last};	# may be sent elsewhere
			$outcome eq 'status 200' ? $done++ : $failed++;
		}
	}
	print STDERR "# $failed of $done failed\n" . $h2->story . "\n" if $failed;
	POSIX::_exit($failed || !$done ? 1 : 0);
}
sleep 0.3;
$server->signal('TERM');
waitpid $pid, 0;
is $?, 0, 'every stream up to the one that GOAWAY names is answered';
ok $server->wait_end(10), 'and it ends';

# -- how long, how many --
$server = server('limits: {keepalive_timeout: 1s, keepalive_requests: 4}');
$idle = Reeve::H2->connect(port => $port);
$idle->fetch('GET', '/own');
$start = time;
is $idle->verdict(5), 'GOAWAY NO_ERROR', 'limits.keepalive_timeout: an idle connection is told to go, and closed';
within 0.9, 2.5, time - $start, '... in time';
$idle->close;
$busy = Reeve::H2->connect(port => $port);
is $busy->outcome($busy->request('GET', '/delay/1.6')), 'status 200', '... one that waits for an answer is not idle';
is $busy->fetch('GET', '/own')->status, 200, '... and goes on behind it';
my @ids = map { $busy->request('GET', '/own') } 1 .. 2;
is_deeply [map { $busy->outcome($_) } @ids], [('status 200') x 2], 'limits.keepalive_requests: 4 are served';
my $goaway = $busy->wait_frame(type => 'GOAWAY', within => 3);
is $goaway && "$goaway->{last} $goaway->{code}", ALL . ' NO_ERROR', '... then GOAWAY, in two steps as at a stop';
my $more = 0;
$start = time;
$more++ while !$busy->{ended} && time - $start < 6 && eval { $busy->fetch('GET', '/own',
    within => 4)->status == 200 } && sleep 0.1;
is $busy->verdict(4), 'GOAWAY NO_ERROR', '... and the connection ends, also of a client that does not listen';
cmp_ok $more, '<', 40, '... soon';
is +(goaways($busy))[-1]{last}, $ids[-1] + 2 * $more, '... and the last GOAWAY names the last stream that was served';
$busy->close;
my $never = Reeve::H2->connect(port => $port);
is $never->verdict(4), 'GOAWAY NO_ERROR', 'one that never asks is idle, too';
$never->close;

finish;
