# RFC 9113 §3 to §7: what a server must do about each frame, right or wrong. Sections are named; a "MUST" has a row.
use lib 't/lib';
use Reeve::Test;
use Reeve::H2;
use Reeve::H2Rules;

my $upstream = upstream(receive_buffer => 8192, on => { '/deaf' => sub { sleep 60 } });
my ($port, $both) = (free_port(), free_port());
my $root = temp_dir();
write_file("$root/large", 'x' x 300_000);
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", protocols: [h2c]}
  - {address: "127.0.0.1:$both", protocols: [h2c, http/1.1]}
limits: {http2: {max_streams: 10}}
routes:
  - match: {path: /own}
    respond: own
  - match: {path: /large}
    files: {root: $root}
  - body: {max_size: 100M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
rules_for($port);

# A stream that stays open (its request is not over), half-closed (it is, the response is not), or is closed.
sub opened { $_[0]->request('POST', '/echo', id => $_[1], open => 1) }
sub half_closed { $_[0]->request('GET', '/hang', id => $_[1]) }
sub closed_stream { $_[0]->outcome($_[0]->request('GET', '/own', id => $_[1])) }
sub reset_stream { opened(@_); $_[0]->send_reset($_[1]) }
sub block { my $h2 = shift; return $h2->{encoder}->encode($h2->request_fields('GET', '/own', @_)) }

section '3.3 prior knowledge' => sub {
	rule 'on a port that speaks HTTP/1.1, too' => 'status 200', connect => [port => $both], sub { closed_stream(@_) };
	is get($both, '/own')->status, 200, 'HTTP/1.1 there: 200';
	my $upgrade = request($both, 'GET', '/own', headers => [Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c',
	    'HTTP2-Settings' => 'AAMAAABkAAQCAAAAAAIAAAAA']);
	is $upgrade->status, 200, 'the Upgrade of RFC 7540: answered in HTTP/1.1';
	unlike exchange($port, "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"), qr/200|own/, 'HTTP/1.1 where only h2c is spoken: not served';
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
	rule 'an acknowledgement is not the SETTINGS' => $wrong, @not, sub { $_[0]->send(PREFACE . frame('SETTINGS', 'ACK', 0, '')) };
	rule 'the preface twice' => 'goaway PROTOCOL_ERROR or goaway FRAME_SIZE_ERROR', sub { $_[0]->send(PREFACE) };
};

section '4.1 frame format' => sub {
	rule 'an unknown type on stream 0' => 'status 200', sub { $_[0]->send(frame(0xbe, 0xff, 0, 'whatever')); closed_stream(@_) };
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
	rule 'an unknown type of 16,385 on stream 0' => "$too_large or open", sub { $_[0]->send(frame(0xbe, 0, 0, 'x' x 16385)); 99 };
	rule 'a length of 2^24-1, and nothing behind it' => $too_large, sub { $_[0]->send("\xff\xff\xff\0\0\0\0\0\1") };
	rule 'the server keeps to ours' => 'status 200', sub {
		my ($h2) = @_;
		my $id = $h2->request('GET', '/large');
		$h2->response($id);
		cmp_ok +(sort { $b <=> $a } @{$h2->stream($id)->{pieces}})[0], '<=', 16384, 'DATA of at most 16,384';
		$id;
	};
	rule 'MAX_FRAME_SIZE raised: larger ones may come, need not' => 'status 200', connect => [settings => [MAX_FRAME_SIZE => 16384]],
	    sub { closed_stream(@_) };
};

section '4.3 compression' => sub {
	for (
		['index 0', "\x80"], ['an index beyond the tables', "\xbe"], ['a far index', "\xff\xff\xff\x7f"],
		['a name of no entry', "\x7f\x40\x01a"], ['a string cut off', "\x00\x05abc"], ['an integer cut off', "\xff\x80"],
		['an integer of many bytes', "\xff" . "\x80" x 20 . "\x01"], ['EOS in Huffman\'s code', "\x00\x01x\x84\xff\xff\xff\xff"],
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
		for my $how (['literal'], ['never'], ['index'], ['index', 'huffman'], ['literal', 'no-name', 'huffman'], ['index']) {
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
		$h2->send_headers($id, [$h2->request_fields('GET', '/own'), ['x-kept', 'index'] => 'from before', @$fields], end => 1);
		isnt $h2->outcome($id), 'status 200', "a request $name";
		is $h2->fetch('GET', '/echo', headers => [['x-kept', 'index'] => 'from before'])->json->{header}{'x-kept'}, 'from before',
		    '... has its part in the table all the same';
		$h2->close;
	}
	my $h2 = Reeve::H2->connect(port => $port);
	my @open = map { half_closed($h2, $h2->next_id); } 1 .. 10;
	is $h2->outcome($h2->request('GET', '/own', headers => [['x-kept', 'index'] => 'of a refused one'])), 'reset REFUSED_STREAM',
	    'a stream too many';
	$h2->send_reset($_) for @open;
	is $h2->fetch('GET', '/echo', headers => [['x-kept', 'index'] => 'of a refused one'])->json->{header}{'x-kept'}, 'of a refused one',
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
	rule 'idle: PRIORITY is fine' => 'status 200', sub { $_[0]->send(frame('PRIORITY', 0, 99, pack 'NC', 0, 1)); closed_stream(@_) };

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
	rule 'closed: DATA' => "$gone or goaway PROTOCOL_ERROR or status 200", sub { closed_stream(@_); $_[0]->send_data($_[1], 'x') };
	rule 'closed: HEADERS' => "$gone or goaway PROTOCOL_ERROR", sub {
		my ($h2, $id) = @_;
		closed_stream($h2, $id);
		delete $h2->{streams}{$id};
		$h2->request('GET', '/own', id => $id);
	};
	rule 'closed by its reset: DATA' => "$gone or goaway PROTOCOL_ERROR or open", sub { reset_stream(@_); $_[0]->send_data($_[1], 'x') };
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
	rule 'numbers may be left out' => 'status 200', sub { $_[0]->{next_id} = 2 ** 20 + 1; closed_stream($_[0], 2 ** 20 - 1); 2 ** 20 - 1 };
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
	rule 'on a stream that never was' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], priority => [0, 99, 0]) };
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
	rule 'settings nobody knows' => 'status 200', sub { $_[0]->send_settings(0x99 => 1, 0xffff => 2 ** 32 - 1); closed_stream(@_) };
	rule 'an unknown frame inside a header block' => 'goaway PROTOCOL_ERROR', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 'END_STREAM', $id, block($h2)) . frame(0xbe, 0, $id, 'x') . frame('CONTINUATION', 4, $id, ''));
	};
};

