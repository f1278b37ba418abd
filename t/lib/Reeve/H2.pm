package Reeve::H2;

# An HTTP/2 client that sends the frames it is told, in the clear (prior knowledge) or over TLS. It is strict with the
# server: a frame that RFC 9113 does not allow it to send, or content that no window was opened for, dies.
#
#	my $h2 = Reeve::H2->connect(port => $port);		# preface and SETTINGS both ways
#	my $response = $h2->fetch('GET', '/x');			# as Reeve::Client: status, header, body, trailer, interim
#	my $id = $h2->request('POST', '/x', headers => [...], body => '...', trailers => [...]);
#	$h2->outcome($id)		'status 200', 'reset CANCEL', 'goaway PROTOCOL_ERROR', 'closed', 'open' (nothing in time)
#	$h2->verdict			'GOAWAY PROTOCOL_ERROR', 'closed' (without), 'open'
#	$h2->send(frame('PING', 0, 0, '12345678')); $h2->wait_frame(type => 'PING');
#
# Options of connect(): port, host, timeout (s, of each wait), tls => 1 or { name (SNI), ca, alpn => [...] (undef: none), and
# SSL_… },
# settings => [NAME => value], window => bytes (of the connection, on top of 65,535), raw => 1 (sends nothing by itself,
# waits for nothing), auto => 0 (acknowledges nothing and opens no window by itself), receive_buffer, from, how (Reeve::Hpack)
#
# Every frame that came stays in ->frames; ->story tells what went to and fro.
use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK);
use IO::Select;
use Reeve::Client;
use Reeve::Frames;
use Reeve::Hpack;
use Time::HiRes qw(time);

use constant { WINDOW => 65535, STORY_LINES => 60 };

sub import
{
	Reeve::Frames->export_to_level(1);
}

