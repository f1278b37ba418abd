# A configuration's errors: all of them in one run, each with file:line:column, the key's full path and, for a misspelt one,
# the nearest known; at start and at check.
use lib 't/lib';
use Reeve::Test;

my $dir = temp_dir();
sub check
{
	my ($text, %options) = @_;
	my $file = write_file("$dir/reeve.yaml", $text);
	return command({ dir => $dir, env => $options{env} // {} }, 'check', '-c', $file, @{$options{args} // []});
}
my $good = "listen: [{address: \"127.0.0.1:8080\"}]\nroutes: [{respond: hi}]\n";

sub good
{
	my ($text, $name, %options) = @_;
	my $result = check($text, %options);
	is $result->{exit}, 0, $name or diag $result->{out}, $result->{err};
}

# bad(text, name, 'line:column: path: what' as a regex...)
sub bad
{
	my ($text, $name, @wants) = @_;
	my $result = check($text);
	my $said = $result->{out} . $result->{err};
	is $result->{exit}, 1, "$name: refused";
	for my $want (@wants) {
		like $said, qr/reeve\.yaml:$want/, '... ' . $want;
	}
	return $said;
}

good($good, 'the smallest configuration');
good("%YAML 1.1\n---\n$good", 'with a YAML head');

# -- every error of a file --
my @places = qw(1:1 3:5 4:14 5:26 6:14 9:5 10:14 11:19 14:19 15:5);
my $said = bad(<<'END', 'a dozen mistakes', map { "$_: " } @places);
workrs: 2
listen:
  - adress: ":8080"
    backlog: many
limits: {header_timeout: 10}
log: {level: loud}
upstreams:
  api:
    server: ["http://127.0.0.1:1"]
    balance: fair
    queue: {size: -1}
    servers: ["http://127.0.0.1:1"]
routes:
  - match: {path: no-slash}
    respnd: hi
END
like $said, qr/workrs: .*did you mean "workers"/, 'suggestion: workers';
like $said, qr/listen\[0\]\.adress: .*did you mean "address"/, 'suggestion: address';
like $said, qr/listen\[0\]\.backlog: /, 'a number that is none';
like $said, qr/limits\.header_timeout: .*(?:10s|unit|duration)/, 'a duration without a unit';
like $said, qr/log\.level: /, 'a word that is none';
like $said, qr/upstreams\.api\.server: .*did you mean "servers"/, 'suggestion: servers';
like $said, qr/upstreams\.api\.balance: /, 'a balance that is none';
like $said, qr/upstreams\.api\.queue\.size: /, 'a negative number';
like $said, qr/routes\[0\]\.match\.path: /, 'a path without its slash';
like $said, qr/routes\[0\]\.respnd: .*did you mean "respond"/, 'suggestion: respond';
cmp_ok scalar(my @lines = $said =~ /^\S*reeve\.yaml:\d+:\d+: /mg), '>=', 10, 'a line each' or diag $said;

# -- one at a time: [name, text, where and what] --
my $listen = "listen: [{address: \":8080\"}]\n";
my $routes = "routes: [{respond: hi}]\n";
for my $case (
	['no listen', $routes, '.*listen'],
	['no routes', $listen, '.*routes'],
	['empty file', '', ''],
	['not a map', "- a\n- b\n", '1:1'],
	['no YAML', "listen: [\n", '\d+:\d+'],
	['a tab', "listen:\n\t- {address: \":1\"}\n", '2:\d+'],
	['a key twice', "${listen}${listen}$routes", '2:1: .*listen'],
	['a route without a handler', "${listen}routes:\n  - match: {path: /x}\n", '3:5: routes\[0\]'],
	['a route with two handlers', "${listen}routes:\n  - respond: a\n    redirect: /b\n", '4:\d+: routes\[0\]'],
	['an address that is none', "listen: [{address: \"nowhere\"}]\n$routes", '1:20: listen\[0\]\.address'],
	['a port too large', "listen: [{address: \":99999\"}]\n$routes", '1:20: listen\[0\]\.address'],
	['a list for a text', "${listen}routes: [{respond: hi, request_id: [1]}]\n", '2:\d+: routes\[0\]\.request_id'],
	['too many workers', "${listen}${routes}workers: 5000\n", '3:10: workers'],
	['no workers', "${listen}${routes}workers: 0\n", '3:10: workers'],
	['a size that is none', "${listen}${routes}limits: {header_size: big}\n", '3:23: limits\.header_size'],
	['a percentage too large', "${listen}${routes}log: {sample: 120%}\n", '3:15: log\.sample'],
	['an unknown upstream', "${listen}upstreams: {api: {servers: [\"http://a:1\"]}}\nroutes: [{proxy: apo}]\n",
	    '3:18: routes\[0\]\.proxy: .*did you mean "api"'],
	['a URL that is none', "${listen}routes: [{proxy: \"ftp://x\"}]\n", '2:18: routes\[0\]\.proxy'],
	['an upstream without servers', "${listen}upstreams: {api: {balance: hash}}\n$routes", '2:\d+: upstreams\.api'],
	['a network that is none', "${listen}${routes}trusted_proxies: [10.0.0.0/33]\n", '3:19: trusted_proxies\[0\]'],
	['a placeholder nobody knows', "${listen}routes: [{respond: \"{clientip}\"}]\n",
	    '2:20: routes\[0\]\.respond: .*client_ip'],
	['a placeholder of another route', "${listen}routes: [{match: {path: \"/{a}\"}, respond: \"{b}\"}]\n", '2:\d+: routes\[0\]\.respond'],
	['a variable that is not set', "${listen}routes: [{respond: \"\${REEVE_NO_SUCH}\"}]\n", '2:\d+: routes\[0\]\.respond: .*REEVE_NO_SUCH'],
	['a file that is not there', "${listen}routes: [{respond: {file: nothing.txt}}]\n", '2:\d+: routes\[0\]\.respond\.file'],
	['a root that is not there', "${listen}routes: [{files: ./nothing}]\n", '2:18: routes\[0\]\.files'],
	['a status too large', "${listen}routes: [{respond: {status: 1000}}]\n", '2:\d+: routes\[0\]\.respond\.status'],
	['a redirect that is none', "${listen}routes: [{redirect: {to: /, status: 200}}]\n", '2:\d+: routes\[0\]\.redirect'],
	['a method that is none', "${listen}routes: [{match: {method: \"G T\"}, respond: a}]\n", '2:\d+: routes\[0\]\.match\.method'],
	['a header that is none', "${listen}routes: [{headers: {set: {\"X Y\": 1}}, respond: a}]\n", '2:\d+: routes\[0\]\.headers'],
	['an include that is not there', "${listen}${routes}include: [none.yaml]\n", '3:\d+: include'],
	['a user that is none', "${listen}${routes}user: no-such-user-here\n", '3:7: user'],
	['an anchor nobody set', "${listen}routes: *nothing\n", '2:\d+'],
) {
	my ($name, $text, $where) = @$case;
	bad($text, $name, $where);
}

# -- keys of later versions are refused by name --
for my $case (
	["apps: {a: {command: [x]}}\n", 'apps'], ["stores: {memory: {size: 1M}}\n", 'stores'],
) {
	bad($listen . $routes . $case->[0], "$case->[1] is of a later version", "3:1: $case->[1]: .*not supported in this version");
}
for my $key (qw(pubsub module metrics dashboard concurrency rate_limit cors auth csrf cache compress cookies security_headers)) {
	my $handler = $key =~ /^(?:pubsub|module|metrics|dashboard)$/ ? '' : 'respond: a, ';
	bad("${listen}routes: [{$handler$key: {}}]\n", "$key is of a later version",
	    "2:\\d+: routes\\[0\\]\\.$key: .*not supported in this version");
}
bad("listen: [{address: \":1\", tls: {certificates: []}}]\n$routes", 'TLS without a certificate',
    '1:\d+: listen\[0\]\.tls\.certificates: ');
bad("listen: [{address: \":1\", tls: {certificates: [{cert: /none.pem, key: /none.key}], client_auth: require}}]\n$routes",
    'TLS that asks for nobody\'s certificate', '1:\d+: listen\[0\]\.tls\.client_auth: client_ca is missing');
bad("listen: [{address: \":1\", tls: {certificates: [{cert: /none.pem, key: /none.key}]}}]\n$routes",
    'TLS with files that are not there', '1:\d+: listen\[0\]\.tls\.certificates\[0\]\.cert: .*/none\.pem: No such file',
    '1:\d+: listen\[0\]\.tls\.certificates\[0\]\.key: .*/none\.key');
my $pair = 'certificates: {cert: /none.pem, key: /none.key}';
for my $case (
	['true for tls', ':1', 'tls: true', 'tls: expected a map of keys, got "true"'],
	['an empty tls', ':1', 'tls: {}', 'tls\.certificates: required key is missing'],
	['a certificate in the place of its list', ':1', 'tls: {cert: /a.pem, key: /a.key}',
	    'tls\.cert: unknown key \(did you mean "certificates"\?\)'],
	['a path for the certificates', ':1', 'tls: {certificates: /a.pem}', 'tls\.certificates: expected a map of keys'],
	['a certificate without its key', ':1', 'tls: {certificates: {cert: /a.pem}}', 'tls\.certificates\.key: required'],
	['a version too old', ':1', "tls: {$pair, min_version: 1.1}", 'tls\.min_version: expected one of 1\.2, 1\.3'],
	['no protocol', ':1', "tls: {$pair}, protocols: []", 'protocols: out of range: at least 1'],
	['a protocol by another name', ':1', "tls: {$pair}, protocols: [HTTP/2]",
	    'protocols: unknown protocol "HTTP/2": here it is called h2$'],
	['a protocol that nobody speaks here', ':1', "tls: {$pair}, protocols: [h3]",
	    'protocols: unknown protocol "h3": known are h2, http/1\.1 and h2c'],
	['a protocol twice', ':1', "tls: {$pair}, protocols: [h2, h2]", 'protocols: h2 is listed twice'],
	['h2 without tls', ':1', 'protocols: [h2]', 'protocols: h2 needs tls; HTTP/2 in the clear is called h2c'],
	['h2c with tls', ':1', "tls: {$pair}, protocols: [h2c]", 'protocols: h2c is HTTP/2 in the clear'],
) {
	my ($name, $address, $keys, $what) = @$case;
	bad("listen: [{address: \"$address\", $keys}]\n$routes", $name, "1:\\d+: listen\\[0\\]\\.(?m:$what)");
}
bad("listen: \"https://:443\"\n$routes", 'an address with a scheme', '1:9: listen: an address has no scheme: write :8443, and add tls');
bad("listen: [\":80\", {address: \":80\", tls: {$pair}}]\n$routes", 'an address twice', '1:\d+: listen: :80 is listed twice');
bad("${listen}routes: [{websocket: echo}]\n", 'websocket is of a later version',
    '2:\d+: routes\[0\]\.websocket: .*not supported in this version');

bad("${listen}routes: [{respond: a, log: {fields: {msg: x, mine: y, request_id: '{path}'}}}]\n", 'a log member twice',
    '2:\d+: routes\[0\]\.log\.fields\.msg: .*already', '2:\d+: routes\[0\]\.log\.fields\.request_id: .*already');
unlike bad("${listen}upstreams: {a: {servers: [localhost]}}\nroutes: [{proxy: a}]\n", 'a server without its scheme',
    '2:\d+: upstreams\.a\.servers\[0\]: .*http://'), qr/resolve/, '... told once';

unlike bad("${listen}routes: [{files: {rot: /}}]\n", 'a required key misspelt',
    '2:\d+: routes\[0\]\.files\.rot: .*did you mean "root"'), qr/missing/, '... told once';
unlike bad("lisen: [{address: \":8080\"}]\n$routes", 'a required key of the top misspelt',
    '1:1: lisen: .*did you mean "listen"'), qr/missing/, '... told once';

bad(<<"END", 'what is wrong with a proxy is told with its key',
${listen}upstreams: {api: {servers: ["http://127.0.0.1:1"]}}
routes:
  - proxy: {to: api, strip_prefix: v1}
  - proxy: {to: api, path: x}
  - proxy: {to: api, set_headers: {Connection: a}}
  - proxy: {to: api, remove_headers: [Host]}
  - proxy: {to: apu}
  - proxy: apu
END
    '4:\d+: routes\[0\]\.proxy\.strip_prefix: ', '5:\d+: routes\[1\]\.proxy\.path: ',
    '6:\d+: routes\[2\]\.proxy\.set_headers: .*Connection', '7:\d+: routes\[3\]\.proxy\.remove_headers: .*Host',
    '8:\d+: routes\[4\]\.proxy\.to: .*did you mean "api"', '9:\d+: routes\[5\]\.proxy: .*did you mean "api"');

# -- what is allowed --
write_file("$dir/secret", "s3cret\n");
write_file("$dir/vars", "FROM_FILE=\"from the file\"\n# remark\nBOTH=file\n");
mkdir "$dir/more";
write_file("$dir/more/10-a.yaml", "routes:\n  - match: {path: /a}\n    respond: included a\n");
write_file("$dir/more/20-b.yaml", "upstreams: {b: {servers: [\"http://127.0.0.1:2\"]}}\nroutes:\n  - proxy: b\n");
my $rich = <<'END';
env_file: vars
include: [more/*.yaml]
listen:
  - &listener {address: "127.0.0.1:8080", backlog: 100}
  - {<<: *listener, address: "127.0.0.1:8081"}
limits: {header_timeout: 250ms, body_timeout: 5m, keepalive_timeout: 24h, send_timeout: 1h, header_size: 64K, uri_size: 512}
routes:
  - match: {path: /env}
    respond: "${FROM_FILE} ${BOTH} ${REEVE_UNSET:-default} ${file:secret}"
END
good($rich, 'variables, files, includes, anchors', env => { BOTH => 'environment' });
my $print = check($rich, env => { BOTH => 'environment' }, args => ['--print']);
is $print->{exit}, 0, 'check --print';
like $print->{out}, qr/^\s*header_timeout: 250ms/m, '... what was set';
like $print->{out}, qr/^\s*keepalive_requests: 0\s+# default/m, '... what was not, as a default';
unlike $print->{out}, qr/s3cret/, '... never a secret';
like $print->{out}, qr/127\.0\.0\.1:8081/, '... after merging';
like $print->{out}, qr/included a/, '... and including';
my $simple = check("${listen}upstreams: {api: {servers: [\"http://127.0.0.1:1\"]}}\nroutes: [{match: {path: /x/*}, proxy: api}, {respond: {json: {a: 1}}}]\n",
    args => ['--print']);
my $again = check($simple->{out});
is $again->{exit}, 0, 'what --print says is a configuration' or diag $again->{out}, $again->{err}, $simple->{out};
my $second = check($simple->{out}, args => ['--print'])->{out};
is check($second, args => ['--print'])->{out}, $second, '... that stays the same from then on';
is_deeply [sort map { /^\s*(\w+):/ } split /\n/, $second], [sort map { /^\s*(\w+):/ } split /\n/, $simple->{out}], '... with the same keys';
mkdir "$dir/far";
write_file("$dir/vars-too", "PLACE=here\n");
my $near = check(<<'END', args => ['--print']);
listen: [{address: "unix:near.sock"}]
env_file: [vars, vars-too]
log: {output: near.log}
routes:
  - respond: "{env.PLACE}"
END
is $near->{exit}, 0, 'relative paths' or diag $near->{err};
like $near->{out}, qr/^log:.*^  output: \Q$dir\E\/near\.log$/ms, '... --print: the log is absolute';
like $near->{out}, qr/- address: "unix:\Q$dir\E\/near\.sock"/, '... a listening socket, too';
like $near->{out}, qr/^env_file:\n  - \Q$dir\E\/vars\n/m, '... and what {env.NAME} comes from';
my $far = command({ dir => "$dir/far" }, 'check', '-c', write_file("$dir/far/reeve.yaml", $near->{out}));
is $far->{exit}, 0, '... so it loads again elsewhere' or diag $far->{err};
write_file("$dir/more/30-c.yaml", "upstreams: {b: {servers: [\"http://127.0.0.1:3\"]}}\nroutes:\n  - respnd: x\n");
my $included = check($rich, env => { BOTH => 'x' });
is $included->{exit}, 1, 'included files are checked';
like $included->{out} . $included->{err}, qr/30-c\.yaml:3:5: .*respnd/, '... errors name the file they are in';
like $included->{out} . $included->{err}, qr/30-c\.yaml:1:\d+: .*b/, '... a name twice is one';
unlink "$dir/more/30-c.yaml";

# -- warnings --
my $warned = check("${listen}upstreams: {idle: {servers: [\"http://127.0.0.1:1\"]}}\nroutes:\n  - respond: a\n  - match: {path: /x}\n    respond: b\n");
is $warned->{exit}, 0, 'warnings do not fail';
like $warned->{out} . $warned->{err}, qr/reeve\.yaml:5:\d+: routes\[1\].*warning/, 'a hidden route';
like $warned->{out} . $warned->{err}, qr/reeve\.yaml:2:\d+: upstreams\.idle.*warning/, 'an unused upstream';

# -- hostile files --
for my $case (
	['deep', '[' x 5000 . ']' x 5000], ['an alias bomb', join('', "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n",
	    map { my $before = $_ - 1; "a$_: &a$_ [" . join(',', ("*a$before") x 10) . "]\n" } 1 .. 9)],
	['an anchor that holds itself', "listen: &l [*l]\n"], ['not UTF-8', "listen: \"\xff\xfe\"\n"], ['NUL', "listen: \0\n"],
	['a long line', 'x' x 1_000_000], ['an include of itself', "include: [reeve.yaml]\n$good"],
) {
	my $result = check($case->[1]);
	is $result->{signal}, 0, "$case->[0]: no crash";
	isnt $result->{exit}, 0, '... refused' unless $case->[0] =~ /include/;
	cmp_ok $result->{seconds}, '<', 10, '... soon';
}

# -- at start --
my $port = free_port();
for my $case (
	['a bad configuration', "listen: [{adress: \":1\"}]\n$routes", qr/reeve\.yaml:1:\d+: listen\[0\]\.adress/],
	['a port in use', "listen: [{address: \"127.0.0.1:$port\"}]\n$routes", qr/127\.0\.0\.1:$port.*(?:in use)/i],
	['an address of another machine', "listen: [{address: \"192.0.2.1:$port\"}]\n$routes", qr/192\.0\.2\.1/],
	['a user that is none', "listen: [{address: \"127.0.0.1:@{[free_port()]}\"}]\n${routes}user: no-such-user-here\n", qr/no-such-user-here/],
	['an unreadable file', undef, qr/reeve\.yaml|No such file/],
) {
	my ($name, $text, $want) = @$case;
	socket my $taken, Socket::AF_INET(), Socket::SOCK_STREAM(), 0 or die;
	bind $taken, Socket::pack_sockaddr_in($port, Socket::INADDR_LOOPBACK()) or die;
	listen $taken, 1;
	my $where = temp_dir();
	write_file("$where/reeve.yaml", $text . "control: $where/c.sock\nstate_dir: $where\nworkers: 1\n") if defined $text;
	my $run = command({ dir => $where, timeout => 20 }, 'run', '-c', "$where/reeve.yaml");
	is $run->{exit}, 1, "start: $name: exit 1";
	like $run->{err} . $run->{out}, $want, '... and says why';
	ok !-e "$where/c.sock", '... and leaves no socket';
}

finish;
