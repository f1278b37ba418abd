# What costs a server much and its client nothing: every kind ends the connection, is counted and logged, and nobody else
# notices. One worker, so that whoever is attacked is the one who serves.
use lib 't/lib';
use Reeve::Test;
use IO::Select;
use Reeve::H2;
use Reeve::Hpack;
use POSIX ();

my $upstream = upstream();
my $port = free_port();
my $root = temp_dir();
write_file("$root/large", 'x' x 2_000_000);
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port", protocols: [h2c, http/1.1]}]
workers: 1
limits: {header_timeout: 1s, body_timeout: 1s, send_timeout: 1500ms, http2: {max_streams: 50}}
routes:
  - match: {path: /own}
    respond: own
  - match: {path: /large}
    files: {root: $root}
  - match: {path: /fixed}
    respond: {file: $root/large}
  - body: {max_size: 100M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
my ($worker) = $server->workers;

# One who must not notice: a request every 20 ms until he is told to end. What he saw: failures, the slowest answer.
my $patience = is_sanitized() ? 4 : 1;
pipe my $end_reader, my $end_writer;
my $visitor = fork // die "fork: $!";
if (!$visitor) {
	close $end_writer;
	my ($failed, $done, $slowest) = (0, 0, 0);
	until (IO::Select->new($end_reader)->can_read(0.02)) {
		my $start = time;
		(eval { get($port, '/own')->status } // 0) == 200 ? $done++ : $failed++;
		$slowest = time - $start if time - $start > $slowest;
	}
	print STDERR "# the visitor: $done answers, $failed failures, the slowest took $slowest s\n" if $failed || $slowest > $patience;
	POSIX::_exit($failed || !$done || $slowest > $patience ? 1 : 0);
}
close $end_reader;

my $bystander = Reeve::H2->connect(port => $port);
my $abuses = 0;

sub counted { return $server->status->{totals}{h2_abuse} }

sub served
{
	my $start = time;
	$bystander = Reeve::H2->connect(port => $port) if $bystander->{ended};
	my $status = eval { $bystander->fetch('GET', '/own')->status } // $@;
	my $took = time - $start;
	return ok $status eq '200' && $took < $patience, '... somebody else is served' || diag "status $status after $took s";
}

sub is_counted
{
	my $count = counted();
	is $count, ++$abuses, '... counted';
	$abuses = $count;
}

# wanted: how the connection ends; default: GOAWAY ENHANCE_YOUR_CALM, counted
sub attack
{
	my $code = pop;
	my ($name, $wanted) = @_;
	my $h2 = Reeve::H2->connect(port => $port, timeout => 12);
	eval { $code->($h2); 1 } or diag "$name: $@";
	my $verdict = $h2->verdict;
	my $right = $wanted ? $verdict =~ $wanted : $verdict eq 'GOAWAY ENHANCE_YOUR_CALM';
	ok $right, "$name: " . ($right ? $verdict : 'ended') or diag "got $verdict\n" . substr $h2->story, -2000;
	is_counted() if $verdict =~ /CALM/;
	served();
	$h2->close;
}

sub request_block { my ($h2, $path, @more) = @_; return $h2->{encoder}->encode($h2->request_fields('GET', $path, @more)) }

# -- what is not abuse: within what limits.http2.resets_per_second allows in two seconds, 100 of each --
{
	my $h2 = Reeve::H2->connect(port => $port);
	my $block = request_block($h2, '/hang');
	$h2->send(join '', map { my $id = $h2->next_id; frame('HEADERS', 5, $id, $block) . frame('RST_STREAM', 0, $id, pack 'N', 8) } 1 .. 150);
	$h2->send(frame('PING', 0, 0, 'x' x 8) x 150 . settings() x 100 . frame(0xbe, 0, 0, '') x 100);
	push @{$h2->{unacked}}, ({}) x 100;
	$h2->send(frame('WINDOW_UPDATE', 0, 0, pack 'N', 1) x 1500);
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send(frame('DATA', 0, $id, '') x 100 . $h2->data_bytes($id, 'x', end => 1));
	is $h2->outcome($id), 'status 200', 'a lively client is no abuser' or diag substr $h2->story, -1500;
	is $h2->fetch('GET', '/own')->status, 200, '... and goes on';
	is counted(), 0, '... uncounted';
	$h2->close;
}

# -- resets --
attack 'rapid reset', sub {
	my ($h2) = @_;
	my $block = request_block($h2, '/hang');
	$h2->send(join '', map { frame('HEADERS', 5, $_ * 2 + 1, $block) . frame('RST_STREAM', 0, $_ * 2 + 1, pack 'N',
	    8) } 0 .. 2999);
};
cmp_ok $upstream->request_count, '<', 800, '... and the upstream has heard of few';
my $record = $server->wait_log(msg => qr/HTTP\/2/, what => qr/reset/);
is $record && $record->{client}, '127.0.0.1', '... the log tells who, and what';
is $record && $record->{level}, 'warn', '... as a warning';

# MadeYouReset: the client does something wrong on a stream that is being worked on, and the server resets it.
my %provoke = (
	'WINDOW_UPDATE of 0' => sub { frame('WINDOW_UPDATE', 0, $_[0], pack 'N', 0) },
	'WINDOW_UPDATE beyond 2^31-1' => sub { frame('WINDOW_UPDATE', 0, $_[0], pack 'N', 2 ** 31 - 1) },
	'DATA behind the end' => sub { frame('DATA', 0, $_[0], 'x') },
	'HEADERS behind the end' => sub { frame('HEADERS', 5, $_[0], "\x82") },
	'PRIORITY of 4 bytes' => sub { frame('PRIORITY', 0, $_[0], 'xxxx') },
);
for my $how (sort keys %provoke) {
	attack "MadeYouReset by $how", qr/^GOAWAY (?!NO_ERROR)/, sub {
		my ($h2) = @_;
		my $block = request_block($h2, '/hang');
		$h2->send(join '', map { frame('HEADERS', 5, $_ * 2 + 1, $block) . $provoke{$how}->($_ * 2 + 1) } 0 .. 999);
	};
}
for (['too much content', ['content-length' => 1], sub { frame('DATA', 1, $_[0], 'xx') }],
    ['too little content', ['content-length' => 9], sub { frame('DATA', 1, $_[0], 'xx') }],
    ['wrong trailers', [], sub { frame('HEADERS', 5, $_[0], "\x82") }],
    ['trailers without an end', [], sub { frame('HEADERS', 4, $_[0], "\x0f\x08\x011") }]) {
	my ($how, $fields, $frame) = @$_;
	attack "MadeYouReset by $how", sub {
		my ($h2) = @_;
		my $block = $h2->{encoder}->encode($h2->request_fields('POST', '/hang', headers => $fields));
		$h2->send(join '', map { frame('HEADERS', 4, $_ * 2 + 1, $block) . $frame->($_ * 2 + 1) } 0 .. 999);
	};
}
cmp_ok $upstream->request_count, '<', 4000, '... and the upstream has heard of few';
attack 'malformed requests', sub {
	my ($h2) = @_;
	my $block = request_block($h2, '/own', headers => [Upper => 1]);
	$h2->send(join '', map { frame('HEADERS', 5, $_ * 2 + 1, $block) } 0 .. 1999);
};
attack 'empty HEADERS', sub { $_[0]->send(join '', map { frame('HEADERS', 5, $_ * 2 + 1, '') } 0 .. 1999) };
attack 'streams beyond the limit', sub {
	my ($h2) = @_;
	my $block = request_block($h2, '/hang');
	$h2->send(join '', map { frame('HEADERS', 5, $_ * 2 + 1, $block) } 0 .. 1999);
};
attack 'RST_STREAM of what is closed', sub {
	my ($h2) = @_;
	$h2->outcome($h2->request('GET', '/own'));
	$h2->send(frame('RST_STREAM', 0, 1, pack 'N', 8) x 3000);
};

# -- floods of frames --
my $pss = $server->pss($worker);
attack 'PING', sub { $_[0]->send(frame('PING', 0, 0, 'x' x 8) x 5000) };
attack 'SETTINGS', sub { $_[0]->send(settings() x 5000) };
attack 'SETTINGS that move every window', sub {
	my ($h2) = @_;
	$h2->request('GET', '/hang') for 1 .. 40;
	$h2->send(settings(map { (INITIAL_WINDOW_SIZE => $_ % 2) } 1 .. 2000) x 500);
};
attack 'empty DATA', sub { $_[0]->send(frame('DATA', 0, $_[0]->request('POST', '/echo', open => 1), '') x 5000) };
attack 'DATA of padding alone', sub {
	$_[0]->send(frame('DATA', 8, $_[0]->request('POST', '/echo', open => 1), "\x03\0\0\0") x 5000);
};
attack 'PRIORITY', sub { $_[0]->send(join '', map { frame('PRIORITY', 0, $_ % 500 * 2 + 1, pack 'NC', 0, 1) } 1 .. 10000) };
attack 'PRIORITY_UPDATE', sub {
	$_[0]->send(join '', map { frame('PRIORITY_UPDATE', 0, 0, pack('N', $_ * 2 + 1) . 'u=1') } 1 .. 10000);
};
attack 'WINDOW_UPDATE of a byte', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, pack 'N', 1) x 20000) };
attack '... of a stream', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, $_[0]->request('GET', '/hang'), pack 'N', 1) x 20000) };
attack 'frames nobody knows', sub { $_[0]->send(frame(0xbe, 0, 0, '') x 5000) };
attack 'GOAWAY', qr/^GOAWAY|^closed/, sub { $_[0]->send(frame('GOAWAY', 0, 0, "\0" x 8) x 20000); $_[0]->shutdown_write };
attack 'DATA of a byte each', qr/^GOAWAY|^open/, sub {
	my ($h2) = @_;
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send(frame('DATA', 0, $id, 'x') x 20000);
	$h2->send(frame('DATA', 1, $id, 'x'));
	$h2->outcome($id);
	$h2->{timeout} = 0.1;
};
attack 'PING whose answers are never read', qr/^GOAWAY ENHANCE_YOUR_CALM|^reset/, sub {
	my ($h2) = @_;
	$h2->{auto} = 0;
	syswrite $h2->{socket}, frame('PING', 0, 0, 'x' x 8) x 2000 for 1 .. 20;
};

