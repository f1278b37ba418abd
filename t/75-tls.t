# TLS with clients: versions, which certificate for which name, protocols, ciphers, staples; and what is never spoken.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;

my $authority = Reeve::Certificates->new;
my $below = $authority->intermediate('the one between');
my %pair = (
	first		=> $authority->issue('first.test'),
	exact		=> $authority->issue('exact.test', names => ['exact.test', 'also.test', '192.0.2.7']),
	wild		=> $authority->issue('wild', names => ['*.wild.test']),
	beside		=> $authority->issue('own.wild.test'),
	ecdsa		=> $authority->issue('both.test', subject => '/CN=both, ECDSA'),
	rsa		=> $authority->issue('both.test', rsa => 2048, subject => '/CN=both, RSA'),
	only_rsa	=> $authority->issue('rsa.test', rsa => 2048),
	chained		=> $below->issue('chained.test'),
	stapled		=> $authority->issue('stapled.test'),
	stale		=> $authority->issue('stale.test'),
	taken_back	=> $authority->issue('revoked.test'),
	edwards		=> $authority->issue('ed.test', ed25519 => 1),
	named		=> $authority->issue('named', names => [], subject => '/CN=common.test'),
);
$authority->revoke($pair{taken_back});
my %staple = (stapled => $authority->staple($pair{stapled}), stale => $authority->staple($pair{stale}, stale => 1),
    taken_back => $authority->staple($pair{taken_back}));
my @many = map { $authority->issue("many$_.test", key => $pair{first}{key}) } 1 .. 40;
my @order = qw(first exact wild beside rsa ecdsa only_rsa chained stapled stale taken_back edwards named);

sub lines
{
	my ($indent, @pairs) = @_;
	return join '', map { "$indent- {cert: $_->[0]{cert}, key: $_->[0]{key}" . ($_->[1] ? ", ocsp: $_->[1]" : '') . "}\n" } @pairs;
}
my ($port, $new_only, $chosen, $old_protocol, $h2_only) = map { free_port() } 1 .. 5;
my $one = "certificates: [{cert: $pair{first}{cert}, key: $pair{first}{key}}]";
my $server = start(<<"END");
listen:
  - address: "127.0.0.1:$port"
    tls:
      certificates:
