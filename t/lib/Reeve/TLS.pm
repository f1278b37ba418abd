package Reeve::TLS;

# Clients that speak TLS: one that is in the test's hand down to the last alert (t/lib/tls.c, a process of its own), and
# openssl's.
#
#	my $client = tls_to($port, sni => 'a.test');		# a Reeve::Client, and:
#	$client->facts->{version}				# TLSv1.3; cipher, alpn, resumed, subject, fingerprint,
#								# key (its kind), chain (how many), signature, staple (hex),
#								# verify, authorities, renegotiation, compression, group
#	$client->notify; $client->fin; $client->renegotiate; $client->update; $client->raw($bytes);
#	$client->pause; $client->resume				# reads nothing meanwhile
#	$client->end						# 'closed': close_notify, then FIN; 'cut': FIN alone;
#								# 'reset'; 'broken'; 'open'
#	$client->why						# what OpenSSL said when it was broken: "tlsv1 alert ..."
#
# Options: sni, alpn => 'h2,http/1.1', min, max => '1.2', ciphers, suites, sigalgs, groups, cert, key, ca, weak => 1 (what is
# out of date, too), staple => 1, session and save (files of a session to resume, and to keep), piece => N (what is sent
# arrives N bytes at a time), fragment => N (of a record), before => "PROXY ..." (in the clear), path (unix socket), from,
# wait => 0 (do not wait for the handshake).
#
#	tls_failure($port, %options)		why the handshake failed; undef when it did not
#	tls_get($port, '/path', %options)	one request on a connection of its own, its response
#	client_hello(%options)			the bytes of a ClientHello
#	s_client($port, @arguments, { in => "GET ..." })
#						openssl s_client to its end: everything it printed
use strict;
use warnings;
use Errno;
use Exporter 'import';
use IO::Select;
use JSON::PP ();
use POSIX ();
use Reeve::Client;
use Reeve::Server;
use Socket;
use Time::HiRes qw(time);

our @ISA = ('Reeve::Client');
our @EXPORT = qw(tls_to tls_failure tls_get client_hello s_client);

my $program;
sub program
{
	return $program if $program;
	my $made = Reeve::Server::temp_dir() . '/tls';
	my $said = join '', `@{[$ENV{CC} // 'cc']} -std=gnu17 -D_GNU_SOURCE -O1 -o $made t/lib/tls.c -lssl -lcrypto 2>&1`;
	die "t/lib/tls.c: $said" if $?;
	return $program = $made;
}

my @settings = qw(sni alpn min max ciphers suites sigalgs groups cert key ca weak staple session save piece fragment before path
    port from);

sub settings
{
	my (%options) = @_;
	return map { "$_=$options{$_}" } grep { defined $options{$_} } @settings;
}

sub connect
{
	my ($class, %options) = @_;
	my $self = bless { buffer => '', wire => '', timeout => 20, %options }, $class;
	my @argv = (program(), settings(%options));
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<&', $theirs;
		open STDOUT, '>&', $theirs;
		$SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM ALRM);
		CORE::close($ours);
		exec @argv or POSIX::_exit(127);
	}
	CORE::close($theirs);
	$ours->blocking(0);
	@$self{qw(socket pid)} = ($ours, $pid);
	return $self if exists $options{wait} && !$options{wait};
	$self->wait_facts or die "no handshake: " . $self->why . "\n";
	return $self;
}

# -- events -----------------------------------------------------------------------------------------------------------------

my %takes = (
	facts => sub { $_[0]{facts} = JSON::PP->new->latin1->decode($_[1]) },
	session => sub { $_[0]{sessions}++; $_[0]{hint} = $_[1] },
	notify => sub { $_[0]{has_notify} = 1 },
	error => sub { $_[0]{why} //= $_[1] },
	fin => sub { $_[0]{ended} = !defined $_[0]{why} && $_[0]{has_notify} ? 'closed' : defined $_[0]{why} ? 'broken' : 'cut' },
	reset => sub { $_[0]{ended} = 'reset' },
);

# What has come as whole events; the number of them.
sub take_events
{
	my ($self) = @_;
	my $count = 0;
	while ($self->{wire} =~ /\A([a-z]+)(?: (.*))?\n/) {
		my ($event, $rest, $length) = ($1, $2, $+[0]);
		if ($event eq 'data') {
			last if length $self->{wire} < $length + $rest;
			$self->{buffer} .= substr $self->{wire}, $length, $rest;
			$length += $rest;
		} else {
			$takes{$event}->($self, $rest);
		}
		substr $self->{wire}, 0, $length, '';
		$count++;
	}
	return $count;
}

# Waits until events have come: true when they have.
sub await_events
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	while (1) {
		return 1 if $self->take_events;
		my $left = $until - time;
		return 0 unless IO::Select->new($self->{socket})->can_read($left > 0 ? $left : 0);
		my $got = sysread $self->{socket}, $self->{wire}, 1 << 18, length $self->{wire};
		next if $got;
		return 1 if $self->take_events;
		$self->{ended} //= 'reset';
		$self->{why} //= 'the client ended';
		return 1;
	}
}

