package Reeve::Certificates;

# An authority of the test's own: certificates as they should be, and in every way they should not. Made with the openssl
# command in a temporary directory; some 20 ms a certificate (RSA: 100).
#
#	my $authority = Reeve::Certificates->new;			# ECDSA P-256
#	my $site = $authority->issue('a.test');				# for the name a.test, 90 days
#	... certificates: [{cert: $site->{cert}, key: $site->{key}}]
#	$authority->ca							# PEM, for `client_ca`, `ca`, curl --cacert
#
# issue() gives { name, cert (the leaf, then its chain), key, leaf (alone), serial }, all paths but the first and the last.
# Its options:
#
#	names => ['a.test', '*.a.test', '127.0.0.1', '::1', 'URI:x://y', 'email:a@b']	default: the name; []: none
#	rsa => 2048				another kind of key: bits; curve => 'P-384'; ed25519 => 1
#	days => 6.5				how long it is still good; expired => 1; early => 1 (not yet valid)
#	for => 'client'				what it may be used for: server (default), client, or 'both'
#	subject => '/O=Example/CN=x'		default: /CN=name; UTF-8
#	key => $other->{key}			a key that exists
#	must_staple => 1			RFC 7633
#
# More of an authority:
#
#	intermediate('two')		an authority below this one; what it issues carries the chain (rsa, expired ... as above)
#	new(name => 'other', rsa => 2048, dir => ...)
#	revoke($site), crl(), crl(expired => 1)		path of a PEM file, of the moment
#	crls()				with those of the authorities above
#	staple($site)			path of an OCSP response, DER; good for days => 7, by what has been revoked; stale => 1
#
# Without an authority (functions or methods):
#
#	self_signed('a.test', %options)
#	locked_key($site)		path: the same key behind a pass phrase
#	fingerprint($path)		SHA-256 of the first certificate, hexadecimal, lower case
#	write_to($path, $content)	replaces a file at once, as tools that renew certificates do
#	replace($site, $other)		the same for a pair: the key first, then the certificate
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Reeve::Server;
use Socket ();

my $count = 0;

# Runs openssl to its end and gives what it printed; dies with what it complained of.
sub openssl
{
	my (@arguments) = @_;
	my $pid = open my $in, '-|' // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>&', \*STDOUT;
		delete @ENV{qw(OPENSSL_CONF SSL_CERT_FILE SSL_CERT_DIR)};
		exec 'openssl', @arguments or POSIX::_exit(127);
	}
	local $/;
	my $said = <$in> // '';
	close $in or die "openssl @arguments:\n$said";
	return $said;
}

sub read_from
{
	my ($path) = @_;
	open my $in, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$in>;
}

sub write_to
{
	shift if ref $_[0] || $_[0] eq __PACKAGE__;
	my ($path, $content) = @_;
	open my $out, '>:raw', "$path.new" or die "$path: $!";
	print $out $content;
	close $out or die "$path: $!";
	rename "$path.new", $path or die "$path: $!";
	return $path;
}

# -- an authority -----------------------------------------------------------------------------------------------------------

sub stamp
{
	my ($seconds) = @_;
	return POSIX::strftime('%Y%m%d%H%M%SZ', gmtime(time + $seconds));
}

# What `openssl ca` wants to have: a list of what was issued, and leave to sign anything.
sub lay_out
{
	my ($self) = @_;
	my $dir = $self->{dir};
	write_to("$dir/index.txt", '');
	write_to("$dir/index.txt.attr", "unique_subject = no\n");
	write_to("$dir/crlnumber", "01\n");
	write_to("$dir/ca.conf", <<"END");
[ca]
default_ca = here
[here]
database = $dir/index.txt
new_certs_dir = $dir
crlnumber = $dir/crlnumber
rand_serial = yes
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
policy = any
[any]
commonName = optional
organizationName = optional
organizationalUnitName = optional
countryName = optional
stateOrProvinceName = optional
localityName = optional
emailAddress = optional
END
}

sub new
{
	my ($class, %options) = @_;
	my $self = bless { dir => Reeve::Server::temp_dir(), above => undef, %options }, $class;
	my $name = $self->{name} // 'reeve test authority';
	my @days = $options{expired} ? (-90, -1) : (-1, 3650);
	$self->lay_out;
	self_signed($name, %options, subject => "/O=reeve tests/CN=$name", dir => $self->{dir}, base => 'ca', is_ca => 1,
	    from => $days[0] * 86400, until => $days[1] * 86400);
	return $self;
}

