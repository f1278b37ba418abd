# RFC 9112 with no second interpretation: whatever two servers could read in two ways is refused and the connection closed,
# and nothing behind it is taken for a request.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
limits: {header_size: 16K, header_count: 50, uri_size: 2K}
routes:
  - match: {path: /echo}
    proxy: http://127.0.0.1:@{[$upstream->port]}
  - respond: "path {path}"
END

my $next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

# -- heads that are refused: [name, bytes, status] --
my $h = "Host: a\r\n";
my @refused = (
	# Content-Length and Transfer-Encoding in all disguises
	['CL with TE', "POST / HTTP/1.1\r\n${h}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE with CL', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"],
	['CL: 0 with TE', "POST / HTTP/1.1\r\n${h}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE twice', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE chunked and identity', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"],
	['TE: chunked, chunked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"],
	['TE: chunked, gzip', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
	['TE: chunked, identity', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
	['TE: identity', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: identity\r\n\r\n"],
	['TE: xchunked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
	['TE: chunkedx', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"],
	['TE: "chunked"', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"],
	['TE: chunked;q=1', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"],
	['TE: VT chunked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"],
	['TE: FF chunked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n"],
	['TE: chunked NUL', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n"],
	['TE: chun TAB ked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n"],
	['TE: empty', "POST / HTTP/1.1\r\n${h}Transfer-Encoding:\r\n\r\n0\r\n\r\n"],
	['TE: empty, with CL', "POST / HTTP/1.1\r\n${h}Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc"],
	['TE: xchunked, with CL', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc"],
	['TE SP :', "POST / HTTP/1.1\r\n${h}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
	['TE TAB :', "POST / HTTP/1.1\r\n${h}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"],
	['TE NUL :', "POST / HTTP/1.1\r\n${h}Transfer-Encoding\x00: chunked\r\n\r\n0\r\n\r\n"],
	['SP TE', "POST / HTTP/1.1\r\n${h} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE folded', "POST / HTTP/1.1\r\n${h}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"],
	['TE behind a bare CR', "POST / HTTP/1.1\r\n${h}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE behind a bare LF', "POST / HTTP/1.1\r\n${h}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE: chunked in 1.0', "POST / HTTP/1.0\r\n${h}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	['TE: gzip, chunked', "POST / HTTP/1.1\r\n${h}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501],

	# Content-Length alone
	['CL twice, different', "POST / HTTP/1.1\r\n${h}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"],
	['CL twice, the same', "POST / HTTP/1.1\r\n${h}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
	['CL: 5, 5', "POST / HTTP/1.1\r\n${h}Content-Length: 5, 5\r\n\r\nhello"],
	['CL: 5, 6', "POST / HTTP/1.1\r\n${h}Content-Length: 5, 6\r\n\r\nhello!"],
	['CL: +5', "POST / HTTP/1.1\r\n${h}Content-Length: +5\r\n\r\nhello"],
	['CL: -5', "POST / HTTP/1.1\r\n${h}Content-Length: -5\r\n\r\nhello"],
	['CL: 0x5', "POST / HTTP/1.1\r\n${h}Content-Length: 0x5\r\n\r\nhello"],
	['CL: 5a', "POST / HTTP/1.1\r\n${h}Content-Length: 5a\r\n\r\nhello"],
	['CL: 5.0', "POST / HTTP/1.1\r\n${h}Content-Length: 5.0\r\n\r\nhello"],
	['CL: 5 5', "POST / HTTP/1.1\r\n${h}Content-Length: 5 5\r\n\r\nhello"],
	['CL: VT 5', "POST / HTTP/1.1\r\n${h}Content-Length: \x0b5\r\n\r\nhello"],
	['CL: 5 NUL', "POST / HTTP/1.1\r\n${h}Content-Length: 5\x00\r\n\r\nhello"],
	['CL: empty', "POST / HTTP/1.1\r\n${h}Content-Length:\r\n\r\n"],
	['CL: 2^64', "POST / HTTP/1.1\r\n${h}Content-Length: 18446744073709551616\r\n\r\n"],
	['CL: 2^64 + 5', "POST / HTTP/1.1\r\n${h}Content-Length: 18446744073709551621\r\n\r\nhello"],
	['CL: a hundred digits', "POST / HTTP/1.1\r\n${h}Content-Length: " . '9' x 100 . "\r\n\r\n"],
	['CL SP :', "POST / HTTP/1.1\r\n${h}Content-Length : 5\r\n\r\nhello"],
	['CL folded', "POST / HTTP/1.1\r\n${h}Content-Length: 5\r\n 6\r\n\r\nhello"],

	# line ends
	['bare LF behind the request line', "GET / HTTP/1.1\n${h}\r\n"],
	['bare LF behind a field', "GET / HTTP/1.1\r\nHost: a\n\r\n"],
	['bare LF as the empty line', "GET / HTTP/1.1\r\n$h\n"],
	['all bare LF', "GET / HTTP/1.1\nHost: a\n\n"],
	['bare CR in the request line', "GET /\r HTTP/1.1\r\n$h\r\n"],
	['bare CR behind the request line', "GET / HTTP/1.1\r${h}\r\n"],
	['bare CR in a value', "GET / HTTP/1.1\r\n${h}X: a\rb\r\n\r\n"],
	['CR CR LF', "GET / HTTP/1.1\r\n${h}X: a\r\r\n\r\n"],
	['bare CR in a name', "GET / HTTP/1.1\r\n${h}X\r: a\r\n\r\n"],
	['bare CR as the empty line', "GET / HTTP/1.1\r\n$h\r\rX"],

	# fields
	['folded with a space', "GET / HTTP/1.1\r\n${h}X: a\r\n b\r\n\r\n"],
	['folded with a tab', "GET / HTTP/1.1\r\n${h}X: a\r\n\tb\r\n\r\n"],
	['folded to nothing', "GET / HTTP/1.1\r\n${h}X: a\r\n \r\n\r\n"],
	['space before the first field', "GET / HTTP/1.1\r\n $h\r\n"],
	['space before the colon', "GET / HTTP/1.1\r\nHost : a\r\n\r\n"],
	['no colon', "GET / HTTP/1.1\r\n${h}Hello\r\n\r\n"],
	['no name', "GET / HTTP/1.1\r\n$h: x\r\n\r\n"],
	['space in a name', "GET / HTTP/1.1\r\n${h}X Y: z\r\n\r\n"],
	['bracket in a name', "GET / HTTP/1.1\r\n${h}X(Y): z\r\n\r\n"],
	['comma in a name', "GET / HTTP/1.1\r\n${h}X,Y: z\r\n\r\n"],
	['byte over 127 in a name', "GET / HTTP/1.1\r\n${h}X\xe9: z\r\n\r\n"],
	['NUL in a value', "GET / HTTP/1.1\r\n${h}X: a\x00b\r\n\r\n"],
	['control in a value', "GET / HTTP/1.1\r\n${h}X: a\x01b\r\n\r\n"],
	['DEL in a value', "GET / HTTP/1.1\r\n${h}X: a\x7fb\r\n\r\n"],

	# Host
	['no Host', "GET / HTTP/1.1\r\n\r\n"],
	['two Hosts', "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
	['the same Host twice', "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
	['Host with a space', "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"],
	['Host with a comma and space', "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"],
	['Host with a slash', "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
	['Host with userinfo', "GET / HTTP/1.1\r\nHost: u\@a\r\n\r\n"],
	['Host with two ports', "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"],
	['Host with a port too large', "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"],
	['Host with a port that is no number', "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"],
	['Host with half a bracket', "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"],
	['Host with a scheme', "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"],
	['Host with a question mark', "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"],
	['absolute-form against Host', "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"],
	['absolute-form against the port of Host', "GET http://a:81/ HTTP/1.1\r\nHost: a:82\r\n\r\n"],
	['absolute-form without Host', "GET http://a/ HTTP/1.1\r\n\r\n"],
	['absolute-form with userinfo', "GET http://u:p\@a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
	['absolute-form without authority', "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"],

	# request line
	['two spaces', "GET  / HTTP/1.1\r\n$h\r\n"],
	['two spaces before the version', "GET /  HTTP/1.1\r\n$h\r\n"],
	['tabs for spaces', "GET\t/\tHTTP/1.1\r\n$h\r\n"],
	['space in the target', "GET /a b HTTP/1.1\r\n$h\r\n"],
	['space behind the version', "GET / HTTP/1.1 \r\n$h\r\n"],
	['space before the method', " GET / HTTP/1.1\r\n$h\r\n"],
	['lower case version', "GET / http/1.1\r\n$h\r\n"],
	['HTTP/1.10', "GET / HTTP/1.10\r\n$h\r\n"],
	['HTTP/1.', "GET / HTTP/1.\r\n$h\r\n"],
	['HTTP/1,1', "GET / HTTP/1,1\r\n$h\r\n"],
	['HTTP/0.9 without a version', "GET /\r\n"],
	['no target', "GET HTTP/1.1\r\n$h\r\n"],
	['a method with a bracket', "G(T / HTTP/1.1\r\n$h\r\n"],
	['NUL in the method', "G\x00T / HTTP/1.1\r\n$h\r\n"],
	['a TLS ClientHello', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\x00" x 40 . "\r\n\r\n"],
	['HTTP/1.2', "GET / HTTP/1.2\r\n$h\r\n", 505],
	['HTTP/2.0', "GET / HTTP/2.0\r\n$h\r\n", 505],
	['HTTP/0.9', "GET / HTTP/0.9\r\n$h\r\n", 505],
	['the HTTP/2 preface', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
	['a method of 33 bytes', 'M' x 33 . " / HTTP/1.1\r\n$h\r\n", 501],
	['a method of 2,000 bytes', 'M' x 2000 . " / HTTP/1.1\r\n$h\r\n", 501],

	# target
	['no slash', "GET foo HTTP/1.1\r\n$h\r\n"],
	['asterisk with GET', "GET * HTTP/1.1\r\n$h\r\n"],
	['authority-form with GET', "GET a:80 HTTP/1.1\r\n$h\r\n"],
	['origin-form with CONNECT', "CONNECT / HTTP/1.1\r\n$h\r\n"],
	['fragment', "GET /a#b HTTP/1.1\r\n$h\r\n"],
	['%00', "GET /a%00b HTTP/1.1\r\n$h\r\n"],
	['half a percent code', "GET /a%4 HTTP/1.1\r\n$h\r\n"],
	['a percent code that is none', "GET /a%zz HTTP/1.1\r\n$h\r\n"],
	['DEL in the target', "GET /\x7f HTTP/1.1\r\n$h\r\n"],
	['control in the target', "GET /\x01 HTTP/1.1\r\n$h\r\n"],
	['above the root', "GET /../x HTTP/1.1\r\n$h\r\n"],
	['above the root, escaped', "GET /%2e%2e/x HTTP/1.1\r\n$h\r\n"],
	['above the root, later', "GET /a/../../x HTTP/1.1\r\n$h\r\n"],

	# limits and expectations
	['a target too long', "GET /" . 'a' x 3000 . " HTTP/1.1\r\n$h\r\n", 414],
	['a field too long', "GET / HTTP/1.1\r\n${h}X: " . 'a' x 20000 . "\r\n\r\n", 431],
	['fields too long', "GET / HTTP/1.1\r\n${h}" . join('', map { "X$_: " . 'a' x 1000 . "\r\n" } 1 .. 20) . "\r\n", 431],
	['too many fields', "GET / HTTP/1.1\r\n${h}" . "X: y\r\n" x 60 . "\r\n", 431],
	['an expectation nobody knows', "GET / HTTP/1.1\r\n${h}Expect: miracles\r\n\r\n", 417],
	['five empty lines', "\r\n" x 5 . "GET / HTTP/1.1\r\n$h\r\n"],
);
expect_refused($port, $_->[1] . $next, $_->[2] // 400, $_->[0]) for @refused;

# The same byte by byte: how the bytes arrive changes nothing.
for my $case (@refused[0, 3, 20, 24, 26, 47, 48, 54, 60, 70]) {
	my ($name, $bytes, $status) = @$case;
	my $client = connect_to($port);
	$client->send($_) or last for split //, $bytes . $next;
	my $response = eval { $client->read_response };
	is $response && $response->status, $status // 400, "$name, byte by byte";
	isnt $client->end, 'open', '... and closed';
	$client->close;
}

# -- chunked content that is refused; the proxied route reads it, so that its answer is the refusal --
my $chunked = "POST /echo HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\n\r\n";
my @bad_chunks = (
	['no size', "\r\n"],
	['letters', "g\r\n"],
	['0x', "0x5\r\nhello\r\n0\r\n\r\n"],
	['a sign', "+5\r\nhello\r\n0\r\n\r\n"],
	['a negative size', "-5\r\nhello\r\n0\r\n\r\n"],
	['space before the size', " 5\r\nhello\r\n0\r\n\r\n"],
	['space behind the size', "5 \r\nhello\r\n0\r\n\r\n"],
	['space before the extension', "5 ;x=y\r\nhello\r\n0\r\n\r\n"],
	['17 digits', "00000000000000005\r\nhello\r\n0\r\n\r\n"],
	['2^64', "10000000000000000\r\nhello\r\n0\r\n\r\n"],
	['bare LF behind the size', "5\nhello\r\n0\r\n\r\n"],
	['bare CR behind the size', "5\rhello\r\n0\r\n\r\n"],
	['bare LF in the extension', "5;a\nb\r\nhello\r\n0\r\n\r\n"],
	['longer than its size', "5\r\nhello!\r\n0\r\n\r\n"],
	['shorter than its size', "6\r\nhello\r\n0\r\n\r\n"],
	['no CRLF behind the data', "5\r\nhello0\r\n\r\n"],
	['bare LF behind the data', "5\r\nhello\n0\r\n\r\n"],
	['a long extension', "5;" . 'x' x 5000 . "\r\nhello\r\n0\r\n\r\n"],
	['bare LF behind the last size', "5\r\nhello\r\n0\n\r\n"],
	['bare LF as the end', "5\r\nhello\r\n0\r\n\n"],
	['a trailer with a space in its name', "5\r\nhello\r\n0\r\nX Y: z\r\n\r\n"],
	['a trailer without a colon', "5\r\nhello\r\n0\r\nhello\r\n\r\n"],
	['a folded trailer', "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"],
	['a bare LF behind a trailer', "5\r\nhello\r\n0\r\nX: a\n\r\n"],
);
expect_refused($port, $chunked . $_->[1] . $next, 400, "chunk: $_->[0]") for @bad_chunks;

# Where the handler wants no content the answer may come first; but nothing behind may be answered.
my $ignored = $chunked =~ s{/echo}{/}r;
for my $case (@bad_chunks) {
	my $all = exchange($port, $ignored . $case->[1] . $next, timeout => 7);
	unlike $all, qr/smuggled/, "chunk, content ignored: $case->[0]";
}

# -- what is allowed, and has one reading only --
my @accepted = (
	['plain', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
	['one empty line before', "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
	['four empty lines before', "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
	['names in any case', "GET / HTTP/1.1\r\nhOsT: a\r\nCONTENT-length: 0\r\n\r\n"],
	['no space behind the colon', "GET / HTTP/1.1\r\nHost:a\r\n\r\n"],
	['white space around values', "GET / HTTP/1.1\r\nHost: \t a \t \r\nX:  y  \r\n\r\n"],
	['an empty value', "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"],
	['bytes over 127 in a value', "GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9 \xff\r\n\r\n"],
	['a tab in a value', "GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n"],
	['every character of a name', "GET / HTTP/1.1\r\nHost: a\r\n!#\$%&'*+-.^_`|~09azAZ: x\r\n\r\n"],
	['the same field twice', "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n"],
	['Host with a port', "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n"],
	['Host with an IPv6 address', "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"],
	['absolute-form', "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
	['absolute-form without a path', "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"],
	['absolute-form, another case', "GET HTTP://A/ HTTP/1.1\r\nHost: a\r\n\r\n"],
	['TE: chunked in another case', "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"],
	['Content-Length with white space', "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  5 \r\n\r\nhello"],
	['Content-Length with zeros', "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello"],
	['a method of 32 bytes', 'M' x 32 . " / HTTP/1.1\r\nHost: a\r\n\r\n"],
	['a query with anything', "GET /?a=%zz&b=[]{}|\\\" HTTP/1.1\r\nHost: a\r\n\r\n" =~ s/"//r],
	['HTTP/1.0 with Host', "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"],
);
for my $case (@accepted) {
	my ($name, $bytes) = @$case;
	my $client = connect_to($port);
	$client->send($bytes);
	my $response = eval { $client->read_response };
	is $response && $response->status, 200, "accepted: $name" or diag $@;
	$client->send($next);
	my $second = eval { $client->read_response };
	is $second && $second->body, 'path /smuggled', '... and the next request is the next one' or diag $@;
	$client->close;
}
my @good_chunks = (
	['digits in both cases', "0A\r\n0123456789\r\n0\r\n\r\n", '0123456789'],
	['leading zeros', "0000000000000005\r\nhello\r\n0\r\n\r\n", 'hello'],
	['an extension', "5;x=y;z=\"a b\"\r\nhello\r\n0;last\r\n\r\n", 'hello'],
	['many chunks', join('', map { "1\r\n$_\r\n" } 'a' .. 'z') . "0\r\n\r\n", join '', 'a' .. 'z'],
	['data that looks like framing', "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"],
	['several zeros', "5\r\nhello\r\n000\r\n\r\n", 'hello'],
	['a trailer', "5\r\nhello\r\n0\r\nX: y\r\n\r\n", 'hello'],
);
for my $case (@good_chunks) {
	my ($name, $bytes, $content) = @$case;
	for my $size (length $bytes, 1) {
		my $client = connect_to($port);
		$client->send($chunked);
		$client->send($_) for unpack "(a$size)*", $bytes;
		my $response = eval { $client->read_response };
		is $response && $response->json->{body}, $content, "accepted chunks: $name, in pieces of $size" or diag $@;
		$client->send($next);
		my $second = eval { $client->read_response };
		is $second && $second->body, 'path /smuggled', '... and the next request is the next one' or diag $@;
		$client->close;
	}
}

is scalar(grep { $_->{target} =~ /smuggled/ } $upstream->requests), 0, 'the upstream never saw what was smuggled';

# A refusal says what kind it is and nothing of how reeve is made.
my $client = connect_to($port);
$client->send("GET / HTTP/1.1\r\nBad Field: x\r\n\r\n");
my $response = $client->read_response;
is $response->header('content-type'), 'application/problem+json', 'a refusal is problem+json';
is $response->json->{status}, 400, '... with its status';
is $response->header('connection'), 'close', '... and says that the connection closes';
unlike $response->body, qr/src|\.c\b|reeve-|0x/, '... without internals';
$client->close;

is get($port, '/still')->body, 'path /still', 'it serves as before';
finish;