sub wait_facts
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	until ($self->{facts}) {
		return if defined $self->{ended} || time > $until;
		$self->await_events($until - time);
	}
	return $self->{facts};
}

sub facts { $_[0]{facts} }
sub why { $_[0]{why} // $_[0]{ended} // 'it takes too long' }
sub sessions { $_[0]{sessions} // 0 }
sub has_notify { $_[0]{has_notify} }

sub fill
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	my $had = length $self->{buffer};
	while (1) {
		return 'data' if length $self->{buffer} > $had;
		return $self->{ended} if $self->{ended};
		my $left = $until - time;
		return 'timeout' unless $self->await_events($left > 0 ? $left : 0);
	}
}

sub wait_readable
{
	my ($self, $seconds) = @_;
	return 1 if length $self->{wire};
	return $self->SUPER::wait_readable($seconds);
}

# A session that can be resumed has come.
sub wait_session
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // 5);
	until ($self->sessions) {
		return 0 if $self->{ended} || time > $until;
		$self->await_events($until - time);
	}
	return 1;
}

sub end
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	until ($self->{ended}) {
		my $left = $until - time;
		return 'open' if $left < 0;
		$self->await_events($left);
	}
	return $self->{ended};
}

# -- words ------------------------------------------------------------------------------------------------------------------

# What the client has to say meanwhile is kept: it would not listen to us while nobody listens to it.
sub word
{
	my ($self, $word, $bytes) = @_;
	my $text = defined $bytes ? "$word " . length($bytes) . "\n$bytes" : "$word\n";
	my $until = time + $self->{timeout};
	my $sent = 0;
	while ($sent < length $text) {
		my $some = syswrite $self->{socket}, $text, length($text) - $sent, $sent;
		$sent += $some, next if $some;
		return 0 unless $!{EAGAIN} && time < $until;
		my $both = IO::Select->new($self->{socket});
		IO::Select::select($both, $both, undef, 1);
		sysread $self->{socket}, $self->{wire}, 1 << 18, length $self->{wire};
	}
	return 1;
}

# A record of TLS for each 16K, and for each call.
sub send
{
	my ($self, $bytes) = @_;
	for (my $at = 0; $at < length $bytes; $at += 65536) {
		$self->word('send', substr $bytes, $at, 65536) or return 0;
	}
	return 1;
}

sub send_some { my ($self, $bytes) = @_; $self->send($bytes); return length $bytes }

for my $word (qw(notify fin renegotiate update pause resume)) {
	no strict 'refs';
	*$word = sub { $_[0]->word($word) };
}

sub raw { $_[0]->word('raw', $_[1]) }
sub shutdown_write { $_[0]->notify; $_[0]->fin }

sub close
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	CORE::close(delete $self->{socket});
	waitpid $pid, 0;
}

sub reset { $_[0]->word('reset'); $_[0]->close }

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->close;
}

# -- in one word ------------------------------------------------------------------------------------------------------------

sub tls_to
{
	my ($port, %options) = @_;
	return Reeve::TLS->connect(defined $port ? (port => $port) : (), %options);
}

sub tls_failure
{
	my ($port, %options) = @_;
	my $client = tls_to($port, %options, wait => 0);
	return $client->why unless $client->wait_facts;
	# with TLS 1.3 a server's refusal of our certificate comes when we believe that all is done
	$client->request('GET', '/', close => 1);
	$client->end(10);
	return $client->{why};
}

sub tls_get
{
	my ($port, $target, %options) = @_;
	my $client = tls_to($port, %options);
	$client->request('GET', $target, close => 1, headers => $options{headers}, host => $options{host} // $options{sni} // 'a.test');
	my $response = $client->read_response;
	$client->close;
	return $response;
}

sub client_hello
{
	my (%options) = @_;
	open my $in, '-|', program(), 'hello', settings(%options) or die "tls hello: $!";
	binmode $in;
	local $/;
	my $bytes = <$in>;
	CORE::close($in) or die "tls hello failed";
	return $bytes;
}

# By itself it ends when the server closes: -ign_eof.
sub s_client
{
	my ($port, @arguments) = @_;
	my $options = ref $arguments[-1] ? pop @arguments : {};
	my $request = File::Temp->new;
	print $request $options->{in} // "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
	$request->flush;
	my $pid = open my $in, '-|' // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', $request->filename;
		open STDERR, '>&', \*STDOUT;
		$SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM ALRM);
		exec 'timeout', '-k', '1', $options->{timeout} // 20, 'openssl', 's_client', '-connect', "127.0.0.1:$port",
		    ($options->{end} ? () : '-ign_eof'), @arguments or POSIX::_exit(127);
	}
	binmode $in;
	local $/;
	my $said = <$in> // '';
	CORE::close($in);
	return $said;
}

1;
