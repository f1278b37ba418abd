# Load, reloads and killed workers for a while, in bad weather: nothing grows, and the counters add up.
use lib 't/lib';
use Reeve::Test;
use Reeve::Fault;
use Reeve::Load qw(rss);

my $fault = Reeve::Fault->new or plan skip_all => $Reeve::Fault::why_not;
my $upstream = upstream();
my $dir = temp_dir();
my $port = free_port();
write_file("$dir/page", Reeve::Upstream::Connection::pattern(20_000));
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
workers: 2
log: {level: info, output: $dir/log}
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}"]}
routes:
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up}
  - match: {path: /page}
    files: {root: $dir}
  - respond: "hello"
END

my $server = start($config, env => { $fault->environment });
$fault->set(short => 0.05, eintr => 0.02, eagain => 0.05);
$fault->fail('accept', 0.02);
# The first round warms up; what the processes hold then is what they hold after the others.
my $seconds = 6;
my (%rss, %fds, %first, @lost);
my $kills = 0;
for my $round (0 .. 2) {
	my $running = Reeve::Load->start($port, $seconds, 3, '/', '/up/bytes/10000', '/up/chunked/3000', '/page');
	my $until = time + $seconds;
	my ($reloads, $refused) = (0, 0);
	my $next_kill = time + 1;
	while (time < $until) {
		$server->reload("$config\n# $round $reloads\n")->{exit} and $refused++;
		$reloads++;
		if ($round == 1 && time > $next_kill && $kills < 3 && (my @now = $server->workers) == 2) {
			kill KILL => $now[$kills++ % 2];
			$next_kill = time + 1.5;
		}
		sleep 0.2;
	}
	my $sum = $running->sum;
	# a client loses the request that it is in when its worker is killed, and each has but one
	my $bound = $round == 1 ? 3 * $kills : 0;
	cmp_ok $sum->{lost}, '<=', $bound, "round $round: $sum->{done} requests, $reloads reloads: $sum->{lost} lost, $bound might have been"
	    or diag explain $sum;
	is $sum->{failed}, 0, '... none failed' or diag explain $sum;
	cmp_ok $refused, '<=', $round == 1 ? $kills : 0, '... reloads were done';
	ok eventually(10, sub { 2 == (my @all = $server->workers) && $server->status->{totals}{requests} }), '... two workers';
	get($port, '/up/bytes/1') for 1 .. 4;
	sleep 0.3;
	my $titles = $server->titles;
	for my $pid (grep { $titles->{$_} =~ /^reeve: / } keys %$titles) {
		my $title = $titles->{$pid} =~ s/ \(.*//r;
		$first{$title} //= [rss($pid), $server->fd_count($pid)];
		my ($memory, $count) = (rss($pid), $server->fd_count($pid));
		cmp_ok $count, '<=', $first{$title}[1] + 4, sprintf '... %s: %d descriptors', $title, $count;
		cmp_ok $memory, '<=', $first{$title}[0] * 1.15 + 2, sprintf '... %s: %.1f MiB, %.1f at first', $title, $memory, $first{$title}[0]
		    unless is_sanitized;
	}
}
my ($status, $open);
ok eventually(5, sub {
	$status = $server->status;
	$open = 0;
	$open += $_->{connections} for @{$status->{workers}};
	!$open && !grep { $_->{requests_active} } @{$status->{workers}};
}), 'in the end nothing is open and nothing in work' or diag explain $status->{workers};
my $totals = $status->{totals};
is $totals->{connections_accepted}, $totals->{connections_closed} + $open, "... connections: accepted = closed + open";
my $answers = 0;
$answers += $totals->{"responses_${_}xx"} for 2 .. 5;
cmp_ok abs($totals->{requests} - $answers), '<=', 3 * $kills, "... $totals->{requests} requests, $answers answers";

finish;
