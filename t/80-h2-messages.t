# RFC 9113 §8 and §9: messages. What is malformed is an error of its stream, reaches no upstream, and the connection goes on.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::H2;
use Reeve::H2Rules;

my $upstream = upstream(on => { '/bad-content' => sub {
	my ($connection, $request) = @_;
	my $body = $connection->read_body($request);
	$connection->{upstream}->note('taken', body => $body);
	$connection->answer(200, $body);
} });
my ($port, $tls_port, $h1_port, $h2_port) = map { free_port() } 1 .. 4;
my $site = Reeve::Certificates->new->issue('a.test');
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", protocols: [h2c]}
  - {address: "127.0.0.1:$tls_port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}}
  - {address: "127.0.0.1:$h1_port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}, protocols: [http/1.1]}
  - {address: "127.0.0.1:$h2_port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}, protocols: [h2]}
limits: {http2: {resets_per_second: 1000}}
routes:
  - match: {path: /own}
    respond: own
  - proxy: http://127.0.0.1:@{[$upstream->port]}
END
rules_for($port);

# What a row's request would be without its fault. Whatever is malformed asks for /bad, which no upstream may hear of.
my @good = (':method' => 'POST', ':scheme' => 'http', ':authority' => 'a.test', ':path' => '/bad');
my %good = @good;
my $malformed = 'reset PROTOCOL_ERROR';

sub with { return [@good, @_] }
sub without
{
	my ($name) = @_;
	return [map { $_ eq $name ? () : ($_ => $good{$_}) } @good[0, 2, 4, 6]];
}
sub instead
{
	my %new = @_;
	return [map { $_ => $new{$_} // $good{$_} } @good[0, 2, 4, 6]];
}

# A whole request of these fields.
sub fields
{
	my ($name, $wanted, $fields, %options) = @_;
	rule $name => $wanted, sub {
		my ($h2, $id) = @_;
		$h2->send_headers($id, $fields, end => !defined $options{content});
		$h2->send_content($id, $options{content}, end => 1) if defined $options{content};
	};
}

sub upload { return $_[0]->request('POST', $_[2] // '/bad-content', id => $_[1], open => 1, headers => $_[3] // []) }

section '8.1 framing' => sub {
	rule 'trailers that do not end the stream' => $malformed, sub { upload(@_); $_[0]->send_headers($_[1], ['x-sum' => 1]) };
	rule 'content behind trailers' => 'reset STREAM_CLOSED or goaway STREAM_CLOSED or reset PROTOCOL_ERROR', sub {
		my ($h2, $id) = @_;
		upload($h2, $id, '/hang');
		$h2->send_headers($id, ['x-sum' => 1], end => 1);
		$h2->send_data($id, 'x');
	};
	rule 'an informational "request"' => $malformed, sub {
		upload(@_);
		$_[0]->send_headers($_[1], [':status' => 100], end => 1);
	};
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = $h2->request('POST', '/early-200', open => 1);
	ok $h2->head($id), 'a response may be whole before the request is';
	$h2->send_data($id, 'x', end => 1);
	is $h2->response($id)->body, "early\n", '... and is';
	$id = upload($h2, $h2->next_id, '/own');
	is $h2->outcome($id), 'status 200', 'a handler that wants no content answers at once';
	$h2->listen_for(0.2);
	ok !$h2->stream($id)->{reset} || $h2->stream($id)->{reset} eq 'NO_ERROR',
	    '... and asks for the rest not to be sent, with NO_ERROR';
	is $h2->fetch('GET', '/own')->status, 200, '... and all goes on';
	$h2->close;
};

# These are found out when their heads are on their way already.
sub content_of { return [@{instead(':path' => '/bad-content')}, @_] }

section '8.1.1 malformed messages' => sub {
	fields 'content that is more than Content-Length' => $malformed, content_of('content-length' => 3), content => 'four';
	fields '... less' => $malformed, content_of('content-length' => 5), content => 'four';
	fields '... none' => $malformed, content_of('content-length' => 1);
	fields '... none, in an empty frame' => $malformed, content_of('content-length' => 1), content => '';
	rule '... less, and trailers' => $malformed, sub {
		my ($h2, $id) = @_;
		upload($h2, $id, '/bad-content', ['content-length' => 5]);
		$h2->send_data($id, 'four');
		$h2->send_headers($id, ['x-sum' => 1], end => 1);
	};
	rule '... more, in a second frame' => $malformed, sub {
		my ($h2, $id) = @_;
		upload($h2, $id, '/bad-content', ['content-length' => 5]);
		$h2->send_data($id, 'four');
		$h2->send_data($id, 'five');
	};
	fields '... exactly' => 'status 200', [@{instead(':path' => '/echo')}, 'content-length' => 4], content => 'four';
	fields '... with zeros before' => "status 200 or $malformed", [@{instead(':path' => '/echo')},
	    'content-length' => '0004'], content => 'four';
	fields "Content-Length: $_->[0]" => $malformed, content_of('content-length' => $_->[1]), content => 'four'
	    for ['empty', ''], ['+4', '+4'], ['-4', '-4'], ['4, 4', '4, 4'], ['4 4', '4 4'], ['0x4', '0x4'], ['4.0', '4.0'],
	    ['2^64+4', '18446744073709551620'], ['a hundred digits', '9' x 100];
	fields 'Content-Length twice' => $malformed, content_of('content-length' => 4, 'content-length' => 4), content => 'four';
	fields '... and different' => $malformed, content_of('content-length' => 4, 'content-length' => 5), content => 'four';
};

section '8.2 fields' => sub {
	fields 'an upper-case letter in a name' => $malformed, with('X-Upper' => 1);
	fields '... only the last' => $malformed, with('x-uppeR' => 1);
	fields '... of a known one' => $malformed, with('Content-Length' => 0);
	fields '... of a pseudo-field' => $malformed, [@{without(':path')}, ':Path' => '/bad'];
	rule '... in trailers' => $malformed, sub { upload(@_); $_[0]->send_headers($_[1], ['X-Sum' => 1], end => 1) };
	fields '... in Huffman\'s code' => $malformed, with(['X-Upper', 'index', 'huffman'] => 1);
};

# Many bytes on one connection: each is a stream.
sub bytes_refused
{
	my ($name, $make, @bytes) = @_;
	my $h2 = Reeve::H2->connect(port => $port);
	my @wrong;
	for my $byte (@bytes) {
		my $id = $h2->next_id;
		$h2->send_headers($id, with($make->(chr $byte)), end => 1);
		my $outcome = $h2->outcome($id);
		push @wrong, sprintf '%02x: %s', $byte, $outcome if $outcome ne $malformed;
		$h2 = Reeve::H2->connect(port => $port) if $h2->{ended};
	}
	is_deeply \@wrong, [], "$name: $malformed";
	is $h2->fetch('GET', '/own')->status, 200, '... and the connection goes on';
	$h2->close;
}

section '8.2.1 field validity' => sub {
	my @not_in_names = (0 .. 0x20, 0x41 .. 0x5a, 0x7f .. 0xff);
	bytes_refused('each byte that no name may have, inside', sub { ("x-$_[0]-y" => 1) }, @not_in_names);
	bytes_refused('... first', sub { ("$_[0]x" => 1) }, @not_in_names);
	bytes_refused('... last', sub { ("x$_[0]" => 1) }, @not_in_names);
	bytes_refused('each that is no token', sub { ("x$_[0]y" => 1) }, map { ord } split //, '"(),/:;<=>?@[\\]{}');
	fields 'an empty name' => $malformed, with('' => 1);
	bytes_refused('NUL, CR, LF in a value', sub { ('x-value' => "a$_[0]b") }, 0, 10, 13);
	bytes_refused('... first', sub { ('x-value' => "$_[0]b") }, 0, 10, 13);
	bytes_refused('... last', sub { ('x-value' => "a$_[0]") }, 0, 10, 13);
	bytes_refused('... alone', sub { ('x-value' => $_[0]) }, 0, 10, 13);
	bytes_refused('... in Huffman\'s code', sub { (['x-value', 'huffman'] => "a$_[0]b") }, 0, 10, 13);
	bytes_refused('white space before a value', sub { ('x-value' => "$_[0]b") }, 9, 32);
	bytes_refused('... behind it', sub { ('x-value' => "a$_[0]") }, 9, 32);
	bytes_refused('... and nothing else', sub { ('x-value' => $_[0]) }, 9, 32);
	bytes_refused('control characters in a value (RFC 9110 5.5)', sub { ('x-value' => "a$_[0]b") }, 1 .. 8, 11, 12,
	    14 .. 31, 127);
	bytes_refused('... of a field that is known', sub { ('user-agent' => "a$_[0]b") }, 0, 10, 13);
	rule 'LF in a trailer' => $malformed, sub { upload(@_); $_[0]->send_headers($_[1], ['x-sum' => "1\n2"], end => 1) };
	my $h2 = Reeve::H2->connect(port => $port);
	my $text = join '', map { chr } 9, 32 .. 126, 128 .. 255;
	$h2->fetch('GET', '/echo?text', headers => ['x-value' => "a${text}b", 'x-empty' => '', "x!#\$%&'*+.^_`|~9" => 'token']);
	my ($arrived) = map { $_->{header} } grep { $_->{target} eq '/echo?text' } $upstream->requests;
	is $arrived->{'x-value'}, "a${text}b", 'every other byte in a value goes through';
	is $arrived->{'x-empty'}, '', '... an empty value';
	is $arrived->{"x!#\$%&'*+.^_`|~9"}, 'token', '... every byte of a token in a name';
	$h2->close;
};

section '8.2.2 connection-specific fields' => sub {
	fields $_->[0] => $malformed, with(@$_)
	    for ['connection' => 'close'], ['connection' => 'x-one'], ['connection' => ''], ['keep-alive' => 'timeout=5'],
	    ['proxy-connection' => 'close'],
	    ['transfer-encoding' => 'chunked'], ['transfer-encoding' => 'identity'], ['transfer-encoding' => ''],
	    ['upgrade' => 'websocket'],
	    ['te' => 'gzip'], ['te' => 'trailers, gzip'], ['te' => 'trailers;q=0.5'], ['te' => ''];
	rule 'Transfer-Encoding with content' => $malformed, sub {
		my ($h2, $id) = @_;
		upload($h2, $id, '/bad', ['transfer-encoding' => 'chunked']);
		$h2->send_data($id, "0\r\n\r\nGET /bad HTTP/1.1\r\n\r\n", end => 1);
	};
	fields 'TE: trailers' => 'status 200', [@{instead(':path' => '/echo')}, 'te' => 'trailers'];
};

section '8.2.3 cookies' => sub {
	my $h2 = Reeve::H2->connect(port => $port);
	my $headers = $h2->fetch('GET', '/echo', headers => [cookie => 'a=1', 'x-between' => 'y', cookie => 'b=2; c=3',
	    cookie => 'd=4'])->json->{headers};
	is_deeply [map { $_->[1] } grep { lc $_->[0] eq 'cookie' } @$headers], ['a=1; b=2; c=3; d=4'],
	    'crumbs are one field to HTTP/1.1';
	$h2->close;
};

section '8.3 pseudo-fields' => sub {
	fields 'behind a regular field' => $malformed, [@{without(':path')}, 'x-one' => 1, ':path' => '/bad'];
	fields 'an unknown one' => $malformed, with(':unknown' => 1);
	fields 'one of responses' => $malformed, with(':status' => 200);
	fields 'an empty name behind the colon' => $malformed, with(':' => 1);
	fields "$_ twice" => $malformed, [$_ => $good{$_}, @good] for @good[0, 2, 4, 6];
	fields "$_ twice, different" => $malformed, [$_ => 'b', @good] for ':authority';
	rule "$_->[0] in trailers" => $malformed, do { my $field = $_; sub { upload(@_); $_[0]->send_headers($_[1], [@$field],
	    end => 1) } }
	    for [':path' => '/bad'], [':status' => 200], [':authority' => 'b'];
};

section '8.3.1 requests' => sub {
	fields "no $_" => $malformed, without($_) for ':method', ':scheme', ':path';
	fields 'neither :authority nor Host' => "$malformed or status 400", without(':authority');
	fields 'Host alone' => 'status 200', [':method' => 'GET', ':scheme' => 'http', ':path' => '/own', host => 'a.test'];
	fields "an empty $_" => "$malformed or status 400", [map { $_ } @{instead($_ => '')}] for ':method', ':scheme',
	    ':path', ':authority';
	fields 'an empty Host' => "$malformed or status 400", [@{without(':authority')}, host => ''];
	fields ":path $_->[0]" => $malformed, instead(':path' => $_->[1])
	    for ['without a slash', 'bad'], ['absolute', 'http://a.test/bad'], ['* for POST', '*'], ['with a space',
	    '/bad bad'], ['with CR LF', "/bad HTTP/1.1\r\nx: y"],
	    ['with NUL', "/bad\0"], ['with a tab', "/bad\tbad"], ['with a fragment', '/bad#x'], ['with DEL', "/bad\x7f"],
	    ['behind a space', ' /bad'];
	fields ":method $_->[0]" => $malformed, instead(':method' => $_->[1])
	    for ['with a space', 'GET /bad'], ['with CR LF', "GET /bad HTTP/1.1\r\nx: y\r\n\r\n"], ['with NUL', "GET\0"],
	    ['that is no token', 'GE(T'], ['over 127', "GE\xe9T"];
	fields ":scheme $_->[0]" => "$malformed or status 400", instead(':scheme' => $_->[1])
	    for ['of something else', 'ftp'], ['with a colon', 'http:'], ['with CR LF', "http\r\nx: y"], ['with more',
	    'http://a/?'], ['with a space', 'http '];
	fields ":authority $_->[0]" => "$malformed or status 400", instead(':authority' => $_->[1])
	    for ['with userinfo', 'u:p@a.test'], ['with only an @', '@a.test'], ['with a space', 'a b'], ['with CR LF',
	    "a\r\nx: y"], ['with a slash', 'a/b'], ['with NUL', "a\0"],
	    ['with a port too large', 'a:65536'], ['with two ports', 'a:1:2'], ['with a scheme', 'http://a'],
	    ['with a question mark', 'a?b'], ['with half a bracket', '[::1'];
	fields "Host $_->[0]" => "$malformed or status 400", with(host => $_->[1])
	    for ['that differs', 'b.test'], ['of another port', 'a.test:81'], ['that is empty', ''], ['that is none', 'a b'],
	    ['with more', 'a.test, b.test'];
	fields 'Host twice' => $malformed, with(host => 'a.test', host => 'a.test');
	fields 'Host that agrees' => 'status 200', [@{instead(':path' => '/echo')}, host => 'a.test'];
	fields 'Host that agrees but for case and the usual port' => 'status 200', [@{instead(':path' => '/echo')},
	    host => 'A.test:80'];
	fields '* for OPTIONS' => 'status 200 or status 204 or status 404 or status 405', [@{instead(':method' => 'OPTIONS',
	    ':path' => '*')}];
	my $h2 = Reeve::H2->connect(port => $port);
	my $echo = $h2->fetch('GET', '/echo', authority => 'A.test:81')->json;
	is_deeply [map { $_->[1] } grep { lc $_->[0] eq 'host' } @{$echo->{headers}}], ['A.test:81'],
	    ':authority is the Host of HTTP/1.1, once';
	$echo = $h2->fetch('GET', '/echo', authority => 'a.test', headers => [host => 'a.test'])->json;
	is scalar(grep { lc $_->[0] eq 'host' } @{$echo->{headers}}), 1, '... also when both were sent';
	ok !(grep { /^:/ } map { $_->[0] } @{$echo->{headers}}), '... and no pseudo-field gets there';
	$h2->close;
};

section '8.5 CONNECT' => sub {
	my @connect = (':method' => 'CONNECT', ':authority' => 'a.test:443');
	rule 'is understood, and not offered' => join(' or ', map { "status $_" } 400, 403, 404, 405, 501), sub {
		$_[0]->send_headers($_[1], [@connect]);
	};
	fields 'with :path' => $malformed, [@connect, ':path' => '/bad'];
	fields 'with :scheme' => $malformed, [@connect, ':scheme' => 'http'];
	fields 'with both' => $malformed, [@connect, ':scheme' => 'http', ':path' => '/bad'];
	fields 'without :authority' => $malformed, [':method' => 'CONNECT'];
	fields 'without :authority, but Host' => $malformed, [':method' => 'CONNECT', host => 'a.test:443'];
	# RFC 8441: without the setting nobody may send it
	fields 'extended, which was not announced' => $malformed, with(':protocol' => 'websocket');
	my $h2 = Reeve::H2->connect(port => $port);
	ok !$h2->{peer}{ENABLE_CONNECT_PROTOCOL}, '... indeed';
	$h2->close;
};

section '8.6 upgrade' => sub {
	my $h2 = Reeve::H2->connect(port => $port);
	is $h2->outcome($h2->request('GET', '/upgrade')), 'status 426', 'an upstream that wants an upgrade: its answer, no 101';
	ok !defined $h2->response(1)->header('upgrade'), '... without the fields of HTTP/1.1';
	$h2->close;
};

section '9.2 TLS' => sub {
	for my $version ('TLSv1_2', 'TLSv1_3') {
		my $h2 = Reeve::H2->connect(port => $tls_port, tls => { name => 'a.test', SSL_version => $version });
		is $h2->alpn, 'h2', "$version: 3.2: h2 is agreed on by ALPN";
		is $h2->fetch('GET', '/own', authority => 'a.test')->body, 'own', '... and spoken';
		like $h2->{socket}->get_cipher, qr/GCM|CHACHA20/, '... 9.2.2: with a cipher that HTTP/2 allows';
		$h2->close;
	}
	rule '3.2: "h2" is agreed on, HTTP/1.1 is spoken' => 'goaway PROTOCOL_ERROR or closed', connect => [port => $tls_port,
	    tls => 1, raw => 1],
	    sub { $_[0]->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") };
	# what is agreed on: where, what the client offers
	for (['both', $tls_port, 'h2', 'http/1.1', 'h2'], ['both', $tls_port, 'http/1.1', 'http/1.1'], ['both', $tls_port, undef],
	    ['http/1.1', $h1_port, 'http/1.1', 'h2', 'http/1.1'], ['h2', $h2_port, 'h2', 'http/1.1', 'h2']) {
		my ($where, $on, $wanted, @offers) = @$_;
		my $h2 = Reeve::H2->connect(port => $on, raw => 1, tls => { alpn => @offers ? \@offers : undef });
		is $h2->alpn, $wanted, "where it speaks $where, offered " . (join(', ', @offers) || 'nothing');
		if (($wanted // 'http/1.1') ne 'h2') {
			$h2->send("GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
			like $h2->read_raw, qr{^HTTP/1\.1 200 }, '... is HTTP/1.1';
		}
		$h2->close;
	}
	my $h2 = eval { Reeve::H2->connect(port => $h2_port, raw => 1, tls => { alpn => undef }) };
	unlike $h2 && $h2->send("GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") ? $h2->read_raw : '', qr/ 200 /,
	    'where only h2 is spoken, HTTP/1.1 is not';
	ok !eval { Reeve::H2->connect(port => $h1_port, raw => 1, tls => { alpn => ['h2'] })->alpn },
	    '... and the other way round';
};

is_deeply [grep { m{ /bad(?!-content)} } map { "$_->{method} $_->{target} " . join ', ',
    map { "$_->[0]: $_->[1]" } @{$_->{headers}} } $upstream->requests], [],
    'nothing of what was malformed has reached the upstream';
is_deeply [$upstream->events('taken')], [], '... nor was anything whole whose end was';

finish;
