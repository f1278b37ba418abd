# Clients and servers that people have: curl in front, Node on both sides.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my ($port, $node_port) = (free_port(), free_port());
my $root = temp_dir();
write_file("$root/file.txt", 'content of a file');
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
routes:
  - match: {path: /files/*}
    files: {root: $root, strip_prefix: /files}
  - match: {path: /node/*}
    proxy: {to: "http://127.0.0.1:$node_port", strip_prefix: /node, websocket: true}
  - body: {max_size: 10M}
    proxy: http://127.0.0.1:@{[$upstream->port]}
END
my $url = "http://127.0.0.1:$port";

sub run
{
	my ($program, @args) = @_;
	open my $in, '-|', $program, @args or return "cannot run $program: $!";
	local $/;
	my $out = <$in> // '';
	CORE::close $in;
	return $out;
}

SKIP: {
	skip 'curl is not installed', 8 unless can_run('curl');
	my @curl = ('curl', '-sS', '--max-time', '20');
	is run(@curl, "$url/files/file.txt"), 'content of a file', 'curl: a file';
	is run(@curl, '-r', '0-6', "$url/files/file.txt"), 'content', 'curl: a part of it';
	is json(run(@curl, '-d', 'a=b', "$url/echo"))->{body}, 'a=b', 'curl: a form';
	my $big = write_file("$root/big", 'x' x 3_000_000);
	is json(run(@curl, '-T', $big, "$url/echo"))->{body_size}, 3_000_000, 'curl: an upload, with Expect';
	is json(run(@curl, '-T', $big, '-H', 'Transfer-Encoding: chunked', "$url/echo"))->{body_size}, 3_000_000, 'curl: in chunks';
	is run(@curl, '-0', "$url/bytes/5"), '00000', 'curl: HTTP/1.0';
	is length run(@curl, "$url/chunked/100000"), 100000, 'curl: chunks';
	like run(@curl, '-I', "$url/files/file.txt"), qr/^content-length: 17\r$/mi, 'curl: HEAD';
}

SKIP: {
	skip 'node is not installed', 5 unless can_run('node');
	write_file("$root/server.js", <<'JS');
// What people run behind reeve: an HTTP server whose keep-alive ends soon, with an upgrade.
const http = require('http');
const server = http.createServer((request, response) => {
	let size = 0;
	request.on('data', piece => { size += piece.length; });
	request.on('end', () => {
		response.setHeader('Content-Type', 'application/json');
		response.end(JSON.stringify({ url: request.url, size, headers: request.headers }));
	});
});
server.keepAliveTimeout = 100;
server.on('upgrade', (request, socket) => {
	socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
	socket.pipe(socket);
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
JS
	write_file("$root/client.js", <<'JS');
// What people call reeve with: an agent that keeps its sockets and sends many requests at a time.
const http = require('http');
const base = process.argv[2];
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
let sockets = new Set();
function call(path, method, body) {
	return new Promise((resolve, reject) => {
		const request = http.request(base + path, { agent, method }, response => {
			let text = '';
			response.on('data', piece => { text += piece; });
			response.on('end', () => resolve({ status: response.statusCode, text }));
			response.on('error', reject);
		});
		request.on('socket', socket => sockets.add(socket));
		request.on('error', reject);
		request.end(body);
	});
}
async function main() {
	const good = { GET: 0, POST: 0 };
	for (let round = 0; round < 10; round++) {
		const calls = [];
		for (let i = 0; i < 50; i++)
			calls.push(call('/node/a?' + i, i % 2 ? 'POST' : 'GET', i % 2 ? 'x'.repeat(i * 100) : undefined)
				.then(r => { const told = JSON.parse(r.text);
					if (r.status === 200 && told.url === '/a?' + i && told.size === (i % 2 ? i * 100 : 0)) good[i % 2 ? 'POST' : 'GET']++; }));
		await Promise.all(calls);
		await new Promise(resolve => setTimeout(resolve, 95 + round));	// just when the upstream's sockets end
	}
	const echoed = await new Promise((resolve, reject) => {
		const request = http.request(base + '/node/ws', { headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
		request.on('upgrade', (response, socket) => {
			socket.write('ping');
			socket.once('data', piece => { socket.destroy(); resolve(String(piece)); });
		});
		request.on('error', reject);
		request.end();
	});
	const status = (await fetch(base + '/files/file.txt')).status;
	console.log(JSON.stringify({ good, sockets: sockets.size, echoed, status }));
	agent.destroy();
	process.exit(0);
}
main().catch(error => { console.log(JSON.stringify({ error: String(error) })); process.exit(1); });
JS
	my $pid = open my $node, '-|', 'node', "$root/server.js", $node_port or die;
	like scalar(<$node>), qr/ready/, 'node: a server behind';
	my $told = json(run('node', "$root/client.js", $url));
	# A POST that meets a closing socket cannot be sent again: nobody knows what became of it.
	is $told->{good}{GET}, 250, 'node: every GET is answered, also when the upstream\'s sockets end' or diag explain $told;
	cmp_ok $told->{good}{POST} // 0, '>=', 240, '... and nearly every POST' or diag explain $told;
	cmp_ok $told->{sockets} // 99, '<=', 8, '... over the sockets of its agent';
	is $told->{echoed}, 'ping', '... an upgrade';
	is $told->{status}, 200, '... fetch';
	kill KILL => $pid;
	CORE::close $node;
}

finish;
