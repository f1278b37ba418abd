# RFC 9113 §6: each kind of frame, right or wrong. Sections are named; a "MUST" has a row.
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

section '6.1 DATA' => sub {
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('DATA', 0, 0, 'x')) };
	rule 'padding as long as the payload' => 'goaway PROTOCOL_ERROR', sub {
		opened(@_);
		$_[0]->send(frame('DATA', 8, $_[1], "\6" . 'x' x 5));
	};
	rule 'PADDED, and nothing in it' => 'goaway PROTOCOL_ERROR or goaway FRAME_SIZE_ERROR', sub {
		opened(@_);
		$_[0]->send(frame('DATA', 8, $_[1], ''));
	};
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
	rule 'padding as long as the payload' => 'goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('HEADERS', 13, $_[1], "\xff" . block($_[0])));
	};
	rule 'too short for its priority' => 'goaway FRAME_SIZE_ERROR or goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('HEADERS', 37, $_[1], 'xxx'));
	};
	rule 'padded' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], padding => 200) };
	rule 'padded, with priority' => 'status 200', sub {
		$_[0]->request('GET', '/own', id => $_[1], padding => 0, priority => [0, 0, 15]);
	};
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
		rule "of $length bytes" => 'goaway FRAME_SIZE_ERROR', sub {
			opened(@_);
			$_[0]->send(frame('RST_STREAM', 0, $_[1], 'x' x $length));
		};
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
	rule "of $_ bytes" => $ack, do { my $length = $_; sub { $_[0]->send(frame('SETTINGS', 0, 0,
	    "\0" x $length)) } } for 1, 5, 7, 13;
	rule 'ENABLE_PUSH: 2' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(settings(ENABLE_PUSH => 2)) };
	rule 'ENABLE_PUSH: 1 and 0' => 'status 200', sub { $_[0]->send_settings(ENABLE_PUSH => $_) for 1, 0; closed_stream(@_) };
	rule 'INITIAL_WINDOW_SIZE: 2^31' => 'goaway FLOW_CONTROL_ERROR', sub {
		$_[0]->send(settings(INITIAL_WINDOW_SIZE => 2 ** 31));
	};
	rule 'INITIAL_WINDOW_SIZE: 2^31-1' => 'status 200', sub {
		$_[0]->send_settings(INITIAL_WINDOW_SIZE => 2 ** 31 - 1);
		closed_stream(@_);
	};
	rule "MAX_FRAME_SIZE: $_" => 'goaway PROTOCOL_ERROR',
	    do { my $size = $_; sub { $_[0]->send(settings(MAX_FRAME_SIZE => $size)) } }
	    for 0, 16383, 2 ** 24;
	rule 'MAX_FRAME_SIZE: 2^24-1' => 'status 200', sub {
		$_[0]->send_settings(MAX_FRAME_SIZE => 2 ** 24 - 1);
		closed_stream(@_);
	};
	rule 'an acknowledgement of nothing' => 'status 200 or goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('SETTINGS', 'ACK', 0, ''));
		closed_stream(@_);
	};
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
	rule 'from a client' => 'goaway PROTOCOL_ERROR', sub {
		opened(@_);
		$_[0]->send(frame('PUSH_PROMISE', 4, $_[1], pack('N', 2) . block($_[0])));
	};
	rule '... on stream 0' => 'goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('PUSH_PROMISE', 4, 0, pack('N', 2) . block($_[0])));
	};
};

section '6.7 PING' => sub {
	rule 'on a stream' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('PING', 0, 1, 'x' x 8)) };
	rule "of $_ bytes" => 'goaway FRAME_SIZE_ERROR', do { my $length = $_; sub { $_[0]->send(frame('PING', 0, 0,
	    'x' x $length)) } } for 0, 7, 9;
	rule 'an acknowledgement of nothing' => 'status 200', sub {
		$_[0]->send(frame('PING', 'ACK', 0, 'x' x 8));
		closed_stream(@_);
	};
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
	rule 'of 0 on a stream' => 'reset PROTOCOL_ERROR or goaway PROTOCOL_ERROR', sub {
		opened(@_);
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], $none));
	};
	rule 'of 0 on the connection' => 'goaway PROTOCOL_ERROR', sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0, $none)) };
	rule "of $_ bytes" => 'goaway FRAME_SIZE_ERROR', do { my $length = $_; sub { $_[0]->send(frame('WINDOW_UPDATE', 0, 0,
	    'x' x $length)) } } for 0, 3, 5;
	rule 'with the reserved bit' => 'status 200', sub {
		$_[0]->send(frame('WINDOW_UPDATE', 0, 0, pack 'N', 1 << 31 | 5));
		closed_stream(@_);
	};
};

section '6.9.1 windows' => sub {
	my $most = pack 'N', 2 ** 31 - 1;
	rule 'a stream\'s beyond 2^31-1' => 'reset FLOW_CONTROL_ERROR', sub {
		half_closed(@_);
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], $most));
	};
	rule 'the connection\'s beyond 2^31-1' => 'goaway FLOW_CONTROL_ERROR', sub {
		$_[0]->send(frame('WINDOW_UPDATE', 0, 0, $most));
	};
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
		$_[0]->send(frame('WINDOW_UPDATE', 0, $_[1], pack 'N', 2 ** 31 - 1 - 65535) .
		    $_[0]->settings_bytes(INITIAL_WINDOW_SIZE => 65536));
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
	rule 'behind nothing' => 'goaway PROTOCOL_ERROR', sub {
		closed_stream(@_);
		$_[0]->send(frame('CONTINUATION', 4, $_[1], ''));
		99;
	};
	rule 'behind an ended block' => 'goaway PROTOCOL_ERROR', sub {
		opened(@_);
		$_[0]->send(frame('CONTINUATION', 4, $_[1], ''));
	};
	rule 'on stream 0' => 'goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame('CONTINUATION', 4, 0, ''));
	};
	rule 'of another stream' => 'goaway PROTOCOL_ERROR', sub {
		$_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame('CONTINUATION', 4, 3, ''));
	};
	for (['DATA', 0, 1, 'x'], ['HEADERS', 5, 3, "\x82"], ['PRIORITY', 0, 1, "\0\0\0\0\1"], ['RST_STREAM', 0, 1,
	    "\0\0\0\10"], ['SETTINGS', 0, 0, ''],
	    ['PING', 0, 0, 'x' x 8], ['GOAWAY', 0, 0, "\0" x 8], ['WINDOW_UPDATE', 0, 0, "\0\0\0\1"]) {
		my @frame = @$_;
		rule "$frame[0] inside a block" => 'goaway PROTOCOL_ERROR', sub {
			$_[0]->send(frame('HEADERS', 1, $_[1], block($_[0])) . frame(@frame));
		};
	}
	rule 'a block in pieces' => 'status 200', sub { $_[0]->request('GET', '/own', id => $_[1], split => 12) };
	rule 'END_STREAM belongs to HEADERS, not to CONTINUATION' => 'status 200', sub {
		my ($h2, $id) = @_;
		$h2->send(frame('HEADERS', 0, $id, $h2->{encoder}->encode($h2->request_fields('POST', '/echo'))) .
		    frame('CONTINUATION', 5, $id, ''));
		is $h2->outcome($id, 0.1), 'open', 'the stream is open still';
		$h2->send_data($id, 'x', end => 1);
	};
};

finish;