# -- header blocks --
for my $size (0, 1, 16384) {
	attack "CONTINUATION of $size bytes", qr/^GOAWAY (?!NO_ERROR)/, sub {
		my ($h2) = @_;
		$h2->send(frame('HEADERS', 1, 1, request_block($h2, '/own')) . frame('CONTINUATION', 0, 1,
		    "\x0f\x08\x00" x ($size / 3)) x ($size > 1000 ? 200 : 5000));
	};
}
attack 'an HPACK bomb', sub {
	my ($h2) = @_;
	$h2->fetch('GET', '/own', headers => [['x-bomb', 'index'] => 'y' x 3900]);
	my ($index) = $h2->{encoder}->find('x-bomb', 'y' x 3900);
	$h2->send($h2->headers_bytes(3, [], end => 1, block => request_block($h2, '/own') .
	    Reeve::Hpack::indexed($index) x 16000));
};
attack '... in trailers', sub {
	my ($h2) = @_;
	$h2->fetch('GET', '/own', headers => [['x-bomb', 'index'] => 'y' x 3900]);
	my ($index) = $h2->{encoder}->find('x-bomb', 'y' x 3900);
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send($h2->headers_bytes($id, [], end => 1, block => Reeve::Hpack::indexed($index) x 16000));
};
attack '... of many empty fields', sub {
	my ($h2) = @_;
	$h2->fetch('GET', '/own', headers => [['x', 'index'] => '']);
	my ($index) = $h2->{encoder}->find('x', '');
	$h2->send($h2->headers_bytes(3, [], end => 1, block => request_block($h2, '/own') .
	    Reeve::Hpack::indexed($index) x 60000));
};
cmp_ok $server->pss($worker) - $pss, '<', 6_000_000, 'none of these has cost the worker memory that it keeps' unless is_sanitized;