sub connect
{
	my ($class, %options) = @_;
	my $tcp = Reeve::Client->connect(timeout => 10, %options);
	my $self = bless {
		timeout => 10, auto => 1, settings => [], %options, socket => $tcp->socket_handle, buffer => '', story => [],
		frames => [], streams => {}, next_id => 1, ended => undef, peer => {}, unacked => [],
		encoder => Reeve::Hpack->new(how => $options{how} // []), decoder => Reeve::Hpack->new,
		send_window => WINDOW, receive_window => WINDOW, initial_send => WINDOW, initial_receive => WINDOW, owed => 0,
	}, $class;
	$self->secure(ref $options{tls} ? %{$options{tls}} : ()) if $options{tls};
	$self->greet unless $options{raw};
	return $self;
}

sub secure
{
	my ($self, %tls) = @_;
	require IO::Socket::SSL;
	my $alpn = exists $tls{alpn} ? $tls{alpn} : ['h2'];
	my ($name, $ca) = delete @tls{qw(name ca alpn)};
	$self->{socket}->blocking(1);
	my $socket = IO::Socket::SSL->start_SSL($self->{socket}, Timeout => $self->{timeout},
	    $alpn ? (SSL_alpn_protocols => $alpn) : (), SSL_hostname => $name // '',
	    defined $ca ? (SSL_ca_file => $ca, SSL_verify_mode => 1, SSL_verifycn_name => $name // '127.0.0.1')
	    : (SSL_verify_mode => 0), %tls) or die "TLS: @{[IO::Socket::SSL::errstr()]}\n";
	$self->{socket} = $socket;
	$self->{is_tls} = 1;
	$socket->blocking(0);
}

sub alpn { return $_[0]{socket}->alpn_selected }

sub greet
{
	my ($self) = @_;
	my $bytes = PREFACE . $self->settings_bytes(@{$self->{settings}});
	$bytes .= $self->window_bytes(0, $self->{window}) if $self->{window};
	$self->send($bytes);
	$self->wait_frame(type => 'SETTINGS', ack => 0) or die "no SETTINGS came: " . ($self->{ended} // 'silence') . "\n";
}

# -- sending ----------------------------------------------------------------------------------------------------------------

sub tell
{
	my ($self, $line) = @_;
	push @{$self->{story}}, $line;
	shift @{$self->{story}} if @{$self->{story}} > STORY_LINES;
}

# By their heads: of large ones the rest is not at hand.
sub tell_sent
{
	my ($self, $bytes) = @_;
	$bytes =~ s/\A\Q@{[PREFACE]}\E// and $self->tell('> preface');
	for (1 .. STORY_LINES) {
		last if length $bytes < 9;
		my ($high, $low, $type, $flags, $stream) = unpack 'C n C C N', $bytes;
		my ($length, $name) = ($high << 16 | $low, type_name($type));
		my $frame = eval { take_frame(\(my $copy = $bytes)) };
		$self->tell('> ' . ($frame ? describe_frame($frame) : "$name stream $stream flags $flags, $length bytes"));
		$bytes = length $bytes > 9 + $length ? substr $bytes, 9 + $length : '';
	}
	$self->tell('> ' . length($bytes) . ' bytes: ' . unpack 'H*', substr $bytes, 0, 16) if length $bytes;
}

# All of it, reading what comes meanwhile; false when the server does not take it in time or has closed.
sub send
{
	my ($self, $bytes) = @_;
	$self->tell_sent(length $bytes > 10000 ? substr $bytes, 0, 1000 : $bytes);
	my $end = time + $self->{timeout};
	my $select = IO::Select->new($self->{socket});
	while (length $bytes) {
		# what TLS did not take has to be offered again as it was
		my $some = syswrite $self->{socket}, $bytes, length $bytes < 16384 ? length $bytes : 16384;
		if ($some) {
			substr $bytes, 0, $some, '';
			next;
		}
		return 0 unless $!{EAGAIN} || $!{EWOULDBLOCK};
		return 0 if time > $end;
		$self->fill(0.01) unless $select->can_write(0.02);
	}
	return 1;
}

sub settings_bytes
{
	my ($self, @settings) = @_;
	push @{$self->{unacked}}, { @settings };
	return settings(@settings);
}

sub window_bytes
{
	my ($self, $stream, $increment) = @_;
	my $of = $stream ? $self->stream($stream) : $self;
	$of->{receive_window} += $increment;
	return frame('WINDOW_UPDATE', 0, $stream, pack 'N', $increment);
}

sub send_settings { my $self = shift; return $self->send($self->settings_bytes(@_)) }
sub send_window { my $self = shift; return $self->send($self->window_bytes(@_)) }
sub send_ping { return $_[0]->send(frame('PING', 0, 0, $_[1] // 'reeve...')) }
sub send_reset { return $_[0]->send($_[0]->reset_bytes($_[1], $_[2] // 'CANCEL')) }
sub send_goaway { return $_[0]->send(frame('GOAWAY', 0, 0, pack 'N N a*', $_[1], code($_[2]), $_[3] // '')) }

sub reset_bytes
{
	my ($self, $id, $code) = @_;
	$self->stream($id)->{is_reset} = 1;
	return frame('RST_STREAM', 0, $id, pack 'N', code($code));
}

# A header block: end => 1 (END_STREAM), open => 1 (no END_HEADERS), split => N (in CONTINUATIONs of N bytes), padding => N,
# priority => [exclusive, stream, weight - 1], block => bytes (instead of fields)
sub headers_bytes
{
	my ($self, $id, $fields, %options) = @_;
	my $block = $options{block} // $self->{encoder}->encode(@$fields);
	my $split = $options{split} // 16000;
	my $flags = $options{end} ? 1 : 0;
	my $first = length $block > $split ? substr $block, 0, $split, '' : substr $block, 0, length $block, '';
	if (my $priority = $options{priority}) {
		my ($exclusive, $on, $weight) = @$priority;
		$first = pack('N C', $on | ($exclusive ? 1 << 31 : 0), $weight) . $first;
		$flags |= 32;
	}
	if (defined $options{padding}) {
		$first = chr($options{padding}) . $first . "\0" x $options{padding};
		$flags |= 8;
	}
	$flags |= 4 unless length $block || $options{open};
	my $bytes = frame('HEADERS', $flags, $id, $first);
	while (length $block) {
		my $piece = substr $block, 0, length $block > $split ? $split : length $block, '';
		$bytes .= frame('CONTINUATION', length $block || $options{open} ? 0 : 4, $id, $piece);
	}
	$self->stream($id);
	return $bytes;
}

sub send_headers { my $self = shift; return $self->send($self->headers_bytes(@_)) }

# One DATA frame, whatever the window says: end => 1, padding => N
sub data_bytes
{
	my ($self, $id, $data, %options) = @_;
	my $padded = defined $options{padding};
	$data = chr($options{padding}) . $data . "\0" x $options{padding} if $padded;
	$_->{send_window} -= length $data for $self, $self->stream($id);
	return frame('DATA', ($options{end} ? 1 : 0) | ($padded ? 8 : 0), $id, $data);
}

sub send_data { my $self = shift; return $self->send($self->data_bytes(@_)) }

# All of it, as the windows allow; false when they stay shut (or the stream ends) before it is sent. Options: end => 1
sub send_content
{
	my ($self, $id, $content, %options) = @_;
	my $stream = $self->stream($id);
	my $until = time + ($options{within} // $self->{timeout});
	my $at = 0;
	while ($at < length $content) {
		my ($room) = sort { $a <=> $b } $self->{send_window}, $stream->{send_window}, 16384, length($content) - $at;
		if ($room <= 0) {
			$self->step($until - time) or return 0;
			return 0 if $stream->{reset};
			next;
		}
		my $piece = substr $content, $at, $room;
		$at += $room;
		$self->send_data($id, $piece, end => $options{end} && $at == length $content) or return 0;
	}
	$self->send_data($id, '', end => 1) if $options{end} && !length $content;
	return 1;
}

# The pseudo-fields, and more: method, path, scheme, authority (undef: left out), headers => [name => value...]
sub request_fields
{
	my ($self, $method, $path, %options) = @_;
	my $authority = exists $options{authority} ? $options{authority} : "127.0.0.1:$self->{port}";
	my $scheme = exists $options{scheme} ? $options{scheme} : $self->{is_tls} ? 'https' : 'http';
	return (
		defined $method ? (':method' => $method) : (), defined $scheme ? (':scheme' => $scheme) : (),
		defined $authority ? (':authority' => $authority) : (), defined $path ? (':path' => $path) : (),
		@{$options{headers} // []},
	);
}

sub next_id
{
	my ($self) = @_;
	my $id = $self->{next_id};
	$self->{next_id} += 2;
	return $id;
}

# A request, whole unless open => 1; its stream. More options: body, trailers => [...], those of headers_bytes
sub request
{
	my ($self, $method, $path, %options) = @_;
	my $id = $options{id} // $self->next_id;
	my @fields = $self->request_fields($method, $path, %options);
	my ($body, $trailers) = @options{qw(body trailers)};
	my $ends = !defined $body && !$trailers && !$options{open};
	$self->stream($id)->{method} = $method;
	$self->send_headers($id, \@fields, %options{grep { exists $options{$_} } qw(split padding priority)}, end => $ends);
	$self->send_content($id, $body, end => !$trailers && !$options{open}) if defined $body;
	$self->send_headers($id, $trailers, end => 1) if $trailers;
	return $id;
}

# -- receiving --------------------------------------------------------------------------------------------------------------

# What came into the buffer: 'data', 'closed', 'reset' or 'timeout'.
sub fill
{
	my ($self, $seconds) = @_;
	return $self->{ended} if $self->{ended};
	my $pending = $self->{is_tls} && $self->{socket}->pending;
	return 'timeout' unless $pending || IO::Select->new($self->{socket})->can_read($seconds > 0 ? $seconds : 0);
	my $got = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
	return 'data' if $got;
	return 'timeout' if !defined $got && ($!{EAGAIN} || $!{EWOULDBLOCK});
	return $self->{ended} = defined $got ? 'closed' : 'reset';
}

# Bytes that are no frames, whatever they are; '' when none come.
sub read_raw
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	$self->fill($until - time) until length $self->{buffer} || $self->{ended} || time >= $until;
	return $self->{buffer};
}

sub stream
{
	my ($self, $id) = @_;
	return $self->{streams}{$id} //= { id => $id, send_window => $self->{initial_send}, owed => 0,
	    receive_window => $self->{initial_receive}, body => '', interim => [], trailers => [], pieces => [] };
}

sub complain
{
	my ($self, $why) = @_;
	die "the server: $why\n" . $self->story . "\n";
}

# The next frame, digested; nothing when none comes in time.
sub step
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // $self->{timeout});
	my $frame;
	until ($frame = take_frame(\$self->{buffer})) {
		my $came = $self->fill($until - time);
		return if $came eq 'closed' || $came eq 'reset';
		return if $came ne 'data' && time >= $until;
	}
	$frame->{at} = time;
	push @{$self->{frames}}, $frame;
	$self->tell('< ' . describe_frame($frame));
	$self->complain("$frame->{type} of $frame->{length} bytes") if $frame->{length} > 16384;
	$self->digest($frame);
	return $frame;
}

my %digest = (
	DATA => \&digest_data,
	HEADERS => \&digest_headers,
	CONTINUATION => \&digest_headers,
	SETTINGS => \&digest_settings,
	PING => sub {
		my ($self, $frame) = @_;
		$self->send(frame('PING', 'ACK', 0, $frame->{payload})) if $self->{auto} && !($frame->{flags} & 1);
	},
	RST_STREAM => sub {
		my ($self, $frame) = @_;
		$self->stream($frame->{stream})->{reset} = $frame->{code};
	},
	GOAWAY => sub {
		my ($self, $frame) = @_;
		my $before = $self->{goaway};
		$self->complain("GOAWAY with a later stream than before") if $before && $frame->{last} > $before->{last};
		$self->{goaway} = $frame;
	},
	WINDOW_UPDATE => sub {
		my ($self, $frame) = @_;
		my $of = $frame->{stream} ? $self->stream($frame->{stream}) : $self;
		$self->complain('WINDOW_UPDATE of 0') if $frame->{increment} == 0;
		$of->{send_window} += $frame->{increment};
		$self->complain('a window beyond 2^31-1') if $of->{send_window} > 0x7fffffff;
	},
	PUSH_PROMISE => sub { $_[0]->complain('PUSH_PROMISE') },
);

sub digest
{
	my ($self, $frame) = @_;
	$self->complain("$frame->{type} inside a header block") if defined $self->{block} && $frame->{type} ne 'CONTINUATION';
	$self->complain("a CONTINUATION of nothing") if !defined $self->{block} && $frame->{type} eq 'CONTINUATION';
	my $digest = $digest{$frame->{type}} or return;
	$digest->($self, $frame);
}

sub digest_settings
{
	my ($self, $frame) = @_;
	if ($frame->{flags} & 1) {
		my $mine = shift @{$self->{unacked}} // $self->complain('acknowledges SETTINGS that were not sent');
		$self->{decoder}->set_limit($mine->{HEADER_TABLE_SIZE}) if defined $mine->{HEADER_TABLE_SIZE};
		my $window = $mine->{INITIAL_WINDOW_SIZE} // return;
		$_->{receive_window} += $window - $self->{initial_receive} for values %{$self->{streams}};
		$self->{initial_receive} = $window;
		return;
	}
	for (@{$frame->{settings} // []}) {
		my ($name, $value) = @$_;
		$self->{peer}{$name} = $value;
		next unless $name eq 'INITIAL_WINDOW_SIZE';
		$_->{send_window} += $value - $self->{initial_send} for values %{$self->{streams}};
		$self->{initial_send} = $value;
	}
	$self->send(frame('SETTINGS', 'ACK', 0, '')) if $self->{auto};
}

# Content came: is it allowed, and the windows opened again as soon as half of them is used.
sub digest_data
{
	my ($self, $frame) = @_;
	my $stream = $self->stream($frame->{stream});
	$self->complain("DATA on stream $frame->{stream} before a head") unless $stream->{head};
	$self->complain("DATA behind the end of stream $frame->{stream}") if $stream->{ended};
	for my $of ($self, $stream) {
		$of->{receive_window} -= $frame->{length};
		$of->{owed} += $frame->{length};
		$self->complain("content on stream $frame->{stream} that no window was open for")
		    if $of->{receive_window} < 0 && $frame->{length};
	}
	$stream->{body} .= $frame->{data};
	push @{$stream->{pieces}}, length $frame->{data};
	$self->end_stream($stream) if $frame->{flags} & 1;
	$self->open_windows($stream) if $self->{auto};
}

sub open_windows
{
	my ($self, $stream) = @_;
	my $bytes = '';
	for my $of ($self, $stream) {
		next if $of != $self && ($of->{ended} || $of->{is_reset} || $of->{reset});
		my $least = $self->{initial_receive} < 32768 ? $self->{initial_receive} / 2 : 16384;
		next if $of->{owed} < $least || !$of->{owed};
		$bytes .= $self->window_bytes($of == $self ? 0 : $stream->{id}, $of->{owed});
		$of->{owed} = 0;
	}
	$self->send($bytes) if length $bytes;
}

sub digest_headers
{
	my ($self, $frame) = @_;
	my $stream = $self->stream($frame->{stream});
	$self->complain("a head behind the end of stream $frame->{stream}") if $stream->{ended};
	$self->{block} = ($self->{block} // '') . $frame->{block};
	$self->{block_ends} = $frame->{flags} & 1 if $frame->{type} eq 'HEADERS';
	return unless $frame->{flags} & 4;
	my $fields = eval { $self->{decoder}->decode(delete $self->{block}) } // $self->complain("its header block: $@");
	$self->check_fields($fields, $stream);
	$frame->{fields} = $fields;
	my ($status) = map { $_->[1] } grep { $_->[0] eq ':status' } @$fields;
	my @rest = grep { $_->[0] !~ /^:/ } @$fields;
	if ($stream->{head}) {
		$stream->{trailers} = \@rest;
	} elsif ($status < 200) {
		push @{$stream->{interim}}, $self->make_response($status, \@rest);
	} else {
		$stream->{head} = $self->make_response($status, \@rest);
	}
	$self->end_stream($stream) if $self->{block_ends};
}

sub check_fields
{
	my ($self, $fields, $stream) = @_;
	my @pseudo = grep { $_->[0] =~ /^:/ } @$fields;
	my $where = "in a head of stream $stream->{id}";
	if ($stream->{head}) {
		$self->complain("a pseudo-field in trailers of stream $stream->{id}") if @pseudo;
		$self->complain("trailers that do not end stream $stream->{id}") unless $self->{block_ends};
	} elsif (@pseudo != 1 || $fields->[0][0] ne ':status' || $fields->[0][1] !~ /^[1-9]\d\d\z/ || $fields->[0][1] == 101) {
		$self->complain("not one :status, first $where");
	}
	for (@$fields) {
		my ($name, $value) = @$_;
		$self->complain("the name \"$name\" $where") if $name !~ /^:?[!#\$%&'*+.^_`|~0-9a-z-]+\z/;
		$self->complain("the value of $name $where") if $value =~ /[\0\r\n]|^[ \t]|[ \t]\z/;
		$self->complain("$name $where") if $name =~ /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te)\z/;
	}
}

sub make_response
{
	my ($self, $status, $fields) = @_;
	return bless { version => '2', status => $status, reason => '', fields => $fields, body => '', trailers => [],
	    interim => [] }, 'Reeve::Response';
}

sub end_stream
{
	my ($self, $stream) = @_;
	$self->complain("stream $stream->{id} ends without a response") unless $stream->{head};
	$stream->{ended} = 1;
	my $length = $stream->{head}->header('content-length') // return;
	return if ($stream->{method} // '') eq 'HEAD' || $stream->{head}->status == 304;
	$self->complain("Content-Length: $length, and " . length($stream->{body}) . ' bytes came')
	    if $length != length $stream->{body};
}

# -- waiting ----------------------------------------------------------------------------------------------------------------

sub fits
{
	my ($frame, %want) = @_;
	return 0 if $frame->{used};
	return 0 if defined $want{ack} && !$want{ack} != !($frame->{flags} & 1);
	for my $name (grep { $_ ne 'ack' } keys %want) {
		return 0 unless defined $frame->{$name} && $frame->{$name} eq $want{$name};
	}
	return 1;
}

# The first frame that fits and was not given before: type, stream, code, ack => 0 or 1 ...; within => seconds
sub wait_frame
{
	my ($self, %want) = @_;
	my $until = time + (delete $want{within} // $self->{timeout});
	my $at = 0;
	while (1) {
		for (; $at < @{$self->{frames}}; $at++) {
			next unless fits($self->{frames}[$at], %want);
			$self->{frames}[$at]{used} = 1;
			return $self->{frames}[$at];
		}
		my $left = $until - time;
		return unless $self->step($left > 0 ? $left : 0);
	}
}

# Digests what comes until the code is true; false when time is over or the connection ends before.
sub wait_until
{
	my ($self, $seconds, $code) = @_;
	my $until = time + ($seconds // $self->{timeout});
	while (1) {
		my $value = $code->();
		return $value if $value;
		my $left = $until - time;
		$self->step($left > 0 ? $left : 0) or return $code->();
	}
}

# Digests what comes for so long.
sub listen_for
{
	my ($self, $seconds) = @_;
	$self->wait_until($seconds, sub { 0 });
}

sub has_goaway_error { return $_[0]{goaway} && $_[0]{goaway}{code} ne 'NO_ERROR' }

# How a stream ended.
sub outcome
{
	my ($self, $id, $seconds) = @_;
	my $stream = $self->stream($id);
	$self->wait_until($seconds, sub { $stream->{ended} || $stream->{reset} || $self->has_goaway_error });
	return 'status ' . $stream->{head}->status if $stream->{ended};
	return "reset $stream->{reset}" if $stream->{reset};
	return "goaway $self->{goaway}{code}" if $self->{goaway} && ($self->has_goaway_error || $self->{ended});
	return $self->{ended} // 'open';
}

# How the connection ends.
sub verdict
{
	my ($self, $seconds) = @_;
	$self->listen_for($seconds);
	return 'open' unless $self->{ended};
	return $self->{goaway} ? "GOAWAY $self->{goaway}{code}" : $self->{ended};
}

# The response on a stream; dies when there is none.
sub response
{
	my ($self, $id, $seconds) = @_;
	my $outcome = $self->outcome($id, $seconds);
	die "stream $id: $outcome\n" . $self->story . "\n" unless $outcome =~ /^status/;
	my $stream = $self->stream($id);
	@{$stream->{head}}{qw(body trailers interim)} = @$stream{qw(body trailers interim)};
	return $stream->{head};
}

# Its head, as soon as it is there.
sub head
{
	my ($self, $id, $seconds) = @_;
	my $stream = $self->stream($id);
	$self->wait_until($seconds, sub { $stream->{head} || $stream->{reset} });
	return $stream->{head};
}

sub fetch
{
	my ($self, $method, $path, %options) = @_;
	return $self->response($self->request($method, $path, %options), $options{within});
}

# Whether the connection still serves.
sub is_alive
{
	my ($self) = @_;
	my $opaque = sprintf '%08d', ++$self->{pings};
	$self->send_ping($opaque);
	return $self->wait_frame(type => 'PING', ack => 1, opaque => $opaque) ? 1 : 0;
}

sub frames { return @{$_[0]{frames}} }
sub story { return join "\n", map { "  $_" } @{$_[0]{story}}, $_[0]{ended} ? "< $_[0]{ended}" : () }

# -- ending -----------------------------------------------------------------------------------------------------------------

sub close
{
	my ($self) = @_;
	my $socket = delete $self->{socket} // return;
	return CORE::close($socket) unless $self->{is_tls};
	$socket->close(SSL_no_shutdown => 1);
}

sub shutdown_write { return shutdown $_[0]{socket}, 1 }

1;
