# Clients that show who they are: certificates that are good and that are not, asked for or demanded, and what is known of
# them afterwards.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;

my $dir = temp_dir();
my $upstream = upstream();
my $authority = Reeve::Certificates->new;
my $below = $authority->intermediate('between');
my $others = Reeve::Certificates->new(name => 'other authority');
my $site = $authority->issue('a.test');
my $good = $authority->issue('billing', for => 'client', subject => '/O=Example, Inc./CN=billing',
    names => ['billing.example.com', 'URI:spiffe://example/billing', '192.0.2.7', 'email:billing@example.com']);
my %shown = (
	good		=> $good,
	rsa		=> $authority->issue('rsa client', for => 'client', names => [], rsa => 2048, subject => '/CN=rsa client'),
	both		=> $authority->issue('both', for => 'both', names => [], subject => '/CN=both'),
	chained		=> $below->issue('chained', for => 'client', names => [], subject => '/CN=chained'),
	alone		=> do { my $pair = $below->issue('alone', for => 'client', names => []); +{ %$pair, cert => $pair->{leaf} } },
	expired		=> $authority->issue('expired', for => 'client', names => [], expired => 1),
	early		=> $authority->issue('early', for => 'client', names => [], early => 1),
	unknown		=> $others->issue('unknown', for => 'client', names => []),
	self_signed	=> Reeve::Certificates::self_signed('self', for => 'client', names => []),
	server		=> $authority->issue('server', for => 'server'),
	revoked		=> $authority->issue('revoked', for => 'client', names => []),
	strange		=> $authority->issue('strange', for => 'client', names => ['x, admin.test'],
	    subject => "/O=a\xc3\xa4/CN=x\",\r\nInjected: yes"),
);
$authority->revoke($shown{revoked});
my $crls = $below->crls;
my ($requires, $requests, $without_crl, $other_chain, $off) = map { free_port() } 1 .. 5;
my $certificates = "certificates: [{cert: $site->{cert}, key: $site->{key}}]";
my $server = start(<<"END");
listen:
  - {address: "127.0.0.1:$requires", tls: {$certificates, client_auth: require, client_ca: @{[$authority->ca]}, client_crl: $crls}}
  - {address: "127.0.0.1:$requests", tls: {$certificates, client_auth: request, client_ca: @{[$authority->ca]}, client_crl: $crls}}
  - {address: "127.0.0.1:$without_crl", tls: {$certificates, client_auth: require, client_ca: @{[$authority->ca]}}}
  - {address: "127.0.0.1:$other_chain", tls: {$certificates, client_auth: require, client_ca: @{[$below->ca]}}}
  - {address: "127.0.0.1:$off", tls: {$certificates}}
