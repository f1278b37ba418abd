package Reeve::H2Upstream;

# An HTTP/2 server for reeve to proxy to, frame by frame, whose behaviour the path chooses; in the clear, by prior
# knowledge. What it has in common with Reeve::Upstream (start, stop, journal) is inherited: connections(), requests(), ...
#
#	/echo			200, JSON of the request: method, target, headers, body, trailers, connection
#	/bytes/N		N bytes with content-length		/stream/N/SIZE	without, in frames of SIZE
#	/status/CODE		that status, no content			/trailers	content and trailers
#	/early-hints		103, then 200				/hang		never answers
#	/refuse/KEY/N		REFUSED_STREAM N times, then as /echo	/reset/CODE	RST_STREAM with that code
#	/goaway/KEY/N		GOAWAY that takes the request back N times, then as /echo
#	/goaway-behind		answers, then GOAWAY			/goaway-wait/S	GOAWAY that keeps it, the answer S seconds later
#	/close			closes without an answer		/close-middle	closes in the middle of the content
#	/reset-middle/CODE	RST_STREAM in the middle of the content
#	/frame/TYPE/FLAGS/STREAM/HEX	half an answer, then that frame; STREAM `own`: the request's
#	/longer, /shorter	content of another size than content-length says
#	/late			answers, then DATA and HEADERS on the stream that is over
#	/huge-head/N		a field of N bytes			/many-fields/N	N fields
#	/field/NAME/VALUE	200 with that field (both in hex)	/status-text/X	that :status, whatever it is
#	/zero-window		answers, and lets no content come on the connection any more
#	/early-answer		answers when the head has come, and reads nothing more of it
#	/slow-read		opens no window for the content that comes
#
# Options of start(), beside those of Reeve::Upstream: settings => [name => value...], deaf => 1 (reads nothing), first =>
# bytes instead of SETTINGS, willing => 1 (refuses nothing).
use strict;
use warnings;
use parent 'Reeve::Upstream';
use IO::Select;
use Reeve::Frames;
use Reeve::Hpack;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

sub serve
{
	my ($self, $listener) = @_;
	while (1) {
		accept my $socket, $listener or next;
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			CORE::close $listener;
			binmode $socket;
			setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
			my $connection = bless { upstream => $self, socket => $socket, in => '', streams => {}, number => "$$",
			    decoder => Reeve::Hpack->new, encoder => Reeve::Hpack->new, last => 0 }, 'Reeve::H2Upstream::Connection';
			$self->note('connection', connection => "$$");
			eval { $connection->run };
			print STDERR "# upstream: $@" if $@ && $@ ne "gone\n";
			$self->note('closed', connection => "$$");
			POSIX::_exit(0);
		}
		CORE::close $socket;
	}
}

package Reeve::H2Upstream::Connection;

use JSON::PP ();
use Reeve::Frames;
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->latin1->canonical;
my %behaviour;

