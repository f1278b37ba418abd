# What reeve says itself: respond, redirect, health, errors; and the policies that shape it: request_id, headers, allow and
# deny, body.
use lib 't/lib';
use Reeve::Test;

my $dir = temp_dir();
write_file("$dir/page.html", "<p>from a file</p>\n");
write_file("$dir/404.html", "<p>our own 404</p>\n");
my $upstream = upstream();
my ($port, $trusting) = (free_port(), free_port());
my $up = 'http://127.0.0.1:' . $upstream->port;
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
defaults:
  headers: {set: {X-Default: "yes"}}
routes:
  - match: {path: /text}
    respond: "plain text"
  - match: {path: /template/*}
    respond: "{method} {host} {path} {query} {uri} {scheme} {client_ip} {header.x-one} {cookie.c} {query.q} {{braces}}"
  - match: {path: /env}
    respond: "\${REEVE_TEST_VALUE} \${REEVE_TEST_UNSET:-by default} {env.REEVE_TEST_VALUE}"
  - match: {path: "/json/{name}"}
    respond: {json: {hello: "{name}", list: [1, 2.5, true, null, "x"], deep: {a: "\\"\\\\\\n", q: "{query.q}"}}}
  - match: {path: /status}
    respond: {status: 418, body: "teapot", content_type: "text/x-tea", headers: {X-Tea: "{query.q}"}}
  - match: {path: /file}
    respond: {file: page.html}
  - match: {path: /empty}
    respond: ""
  - match: {path: /old}
    redirect: /new
  - match: {path: /moved/*}
    redirect: {to: "https://{host}{uri}", status: 301}
  - match: {path: /to}
    redirect: {to: "/found?x={query.q}", status: 302}
  - match: {path: /live}
    health: live
  - match: {path: /ready}
    health: ready
  - match: {path: /id}
    respond: "{request_id}"
  - match: {path: /no-id}
    request_id: false
    respond: "[{request_id}]"
  - match: {path: /up/*}
    proxy: {to: "$up", strip_prefix: /up}
  - match: {path: /headers}
    headers:
      set: {X-Set: "{method}", Content-Type: "text/x-own"}
      add: {X-Add: "1"}
      remove: [X-Upstream]
    proxy: {to: "$up", path: /bytes/3}
  - match: {path: /removed}
    headers: off
    respond: "removed"
  - match: {path: /near}
    allow: [127.0.0.0/30]
    respond: "near"
  - match: {path: /not-two}
    deny: [127.0.0.2]
    allow: [127.0.0.0/8]
    respond: "not two"
  - match: {path: /sized}
    body: {max_size: 1K}
    proxy: {to: "$up", path: /echo}
  - match: {path: /html/*}
    errors: {format: html}
    proxy: {to: "$up", strip_prefix: /html}
  - match: {path: /own/*}
    errors: {404: $dir/404.html}
    files: $dir
  - match: {path: /files/*}
    files: {root: $dir, strip_prefix: /files}
END
my $server = start($config, env => { REEVE_TEST_VALUE => 'from the environment' }, dir => $dir);

# -- respond --
my $response = get($port, '/text');
is $response->body, 'plain text', 'respond';
is $response->header('content-type'), 'text/plain; charset=utf-8', '... as text';
is $response->header('x-default'), 'yes', '... with the default policies';
is request($port, 'GET', '/template/a%20b?q=1%202&z', host => 'h.test:81', headers => ['X-One' => 'one', Cookie => 'b=1; c=2'])->body,
    "GET h.test /template/a%20b q=1%202&z /template/a%20b?q=1%202&z http 127.0.0.1 one 2 1 2 {braces}", 'templates';
is get($port, '/env')->body, 'from the environment by default from the environment', 'variables';
$response = get($port, '/json/you%22%5C?q=%22%2c%22x%22:1%0A');
is $response->header('content-type'), 'application/json', 'json';
is_deeply $response->json, { hello => 'you"\\', list => [1, 2.5, JSON::PP::true(), undef, 'x'],
    deep => { a => "\"\\\n", q => "\",\"x\":1\n" } }, '... whatever a client puts in stays inside its string' or diag $response->body;
$response = get($port, '/status?q=tea');
is $response->status, 418, 'status';
is $response->body, 'teapot', '... body';
is $response->header('content-type'), 'text/x-tea', '... content_type';
is $response->header('x-tea'), 'tea', '... headers';
$response = get($port, '/file');
is $response->body, "<p>from a file</p>\n", 'file';
like $response->header('content-type'), qr{^text/html}, '... its type';
is get($port, '/empty')->header('content-length'), 0, 'nothing has length 0';
for my $value ('a%0d%0aX-Evil:%20yes', 'a%0aX-Evil:%20yes', 'a%00b') {
	my $answer = eval { get($port, "/status?q=$value") };
	is $answer && $answer->header('x-evil'), undef, "no field can be smuggled in: $value";
	$answer = eval { get($port, "/to?q=$value") };
	is $answer && $answer->header('x-evil'), undef, '... nor through a redirect';
}

# -- redirect --
$response = get($port, '/old');
is $response->status, 308, 'redirect';
like $response->header('location'), qr{^(?:http://127\.0\.0\.1:$port)?/new$}, '... to there';
$response = request($port, 'POST', '/moved/a?b=c', host => 'h.test', body => 'x');
is $response->status, 301, 'redirect: status';
is $response->header('location'), 'https://h.test/moved/a?b=c', '... by a template';

# -- health --
is get($port, '/live')->status, 200, 'live';
is get($port, '/ready')->status, 200, 'ready';
is request($port, 'HEAD', '/ready')->status, 200, 'ready: HEAD';

# -- request_id --
my $id = get($port, '/id');
like $id->body, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a UUIDv7';
is $id->header('x-request-id'), $id->body, '... told to the client';
isnt get($port, '/id')->body, $id->body, '... another for each';
is get($port, '/id', 'X-Request-Id' => 'mine')->header('x-request-id') eq 'mine', '', 'a stranger\'s is not taken';
my $up_id = get($port, '/up/echo');
is $up_id->json->{header}{'x-request-id'}, $up_id->header('x-request-id'), '... told to the upstream';
is get($port, '/no-id')->header('x-request-id'), undef, 'request_id: false';
my $trusting_server = start(<<"END");
listen: [{address: "127.0.0.1:$trusting"}]
trusted_proxies: [127.0.0.1]
routes:
  - respond: "{request_id}"
END
is get($trusting, '/', 'X-Request-Id' => 'theirs-1')->body, 'theirs-1', 'a trusted proxy\'s is taken';
isnt get($trusting, '/', 'X-Request-Id' => 'x' x 5000)->body, 'x' x 5000, '... when it is reasonable';
isnt get($trusting, '/', 'X-Request-Id' => '"><script>')->body, '"><script>', '... and harmless';

# -- headers --
$response = get($port, '/headers');
is $response->header('x-set'), 'GET', 'headers: set';
is $response->header('content-type'), 'text/x-own', '... in the place of what was there';
is $response->header('x-add'), 1, '... add';
is $response->header('x-upstream'), undef, '... remove';
is $response->header('x-default'), undef, '... the route\'s own key replaces the default';
is get($port, '/removed')->header('x-default'), undef, '... off removes it';

# -- allow, deny --
sub from
{
	my ($address, $path) = @_;
	my $client = connect_to(port => $port, from => $address);
	return $client->fetch('GET', $path)->status;
}
is from('127.0.0.1', '/near'), 200, 'allow';
is from('127.0.0.9', '/near'), 403, '... nobody else';
is from('127.0.0.1', '/not-two'), 200, 'deny';
is from('127.0.0.2', '/not-two'), 403, '... comes first';
is connect_to(port => $port, from => '127.0.0.2')->fetch('GET', '/not-two')->header('x-default'), 'yes',
    'headers: on a refusal, too';

# -- body --
is request($port, 'POST', '/sized', body => 'x' x 1024)->status, 200, 'max_size';
is request($port, 'POST', '/sized', body => 'x' x 1025)->status, 413, '... a byte more: 413';
is request($port, 'POST', '/sized', body => ['x' x 1000, 'x' x 1000], chunked => 1)->status, 413, '... in chunks, too';

# -- errors --
$response = get($port, '/nowhere');
is $response->status, 404, 'an error';
is $response->header('content-type'), 'application/problem+json', '... is problem+json';
my $problem = $response->json;
is $problem->{status}, 404, '... with the status';
is $problem->{title}, 'Not Found', '... and the title';
is request($port, 'HEAD', '/nowhere')->status, 404, '... HEAD, too';
$response = get($port, '/nowhere', Accept => 'text/html,application/xhtml+xml,*/*;q=0.8');
like $response->header('content-type'), qr{^text/html}, 'a browser gets HTML';
like $response->body, qr/404/, '... with the status';
like get($port, '/nowhere', Accept => 'application/json, text/html;q=0.5')->header('content-type'), qr/problem\+json/,
    'who prefers JSON gets JSON';
like get($port, '/html/hm%3Cscript%3E')->header('content-type'), qr{^text/plain|^text/html|^$}, 'an upstream\'s error is its own';
$upstream->stop;
$response = get($port, '/html/bytes/1');
is $response->status, 502, 'no upstream: 502';
like $response->header('content-type'), qr{^text/html}, 'errors: html';
unlike $response->body, qr/127\.0\.0\.1|refused|errno/i, '... without internals';
$response = get($port, '/up/bytes/1');
unlike $response->body, qr/127\.0\.0\.1|refused|errno/i, 'problem+json without internals';
$response = get($port, '/own/nothing');
is $response->status, 404, 'errors: a file of our own';
is $response->body, "<p>our own 404</p>\n", '... its content';
like $response->header('content-type'), qr{^text/html}, '... its type';
unlike get($port, '/nowhere<script>' =~ s/([<>])/sprintf '%%%02x', ord $1/ger, Accept => 'text/html')->body, qr/<script>/,
    'nothing of the request is repeated unescaped';

finish;