sub intermediate
{
	my ($self, $name, %options) = @_;
	my $below = bless { dir => Reeve::Server::temp_dir(), name => $name, above => $self }, ref $self;
	$below->lay_out;
	my $made = $self->issue($name, days => 1000, %options, subject => "/O=reeve tests/CN=$name", is_ca => 1);
	write_to("$below->{dir}/ca.pem", read_from($made->{leaf}));
	write_to("$below->{dir}/ca.key", read_from($made->{key}));
	return $below;
}

sub ca { "$_[0]{dir}/ca.pem" }
sub ca_key { "$_[0]{dir}/ca.key" }

# The root of them all.
sub root
{
	my ($self) = @_;
	return $self->{above} ? $self->{above}->root : $self->ca;
}

# What stands between a leaf and the root, PEM.
sub chain
{
	my ($self) = @_;
	return $self->{above} ? read_from($self->ca) . $self->{above}->chain : '';
}

sub kind_of_key
{
	my (%options) = @_;
	return ('-newkey', "rsa:$options{rsa}") if $options{rsa};
	return ('-newkey', 'ed25519') if $options{ed25519};
	return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:' . ($options{curve} // 'P-256'));
}

# A section of its own, because a name may hold a comma.
sub alternatives
{
	my ($count, @lines) = (0, '[these_names]');
	for (@_) {
		my ($kind, $name) = /^(URI|email|DNS|IP):(.*)/ ? ($1, $2)
		    : Socket::inet_pton(Socket::AF_INET, $_) || Socket::inet_pton(Socket::AF_INET6, $_) ? ('IP', $_) : ('DNS', $_);
		push @lines, "$kind." . ++$count . " = $name";
	}
	return @lines;
}

