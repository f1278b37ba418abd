# While it serves, calls fail now and then: a request is answered or told that it cannot be, nobody crashes, and when they
# work again nothing is left of it. The log's disk fails, too.
use lib 't/lib';
use Reeve::Test;
use Reeve::Fault;
use Errno qw(EIO ENOSPC ECONNRESET EPIPE ETIMEDOUT);

my $fault = Reeve::Fault->new or plan skip_all => $Reeve::Fault::why_not;
my $upstream = upstream();
my $port = free_port();
my $dir = temp_dir();
mkdir "$dir/listing";
write_file("$dir/page-$_", Reeve::Upstream::Connection::pattern(5_000)) for 1 .. 200;
my $server = start(<<"END", env => { $fault->environment });
listen: [{address: "127.0.0.1:$port"}]
log: {level: info, output: $dir/log}
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}", "http://localhost:@{[$upstream->port]}"], retry: {attempts: 0}}
routes:
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up, websocket: true}
  - respond: "hello"
END
srand $fault->seed;
my @workers = $server->workers;

# So many requests of all kinds: { status => count }, and what is neither an answer nor an end of the connection.
sub requests
{
	my ($count, $keep) = @_;
	my (%status, $client);
	for (1 .. $count) {
		my $target = ('/', '/files/page-' . (1 + int rand 200), '/up/bytes/2000', '/up/until-close/2000')[rand 4];
		my $status = eval {
			$client //= connect_to(port => $port, timeout => 5);
			my $response = $client->fetch('GET', $target);
			my $want = $target =~ /page/ ? 5_000 : $target eq '/' ? 5 : 2_000;
			undef $client if !$keep || ($response->header('connection') // '') eq 'close';
			$response->status == 200 && length $response->body != $want ? 'short' : $response->status;
		};
		if (!$status) {
			undef $client;
			$status = $@ =~ /^(closed|reset|timeout)/ ? $1 : $@;
		}
		$status{$status}++;
	}
	return \%status;
}

sub told
{
	my ($status) = @_;
	return join ', ', map { "$_: $status->{$_}" } sort keys %$status;
}

sub is_served
{
	my ($name) = @_;
	my $status;
	ok eventually(15, sub { told($status = requests(20, 1)) eq '200: 20' }), $name or diag told($status);
}

# until-close: the next one needs a new connection to the upstream
for my $call (qw(open socket connect)) {
	my $spoiled = $fault->spoiled($call);
	$fault->fail($call, 0.3);
	my $status = requests(100, 0);
	$spoiled = $fault->spoiled($call) - $spoiled;
	my @others = grep { !/^(?:200|404|50[0234]|429)$/ } keys %$status;
	cmp_ok $spoiled, '>', 0, "$call fails";
	is_deeply \@others, [], "... $spoiled times: answers (" . told($status) . ')';
	$fault->fail($call, 0);
	is_served('... and all are served when it works');
}

# A connection that breaks in the middle of a read or a write: its request is lost and no other.
for my $case ([read => ECONNRESET], [read => ETIMEDOUT], [write => EPIPE], [write => ECONNRESET]) {
	my ($call, $error) = @$case;
	$! = $error;
	my $name = "$call: $!";
	for my $worker ($server->workers) {
		$fault->set(only => $worker);
		$fault->fail($call, 0.02, $error);
		my $spoiled = $fault->spoiled($call);
		my $status = requests(100, 1);
		$spoiled = $fault->spoiled($call) - $spoiled;
		my @others = grep { !/^(?:200|50[0234]|429|closed|reset)$/ } keys %$status;
		is_deeply \@others, [], "$name, $spoiled times: answers or an end (" . told($status) . ')';
		$fault->clear;
	}
	is_served('... and all are served when it works');
}
ok eventually(10, sub { 2 == (my @all = $server->workers) }), 'two workers' or diag explain $server->titles;
is_deeply [$server->workers], \@workers, 'nobody died of it' or diag $server->tail_of_log;

# -- the log's disk --
my ($logger) = grep { $server->titles->{$_} eq 'reeve: logger' } $server->processes;
for my $error (EIO, ENOSPC) {
	$! = $error;
	my $name = "$!";
	$fault->set(only => $logger);
	$fault->fail('write', 1, $error);
	my $start = time;
	is told(requests(100, 1)), '200: 100', "log: $name: requests are served";
	cmp_ok time - $start, '<', 5, '... and soon';
	$fault->clear;
	my $marker = "/after-$error";
	ok eventually(15, sub { get($port, $marker); $server->find_log(from => "$dir/log", msg => 'request', path => $marker) }),
	    '... and lines are written when the disk works again';
}
is scalar(grep { !eval { json($_); 1 } } split /\n/, read_file("$dir/log")), 0, 'every line is whole';
my ($status, $open);
ok eventually(5, sub {
	$status = $server->status;
	$open = 0;
	$open += $_->{connections} + $_->{requests_active} for @{$status->{workers}};
	!$open;
}), 'nothing is left open' or diag explain $status->{workers};
is $status->{totals}{connections_accepted}, $status->{totals}{connections_closed}, 'accepted and closed add up';

finish;
