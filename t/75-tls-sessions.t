# Sessions are resumed by tickets, whichever worker made them and whatever has happened since; and never where another
# certificate would have been asked for.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;

my $dir = temp_dir();
my $authority = Reeve::Certificates->new;
my $others = Reeve::Certificates->new(name => 'other authority');
my $site = $authority->issue('a.test');
my $second = $authority->issue('b.test');
my $client_pair = $authority->issue('client', for => 'client', names => [], subject => '/O=Example/CN=client');
my $other_client = $others->issue('other', for => 'client', names => []);
my ($port, $twin, $ours, $theirs, $asks) = map { free_port() } 1 .. 5;
my $certificates = "certificates: [{cert: $site->{cert}, key: $site->{key}}, {cert: $second->{cert}, key: $second->{key}}]";
my $revoked = write_file("$dir/crl.pem", read_file($authority->crl));
sub config
{
	my ($version) = @_;
	return <<"END";
workers: 4
listen:
  - {address: "127.0.0.1:$port", tls: {$certificates}}
  - {address: "127.0.0.1:$twin", tls: {$certificates}}
  - {address: "127.0.0.1:$ours", tls: {$certificates, client_auth: require, client_ca: @{[$authority->ca]}, client_crl: $revoked}}
  - {address: "127.0.0.1:$theirs", tls: {$certificates, client_auth: require, client_ca: @{[$others->ca]}}}
  - {address: "127.0.0.1:$asks", tls: {$certificates, client_auth: request, client_ca: @{[$authority->ca]}}}
routes:
  - match: {path: /who}
    respond: "{tls.subject}"
  - respond: "version $version"
END
}
my $server = start(config(1));

# A session kept in a file, its ticket taken from a connection that has had its answer.
sub keep_session
{
	my ($from, $path, %options) = @_;
	unlink $path;
	my $client = tls_to($from, save => $path, %options);
	$client->fetch('GET', '/');
	my $has = $client->wait_session;
	my $resumed = $client->facts->{resumed};
	$client->close;
	return $has ? $resumed : die "no session came\n";
}

