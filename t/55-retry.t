# A second try: only while nothing has reached the client and the request can be sent again, and within the budget.
use lib 't/lib';
use Reeve::Test;

my $one = upstream(name => 'one');
my $two = upstream(name => 'two');
my $dead = free_port();
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
workers: 1
upstreams:
  once:
    servers: ["http://127.0.0.1:@{[$one->port]}"]
    retry: {attempts: 2, on: [connect, reset, 502, 503], budget: 100%}
    eject: {failures: 1000}
  never:
    servers: ["http://127.0.0.1:@{[$one->port]}"]
    retry: {attempts: 0}
    eject: {failures: 1000}
  posts:
    servers: ["http://127.0.0.1:@{[$one->port]}"]
    retry: {attempts: 2, on: [reset, 503], non_idempotent: true, budget: 100%}
    eject: {failures: 1000}
  half:
    servers: ["http://127.0.0.1:$dead", "http://127.0.0.1:@{[$two->port]}"]
    balance: round_robin
    retry: {attempts: 1, budget: 100%}
    eject: {failures: 1000}
  tight:
    servers: ["http://127.0.0.1:@{[$one->port]}"]
    retry: {attempts: 3, on: [503], budget: 20%}
    eject: {failures: 100000}
routes:
@{[join '', map { "  - match: {path: /$_/*}\n    proxy: {to: $_, strip_prefix: /$_}\n" } qw(once never posts half tight)]}
END

my $key = 0;
sub tries
{
	my ($to, $times, $how, %options) = @_;
	$key++;
	$one->forget;
	my $response = request($port, $options{method} // 'GET', "/$to/flaky/k$key/$times/$how", %options);
	return $response->status . ' after ' . $one->request_count;
}

is tries('once', 1, 'close'), '200 after 2', 'closed without an answer: tried again';
is tries('once', 1, 'reset'), '200 after 2', 'reset: tried again';
is tries('once', 1, 503), '200 after 2', '503: tried again';
is tries('once', 2, 503), '200 after 3', 'twice';
is tries('once', 5, 503), '503 after 3', 'attempts counts the tries after the first; then the answer is passed as it is';
is tries('once', 5, 'close'), '502 after 3', '... or 502 when there was none';
is tries('once', 1, 500), '500 after 1', '500 is not on the list';
is tries('once', 1, 404), '404 after 1', '404 is not, either';
is tries('never', 1, 'close'), '502 after 1', 'attempts: 0';
is tries('once', 1, 'close', method => 'PUT', body => 'x' x 10000), '200 after 2', 'PUT with content is idempotent';
is +($one->requests)[1]{header}{'content-length'}, 10000, '... and goes whole';
is tries('once', 1, 'close', method => 'DELETE'), '200 after 2', 'DELETE, too';
is tries('once', 1, 'close', method => 'POST', body => 'x'), '502 after 1', 'POST is not';
is tries('once', 1, 503, method => 'POST', body => 'x'), '503 after 1', '... whatever the reason';
is tries('once', 1, 'close', method => 'PATCH', body => 'x'), '502 after 1', 'PATCH is not';
is tries('posts', 1, 503, method => 'POST', body => 'x'), '200 after 2', 'non_idempotent: true';
$one->forget;
my $client = connect_to($port);
$client->request('GET', '/once/close-early');
ok !eval { $client->read_response; 1 }, 'an answer that broke off after its head';
is $one->request_count, 1, '... is not tried again: the client has some of it';
$client->close;

# -- a server that is not there --
my %statuses;
$statuses{get($port, '/half/bytes/1')->status}++ for 1 .. 10;
is_deeply \%statuses, { 200 => 10 }, 'connect: the other server';
%statuses = ();
$statuses{request($port, 'POST', '/half/echo', body => 'x')->status}++ for 1 .. 10;
is_deeply \%statuses, { 200 => 10 }, '... also a POST: it never left';
ok $server->wait_log(msg => 'request', path => '/half/bytes/1', retries => 1), 'the log counts retries';

# -- the budget --
$one->forget;
my $requests = 60;
get($port, "/tight/flaky/tight$_/1000/503") for 1 .. $requests;
my $sent = $one->request_count;
cmp_ok $sent, '<=', $requests * 1.2 + 12, "budget: $sent sent for $requests";

finish;
