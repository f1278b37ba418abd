# What a route takes for content: media types, valid JSON.
use lib 't/lib';
use Reeve::Test;

my $upstream = upstream();
my $port = free_port();
my $server = start(<<"END");
listen: [{address: "127.0.0.1:$port"}]
routes:
  - match: {path: /typed}
    body: {content_types: [application/json, "text/*"], max_size: 1K}
    respond: "typed"
  - match: {path: /valid}
    body: {json: valid, max_size: 64K}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", path: /echo}
END

sub posted
{
	my ($path, $type, $content) = @_;
	return request($port, 'POST', $path, headers => [defined $type ? ('Content-Type' => $type) : ()], body => $content)->status;
}
is posted('/typed', 'application/json', '{}'), 200, 'content_types';
is posted('/typed', 'application/json; charset=utf-8', '{}'), 200, '... parameters do not count';
is posted('/typed', 'application/xml', '<x/>'), 415, '... another: 415';
is posted('/typed', undef, 'x'), 415, '... none: 415';
is get($port, '/typed')->status, 200, '... no content, no type';
is posted('/typed', 'application/json', 'x' x 2000), 413, 'max_size: 413';
is posted('/valid', 'application/json', '{"a": [1, "x", null]}'), 200, 'json: valid';
for my $bad ('{"a":', '{a: 1}', '[1,]', '{} {}', "\xff", '', '[' x 10000) {
	is posted('/valid', 'application/json', $bad), 400, 'json: ' . (length $bad > 20 ? 'deep' : $bad) . ' is not';
}

finish;