# -- too slow --
sub ends_in
{
	my ($name, $least, $most, $wanted, $code) = @_;
	my $start = time;
	attack $name, $wanted, $code;
	within $least, $most, time - $start, '... in time';
}
my $timed = qr/^(?:GOAWAY|closed|reset)/;
ends_in 'a header block that does not end', 0.9, 2.5, $timed, sub {
	$_[0]->send(frame('HEADERS', 1, 1, request_block($_[0], '/own')));
};
ends_in 'a header block that comes byte by byte', 0.9, 2.5, $timed, sub {
	my ($h2) = @_;
	my $bytes = $h2->headers_bytes(1, [$h2->request_fields('GET', '/own', headers => ['x-long' => 'y' x 100])], end => 1);
	for my $byte (split //, $bytes) {
		$h2->send($byte) or last;
		$h2->step(0.05) ;
		last if $h2->{goaway} || $h2->{ended};
	}
};
{
	my @slow = map { Reeve::H2->connect(port => $port, raw => 1) } 1 .. 3;
	$slow[0]->send(substr PREFACE, 0, 10);
	$slow[1]->send(PREFACE);
	$slow[2]->send(PREFACE . settings() . substr frame('PING', 0, 0, 'x' x 8), 0, 5);
	my $start = time;
	isnt $slow[0]->verdict(4), 'open', 'a preface that does not end';
	isnt $slow[1]->verdict(4), 'open', 'no SETTINGS behind it';
	within 0.8, 2.5, time - $start, '... are ended in time';
	$_->close for @slow;
}
{
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send_data($id, 'x' x 100);
	my $start = time;
	like $h2->outcome($id, 5), qr/^(?:status 408|reset)/, 'content that stalls: its stream ends';
	within 0.9, 2.5, time - $start, '... in time';
	is $h2->fetch('GET', '/own')->status, 200, '... and the connection goes on';
	$h2->close;
}

