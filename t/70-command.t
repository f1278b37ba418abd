# The command: it waits for the outcome and tells the truth, in words and exit code.
use lib 't/lib';
use Reeve::Test;

# -- without a server --
for my $case (
	[[], 2], [['nonsense'], 2], [['run', '--nonsense'], 2], [['check', '-c'], 2], [['explain'], 2], [['status', 'x', 'y'], 2],
	[['version'], 0], [['help'], 0], [['help', 'run'], 0], [['help', 'nonsense'], 2], [['--help'], 0], [['--version'], 0],
) {
	my ($args, $exit) = @$case;
	my $result = command(@$args);
	is $result->{exit}, $exit, "reeve @$args: exit $exit" or diag $result->{out}, $result->{err};
	is $result->{signal}, 0, '... no crash';
	isnt $exit ? $result->{err} : $result->{out}, '', '... says something, to ' . ($exit ? 'stderr' : 'stdout');
}
like command('version')->{out}, qr/\b0\.1\.0\b/, 'the version';
like command('rn')->{err}, qr/run/, 'a misspelt command: the nearest';
for my $name (qw(status reload stop reopen-logs)) {
	my $result = command($name, '--control', '/nonexistent/control.sock');
	is $result->{exit}, 1, "$name without a server: exit 1";
	like $result->{err}, qr{/nonexistent/control\.sock}, '... names the socket';
}
my $missing = command('check', '-c', '/nonexistent/reeve.yaml');
is $missing->{exit}, 1, 'check: no file';
like $missing->{err} . $missing->{out}, qr{/nonexistent/reeve\.yaml}, '... is named';
my $dir = temp_dir();
write_file("$dir/reeve.yaml", "listen: [{address: \":1\"}]\nroutes: [{respond: a}]\n");
is command({ dir => $dir }, 'check')->{exit}, 0, 'check: ./reeve.yaml by default';

# -- status --
my $upstream = upstream();
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
pid_file: $dir/reeve.pid
upstreams:
  api: {servers: ["http://127.0.0.1:@{[$upstream->port]}"]}
routes:
  - match: {path: /up/*}
    proxy: {to: api, strip_prefix: /up}
  - match: {path: /slow}
    proxy: {to: api, path: /delay/2}
  - respond: "ok"
END
is read_file("$dir/reeve.pid") + 0, $server->{pid}, 'pid_file';
is +(stat $server->{control})[2] & 0777, 0600, 'the control socket is for its owner only';
get($port, '/') for 1 .. 10;
get($port, '/up/bytes/1') for 1 .. 5;
my @open = map { my $client = connect_to($port); $client->fetch('GET', '/'); $client } 1 .. 3;
my $text;
eventually(5, sub { $text = $server->control('status'); $text->{out} =~ /\bapi\b/ });	# the prober tells within a second
is $text->{exit}, 0, 'status';
like $text->{out}, qr/127\.0\.0\.1:$port/, '... names the listener';
like $text->{out}, qr/\bapi\b/, '... the upstream';
my $status = $server->status;
is $status->{pid}, $server->{pid}, 'status --json: pid';
is $status->{version}, '0.1.0', '... version';
is scalar @{$status->{workers} // []}, 2, '... workers';
is_deeply [sort { $a <=> $b } map { $_->{pid} } @{$status->{workers}}], [sort { $a <=> $b } $server->workers], '... their pids';
my ($connections, $requests) = (0, 0);
for my $worker (@{$status->{workers}}) {
	$connections += $worker->{connections} // 0;
	$requests += $worker->{requests} // 0;
}
is $connections, 3, '... connections that are open';
is $requests, 18, '... requests that were served';
$_->close for @open;
ok eventually(5, sub {
	my $open = 0;
	$open += $_->{connections} // 0 for @{$server->status->{workers}};
	$open == 0;
}), '... and nothing is left when all have gone';
is command('status', '-c', $server->{file})->{exit}, 0, 'status -c FILE finds the socket by its control key';

# -- reload, reopen-logs --
is $server->reload->{exit}, 0, 'reload';
my $failed = $server->reload("listen: 7\n");
is $failed->{exit}, 1, 'reload of a bad file: exit 1';
like $failed->{err}, qr/reeve\.yaml:1:\d+: listen/, '... and the reason';
is $server->control('reopen-logs')->{exit}, 0, 'reopen-logs';

# -- a second server on the same control socket --
my $second = command({ timeout => 20 }, 'run', '-c',
    write_file("$dir/second.yaml", "listen: [{address: \"127.0.0.1:@{[free_port()]}\"}]\nroutes: [{respond: x}]\n" .
    "control: $server->{control}\nstate_dir: $dir\n"));
is $second->{exit}, 1, 'a second server with the same control socket is refused';
is $server->control('status')->{exit}, 0, '... and the first keeps it';

# -- a stale socket --
my $stale = start("listen: [{address: \"127.0.0.1:@{[free_port()]}\"}]\nroutes: [{respond: x}]\nworkers: 1\n", exit => 'signal 9');
$stale->kill_all;
ok -e $stale->{control}, 'a server that was killed leaves its socket';
my $again = start($stale->{config}, dir => $stale->{dir});
is $again->control('status')->{exit}, 0, '... which hinders nobody';
is $again->control('stop')->{exit}, 0, 'stop';
ok $again->wait_end(1), '... waits until it has ended';
$stale->{control} = "$stale->{dir}/nothing";

# -- stop waits for what is in flight --
my $client = connect_to($port);
$client->request('GET', '/slow');
sleep 0.3;
my $start = time;
my $pid = fork;
if (!$pid) {
	my $stop = $server->control('stop');
	POSIX::_exit($stop->{exit});
}
is $client->read_response->status, 200, 'stop: what is in flight is finished';
waitpid $pid, 0;
is $? >> 8, 0, '... then it says so';
within 1.3, 5, time - $start, '... not before';
ok $server->wait_end(2), '... and the server has ended';
ok !-e "$dir/reeve.pid", '... its pid file is gone';

finish;
