# Several servers: balancing of every kind, weights, backups, health checks, ejection with half-open, slow start.
use lib 't/lib';
use Reeve::Test;

my %up = map { $_ => upstream(name => $_) } qw(a b c);
my %port = map { $_ => $up{$_}->port } keys %up;
my $port = free_port();
my $all = join ', ', map { "\"http://127.0.0.1:$port{$_}\"" } qw(a b c);
my $health = 'health: {path: /health, interval: 200ms, timeout: 300ms, rise: 2, fall: 2}';
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
upstreams:
  round: {servers: [$all], balance: round_robin}
  least: {servers: [$all], balance: least_requests}
  two: {servers: [$all], balance: random_two}
  hash: {servers: [$all], balance: hash, hash_key: "{query.k}"}
  weight:
    balance: round_robin
    servers:
      - {url: "http://127.0.0.1:$port{a}", weight: 3}
      - "http://127.0.0.1:$port{b}"
  backup:
    servers: ["http://127.0.0.1:$port{a}", {url: "http://127.0.0.1:$port{b}", backup: true}]
    retry: {attempts: 1}
    eject: {failures: 1000}
    $health
  checked:
    servers: [$all]
    balance: round_robin
    $health
  ejected:
    servers: ["http://127.0.0.1:$port{a}", "http://127.0.0.1:$port{b}"]
    balance: round_robin
    retry: {attempts: 0}
    eject: {failures: 3, within: 10s, for: 1s}
routes:
@{[join '', map { "  - match: {path: /$_/*}\n    proxy: {to: $_, strip_prefix: /$_}\n" }
    qw(round least two hash weight backup checked ejected)]}
END

# Which servers answered: 'a 4 b 4 c 4'
sub spread
{
	my ($count, $target) = @_;
	my $client = connect_to($port);
	my %by;
	for (1 .. $count) {
		my $response = $client->fetch('GET', ref $target ? $target->($_) : $target);
		$by{$response->status == 200 ? $response->header('x-upstream') : $response->status}++;
	}
	$client->close;
	return \%by;
}

# -- kinds --
is_deeply spread(12, '/round/bytes/1'), { a => 4, b => 4, c => 4 }, 'round_robin';
is_deeply spread(16, '/weight/bytes/1'), { a => 12, b => 4 }, 'weight';
my @busy = map { connect_to($port) } 1 .. 2;
$busy[0]->request('GET', '/least/delay/1');
sleep 0.2;
$busy[1]->request('GET', '/least/delay/1');
sleep 0.2;
is scalar keys %{spread(10, '/least/bytes/1')}, 1, 'least_requests: the one that has nothing to do';
my %busy = map { $_->read_response->header('x-upstream') => 1 } @busy;
is scalar keys %busy, 2, '... the busy ones were two';
my $two = spread(120, '/two/bytes/1');
is scalar keys %$two, 3, 'random_two uses all' or diag explain $two;
my %first = map { $_ => (keys %{spread(1, "/hash/bytes/1?k=$_")})[0] } 1 .. 30;
my %again = map { $_ => (keys %{spread(1, "/hash/bytes/1?k=$_")})[0] } 1 .. 30;
is_deeply \%again, \%first, 'hash: the same key, the same server';
is scalar(keys %{{ reverse %first }}), 3, '... and all have some';

# -- health checks --
ok eventually(5, sub { $up{a}->health_checks }), 'health checks are made';
$up{b}->set_health(503);
ok eventually(5, sub { !spread(9, '/checked/bytes/1')->{b} }), 'a server that says 503 gets nothing';
is_deeply [sort keys %{spread(12, '/checked/bytes/1')}], ['a', 'c'], '... the others get it';
my $unaware = spread(6, '/round/bytes/1');
ok $unaware->{b}, '... an upstream without checks does not care';
$up{b}->set_health(200);
ok eventually(5, sub { spread(9, '/checked/bytes/1')->{b} }), 'and is back when it says 200';
$up{c}->freeze;
sleep 1.5;
ok eventually(6, sub { my $by = eval { spread(6, '/checked/bytes/1') }; $by && !$by->{c} && !$by->{504} }),
    'a server that does not answer its check gets nothing';
$up{c}->thaw;
ok eventually(6, sub { spread(9, '/checked/bytes/1')->{c} }), '... until it does';
my $status = $server->status;
my $told = JSON::PP->new->canonical->encode($status->{upstreams} // {});
like $told, qr/checked/, 'status tells of upstreams';
$up{$_}->set_health(500) for qw(a b c);
sleep 1.5;
my $none = spread(3, '/checked/bytes/1');
ok $none->{503}, 'none healthy: 503' or diag explain $none;
$up{$_}->set_health(200) for qw(a b c);
ok eventually(6, sub { spread(3, '/checked/bytes/1')->{503} ? 0 : 1 }), '... until one is';

# -- backup --
is_deeply spread(6, '/backup/bytes/1'), { a => 6 }, 'a backup gets nothing while the others are there';
$up{a}->stop;
ok eventually(5, sub { my $by = spread(4, '/backup/bytes/1'); ($by->{b} // 0) == 4 }), '... and everything when they are not';

# -- ejection --
my %codes;
$codes{get($port, '/ejected/bytes/1')->status}++ for 1 .. 20;
cmp_ok $codes{502} // 0, '<=', 4, 'a server that fails thrice is left out' or diag explain \%codes;
cmp_ok $codes{502} // 0, '>=', 3, '... after it failed thrice' or diag explain \%codes;
sleep 1.2;
%codes = ();
$codes{get($port, '/ejected/bytes/1')->status}++ for 1 .. 12;
cmp_ok $codes{502} // 0, '<=', 1, 'half-open: one request tries, and it is out again' or diag explain \%codes;
$up{a}->open;
ok eventually(5, sub { my $by = spread(6, '/ejected/bytes/1'); ($by->{a} // 0) == 3 }), 'and is back once a try succeeds';

finish;
