package Reeve::Frames;

# HTTP/2 frames (RFC 9113 §6) as bytes, and read back. Whatever is asked for is written: wrong lengths, unknown types and
# reserved bits too.
#
#	frame('PING', 'ACK', 0, 'x' x 8)	type and flags by name or number; several flags: 'END_STREAM|END_HEADERS'
#	settings(MAX_FRAME_SIZE => 16384, 0x99 => 1)	a SETTINGS frame
#	code_name(11), code('CANCEL')		error codes of RST_STREAM and GOAWAY
#	take_frame(\$bytes)			the first frame off the bytes, when all of it is there:
#		{ type => name, flags => number, stream, length, payload } and what the type has: data (without padding), block,
#		settings => [[name, value]...], code => name, last, debug, increment, opaque
use strict;
use warnings;
use Exporter ();

our @ISA = ('Exporter');
our @EXPORT = qw(frame settings code code_name type_name flag_names take_frame describe_frame PREFACE);

use constant PREFACE => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

my %type = (DATA => 0, HEADERS => 1, PRIORITY => 2, RST_STREAM => 3, SETTINGS => 4, PUSH_PROMISE => 5, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9, ALTSVC => 10, ORIGIN => 12, PRIORITY_UPDATE => 16);
my %type_name = reverse %type;
my %flag = (END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8, PRIORITY => 32);
my %setting = (HEADER_TABLE_SIZE => 1, ENABLE_PUSH => 2, MAX_CONCURRENT_STREAMS => 3, INITIAL_WINDOW_SIZE => 4,
    MAX_FRAME_SIZE => 5, MAX_HEADER_LIST_SIZE => 6, ENABLE_CONNECT_PROTOCOL => 8, NO_RFC7540_PRIORITIES => 9);
my %setting_name = reverse %setting;
my @codes = qw(NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR
    REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED);
my %code = map { $codes[$_] => $_ } 0 .. $#codes;

sub number_of
{
	my ($table, $word) = @_;
	return $word if $word =~ /^\d+\z/;
	return $table->{$word} // die "no $word in HTTP/2";
}

sub flags_of
{
	my ($words) = @_;
	my $flags = 0;
	$flags |= number_of(\%flag, $_) for split /\|/, $words;
	return $flags;
}

sub frame
{
	my ($type, $flags, $stream, $payload) = @_;
	return substr(pack('N', length $payload), 1) . pack('CCN', number_of(\%type, $type), flags_of($flags), $stream) . $payload;
}

sub settings
{
	my $payload = '';
	while (my ($name, $value) = splice @_, 0, 2) {
		$payload .= pack 'nN', number_of(\%setting, $name), $value;
	}
	return frame('SETTINGS', 0, 0, $payload);
}

sub code { return number_of(\%code, $_[0]) }
sub code_name { return !defined $_[0] ? 'no code' : $_[0] =~ /^\d+\z/ && $codes[$_[0]] || "code $_[0]" }
sub type_name { return $type_name{$_[0]} // "type $_[0]" }

sub flag_names
{
	my ($type, $flags) = @_;
	my @names = $type eq 'SETTINGS' || $type eq 'PING' ? ([ACK => 1])
	    : $type eq 'DATA' ? ([END_STREAM => 1], [PADDED => 8])
	    : ([END_STREAM => 1], [END_HEADERS => 4], [PADDED => 8], [PRIORITY => 32]);
	return join '|', map { $_->[0] } grep { $flags & $_->[1] } @names;
}

# -- reading ----------------------------------------------------------------------------------------------------------------

sub unpad
{
	my ($frame) = @_;
	return $frame->{payload} unless $frame->{flags} & 8;
	length $frame->{payload} or die "$frame->{type}: PADDED, and empty\n";
	my ($pad, $rest) = unpack 'C a*', $frame->{payload};
	die "$frame->{type}: more padding than payload\n" if $pad > length $rest;
	return substr $rest, 0, length($rest) - $pad;
}

my %reader = (
	DATA => sub { $_[0]{data} = unpad($_[0]) },
	HEADERS => sub {
		my ($frame) = @_;
		$frame->{block} = unpad($frame);
		substr $frame->{block}, 0, 5, '' if $frame->{flags} & 32;
	},
	CONTINUATION => sub { $_[0]{block} = $_[0]{payload} },
	RST_STREAM => sub { $_[0]{code} = code_name(unpack 'N', $_[0]{payload}) },
	SETTINGS => sub {
		my @pairs = unpack '(nN)*', $_[0]{payload};
		while (my ($id, $value) = splice @pairs, 0, 2) {
			push @{$_[0]{settings}}, [$setting_name{$id} // $id, $value];
		}
	},
	PING => sub { $_[0]{opaque} = $_[0]{payload} },
	GOAWAY => sub {
		@{$_[0]}{qw(last code debug)} = unpack 'N N a*', $_[0]{payload};
		$_[0]{code} = code_name($_[0]{code});
	},
	WINDOW_UPDATE => sub { $_[0]{increment} = unpack 'N', $_[0]{payload} },
);

sub take_frame
{
	my ($bytes) = @_;
	return if length $$bytes < 9;
	my ($high, $low, $type, $flags, $stream) = unpack 'C n C C N', $$bytes;
	my $length = $high << 16 | $low;
	return if length $$bytes < 9 + $length;
	my $payload = substr $$bytes, 9, $length;
	substr $$bytes, 0, 9 + $length, '';
	my $frame = { type => type_name($type), flags => $flags, stream => $stream & 0x7fffffff, length => $length,
	    payload => $payload };
	$reader{$frame->{type}}->($frame) if $reader{$frame->{type}};
	return $frame;
}

sub describe_frame
{
	my ($frame) = @_;
	my @words = ($frame->{type});
	push @words, "stream $frame->{stream}" if $frame->{stream};
	push @words, flag_names($frame->{type}, $frame->{flags}) || ();
	push @words, "last $frame->{last}" if defined $frame->{last};
	push @words, $frame->{code} if defined $frame->{code};
	push @words, "\"$frame->{debug}\"" if length($frame->{debug} // '');
	push @words, "+$frame->{increment}" if defined $frame->{increment};
	push @words, map { "$_->[0]=$_->[1]" } @{$frame->{settings} // []};
	push @words, "$frame->{length} bytes" if $frame->{type} =~ /^(?:DATA|HEADERS|CONTINUATION|type)/;
	return join ' ', @words;
}

1;
