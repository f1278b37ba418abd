package Reeve::Upstream;

# A server for reeve to proxy to, whose behaviour the path chooses. A process per connection, so that each may block as it
# likes. What happens is appended to a journal that the test reads: connections(), requests(), ...
#
#	/echo			200, JSON of the request as it was received
#	/bytes/N		N bytes with Content-Length		/chunked/N[/SIZE]	in chunks of SIZE
#	/until-close/N		N bytes without a length, then close
#	/status/CODE		that status, an empty body		/health			the status of set_health()
#	/delay/S		waits before the head			/slow/N/S		N bytes, one every S seconds
#	/trickle-head/S		the head a byte every S seconds
#	/hang			never answers				/hang-body		a head, half the body, then nothing
#	/close			closes without a response		/reset			the same with a RST
#	/close-early		Content-Length: 100, 10 bytes, close	/chunked-early		half a chunk, close
#	/raw/HEX		these bytes as they are, then close	/raw-open/HEX		then keeps the connection open
#	/early-hints		103, then 200				/continue		100, then 200
#	/trailers		chunked with trailers			/upgrade		101, then echoes bytes in upper case
#	/early-413		413 before the body is read, close	/early-200		200 before the body is read, then reads it
#	/slow-read/S		reads the body a piece every S seconds, tells its size
#	/flaky/KEY/N/HOW	fails N times (HOW: close, reset or a status), then 200
#	/cookies		two Set-Cookie fields			/redirect		302 with Location
#
# Options of start(): name (sent as X-Upstream), port, path (unix socket), max_requests (closes behind that many, silently),
# idle (closes idle connections after so many seconds), on => { path => sub { my ($connection, $request) = @_; ... } },
# listen => 0 (holds the port, but nothing listens yet), backlog, proxy_protocol => 1
use strict;
use warnings;
use Fcntl qw(:flock O_WRONLY O_APPEND O_CREAT);
use File::Temp ();
use IO::Select;
use JSON::PP ();
use POSIX ();
use Reeve::Port qw(free_port);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->latin1->canonical;

sub start
{
	my ($class, %options) = @_;
	my $self = bless { name => 'upstream', backlog => 128, %options }, $class;
	$self->{port} //= free_port() unless $self->{path};
	$self->{dir} = File::Temp::tempdir('reeve-upstream-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
	$self->{journal} = "$self->{dir}/journal";
	$self->open unless defined $options{listen} && !$options{listen};
	return $self;
}

sub port { $_[0]{port} }
sub path { $_[0]{path} }
sub url { defined $_[0]{path} ? "unix:$_[0]{path}" : "http://127.0.0.1:$_[0]{port}" }

# Begins to listen and to serve; also again after stop().
sub open
{
	my ($self) = @_;
	die "already open" if $self->{pid};
	my $listener;
	if ($self->{path}) {
		unlink $self->{path};
		socket $listener, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
		bind $listener, pack_sockaddr_un($self->{path}) or die "bind $self->{path}: $!";
		chmod 0777, $self->{path};
	} else {
		socket $listener, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
		setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
		setsockopt $listener, SOL_SOCKET, SO_RCVBUF, $self->{receive_buffer} if $self->{receive_buffer};
		bind $listener, pack_sockaddr_in($self->{port}, INADDR_LOOPBACK) or die "bind $self->{port}: $!";
	}
	listen $listener, $self->{backlog} or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		setpgrp;
		alarm 0;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
		$SIG{CHLD} = 'IGNORE';
		$SIG{PIPE} = 'IGNORE';
		eval { $self->serve($listener) };
		print STDERR "# upstream: $@" if $@;
		POSIX::_exit(1);
	}
	setpgrp $pid, $pid;
	$self->{pid} = $pid;
	return $self;
}

# Its connections are cut and its port refuses from now on.
sub stop
{
	my ($self) = @_;
	return unless $self->{pid};
	kill KILL => -$self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	unlink $self->{path} if $self->{path};
}

# Frozen: the kernel still accepts, nobody answers.
sub freeze { kill STOP => -$_[0]{pid} }
sub thaw { kill CONT => -$_[0]{pid} }

sub set_health
{
	my ($self, $status) = @_;
	CORE::open my $out, '>', "$self->{dir}/health.new" or die;
	print $out $status;
	CORE::close $out;
	rename "$self->{dir}/health.new", "$self->{dir}/health";
}

# -- the journal ------------------------------------------------------------------------------------------------------------

