# Clients that people have, over HTTP/2: curl, nghttp, h2load, Node, and a browser.
use lib 't/lib';
use Reeve::Test;
use Digest::SHA qw(sha256_base64);
use POSIX ();
use Reeve::Certificates;
use Reeve::Upstream;

$ENV{PATH} .= ':/usr/sbin';
my $upstream = upstream(on => { '/posted' => sub {
	my ($connection, $request) = @_;
	my $body = $connection->read_body($request);
	$connection->{upstream}->note('posted', body => $body);
	$connection->answer(200, 'thank you');
} });
my ($port, $tls_port) = (free_port(), free_port());
my $root = temp_dir();
my $authority = Reeve::Certificates->new;
my $site = $authority->issue('a.test', names => ['a.test', '127.0.0.1']);
write_file("$root/file.txt", 'content of a file');
write_file("$root/large", Reeve::Upstream::Connection::pattern(3_000_000));
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$port", protocols: [h2c, http/1.1]}
  - {address: "127.0.0.1:$tls_port", tls: {certificates: [{cert: $site->{cert}, key: $site->{key}}]}, protocols: [h2, http/1.1]}
routes:
  - match: {path: /files/*}
    files: {root: $root, strip_prefix: /files}
  - match: {path: /own}
    respond: own
  - match: {path: /refused}
    body: {max_size: 1K}
    proxy: http://127.0.0.1:@{[$upstream->port]}
  - body: {max_size: 10M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
my ($clear, $tls) = ("http://127.0.0.1:$port", "https://127.0.0.1:$tls_port");

# What a program printed, both ways.
sub run
{
	my ($program, @args) = @_;
	my $pid = open my $in, '-|' // die "fork: $!";
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		exec $program, @args or POSIX::_exit(127);
	}
	local $/;
	my $out = <$in> // '';
	CORE::close $in;
	return $out;
}

sub first_json { return json($_[0] =~ /(\{.*\})/s ? $1 : '{}') }

SKIP: {
	skip 'curl is not installed, or knows no HTTP/2', 1 unless can_run('curl') && run('curl', '--version') =~ /\bHTTP2\b/;
	my $big = write_file("$root/big", 'x' x 3_000_000);
	for ([$clear, '--http2-prior-knowledge'], [$tls, '--http2', '--cacert', $authority->ca]) {
		my ($url, @how) = @$_;
		my @curl = ('curl', '-sS', '--max-time', '20', @how);
		my $name = "curl $how[0]";
		is run(@curl, '-w', ' %{http_version} %{http_code}', "$url/files/file.txt"), 'content of a file 2 200',
		    "$name: a file";
		is run(@curl, '-r', '0-6', "$url/files/file.txt"), 'content', '... a part of it';
		is length run(@curl, "$url/files/large"), 3_000_000, '... a large one';
		is json(run(@curl, '-d', 'a=b', "$url/echo"))->{body}, 'a=b', '... a form';
		is json(run(@curl, '-T', $big, "$url/echo"))->{body_size}, 3_000_000, '... an upload';
		is json(run(@curl, '-T', $big, '-H', 'Expect: 100-continue', "$url/echo"))->{body_size}, 3_000_000,
		    '... with Expect';
		is json(run(@curl, '-H', 'Cookie: a=1; b=2', "$url/echo"))->{header}{cookie}, 'a=1; b=2', '... cookies';
		like run(@curl, '-I', "$url/files/file.txt"), qr{^HTTP/2 200 .*^content-length: 17\r$}ms, '... HEAD';
		like run(@curl, '-i', "$url/early-hints"), qr{^HTTP/2 103 .*^link: .*^HTTP/2 200 }ms, '... 103';
		like run(@curl, '-i', "$url/trailers"), qr{with trailers\n.*x-checksum: 1234}s, '... trailers';
		is join(' ', map { run(@curl, '-d', '0123456789' x $_, '-o', '/dev/null', '-w', '%{http_code}', "$url/own") } 1 .. 8),
		    join(' ', (200) x 8), '... an answer that does not wait for the content';
		is run(@curl, '--data-binary', "\@$root/large", '-o', '/dev/null', '-w', '%{http_code}', "$url/refused"), 413,
		    '... one that does not want it';
		# curl 7.88 fails at more than one with prior knowledge, whoever the server is
		next if $url eq $clear;
		is run(@curl, '-w', '%{http_code} %{num_connects},', map { ("$url/own?$_", '-o', '/dev/null') } 1 .. 3),
		    '200 1,200 0,200 0,', '... several on one connection';
		is run(@curl, '-Z', '--no-progress-meter', '-w', '%{http_code} ', map { ("$url/delay/0.1", '-o',
		    '/dev/null') } 1 .. 10), '200 ' x 10, '... ten at once';
	}
	is run('curl', '-sS', '--max-time', '20', '--http2', '-w', ' %{http_version}', "$clear/own"), 'own 1.1',
	    'curl --http2 in the clear: its Upgrade is not taken';
	is run('curl', '-sS', '--max-time', '20', '--http1.1', '--cacert', $authority->ca, '-w', ' %{http_version}',
	    "$tls/own"), 'own 1.1', 'curl --http1.1 over TLS';
}

SKIP: {
	skip 'nghttp is not installed', 1 unless can_run('nghttp');
	for my $url ($clear, $tls) {
		my $name = 'nghttp ' . ($url eq $clear ? 'in the clear' : 'over TLS');
		is run('nghttp', '-y', "$url/files/file.txt"), 'content of a file', "$name: a file";
		is length run('nghttp', '-y', '-w', '10', '-W', '12', "$url/files/large"), 3_000_000, '... windows of 1K and 4K';
		is length run('nghttp', '-y', '-w', '30', '-W', '30', "$url/files/large"), 3_000_000, '... of 1G';
		is first_json(run('nghttp', '-y', '--no-content-length', '-d', "$root/file.txt", '--trailer', 'x-sum: 7',
		    "$url/echo"))->{trailers}[0][1], 7, '... trailers';
		is length(run('nghttp', '-y', '-m', '20', "$url/bytes/1000")), 20_000, '... twenty times at once';
		like run('nghttp', '-y', '-nv', '--no-dep', "$url/own"), qr/:status: 200/, '... and tells it so';
		like run('nghttp', '-y', '-nv', '-b', '100', '-p', '8', "$url/own"), qr/:status: 200/,
		    '... with padding and priority';
		like run('nghttp', '-y', '-nv', '--header-table-size=0', '--encoder-header-table-size=0', "$url/own"),
		    qr/:status: 200/, '... without header tables';
		like run('nghttp', '-y', '-nv', '--expect-continue', '-d', "$root/file.txt", "$url/echo"),
		    qr/:status: 100.*:status: 200/s, '... with Expect';
	}
	unlike run('nghttp', '-y', '-nv', '-u', "$clear/own"), qr/HTTP Upgrade success/,
	    '-u: the Upgrade of RFC 7540 is not taken';
}

SKIP: {
	skip 'h2load is not installed', 1 unless can_run('h2load');
	for (['in the clear', $clear, '/own'], ['over TLS', $tls, '/own'], ['files', $tls, '/files/file.txt'],
	    ['to an upstream', $clear, '/bytes/1000']) {
		my ($name, $url, $path) = @$_;
		my $count = $path =~ /bytes/ ? 300 : 2000;
		my $told = run('h2load', '-n', $count, '-c', 5, '-m', 20, "$url$path");
		like $told, qr/requests: $count total, $count started, $count done, $count succeeded, 0 failed, 0 errored, 0 timeout/, "h2load $name" or diag $told;
	}
	my $told = run('h2load', '-n', 40, '-c', 2, '-m', 10, '-w', '14', '-W', '15', "$tls/files/large");
	like $told, qr/40 succeeded, 0 failed, 0 errored/, 'h2load: large files through small windows' or diag $told;
}

SKIP: {
	skip 'node is not installed', 1 unless can_run('node');
	write_file("$root/client.js", <<'JS');
// HTTP/2 as Node speaks it, and HTTP/1.1 over TLS beside it.
const http2 = require('http2'), https = require('https'), fs = require('fs');
const [clear, tls, ca_path] = process.argv.slice(2);
const ca = fs.readFileSync(ca_path);
function ask(session, headers, body, trailers) {
	return new Promise((resolve, reject) => {
		const stream = session.request(headers, { endStream: body === undefined, waitForTrailers: !!trailers });
		const told = { text: '', interim: [] };
		stream.setEncoding('utf8');
		stream.on('headers', interim => told.interim.push(interim[':status']));
		stream.on('response', fields => { told.status = fields[':status']; told.fields = fields; });
		stream.on('trailers', fields => { told.trailers = fields; });
		stream.on('data', piece => { told.text += piece; });
		stream.on('end', () => resolve(told));
		stream.on('error', reject);
		if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
		if (body !== undefined) stream.end(body);
	});
}
async function all(url, options) {
	const session = http2.connect(url, options);
	session.on('error', error => { throw error; });
	const told = {};
	told.many = (await Promise.all(Array.from({ length: 100 }, (_, i) => ask(session, { ':path': '/own?' + i }))))
		.filter(r => r.status === 200 && r.text === 'own').length;
	told.large = (await ask(session, { ':path': '/files/large' })).text.length;
	const echo = await ask(session, { ':path': '/echo', ':method': 'POST', cookie: ['a=1', 'b=2'] }, 'x'.repeat(500000), { 'x-sum': '7' });
	const heard = JSON.parse(echo.text);
	told.sent = heard.body_size;
	told.trailer = heard.trailers && heard.trailers[0][1];
	told.cookie = heard.header.cookie;
	told.hints = (await ask(session, { ':path': '/early-hints' })).interim;
	told.checksum = (await ask(session, { ':path': '/trailers' })).trailers['x-checksum'];
	told.ping = await new Promise(resolve => session.ping(error => resolve(!error)));
	await new Promise(resolve => {
		const stream = session.request({ ':path': '/hang' });
		stream.on('close', resolve);
		stream.on('error', () => {});
		setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 50);
	});
	told.after = (await ask(session, { ':path': '/own' })).status;
	await new Promise(resolve => session.close(resolve));
	return told;
}
async function main() {
	const told = { clear: await all(clear, {}), tls: await all(tls, { ca }) };
	told.h1 = await new Promise((resolve, reject) => https.get(tls + '/own', { ca }, response => {
		response.resume();
		response.on('end', () => resolve(response.httpVersion + ' ' + response.statusCode));
	}).on('error', reject));
	console.log(JSON.stringify(told));
	process.exit(0);
}
main().catch(error => { console.log(JSON.stringify({ error: String(error.stack) })); process.exit(1); });
JS
	my $told = first_json(run('node', "$root/client.js", $clear, $tls, $authority->ca));
	my %wanted = (many => 100, large => 3_000_000, sent => 500_000, trailer => 7, cookie => 'a=1; b=2', hints => [103],
	    checksum => 1234,
	    ping => JSON::PP::true(), after => 200);
	is_deeply $told->{clear}, \%wanted, 'node: in the clear' or diag explain $told;
	is_deeply $told->{tls}, \%wanted, 'node: over TLS';
	is $told->{h1}, '1.1 200', 'node: https over HTTP/1.1';
}

SKIP: {
	skip 'chromium is not installed', 1 unless can_run('chromium');
	write_file("$root/page.html", join "\n", '<!doctype html><link rel=icon href="data:,"><link rel=stylesheet href=page.css>',
	    (map { "<img src=image$_.svg>" } 1 .. 20),
	    '<script src=page.js></script>');
	write_file("$root/page.css", 'body { color: red }');
	write_file("$root/image$_.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><!-- ' . 'x' x 10_000 .
	    ' --></svg>') for 1 .. 20;
	write_file("$root/page.js", <<'JS');
window.addEventListener('load', async () => {
	const json = await (await fetch('/echo', { method: 'POST', body: 'x'.repeat(100000) })).json();
	const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
		.map(entry => [new URL(entry.name).pathname, entry.nextHopProtocol]);
	await fetch('/posted', { method: 'POST', body: JSON.stringify({ entries, size: json.body_size,
		images: [...document.images].filter(image => image.naturalWidth).length, color: getComputedStyle(document.body).color }) });
});
JS
	my $home = temp_dir();
	my $spki = sha256_base64(scalar `openssl x509 -in $site->{cert} -noout -pubkey | openssl pkey -pubin -outform der`);
	$spki .= '=' while length($spki) % 4;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		setpgrp;
		$ENV{$_} = $home for qw(HOME TMPDIR XDG_CONFIG_HOME XDG_CACHE_HOME);
		open STDOUT, '>', "$home/out";
		open STDERR, '>&', \*STDOUT;
		exec 'chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
		    '--disable-background-networking',
		    '--disable-component-update', '--disable-sync', '--disable-extensions', "--user-data-dir=$home/data",
		    '--host-resolver-rules=MAP a.test 127.0.0.1', "--ignore-certificate-errors-spki-list=$spki",
		    '--remote-debugging-port=0',
		    "https://a.test:$tls_port/files/page.html" or POSIX::_exit(127);
	}
	setpgrp $pid, $pid;
	my ($posted) = eventually(is_sanitized() ? 40 : 25, sub { $upstream->events('posted') });
	kill TERM => -$pid;
	eventually(3, sub { waitpid($pid, POSIX::WNOHANG()) == $pid }) or kill(KILL => -$pid) && waitpid $pid, 0;
	kill KILL => -$pid;
	ok $posted, 'a browser loads a page and says so' or diag read_file("$home/out");
	($posted) = $upstream->events('posted');
	my $told = json($posted ? $posted->{body} : '{}');
	my @entries = @{$told->{entries} // []};
	is scalar(@entries), 24, '... the page, its parts, and what it asked for' or diag explain $told;
	is_deeply [grep { $_->[1] ne 'h2' } @entries], [], '... all over HTTP/2';
	is $told->{images}, 20, '... every image';
	is $told->{color}, 'rgb(255, 0, 0)', '... its style';
	is $told->{size}, 100_000, '... and what it sent';
}

finish;
