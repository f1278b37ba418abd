# once
# HPACK of the test library against the examples of RFC 7541 appendix C, both ways, and against what it must refuse.
use lib 't/lib';
use Reeve::Test;
use Reeve::Hpack;

sub hex_of { return unpack 'H*', $_[0] }
sub bytes_of { return pack 'H*', $_[0] =~ s/\s+//gr }

sub pairs { return map { [split /: /, $_, 2] } @_ }

# -- C.1: integers --
is hex_of(Reeve::Hpack::integer(10, 5, 0)), '0a', 'C.1.1: 10 in five bits';
is hex_of(Reeve::Hpack::integer(1337, 5, 0)), '1f9a0a', 'C.1.2: 1337 in five bits';
is hex_of(Reeve::Hpack::integer(42, 8, 0)), '2a', 'C.1.3: 42 in eight';
for my $value (0, 30, 31, 32, 127, 128, 16384, 2 ** 31) {
	my $bytes = Reeve::Hpack::integer($value, 5, 0);
	is Reeve::Hpack::read_integer(\$bytes, 5), $value, "$value there and back";
}

# -- C.2: one field each: [name, how it is written, bytes, its size in the table] --
for (
	['C.2.1', ['custom-key' => 'custom-header'], 'index', '400a637573746f6d2d6b65790d637573746f6d2d686561646572', 55],
	['C.2.2', [':path' => '/sample/path'], 'literal', '040c2f73616d706c652f70617468', 0],
	['C.2.3', ['password' => 'secret'], 'never', '100870617373776f726406736563726574', 0],
	['C.2.4', [':method' => 'GET'], 'index', '82', 0],
) {
	my ($name, $field, $how, $hex, $size) = @$_;
	my ($encoder, $decoder) = map { Reeve::Hpack->new } 1 .. 2;
	is hex_of($encoder->encode([$field->[0], $how], $field->[1])), $hex, "$name: written";
	is_deeply $decoder->decode(bytes_of($hex)), [$field], '... and read';
	is $decoder->{size}, $size, '... and kept or not';
}

# -- C.3 to C.6: three messages on one connection, plain and in Huffman's code; the dynamic table behind each --
my @requests = (
	[':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
	[':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
	[':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
);
my @responses = (
	[':status: 302', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'],
	[':status: 307', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'],
	[':status: 200', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:22 GMT', 'location: https://www.example.com',
	    'content-encoding: gzip', 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
);
for (
	['C.3', 4096, ['index'], \@requests, [57, 110, 164],
	    '828684410f7777772e6578616d706c652e636f6d',
	    '828684be58086e6f2d6361636865',
	    '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565'],
	['C.4', 4096, ['index', 'huffman'], \@requests, [57, 110, 164],
	    '828684418cf1e3c2e5f23a6ba0ab90f4ff',
	    '828684be5886a8eb10649cbf',
	    '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf'],
	['C.5', 256, ['index'], \@responses, [222, 222, 215],
	    '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54' .
	    '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
	    '4803333037c1c0bf',
	    '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d' .
	    '4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31'],
	['C.6', 256, ['index', 'huffman'], \@responses, [222, 222, 215],
	    '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
	    '4883640effc1c0bf',
	    '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960' .
	    'd5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007'],
) {
	my ($name, $limit, $how, $messages, $sizes, @hex) = @$_;
	my $encoder = Reeve::Hpack->new(limit => $limit, how => $how);
	my $decoder = Reeve::Hpack->new(limit => $limit);
	for my $at (0 .. 2) {
		my @fields = pairs(@{$messages->[$at]});
		my $bytes = $encoder->encode(map { @$_ } @fields);
		is hex_of($bytes), $hex[$at], "$name." . ($at + 1) . ': written';
		is_deeply $decoder->decode(bytes_of($hex[$at])), \@fields, '... and read';
		is $decoder->{size}, $sizes->[$at], '... the table is as large';
		is_deeply $decoder->{table}, $encoder->{table}, '... and both have the same';
	}
}

# -- Huffman's code: complete, and every byte there and back --
my $all = join '', map { chr } 0 .. 255;
is Reeve::Hpack::unhuffman(Reeve::Hpack::huffman($all)), $all, 'every byte in Huffman\'s code';
is hex_of(Reeve::Hpack::huffman('www.example.com')), 'f1e3c2e5f23a6ba0ab90f4ff', 'a word in it';

# -- what a decoder refuses --
my $decoder = Reeve::Hpack->new;
for (
	['index 0', '80', qr/index 0/],
	['an index beyond the tables', 'be', qr/in no table/],
	['a name\'s index beyond them', '7e0161', qr/in no table/],
	['a string cut off', '0005616263', qr/ends inside a string/],
	['an integer cut off', 'ff', qr/ends inside an integer/],
	['an integer without end', 'ff' . '80' x 12 . '01', qr/too large/],
	['padding of zeros', '00016184' . hex_of(substr(Reeve::Hpack::huffman('aaaa'), 0, 2)) . '0000', qr/padding/],
	['a whole byte of padding', '00016182' . hex_of(Reeve::Hpack::huffman('a')) . 'ff', qr/more than 7/],
	['EOS', '00016184ffffffff', qr/EOS/],
	['a size behind a field', '8220', qr/behind a field/],
	['a size over the limit', '3fe21f', qr/4097 bytes, 4096 are allowed/],
) {
	my ($name, $hex, $why) = @$_;
	ok !eval { $decoder->decode(bytes_of($hex)); 1 }, "refused: $name";
	like $@, $why, '... and says so';
}

$decoder = Reeve::Hpack->new;
$decoder->set_limit(0);
ok !eval { $decoder->decode(bytes_of('82')) }, 'refused: no size where one is owed';
$decoder->set_limit(100);
is_deeply $decoder->decode(bytes_of('203f4582')), [[':method', 'GET']], 'sizes before the first field';
is $decoder->{room}, 100, '... the last of them counts';

# -- what an encoder can be told --
my $encoder = Reeve::Hpack->new;
is hex_of($encoder->encode([':method', 'literal'], 'GET')), '0203474554', 'a name from the table, the value spelled out';
is hex_of($encoder->encode([':method', 'literal', 'no-name'], 'GET')), '00073a6d6574686f6403474554', 'both spelled out';
is hex_of($encoder->encode(sub { Reeve::Hpack::resize(0) }, ':method', 'GET')), '2082', 'bytes of one\'s own';

finish;
