# TLS when things go wrong: a flood of handshakes, reads and writes that are spoiled, descriptors that run out; and what a
# connection costs.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::Fault;
use Reeve::TLS;
use Digest::MD5 qw(md5_hex);
use Errno ();
use IO::Socket::INET;

my $dir = temp_dir();
my $authority = Reeve::Certificates->new;
my $site = $authority->issue('a.test');
my $tls = "tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}";
my $handshakes = "$dir/handshakes";
my $said = join '', `@{[$ENV{CC} // 'cc']} -std=gnu17 -D_GNU_SOURCE -O1 -o $handshakes t/bench/handshakes.c -lssl -lcrypto 2>&1`;
die $said if $?;
my $slower = is_sanitized() ? 4 : 1;

# -- what an idle one costs: first of all, while the worker is as it was born --
my $port = free_port();
my $server = start(<<"END");
workers: 1
listen: [{address: "127.0.0.1:$port", $tls}]
log: {level: info, access: false}
limits: {header_timeout: 1s}
routes:
  - respond: hello
END
sub hold
{
	my ($count, @arguments) = @_;
	my ($worker) = $server->workers;
	my $before = $server->pss($worker);
	pipe my $read, my $write or die;
	my $pid = open my $told, '-|';
	die unless defined $pid;
	if (!$pid) {
		CORE::close $write;
		open STDIN, '<&', $read;
		exec $handshakes, '-i', $count, @arguments, $port or POSIX::_exit(1);
	}
	CORE::close $read;
	my ($have) = (<$told> // '') =~ /done (\d+)/;
	my $each = ($server->pss($worker) - $before) / ($have || 1);
	is tls_get($port, '/')->status, 200, '... others are served beside them';
	CORE::close $write;
	CORE::close $told;
	return ($have, $each);
}
tls_get($port, '/') for 1 .. 20;
for my $case (['TLS', 40, []], ['h2', 70, ['-2']]) {
	my ($name, $most, $arguments) = @$case;
	my ($have, $each) = hold(1000, @$arguments);
	is $have, 1000, "a thousand idle connections: $name";
	SKIP: {
		skip 'memory means nothing here', 1 if is_sanitized;
		cmp_ok $each / 1024, '<', $most, sprintf '... %.1f KB each', $each / 1024;
	}
	ok eventually(10, sub { !$server->status->{workers}[0]{connections} }), '... and gone';
}

# -- a flood of handshakes --
# What is asked of a connection that is there meanwhile: { asked, slowest }
sub ask_meanwhile
{
	my ($client, $seconds) = @_;
	my ($asked, $slowest) = (0, 0);
	my $end = time + $seconds;
	while (time < $end) {
		my $start = time;
		die "not answered\n" if $client->fetch('GET', '/')->status != 200;
		my $took = time - $start;
		$slowest = $took if $took > $slowest;
		$asked++;
		sleep 0.005;
	}
	return { asked => $asked, slowest => $slowest };
}
for my $flood (['as many as can be', '-n', 100], ['resumed ones', '-r', '-n', 100], ['beside 500 that stall', '-n', 50, '-d', 500]) {
	my ($name, @arguments) = @$flood;
	my $client = tls_to($port);
	$client->fetch('GET', '/');
	open my $told, '-|', $handshakes, '-s', 3, @arguments, $port or die;
	my $meanwhile = ask_meanwhile($client, 2.5);
	my $text = <$told>;
	close $told;
	my ($done, $failed) = $text =~ /done (\d+) failed (\d+)/;
	cmp_ok $done, '>', 100, "a flood of handshakes, $name: $done in 3 s";
	is $failed, 0, '... none fails';
	cmp_ok $meanwhile->{asked}, '>', 30 / $slower, "... $meanwhile->{asked} answers on an open connection";
	cmp_ok $meanwhile->{slowest}, '<', 0.5 * $slower, sprintf '... the slowest in %.0f ms', 1000 * $meanwhile->{slowest};
	$client->close;
}
my $totals;
ok eventually(10, sub { $totals = $server->status->{totals}; $totals->{tls_failures} >= 500 }), 'those that stalled are counted as failures'
    or diag explain $totals;
ok eventually(10, sub { !$server->status->{workers}[0]{connections} }), '... and gone';
# that the machine is busy may be told
my @lines = grep { $_->{level} ne 'info' && $_->{msg} !~ /event loop is late/ } $server->log_records;
is scalar @lines, 0, '... and not a line of the log is about them' or diag explain \@lines;

# -- no descriptors left --
my $narrow_port = free_port();
my $narrow = start(<<"END", limits => '-n 128');
workers: 1
listen: [{address: "127.0.0.1:$narrow_port", $tls}]
log: {level: info, access: false}
routes:
  - respond: hello
END
my $kept = tls_to($narrow_port);
$kept->fetch('GET', '/');
my @many = map { connect_to($narrow_port) } 1 .. 200;
my $hello = client_hello();
$_->send($hello) for @many;
my ($worker) = $narrow->workers;
my $cpu = $narrow->cpu($worker);
my $began = time;
is ask_meanwhile($kept, 1.5)->{slowest} < 0.5 * $slower, 1, 'no descriptor is left: who is there is served';
cmp_ok(($narrow->cpu($worker) - $cpu) / (time - $began), '<', 0.5 * $slower, '... and the worker does not spin');
$_->close for splice @many;
ok eventually(10, sub { eval { tls_get($narrow_port, '/')->status == 200 } }), '... and everybody when there are again';
$kept->close;

# -- reads and writes that are spoiled --
SKIP: {
	my $fault = Reeve::Fault->new or skip $Reeve::Fault::why_not, 1;
	my $upstream = upstream(on => { digest => sub {
		my ($connection, $request) = @_;
		$connection->answer(200, md5_hex($connection->read_body($request)));
	} });
	my %size = (small => 1_000, middle => 100_000, large => 1_000_000);
	write_file("$dir/$_.bin", Reeve::Upstream::Connection::pattern($size{$_})) for keys %size;
	my $storm_port = free_port();
	my $stormy = start(<<"END", env => { $fault->environment });
listen: [{address: "127.0.0.1:$storm_port", $tls}]
log: {level: info, access: false}
routes:
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
  - match: {path: /up/*}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", strip_prefix: /up, websocket: true}
  - respond: "hello {path}"
END
	my %sum = map { $_ => md5_hex(Reeve::Upstream::Connection::pattern($size{$_})) } keys %size;
	my @kinds = (
		['a word', sub { $_[0]->fetch('GET', '/x')->body eq 'hello /x' }],
		['a small file', sub { md5_hex($_[0]->fetch('GET', '/files/small.bin')->body) eq $sum{small} }],
		['a middle one', sub { md5_hex($_[0]->fetch('GET', '/files/middle.bin')->body) eq $sum{middle} }],
		['a large one', sub { md5_hex($_[0]->fetch('GET', '/files/large.bin')->body) eq $sum{large} }],
		['a part', sub { $_[0]->fetch('GET', '/files/middle.bin', headers => [Range => 'bytes=16000-49000'])->body eq
		    substr Reeve::Upstream::Connection::pattern(50000), 16000, 33001 }],
		['proxied', sub { md5_hex($_[0]->fetch('GET', '/up/bytes/100000')->body) eq $sum{middle} }],
		['proxied in chunks', sub { md5_hex($_[0]->fetch('GET', '/up/chunked/100000/999')->body) eq $sum{middle} }],
		['sent up', sub { $_[0]->fetch('POST', '/up/digest', body => Reeve::Upstream::Connection::pattern(100_000))->body eq $sum{middle} }],
		['pipelined', sub {
			my ($client) = @_;
			$client->send(join '', map { $client->request_bytes('GET', "/$_") } 1 .. 20);
			return 20 == grep { $client->read_response->body eq "hello /$_" } 1 .. 20;
		}],
	);
	for my $weather (['a drizzle', short => 0.05, eintr => 0.02, eagain => 0.05], ['a storm', short => 0.5, eintr => 0.2, eagain => 0.2]) {
		my ($name, %chances) = @$weather;
		my ($reads, $writes) = map { $fault->spoiled($_) } qw(read write);
		$fault->set(%chances);
		my $results = temp_dir();
		my @pids = map {
			my $number = $_;
			my $pid = fork // die;
			if (!$pid) {
				my ($done, @wrong) = (0);
				my $end = time + 4;
				for (my $round = 0; $round < 2 || time < $end; $round++) {
					my $client = eval { tls_to($storm_port, max => $round % 2 ? '1.2' : '1.3', timeout => 30,
					    session => "$results/session-$number", save => "$results/session-$number") };
					push(@wrong, "handshake: $@"), last unless $client;
					for my $kind (@kinds) {
						my $right = eval { $kind->[1]->($client) };
						$right ? $done++ : push @wrong, "$kind->[0]: $@";
						last unless $right;
					}
					$client->close;
					last if @wrong > 3;
				}
				write_file("$results/$number", JSON::PP->new->encode([$done, @wrong]));
				POSIX::_exit(0);
			}
			$pid;
		} 1 .. 3;
		waitpid $_, 0 for @pids;
		my ($done, @wrong) = (0);
		for my $result (map { json(read_file("$results/$_")) } 1 .. 3) {
			$done += shift @$result;
			push @wrong, @$result;
		}
		is_deeply \@wrong, [], "$name: $done answers over TLS, all whole" or diag 'seed ', $fault->seed, ' (REEVE_SEED)';
		cmp_ok $done, '>=', 3 * 2 * @kinds, '... and not in slow motion';
		cmp_ok $fault->spoiled('read') - $reads, '>', 100, '... with reads that were spoiled';
		cmp_ok $fault->spoiled('write') - $writes, '>', 100, '... and writes';
	}
	$fault->clear;
	$fault->fail('accept', 0.5);
	is scalar(grep { eval { tls_get($storm_port, '/')->status == 200 } } 1 .. 20), 20, 'accepts that fail: all are served in the end';
	$fault->clear;
	ok eventually(5, sub { !grep { $_->{connections} } @{$stormy->status->{workers}} }), 'nothing is left open';
	my ($accepted, $closed) = @{$stormy->status->{totals}}{qw(connections_accepted connections_closed)};
	is $accepted, $closed, 'the counters add up';
	is grep({ ($_->{restarts} // 0) > 0 } @{$stormy->status->{workers}}), 0, 'no worker died';
}

# -- hellos of 128 KB in records of a byte, from many at once: who shakes hands as one should has his turn --
{
	my $hello = pack('C C n', 1, 1, 0xffff) . "\3\3" . "\0" x 131_000;
	my $records = join '', map { pack 'C n n a', 22, 0x0301, 1, $_ } split //, $hello;
	my $many = is_sanitized() ? 12 : 64;	# all of them spend the same worker's time
	my $patient_port = free_port();
	my $patient = start(<<"END");
workers: 1
listen: [{address: "127.0.0.1:$patient_port", $tls}]
log: {level: info, access: false}
routes:
  - respond: hello
END
	my $pid = fork // die;
	if (!$pid) {
		$SIG{PIPE} = 'IGNORE';
		my (@socket, @at);
		my $end = time + 30;
		while (time < $end && getppid != 1) {
			for my $i (1 .. $many) {
				$socket[$i] //= do {
					$at[$i] = 0;
					IO::Socket::INET->new(PeerAddr => "127.0.0.1:$patient_port", Blocking => 0) // next;
				};
				my $count = syswrite $socket[$i], substr $records, $at[$i], 65536;
				next if !$count && ($!{EAGAIN} || $!{EINPROGRESS});
				$at[$i] += $count // 0;
				$socket[$i] = undef if !$count || $at[$i] >= length $records;
			}
		}
		POSIX::_exit(0);
	}
	ok eventually(15, sub { $patient->status->{totals}{tls_failures} > $many }), 'endless hellos are ended';
	is scalar(grep { (eval { tls_get($patient_port, '/')->status } // 0) == 200 } 1 .. 5), 5,
	    '... and nobody waits behind them in vain';
	kill KILL => $pid;
	waitpid $pid, 0;
}

finish;
