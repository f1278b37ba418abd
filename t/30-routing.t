# The first route whose match fits: every key, the normal form of paths, captures, explain.
use lib 't/lib';
use Reeve::Test;

my $port = free_port();
my $config = <<"END";
listen: [{address: "127.0.0.1:$port"}]
routes:
  - match: {host: api.example.com}
    respond: "api"
  - match: {host: "*.example.com"}
    respond: "wildcard {host}"
  - match: {host: [one.test, two.test]}
    respond: "list"
  - match: {path: /exact}
    respond: "exact"
  - match: {path: /tree/*}
    respond: "tree {path}"
  - match: {path: "/users/{id}/posts/{post}"}
    respond: "user {id} post {post}"
  - match: {path: "/users/{id}"}
    respond: "user {id}"
  - match: {path: [/x, "/y/*", "/z/{what}"]}
    respond: "one of {path}"
  - match: {path: /method, method: POST}
    respond: "post"
  - match: {path: /method, method: [PUT, PATCH]}
    respond: "put or patch"
  - match: {path: /method, method: GET}
    respond: "get"
  - match: {path: /header, header: {X-Kind: a, X-Any: "*"}}
    respond: "kind a"
  - match: {path: /header, header: {X-Kind: b}}
    respond: "kind b"
  - match: {path: /header}
    respond: "no kind"
  - match: {path: /query, query: {v: "2", debug: "*"}}
    respond: "two, debug"
  - match: {path: /query, query: {v: "2"}}
    respond: "two"
  - match: {path: /client, client: 127.0.0.2}
    respond: "second"
  - match: {path: /client, client: [10.0.0.0/8, 127.0.0.0/30]}
    respond: "near"
  - match: {path: /client}
    respond: "far"
  - match: {path: /scheme, scheme: https}
    respond: "https"
  - match: {path: /scheme, scheme: http}
    respond: "http"
  - match: {path: /first/*}
    respond: "first"
  - match: {path: /first/never}
    respond: "never"
  - match: {path: /show/*}
    respond: "{path}"
  - match: {path: "/a%20b"}
    respond: "space"
END
my $server = start($config);

sub answer
{
	my ($target, %options) = @_;
	my $client = connect_to(port => $port, from => $options{from});
	my $response = $client->fetch($options{method} // 'GET', $target, host => $options{host} // 'localhost',
	    headers => $options{headers} // []);
	$client->close;
	return $response->status == 200 ? $response->body : $response->status;
}

# -- host --
is answer('/', host => 'api.example.com'), 'api', 'host';
is answer('/', host => 'API.Example.COM'), 'api', '... in any case';
is answer('/', host => 'api.example.com:8080'), 'api', '... with any port';
is answer('/', host => 'www.example.com'), 'wildcard www.example.com', 'wildcard';
is answer('/', host => 'example.com'), 404, '... needs a label';
is answer('/', host => 'badexample.com'), 404, '... a whole one';
is answer('/', host => 'two.test'), 'list', 'a list';
is answer('http://api.example.com/', host => 'api.example.com'), 'api', 'absolute-form';

# -- path --
is answer('/exact'), 'exact', 'exact';
is answer('/exact?x=/tree/'), 'exact', '... whatever the query';
is answer('/exact/'), 404, '... and nothing more';
is answer('/Exact'), 404, '... in this case';
is answer('/tree/'), 'tree /tree/', 'below';
is answer('/tree/a/b.c'), 'tree /tree/a/b.c', 'far below';
is answer('/tree'), 404, 'not the top itself';
is answer('/trees'), 404, 'not beside';
is answer('/users/7'), 'user 7', 'a capture';
is answer('/users/7/posts/9'), 'user 7 post 9', 'two captures';
is answer('/users/7/posts/'), 404, 'a capture is not empty';
is answer('/users/7/posts/9/x'), 404, 'a capture is one segment';
is answer('/users/caf%C3%A9%20x'), "user caf\xc3\xa9 x", 'captures are decoded';
is answer('/x'), 'one of /x', 'list: exact';
is answer('/y/1/2'), 'one of /y/1/2', 'list: below';
is answer('/z/1'), 'one of /z/1', 'list: capture';
is answer('/first/never'), 'first', 'file order, nothing cleverer';
is answer('/nowhere'), 404, 'no route: 404';

# -- the normal form --
for my $case (
	['/show/./a', '/show/a'], ['/show/b/../a', '/show/a'], ['/other/../show/a', '/show/a'], ['/show/a/.', '/show/a/'],
	['/show/a/..', '/show/'], ['/show/%61', '/show/a'], ['/%73how/a', '/show/a'], ['/show/%2E%2e/show/a', '/show/a'],
	['/show/a%2fb', '/show/a%2Fb'], ['/show/%7Eme', '/show/~me'], ['/show//a', '/show/a'], ['//show///a', '/show/a'], ['/show/a%20b', '/show/a%20b'],
	['/show/%e9', '/show/%E9'], ['/show/a+b', '/show/a+b'], ['/show/;x=y', '/show/;x=y'],
) {
	is answer($case->[0]), $case->[1], "$case->[0] is $case->[1]";
}
is answer('/tree/../exact'), 'exact', 'matched as it is meant, not as it is written';
is answer('/a%20b'), 'space', 'a pattern with an escape';

# -- method --
is answer('/method', method => 'POST'), 'post', 'method';
is answer('/method', method => 'PATCH'), 'put or patch', 'a list of methods';
is answer('/method', method => 'GET'), 'get', 'GET';
is request($port, 'HEAD', '/method')->status, 200, 'GET fits HEAD';
is answer('/method', method => 'DELETE'), 404, 'another method fits nowhere';
is answer('/method', method => 'post'), 404, 'methods have a case';

# -- header, query --
is answer('/header', headers => ['x-kind' => 'a', 'X-ANY' => 'thing']), 'kind a', 'header';
is answer('/header', headers => ['X-Kind' => 'a']), 'no kind', '... all of them';
is answer('/header', headers => ['X-Kind' => 'b']), 'kind b', '... another value';
is answer('/header', headers => ['X-Kind' => 'B']), 'no kind', '... values have a case';
is answer('/query?debug&v=2'), 'two, debug', 'query';
is answer('/query?v=2'), 'two', '... all of them';
is answer('/query?v=%32'), 'two', '... decoded';
is answer('/query?v=22'), 404, '... the whole value';
is answer('/query'), 404, '... present';

# -- client, scheme --
is answer('/client', from => '127.0.0.2'), 'second', 'client';
is answer('/client', from => '127.0.0.1'), 'near', 'client in a network';
is answer('/client', from => '127.0.0.9'), 'far', 'client elsewhere';
is answer('/scheme'), 'http', 'scheme';

# -- explain and check --
my $explain = command('explain', '-c', $server->{file}, 'GET', 'http://localhost/users/7');
is $explain->{exit}, 0, 'explain';
like $explain->{out}, qr{/users/\{id\}}, '... names the route';
$explain = command('explain', '-c', $server->{file}, 'GET', '/header', '-H', 'X-Kind: b');
is $explain->{exit}, 0, 'explain with a header';
isnt command('explain', '-c', $server->{file}, 'GET', '/nowhere')->{exit}, 0, 'explain: no route fails';
my $check = command('check', '-c', $server->{file});
is $check->{exit}, 0, 'check: warnings do not fail';
like $check->{out} . $check->{err}, qr/reeve\.yaml:\d+:\d+: .*warning/, 'check warns of a hidden route';

finish;