# -- windows that stay shut: large answers wait outside the worker, then they are given up --
sub starve
{
	my ($name, $window, $feed) = @_;
	my @paths = ('/large', '/fixed', '/bytes/2000000');
	$pss = $server->pss($worker);
	my $h2 = Reeve::H2->connect(port => $port, auto => 0, settings => [INITIAL_WINDOW_SIZE => $window]);
	my @ids = map { $h2->request('GET', $paths[$_ % 3]) } 1 .. 40;
	$h2->head($_) for @ids;
	cmp_ok $server->pss($worker) - $pss, '<', 6_000_000,
	    "$name: 40 answers of 2 MB wait in little memory" unless is_sanitized;
	my $start = time;
	while (time - $start < 8) {
		last if $h2->{ended} || !grep { !$h2->stream($_)->{reset} } @ids;
		$feed->($h2, @ids) if $feed;
		$h2->listen_for(0.1);
	}
	ok $h2->{ended} || !(grep { !$h2->stream($_)->{reset} } @ids), '... and are given up' or diag substr $h2->story, -1500;
	within 1.2, 4.5, time - $start, '... in time';
	served();
	$h2->close;
}
starve('windows of zero', 0);
starve('windows of a byte, fed byte by byte', 1, sub {
	my ($h2, @ids) = @_;
	$h2->send(join '', map { $h2->window_bytes($_, 1) } grep { !$h2->stream($_)->{reset} } @ids);
});
{
	$pss = $server->pss($worker);
	my $h2 = Reeve::H2->connect(port => $port, auto => 0, receive_buffer => 4096,
	    settings => [INITIAL_WINDOW_SIZE => 2 ** 31 - 1], window => 2 ** 30);
	my $timeouts = $server->status->{totals}{timeouts};
	my $block = request_block($h2, '/large');
	syswrite $h2->{socket}, join '', map { frame('HEADERS', 5, $_ * 2 + 1, $block) } 0 .. 39;
	my $most = 0;
	my $start = time;
	while (time - $start < 1.2) {
		my $now = $server->pss($worker);
		$most = $now if $now > $most;
		sleep 0.1;
	}
	cmp_ok $most - $pss, '<', 6_000_000, 'a client that reads nothing: 80 MB wait in little memory' unless is_sanitized;
	ok eventually(5, sub { $server->status->{totals}{timeouts} > $timeouts }), '... and it is cut off';
	served();
	$h2->close;
}

# -- the sums --
close $end_writer;
waitpid $visitor, 0;
is $?, 0, 'who came by all the time has seen nothing of it';
sleep 1.05;
attack 'the last', sub { $_[0]->send(frame('PING', 0, 0, 'x' x 8) x 5000) };
my @said = grep { $_->{msg} =~ /HTTP\/2 connection ended/ } $server->log_records;
my $told = @said;
$told += $_->{others} for @said;
is $told, $abuses, 'every one is in the log, or counted there';
cmp_ok scalar(@said), '>=', 2, '... which is not flooded';
cmp_ok $server->status->{totals}{h2_connections}, '>', 40, 'connections are counted';
is [$server->workers]->[0], $worker, 'the worker is the same as before';
$bystander->close;

# -- the limit is the configured one --
my $strict_port = free_port();
my $strict = start(<<"END");
listen: [{address: "127.0.0.1:$strict_port", protocols: [h2c]}]
limits: {http2: {resets_per_second: 5}}
routes:
  - respond: own
END
for (['PING', frame('PING', 0, 0, 'x' x 8) x 30], ['WINDOW_UPDATE', frame('WINDOW_UPDATE', 0, 0, pack 'N', 1) x 200]) {
	my ($name, $bytes) = @$_;
	my $h2 = Reeve::H2->connect(port => $strict_port);
	$h2->send($bytes);
	is $h2->verdict, 'GOAWAY ENHANCE_YOUR_CALM', "limits.http2.resets_per_second counts for $name";
	$h2->close;
}

finish;
