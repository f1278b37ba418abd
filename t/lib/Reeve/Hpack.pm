package Reeve::Hpack;

# HPACK (RFC 7541): an encoder that writes whatever it is told, right or wrong, and a strict decoder.
#
#	my $encoder = Reeve::Hpack->new;
#	$bytes = $encoder->encode(':method' => 'GET', 'x-name' => 'value');
#	my $decoder = Reeve::Hpack->new;
#	my $fields = $decoder->decode($bytes);		# [[name, value], ...]; dies with what is wrong
#
# In the list of encode() a name may be a code reference (what it returns goes in as it is; it has no value), or an array
# [name, HOW...]; HOW: 'literal' (without indexing, the default for what is in no table), 'never', 'index' (added to the
# dynamic table), 'huffman', 'no-name' (the name is spelled out although a table has it), 'no-static' (nothing is looked
# up). Options of new(): how => [...] for names without their own.
#
# The pieces, for blocks of the test's own making: integer($value, $prefix_bits, $pattern), string($text, $huffman),
# indexed($index), literal($kind, $name_or_index, $value, $huffman), resize($size).
use strict;
use warnings;

my @static = map { [split /\|/, $_, -1] } map { s/^\s+//r } grep { /\S/ } split /\n/, <<'END';
	:authority|
	:method|GET
	:method|POST
	:path|/
	:path|/index.html
	:scheme|http
	:scheme|https
	:status|200
	:status|204
	:status|206
	:status|304
	:status|400
	:status|404
	:status|500
	accept-charset|
	accept-encoding|gzip, deflate
	accept-language|
	accept-ranges|
	accept|
	access-control-allow-origin|
	age|
	allow|
	authorization|
	cache-control|
	content-disposition|
	content-encoding|
	content-language|
	content-length|
	content-location|
	content-range|
	content-type|
	cookie|
	date|
	etag|
	expect|
	expires|
	from|
	host|
	if-match|
	if-modified-since|
	if-none-match|
	if-range|
	if-unmodified-since|
	last-modified|
	link|
	location|
	max-forwards|
	proxy-authenticate|
	proxy-authorization|
	range|
	referer|
	refresh|
	retry-after|
	server|
	set-cookie|
	strict-transport-security|
	transfer-encoding|
	user-agent|
	vary|
	via|
	www-authenticate|
END

# Bits of each symbol's code, RFC 7541 appendix B; the code is canonical: among those of one length they count up.
my @bits = (
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,	# 256: EOS
);

my (@code, %symbol);		# by symbol: its bits as text; the other way round
my (%entry, %name_entry);	# of the static table: "name\0value" -> index, name -> first index

sub lay_tables
{
	my ($code, $length) = (0, 0);
	for my $symbol (sort { $bits[$a] <=> $bits[$b] || $a <=> $b } 0 .. 256) {
		$code <<= $bits[$symbol] - $length;
		$length = $bits[$symbol];
		$code[$symbol] = sprintf "%0${length}b", $code++;
		$symbol{$code[$symbol]} = $symbol;
	}
	for my $index (reverse 1 .. @static) {
		my ($name, $value) = @{$static[$index - 1]};
		$entry{"$name\0$value"} = $name_entry{$name} = $index;
	}
}
lay_tables();

# limit: of the dynamic table, as the peer's SETTINGS_HEADER_TABLE_SIZE has it.
sub new
{
	my ($class, %options) = @_;
	return bless { limit => 4096, size => 0, room => $options{limit} // 4096, table => [], how => [], %options }, $class;
}

# -- pieces -----------------------------------------------------------------------------------------------------------------

# pattern: the bits before the prefix, as they stand in the byte.
sub integer
{
	my ($value, $prefix, $pattern) = @_;
	my $most = (1 << $prefix) - 1;
	return chr($pattern | $value) if $value < $most;
	my $bytes = chr($pattern | $most);
	for ($value -= $most; $value >= 128; $value >>= 7) {
		$bytes .= chr($value & 127 | 128);
	}
	return $bytes . chr $value;
}

sub huffman
{
	my ($text) = @_;
	my $bits = join '', @code[unpack 'C*', $text];
	$bits .= '1' while length($bits) % 8;
	return pack 'B*', $bits;
}

sub string
{
	my ($text, $huffman) = @_;
	$text = huffman($text) if $huffman;
	return integer(length $text, 7, $huffman ? 128 : 0) . $text;
}

sub indexed { return integer($_[0], 7, 128) }
sub resize { return integer($_[0], 5, 32) }

my %kind = (index => [6, 64], literal => [4, 0], never => [4, 16]);

# name: its index, when that is a number of an entry, or spelled out.
sub literal
{
	my ($kind, $name, $value, $huffman) = @_;
	my ($prefix, $pattern) = @{$kind{$kind}};
	my $is_index = $name =~ /^[1-9]\d*\z/;
	return integer($is_index ? $name : 0, $prefix, $pattern) . ($is_index ? '' : string($name, $huffman)) .
	    string($value, $huffman);
}

# -- the dynamic table ------------------------------------------------------------------------------------------------------

sub evict
{
	my ($self, $room) = @_;
	while ($self->{size} > $room) {
		my $oldest = pop @{$self->{table}};
		$self->{size} -= 32 + length($oldest->[0]) + length $oldest->[1];
	}
}

sub add
{
	my ($self, $name, $value) = @_;
	my $size = 32 + length($name) + length $value;
	$self->evict($self->{room} > $size ? $self->{room} - $size : 0);
	return if $size > $self->{room};
	unshift @{$self->{table}}, [$name, $value];
	$self->{size} += $size;
}

sub set_room
{
	my ($self, $room) = @_;
	$self->{room} = $room;
	$self->evict($room);
}

sub at
{
	my ($self, $index) = @_;
	die "index 0\n" if $index == 0;
	my $entry = $index <= @static ? $static[$index - 1] : $self->{table}[$index - @static - 1];
	return $entry // die "index $index is in no table\n";
}

# A decoder's peer has to say so, in its next block, when it had more (RFC 9113 §4.3.1).
sub set_limit
{
	my ($self, $limit) = @_;
	$self->{limit} = $limit;
	$self->{owes_resize} = 1 if $self->{room} > $limit;
}

# The index of the whole field, and one of its name; undef where there is none.
sub find
{
	my ($self, $name, $value) = @_;
	my ($whole, $named) = ($entry{"$name\0$value"}, $name_entry{$name});
	for my $at (0 .. $#{$self->{table}}) {
		my $entry = $self->{table}[$at];
		next if $entry->[0] ne $name;
		$named //= @static + 1 + $at;
		$whole //= @static + 1 + $at if $entry->[1] eq $value;
	}
	return ($whole, $named);
}

# -- encoding ---------------------------------------------------------------------------------------------------------------

sub encode_field
{
	my ($self, $name, $value, @how) = @_;
	my %how = map { $_ => 1 } @how ? @how : @{$self->{how}};
	my ($whole, $named) = $how{'no-static'} ? () : $self->find($name, $value);
	my $kind = $how{never} ? 'never' : $how{index} ? 'index' : 'literal';
	return indexed($whole) if $whole && !$how{never} && !$how{literal};
	undef $named if $how{'no-name'};
	$self->add($name, $value) if $kind eq 'index';
	return literal($kind, $named, $value, $how{huffman}) if $named;
	my ($prefix, $pattern) = @{$kind{$kind}};
	return integer(0, $prefix, $pattern) . string($name, $how{huffman}) . string($value, $how{huffman});
}

sub encode
{
	my ($self, @fields) = @_;
	my $bytes = '';
	while (@fields) {
		my $name = shift @fields;
		$bytes .= ref $name eq 'CODE' ? $name->($self)
		    : ref $name ? $self->encode_field($name->[0], shift @fields, @$name[1 .. $#$name])
		    : $self->encode_field($name, shift @fields);
	}
	return $bytes;
}

# -- decoding ---------------------------------------------------------------------------------------------------------------

sub read_integer
{
	my ($in, $prefix) = @_;
	length $$in or die "the block ends inside an integer\n";
	my $most = (1 << $prefix) - 1;
	my $value = ord(substr $$in, 0, 1, '') & $most;
	return $value if $value < $most;
	for (my $shift = 0; ; $shift += 7) {
		length $$in or die "the block ends inside an integer\n";
		die "an integer too large\n" if $shift > 28;
		my $byte = ord substr $$in, 0, 1, '';
		$value += ($byte & 127) << $shift;
		return $value if $byte < 128;
	}
}

sub unhuffman
{
	my ($coded) = @_;
	my $bits = unpack 'B*', $coded;
	my ($text, $at, $length) = ('', 0, 5);
	while ($at + $length <= length $bits) {
		my $symbol = $symbol{substr $bits, $at, $length};
		if (!defined $symbol) {
			$length++;
			next;
		}
		die "EOS inside a string\n" if $symbol == 256;
		$text .= chr $symbol;
		$at += $length;
		$length = 5;
	}
	my $rest = substr $bits, $at;
	die "padding that is not the beginning of EOS\n" if $rest =~ /0/;
	die "padding of more than 7 bits\n" if length $rest > 7;
	return $text;
}

sub read_string
{
	my ($in) = @_;
	my $is_coded = length $$in && ord($$in) & 128;
	my $length = read_integer($in, 7);
	length $$in >= $length or die "the block ends inside a string\n";
	my $text = substr $$in, 0, $length, '';
	return $is_coded ? unhuffman($text) : $text;
}

sub read_literal
{
	my ($self, $in, $prefix) = @_;
	my $index = read_integer($in, $prefix);
	my $name = $index ? $self->at($index)->[0] : read_string($in);
	return [$name, read_string($in)];
}

sub decode
{
	my ($self, $bytes) = @_;
	my @fields;
	die "the table was to shrink to $self->{limit} bytes, and the block does not begin with that\n"
	    if delete $self->{owes_resize} && (ord($bytes) & 224) != 32;
	while (length $bytes) {
		my $first = ord $bytes;
		if ($first & 128) {
			push @fields, [@{$self->at(read_integer(\$bytes, 7))}];
		} elsif ($first & 64) {
			push @fields, $self->read_literal(\$bytes, 6);
			$self->add(@{$fields[-1]});
		} elsif ($first & 32) {
			die "a table's size behind a field\n" if @fields;
			my $size = read_integer(\$bytes, 5);
			die "a table of $size bytes, $self->{limit} are allowed\n" if $size > $self->{limit};
			$self->set_room($size);
		} else {
			push @fields, $self->read_literal(\$bytes, 4);
		}
	}
	return \@fields;
}

1;