section '6.1 DATA' => sub {
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('DATA', 0, 0, 'x')) };
	rule 'padding as long as the payload' => 'goaway PROTOCOL_ERROR', sub { opened(@_); $_[0]->send(frame('DATA', 8, $_[1], "\6" . 'x' x 5)) };
	rule 'PADDED, and nothing in it' => 'goaway PROTOCOL_ERROR or goaway FRAME_SIZE_ERROR', sub { opened(@_); $_[0]->send(frame('DATA', 8, $_[1], '')) };
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send_data($id, 'one', padding => 255);
	$h2->send_data($id, '', padding => 0);
	$h2->send_data($id, 'two', padding => 3, end => 1);
	is $h2->response($id)->json->{body}, 'onetwo', 'padding is no content';
	$id = $h2->request('POST', '/echo', open => 1);
	for (1 .. 40) {
		$h2->wait_until(5, sub { $h2->stream($id)->{send_window} > 16384 && $h2->{send_window} > 16384 }) or last;
		$h2->send_data($id, 'x', padding => 255) for 1 .. 60;
	}
	$h2->send_data($id, 'x', end => 1);
	is $h2->response($id)->json->{body_size}, 2401, '... and its share of the window is given back';
	$h2->close;
};

section '6.2 HEADERS' => sub {
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 5, 0, block($_[0]))) };
	rule 'padding as long as the payload' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 13, $_[1], "\xff" . block($_[0]))) };
	rule 'too short for its priority' => 'goaway FRAME_SIZE_ERROR or goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 37, $_[1], 'xxx')) };
	rule 'padded' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], padding => 200) };
	rule 'padded, with priority' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], padding => 0, priority => [0, 0, 15]) };
	rule 'an empty block' => 'reset PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 5, $_[1], '')) };
};

