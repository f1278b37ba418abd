# What is wrong with `tls` is told before anything changes: at its place, with its file, and what to do.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;

my $dir = temp_dir();
my $authority = Reeve::Certificates->new;
my $good = $authority->issue('a.test');
my $other = $authority->issue('b.test');
my $rsa = $authority->issue('a.test', rsa => 2048);
my $small = $authority->issue('small.test', rsa => 1024);
my $locked = Reeve::Certificates::locked_key($good);
my $below = $authority->intermediate('between');
my $chained = $below->issue('chained.test');
my $garbage = write_file("$dir/garbage.pem", "nothing\nof that\n");
my $empty = write_file("$dir/empty.pem", '');
my $cut = write_file("$dir/cut.pem", substr read_file($good->{cert}), 0, 300);
my $der = "$dir/cert.der";
Reeve::Certificates::openssl('x509', '-in', $good->{cert}, '-outform', 'DER', '-out', $der);
my $backwards = write_file("$dir/backwards.pem", read_file($below->ca) . read_file($chained->{leaf}));
my $staple_of_other = $authority->staple($other);
my $port = free_port();

sub check
{
	my ($tls) = @_;
	my $file = write_file("$dir/reeve.yaml", "listen:\n  - address: \"127.0.0.1:$port\"\n    tls: $tls\nroutes:\n  - respond: x\n");
	my $result = command('check', '-c', $file);
	return ($result->{exit}, $result->{out} . $result->{err});
}

sub pair { return "certificates: [{cert: $_[0], key: $_[1]}]" }