sub note
{
	my ($self, $event, %fields) = @_;
	sysopen my $out, $self->{journal}, O_WRONLY | O_APPEND | O_CREAT, 0600 or die;
	syswrite $out, $json->encode({ event => $event, at => time, %fields }) . "\n";
}

sub events
{
	my ($self, $event) = @_;
	CORE::open my $in, '<', $self->{journal} or return;
	my @events = map { $json->decode($_) } <$in>;
	return $event ? grep { $_->{event} eq $event } @events : @events;
}

sub connections { scalar $_[0]->events('connection') }
sub closed { scalar $_[0]->events('closed') }

# As they arrived: { method, target, version, headers => [[name, value]...], connection, at }; health checks apart.
sub requests { grep { $_->{target} !~ m{^/health\b} } $_[0]->events('request') }
sub request_count { my @requests = $_[0]->requests; scalar @requests }
sub health_checks { grep { $_->{target} =~ m{^/health\b} } $_[0]->events('request') }

sub forget
{
	my ($self) = @_;
	unlink $self->{journal};
}

# -- serving ----------------------------------------------------------------------------------------------------------------

sub serve
{
	my ($self, $listener) = @_;
	my $number = 0;
	while (1) {
		accept my $socket, $listener or next;
		$number++;
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			CORE::close $listener;
			$SIG{CHLD} = 'DEFAULT';
			binmode $socket;
			setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 unless $self->{path};
			my $connection = bless { upstream => $self, socket => $socket, buffer => '', number => "$$" },
			    'Reeve::Upstream::Connection';
			$self->note('connection', connection => "$$");
			eval { $connection->run };
			print STDERR "# upstream: $@" if $@ && $@ ne "gone\n";
			$self->note('closed', connection => "$$");
			POSIX::_exit(0);
		}
		CORE::close $socket;
	}
}

package Reeve::Upstream::Connection;

use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep);

my %behaviour;

