# RFC 9113 §3 to §5: the preface, frames, header compression, streams, errors. Sections are named; a "MUST" has a row.
use lib 't/lib';
use Reeve::Test;
use Reeve::H2;
use Reeve::H2Rules;

my $upstream = upstream();
my ($port, $both) = (free_port(), free_port());
my $root = temp_dir();
write_file("$root/large", 'x' x 300_000);
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", protocols: [h2c]}
  - {address: "127.0.0.1:$both", protocols: [h2c, http/1.1]}
limits: {header_timeout: 1s, http2: {max_streams: 10}}
routes:
  - match: {path: /own}
    respond: own
  - match: {path: /large}
    files: {root: $root}
  - body: {max_size: 100M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
rules_for($port);

section '3.3 prior knowledge' => sub {
	rule 'on a port that speaks HTTP/1.1, too' => 'status 200', connect => [port => $both], sub { closed_stream(@_) };
	is get($both, '/own')->status, 200, 'HTTP/1.1 there: 200';
	my $upgrade = request($both, 'GET', '/own', headers => [Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c',
	    'HTTP2-Settings' => 'AAMAAABkAAQCAAAAAAIAAAAA']);
	is $upgrade->status, 200, 'the Upgrade of RFC 7540: answered in HTTP/1.1';
	unlike exchange($port, "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"), qr/200|own/,
	    'HTTP/1.1 where only h2c is spoken: not served';
};

section '3.4 preface' => sub {
	my $h2 = Reeve::H2->connect(port => $port, raw => 1);
	$h2->send(PREFACE . $h2->settings_bytes());
	is +($h2->step // {})->{type}, 'SETTINGS', 'the first frame is SETTINGS';
	ok $h2->wait_frame(type => 'SETTINGS', ack => 1), 'empty SETTINGS are acknowledged';
	ok !exists $h2->{peer}{ENABLE_PUSH} || !$h2->{peer}{ENABLE_PUSH}, '6.5.2: a server does not enable push';
	is $h2->{peer}{MAX_CONCURRENT_STREAMS}, 10, '5.1.2: limits.http2.max_streams is told';
	cmp_ok $h2->{peer}{MAX_HEADER_LIST_SIZE}, '==', 32768, '6.5.2: limits.header_size is told';
	$h2->close;

	$h2 = Reeve::H2->connect(port => $port, raw => 1);
	$h2->send(PREFACE . $h2->settings_bytes() . $h2->headers_bytes(1, [$h2->request_fields('GET', '/own')], end => 1));
	is $h2->outcome(1), 'status 200', 'a request right behind the preface is served';
	$h2->close;

	$h2 = Reeve::H2->connect(port => $port, raw => 1);
	my $bytes = PREFACE . $h2->settings_bytes() . $h2->headers_bytes(1, [$h2->request_fields('GET', '/own')], end => 1);
	$h2->send($_) && sleep 0.002 for split //, $bytes;
	is $h2->outcome(1), 'status 200', 'byte by byte, too';
	$h2->close;

	my @not = (connect => [raw => 1]);
	my $wrong = 'goaway PROTOCOL_ERROR or closed';
	rule 'another word than SM' => $wrong, @not, sub { $_[0]->send(PREFACE =~ s/SM/XM/r . settings()) };
	rule 'LF without CR' => $wrong, @not, sub { $_[0]->send(PREFACE =~ s/\r//gr . settings()) };
	rule 'noise' => $wrong, @not, sub { $_[0]->send("\x16\x03\x01" . "\0" x 100) };
	rule 'no SETTINGS, but PING' => $wrong, @not, sub { $_[0]->send(PREFACE . frame('PING', 0, 0, 'x' x 8)) };
	rule 'no SETTINGS, but HEADERS' => $wrong, @not, sub {
		my ($h2, $id) = @_;
		$h2->send(PREFACE . $h2->headers_bytes($id, [$h2->request_fields('GET', '/own')], end => 1));
	};
	rule 'an acknowledgement is not the SETTINGS' => $wrong, @not, sub {
		$_[0]->send(PREFACE . frame('SETTINGS', 'ACK', 0, ''));
	};
	rule 'the preface twice' => 'goaway PROTOCOL_ERROR or goaway FRAME_SIZE_ERROR', sub { $_[0]->send(PREFACE) };
};

section '4.1 frame format' => sub {
	rule 'an unknown type on stream 0' => 'status 200', sub {
		$_[0]->send(frame(0xbe, 0xff, 0, 'whatever'));
		closed_stream(@_);
	};
	rule 'an unknown type on a stream that is open' => 'status 200', sub {
		my ($h2, $id) = @_;
		opened($h2, $id);
		$h2->send(frame(0xbe, 0xff, $id, 'whatever'));
		$h2->send_data($id, 'x', end => 1);
	};
	rule 'an unknown type on an idle stream' => 'status 200', sub { $_[0]->send(frame(0xbe, 0, 99, '')); closed_stream(@_) };
	rule 'unknown flags' => 'status 200', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('PING', 0xfe, 0, 'x' x 8) . frame('HEADERS', 0xd2 | 5, $id, block($h2)));
	};
	rule 'the reserved bit of a stream\'s number' => 'status 200', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 5, $id | 1 << 31, block($h2)));
	};
	rule 'END_STREAM on a WINDOW_UPDATE means nothing' => 'status 200', sub {
		my ($h2, $id) = @_;
		opened($h2, $id);
		$h2->send(frame('WINDOW_UPDATE', 1, $id, pack 'N', 1000));
		$h2->send_data($id, 'x', end => 1);
	};
};