# The extensions of a certificate, as a file.
sub extensions
{
	my ($path, $name, %options) = @_;
	my $for = $options{for} // 'server';
	my @lines = ('[of_this]');
	my @after;
	if ($options{is_ca}) {
		push @lines, 'basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign, cRLSign, digitalSignature';
	} else {
		my @names = @{$options{names} // [$name]};
		push @lines, 'basicConstraints = critical, CA:FALSE';
		push @lines, 'extendedKeyUsage = ' . ($for eq 'both' ? 'serverAuth, clientAuth' : "${for}Auth");
		push @lines, 'tlsfeature = status_request' if $options{must_staple};
		push @lines, 'subjectAltName = @these_names' if @names;
		@after = alternatives(@names) if @names;
	}
	push @lines, 'subjectKeyIdentifier = hash', @after;
	return write_to($path, join '', map { "$_\n" } @lines);
}

sub validity
{
	my (%options) = @_;
	my ($from, $until) = (-3600, ($options{days} // 90) * 86400);
	$from = -30 * 86400 if $until < $from;
	($from, $until) = (-30 * 86400, -86400) if $options{expired};
	($from, $until) = (86400, 90 * 86400) if $options{early};
	return ('-startdate', stamp($options{from} // $from), '-enddate', stamp($options{until} // $until));
}

# A request to be signed, with a new key or one that exists.
sub make_request
{
	my ($base, $name, %options) = @_;
	my @key = $options{key} ? ('-key', $options{key}) : (kind_of_key(%options), '-nodes', '-keyout', "$base.key");
	openssl('req', '-new', '-utf8', '-config', '/dev/null', '-subj', $options{subject} // "/CN=$name", @key,
	    '-out', "$base.request");
	write_to("$base.key", read_from($options{key})) if $options{key} && $options{key} ne "$base.key";
	return "$base.request";
}

sub serial_of
{
	my ($path) = @_;
	return openssl('x509', '-in', $path, '-noout', '-serial') =~ s/^serial=|\s//gr;
}

sub issue
{
	my ($self, $name, %options) = @_;
	my $base = "$self->{dir}/" . ($options{base} // ++$count . '-' . $name =~ s/[^A-Za-z0-9.-]/_/gr);
	openssl('ca', '-batch', '-notext', '-config', "$self->{dir}/ca.conf", '-preserveDN', '-utf8',
	    '-extfile', extensions("$base.ext", $name, %options), '-extensions', 'of_this', validity(%options),
	    '-in', make_request($base, $name, %options), '-out', "$base.leaf");
	write_to("$base.pem", read_from("$base.leaf") . $self->chain);
	return { name => $name, cert => "$base.pem", key => "$base.key", leaf => "$base.leaf", serial => serial_of("$base.leaf") };
}

sub self_signed
{
	shift if ref $_[0] || $_[0] eq __PACKAGE__;
	my ($name, %options) = @_;
	my $dir = $options{dir} // Reeve::Server::temp_dir();
	my $base = "$dir/" . ($options{base} // 'self-signed');
	my $self = bless { dir => $dir }, __PACKAGE__;
	$self->lay_out unless -e "$dir/ca.conf";
	my $request = make_request($base, $name, %options);
	openssl('ca', '-batch', '-notext', '-config', "$dir/ca.conf", '-preserveDN', '-utf8', '-selfsign',
	    '-keyfile', "$base.key", '-extfile', extensions("$base.ext", $name, %options), '-extensions', 'of_this',
	    validity(%options), '-in', $request, '-out', "$base.pem");
	return { name => $name, cert => "$base.pem", key => "$base.key", leaf => "$base.pem", serial => serial_of("$base.pem") };
}

# -- what has been taken back -----------------------------------------------------------------------------------------------

sub revoke
{
	my ($self, $pair) = @_;
	openssl('ca', '-config', "$self->{dir}/ca.conf", '-revoke', $pair->{leaf});
}

sub crl
{
	my ($self, %options) = @_;
	my $path = "$self->{dir}/" . ++$count . '.crl';
	my @dates = $options{expired} ? (stamp(-86400 * 3), stamp(-86400)) : (stamp(-3600), stamp(86400 * 7));
	openssl('ca', '-config', "$self->{dir}/ca.conf", '-gencrl', '-crl_lastupdate', $dates[0], '-crl_nextupdate', $dates[1],
	    '-out', $path);
	return $path;
}

sub crls
{
	my ($self) = @_;
	my $text = read_from($self->crl);
	$text .= read_from($self->{above}->crls) if $self->{above};
	return write_to("$self->{dir}/" . ++$count . '.crls', $text);
}

# `openssl ocsp` makes none of the past: a stale one has its dates changed afterwards, and so a signature that does not fit.
sub staple
{
	my ($self, $pair, %options) = @_;
	my $path = "$self->{dir}/" . ++$count . '.ocsp';
	openssl('ocsp', '-issuer', $self->ca, '-cert', $pair->{leaf}, '-no_nonce', '-reqout', "$path.request");
	openssl('ocsp', '-index', "$self->{dir}/index.txt", '-CA', $self->ca, '-rsigner', $self->ca, '-rkey', $self->ca_key,
	    '-reqin', "$path.request", '-respout', $path, '-ndays', $options{days} // 7);
	if ($options{stale}) {
		my ($this, $next) = (stamp(-3 * 86400), stamp(-86400));
		my $der = read_from($path);
		$der =~ s/\x18\x0f\d{14}Z\xa0\x11\x18\x0f\d{14}Z/\x18\x0f$this\xa0\x11\x18\x0f$next/ or die 'no dates in the response';
		write_to($path, $der);
	}
	return $path;
}

# -- the rest ---------------------------------------------------------------------------------------------------------------

sub locked_key
{
	shift if ref $_[0] ne 'HASH';
	my ($pair) = @_;
	my $path = "$pair->{key}.locked";
	openssl('pkey', '-in', $pair->{key}, '-aes256', '-passout', 'pass:secret', '-out', $path);
	return $path;
}

sub fingerprint
{
	shift if ref $_[0] || $_[0] eq __PACKAGE__;
	my ($path) = @_;
	my ($body) = read_from($path) =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s or die "$path: no certificate";
	return sha256_hex(decode_base64($body));
}

sub replace
{
	shift if ref $_[0] ne 'HASH';
	my ($pair, $other) = @_;
	write_to($pair->{key}, read_from($other->{key}));
	write_to($pair->{cert}, read_from($other->{cert}));
}

1;