sub run
{
	my ($self) = @_;
	my $upstream = $self->{upstream};
	if ($upstream->{deaf}) {
		sleep 3600;
	}
	$self->say($upstream->{first}) if defined $upstream->{first};
	$self->say(settings(@{$upstream->{settings} // []})) unless defined $upstream->{first};
	$self->fill until length $self->{in} >= length PREFACE;
	substr($self->{in}, 0, length PREFACE, '') eq PREFACE or die "no preface\n";
	while (1) {
		my $frame;
		$self->fill until $frame = take_frame(\$self->{in});
		$self->take($frame);
	}
}

sub fill
{
	my ($self) = @_;
	sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or die "gone\n";
}

sub say
{
	my ($self, @bytes) = @_;
	my $bytes = join '', @bytes;
	while (length $bytes) {
		my $count = syswrite $self->{socket}, $bytes;
		die "gone\n" unless $count;
		substr $bytes, 0, $count, '';
	}
}

# -- what comes -------------------------------------------------------------------------------------------------------------

sub take
{
	my ($self, $frame) = @_;
	my $stream = $self->{streams}{$frame->{stream}};
	if ($frame->{type} eq 'SETTINGS') {
		$self->say(frame('SETTINGS', 'ACK', 0, '')) unless $frame->{flags} & 1;
	} elsif ($frame->{type} eq 'PING') {
		$self->say(frame('PING', 'ACK', 0, $frame->{payload})) unless $frame->{flags} & 1;
	} elsif ($frame->{type} eq 'WINDOW_UPDATE') {
		$self->{window}{$frame->{stream}} += $frame->{increment};
	} elsif ($frame->{type} eq 'RST_STREAM') {
		$self->{upstream}->note('reset', stream => $frame->{stream}, code => $frame->{code}, connection => $self->{number});
		delete $self->{streams}{$frame->{stream}};
	} elsif ($frame->{type} eq 'GOAWAY') {
		$self->{upstream}->note('goaway', code => $frame->{code}, connection => $self->{number});
	} elsif ($frame->{type} eq 'HEADERS' || $frame->{type} eq 'CONTINUATION') {
		$self->take_head($frame);
	} elsif ($frame->{type} eq 'DATA' && $stream) {
		$stream->{body} .= $frame->{data};
		my $more = $frame->{length};
		$self->say(frame('WINDOW_UPDATE', 0, 0, pack 'N', $more), frame('WINDOW_UPDATE', 0, $frame->{stream}, pack 'N', $more))
		    if $more > 0 && !$stream->{holds};
		$self->complete($stream) if $frame->{flags} & 1;
	}
}

sub take_head
{
	my ($self, $frame) = @_;
	$self->{block} .= $frame->{block} // $frame->{payload};
	$self->{ends} = $frame->{flags} & 1 if $frame->{type} eq 'HEADERS';
	return unless $frame->{flags} & 4;
	my $fields = $self->{decoder}->decode(delete $self->{block});
	my $stream = $self->{streams}{$frame->{stream}};
	if ($stream) {
		$stream->{trailers} = $fields;
		$self->complete($stream);
		return;
	}
	my %field = map { $_->[0] => $_->[1] } reverse @$fields;
	$stream = $self->{streams}{$frame->{stream}} = { id => $frame->{stream}, headers => $fields, body => '', trailers => [],
	    method => $field{':method'}, target => $field{':path'}, header => \%field };
	$self->{last} = $stream->{id};
	my ($word) = $stream->{target} =~ m{^/([^/?]+)};
	$stream->{word} = $word // '';
	$stream->{holds} = 1 if $stream->{word} eq 'slow-read';
	$behaviour{'early-answer'}->($self, $stream) if $stream->{word} eq 'early-answer';
	$self->complete($stream) if $self->{ends};
}

sub complete
{
	my ($self, $stream) = @_;
	my %told = map { $_ => $stream->{$_} } qw(method target headers header trailers);
	$self->{upstream}->note('request', %told, connection => $self->{number}, stream => $stream->{id}, size => length $stream->{body});
	my (undef, @words) = grep { length } split m{/}, $stream->{target} =~ s/\?.*//sr;
	my $behaviour = $behaviour{$stream->{word}};
	return $self->answer($stream, 404, "no such behaviour\n") unless $behaviour;
	$behaviour->($self, $stream, @words) unless $stream->{word} eq 'early-answer';
}

# -- what goes out ----------------------------------------------------------------------------------------------------------

sub head
{
	my ($self, $stream, $end, @fields) = @_;
	my @blocks = unpack '(a16000)*', $self->{encoder}->encode(@fields);
	return join '', map { frame($_ ? 'CONTINUATION' : 'HEADERS', ($_ || !$end ? 0 : 1) | ($_ == $#blocks ? 4 : 0),
	    $stream->{id}, $blocks[$_]) } 0 .. $#blocks;
}

# As windows allow.
sub content
{
	my ($self, $stream, $body, $end, $size) = @_;
	my $window = $self->{window} //= {};
	$size ||= 16384;
	while (1) {
		my $room = 262144 + ($window->{$stream->{id}} // 0) - ($stream->{said} // 0);
		my $all = 65535 + ($window->{0} // 0) - ($self->{said} // 0);
		$room = $all if $all < $room;
		if ($room <= 0 && length $body) {
			my $frame;
			$self->fill until $frame = take_frame(\$self->{in});
			$self->take($frame);
			return unless $self->{streams}{$stream->{id}};
			next;
		}
		my $piece = substr $body, 0, $room < $size ? $room : $size, '';
		$stream->{said} += length $piece;
		$self->{said} += length $piece;
		$self->say(frame('DATA', $end && !length $body ? 'END_STREAM' : 0, $stream->{id}, $piece));
		return unless length $body;
	}
}

sub answer
{
	my ($self, $stream, $status, $body, @fields) = @_;
	my $is_head = $stream->{method} eq 'HEAD';
	$self->say($self->head($stream, $is_head, ':status' => $status, 'content-length' => length $body,
	    'x-connection' => $self->{number}, @fields));
	$self->content($stream, $body, 1) unless $is_head;
	delete $self->{streams}{$stream->{id}};
}

# Counted over all connections.
sub times
{
	my ($self, $key) = @_;
	return scalar grep { $_->{target} =~ m{/\Q$key\E/} } $self->{upstream}->requests;
}

sub reset_bytes { frame('RST_STREAM', 0, $_[0]{id}, pack 'N', code($_[1])) }
sub goaway_bytes { frame('GOAWAY', 0, 0, pack 'NN', $_[0], code($_[1])) }

# Long enough before what follows to be read by itself.
sub say_half
{
	my ($self, $stream) = @_;
	$self->say($self->head($stream, 0, ':status' => 200, 'content-length' => 10), frame('DATA', 0, $stream->{id}, 'hello'));
	sleep 0.05;
}

%behaviour = (
	echo => sub {
		my ($self, $stream) = @_;
		my %told = map { $_ => $stream->{$_} } qw(method target headers body trailers);
		$self->answer($stream, 200, $json->encode({ %told, connection => $self->{number} }), 'content-type' => 'application/json');
	},
	bytes => sub { $_[0]->answer($_[1], 200, 'x' x $_[2]) },
	stream => sub {
		my ($self, $stream, $count, $size) = @_;
		$self->say($self->head($stream, 0, ':status' => 200));
		$self->content($stream, 'x' x $count, 1, $size);
	},
	status => sub { $_[0]->say($_[0]->head($_[1], 1, ':status' => $_[2], 'x-connection' => $_[0]{number})) },
	trailers => sub {
		my ($self, $stream) = @_;
		$self->say($self->head($stream, 0, ':status' => 200), frame('DATA', 0, $stream->{id}, 'hello'),
		    $self->head($stream, 1, 'x-sum' => 7, 'set-cookie' => 'evil=1'));
	},
	'early-hints' => sub {
		my ($self, $stream) = @_;
		$self->say($self->head($stream, 0, ':status' => 103, link => '</style.css>; rel=preload'));
		$self->answer($stream, 200, 'hello');
	},
	hang => sub {},
	refuse => sub {
		my ($self, $stream, $key, $times) = @_;
		return $behaviour{echo}->($self, $stream) if $self->{upstream}{willing} || $self->times($key) > $times;
		$self->say(reset_bytes($stream, 'REFUSED_STREAM'));
	},
	reset => sub { $_[0]->say(reset_bytes($_[1], $_[2])) },
	goaway => sub {
		my ($self, $stream, $key, $times) = @_;
		return $behaviour{echo}->($self, $stream) if $self->times($key) > $times;
		$self->say(goaway_bytes($stream->{id} - 2 < 0 ? 0 : $stream->{id} - 2, 'NO_ERROR'));
	},
	'goaway-behind' => sub {
		my ($self, $stream) = @_;
		$self->answer($stream, 200, 'hello');
		$self->say(goaway_bytes($stream->{id}, 'NO_ERROR'));
	},
	'goaway-wait' => sub {
		my ($self, $stream, $seconds) = @_;
		$self->say(goaway_bytes($stream->{id}, 'NO_ERROR'));
		sleep $seconds;
		$self->answer($stream, 200, 'hello');
	},
	close => sub { die "gone\n" },
	'close-middle' => sub { say_half(@_); die "gone\n" },
	'reset-middle' => sub { say_half(@_); $_[0]->say(reset_bytes($_[1], $_[2])) },
	frame => sub {
		my ($self, $stream, $type, $flags, $id, $hex) = @_;
		say_half(@_);
		$self->say(frame($type, $flags, $id eq 'own' ? $stream->{id} : $id, pack 'H*', $hex // ''));
	},
	longer => sub {
		my ($self, $stream) = @_;
		$self->say($self->head($stream, 0, ':status' => 200, 'content-length' => 5),
		    frame('DATA', 'END_STREAM', $stream->{id}, 'hello, world'));
	},
	shorter => sub {
		my ($self, $stream) = @_;
		$self->say($self->head($stream, 0, ':status' => 200, 'content-length' => 50),
		    frame('DATA', 'END_STREAM', $stream->{id}, 'hello'));
	},
	late => sub {
		my ($self, $stream) = @_;
		$self->answer($stream, 200, 'hello');
		$self->say(frame('DATA', 0, $stream->{id}, 'more'), $self->head($stream, 1, 'x-t' => 1));
	},
	'huge-head' => sub { $_[0]->answer($_[1], 200, 'hello', 'x-huge' => 'y' x $_[2]) },
	'many-fields' => sub { $_[0]->answer($_[1], 200, 'hello', map { ("x-$_" => 1) } 1 .. $_[2]) },
	field => sub {
		my ($self, $stream, $name, $value) = @_;
		$self->answer($stream, 200, 'hello', pack('H*', $name) => pack('H*', $value // ''));
	},
	'status-text' => sub { $_[0]->say($_[0]->head($_[1], 1, ':status' => $_[2])) },
	'zero-window' => sub {
		my ($self, $stream) = @_;
		$self->say(settings(INITIAL_WINDOW_SIZE => 0));
		$self->answer($stream, 200, 'hello');
	},
	'early-answer' => sub {
		my ($self, $stream) = @_;
		$self->say($self->head($stream, 0, ':status' => 413), frame('DATA', 'END_STREAM', $stream->{id}, 'too much'));
	},
	'slow-read' => sub { $_[0]->answer($_[1], 200, length $_[1]{body}) },
);

1;
