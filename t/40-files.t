# Files: whole, in parts, conditionally, precompressed; and never anything hidden, outside the root, or that is no file.
use lib 't/lib';
use Reeve::Test;
use POSIX ();

my $root = temp_dir() . '/root';
my $outside = temp_dir();
mkdir $_ for $root, map { "$root/$_" } qw(sub sub/deep noindex .git app spaces);
my $text = join '', map { "line $_\n" } 1 .. 200;
write_file("$root/a.txt", $text);
write_file("$root/index.html", "<p>index</p>\n");
write_file("$root/sub/index.html", "<p>sub</p>\n");
write_file("$root/sub/deep/x.json", "{}\n");
write_file("$root/noindex/file", "unknown\n");
write_file("$root/.secret", "secret\n");
write_file("$root/.git/config", "secret\n");
write_file("$root/empty", '');
write_file("$root/app/index.html", "<p>app</p>\n");
write_file("$root/app/404.html", "<p>not here</p>\n");
write_file("$root/spaces/a b+c%d.txt", "spaces\n");
write_file("$root/style.css", "plain\n" x 100);
write_file("$root/style.css.gz", "gzip bytes");
write_file("$root/style.css.br", "brotli bytes");
write_file("$root/UPPER.HTML", "upper\n");
write_file("$outside/secret.txt", "outside\n");
symlink "$outside/secret.txt", "$root/out.txt";
symlink $outside, "$root/outdir";
symlink 'a.txt', "$root/in.txt";
symlink '../a.txt', "$root/sub/up.txt";
POSIX::mkfifo("$root/fifo", 0644);
my $big = join '', map { pack 'N', $_ } 0 .. 1_300_000;
write_file("$root/big.bin", $big);
my $past = 1_600_000_000;
utime $past, $past, "$root/a.txt";