section '4.2 frame size' => sub {
	rule '16,384 bytes of DATA' => 'status 200', sub {
		my ($h2, $id) = @_;
		opened($h2, $id);
		$h2->send_data($id, 'x' x 16384, end => 1);
	};
	rule '16,384 bytes of an unknown type' => 'open', sub { $_[0]->send(frame(0xbe, 0, 0, 'x' x 16384)); 99 };
	rule '16,385 bytes of DATA' => 'goaway FRAME_SIZE_ERROR or reset FRAME_SIZE_ERROR', sub {
		my ($h2, $id) = @_;
		opened($h2, $id);
		$h2->send_data($id, 'x' x 16385, end => 1);
	};
	my $too_large = 'goaway FRAME_SIZE_ERROR';
	rule 'HEADERS of 16,385' => $too_large, sub { $_[0]->send(frame('HEADERS', 5, $_[1], block($_[0]) . 'x' x 16385)) };
	rule 'SETTINGS of 16,386' => $too_large, sub { $_[0]->send(frame('SETTINGS', 0, 0, "\0" x 16386)) };
	rule 'an unknown type of 16,385 on stream 0' => "$too_large or open", sub {
		$_[0]->send(frame(0xbe, 0, 0, 'x' x 16385));
		99;
	};
	rule 'a length of 2^24-1, and nothing behind it' => $too_large, sub { $_[0]->send("\xff\xff\xff\0\0\0\0\0\1") };
	rule 'the server keeps to ours' => 'status 200', sub {
		my ($h2) = @_;
		my $id = $h2->request('GET', '/large');
		$h2->response($id);
		cmp_ok +(sort { $b <=> $a } @{$h2->stream($id)->{pieces}})[0], '<=', 16384, 'DATA of at most 16,384';
		$id;
	};
	rule 'MAX_FRAME_SIZE raised: larger ones may come, need not' => 'status 200',
	    connect => [settings => [MAX_FRAME_SIZE => 16384]],
	    sub { closed_stream(@_) };
};