section '6.3 PRIORITY' => sub {
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('PRIORITY', 0, 0, pack 'NC', 0, 1)) };
	for my $length (0, 4, 6) {
		rule "of $length bytes" => 'reset FRAME_SIZE_ERROR or goaway FRAME_SIZE_ERROR',
		    sub { opened(@_); $_[0]->send(frame('PRIORITY', 0, $_[1], 'x' x $length)) };
	}
};

section '6.4 RST_STREAM' => sub {
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('RST_STREAM', 0, 0, pack 'N', 8)) };
	for my $length (0, 3, 5) {
		rule "of $length bytes" => 'goaway FRAME_SIZE_ERROR', sub { opened(@_); $_[0]->send(frame('RST_STREAM', 0, $_[1], 'x' x $length)) };
	}
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = $h2->request('GET', '/slow/100/0.05');
	$h2->head($id);
	$h2->send_reset($id);
	$h2->fetch('GET', '/own');
	my $count = @{$h2->stream($id)->{pieces}};
	$h2->listen_for(0.3);
	is scalar @{$h2->stream($id)->{pieces}}, $count, 'nothing comes on the stream any more';
	ok eventually(5, sub { $upstream->closed > 0 }), '... and the upstream is told';
	$h2->close;
};

section '6.5 SETTINGS' => sub {
	my $ack = 'goaway FRAME_SIZE_ERROR';
	rule 'on a stream' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('SETTINGS', 0, 1, '')) };
	rule 'an acknowledgement with something in it' => $ack, sub { $_[0]->send(frame('SETTINGS', 'ACK', 0, "\0" x 6)) };
	rule "of $_ bytes" => $ack, do { my $length = $_; sub { $_[0]->send(frame('SETTINGS', 0, 0, "\0" x $length)) } } for 1, 5, 7, 13;
	rule 'ENABLE_PUSH: 2' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(settings(ENABLE_PUSH => 2)) };
	rule 'ENABLE_PUSH: 1 and 0' => 'status 200', sub { $_[0]->send_settings(ENABLE_PUSH => $_) for 1, 0; closed_stream(@_) };
	rule 'INITIAL_WINDOW_SIZE: 2^31' => 'goaway FLOW_CONTROL_ERROR', sub { $_[0]->send(settings(INITIAL_WINDOW_SIZE => 2 ** 31)) };
	rule 'INITIAL_WINDOW_SIZE: 2^31-1' => 'status 200', sub { $_[0]->send_settings(INITIAL_WINDOW_SIZE => 2 ** 31 - 1); closed_stream(@_) };
	rule "MAX_FRAME_SIZE: $_" => 'goaway PROTOCOL_ERROR', do { my $size = $_; sub { $_[0]->send(settings(MAX_FRAME_SIZE => $size)) } }
	    for 0, 16383, 2 ** 24;
	rule 'MAX_FRAME_SIZE: 2^24-1' => 'status 200', sub { $_[0]->send_settings(MAX_FRAME_SIZE => 2 ** 24 - 1); closed_stream(@_) };
	rule 'an acknowledgement of nothing' => 'status 200 or goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('SETTINGS', 'ACK', 0, '')); closed_stream(@_) };
	my $h2 = Reeve::H2->connect(port => $port);
	$h2->wait_frame(type => 'SETTINGS', ack => 1);
	$h2->send($h2->settings_bytes() . $h2->settings_bytes(0x99 => 1));
	ok $h2->wait_frame(type => 'SETTINGS', ack => 1), "6.5.3: each is acknowledged ($_)" for 1, 2;
	$h2->send(settings(INITIAL_WINDOW_SIZE => 0, INITIAL_WINDOW_SIZE => 7));
	push @{$h2->{unacked}}, { INITIAL_WINDOW_SIZE => 7 };
	$h2->wait_frame(type => 'SETTINGS', ack => 1);
	$h2->{auto} = 0;
	my $id = $h2->request('GET', '/large');
	$h2->outcome($id, 0.2);
	is length $h2->stream($id)->{body}, 7, '6.5.3: of a setting that comes twice the last counts';
	$h2->close;
};

