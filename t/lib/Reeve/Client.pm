package Reeve::Client;

# A client that sends exactly the bytes it is told and reads responses one by one. It is strict where reeve has to be:
# a response that is not well-formed HTTP/1.1 dies.
use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINPROGRESS);
use IO::Select;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

# port or path (unix socket); host, timeout (seconds for each wait), from (local address), receive_buffer
sub connect
{
	my ($class, %options) = @_;
	my $self = bless { buffer => '', timeout => 10, %options }, $class;
	my $address;
	if (defined $options{path}) {
		socket $self->{socket}, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
		$address = pack_sockaddr_un($options{path});
	} elsif (($options{host} // '') =~ /:/) {
		socket $self->{socket}, AF_INET6, SOCK_STREAM, 0 or die "socket: $!";
		$address = pack_sockaddr_in6($options{port}, Socket::inet_pton(AF_INET6, $options{host}));
	} else {
		socket $self->{socket}, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
		$address = pack_sockaddr_in($options{port}, inet_aton($options{host} // '127.0.0.1'));
	}
	my $socket = $self->{socket};
	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $options{receive_buffer} if $options{receive_buffer};
	bind $socket, pack_sockaddr_in(0, inet_aton($options{from})) or die "bind $options{from}: $!" if $options{from};
	CORE::connect $socket, $address or die "connect to " . ($options{path} // $options{port}) . ": $!\n";
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 unless defined $options{path};
	$socket->blocking(0);
	return $self;
}

sub socket_handle
{
	my ($self) = @_;
	return $self->{socket};
}

sub wait_readable
{
	my ($self, $seconds) = @_;
	return scalar IO::Select->new($self->{socket})->can_read($seconds);
}

# -- sending ----------------------------------------------------------------------------------------------------------------

# Sends all of it; false when the server does not take it in time or has closed.
sub send
{
	my ($self, $bytes) = @_;
	my $end = time + $self->{timeout};
	my $sent = 0;
	while ($sent < length $bytes) {
		my $some = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;
		if (defined $some) {
			$sent += $some;
			next;
		}
		return 0 unless $! == EAGAIN or $! == EWOULDBLOCK;
		return 0 if time > $end;
		IO::Select->new($self->{socket})->can_write(0.2);
	}
	return 1;
}

# As much as the kernel takes now.
sub send_some
{
	my ($self, $bytes) = @_;
	return syswrite($self->{socket}, $bytes) // 0;
}

# request('POST', '/x', headers => [name => value...], body => ..., chunked => 1, version => '1.0', host => ..., close => 1)
sub request_bytes
{
	my ($self, $method, $target, %options) = @_;
	my $version = $options{version} // '1.1';
	my @headers = ref $options{headers} eq 'HASH' ? %{$options{headers}} : @{$options{headers} // []};
	my %given;
	for (my $at = 0; $at < @headers; $at += 2) {
		$given{lc $headers[$at]} = 1;
	}
	my $text = "$method $target HTTP/$version\r\n";
	my $host = $options{host} // (defined $self->{port} ? "127.0.0.1:$self->{port}" : 'localhost');
	$text .= "Host: $host\r\n" unless $given{host};
	while (my ($name, $value) = splice @headers, 0, 2) {
		$text .= "$name: $value\r\n";
	}
	$text .= "Connection: close\r\n" if $options{close} && !$given{connection};
	my $body = $options{body};
	return "$text\r\n" unless defined $body;
	if ($options{chunked}) {
		$text .= "Transfer-Encoding: chunked\r\n\r\n";
		$text .= sprintf "%x\r\n%s\r\n", length, $_ for grep { length } ref $body ? @$body : $body;
		return "${text}0\r\n" . ($options{trailers} // '') . "\r\n";
	}
	$text .= "Content-Length: " . length($body) . "\r\n" unless $given{'content-length'};
	return "$text\r\n$body";
}

sub request
{
	my ($self, $method, $target, %options) = @_;
	return $self->send($self->request_bytes($method, $target, %options));
}

# Sends a request and reads its response.
sub fetch
{
	my ($self, $method, $target, %options) = @_;
	$self->request($method, $target, %options);
	return $self->read_response(method => $method);
}

# -- receiving --------------------------------------------------------------------------------------------------------------

# More bytes into the buffer: 'data', 'closed', 'reset' or 'timeout'.
sub fill
{
	my ($self, $seconds, $most) = @_;
	return $self->{ended} if $self->{ended};
	return 'timeout' unless $self->wait_readable($seconds // $self->{timeout});
	my $got = sysread $self->{socket}, $self->{buffer}, $most // 65536, length $self->{buffer};
	return 'data' if $got;
	return 'timeout' if !defined $got && ($! == EAGAIN || $! == EWOULDBLOCK);
	return $self->{ended} = defined $got ? 'closed' : 'reset';
}

sub need
{
	my ($self, $what) = @_;
	my $came = $self->fill;
	return if $came eq 'data';
	my $head = substr $self->{buffer}, 0, 200;
	die "$came while reading $what; so far: " . ($head =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger) . "\n";
}

sub read_line
{
	my ($self, $what) = @_;
	$self->need($what) until $self->{buffer} =~ s/\A([^\n]*)\n//;
	my $line = $1;
	die "line without CR in $what: $line\n" unless $line =~ s/\r\z//;
	die "CR inside a line in $what\n" if $line =~ /\r/;
	return $line;
}

sub read_bytes
{
	my ($self, $count, $what) = @_;
	$self->need($what) while length $self->{buffer} < $count;
	return substr $self->{buffer}, 0, $count, '';
}

sub read_fields
{
	my ($self, $what) = @_;
	my @fields;
	while ((my $line = $self->read_line($what)) ne '') {
		$line =~ /^([!#\$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/ or die "bad field in $what: $line\n";
		push @fields, [$1, $2];
	}
	return \@fields;
}

# Status line and fields.
sub read_head
{
	my ($self) = @_;
	my $line = $self->read_line('status line');
	$line =~ m{^HTTP/(1\.[01]) ([1-9][0-9]{2}) (.*)$} or die "bad status line: $line\n";
	my ($version, $status, $reason) = ($1, $2, $3);
	return bless { version => $version, status => $status, reason => $reason, fields => $self->read_fields('head'),
	    body => '', trailers => [], interim => [] }, 'Reeve::Response';
}

# The next final response, interim ones in ->interim. Options: method (HEAD has no body), head_only.
sub read_response
{
	my ($self, %options) = @_;
	my @interim;
	my $response = $self->read_head;
	while ($response->status < 200 && $response->status != 101) {
		push @interim, $response;
		$response = $self->read_head;
	}
	$response->{interim} = \@interim;
	return $response if $options{head_only} || $response->status == 101;
	$self->read_body($response, $options{method} // 'GET');
	return $response;
}

sub read_body
{
	my ($self, $response, $method) = @_;
	my $length = $response->header('content-length');
	my $coding = $response->header('transfer-encoding');
	die "Content-Length and Transfer-Encoding in one response\n" if defined $length && defined $coding;
	die "Content-Length: $length\n" if defined $length && $length !~ /^\d+$/;
	if ($method eq 'HEAD' || $response->status == 204 || $response->status == 304) {
		return;
	} elsif (defined $coding) {
		die "Transfer-Encoding: $coding\n" unless lc $coding eq 'chunked';
		$self->read_chunks($response);
	} elsif (defined $length) {
		$response->{body} = $self->read_bytes($length, 'body');
	} else {
		$response->{until_close} = 1;
		1 while $self->fill eq 'data';
		$response->{body} = delete $self->{buffer};
		$self->{buffer} = '';
		die "not closed behind a body without length\n" unless $self->{ended};
		die "reset behind a body without length\n" if $self->{ended} eq 'reset';
	}
}

sub read_chunks
{
	my ($self, $response) = @_;
	$response->{chunks} = [];
	while (1) {
		my $line = $self->read_line('chunk size');
		$line =~ /^([0-9A-Fa-f]+)\s*(?:;.*)?$/ or die "bad chunk size: $line\n";
		my $size = hex $1;
		last if $size == 0;
		my $chunk = $self->read_bytes($size, 'chunk');
		$self->read_line('end of chunk') eq '' or die "chunk longer than its size\n";
		push @{$response->{chunks}}, $size;
		$response->{body} .= $chunk;
	}
	$response->{trailers} = $self->read_fields('trailers');
}

# Everything up to the end of the connection or the timeout.
sub read_to_end
{
	my ($self) = @_;
	1 while $self->fill eq 'data';
	my $all = $self->{buffer};
	$self->{buffer} = '';
	return $all;
}

# At most so many bytes, waiting at most so long; '' when none came.
sub read_some
{
	my ($self, $most, $seconds) = @_;
	$self->fill($seconds // 0, $most) if $self->{buffer} eq '';
	return substr $self->{buffer}, 0, $most // length $self->{buffer}, '';
}

# How the connection stands: 'closed', 'reset', or 'open' when neither happened in the time. Data stays in ->buffered.
sub end
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	while (1) {
		my $left = $until - time;
		my $came = $self->fill($left > 0 ? $left : 0);
		return $came if $came eq 'closed' || $came eq 'reset';
		return 'open' if $came eq 'timeout' && time >= $until;
	}
}

sub buffered
{
	my ($self) = @_;
	return $self->{buffer};
}

# -- ending -----------------------------------------------------------------------------------------------------------------

sub shutdown_write
{
	my ($self) = @_;
	shutdown $self->{socket}, 1;
}

sub close
{
	my ($self) = @_;
	CORE::close($self->{socket}) if $self->{socket};
	delete $self->{socket};
}

# Closes with a RST.
sub reset
{
	my ($self) = @_;
	setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	$self->close;
}

sub local_port
{
	my ($self) = @_;
	return (unpack_sockaddr_in(getsockname $self->{socket}))[0];
}

package Reeve::Response;

sub status { $_[0]{status} }
sub reason { $_[0]{reason} }
sub version { $_[0]{version} }
sub body { $_[0]{body} }
sub interim { @{$_[0]{interim}} }
sub chunks { $_[0]{chunks} }
sub until_close { $_[0]{until_close} }

# All values of a field, in order.
sub all
{
	my ($self, $name) = @_;
	return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$self->{fields}};
}

# The field's values joined, undef when it is absent.
sub header
{
	my ($self, $name) = @_;
	my @values = $self->all($name);
	return @values ? join(', ', @values) : undef;
}

sub trailer
{
	my ($self, $name) = @_;
	my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$self->{trailers}};
	return @values ? join(', ', @values) : undef;
}

sub names
{
	my ($self) = @_;
	return map { lc $_->[0] } @{$self->{fields}};
}

sub json
{
	my ($self) = @_;
	return JSON::PP->new->utf8->decode($self->{body});
}

1;