my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
routes:
  - match: {path: /static/*}
    files: {root: $root, strip_prefix: /static, cache_control: "max-age=60", precompressed: [br, gzip]}
  - match: {path: /app/*}
    files: {root: $root, fallback: /app/index.html}
  - match: {path: /linked/*}
    files: {root: $root, strip_prefix: /linked, follow_symlinks: true}
  - match: {path: /dots/*}
    files: {root: $root, strip_prefix: /dots, hidden: true}
  - files: $root
END

sub fetch
{
	my ($target, @headers) = @_;
	return get($port, $target, @headers);
}

# -- whole --
my $response = fetch('/a.txt');
is $response->status, 200, 'a file';
is $response->body, $text, '... its content';
is $response->header('content-length'), length $text, '... its length';
is $response->header('content-type'), 'text/plain; charset=utf-8', '... its type';
is $response->header('last-modified'), 'Sun, 13 Sep 2020 12:26:40 GMT', '... its date';
is $response->header('accept-ranges'), 'bytes', '... can be had in parts';
my $etag = $response->header('etag');
like $etag, qr/^"[^"]+"$/, '... a strong ETag';
is request($port, 'HEAD', '/a.txt')->header('content-length'), length $text, 'HEAD';
is fetch('/empty')->body, '', 'an empty file';
is fetch('/big.bin')->body, $big, 'five megabytes';
is fetch('/sub/deep/x.json')->header('content-type'), 'application/json', 'application/json';
is fetch('/noindex/file')->header('content-type'), 'application/octet-stream', 'no extension';
like fetch('/UPPER.HTML')->header('content-type'), qr{^text/html}, 'extensions in any case';
is fetch('/spaces/a%20b+c%25d.txt')->body, "spaces\n", 'a name with spaces and signs';
is fetch('/static/a.txt')->body, $text, 'strip_prefix';
is fetch('/static/a.txt')->header('cache-control'), 'max-age=60', 'cache_control';
is fetch('/a.txt?x=y')->body, $text, 'a query changes nothing';
my $client = connect_to($port);
is $client->fetch('GET', '/big.bin')->body, $big, 'on one connection: a large file';
is $client->fetch('GET', '/a.txt')->body, $text, '... then a small one';
$client->send($client->request_bytes('GET', '/big.bin') . $client->request_bytes('GET', '/a.txt'));
is $client->read_response->body, $big, '... pipelined';
is $client->read_response->body, $text, '... in order';
$client->close;
$client = connect_to(port => $port, receive_buffer => 8192);
$client->request('GET', '/big.bin');
sleep 0.5;
is $client->read_response->body, $big, 'to a slow reader';
$client->close;

# -- directories --
is fetch('/')->body, "<p>index</p>\n", 'the index';
is fetch('/sub/')->body, "<p>sub</p>\n", 'the index of a directory';
$response = fetch('/sub?x=y');
ok $response->status == 301 || $response->status == 308, 'a directory without its slash is redirected' or diag $response->status;
like $response->header('location') // '', qr{^(?:http://[^/]+)?/sub/\?x=y$}, '... keeping the query';
like fetch('/noindex/')->status, qr/^40[34]$/, 'no index, no listing';
is fetch('/a.txt/')->status, 404, 'a file is no directory';
is fetch('/a.txt/x')->status, 404, '... nor has it anything below';
is fetch('/nothing')->status, 404, 'what is not there';
is fetch('/app/some/path')->body, "<p>app</p>\n", 'fallback';
is fetch('/app/some/path')->status, 200, '... is a success';
is fetch('/app/404.html')->body, "<p>not here</p>\n", '... for what is not there only';
is fetch('/' . 'x' x 300)->status, 404, 'a name too long for the file system';

# -- methods --
for my $method (qw(POST PUT DELETE PATCH)) {
	$response = request($port, $method, '/a.txt', body => 'x');
	is $response->status, 405, "$method";
	like $response->header('allow') // '', qr/\bGET\b.*\bHEAD\b/, '... Allow says what is';
}

# -- conditions --
my $date = $response = 'Sun, 13 Sep 2020 12:26:40 GMT';
my $before = 'Sun, 13 Sep 2020 12:26:39 GMT';
for my $case (
	['If-None-Match', [ 'If-None-Match' => $etag ], 304],
	['If-None-Match: weak', [ 'If-None-Match' => "W/$etag" ], 304],
	['If-None-Match: a list', [ 'If-None-Match' => "\"x\", $etag" ], 304],
	['If-None-Match: *', [ 'If-None-Match' => '*' ], 304],
	['If-None-Match: another', [ 'If-None-Match' => '"x"' ], 200],
	['If-Modified-Since: the same', [ 'If-Modified-Since' => $date ], 304],
	['If-Modified-Since: before', [ 'If-Modified-Since' => $before ], 200],
	['If-Modified-Since: no date', [ 'If-Modified-Since' => 'yesterday' ], 200],
	['If-None-Match counts before If-Modified-Since', [ 'If-None-Match' => '"x"', 'If-Modified-Since' => $date ], 200],
	['If-Match', [ 'If-Match' => $etag ], 200],
	['If-Match: *', [ 'If-Match' => '*' ], 200],
	['If-Match: another', [ 'If-Match' => '"x"' ], 412],
	['If-Match: weak is no match', [ 'If-Match' => "W/$etag" ], 412],
	['If-Unmodified-Since', [ 'If-Unmodified-Since' => $date ], 200],
	['If-Unmodified-Since: before', [ 'If-Unmodified-Since' => $before ], 412],
) {
	my ($name, $headers, $status) = @$case;
	$response = fetch('/a.txt', @$headers);
	is $response->status, $status, $name;
	is $response->header('etag'), $etag, '... with the ETag' if $status == 304;
}

# -- ranges --
my $size = length $text;
for my $case (
	['0-9', 0, 9], ['5-', 5, $size - 1], ['-10', $size - 10, $size - 1], ['0-0', 0, 0], ['0-999999', 0, $size - 1],
	['-999999', 0, $size - 1],
) {
	my ($range, $first, $last) = @$case;
	$response = fetch('/a.txt', Range => "bytes=$range");
	is $response->status, 206, "bytes=$range";
	is $response->body, substr($text, $first, $last - $first + 1), '... these bytes';
	is $response->header('content-range'), "bytes $first-$last/$size", '... Content-Range';
}
$response = fetch('/big.bin', Range => 'bytes=4000000-5000000');
is $response->body, substr($big, 4_000_000, 1_000_001), 'a range far inside';
for my $range ("$size-", '999999-', '-0') {
	$response = fetch('/a.txt', Range => "bytes=$range");
	is $response->status, 416, "bytes=$range";
	is $response->header('content-range'), "bytes */$size", '... says how long it is';
}
for my $range ('5-3', 'x-y', '', '--5', '1-2x', '5') {
	is fetch('/a.txt', Range => "bytes=$range")->status, 200, "bytes=$range is none";
}
is fetch('/a.txt', Range => 'lines=1-2')->status, 200, 'another unit';
is request($port, 'HEAD', '/a.txt', headers => [Range => 'bytes=0-1'])->header('content-length'), $size, 'HEAD has no ranges';
is fetch('/a.txt', Range => 'bytes=0-1', 'If-Range' => $etag)->status, 206, 'If-Range';
is fetch('/a.txt', Range => 'bytes=0-1', 'If-Range' => '"x"')->status, 200, 'If-Range: another';
is fetch('/a.txt', Range => 'bytes=0-1', 'If-Range' => "W/$etag")->status, 200, 'If-Range: weak';
is fetch('/a.txt', Range => 'bytes=0-1', 'If-Range' => $before)->status, 200, 'If-Range: another date';
is fetch('/a.txt', Range => 'bytes=0-1', 'If-None-Match' => $etag)->status, 304, 'conditions come before ranges';
is fetch('/empty', Range => 'bytes=0-1')->status, 416, 'a range of nothing';

