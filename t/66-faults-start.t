# Accept fails; and every call by which a start or a reload makes something (processes, sockets, memory, files) fails once:
# each failure is told in a sentence, what served goes on serving, and the next try works.
use lib 't/lib';
use Reeve::Test;
use Reeve::Fault;
use Errno qw(EMFILE ENFILE ENOMEM ENOBUFS ECONNABORTED EINTR EPROTO ENETDOWN EAGAIN);

my $fault = Reeve::Fault->new or plan skip_all => $Reeve::Fault::why_not;
my $upstream = upstream();
my ($port, $second) = (free_port(), free_port());
my $dir = temp_dir();
write_file("$dir/page", 'a page');

sub config
{
	my ($version) = @_;
	my $more = $version % 2 ? ", {address: \"127.0.0.1:$second\"}" : '';
	my $log = $version % 3;
	return <<"END";
listen: [{address: "127.0.0.1:$port"}$more]
log: {level: debug, output: $dir/log.$log}
pid_file: $dir/pid
upstreams:
  up: {servers: ["http://127.0.0.1:@{[$upstream->port]}"], health: {path: /health, interval: 500ms}}
routes:
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
  - match: {path: /page}
    respond: {file: $dir/page}
  - match: {path: /up/*}
    proxy: {to: up, strip_prefix: /up}
  - respond: "version $version"
END
}

my @makers = qw(fork memfd pipe socketpair socket eventfd epoll mmap open listen bind thread rename);
my $server = start(config(0), env => { $fault->environment });
ok $fault->calls($_) > 0, "the shim is reached: $_" for qw(fork memfd socketpair socket epoll mmap open listen bind clock);
is get($port, '/')->body, 'version 0', 'it serves';
cmp_ok $fault->calls('accept'), '>', 0, 'the shim is reached: accept';

# -- accept --
for my $error (EMFILE, ENFILE, ENOMEM, ENOBUFS) {
	$! = $error;
	my $name = "$!";
	$fault->fail('accept', 1, $error);
	my @waiting = map { connect_to($port) } 1 .. 20;
	$_->request('GET', '/') for @waiting;
	my @before = map { $server->cpu($_) } $server->workers;
	sleep 0.6;
	my @after = map { $server->cpu($_) } $server->workers;
	my ($most) = sort { $b <=> $a } map { $after[$_] - $before[$_] } 0 .. 1;
	cmp_ok $most, '<', 0.2, sprintf 'accept: %s: does not spin (%.3f s of CPU)', $name, $most;
	$fault->fail('accept', 0);
	my $start = time;
	my $served = grep { my $client = $_; eval { $client->read_response->status == 200 } } @waiting;
	is $served, 20, '... all are served';
	within 0, 2, time - $start, '... as soon as it works again';
}
for my $error (ECONNABORTED, EINTR, EPROTO, ENETDOWN) {
	$! = $error;
	my $name = "$!";
	$fault->fail('accept', 0.5, $error);
	is scalar(grep { eval { get($port, '/')->body eq 'version 0' } } 1 .. 50), 50, "accept: $name now and then: all are served";
}
$fault->fail('accept', 0.5);
is scalar(grep { eval { get($port, '/')->body eq 'version 0' } } 1 .. 30), 30, 'accept: anything now and then: all are served';
$fault->clear;

# -- connect --
$fault->fail('connect', 1);
my %status;
$status{request($port, 'POST', '/up/echo', body => 'x')->status}++ for 1 .. 5;
is_deeply [grep { !/^50[234]$/ } keys %status], [], 'connect fails: 502 to 504' or diag explain \%status;
is get($port, '/')->status, 200, '... and the rest goes on';
$fault->clear;
ok eventually(12, sub { get($port, '/up/bytes/1')->status == 200 }), '... and the upstream is back when connect works';

# -- no descriptors for files --
$fault->fail('open', 1);
isnt get($port, '/files/page')->status, 200, 'open fails: no file';
is get($port, '/page')->body, 'a page', '... what is in memory is served';
$fault->clear;
is get($port, '/files/page')->body, 'a page', '... and files again, too';

# -- every step of a reload --
my $kept = connect_to($port);
my ($version, $current) = (0, 0);
my (%failed, @wrong);
my %fds = map { $_ => $server->fd_count($_) } $server->{pid}, $server->workers;
my @workers = $server->workers;
for (my $nth = 1; ; $nth++) {
	$version++;
	$server->write_config(config($version));
	$fault->fail_nth($nth, @makers);
	my $reload = Reeve::Server::run_command({ timeout => 15 }, 'reload', '--control', $server->{control});
	my $call = $fault->nth_call;
	$fault->clear;
	$failed{$call}{$reload->{exit} ? 'refused' : 'done'}++ if $call;
	my $said = $reload->{out} . $reload->{err};
	push @wrong, "$nth, $call: exit $reload->{exit}, signal $reload->{signal}, said: $said"
	    if $reload->{exit} and $said !~ /\w+ \w+.*: [A-Z][a-z]+ /;
	push @wrong, "$nth, $call: signal $reload->{signal}" if $reload->{signal};
	push @wrong, "$nth: exit $reload->{exit} without a fault: $said" if !$call && $reload->{exit};
	note "$nth, ", $call // 'nothing', ": $said";
	$current = $version if !$reload->{exit};
	my $body = eval { $kept->fetch('GET', '/')->body } // "none: $@";
	push @wrong, "$nth, " . ($call // 'no call') . ": '$body', not version $current" if $body ne "version $current";
	push @wrong, "$nth: listener" if !!eval { get($second, '/') } != $current % 2;
	last if !$call || $nth > 150;
}
is_deeply \@wrong, [], 'a reload in which one call fails: done or refused with a sentence, and what served serves'
    or diag explain \@wrong;
note explain \%failed;
cmp_ok scalar(keys %failed), '>=', 4, '... of several kinds: ' . join ', ', sort keys %failed;
is_deeply [$server->workers], \@workers, '... no worker was lost';
is $server->reload(config(100))->{exit}, 0, '... and the next one works' for 1 .. 2;
ok eventually(5, sub { !grep { $server->fd_count($_) > $fds{$_} + 3 } keys %fds }), '... no descriptor is left'
    or diag explain [map { [$_, $fds{$_}, $server->fd_count($_)] } keys %fds];

# -- no more processes: workers are tried again --
$server->mark_log;
$fault->fail('fork', 1);
kill KILL => $workers[0];
sleep 1;
is get($port, '/')->status, 200, 'fork fails: the other worker serves';
my $reload = $server->reload;
is $reload->{exit}, 1, '... a reload is refused';
like $reload->{err} . $reload->{out}, qr/\w+ \w+/, '... and says why';
$fault->clear;
ok eventually(10, sub { 2 == (my @all = $server->workers) }), '... and the worker is back when fork works';
$fault->fail('socketpair', 1);
kill KILL => $server->workers;
sleep 0.5;
$fault->clear;
ok eventually(10, sub { 2 == (my @all = $server->workers) && eval { get($port, '/')->status == 200 } }),
    'socketpair fails: both workers are back when it works';
is $server->reload->{exit}, 0, '... and a reload works';
$server->stop_and_check;

# -- every step of a start --
my (%started, @bad);
my $step = is_sanitized ? 4 : 1;
for (my $nth = 1; ; $nth += $step) {
	my $start_fault = Reeve::Fault->new;
	my $home = temp_dir();
	$port = free_port();
	my $new = Reeve::Server->new(config => config(2) =~ s{$dir/pid}{$home/pid}r, dir => $home, wait => 0,
	    env => { $start_fault->environment });
	$start_fault->fail_nth($nth, @makers);
	$new->start;
	my $serves = eventually(10, sub { $new->has_ended || eval { get($port, '/')->status == 200 } }) && !$new->has_ended;
	my $call = $start_fault->nth_call // 'none';
	push @bad, "$nth, $call: not two workers" if $serves && !eventually(10, sub { 2 == (my @all = $new->workers) });
	$start_fault->clear;
	$started{$call}{$serves ? 'serves' : 'ended'}++;
	my $said = $new->stderr;
	note "$nth, $call: ", $serves ? 'serves' : $said;
	push @bad, "$nth, $call: exit " . $new->exit_code . ", said: $said"
	    if !$serves && ($new->exit_code // '') ne 1 || !$serves && $said !~ /\w+ \w+.*: [A-Z][a-z]+ /;
	$new->signal('TERM') if !$new->has_ended;
	$new->wait_end(10) or push @bad, "$nth, $call: does not end";
	push @bad, "$nth, $call: exit " . $new->exit_code . ' after TERM' if $serves && $new->exit_code ne 0;
	push @bad, "$nth, $call: processes left" if $new->processes_left;
	push @bad, "$nth, $call: left $_" for grep { -e } $new->{control}, "$home/pid", glob "$home/state/*.new";
	push @bad, "$nth, $call: $_" for $new->sanitizer_reports, $new->crash_reports;
	$new->kill_all;
	last if $call eq 'none' || $nth > 150;
}
is_deeply \@bad, [], 'a start in which one call fails: serves, or ends with a sentence and leaves nothing' or diag explain \@bad;
note explain \%started;
cmp_ok scalar(keys %started), '>=', 5, '... of several kinds: ' . join ', ', sort keys %started;

$upstream->stop;
done_testing();