sub run
{
	my ($self) = @_;
	my $upstream = $self->{upstream};
	my $served = 0;
	if ($upstream->{proxy_protocol}) {
		my $line = $self->line;
		$upstream->note('proxy', line => $line);
	}
	while (my $request = $self->read_head) {
		$upstream->note('request', %$request, connection => $self->{number});
		$self->{keep} = $request->{version} eq '1.1' && lc($request->{header}{connection} // '') !~ /\bclose\b/;
		my ($word, @words) = grep { length } split m{/}, $request->{target} =~ s/\?.*//sr;
		my $own = $upstream->{on}{$request->{target}} // $upstream->{on}{$word // ''};
		my $behaviour = $own // $behaviour{$word // ''};
		if ($behaviour) {
			$behaviour->($self, $request, @words);
		} else {
			$self->read_body($request);
			$self->answer(404, "no such behaviour\n");
		}
		$served++;
		last unless $self->{keep};
		last if $upstream->{max_requests} && $served >= $upstream->{max_requests};
	}
	shutdown $self->{socket}, 1;
}

sub fill
{
	my ($self, $most) = @_;
	my $idle = $self->{upstream}{idle};
	die "gone\n" if $idle && $self->{buffer} eq '' && !IO::Select->new($self->{socket})->can_read($idle);
	my $got = sysread $self->{socket}, $self->{buffer}, $most // 65536, length $self->{buffer};
	die "gone\n" unless $got;
}

sub line
{
	my ($self) = @_;
	$self->fill until $self->{buffer} =~ s/\A(.*?)\r\n//;
	return $1;
}

sub bytes
{
	my ($self, $count) = @_;
	$self->fill while length $self->{buffer} < $count;
	return substr $self->{buffer}, 0, $count, '';
}

sub write
{
	my ($self, $bytes) = @_;
	my $sent = 0;
	while ($sent < length $bytes) {
		my $some = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;
		die "gone\n" unless defined $some;
		$sent += $some;
	}
}

sub fields
{
	my ($self) = @_;
	my @fields;
	while ((my $line = $self->line) ne '') {
		my ($name, $value) = $line =~ /^([^:]*):\s*(.*)$/ or die "bad field: $line\n";
		push @fields, [$name, $value];
	}
	return \@fields;
}

sub read_head
{
	my ($self) = @_;
	my $line = $self->line;
	my ($method, $target, $version) = $line =~ m{^(\S+) (\S+) HTTP/(1\.[01])$} or die "bad request line: $line\n";
	my $fields = $self->fields;
	my %header;
	for (@$fields) {
		my $name = lc $_->[0];
		$header{$name} = exists $header{$name} ? "$header{$name}, $_->[1]" : $_->[1];
	}
	return { method => $method, target => $target, version => $version, headers => $fields, header => \%header };
}

# The whole body; trailers go into $request->{trailers}. $piece is called with each piece instead of keeping it.
sub read_body
{
	my ($self, $request, $piece) = @_;
	my $body = '';
	$piece //= sub { $body .= $_[0] };
	if (lc($request->{header}{expect} // '') eq '100-continue' && !$request->{continued}++) {
		$self->write("HTTP/1.1 100 Continue\r\n\r\n");
	}
	if (($request->{header}{'transfer-encoding'} // '') =~ /chunked/i) {
		while (my $size = hex($self->line =~ s/;.*//r)) {
			$piece->($self->bytes($size));
			$self->line;
		}
		$request->{trailers} = $self->fields;
	} else {
		my $left = $request->{header}{'content-length'} // 0;
		while ($left > 0) {
			$self->fill if $self->{buffer} eq '';
			my $some = length $self->{buffer} < $left ? length $self->{buffer} : $left;
			$piece->($self->bytes($some));
			$left -= $some;
		}
	}
	return $body;
}

sub head
{
	my ($self, $status, @fields) = @_;
	my $text = "HTTP/1.1 $status Whatever\r\nX-Upstream: $self->{upstream}{name}\r\nX-Connection: $self->{number}\r\n";
	while (my ($name, $value) = splice @fields, 0, 2) {
		$text .= "$name: $value\r\n";
	}
	$text .= "Connection: close\r\n" unless $self->{keep};
	return "$text\r\n";
}

sub answer
{
	my ($self, $status, $body, @fields) = @_;
	my @length = $status == 204 || $status == 304 ? () : ('Content-Length' => length $body);
	@length && defined $self->{no_body} and $body = '';
	$self->write($self->head($status, @length, @fields) . $body);
}

# Deterministic content: the same for the same length wherever it is asked for.
sub pattern
{
	my ($count) = @_;
	my $piece = join '', map { sprintf '%07d,', $_ } 0 .. 1023;
	return substr $piece x (1 + int($count / length $piece)), 0, $count;
}

sub reset_connection
{
	my ($self) = @_;
	setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	CORE::close $self->{socket};
	die "gone\n";
}

sub leave
{
	die "gone\n";
}

sub stay
{
	my ($self) = @_;
	sysread $self->{socket}, my $buffer, 65536 or leave() while 1;
}

sub chunk
{
	my ($bytes) = @_;
	return sprintf "%x\r\n%s\r\n", length $bytes, $bytes;
}

# Answers a request whose body does not matter, once it is read.
sub plain
{
	my ($code) = @_;
	return sub {
		my ($self, $request, @words) = @_;
		$self->read_body($request);
		$self->{no_body} = $request->{method} eq 'HEAD' ? 1 : undef;
		$code->($self, $request, @words);
	};
}

%behaviour = (
	echo => sub {
		my ($self, $request) = @_;
		my $body = $self->read_body($request);
		$self->{no_body} = $request->{method} eq 'HEAD' ? 1 : undef;
		my %told = (%$request, body => length $body > 65536 ? undef : $body, body_size => length $body);
		$self->answer(200, $json->encode(\%told), 'Content-Type' => 'application/json');
	},
	bytes => plain(sub {
		my ($self, undef, $count) = @_;
		$self->answer(200, pattern($count), 'Content-Type' => 'application/octet-stream');
	}),
	chunked => plain(sub {
		my ($self, $request, $count, $size) = @_;
		my $bytes = pattern($count);
		$self->write($self->head(200, 'Transfer-Encoding' => 'chunked'));
		return if $request->{method} eq 'HEAD';
		$self->write(chunk(substr $bytes, 0, $size || 1000, '')) while length $bytes;
		$self->write("0\r\n\r\n");
	}),
	'until-close' => plain(sub {
		my ($self, undef, $count) = @_;
		$self->{keep} = 0;
		$self->write($self->head(200) . pattern($count));
	}),
	status => plain(sub {
		my ($self, undef, $status) = @_;
		$self->answer($status, $status == 204 || $status == 304 ? '' : "status $status\n");
	}),
	health => plain(sub {
		my ($self) = @_;
		my $status = 200;
		if (CORE::open my $in, '<', "$self->{upstream}{dir}/health") {
			$status = <$in>;
		}
		$self->answer($status, "health\n");
	}),
	delay => plain(sub {
		my ($self, undef, $seconds) = @_;
		sleep $seconds;
		$self->answer(200, "after $seconds\n");
	}),
	slow => plain(sub {
		my ($self, undef, $count, $seconds) = @_;
		$self->write($self->head(200, 'Content-Length' => $count));
		for (1 .. $count) {
			sleep $seconds;
			$self->write('.');
		}
	}),
	'trickle-head' => plain(sub {
		my ($self, undef, $seconds) = @_;
		for (split //, $self->head(200, 'Content-Length' => 2) . 'ok') {
			$self->write($_);
			sleep $seconds;
		}
	}),
	hang => plain(\&stay),
	'hang-body' => plain(sub {
		my ($self) = @_;
		$self->write($self->head(200, 'Content-Length' => 100) . '.' x 50);
		$self->stay;
	}),
	close => plain(\&leave),
	reset => plain(\&reset_connection),
	'close-early' => plain(sub {
		my ($self) = @_;
		$self->write($self->head(200, 'Content-Length' => 100) . '.' x 10);
		leave();
	}),
	'chunked-early' => plain(sub {
		my ($self) = @_;
		$self->write($self->head(200, 'Transfer-Encoding' => 'chunked') . "64\r\n" . '.' x 10);
		leave();
	}),
	raw => plain(sub {
		my ($self, undef, $hex) = @_;
		$self->write(pack 'H*', $hex);
		leave();
	}),
	'raw-open' => plain(sub {
		my ($self, undef, $hex) = @_;
		$self->write(pack 'H*', $hex);
	}),
	'early-hints' => plain(sub {
		my ($self) = @_;
		$self->write("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
		sleep 0.1;
		$self->answer(200, "hints were given\n");
	}),
	continue => plain(sub {
		my ($self) = @_;
		$self->write("HTTP/1.1 100 Continue\r\n\r\n");
		$self->answer(200, "continued\n");
	}),
	trailers => plain(sub {
		my ($self) = @_;
		$self->write($self->head(200, 'Transfer-Encoding' => 'chunked', 'Trailer' => 'X-Checksum') .
		    chunk("with trailers\n") . "0\r\nX-Checksum: 1234\r\n\r\n");
	}),
	upgrade => sub {
		my ($self, $request) = @_;
		my $protocol = $request->{header}{upgrade};
		return $self->answer(426, "upgrade\n", Upgrade => 'shout') unless $protocol;
		my $accept = $request->{header}{'sec-websocket-key'} ? "Sec-WebSocket-Accept: whatever\r\n" : '';
		$self->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: $protocol\r\n$accept\r\nHELLO ");
		while (1) {
			$self->write(uc substr $self->{buffer}, 0, length $self->{buffer}, '');
			$self->fill;
		}
	},
	'early-413' => sub {
		my ($self) = @_;
		$self->{keep} = 0;
		$self->answer(413, "too much\n");
		shutdown $self->{socket}, 1;
		$self->stay;
	},
	'early-200' => sub {
		my ($self, $request) = @_;
		$self->answer(200, "early\n");
		$self->read_body($request);
	},
	'slow-read' => sub {
		my ($self, $request, $seconds) = @_;
		my $size = 0;
		$self->read_body($request, sub { $size += length $_[0]; sleep $seconds });
		$self->answer(200, "$size\n");
	},
	flaky => plain(sub {
		my ($self, undef, $key, $times, $how) = @_;
		my $path = "$self->{upstream}{dir}/flaky-$key";
		sysopen my $file, $path, Fcntl::O_RDWR() | Fcntl::O_CREAT(), 0600 or die;
		flock $file, Fcntl::LOCK_EX();
		my $seen = (<$file> // 0) + 1;
		seek $file, 0, 0;
		print $file $seen;
		CORE::close $file;
		return $self->answer(200, "after $seen\n") if $seen > $times;
		leave() if $how eq 'close';
		$self->reset_connection if $how eq 'reset';
		$self->answer($how, "not yet\n");
	}),
	cookies => plain(sub {
		my ($self) = @_;
		$self->answer(200, "cookies\n", 'Set-Cookie' => 'a=1; Path=/', 'Set-Cookie' => 'b=2; Path=/');
	}),
	redirect => plain(sub {
		my ($self) = @_;
		$self->answer(302, '', Location => '/echo');
	}),
);

1;