section '4.3 compression' => sub {
	for (
		['index 0', "\x80"], ['an index beyond the tables', "\xbe"], ['a far index', "\xff\xff\xff\x7f"],
		['a name of no entry', "\x7f\x40\x01a"], ['a string cut off', "\x00\x05abc"], ['an integer cut off', "\xff\x80"],
		['an integer of many bytes', "\xff" . "\x80" x 20 . "\x01"], ['EOS in Huffman\'s code',
		    "\x00\x01x\x84\xff\xff\xff\xff"],
		['padding of 8 bits', "\x00\x01x\x82\x1f\xff"], ['padding of zeros', "\x00\x01x\x81\x18"],
		['a size behind a field', "\x82\x20"], ['a size over the limit', "\x3f\xe2\x1f\x82"],
	) {
		my ($name, $bytes) = @$_;
		rule $name => 'goaway COMPRESSION_ERROR', sub {
			my ($h2, $id) = @_;
			$h2->send(frame('HEADERS', 5, $id, ($bytes =~ /^[\x20-\x3f]/ ? '' : block($h2)) . $bytes));
		};
	}
	rule 'sizes before the first field' => 'status 200', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 5, $id, "\x20\x3f\xe1\x1f" . block($h2)));
	};
	rule 'every way to write a field' => 'status 200', connect => [how => ['index', 'huffman']], sub {
		my ($h2, $id) = @_;
		for my $how (['literal'], ['never'], ['index'], ['index', 'huffman'], ['literal', 'no-name', 'huffman'],
		    ['index']) {
			my $response = $h2->fetch('GET', '/echo', headers => [['x-how', @$how] => "as @$how"]);
			is $response->json->{header}{'x-how'}, "as @$how", "@$how";
		}
		closed_stream($h2, $h2->next_id);
		$h2->{next_id} - 2;
	};
	for (['refused for its fields', [':path' => '/a b']], ['refused for its size', ['x-large' => 'y' x 40000]]) {
		my ($name, $fields) = @$_;
		my $h2 = Reeve::H2->connect(port => $port);
		my $id = $h2->next_id;
		$h2->send_headers($id, [$h2->request_fields('GET', '/own'), ['x-kept', 'index'] => 'from before', @$fields],
		    end => 1);
		isnt $h2->outcome($id), 'status 200', "a request $name";
		is $h2->fetch('GET', '/echo', headers => [['x-kept', 'index'] => 'from before'])->json->{header}{'x-kept'},
		    'from before',
		    '... has its part in the table all the same';
		$h2->close;
	}
	my $h2 = Reeve::H2->connect(port => $port);
	my @open = map { half_closed($h2, $h2->next_id); } 1 .. 10;
	is $h2->outcome($h2->request('GET', '/own', headers => [['x-kept', 'index'] => 'of a refused one'])),
	    'reset REFUSED_STREAM',
	    'a stream too many';
	$h2->send_reset($_) for @open;
	is $h2->fetch('GET', '/echo', headers => [['x-kept', 'index'] => 'of a refused one'])->json->{header}{'x-kept'},
	    'of a refused one',
	    '... has its part in the table, too';
	$h2->close;

	$h2 = Reeve::H2->connect(port => $port);
	$h2->fetch('GET', '/echo');
	$h2->send_settings(HEADER_TABLE_SIZE => 0);
	ok $h2->wait_frame(type => 'SETTINGS', ack => 1), '4.3.1: our table shrinks to nothing';
	is $h2->fetch('GET', '/echo')->status, 200, '... and the server says so first, then uses none';
	$h2->send_settings(HEADER_TABLE_SIZE => 65536);
	is $h2->fetch('GET', '/echo')->status, 200, '... and may use one again';
	$h2->close;
};