@{[lines('        ', (map { [$pair{$_}, $staple{$_}] } @order), map { [$_] } @many)]}
  - {address: "127.0.0.1:$new_only", tls: {$one, min_version: "1.3"}}
  - {address: "127.0.0.1:$chosen", tls: {$one, ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384"}}
  - {address: "127.0.0.1:$old_protocol", tls: {$one}, protocols: [http/1.1]}
  - {address: "127.0.0.1:$h2_only", tls: {$one}, protocols: [h2]}
routes:
  - respond: "{scheme} {host}"
END

sub facts
{
	my (%options) = @_;
	my $client = eval { tls_to(delete $options{port} // $port, %options) } // return { failed => $@ };
	my $facts = $client->facts;
	$client->close;
	return $facts;
}

# -- versions --
is facts()->{version}, 'TLSv1.3', 'TLS 1.3 when both can';
is facts(max => '1.2')->{version}, 'TLSv1.2', 'TLS 1.2';
is tls_get($port, '/', max => $_)->body, 'https a.test', "a request over TLS $_" for '1.2', '1.3';
for my $old ('1.0', '1.1') {
	like tls_failure($port, min => $old, max => $old, weak => 1), qr/alert protocol version/, "TLS $old is refused by its alert";
}
is facts(port => $new_only)->{version}, 'TLSv1.3', 'min_version 1.3: 1.3';
like tls_failure($new_only, max => '1.2'), qr/alert protocol version/, '... refuses 1.2';
like s_client($port, '-tls1_2'), qr/Protocol *: TLSv1\.2.*https a\.test/s, 'openssl s_client, 1.2';
like s_client($port, '-tls1_3'), qr/New, TLSv1\.3.*https a\.test/s, 'openssl s_client, 1.3';

# -- which certificate --
my %print = map { $_ => Reeve::Certificates::fingerprint($pair{$_}{cert}) } keys %pair;
my %named = reverse %print;
sub shown
{
	my (%options) = @_;
	my $facts = facts(%options);
	return $named{$facts->{fingerprint} // ''} // $facts->{failed};
}
for my $case (
	['no name', undef, 'first'],
	['a name that nobody has', 'nobody.test', 'first'],
	['an exact name', 'exact.test', 'exact'],
	['another name of the same', 'also.test', 'exact'],
	['upper case', 'EXACT.Test', 'exact'],
	['a final dot', 'exact.test.', 'exact'],
	['a wildcard', 'a.wild.test', 'wild'],
	['a wildcard, upper case', 'A.WILD.TEST', 'wild'],
	['a wildcard is not for the name itself', 'wild.test', 'first'],
	['a wildcard is for one label', 'b.a.wild.test', 'first'],
	['an exact name comes before a wildcard', 'own.wild.test', 'beside'],
	['the asterisk itself is nobody\'s name', '*.exact.test', 'first'],
	['a name that begins like another', 'exact.testing', 'first'],
	['one dot', '.', 'first'],
	['a long name', join('.', ('x' x 60) x 4), 'first'],
	['a common name where there is no other', 'common.test', 'named'],
	['Ed25519', 'ed.test', 'edwards'],
) {
	my ($name, $sni, $want) = @$case;
	is shown(sni => $sni), $want, "SNI: $name";
	is shown(sni => $sni, max => '1.2'), $want, '... with TLS 1.2';
}
my %print_many = map { Reeve::Certificates::fingerprint($_->{cert}) => $_->{name} } @many;
is join(' ', map { $print_many{facts(sni => "many$_.test")->{fingerprint}} } 1, 17, 40), 'many1.test many17.test many40.test',
    'SNI among many';

# -- two kinds of key for one name --
is shown(sni => 'both.test'), 'ecdsa', 'ECDSA and RSA: ECDSA for who knows both, although it comes later';
is shown(sni => 'both.test', sigalgs => 'RSA-PSS+SHA256:RSA+SHA256'), 'rsa', '... RSA for who knows only that';
is shown(sni => 'both.test', sigalgs => 'ECDSA+SHA256'), 'ecdsa', '... ECDSA for who knows only that';
is shown(sni => 'both.test', max => '1.2', ciphers => 'ECDHE-RSA-AES128-GCM-SHA256'), 'rsa', '... RSA by cipher, TLS 1.2';
is shown(sni => 'both.test', max => '1.2', ciphers => 'ECDHE-ECDSA-AES128-GCM-SHA256'), 'ecdsa', '... ECDSA by cipher, TLS 1.2';
is shown(sni => 'rsa.test', sigalgs => 'RSA-PSS+SHA256:RSA+SHA256'), 'only_rsa', 'a name with RSA alone';
like s_client($port, '-servername', 'both.test', '-sigalgs', 'RSA-PSS+SHA256'), qr/Peer signature type: RSA-PSS/, 'openssl s_client -sigalgs';
like tls_failure($port, sni => 'exact.test', sigalgs => 'RSA-PSS+SHA256:RSA+SHA256'), qr/handshake failure/,
    'nothing in common with the certificate: refused';

# -- chains --
my $facts = facts(sni => 'chained.test', ca => $authority->ca);
is $facts->{chain}, 2, 'the chain is sent';
is $facts->{verify}, 'ok', '... and leads to the root';
is facts(sni => 'exact.test', ca => $authority->ca)->{chain}, 1, 'no more than the file has';
SKIP: {
	skip 'no curl', 2 unless can_run('curl');
	my @curl = ('curl', '-sS', '--cacert', $authority->ca, '--http1.1', '--resolve', "chained.test:$port:127.0.0.1");
	is `@curl https://chained.test:$port/ 2>&1`, 'https chained.test', 'curl is content with it';
	like `@curl --resolve other.test:$port:127.0.0.1 https://other.test:$port/ 2>&1`, qr/SSL: no alternative certificate/,
	    '... and not with another name';
}

# -- protocols --
sub agreed { my $facts = facts(@_); return $facts->{failed} // $facts->{alpn} }
is agreed(alpn => 'h2,http/1.1'), 'h2', 'ALPN: h2 comes first';
is agreed(alpn => 'http/1.1,h2'), 'h2', '... whatever the client prefers';
is agreed(alpn => 'http/1.1'), 'http/1.1', 'ALPN: http/1.1';
is agreed(alpn => 'h3,spdy/3.1,http/1.1'), 'http/1.1', 'ALPN: among those we do not know';
is agreed(), '', 'no ALPN';
is tls_get($port, '/')->body, 'https a.test', '... HTTP/1.1 is spoken';
like tls_failure($port, alpn => $_), qr/alert no application protocol/, "ALPN without overlap: $_" for 'h3', 'h2c', 'HTTP/1.1';
is agreed(port => $old_protocol, alpn => 'h2,http/1.1'), 'http/1.1', 'protocols: [http/1.1] agrees on no other';
like tls_failure($old_protocol, alpn => 'h2'), qr/alert no application protocol/, '... not on h2';
is agreed(port => $h2_only, alpn => 'http/1.1,h2'), 'h2', 'protocols: [h2]';
like tls_failure($h2_only, alpn => 'http/1.1'), qr/alert no application protocol/, '... not on HTTP/1.1';

# -- ciphers --
sub accepted
{
	my ($from, $sni, @candidates) = @_;
	return join ' ', sort grep { !facts(port => $from, sni => $sni, max => '1.2', ciphers => $_, weak => 1)->{failed} } @candidates;
}
# all that this OpenSSL can do but for those with a shared secret, which need one
my @known = grep { !/PSK|SRP/ } split /[:\s]+/, `openssl ciphers -s -tls1_2 'ALL:COMPLEMENTOFALL:\@SECLEVEL=0'`;
cmp_ok scalar @known, '>', 40, scalar(@known) . ' ciphers to try';
is accepted($port, 'exact.test', @known), join(' ', sort qw(ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
    ECDHE-ECDSA-CHACHA20-POLY1305)), 'ciphers with an ECDSA certificate';
is accepted($port, 'rsa.test', @known), join(' ', sort qw(ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384
    ECDHE-RSA-CHACHA20-POLY1305)), 'ciphers with an RSA certificate';
is accepted($chosen, undef, 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305'),
    'ECDHE-ECDSA-AES256-GCM-SHA384', '`ciphers` leaves what it names';
is facts(port => $chosen)->{version}, 'TLSv1.3', '... and 1.3 as it is';
is facts(max => '1.2', ciphers => $_)->{cipher}, (split /:/)[0], 'the client knows what is fast for him: ' . (split /:/)[0]
    for 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305';
my @suites = qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256
    TLS_AES_128_CCM_8_SHA256);
is join(' ', grep { !facts(min => '1.3', suites => $_)->{failed} } @suites), join(' ', @suites[0 .. 2]), 'suites of TLS 1.3';
is join(' ', grep { !facts(groups => $_)->{failed} } qw(X25519 P-256 P-384 P-521 X448 ffdhe2048)), 'X25519 P-256 P-384', 'groups';
is facts(groups => 'P-521:P-384')->{version}, 'TLSv1.3', 'a group that was not guessed: asked for again';

# -- staples --
for my $version ('1.2', '1.3') {
	is facts(sni => 'stapled.test', staple => 1, max => $version)->{staple}, unpack('H*', read_file($staple{stapled})),
	    "a staple, TLS $version";
	is facts(sni => 'stapled.test', max => $version)->{staple}, '', '... only for who asks';
	is facts(sni => 'exact.test', staple => 1, max => $version)->{staple}, '', '... and of who has one';
	is facts(sni => 'stale.test', staple => 1, max => $version)->{staple}, '', 'a stale one is not sent';
	is facts(sni => 'revoked.test', staple => 1, max => $version)->{staple}, '', 'nor one that says revoked';
}
like s_client($port, '-status', '-servername', 'stapled.test'), qr/OCSP Response Status: successful.*Cert Status: good/s, 'openssl s_client -status';

# -- what is never spoken --
my $client = tls_to($port, max => '1.2');
is $client->facts->{renegotiation}, 1, 'RFC 5746 is known';
$client->renegotiate;
$client->end(10);
like $client->why, qr/no renegotiation/, 'renegotiation is refused';
$client->close;
like s_client($port, '-tls1_2', { in => "R\n", end => 1 }), qr/RENEGOTIATING.*(?:no renegotiation|handshake failure)/s, 'openssl s_client, R';
is facts(max => '1.2')->{compression}, 'none', 'no compression';
$client = tls_to($port);
$client->update;
is $client->fetch('GET', '/', host => 'keys')->body, 'https keys', 'new keys (TLS 1.3) are taken';
$client->update, $client->fetch('GET', '/') for 1 .. 5;
is $client->fetch('GET', '/', host => 'more')->body, 'https more', '... again and again';
$client->close;
is tls_get($port, '/')->body, 'https a.test', 'and it serves';

finish;