routes:
  - match: {path: /up/*}
    proxy: {to: "http://127.0.0.1:@{[$upstream->port]}", strip_prefix: /up, set_headers: {X-Client-Subject: "{tls.subject}", X-Client-Print: "{tls.fingerprint}"}}
  - match: {path: /headers}
    headers: {set: {X-Subject: "{tls.subject}", X-San: "{tls.san}", X-Print: "{tls.fingerprint}"}}
    respond: headers
  - match: {path: /logged}
    log: {fields: {who: "{tls.subject}"}}
    respond: logged
  - respond: "{tls.subject}|{tls.san}|{tls.fingerprint}"
END

sub answer
{
	my ($port, $name, %options) = @_;
	my @show = $name ? (cert => $shown{$name}{cert}, key => $shown{$name}{key}) : ();
	my $client = tls_to($port, wait => 0, @show, %options);
	my $response = $client->wait_facts && eval { $client->fetch('GET', $options{target} // '/') };
	my $why = $client->why;
	$client->close;
	return $response ? $response->body : "refused: $why";
}

# -- demanded --
my $print = Reeve::Certificates::fingerprint($good->{cert});
for my $version ('1.2', '1.3') {
	is answer($requires, 'good', max => $version),
	    "CN=billing,O=Example\\, Inc.|billing.example.com, spiffe://example/billing, 192.0.2.7, billing\@example.com|$print",
	    "require: a good one, TLS $version";
	like answer($requires, $_, max => $version), qr/^CN=\Q$shown{$_}{name}\E\|\|[0-9a-f]{64}$/, "... $_" for qw(rsa both chained);
	like answer($requires, undef, max => $version), qr/^refused: .*alert (?:certificate required|handshake failure)/, '... none: refused';
	for my $case (['expired', qr/certificate expired/], ['early', qr/bad certificate/], ['unknown', qr/unknown ca/],
	    ['self_signed', qr/unknown ca/], ['server', qr/unsupported certificate/], ['revoked', qr/certificate revoked/],
	    ['alone', qr/unknown ca/]) {
		my ($name, $alert) = @$case;
		like answer($requires, $name, max => $version), qr/^refused: .*alert $alert/, "... $name: refused, and told why";
	}
}
like answer($without_crl, 'revoked'), qr/^CN=revoked\|/, 'without a list nobody is revoked';
like answer($other_chain, 'chained'), qr/^CN=chained\|/, 'an authority below another may be trusted alone';
like answer($other_chain, 'good'), qr/^refused/, '... its parent\'s clients are not';

# -- asked for --
for my $version ('1.2', '1.3') {
	like answer($requests, 'good', max => $version), qr/^CN=billing,.*\|$print$/, "request: a good one, TLS $version";
	is answer($requests, undef, max => $version), '||', '... none: nobody';
	is answer($requests, $_, max => $version), '||', "... $_: nobody" for qw(expired early unknown self_signed server revoked alone);
}
is answer($off, 'good'), '||', 'not asked: nobody';
is get_plain(), '400', 'in the clear: none of this';
sub get_plain { return get($requires, '/')->status }

# -- whom it names to clients --
my $client = tls_to($requires, cert => $good->{cert}, key => $good->{key});
is_deeply $client->facts->{authorities}, ['/O=reeve tests/CN=reeve test authority'], 'clients are told who may certify them';
$client->close;
is_deeply tls_to($off)->facts->{authorities}, [], '... where they are asked';
like s_client($requires, '-cert', $good->{cert}, '-key', $good->{key}), qr/CN=billing/, 'openssl s_client with a certificate';
like s_client($requires), qr/alert (?:certificate required|number 116)/, '... without';
SKIP: {
	skip 'no curl', 2 unless can_run('curl');
	my @curl = ('curl', '-sS', '--http1.1', '--cacert', $authority->ca, '--resolve', "a.test:$requires:127.0.0.1");
	like `@curl --cert $good->{cert} --key $good->{key} https://a.test:$requires/ 2>&1`, qr/^CN=billing/, 'curl with a certificate';
	like `@curl https://a.test:$requires/ 2>&1`, qr/alert certificate required/, '... without';
}

# -- where it arrives --
sub as_good { return tls_get($requires, $_[0], cert => $good->{cert}, key => $good->{key}, headers => $_[1]) }
my $response = as_good('/headers');
is $response->header('x-subject'), 'CN=billing,O=Example\, Inc.', 'in a field of the answer';
like $response->header('x-san'), qr/spiffe/, '... the names';
is $response->header('x-print'), $print, '... the fingerprint';
is tls_get($requests, '/headers')->header('x-subject') // '', '', '... of nobody: nothing';
my $told = as_good('/up/echo', ['X-Client-Subject' => 'CN=root', 'x-client-print' => '00'])->json;
is $told->{header}{'x-client-subject'}, 'CN=billing,O=Example\, Inc.', 'to an upstream: whatever the client claims is replaced';
is $told->{header}{'x-client-print'}, $print, '... by the truth';
$told = tls_get($requests, '/up/echo', headers => ['X-Client-Subject' => 'CN=root'])->json;
is $told->{header}{'x-client-subject'} // '', '', '... and nobody is nobody';
as_good('/logged');
ok $server->wait_log(msg => 'request', path => '/logged', who => 'CN=billing,O=Example\, Inc.'), 'in the access log';
my $strange = tls_get($requests, '/headers', cert => $shown{strange}{cert}, key => $shown{strange}{key});
is $strange->status, 200, 'a strange certificate';
unlike join("\n", map { "@$_" } @{$strange->{fields}}), qr/^Injected/m, '... adds no field';
is $strange->header('x-san'), 'x\2C\20admin.test', '... nor a name by a comma';

# -- counted, and told at debug --
my $failures = $server->status->{totals}{tls_failures};
$server->mark_log;
answer($requires, 'expired');
ok eventually(5, sub { $server->status->{totals}{tls_failures} == $failures + 1 }), 'a refusal is counted';
my $record = $server->wait_log(msg => 'TLS handshake with a client failed');
ok $record, '... and logged';
is $record->{level}, 'debug', '... at debug';
like $record->{reason}, qr/expired/, '... with the reason' or diag explain $record;
is $record->{client}, '127.0.0.1', '... and the client';

finish;