section '6.6 PUSH_PROMISE' => sub {
	rule 'from a client' => 'goaway PROTOCOL_ERROR', sub { opened(@_); $_[0]->send(frame('PUSH_PROMISE', 4, $_[1], pack('N', 2) . block($_[0]))) };
	rule '... on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('PUSH_PROMISE', 4, 0, pack('N', 2) . block($_[0]))) };
};

section '6.7 PING' => sub {
	rule 'on a stream' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('PING', 0, 1, 'x' x 8)) };
	rule "of $_ bytes" => 'goaway FRAME_SIZE_ERROR', do { my $length = $_; sub { $_[0]->send(frame('PING', 0, 0, 'x' x $length)) } } for 0, 7, 9;
	rule 'an acknowledgement of nothing' => 'status 200', sub { $_[0]->send(frame('PING', 'ACK', 0, 'x' x 8)); closed_stream(@_) };
	my $h2 = Reeve::H2->connect(port => $port);
	$h2->send(frame('PING', 0, 0, "\0\1\2\3\xfc\xfd\xfe\xff"));
	ok $h2->wait_frame(type => 'PING', ack => 1, opaque => "\0\1\2\3\xfc\xfd\xfe\xff"), 'comes back with what it carried';
	$h2->send(frame('PING', 'ACK', 0, 'x' x 8));
	$h2->fetch('GET', '/own');
	is scalar(grep { $_->{type} eq 'PING' } $h2->frames), 1, 'an acknowledgement is not answered';
	$h2->close;
};

section '6.8 GOAWAY' => sub {
	rule 'on a stream' => 'goaway PROTOCOL_ERROR', sub { opened(@_); $_[0]->send(frame('GOAWAY', 0, 1, pack 'NN', 0, 0)) };
	rule 'of 7 bytes' => 'goaway FRAME_SIZE_ERROR', sub { $_[0]->send(frame('GOAWAY', 0, 0, 'x' x 7)) };
	my $h2 = Reeve::H2->connect(port => $port);
	my $id = $h2->request('POST', '/echo', open => 1);
	$h2->send_goaway(0, 'NO_ERROR', 'enough');
	$h2->send_data($id, 'on its way', end => 1);
	is $h2->response($id)->json->{body}, 'on its way', 'from a client: what is under way is finished';
	$h2->close;
	$h2 = Reeve::H2->connect(port => $port);
	$h2->send_goaway(0, 0xbeef, 'x' x 1000);
	isnt $h2->verdict(0.3), 'reset', '7: with a code nobody knows';
	$h2->close;
	is get($both, '/own')->status, 200, '... and all is well';
};

section '6.9 WINDOW_UPDATE' => sub {
	my $none = pack 'N', 0;
	rule 'of 0 on a stream' => 'reset PROTOCOL_ERROR or goaway PROTOCOL_ERROR', sub { opened(@_); $_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], $none)) };
	rule 'of 0 on the connection' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, $none)) };
	rule "of $_ bytes" => 'goaway FRAME_SIZE_ERROR', do { my $length = $_; sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, 'x' x $length)) } } for 0, 3, 5;
	rule 'with the reserved bit' => 'status 200', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, pack 'N', 1 << 31 | 5)); closed_stream(@_) };
};

