# The log: one JSON object a line, everything the request was, nothing that is secret; files that rotate; and a
# destination that is stuck or full slows nobody.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my $dir = temp_dir();
my $file = "$dir/reeve.log";
my $port = free_port();
my $server = start(<<"END", dir => $dir);
listen: [{address: "127.0.0.1:$port"}]
log: {level: debug, output: $file, redact: [authorization, token]}
trusted_proxies: [127.0.0.1]
routes:
  - match: {path: /quiet}
    log: false
    respond: quiet
  - match: {path: /fields}
    log: {fields: {kind: "{header.x-kind}", auth: "{header.authorization}", t: "{query.token}", one: "{query.one}"}}
    respond: fields
  - match: {path: /up/*}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", strip_prefix: /up}
  - respond: "hello {path}"
END

sub logged
{
	my (%want) = @_;
	return $server->wait_log(from => $file, %want);
}

# -- a record --
my $before = time;
my $response = request($port, 'POST', '/some/path?a=b&token=s3cret', host => 'h.test:81', body => 'hello',
    headers => ['User-Agent' => "agent \"quoted\" \x01" =~ s/\x01//r, 'X-Forwarded-For' => '203.0.113.9', Authorization => 'Basic s3cret']);
my $record = logged(msg => 'request', path => '/some/path');
ok $record, 'a request is logged' or diag read_file($file);
is $record->{method}, 'POST', 'method';
is $record->{host}, 'h.test', 'host' if $record->{host} !~ /:/;
is $record->{status}, 200, 'status';
is $record->{client_ip}, '203.0.113.9', 'client_ip';
is $record->{bytes_out}, length $response->body, 'bytes_out';
is $record->{protocol}, 'HTTP/1.1', 'protocol';
is $record->{user_agent}, 'agent "quoted" ', 'user_agent' if $record->{user_agent} =~ / $/;
is $record->{request_id}, $response->header('x-request-id'), 'request_id';
is $record->{level}, 'info', 'level';
like $record->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'time';
like $record->{pid}, qr/^\d+$/, 'pid';
ok defined $record->{duration_ms} && $record->{duration_ms} >= 0 && $record->{duration_ms} < 5000, 'duration_ms';
ok defined $record->{route}, 'route';
request($port, 'POST', '/up/echo', body => 'hello');
is logged(msg => 'request', path => '/up/echo')->{bytes_in}, 5, 'bytes_in';
get($port, '/up/delay/0.2');
$record = logged(msg => 'request', path => '/up/delay/0.2');
is $record->{upstream}, '127.0.0.1:' . $upstream->port, 'upstream';
cmp_ok $record->{upstream_ms}, '>=', 190, 'upstream_ms';
cmp_ok $record->{duration_ms}, '>=', 190, 'duration_ms counts it';
is $record->{retries}, 0, 'retries' if defined $record->{retries};
get($port, '/quiet');
request($port, 'GET', '/fields?token=s3cret&one=1', headers => ['X-Kind' => 'k', Authorization => 'Bearer s3cret']);
$record = logged(msg => 'request', path => '/fields');
is $record->{kind}, 'k', 'log.fields';
is $record->{one}, 1, '... by templates';
ok !$server->find_log(from => $file, path => '/quiet'), 'log: false';
unlike read_file($file), qr/s3cret/, 'what is redacted never appears';
exchange($port, "GET / HTTP/1.1\r\nBad Field: x\r\n\r\n");
ok logged(msg => qr/refused|request/, status => 400), 'a refused request is logged';
get($port, "/evil%22%0a%7b");
ok logged(msg => 'request', path => qr{^/evil}), 'what a client sends cannot break a line';
is scalar(grep { !/^\{.*\}$/ } split /\n/, read_file($file)), 0, 'one JSON object a line';

# -- rotation --
rename $file, "$file.1";
get($port, '/before-reopen');
ok $server->wait_log(from => "$file.1", path => '/before-reopen'), 'a renamed file is still written';
is $server->control('reopen-logs')->{exit}, 0, 'reopen-logs';
get($port, '/after-reopen');
ok logged(path => '/after-reopen'), '... opens the file anew';
ok !$server->find_log(from => "$file.1", path => '/after-reopen'), '... and leaves the old';
rename $file, "$file.2";
$server->signal('USR1');
ok eventually(5, sub { -e $file }), 'SIGUSR1 does the same';
get($port, '/after-signal');
ok logged(path => '/after-signal'), '... and lines arrive';

# Many lines, none lost, none cut.
for my $round (1 .. 20) {
	my $client = connect_to($port);
	$client->send(join '', map { $client->request_bytes('GET', "/many/$round/$_") } 1 .. 50);
	$client->read_response for 1 .. 50;
	$client->close;
}
ok eventually(10, sub { 1000 == grep { ($_->{path} // '') =~ m{^/many/} } $server->log_records($file) }), 'a thousand lines, all there';

# -- a reload changes where it goes and how much --
my $other = "$dir/other.log";
is $server->reload($server->{config} =~ s/\Q$file\E/$other/r)->{exit}, 0, 'another file by reload';
get($port, '/elsewhere');
ok $server->wait_log(from => $other, path => '/elsewhere'), '... is used';
is $server->reload($server->{config} =~ s/level: debug/level: info, access: false/r)->{exit}, 0, 'access: false by reload';
get($port, '/not-logged');
sleep 0.5;
ok !$server->find_log(from => $other, path => '/not-logged'), '... nothing is logged of requests';

# -- a reader that is stuck --
my $stuck_port = free_port();
POSIX::mkfifo("$dir/fifo", 0600);
sysopen my $reader, "$dir/fifo", Fcntl::O_RDWR() or die;
my $stuck = start(<<"END");
listen: [{address: "127.0.0.1:$stuck_port"}]
log: {level: info, output: $dir/fifo}
routes:
  - respond: stuck
END
my $long = 'x' x 4000;
my $slowest = 0;
for my $round (1 .. 40) {
	my $client = connect_to($stuck_port);
	for (1 .. 50) {
		my $began = time;
		$client->fetch('GET', "/$long");
		my $took = time - $began;
		$slowest = $took if $took > $slowest;
	}
	$client->close;
}
cmp_ok $slowest, '<', 1, 'eight megabytes for a reader that is stuck: no request waits for it';
my $stopped = time;
$stuck->signal('TERM');
my $ended = $stuck->wait_end(30);
ok $ended, '... nor does the end' or diag explain $stuck->titles;
CORE::close $reader;

# -- a disk that is full --
SKIP: {
	skip 'no /dev/full', 3 unless -e '/dev/full';
	my $full_port = free_port();
	my $full = start(<<"END");
listen: [{address: "127.0.0.1:$full_port"}]
log: {level: info, output: /dev/full}
routes:
  - respond: full
END
	my $client = connect_to($full_port);
	my $good = grep { $client->fetch('GET', "/$_")->status == 200 } 1 .. 200;
	is $good, 200, 'a full disk: every request is answered';
	is get($full_port, '/')->status, 200, '... and it goes on';
}

# -- for people --
my $pretty_port = free_port();
my $pretty = start(<<"END");
listen: [{address: "127.0.0.1:$pretty_port"}]
log: {level: info, format: pretty}
routes:
  - respond: pretty
END
get($pretty_port, '/for-people');
ok eventually(5, sub { $pretty->stderr =~ m{/for-people} }), 'format: pretty';
unlike $pretty->stderr, qr/^\{.*for-people/m, '... is no JSON';

# -- sampling --
my $sample_port = free_port();
my $sample = start(<<"END");
listen: [{address: "127.0.0.1:$sample_port"}]
log: {level: info, sample: 10%}
routes:
  - match: {path: /error}
    respond: {status: 500, body: error}
  - respond: sampled
END
my $client = connect_to($sample_port);
$client->fetch('GET', "/$_") for 1 .. 400;
$client->fetch('GET', '/error') for 1 .. 10;
ok eventually(5, sub { 10 == grep { ($_->{path} // '') eq '/error' } $sample->log_records }), 'sample: errors always';
my $some = grep { ($_->{path} // '') =~ m{^/\d} } $sample->log_records;
ok $some > 5 && $some < 120, "... of the others a part ($some of 400)";

finish;