$response = fetch('/a.txt', Range => 'bytes=0-3, 10-14, -4');
is $response->status, 206, 'several ranges';
my ($boundary) = ($response->header('content-type') // '') =~ m{^multipart/byteranges; ?boundary="?([^"]+)"?$};
ok $boundary, '... multipart/byteranges' or diag $response->header('content-type');
my @parts = split /(?:^|\r\n)--\Q$boundary\E(?:--)?\r\n/, $response->body;
shift @parts;
is scalar @parts, 3, '... three parts';
for my $part ([0, 3], [10, 14], [$size - 4, $size - 1]) {
	my ($head, $content) = split /\r\n\r\n/, shift(@parts), 2;
	like $head, qr{^content-range: bytes $part->[0]-$part->[1]/$size}mi, '... its Content-Range';
	like $head, qr{^content-type: text/plain}mi, '... its type';
	is $content, substr($text, $part->[0], $part->[1] - $part->[0] + 1), '... its bytes';
}
is $response->header('content-range'), undef, '... and no Content-Range of the whole';
is fetch('/a.txt', Range => 'bytes=0-1,5000-')->header('content-range'), "bytes 0-1/$size", 'one of two that can be had';
is fetch('/a.txt', Range => 'bytes=' . join ',', map { "$_-$_" } 1 .. 1000)->status, 200, 'a thousand ranges are ignored';
is fetch('/big.bin', Range => 'bytes=' . join ',', ('0-') x 20)->status, 200, 'ranges that overlap to more than the whole, too';

# -- precompressed --
for my $case (
	['br, gzip', 'br', 'brotli bytes'], ['gzip', 'gzip', 'gzip bytes'], ['GZIP', 'gzip', 'gzip bytes'],
	['br;q=0, gzip', 'gzip', 'gzip bytes'], ['identity', undef, "plain\n" x 100], ['br;q=0, gzip;q=0', undef, "plain\n" x 100],
) {
	my ($accept, $coding, $content) = @$case;
	$response = fetch('/static/style.css', 'Accept-Encoding' => $accept);
	is $response->header('content-encoding'), $coding, "Accept-Encoding: $accept";
	is $response->body, $content, '... its bytes';
	like $response->header('content-type'), qr{^text/css}, '... the type of what is inside';
	like $response->header('vary') // '', qr/accept-encoding/i, '... Vary';
}
my @tags = map { fetch('/static/style.css', 'Accept-Encoding' => $_)->header('etag') } qw(br gzip identity);
is scalar(keys %{{ map { $_ => 1 } @tags }}), 3, 'each coding has its own ETag';
is fetch('/static/style.css')->header('content-encoding'), undef, 'nobody is sent what he did not ask for';
is fetch('/static/a.txt', 'Accept-Encoding' => 'br, gzip')->body, $text, 'no sibling: as it is';

# -- never --
for my $target (
	'/.secret', '/.git/config', '/%2esecret', '/.git/', '/.git', '/sub/../.secret', '/static/.secret',
	'/out.txt', '/outdir/secret.txt', '/outdir/', '/in.txt', '/sub/up.txt',
	'/fifo', '/app/../fifo',
	'/..%2fsecret.txt', '/sub%2f..%2f..%2fsecret.txt', '/%2e%2e%2fsecret.txt', '/..%5csecret.txt', '/....//secret.txt',
	'/static/..%2f..%2fetc/passwd', '/a.txt%20', '/a.txt.', '//etc/passwd', '/a.txt%0a',
) {
	$response = fetch($target);
	like $response->status, qr/^(?:403|404)$/, "never: $target" or diag $response->body;
	unlike $response->body, qr/secret\b(?!\.txt)|root:|outside/, '... nor a word of it';
}
for my $target ('/../secret.txt', '/static/../../etc/passwd', '/a.txt%00.html', '/%2e%2e/%2e%2e/etc/passwd') {
	is fetch($target)->status, 400, "refused: $target";
}
is fetch($_)->body, $text, "one form of a path: $_" for '//a.txt', '/.//a.txt', '/static//a.txt', '/sub//..///a.txt';
for my $target ('/static/../../root/a.txt') {
	isnt fetch($target)->body, 'outside', "climbing: $target";
}
is fetch('/dots/.secret')->body, "secret\n", 'hidden: true';
is fetch('/linked/in.txt')->body, $text, 'follow_symlinks: true, inside the root';
is fetch('/linked/out.txt')->status, 404, '... never outside it';
is fetch('/linked/outdir/secret.txt')->status, 404, '... nor through a directory';
is fetch('/linked/fifo')->status, 404, '... nor a FIFO';

# -- files that change --
sleep 1.1;
write_file("$root/a.txt", 'changed');
isnt fetch('/a.txt')->header('etag'), $etag, 'a changed file has another ETag';
is fetch('/a.txt', 'If-None-Match' => $etag)->body, 'changed', '... and is sent';
write_file("$root/shrinks", 'x' x 20_000_000);
$client = connect_to(port => $port, receive_buffer => 4096);
$client->request('GET', '/shrinks');
$client->read_head;
truncate "$root/shrinks", 1000;
my $whole = eval { $client->read_bytes(20_000_000, 'content'); 1 };
ok !$whole, 'a file that shrinks while it is sent: the client sees that it is incomplete';
unlink "$root/a.txt";
is fetch('/a.txt')->status, 404, 'a file that is gone';

SKIP: {
	skip 'root reads everything', 1 if $> == 0;
	chmod 0, "$root/empty";
	is fetch('/empty')->status, 403, 'a file that may not be read';
}

# Descriptors do not stay open behind the answers.
my ($worker) = $server->workers;
SKIP: {
	skip 'no worker was found by its title', 1 unless $worker;
	fetch('/index.html') for 1 .. 50;
	ok eventually(3, sub { $server->fd_count($worker) < 60 }), 'no descriptor is left open' or diag $server->fd_count($worker);
}

finish;