for my $case (
	['a good pair', pair(@$good{qw(cert key)}), 0, qr/\A(?!.*tls)/s],
	['with a chain', pair(@$chained{qw(cert key)}), 0, qr/\A(?!.*tls)/s],
	['RSA', pair(@$rsa{qw(cert key)}), 0, qr/\A(?!.*tls)/s],
	['certificate and key in one file', pair((write_file("$dir/both.pem", read_file($good->{key}) . read_file($good->{cert}))) x 2), 0,
	    qr/\A(?!.*tls)/s],
	['a key of another certificate', pair($good->{cert}, $other->{key}), 1, qr/\[0\]: .*not the certificate's.*\Q$other->{key}\E/],
	['a key of another kind', pair($good->{cert}, $rsa->{key}), 1, qr/not the certificate's.*EC.*RSA/],
	['the two mixed up', pair($good->{key}, $good->{cert}), 1, qr/certificate is not good.*mixed up/],
	['a file that is not there', pair("$dir/none.pem", $good->{key}), 1, qr/\.cert: .*none\.pem.*No such file/],
	['a key that is not there', pair($good->{cert}, "$dir/none.key"), 1, qr/\.key: .*none\.key.*No such file/],
	['a directory', pair($dir, $good->{key}), 1, qr/\.cert: .*\Q$dir\E/],
	['an encrypted key', pair($good->{cert}, $locked), 1, qr/key is not good: .*encrypted.*\Q$locked\E/],
	['no PEM', pair($garbage, $good->{key}), 1, qr/certificate is not good: .*PEM.*cert \S*garbage\.pem/],
	['no PEM for a key', pair($good->{cert}, $garbage), 1, qr/key is not good: .*PEM.*key \S*garbage\.pem/],
	['an empty file', pair($empty, $good->{key}), 1, qr/certificate is not good: .*it is empty.*cert \S*empty\.pem/],
	['a certificate that was cut off', pair($cut, $good->{key}), 1, qr/certificate is not good: .*broken.*cert \S*cut\.pem/],
	['DER', pair($der, $good->{key}), 1, qr/certificate is not good: .*DER.*cert \S*cert\.der/],
	['a small key', pair(@$small{qw(cert key)}), 1, qr/too small.*1024/],
	['a chain in the wrong order', pair($backwards, $chained->{key}), 1, qr/must be the first.*backwards\.pem/],
	['no certificate at all', 'certificates: []', 1, qr/certificates: /],
	['no `certificates`', '{}', 1, qr/certificates/],
	['a key too few', "certificates: [{cert: $good->{cert}}]", 1, qr/key.*(?:missing|required)/],
	['a misspelt key', "certificates: [{cert: $good->{cert}, keys: $good->{key}}]", 1, qr/keys.*did you mean.*key/i],
	['a version that is too old', pair(@$good{qw(cert key)}) . ', min_version: "1.1"', 1, qr/min_version: .*1\.2/],
	['a version that is none', pair(@$good{qw(cert key)}) . ', min_version: new', 1, qr/min_version: /],
	['ciphers that are none', pair(@$good{qw(cert key)}) . ', ciphers: "NOTHING"', 1, qr/ciphers: /],
	['ciphers that are not safe', pair(@$good{qw(cert key)}) . ', ciphers: "RC4-MD5:NULL"', 1, qr/ciphers: /],
	['client_auth without client_ca', pair(@$good{qw(cert key)}) . ', client_auth: require', 1, qr/client_auth: .*client_ca/],
	['client_ca without client_auth', pair(@$good{qw(cert key)}) . ", client_ca: @{[$authority->ca]}", 1, qr/client_ca: .*client_auth/],
	['client_ca that is none', pair(@$good{qw(cert key)}) . ", client_auth: require, client_ca: $garbage", 1, qr/client_ca: .*garbage/],
	['client_crl that is none', pair(@$good{qw(cert key)}) . ", client_auth: require, client_ca: @{[$authority->ca]}, client_crl: $garbage", 1,
	    qr/client_crl: .*garbage/],
	['a staple of another certificate', "certificates: [{cert: $good->{cert}, key: $good->{key}, ocsp: $staple_of_other}]", 1, qr/ocsp: /],
	['a staple that is none', "certificates: [{cert: $good->{cert}, key: $good->{key}, ocsp: $garbage}]", 1, qr/ocsp: .*garbage/],
) {
	my ($name, $tls, $exit, $says) = @$case;
	my ($got, $text) = check($tls =~ /^\{/ ? $tls : "{$tls}");
	is $got, $exit, "$name: " . ($exit ? 'refused' : 'good') or diag $text;
	like $text, $says, '... in clear words';
	like $text, qr/reeve\.yaml:\d+:\d+: listen\[0\]\.tls/, '... with its place' if $exit;
	unlike $text, qr/PRIVATE KEY-----\n|error:[0-9A-F]{8}:/, '... without a secret, without OpenSSL\'s own lines';
}

# -- all at once --
my ($exit, $text) = check("{certificates: [{cert: $garbage, key: $good->{key}}, {cert: $good->{cert}, key: $other->{key}}, " .
    "{cert: $dir/none, key: $good->{key}}]}");
is $exit, 1, 'three that are wrong';
like $text, qr/certificates\[0\].*certificates\[1\].*certificates\[2\]/s, '... are told in one run';

# -- dates --
my $expired = $authority->issue('old.test', expired => 1);
my $early = $authority->issue('new.test', early => 1);
my $soon = $authority->issue('soon.test', days => 5.5);
($exit, $text) = check('{' . pair(@$soon{qw(cert key)}) . '}');
is $exit, 0, 'five days left are good';
like $text, qr/warning: .*(?:days|ends|expires)/i, '... with a warning';
($exit, $text) = check('{' . pair(@$early{qw(cert key)}) . '}');
like $text, qr/listen\[0\]\.tls.*not valid before/, 'one that is not yet valid is told of';
($exit, $text) = check('{' . pair(@$expired{qw(cert key)}) . '}');
is $exit, 1, 'an expired one is refused';
like $text, qr/\.cert: .*expired/i, '... by name';

# -- what has to be TLS --
sub whole { return command('check', '-c', write_file("$dir/whole.yaml", "$_[0]routes:\n  - respond: x\n")) }
my $plain = whole("listen: [{address: \":$port\", protocols: [h2]}]\n");
is $plain->{exit}, 1, 'h2 without TLS';
like $plain->{err} . $plain->{out}, qr/listen\[0\].*h2.*tls/, '... is told';
my $h2c = whole("listen: [{address: \":$port\", tls: {@{[pair(@$good{qw(cert key)})]}}, protocols: [h2c]}]\n");
is $h2c->{exit}, 1, 'h2c over TLS';
like $h2c->{err} . $h2c->{out}, qr/listen\[0\].*h2c/, '... is told';
is whole("listen: [{address: \":$port\", tls: {@{[pair(@$good{qw(cert key)})]}}, protocols: []}]\n")->{exit}, 1, 'no protocol at all';

# -- a start with what is wrong --
my $server = Reeve::Server->new(config => "listen: [{address: \"127.0.0.1:$port\", tls: {" . pair($good->{cert}, $other->{key}) .
    "}}]\nroutes:\n  - respond: x\n", wait => 0, exit => 1)->start;
ok $server->wait_end(20), 'it does not start with a key that is another\'s';
is $server->exit_code, 1, '... but says so and ends';
like $server->stderr . $server->stdout, qr/listen\[0\]\.tls\.certificates\[0\]: the key/, '... with the place';

finish;
