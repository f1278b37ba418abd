# Nothing that HTTP/2 can carry becomes something else in HTTP/1.1: what the upstream got, byte for byte.
use lib 't/lib';
use Reeve::Test;
use IO::Select;
use POSIX ();
use Reeve::H2;
use Socket;

my ($port, $up_port) = (free_port(), free_port());
my $dir = temp_dir();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port", protocols: [h2c]}]
workers: 1
limits: {http2: {resets_per_second: 1000}, uri_size: 8K}
routes:
  - proxy: http://127.0.0.1:$up_port
END

# An upstream that knows nothing of HTTP: it writes down what comes, and answers whenever an empty line has come and the
# bytes end in `end`. So a request that was cut in two would be two answers, and the second nobody's.
my $pid = fork // die "fork: $!";
if (!$pid) {
	alarm 60;
	$SIG{$_} = 'DEFAULT' for qw(ALRM TERM INT);
	socket my $listener, AF_INET, SOCK_STREAM, 0;
	setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
	bind $listener, pack_sockaddr_in($up_port, INADDR_LOOPBACK) or POSIX::_exit(1);
	listen $listener, 50;
	my ($select, %got) = (IO::Select->new($listener));
	while (1) {
		for my $ready ($select->can_read) {
			if ($ready == $listener) {
				accept my $socket, $listener or next;
				$select->add($socket);
				next;
			}
			my $count = sysread $ready, $got{$ready}, 65536, length($got{$ready} // '');
			if (!$count) {
				$select->remove($ready);
				close $ready;
				next;
			}
			next unless $got{$ready} =~ /\r\n\r\n\z|end\z|\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n\z/;
			next if $got{$ready} =~ /^transfer-encoding: chunked\r$/mi && $got{$ready} !~ /\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n\z/;
			next if $got{$ready} =~ /^content-length: [1-9]/mi && $got{$ready} !~ /end\z/;
			my ($name) = $got{$ready} =~ m{^\S+ /(\w+)} ? $1 : 'unknown';
			write_file("$dir/$name", delete $got{$ready});
			syswrite $ready, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
		}
	}
}
END { kill KILL => $pid if $pid }
eventually(5, sub { Reeve::Server::ports_listening()->{$up_port} });

my $h2 = Reeve::H2->connect(port => $port);
my $count = 0;

# What came of it at the upstream; undef: nothing. `fields` are behind the pseudo-fields.
sub sent
{
	my ($method, $rest, %options) = @_;
	my $name = 'n' . ++$count;
	$h2 = Reeve::H2->connect(port => $port) if $h2->{ended};
	my $id = $h2->request($method, "/$name$rest", authority => 'a.test', %options);
	my $outcome = $h2->outcome($id);
	return ($outcome, -e "$dir/$name" ? read_file("$dir/$name") : undef);
}

# The head without what reeve adds of its own.
my $own = qr/^(?:x-forwarded-\w+|forwarded|via|x-request-id|x-real-ip|connection): [^\r\n]*\r\n/mi;
sub bare { return $_[0] =~ s/$own//gr }

sub arrives
{
	my ($name, $wanted, @request) = @_;
	my ($outcome, $bytes) = sent(@request);
	$wanted =~ s/\bN\b/n$count/;
	is $outcome, 'status 200', "$name: served";
	is defined $bytes ? bare($bytes) : '(nothing)', $wanted, '... as it should be, byte for byte';
}

# -- what is fine --
arrives 'a GET', "GET /N HTTP/1.1\r\nHost: a.test\r\n\r\n", 'GET', '';
arrives 'a POST without content', "POST /N HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", 'POST', '';
arrives 'fields', "GET /N HTTP/1.1\r\nHost: a.test\r\nx-one: 1\r\nx-two: \r\nx-one: 2, 3\r\n\r\n" =~ s/(x-\w)/\u$1/gr =~ s/X-/x-/gr, 'GET', '',
    headers => ['x-one' => 1, 'x-two' => '', 'x-one' => '2, 3'];
arrives 'a length', "POST /N HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nend", 'POST', '',
    headers => ['content-length' => 3], body => 'end';
my $inner = "x\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nend";
arrives 'content that looks like requests, with a length', "POST /N HTTP/1.1\r\nHost: a.test\r\nContent-Length: " .
    length($inner) . "\r\n\r\n$inner",
    'POST', '', headers => ['content-length' => length $inner], body => $inner;
arrives 'content that looks like the end of chunks', "POST /N HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" .
    sprintf("%x\r\n%s\r\n0\r\n\r\n", length $inner, $inner), 'POST', '', body => $inner;
arrives 'trailers', "POST /N HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
    'POST', '',
    body => 'abc', trailers => ['x-sum' => 1];
arrives 'crumbs of a cookie', "GET /N HTTP/1.1\r\nHost: a.test\r\ncookie: a=1; b=2\r\n\r\n" =~ s/cookie/Cookie/r, 'GET', '',
    headers => [cookie => 'a=1', cookie => 'b=2'];
arrives 'an encoded CR LF in the target', "GET /N%0D%0AX:%20y HTTP/1.1\r\nHost: a.test\r\n\r\n", 'GET', '%0d%0aX:%20y';
arrives 'a question mark, twice', "GET /N?a?b=%00 HTTP/1.1\r\nHost: a.test\r\n\r\n", 'GET', '?a?b=%00';
arrives 'a method of its own', "M-SEARCH /N HTTP/1.1\r\nHost: a.test\r\n\r\n", 'M-SEARCH', '';

# -- what is not: nothing of it arrives, and the requests behind it are themselves --
my @attacks = (
	['CR LF in a value', headers => ['x-a' => "b\r\nx-injected: 1"]],
	['CR LF CR LF in a value', headers => ['x-a' => "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a"]],
	['LF in a value', headers => ['x-a' => "b\nx-injected: 1"]],
	['CR in a value', headers => ['x-a' => "b\rx-injected: 1"]],
	['NUL in a value', headers => ['x-a' => "b\0c"]],
	['LF first in a value', headers => ['x-a' => "\nx-injected: 1"]],
	['CR LF in a name', headers => ["x-a: b\r\nx-injected" => 1]],
	['a colon in a name', headers => ['x-injected: 1' => 1]],
	['a space in a name', headers => ['transfer-encoding ' => 'chunked']],
	['NUL in a name', headers => ["x-a\0" => 1]],
	['Transfer-Encoding', headers => ['transfer-encoding' => 'chunked'],
	    body => "0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\nend"],
	['... in upper case', headers => ['Transfer-Encoding' => 'chunked'],
	    body => "0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\nend"],
	['... inside a value', headers => ['x-a' => "b\r\nTransfer-Encoding: chunked"], body => "0\r\n\r\nend"],
	['... with a length', headers => ['content-length' => 3, 'transfer-encoding' => 'chunked'], body => 'end'],
	['Connection names Content-Length', headers => [connection => 'content-length', 'content-length' => 3], body => 'end'],
	['a length with CR LF', headers => ['content-length' => "3\r\nx-injected: 1"], body => 'end'],
	['two lengths', headers => ['content-length' => 3, 'content-length' => 0], body => 'end'],
	['a length that is a list', headers => ['content-length' => '3, 3'], body => 'end'],
	['a length with a sign', headers => ['content-length' => '+3'], body => 'end'],
	['Host with CR LF', headers => [host => "a.test\r\nx-injected: 1"]],
	['another Host', headers => [host => 'b.test']],
	['Upgrade', headers => [upgrade => 'websocket', connection => 'upgrade']],
	['HTTP2-Settings with Connection', headers => [connection => 'HTTP2-Settings', 'http2-settings' => 'AAAA']],
);
for (@attacks) {
	my ($name, %options) = @$_;
	my ($outcome, $bytes) = sent(exists $options{body} ? 'POST' : 'GET', '', %options);
	like $outcome, qr/^(?:reset PROTOCOL_ERROR|status 400|reset STREAM_CLOSED)\z/, "$name: refused";
	is $bytes, undef, '... and nothing arrives';
}
# its head is right, and may be on its way before the content is wrong
my ($outcome, $bytes) = sent('POST', '', headers => ['content-length' => 0], body => "GET /smuggled HTTP/1.1\r\n\r\nend");
like $outcome, qr/^(?:reset PROTOCOL_ERROR|status 200)\z/, 'a length of 0, and content: refused, or not looked at';
like bare($bytes // ''), qr/\A(?:POST [^\n]+\nHost: a.test\r\nContent-Length: 0\r\n\r\n)?\z/, '... and the content is nobody\'s';

for (
	['CR LF', "x HTTP/1.1\r\nx-injected: 1\r\nx: y"], ['a space', 'x HTTP/1.1'], ['LF', "\nx: y"], ['NUL', "\0"],
	    ['a tab', "\tx"], ['CR', "\r"],
) {
	my ($name, $bytes) = @$_;
	my ($outcome, $arrived) = sent('GET', $bytes);
	is $outcome, 'reset PROTOCOL_ERROR', "$name in the target: refused";
	is $arrived, undef, '... and nothing arrives';
	($outcome, $arrived) = sent("GET /smuggled HTTP/1.1\r\n$bytes", '');
	is $outcome, 'reset PROTOCOL_ERROR', "$name in the method: refused";
	is $arrived, undef, '... and nothing arrives';
	($outcome, $arrived) = sent('GET', '', authority => "a.test$bytes");
	like $outcome, qr/^(?:reset PROTOCOL_ERROR|status 400)\z/, "$name in the authority: refused";
	is $arrived, undef, '... and nothing arrives';
	($outcome, $arrived) = sent('GET', '', scheme => "http$bytes");
	like $outcome, qr/^(?:reset PROTOCOL_ERROR|status 400)\z/, "$name in the scheme: refused";
	is $arrived, undef, '... and nothing arrives';
	($outcome, $arrived) = sent('POST', '', body => 'abc', trailers => ['x-sum' => "a$bytes"]);
	like $outcome, $name eq 'a space' || $name eq 'a tab' ? qr/^status 200\z/ : qr/^reset PROTOCOL_ERROR\z/,
	    "$name in a trailer";
}
# bytes over 127 are no CR or LF in any reading
for my $bytes ("\xc4\x8d\xc4\x8a", "\xe5\x98\x8d\xe5\x98\x8a", "\xff\xfe") {
	my ($outcome, $arrived) = sent('GET', '', headers => ['x-a' => "b${bytes}c"]);
	unlike $arrived // '', qr/^x-a: b\r?$|^c\r?$/m, 'bytes over 127 in a value stay what they are';
	($outcome, $arrived) = sent('GET', "x$bytes");
	ok !defined $arrived || $arrived =~ m{^GET /\S+ HTTP/1\.1\r\n} && $arrived !~ /\n\S*\x0a\S*\x0a\z.*:/s,
	    '... in a target, too';
}

ok !-e "$dir/smuggled", 'nobody has asked for /smuggled';
ok !-e "$dir/unknown", '... nor for anything strange';
is_deeply [grep { read_file($_) =~ /^x-injected/mi } glob "$dir/*"], [], '... nor is there a field that was none';
arrives 'at the end, a GET', "GET /N HTTP/1.1\r\nHost: a.test\r\n\r\n", 'GET', '';
$h2->close;
kill TERM => $pid;
waitpid $pid, 0;
undef $pid;

finish;