# Connections of which several are open at a time, so that all workers have some: { resumed, failed, workers (that answered any) }
sub share
{
	my ($count, $session, %options) = @_;
	my $at = delete $options{at} // $port;
	my %before = map { $_->{pid} => $_->{requests} } @{$server->status->{workers}};
	my ($resumed, $failed, @open) = (0, 0);
	for (1 .. $count) {
		my $client = eval { tls_to($at, session => $session, %options) };
		$failed++, next unless $client && eval { $client->fetch('GET', '/')->status == 200 };
		$resumed++ if $client->facts->{resumed};
		push @open, $client;
		shift @open if @open > 8;
	}
	my $workers = grep { $_->{requests} > ($before{$_->{pid}} // 0) } @{$server->status->{workers}};
	return { resumed => $resumed, failed => $failed, workers => $workers };
}

# -- all workers --
my $count = 40;
my %session;
for my $version ('1.2', '1.3') {
	$session{$version} = "$dir/session-$version";
	is keep_session($port, $session{$version}, max => $version), 0, "a first session, TLS $version";
	my $share = share($count, $session{$version}, max => $version);
	is $share->{failed}, 0, '... every connection is good';
	cmp_ok $share->{resumed}, '>=', 0.95 * $count, "... $share->{resumed} of $count are resumed";
	cmp_ok $share->{workers}, '>=', 3, "... by $share->{workers} workers";
}
my $totals = $server->status->{totals};
cmp_ok $totals->{tls_resumed}, '>=', 2 * 0.95 * $count, 'they are counted';
cmp_ok $totals->{tls_handshakes}, '>', $totals->{tls_resumed}, '... apart from all';
is keep_session($port, "$dir/again", session => $session{'1.3'}), 1, 'a resumed session gives a new ticket';
is share(3, "$dir/again")->{resumed}, 3, '... which can be resumed';
like s_client($port, '-reconnect', '-tls1_2', { end => 1, in => '' }), qr/(?:Reused, TLSv1\.2.*){5}/s, 'openssl s_client -reconnect';

# -- what happens to workers --
for my $event (
	['kill -9 of every worker', sub {
		my @before = $server->workers;
		kill KILL => @before;
		my %before = map { $_ => 1 } @before;
		return eventually(20, sub { my @now = grep { !$before{$_} } $server->workers; @now == 4 && eval { tls_get($port, '/') } });
	}],
	['a reload', sub { return $server->reload(config(2))->{exit} == 0 && tls_get($port, '/')->body eq 'version 2' }],
	['more reloads', sub { return 3 == grep { $server->reload(config("2.$_"))->{exit} == 0 } 1 .. 3 }],
) {
	my ($name, $happen) = @$event;
	ok $happen->(), $name;
	for my $version ('1.2', '1.3') {
		my $share = share($count, $session{$version}, max => $version);
		is $share->{failed}, 0, "... every connection is good, TLS $version";
		cmp_ok $share->{resumed}, '>=', 0.95 * $count, "... $share->{resumed} of $count are resumed";
	}
}
is share(2, $session{'1.3'}, at => $twin)->{resumed}, 2, 'another listener of the same kind resumes them, too';

# -- tickets that are none --
for my $version ('1.2', '1.3') {
	my $pem = read_file($session{$version});
	my ($body) = $pem =~ /-----\n(.*?)\n-----/s;
	require MIME::Base64;
	my $der = MIME::Base64::decode_base64($body);
	my ($spoiled, $failed) = (0, 0);
	for my $at (map { int($_ * length($der) / 60) } 5 .. 59) {
		my $other = $der;
		substr($other, $at, 1) ^= "\x01";
		my $path = write_file("$dir/spoiled", "-----BEGIN SSL SESSION PARAMETERS-----\n" . MIME::Base64::encode_base64($other) .
		    "-----END SSL SESSION PARAMETERS-----\n");
		my $client = eval { tls_to($port, session => $path, max => $version) };
		$spoiled++ if $client && !$client->facts->{resumed};
		$failed++ if !$client;
	}
	cmp_ok $spoiled, '>=', 10, "a ticket with a wrong bit is no ticket, TLS $version ($spoiled not resumed, $failed refused)";
}
is tls_get($port, '/')->status, 200, '... and no harm is done';

# -- no way round a certificate --
sub who
{
	my ($from, %options) = @_;
	my $client = tls_to($from, wait => 0, %options);
	my $response = $client->wait_facts && eval { $client->fetch('GET', '/who') };
	my $resumed = $client->facts ? $client->facts->{resumed} : '-';
	$client->close;
	return $response ? $response->body . " $resumed" : 'refused';
}
my @show = (cert => $client_pair->{cert}, key => $client_pair->{key});
for my $version ('1.2', '1.3') {
	my ($open, $shown, $asked) = map { "$dir/$_-$version" } qw(open shown asked);
	keep_session($port, $open, max => $version);
	is who($ours, max => $version, session => $open), 'refused', "a session of an open listener is no way into a closed one, TLS $version";
	is who($asks, max => $version, session => $open), ' 0', '... nor resumed where one is asked for';
	is keep_session($ours, $shown, max => $version, @show), 0, 'a session with a certificate';
	is who($ours, max => $version, session => $shown, @show), 'CN=client,O=Example 1', '... is resumed, and who it is is known';
	is who($ours, max => $version, session => $shown), 'CN=client,O=Example 1', '... without showing it again';
	is who($theirs, max => $version, session => $shown, @show), 'refused', '... not by a listener that trusts others';
	is who($asks, max => $version, session => $shown), ' 0', '... nor by one that only asks';
	is who($port, max => $version, session => $shown), ' 0', '... nor by one that does not ask';
	is keep_session($asks, $asked, max => $version), 0, 'a session without a certificate where one is asked for';
	is who($asks, max => $version, session => $asked), ' 1', '... is resumed as nobody';
	is who($ours, max => $version, session => $asked), 'refused', '... but is no way in where one is required';
}

# -- and when what is trusted changes --
Reeve::Certificates::write_to($revoked, do { $authority->revoke($client_pair); read_file($authority->crl) });
is $server->reload->{exit}, 0, 'the client is revoked';
for my $version ('1.2', '1.3') {
	is who($ours, max => $version, @show), 'refused', "... refused, TLS $version";
	is who($ours, max => $version, session => "$dir/shown-$version", @show), 'refused', '... also with a session from before';
	is who($ours, max => $version, session => "$dir/shown-$version"), 'refused', '... also without showing it';
}
is share(2, $session{'1.3'})->{resumed}, 2, 'other listeners\' sessions do not suffer from that';

finish;