section '6.9.1 windows' => sub {
	my $most = pack 'N', 2 ** 31 - 1;
	rule 'a stream\'s beyond 2^31-1' => 'reset FLOW_CONTROL_ERROR', sub { half_closed(@_); $_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], $most)) };
	rule 'the connection\'s beyond 2^31-1' => 'goaway FLOW_CONTROL_ERROR', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, $most)) };
	rule 'more content than there is a window for' => 'reset FLOW_CONTROL_ERROR or goaway FLOW_CONTROL_ERROR', sub {
		my ($h2, $id) = @_;
		$h2->request('POST', '/deaf', id => $id, open => 1);
		for (1 .. 3000) {
			$h2->send($h2->data_bytes($id, 'x' x 16384)) or last;
			1 while $h2->step(0);
			last if $h2->{ended} || $h2->{goaway} || $h2->stream($id)->{reset};
		}
	};
	my $h2 = Reeve::H2->connect(port => $port, auto => 0);
	my $id = $h2->request('GET', '/large');
	$h2->outcome($id, 0.2);
	is length $h2->stream($id)->{body}, 65535, 'no more content comes than the windows have room for';
	$h2->send_window(0, 1000);
	$h2->listen_for(0.1);
	is length $h2->stream($id)->{body}, 65535, '... the connection\'s alone is not enough';
	$h2->send_window($id, 300);
	$h2->wait_until(2, sub { length $h2->stream($id)->{body} > 65535 });
	$h2->listen_for(0.05);
	is length $h2->stream($id)->{body}, 65835, '... the smaller one counts';
	is $h2->fetch('HEAD', '/large')->status, 200, 'heads need no window';
	$h2->close;
};

section '6.9.2 initial windows' => sub {
	rule 'a change beyond 2^31-1' => 'goaway FLOW_CONTROL_ERROR', sub {
		half_closed(@_);
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], pack 'N', 2 ** 31 - 1 - 65535) . $_[0]->settings_bytes(INITIAL_WINDOW_SIZE => 65536));
	};
	my $h2 = Reeve::H2->connect(port => $port, auto => 0, window => 200_000, settings => [INITIAL_WINDOW_SIZE => 10000]);
	my $id = $h2->request('GET', '/large');
	$h2->outcome($id, 0.2);
	is length $h2->stream($id)->{body}, 10000, 'the one that was told counts';
	$h2->send_settings(INITIAL_WINDOW_SIZE => 4000);
	$h2->send_window($id, 5000);
	$h2->listen_for(0.1);
	is length $h2->stream($id)->{body}, 10000, 'made smaller: below zero nothing comes';
	$h2->send_window($id, 1500);
	$h2->wait_until(2, sub { length $h2->stream($id)->{body} > 10000 });
	is length $h2->stream($id)->{body}, 10500, '... and behind it what is above';
	$h2->send_settings(INITIAL_WINDOW_SIZE => 60000);
	$h2->wait_until(2, sub { length $h2->stream($id)->{body} > 10500 });
	$h2->listen_for(0.05);
	is length $h2->stream($id)->{body}, 66500, 'made larger: what is open grows';
	$h2->close;
};

section '6.10 CONTINUATION' => sub {
	rule 'behind nothing' => 'goaway PROTOCOL_ERROR', sub { closed_stream(@_); $_[0]->send(frame('CONTINUATION', 4, $_[1], '')); 99 };
	rule 'behind an ended block' => 'goaway PROTOCOL_ERROR', sub { opened(@_); $_[0]->send(frame('CONTINUATION', 4, $_[1], '')) };
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame('CONTINUATION', 4, 0, '')) };
	rule 'of another stream' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame('CONTINUATION', 4, 3, '')) };
	for (['DATA', 0, 1, 'x'], ['HEADERS', 5, 3, "\x82"], ['PRIORITY', 0, 1, "\0\0\0\0\1"], ['RST_STREAM', 0, 1, "\0\0\0\10"], ['SETTINGS', 0, 0, ''],
	    ['PING', 0, 0, 'x' x 8], ['GOAWAY', 0, 0, "\0" x 8], ['WINDOW_UPDATE', 0, 0, "\0\0\0\1"]) {
		my @frame = @$_;
		rule "$frame[0] inside a block" => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame(@frame)) };
	}
	rule 'a block in pieces' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], split => 12) };
	rule 'END_STREAM belongs to HEADERS, not to CONTINUATION' => 'status 200', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 0, $id, $h2->{encoder}->encode($h2->request_fields('POST', '/echo'))) . frame('CONTINUATION', 5, $id, ''));
		is $h2->outcome($id, 0.1), 'open', 'the stream is open still';
		$h2->send_data($id, 'x', end => 1);
	};
};

finish;