section '5.1 stream states' => sub {
	rule 'idle: DATA' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send_data($_[1], 'x') };
	rule 'idle: RST_STREAM' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send_reset($_[1]) };
	rule 'idle: WINDOW_UPDATE' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], pack 'N', 1)) };
	rule 'idle: CONTINUATION' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('CONTINUATION', 4, $_[1], block($_[0]))) };
	rule 'idle: PRIORITY is fine' => 'status 200', sub {
		$_[0]->send(frame('PRIORITY', 0, 99, pack 'NC', 0, 1));
		closed_stream(@_);
	};

	my $gone = 'reset STREAM_CLOSED or goaway STREAM_CLOSED';
	rule 'half-closed: DATA' => $gone, sub { half_closed(@_); $_[0]->send_data($_[1], 'x') };
	rule 'half-closed: HEADERS' => $gone, sub {
		my ($h2, $id) = @_;
		half_closed($h2, $id);
		$h2->send_headers($id, ['x-late' => 1], end => 1);
	};
	rule 'half-closed: WINDOW_UPDATE, PRIORITY are fine' => 'open', sub {
		half_closed(@_);
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], pack 'N', 1) . frame('PRIORITY', 0, $_[1], pack 'NC', 0, 1));
	};
	rule 'half-closed: RST_STREAM ends it' => 'open', sub { half_closed(@_); $_[0]->send_reset($_[1]) };

	# §5.1: behind the end either an error, or processed minimally and dropped; never a second response
	rule 'closed: DATA' => "$gone or goaway PROTOCOL_ERROR or status 200", sub {
		closed_stream(@_);
		$_[0]->send_data($_[1], 'x');
	};
	rule 'closed: HEADERS' => "$gone or goaway PROTOCOL_ERROR", sub {
		my ($h2, $id) = @_;
		closed_stream($h2, $id);
		delete $h2->{streams}{$id};
		$h2->request('GET', '/own', id => $id);
	};
	rule 'closed by its reset: DATA' => "$gone or goaway PROTOCOL_ERROR or open", sub {
		reset_stream(@_);
		$_[0]->send_data($_[1], 'x');
	};
	rule 'closed by its reset: HEADERS' => "$gone or goaway PROTOCOL_ERROR or open", sub {
		reset_stream(@_);
		$_[0]->request('GET', '/own', id => $_[1]);
	};
	rule 'closed: WINDOW_UPDATE, RST_STREAM, PRIORITY are fine' => 'status 200', sub {
		closed_stream(@_);
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], pack 'N', 1) . frame('PRIORITY', 0, $_[1], pack 'NC', 0, 1));
		$_[0]->send_reset($_[1]);
		$_[1];
	};
	rule 'what was on its way when the server reset the stream is nobody\'s fault' => 'reset PROTOCOL_ERROR', sub {
		my ($h2, $id) = @_;
		$h2->send($h2->headers_bytes($id, [$h2->request_fields('POST', '/echo', headers => [Upper => 1])]) .
		    $h2->data_bytes($id, 'x' x 100) . $h2->headers_bytes($id, ['x-sum' => 1], end => 1));
		$h2->outcome($id);
		$h2->listen_for(1.3);	# longer than limits.header_timeout: no block is open
		$id;
	};
	rule 'content of a stream that is gone counts in the connection\'s window, which opens again' => 'status 200',
	    connect => [timeout => 12], sub {
		my ($h2) = @_;
		for (1 .. 8) {
			my $id = $h2->next_id;
			$h2->send_headers($id, [$h2->request_fields('POST', '/own', headers => [Upper => 1])]);
			# on its way before the reset is heard of
			$h2->send($h2->data_bytes($id, 'x' x 16000) x 12);
			$h2->{send_window} -= 16000 * 11;
			$h2->outcome($id);
		}
		$h2->request('POST', '/echo', body => 'x' x 1_500_000);
	};
};

section '5.1.1 identifiers' => sub {
	rule 'an even number' => 'goaway PROTOCOL_ERROR', sub { $_[0]->request('GET', '/own', id => 2); 2 };
	rule 'a lower number than before' => 'goaway PROTOCOL_ERROR or goaway STREAM_CLOSED', sub {
		my ($h2) = @_;
		$h2->{next_id} = 7;
		closed_stream($h2, 5);
		$h2->request('GET', '/own', id => 3);
		3;
	};
	rule 'numbers may be left out' => 'status 200', sub {
		$_[0]->{next_id} = 2 ** 20 + 1;
		closed_stream($_[0], 2 ** 20 - 1);
		2 ** 20 - 1;
	};
	rule 'those left out are closed' => 'goaway PROTOCOL_ERROR or goaway STREAM_CLOSED or reset STREAM_CLOSED or open', sub {
		my ($h2) = @_;
		$h2->{next_id} = 7;
		closed_stream($h2, 5);
		$h2->send_data(3, 'x');
		3;
	};
	my $h2 = Reeve::H2->connect(port => $port);
	is $h2->outcome($h2->request('GET', '/own', id => 2 ** 31 - 1)), 'status 200', 'the last number of all';
	$h2->close;
};

