# Every read and write may move a few bytes, be interrupted or find nothing ready: whatever passes arrives byte for byte,
# nothing hangs, nothing stays behind.
use lib 't/lib';
use Reeve::Test;
use Reeve::Fault;
use Digest::MD5 qw(md5_hex);

my $fault = Reeve::Fault->new or plan skip_all => $Reeve::Fault::why_not;
# the digest of what arrived, so that large bodies are held byte for byte, too
my $upstream = upstream(on => { digest => sub {
	my ($connection, $request) = @_;
	$connection->answer(200, md5_hex($connection->read_body($request)));
} });
my $port = free_port();
my $dir = temp_dir();
my %size = (small => 1_000, middle => 100_000, large => 1_000_000);
write_file("$dir/$_.bin", Reeve::Upstream::Connection::pattern($size{$_})) for keys %size;
my $server = start(<<"END", env => { $fault->environment });
listen: [{address: "127.0.0.1:$port"}]
log: {level: info, output: $dir/log}
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}"], retry: {attempts: 0}}
routes:
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up, websocket: true}
  - respond: "hello {path}"
END

sub pattern { Reeve::Upstream::Connection::pattern(@_) }

my @upgrade = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13,
    'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');

# -- the kinds: each is given a kept connection and dies, telling, when something is not as it has to be --
sub same
{
	my ($got, $want, $what) = @_;
	return if $got eq $want;
	my $at = 0;
	$at++ while $at < length $got && $at < length $want && substr($got, $at, 1) eq substr($want, $at, 1);
	die sprintf "%s: %d bytes for %d, other from %d on\n", $what, length $got, length $want, $at;
}

sub fetch
{
	my ($client, $status, $want, $method, $target, %options) = @_;
	my $response = $client->fetch($method, $target, %options);
	die "$method $target: " . $response->status . "\n" if $response->status != $status;
	same($response->body, $want, "$method $target") if defined $want;
	return $response;
}

sub tunnel
{
	my $client = connect_to($port);
	$client->request('GET', '/up/upgrade', headers => \@upgrade);
	die "not switched\n" if $client->read_response->status != 101;
	same($client->read_bytes(6, 'greeting'), 'HELLO ', 'greeting');
	for my $piece (1, 17, 4_000, 60_000) {
		my $bytes = substr pattern($piece + 3) =~ tr/0-9/a-j/r, 3;
		$client->send($bytes);
		same($client->read_bytes($piece, 'echo'), uc $bytes, "tunnel, $piece bytes");
	}
	$client->close;
}

sub pipeline
{
	my ($client) = @_;
	my @targets = ('/a', '/files/small.bin', '/up/bytes/500', '/b', '/up/chunked/3000/70', '/c');
	$client->send(join '', map { $client->request_bytes('GET', $_) } @targets);
	my @bodies = ('hello /a', pattern(1000), pattern(500), 'hello /b', pattern(3000), 'hello /c');
	for my $at (0 .. $#targets) {
		my $response = $client->read_response;
		same($response->body, $bodies[$at], "pipelined $targets[$at]");
	}
}

sub range
{
	my ($client, $name) = @_;
	my $from = int rand($size{$name} / 2);
	my $to = $from + int rand($size{$name} / 2);
	my $want = substr pattern($size{$name}), $from, $to - $from + 1;
	fetch($client, 206, $want, 'GET', "/files/$name.bin", headers => [Range => "bytes=$from-$to"]);
}

sub upload
{
	my ($client, $size, %options) = @_;
	my $body = pattern($size);
	my $pieces = [map { substr $body, $_ * 700, 700 } 0 .. $size / 700];
	fetch($client, 200, md5_hex($body), 'POST', '/up/digest', body => $options{chunked} ? $pieces : $body, %options);
}

my %kind = (
	respond		=> [20, sub { fetch($_[0], 200, 'hello /x', 'GET', '/x') }],
	head		=> [5, sub { fetch($_[0], 200, '', 'HEAD', '/files/middle.bin') }],
	missing		=> [3, sub { fetch($_[0], 404, undef, 'GET', '/files/none') }],
	'small file'	=> [10, sub { fetch($_[0], 200, pattern(1000), 'GET', '/files/small.bin') }],
	'middle file'	=> [6, sub { fetch($_[0], 200, pattern(100_000), 'GET', '/files/middle.bin') }],
	'large file'	=> [1, sub { fetch($_[0], 200, pattern(1_000_000), 'GET', '/files/large.bin') }],
	range		=> [6, sub { range($_[0], rand() < 0.8 ? 'middle' : 'large') }],
	proxied		=> [12, sub { fetch($_[0], 200, pattern(1000), 'GET', '/up/bytes/1000') }],
	'proxied, large' => [1, sub { fetch($_[0], 200, pattern(1_000_000), 'GET', '/up/bytes/1000000') }],
	chunked		=> [6, sub { fetch($_[0], 200, pattern(20_000), 'GET', '/up/chunked/20000/333') }],
	upload		=> [6, sub { upload($_[0], 5_000) }],
	'upload, chunked' => [6, sub { upload($_[0], 30_000, chunked => 1) }],
	'upload, large'	=> [1, sub { upload($_[0], 1_000_000) }],
	pipelined	=> [5, \&pipeline],
	tunnel		=> [1, \&tunnel],
);
my @deck = map { ($_) x $kind{$_}[0] } sort keys %kind;

