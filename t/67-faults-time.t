# The time of day jumps and the log's disk is slow: timeouts, dates and requests do not mind.
use lib 't/lib';
use Reeve::Test;
use Reeve::Fault;
use Time::Local qw(timegm);

use constant DAY => 86_400;

my $fault = Reeve::Fault->new or plan skip_all => $Reeve::Fault::why_not;
my $upstream = upstream();
my $port = free_port();
my $dir = temp_dir();
mkdir "$dir/slow";
my $server = start(<<"END", env => { $fault->environment });
listen: [{address: "127.0.0.1:$port"}]
log: {level: info, output: $dir/slow/log}
watchdog: {timeout: 2s}
limits: {keepalive_timeout: 2s, header_timeout: 2s, body_timeout: 2s}
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}"], timeouts: {response: 2s}, retry: {attempts: 0}}
routes:
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up}
  - respond: "hello"
END

my %month = map { (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$_] => $_ } 0 .. 11;

# Seconds that a Date or a log's time is ahead of ours.
sub ahead
{
	my ($text) = @_;
	return timegm($6 // 0, $5, $4, $1, $month{$2}, $3) - time if $text =~ /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
	return timegm($6, $5, $4, $3, $2 - 1, $1) - time if $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/;
	return 1e12;
}

sub is_near
{
	my ($value, $want, $name) = @_;
	ok abs($value - $want) <= 2.5, $name or diag "$value, not $want";
}

# How long each limit lasts, together: its clients are waited for at the same time.
sub waits
{
	my ($step) = @_;
	my %client = map { $_ => connect_to(port => $port, timeout => 8) } qw(idle header body response);
	$client{idle}->fetch('GET', '/');
	$client{header}->send("GET / HTTP/1.1\r\nHost: a\r\n");
	$client{body}->send("POST /up/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
	$client{response}->request('GET', '/up/hang');
	my $start = time;
	sleep 0.5;
	$step->();
	my %took;
	my $select = IO::Select->new(map { $_->socket_handle } values %client);
	while (keys %took < 4 && time - $start < 8) {
		$select->can_read(0.2) or next;
		for my $name (grep { !$took{$_} } keys %client) {
			next unless $client{$name}->wait_readable(0);
			$took{$name} = time - $start;
			$select->remove($client{$name}->socket_handle);
		}
	}
	return \%took;
}

my @workers = $server->workers;
for my $case (['a day ahead', DAY], ['a day back', 0], ['a day behind', -(DAY)], ['two days ahead', DAY], ['a second back', DAY - 1]) {
	my ($name, $seconds) = @$case;
	my $took = waits(sub { $fault->set(clock => $seconds) });
	within 1.8, 3, $took->{$_} // 99, "the clock goes $name: $_: in its time" for sort qw(idle header body response);
	is_near ahead(get($port, '/')->header('date')), $seconds, '... Date follows';
	my $path = '/' . $name =~ tr/ /-/r;
	get($port, $path);
	my $record = $server->wait_log(from => "$dir/slow/log", msg => 'request', path => $path);
	is_near ahead($record->{time} // ''), $seconds, '... so does the log';
	cmp_ok $record->{duration_ms} // -1, '<', 1000, '... a duration is none of the clock\'s business';
	cmp_ok $record->{duration_ms} // -1, '>=', 0, '... nor ever negative';
}
is_deeply [$server->workers], \@workers, 'the watchdog killed nobody';
my $status = $server->status;
cmp_ok $status->{uptime_ms}, '<', 120_000, 'uptime is none of its business either';
is $server->reload->{exit}, 0, 'a reload';
$fault->clear;
is_near ahead(get($port, '/')->header('date')), 0, 'and back';

# -- a slow disk --
# How many requests went in so many seconds, the median's time and the 99th percentile's.
sub latency
{
	my ($seconds) = @_;
	my $client = connect_to($port);
	my @took;
	my $end = time + $seconds;
	while ((my $start = time) < $end) {
		$client->fetch('GET', '/slow-disk');
		push @took, time - $start;
	}
	@took = sort { $a <=> $b } @took;
	return (scalar @took, $took[@took / 2], $took[@took * 0.99]);
}
my ($count, $median, $late) = latency(0.5);
$fault->set(slow => [0.5, "$dir/slow/"]);
my $slept = $fault->spoiled('write');
my ($slow_count, $slow_median, $slow_late) = latency(2);
get($port, '/last');
cmp_ok $fault->spoiled('write') - $slept, '>', 1, 'each write to the log takes 500 ms';
cmp_ok $slow_median, '<', $median + 0.002, sprintf '... the median request does not: %.2f ms, %.2f before', 1000 * $slow_median, 1000 * $median;
cmp_ok $slow_late, '<', $late + 0.1, sprintf '... nor the 99th percentile: %.2f ms, %.2f before', 1000 * $slow_late, 1000 * $late;
is $server->status->{state}, 'running', '... it answers the control socket';
$fault->clear;
ok $server->wait_log(from => "$dir/slow/log", msg => 'request', path => '/last', within => 20), '... and nothing is late for ever';
my $lines = grep { m{"/slow-disk"} } split /\n/, read_file("$dir/slow/log");
my $dropped = $server->status->{totals}{log_dropped} + ($server->status->{log}{dropped} // 0);
cmp_ok $lines + $dropped, '>=', $count + $slow_count, "... every line is written or counted ($lines written, $dropped dropped)";

# -- the same, the log in a storm of short writes --
$fault->set(short => 0.5, eintr => 0.2);
get($port, "/line-$_") for 1 .. 200;
ok $server->wait_log(from => "$dir/slow/log", msg => 'request', path => '/line-200'), 'short writes to the log';
$fault->clear;
is scalar(grep { !eval { json($_); 1 } } split /\n/, read_file("$dir/slow/log")), 0, '... every line is whole';

# -- stopped and continued: nobody is taken for hung --
@workers = $server->workers;
kill STOP => $server->processes;
sleep 3;
kill CONT => $server->processes;
is get($port, '/')->status, 200, 'the whole service stopped for longer than the watchdog waits, and continued: it serves';
sleep 1.5;
is_deeply [$server->workers], \@workers, '... and the watchdog killed nobody';

finish;