section '5.1.2 concurrency' => sub {
	my $h2 = Reeve::H2->connect(port => $port);
	my @open = map { half_closed($h2, $h2->next_id) } 1 .. 10;
	is $h2->outcome($h2->request('GET', '/own')), 'reset REFUSED_STREAM', 'an eleventh of ten';
	$h2->send_reset(shift @open);
	is $h2->fetch('GET', '/own')->status, 200, '... and one in the place of another';
	is $h2->outcome($open[0], 0.05), 'open', '... the others go on';
	my $uploads = $h2->request('POST', '/echo', open => 1);
	is $h2->outcome($h2->request('GET', '/own')), 'reset REFUSED_STREAM', 'half-closed and open ones count alike';
	$h2->send_data($uploads, 'x', end => 1);
	is $h2->outcome($uploads), 'status 200', '... and that one goes on';
	$h2->close;
	rule 'our own limit is about pushes only' => 'status 200', connect => [settings => [MAX_CONCURRENT_STREAMS => 0]],
	    sub { closed_stream(@_) };
};

section '5.3 priority signals' => sub {
	rule 'HEADERS with them' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], priority => [1, 0, 255]) };
	rule 'on a stream that never was' => 'status 200', sub {
		$_[0]->request('GET', '/own', id => $_[1], priority => [0, 99, 0]);
	};
	rule 'PRIORITY before, between and behind' => 'status 200', sub {
		my ($h2, $id) = @_;
		my $priority = frame('PRIORITY', 0, $id, pack 'NC', 1 << 31 | 7, 9);
		$h2->send($priority);
		opened($h2, $id);
		$h2->send($priority . $h2->data_bytes($id, 'x') . $priority . $h2->data_bytes($id, '', end => 1) . $priority);
		$h2->outcome($id);
		$h2->send($priority);
		$id;
	};
	# RFC 7540 made it an error of the stream, RFC 9113 says nothing of it
	rule 'on itself' => 'status 200 or reset PROTOCOL_ERROR or goaway PROTOCOL_ERROR',
	    sub { $_[0]->request('GET', '/own', id => $_[1], priority => [0, $_[1], 0]) };
};

section '5.4.1 connection errors' => sub {
	my $h2 = Reeve::H2->connect(port => $port);
	my $done = $h2->request('GET', '/own');
	$h2->outcome($done);
	$h2->send(frame('PING', 0, 1, 'x' x 8));
	is $h2->verdict, 'GOAWAY PROTOCOL_ERROR', 'GOAWAY, then closed';
	is $h2->{goaway}{last}, $done, '... with the last stream that was worked on';
	$h2->close;
	$h2 = Reeve::H2->connect(port => $port);
	half_closed($h2, 1);
	$h2->send(frame('PING', 0, 1, 'x' x 8) . $h2->headers_bytes(3, [$h2->request_fields('GET', '/own')], end => 1));
	is $h2->verdict, 'GOAWAY PROTOCOL_ERROR', 'with a stream that waits: closed all the same';
	ok !$h2->stream(3)->{head}, '... and nothing behind the error is worked on';
	$h2->close;
};

section '5.4.2 stream errors' => sub {
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = half_closed($h2, $h2->next_id);
	$h2->send_reset($id, 'PROTOCOL_ERROR');
	$h2->send_reset($id);
	$h2->fetch('GET', '/own');
	ok !(grep { $_->{type} eq 'RST_STREAM' } $h2->frames), 'RST_STREAM is not answered with RST_STREAM';
	$h2->close;
	rule 'a code nobody knows' => 'open', sub { opened(@_); $_[0]->send_reset($_[1], 0xbeef) };
};

section '5.5 extensions' => sub {
	rule 'settings nobody knows' => 'status 200', sub {
		$_[0]->send_settings(0x99 => 1, 0xffff => 2 ** 32 - 1);
		closed_stream(@_);
	};
	rule 'an unknown frame inside a header block' => 'goaway PROTOCOL_ERROR', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 'END_STREAM', $id, block($h2)) . frame(0xbe, 0, $id, 'x') . frame('CONTINUATION',
		    4, $id, ''));
	};
};

finish;