# Requests of all kinds from several clients for so long. A child tells each kind's count, and what went wrong.
sub storm
{
	my ($seconds, $children) = @_;
	my $results = temp_dir();
	my @pids;
	for my $number (1 .. $children) {
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			srand $fault->seed + $number;
			my (%done, @failed, $client);
			my $end = time + $seconds;
			my @left = @deck;
			while (time < $end || @left) {
				@left = @deck unless @left;
				my ($name) = splice @left, rand @left, 1;
				$client //= connect_to(port => $port, timeout => 30);
				if (eval { $kind{$name}[1]->($client); 1 }) {
					$done{$name}++;
				} else {
					push @failed, "$name: $@";
					undef $client;
					last if @failed > 5;
				}
				undef $client if rand() < 0.05;
			}
			write_file("$results/$number", JSON::PP->new->encode({ done => \%done, failed => \@failed }));
			POSIX::_exit(0);
		}
		push @pids, $pid;
	}
	waitpid $_, 0 for @pids;
	my (%done, @failed);
	for my $number (1 .. $children) {
		my $result = json(read_file("$results/$number"));
		$done{$_} += $result->{done}{$_} for keys %{$result->{done}};
		push @failed, @{$result->{failed}};
	}
	return (\%done, \@failed);
}

sub totals
{
	my $status = $server->status;
	my ($active, $open) = (0, 0);
	$active += $_->{requests_active}, $open += $_->{connections} for @{$status->{workers}};
	return ($active, $open, $status);
}

get($port, '/');
get($port, '/up/bytes/1');
# Descriptors of each worker but for those to the upstream, which it keeps for the next request. Files stay open for a while,
# too.
sub descriptors
{
	my %count;
	for my $worker (@{$server->status->{workers}}) {
		$count{$worker->{pid}} = $server->fd_count($worker->{pid}) - $worker->{upstream_sockets};
	}
	return \%count;
}
my $before = descriptors();
for my $weather (['a drizzle', short => 0.05, eintr => 0.02, eagain => 0.05], ['a storm', short => 0.5, eintr => 0.2, eagain => 0.2]) {
	my ($name, %chances) = @$weather;
	my ($reads, $writes) = map { $fault->spoiled($_) } qw(read write);
	$fault->set(%chances);
	my $start = time;
	my ($done, $failed) = storm(is_sanitized ? 6 : 5, 3);
	my $sum = 0;
	$sum += $_ for values %$done;
	is_deeply $failed, [], sprintf '%s: %d requests in %.1f s, %d reads and %d writes spoiled: all arrives', $name, $sum,
	    time - $start, $fault->spoiled('read') - $reads, $fault->spoiled('write') - $writes
	    or diag 'seed ', $fault->seed, ' (REEVE_SEED)';
	is_deeply [grep { !$done->{$_} } keys %kind], [], '... of every kind';
	cmp_ok $sum, '>=', is_sanitized ? 100 : 500, '... and not in slow motion';
	cmp_ok $fault->spoiled('read') - $reads, '>', 100, '... with reads that were spoiled';
	cmp_ok $fault->spoiled('write') - $writes, '>', 100, '... and writes';
	my ($active, $open);
	ok eventually(5, sub { ($active, $open) = totals(); !$active && !$open }), '... nothing is left in work or open'
	    or diag "active $active, open $open";
}
# -- reloads and the control socket do not mind either --
is $server->reload->{exit}, 0, 'a reload in the storm' for 1 .. 3;
is $server->control('reopen-logs')->{exit}, 0, 'log files opened anew in the storm';
# -- and those who ask, too --
for (1 .. 5) {
	my $asked = command({ env => { $fault->environment } }, 'status', '--json', '--control', $server->{control});
	is eval { json($asked->{out})->{state} } // "$@ $asked->{err}", 'running', 'status, asked in the storm';
	is command({ env => { $fault->environment } }, 'reload', '--control', $server->{control})->{exit}, 0, '... a reload';
	is command({ env => { $fault->environment } }, 'check', '-c', $server->{file})->{exit}, 0, '... a check';
}
my $log = read_file("$dir/log");
$fault->clear;
is scalar(grep { !eval { json($_); 1 } } split /\n/, $log), 0, 'every line of the log is whole';
my $now;
ok eventually(5, sub { $now = descriptors(); !grep { $now->{$_} > ($before->{$_} // 0) + keys %size } keys %$now }), 'no descriptor is left'
    or diag explain [$before, $now];
my $status = $server->status;
my ($accepted, $closed, $aborted) = @{$status->{totals}}{qw(connections_accepted connections_closed aborted)};
is $accepted, $closed, 'the counters add up: accepted and closed';
is $aborted, 0, '... nothing was cut off';
is get($port, '/after')->body, 'hello /after', 'it serves';
is grep({ ($_->{restarts} // 0) > 0 } @{$status->{workers}}), 0, 'no worker died';

finish;
