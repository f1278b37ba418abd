# A reload touches no connection: new requests take the new configuration, what is in flight keeps its own, and what is
# wrong changes nothing.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my ($port, $second, $busy_port) = map { free_port() } 1 .. 3;
my $up = 'http://127.0.0.1:' . $upstream->port;
sub config
{
	my ($version, %options) = @_;
	my $listen = join ', ', map { "{address: \"127.0.0.1:$_\"}" } $port, @{$options{more} // []};
	my $workers = $options{workers} // 2;
	return <<"END";
listen: [$listen]
workers: $workers
routes:
  - match: {path: /up/*}
    headers: {set: {X-Version: "$version"}}
    proxy: {to: "$up", strip_prefix: /up}
  - respond: "version $version"
END
}
my $server = start(config(1));
is get($port, '/')->body, 'version 1', 'the first configuration';

# -- the swap --
my $idle = connect_to($port);
is $idle->fetch('GET', '/')->body, 'version 1', 'a connection before';
my $busy = connect_to($port);
$busy->request('GET', '/up/slow/10/0.2');
my $head = $busy->read_head;
my @before = $server->workers;
my $reload = $server->reload(config(2));
is $reload->{exit}, 0, 'reload' or diag $reload->{out}, $reload->{err};
is get($port, '/')->body, 'version 2', 'a new connection has the new configuration';
is $idle->fetch('GET', '/')->body, 'version 2', '... an idle one, too, and was not closed';
is $idle->fetch('GET', '/')->header('connection'), undef, '... nor told to close';
is $busy->read_bytes(10, 'content'), '.' x 10, 'a request in flight is finished';
is $head->header('x-version'), 1, '... as it began';
is $busy->fetch('GET', '/')->body, 'version 2', '... and its connection goes on';
is_deeply [$server->workers], \@before, 'the workers are the same processes';
ok $server->find_log(msg => 'configuration reloaded'), 'the log tells';
my $agent = get($port, '/up/bytes/1')->header('x-connection');
$server->reload(config(3));
my %agents = map { get($port, '/up/bytes/1')->header('x-connection') => 1 } 1 .. 6;
ok $agents{$agent}, 'agents stay warm' or diag explain [$agent, \%agents];
$server->write_config(config('by signal'));
$server->mark_log;
$server->signal('HUP');
ok $server->wait_log(msg => 'configuration reloaded'), 'SIGHUP';
is $idle->fetch('GET', '/')->body, 'version by signal', '... does the same';

# -- what is wrong changes nothing --
for my $case (
	['a mistake', config(9) =~ s/respond:/respnd:/r, qr/reeve\.yaml:\d+:\d+: routes\[1\]\.respnd/],
	['no YAML', "listen: [\n", qr/reeve\.yaml:\d+/],
	['a port in use', config(9, more => [$upstream->port]), qr/in use/i],
	['a file that is not there', config(9) =~ s/respond: .*/respond: {file: nothing}/r, qr/nothing/],
) {
	my ($name, $text, $want) = @$case;
	$server->mark_log;
	my $result = $server->reload($text);
	is $result->{exit}, 1, "$name: refused";
	like $result->{err} . $result->{out}, $want, '... and says why';
	ok $server->wait_log(msg => qr/not reloaded/), '... also in the log';
	is $idle->fetch('GET', '/')->body, 'version by signal', '... and nothing changed';
	is get($port, '/')->body, 'version by signal', '... for nobody';
}

# -- listeners come and go --
is $server->reload(config(4, more => [$second]))->{exit}, 0, 'another listener';
is get($second, '/')->body, 'version 4', '... serves';
my $on_second = connect_to($second);
is $on_second->fetch('GET', '/')->body, 'version 4', 'a connection on it';
is $server->reload(config(5))->{exit}, 0, '... taken away';
ok !eval { connect_to($second) }, '... refuses';
is $on_second->fetch('GET', '/')->body, 'version 5', '... but who was there stays';
is $idle->fetch('GET', '/')->body, 'version 5', 'and the first listener never noticed';

# -- workers come and go --
is $server->reload(config(6, workers => 4))->{exit}, 0, 'more workers';
ok eventually(5, sub { 4 == (my @all = $server->workers) }), '... are there';
is $idle->fetch('GET', '/')->body, 'version 6', '... and the connection stays';
is $server->reload(config(7, workers => 1))->{exit}, 0, 'fewer workers';
ok eventually(10, sub { 1 == (my @all = $server->workers) }), '... go' or diag explain $server->titles;
is get($port, '/')->body, 'version 7', '... and it serves';
$idle->close;
is $server->reload(config(8, workers => 2))->{exit}, 0, 'and two again';

# -- a worker that dies after a reload starts from the bundle, whatever has happened to the file --
my $page = write_file("$server->{dir}/page.txt", 'as it was');
is $server->reload(config(9) =~ s/respond: .*/respond: {file: page.txt}/r)->{exit}, 0, 'a file in the configuration';
is get($port, '/')->body, 'as it was', '... is answered';
unlink $page;
$server->write_config("broken: [\n");
kill KILL => $server->workers;
ok eventually(10, sub { (my @all = $server->workers) == 2 && eval { get($port, '/')->body eq 'as it was' } }),
    'respawned workers start from the bundle, whatever has happened to the files';

# -- under load --
for my $keep_alive (1, 0) {
	$server->reload(config('load'));
	my @children;
	for my $number (1 .. 3) {
		my $pid = fork;
		if (!$pid) {
			my ($failed, $done, $closed) = (0, 0, 0);
			my $end = time + 4;
			my $client;
			while (time < $end) {
				$client //= connect_to($port);
				my $response = eval { $client->fetch('GET', '/up/bytes/100', $keep_alive ? () : (close => 1)) };
				$response && $response->status == 200 && length $response->body == 100 ? $done++ : $failed++;
				$closed++ if $keep_alive && (!$response || $response->header('connection'));
				undef $client if !$keep_alive || !$response || $response->header('connection');
			}
			print STDERR "# failed $failed closed $closed of $done\n" if $failed || $closed;
			POSIX::_exit($failed || $closed || !$done ? 1 : 0);
		}
		push @children, $pid;
	}
	my ($reloads, $refused) = (0, 0);
	my $end = time + 3.5;
	while (time < $end) {
		$server->reload(config("load $reloads"))->{exit} and $refused++;
		$reloads++;
	}
	my $bad = grep { waitpid $_, 0; $? } @children;
	is $bad, 0, "$reloads reloads under load, " . ($keep_alive ? 'keep-alive: no connection' : 'new connections: no request') . ' lost';
	is $refused, 0, '... every one done';
}
my ($worker) = $server->workers;
my $fds = $server->fd_count($worker);
my $primary_fds = $server->fd_count($server->{pid});
$server->reload(config("fds $_")) for 1 .. 10;
sleep 0.3;
cmp_ok $server->fd_count($worker), '<=', $fds + 3, 'reloads leave no descriptor open in a worker';
cmp_ok $server->fd_count($server->{pid}), '<=', $primary_fds + 1, '... nor in the primary';

finish;
