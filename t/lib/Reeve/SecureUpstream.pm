package Reeve::SecureUpstream;

# A server that speaks TLS, for reeve to proxy to: a Reeve::Upstream with all it can do, behind t/lib/tls_bridge.c.
#
#	my $site = $authority->issue('a.test', names => ['127.0.0.1']);
#	my $secure = Reeve::SecureUpstream->start(cert => $site->{cert}, key => $site->{key});
#	... servers: ["@{[$secure->url]}"] ...
#	$secure->plain			# the Reeve::Upstream: request_count, connections, ...
#	$secure->handshakes		# { version, resumed, sni, alpn, subject } each; failures: { why }
#	$secure->stop
#
# Options of start(): those of the bridge (ca, max, old, alpn, tickets, cut, stall), port, and upstream => { ... } for
# Reeve::Upstream.
use strict;
use warnings;
use Fcntl qw(F_SETFD);
use JSON::PP ();
use POSIX ();
use Reeve::Port qw(free_port);
use Reeve::Server;
use Reeve::Upstream;
use Socket;

my ($program, %running);

sub program
{
	return $program if $program;
	my $made = Reeve::Server::temp_dir() . '/tls_bridge';
	my $said = join '', `@{[$ENV{CC} // 'cc']} -std=gnu17 -D_GNU_SOURCE -O1 -o $made t/lib/tls_bridge.c -lssl -lcrypto 2>&1`;
	die "t/lib/tls_bridge.c: $said" if $?;
	return $program = $made;
}

sub start
{
	my ($class, %options) = @_;
	my $self = bless { port => free_port(), %options }, $class;
	my $dir = Reeve::Server::temp_dir();
	$self->{journal} = "$dir/journal";
	$self->{plain} = Reeve::Upstream->start(path => "$dir/plain.sock", %{$options{upstream} // {}});
	$self->open;
	return $self;
}

my @settings = qw(cert key ca max old alpn tickets cut stall journal);

# Begins to listen; also again after close(), with other options.
sub open
{
	my ($self, %options) = @_;
	%$self = (%$self, %options);
	my $made = program();
	socket my $listener, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
	setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
	bind $listener, pack_sockaddr_in($self->{port}, INADDR_LOOPBACK) or die "bind $self->{port}: $!";
	listen $listener, 128 or die "listen: $!";
	my @argv = ($made, 'fd=' . fileno $listener, "to=$self->{plain}{path}",
	    map { "$_=$self->{$_}" } grep { defined $self->{$_} } @settings);
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		setpgrp;
		alarm 0;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
		fcntl $listener, F_SETFD, 0;
		exec @argv or POSIX::_exit(127);
	}
	setpgrp $pid, $pid;
	$self->{pid} = $running{$pid} = $pid;
}

# Its connections are cut and its port refuses from now on; the plain one stays.
sub close
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	kill KILL => -$pid;
	waitpid $pid, 0;
	delete $running{$pid};
}

sub stop
{
	my ($self) = @_;
	$self->close;
	$self->{plain}->stop;
}

my $owner = $$;
END {
	if ($owner == $$) {
		kill KILL => -$_ for keys %running;
	}
}

sub port { $_[0]{port} }
sub url { "https://127.0.0.1:$_[0]{port}" }
sub plain { $_[0]{plain} }
sub request_count { $_[0]{plain}->request_count }

sub events
{
	my ($self, $event) = @_;
	CORE::open my $in, '<', $self->{journal} or return wantarray ? () : 0;
	return grep { $_->{event} eq $event } map { JSON::PP::decode_json($_) } <$in>;
}

sub handshakes { $_[0]->events('handshake') }
sub failures { $_[0]->events('failure') }

sub forget
{
	my ($self) = @_;
	unlink $self->{journal};
	$self->{plain}->forget;
}

1;
