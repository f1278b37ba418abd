# Who operates it: TLS comes, changes and goes by reload on a live port; the way from http to https; what status, explain and
# the log tell of it; fields that nobody else may set.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::H2;
use Reeve::TLS;

my $authority = Reeve::Certificates->new;
my $people = Reeve::Certificates->new(name => 'people');
my $site = $authority->issue('site.test', names => ['site.test', 'www.site.test']);
my $other = $authority->issue('other.test');
my ($anna, $nobody) = ($people->issue('anna', for => 'client'), $authority->issue('nobody', for => 'client'));

my $upstream = upstream();
my ($port, $plain, $second) = map { free_port() } 1 .. 3;
my $certificates = "certificates: {cert: $site->{cert}, key: $site->{key}}";

# The listener in question, in every mood; the rest stays.
sub config
{
	my ($keys) = @_;
	return <<"END";
listen:
  - {address: "127.0.0.1:$port"$keys}
  - {address: "127.0.0.1:$plain"}
  - {address: "127.0.0.1:$second", tls: {$certificates}}
upstreams:
  api: {servers: ["http://127.0.0.1:@{[$upstream->port]}"]}
defaults:
  headers: {set: {strict-transport-security: "max-age=63072000"}}
routes:
  - match: {path: /up/*}
    proxy: {to: api, strip_prefix: /up, set_headers: {x-client: "{tls.subject}"}}
  - match: {path: /moved/*, scheme: http}
    redirect: {to: "https://{host}{uri}"}
  - respond: "{scheme} {tls.version} {tls.subject}"
END
}
my $server = start(config(''));

sub reload
{
	my ($keys) = @_;
	$server->write_config(config($keys));
	my $result = $server->reload;
	is $result->{exit}, 0, "reload: " . ($keys =~ s/certificates: \{.*?\}/…/r || 'plain') or diag $result->{err};
}

sub h2
{
	my ($to, %tls) = @_;
	return eval { Reeve::H2->connect(port => $to, timeout => 5, %tls ? (tls => { alpn => ['h2'], %tls }) : ())->fetch('GET', '/')->body }
	    // 'refused';
}

sub listener
{
	my ($address) = @_;
	return (grep { $_->{address} eq "127.0.0.1:$address" } @{$server->status->{listeners}})[0];
}

# -- plain, TLS, and back: what stands lives on with what it speaks --
is get($port, '/')->body, 'http  ', 'plain';
my $kept_plain = connect_to($port);
is $kept_plain->fetch('GET', '/')->status, 200, 'a connection that stands';

reload(", tls: {$certificates}");
is tls_get($port, '/')->body, 'https TLSv1.3 ', 'the port speaks TLS';
is h2($port, name => 'site.test'), 'https TLSv1.3 ', '... and HTTP/2';
is tls_to($port, alpn => 'h2,http/1.1')->facts->{alpn}, 'h2', '... rather than HTTP/1.1';
is get($port, '/')->status, 400, 'HTTP in the clear is told so';
is $kept_plain->fetch('GET', '/')->body, 'http  ', 'the connection from before goes on in the clear';
is_deeply [@{listener($port)}{qw(tls)}, join ' ', @{listener($port)->{protocols}}], [JSON::PP::true, 'h2 http/1.1'],
    'status --json tells it';

my $kept_tls = tls_to($port);
is $kept_tls->fetch('GET', '/')->status, 200, 'a connection that stands, with TLS';
reload(", tls: {$certificates}, protocols: [http/1.1]");
is tls_to($port, alpn => 'h2,http/1.1')->facts->{alpn}, 'http/1.1', 'only HTTP/1.1 is offered';
reload(", tls: {$certificates}, protocols: [h2]");
like tls_failure($port, alpn => 'http/1.1'), qr/no application protocol/, 'only HTTP/2 is';
is h2($port, name => 'site.test'), 'https TLSv1.3 ', '... and is served';
is tls_get($second, '/', alpn => 'http/1.1')->status, 200, 'another listener with the same certificate is what it was';

reload(", tls: {$certificates, min_version: \"1.3\"}");
like tls_failure($port, max => '1.2'), qr/alert protocol version/, 'min_version: TLS 1.2 is refused from now on';
is tls_to($second, max => '1.2')->facts->{version}, 'TLSv1.2', '... here only';

my $asks = "client_auth: require, client_ca: @{[$people->ca]}";
reload(", tls: {$certificates, $asks}");
is eval { tls_get($port, '/', cert => $anna->{cert}, key => $anna->{key})->body }, 'https TLSv1.3 CN=anna', 'client_ca: who is known';
is eval { tls_get($port, '/')->status } // 'none', 'none', '... others are not served';
is eval { tls_get($port, '/', cert => $nobody->{cert}, key => $nobody->{key})->status } // 'none', 'none', '... nor with another\'s';
ok $server->wait_log(msg => qr/handshake with a client failed/, reason => qr/the client sent no certificate/),
    '... and the log says why, at debug';

reload(", protocols: [h2c, http/1.1]");
is h2($port), 'http  ', 'HTTP/2 in the clear';
is get($port, '/')->body, 'http  ', '... and HTTP/1.1';
reload('');
is get($port, '/')->body, 'http  ', 'plain again';
is $kept_tls->fetch('GET', '/')->body, 'https TLSv1.3 ', 'the connection with TLS goes on with it';
is $kept_plain->fetch('GET', '/')->body, 'http  ', 'the first one, too';
$_->close for $kept_tls, $kept_plain;

# -- a reload that cannot be: everything stays --
$server->write_config(config(", tls: {certificates: {cert: $site->{cert}, key: $other->{key}}}"));
my $refused = $server->reload;
is $refused->{exit}, 1, 'a key of another certificate: not reloaded';
like $refused->{err}, qr/listen\[0\]\.tls\.certificates: the key is not the certificate's.*\Q$site->{cert}\E.*\Q$other->{key}\E/,
    '... with both files';
is get($port, '/')->body, 'http  ', '... and the port is what it was';
is $server->status->{reload}{result}, 'failed', '... as the status remembers';

# -- from http to https --
reload(", tls: {$certificates}");
my $moved = get($plain, '/moved/x?y=%20z', host => "site.test:$plain");
is $moved->status, 308, 'redirect';
is $moved->header('Location'), 'https://site.test/moved/x?y=%20z', '... to the same place, without the port';
is $moved->header('Strict-Transport-Security'), undef, '... without HSTS, which means nothing in the clear';
is tls_get($port, '/moved/x')->header('Strict-Transport-Security'), 'max-age=63072000', 'https has it, and is not sent around';

for my $case (['https://site.test/moved/x', 'routes\[2\].*serves it'], ['http://site.test/moved/x', 'routes\[1\].*serves it'],
    ['/moved/x', 'routes\[1\].*serves it']) {
	my $explain = command('explain', '-c', $server->{file}, $case->[0]);
	is $explain->{exit}, 0, "explain $case->[0]: GET is understood" or diag $explain->{err};
	like $explain->{out}, qr/$case->[1]/, '... and the scheme counts';
}
my $explain = command('explain', '-c', $server->{file}, 'GET');
is $explain->{exit}, 2, 'explain GET: wrong usage';
like $explain->{err}, qr/GET of which URL\?/, '... a method is no host';

# -- what upstreams are told, and nobody else can say --
reload(", tls: {$certificates, client_auth: request, client_ca: @{[$people->ca]}}");
my @lies = ('X-Client' => 'CN=boss', 'X-Forwarded-Proto' => 'http', Forwarded => 'for=192.0.2.1;proto=http');
for my $case (['without a certificate', undef], ['with one', 'CN=anna', cert => $anna->{cert}, key => $anna->{key}],
    ['with one of others', undef, cert => $nobody->{cert}, key => $nobody->{key}]) {
	my ($name, $subject, %shown) = @$case;
	my $client = tls_to($port, %shown);
	my $got = $client->fetch('GET', '/up/echo', headers => \@lies)->json->{header};
	is $got->{'x-client'}, $subject, "to the upstream, $name: who it is";
	is $got->{'x-forwarded-proto'}, 'https', '... over what';
	like $got->{forwarded}, qr/proto=https/, '... in both ways';
	unlike $got->{forwarded}, qr/192\.0\.2\.1/, '... and no lie';
	$client->close;
}

# -- status for people --
my $text = $server->control('status')->{out};
like $text, qr/^listening +127\.0\.0\.1:$port \(tls: h2, http\/1\.1\)$/m, 'status: a listener with TLS';
like $text, qr/^ {14}127\.0\.0\.1:$plain$/m, '... one without';
my @rows = $text =~ /^(site\.test, www\.site\.test .*)$/mg;
is @rows, 1, '... a certificate of two listeners has one row';
like $rows[0], qr/ECDSA P-256 +127\.0\.0\.1:$port, \+1$/, '... that names them';
is_deeply [grep { length > 80 } split /\n/, $text =~ s/^configuration.*\n|^last.*\n//mgr], [], '... within 80 columns';
unlike $text, qr/\e\[/, '... without colours where no terminal is';
is scalar(grep { $_->{subject} eq 'site.test' } @{$server->status->{certificates}}), 2, 'status --json has both';
ok $server->find_log(msg => 'listening', address => "127.0.0.1:$second", tls => JSON::PP::true, protocols => 'h2 http/1.1'),
    'the log tells at the start what each address speaks';

# -- wrong clients by the dozen: counted, and told to who asks only --
my $before = $server->status->{totals};
$server->write_config(config(", tls: {$certificates}") . "log: {level: info}\n");
is $server->reload->{exit}, 0, 'log.level: info';
$server->mark_log;
for (1 .. 5) {
	my $scan = connect_to($port);
	$scan->send("SSH-2.0-scan\r\n");
	$scan->end;
	like get($port, '/')->body, qr/^This port speaks TLS/, 'HTTP: a sentence';
	my $silent = connect_to($port);
	$silent->close;
}
my $after;
eventually(5, sub { $after = $server->status->{totals}; $after->{tls_failures} - $before->{tls_failures} >= 10 });
is $after->{tls_failures} - $before->{tls_failures}, 10, 'ten failed handshakes; who says nothing is none';
is $after->{responses_4xx} - $before->{responses_4xx}, 0, '... and no responses';
ok !$server->find_log(msg => qr/handshake/), '... none is in the log';

finish;
