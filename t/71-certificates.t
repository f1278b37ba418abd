# Certificates come into use when their files change, without a reload; what is wrong with the new ones leaves the old in
# use and is told; their end is announced.
use lib 't/lib';
use Reeve::Test;
use Reeve::Certificates;
use Reeve::TLS;

my $authority = Reeve::Certificates->new;
my @pairs = map { $authority->issue('a.test', names => ['a.test', 'b.test']) } 1 .. 6;
my ($port, $plain_port) = (free_port(), free_port());
my $dir = temp_dir();
chmod 0755, $dir;
my $files = { cert => "$dir/cert.pem", key => "$dir/key.pem" };
Reeve::Certificates::replace($files, $pairs[0]);

sub config
{
	my ($says, $tls) = @_;
	$tls //= "{certificates: [{cert: $dir/cert.pem, key: $dir/key.pem}]}";
	return <<"END";
listen:
  - {address: "127.0.0.1:$port", tls: $tls}
  - {address: "127.0.0.1:$plain_port"}
routes:
  - respond: "$says"
END
}

sub print_of { return Reeve::Certificates::fingerprint($_[0]{cert}) }

sub shown
{
	my (%options) = @_;
	my $client = tls_to($port, sni => 'a.test', %options);
	my $fingerprint = $client->facts->{fingerprint};
	$client->close;
	return $fingerprint;
}

my $server = start(config('one'), crashes => 1);

sub status { return json($server->control('status', '--json')->{out}) }

sub put
{
	my ($path, $content, $way) = @_;
	open my $out, '>', $way eq 'in place' ? $path : "$path.new" or die "$path: $!";
	print $out $content;
	close $out;
	$way eq 'in place' or rename "$path.new", $path or die "$path: $!";
}

sub swapped
{
	my ($pair, $name) = @_;
	my $record = $server->wait_log(msg => qr/^certificate files have changed: the new/);
	ok $record, "$name: told" or diag $server->stderr;
	is shown(), print_of($pair), '... and in use';
	return $record;
}

sub refused
{
	my ($pair, $reason, $name) = @_;
	my $record = $server->wait_log(msg => qr/^certificate files have changed, but/);
	ok $record, "$name: refused" or diag $server->stderr;
	is $record->{level}, 'error', '... as an error';
	like $record->{reason}, $reason, '... that says why';
	like $record->{reason}, qr/reeve\.yaml:\d+:\d+: listen\[0\]\.tls/, '... and where';
	is shown(), print_of($pair), '... and the old one stays in use';
	my $swap = status()->{certificate_swap};
	is $swap->{result}, 'refused', '... and status knows';
	is $swap->{message}, $record->{reason}, '... why';
	return $record;
}

# -- what people see --
is shown(), print_of($pairs[0]), 'the first certificate';
my ($row, @more) = @{status()->{certificates}};
is scalar @more, 0, 'status has one certificate';
is $row->{subject}, 'a.test', '... its subject';
is_deeply $row->{names}, ['a.test', 'b.test'], '... its names';
is $row->{issuer}, 'reeve test authority', '... its issuer';
is $row->{kind}, 'ECDSA P-256', '... its kind';
is $row->{listener}, "127.0.0.1:$port", '... where it is shown';
is $row->{file}, $files->{cert}, '... where it comes from';
is $row->{fingerprint}, print_of($pairs[0]), '... its fingerprint';
like $row->{not_after}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/, '... its end';
ok $row->{days_left} == 89 || $row->{days_left} == 90, '... in days' or diag $row->{days_left};
is status()->{certificate_swap}{result}, 'none', 'nothing was swapped yet';
like $server->control('status')->{out}, qr/^a\.test, b\.test\s+(89|90)\s+ECDSA P-256\s+127\.0\.0\.1:$port$/m,
    'the table has it';
ok !$server->find_log(msg => qr/comes to its end/), 'nothing to renew';

# -- swaps, under traffic --
my $stop = "$dir/stop";
my $test = $$;
my $traffic = fork // die;
if (!$traffic) {
	$SIG{ALRM} = 'DEFAULT';
	alarm 100;
	my $bad = 0;
	until (-e $stop || getppid != $test) {
		my $response = eval { tls_get($port, '/', sni => 'a.test') };
		$bad++, warn "# $@" unless $response && $response->status == 200 && $response->body eq 'one';
	}
	require POSIX;
	POSIX::_exit($bad > 250 ? 250 : $bad);
}
my $kept = tls_to($port, sni => 'a.test');
is $kept->fetch('GET', '/')->body, 'one', 'a connection before';
my @workers = $server->workers;
$server->write_config(config('two'));
$server->mark_log;
Reeve::Certificates::replace($files, $pairs[1]);
my $record = swapped($pairs[1], 'renamed over');
like $record->{files}, qr/\Q$dir\E\/cert\.pem, \Q$dir\E\/key\.pem/, '... with the files';
is $record->{level}, 'info', '... as information';
is $record->{generation}, 2, '... a new generation';
is $kept->fetch('GET', '/')->body, 'one', '... who was there stays';
is get($plain_port, '/')->body, 'one', '... the edited configuration is not in use';
is status()->{reload}{result}, 'none', '... no reload';
is status()->{certificate_swap}{result}, 'ok', '... but a swap';
is status()->{certificates}[0]{fingerprint}, print_of($pairs[1]), '... status has the new one';
like $server->control('status')->{out}, qr/^last swap\s+ok, /m, '... the report for people, too';
$server->mark_log;
put($files->{key}, read_file($pairs[2]{key}), 'in place');
put($files->{cert}, read_file($pairs[2]{cert}), 'in place');
swapped($pairs[2], 'rewritten in place');
is_deeply [$server->workers], \@workers, 'the workers are the same processes';

# -- the links of others: certbot's (files), Kubernetes' (a directory) --
mkdir "$dir/$_" or die for 'archive', 'v3', 'v4';
for my $part ('cert', 'key') {
	put("$dir/archive/$part$_.pem", read_file($pairs[$_]{$part}), '') for 3, 4;
	put("$dir/v$_/$part.pem", read_file($pairs[$_]{$part}), '') for 3, 4;
}
sub link_to
{
	my ($target, $link) = @_;
	symlink $target, "$link.new" or die;
	rename "$link.new", $link or die;
}
$server->mark_log;
link_to("archive/${_}3.pem", "$dir/$_.pem") for 'cert', 'key';
swapped($pairs[3], 'links instead of files');
$server->mark_log;
link_to("archive/${_}4.pem", "$dir/$_.pem") for 'cert', 'key';
swapped($pairs[4], 'links switched');
link_to('v3', "$dir/data");
$server->mark_log;
link_to("data/$_.pem", "$dir/$_.pem") for 'cert', 'key';
swapped($pairs[3], 'links through a directory');
$server->mark_log;
link_to('v4', "$dir/data");
swapped($pairs[4], 'the directory switched');
write_file($stop, '');
waitpid $traffic, 0;
is $?, 0, 'no handshake failed meanwhile';

# -- what cannot be used --
unlink $files->{cert}, $files->{key};
Reeve::Certificates::replace($files, $pairs[4]);
$server->mark_log;
put($files->{key}, read_file($pairs[5]{key}), '');
$record = refused($pairs[4], qr/key/, 'a key of another certificate');
like $record->{files}, qr/\Q$files->{key}\E/, '... with the file';
unlike $record->{reason} . $record->{files}, qr/PRIVATE KEY/, '... but not what is in it';
$server->mark_log;
put($files->{key}, read_file($pairs[4]{key}), '');
ok $server->wait_log(msg => 'certificate files are again what is in use'), 'taken back';
is status()->{certificate_swap}{result}, 'ok', '... also in status';
$server->mark_log;
put($files->{cert}, substr(read_file($pairs[5]{cert}), 0, 300), '');
refused($pairs[4], qr/\Q$files->{cert}\E/, 'half a certificate');
$server->mark_log;
my $expired = $authority->issue('a.test', expired => 1);
Reeve::Certificates::replace($files, $expired);
refused($pairs[4], qr/expired|ended/, 'one that has ended');
$server->mark_log;
unlink $files->{key};
refused($pairs[4], qr/\Q$files->{key}\E.*No such file/, 'no key at all');
is scalar(grep { $_->{msg} =~ /^certificate files have changed, but/ } $server->log_records), 1, '... told once';
my $reload = $server->reload(config('two'));
is $reload->{exit}, 1, 'a reload refuses it, too';
is status()->{reload}{result}, 'failed', '... and that is the last reload';
is get($plain_port, '/')->body, 'one', 'all is as it was';
ok kill(KILL => ($server->workers)[0]), 'a worker dies';
ok eventually(10, sub { my $status = status();
    !grep { $_->{state} ne 'up' } @{$status->{workers}} }), '... and is replaced while the files are broken';
is shown(), print_of($pairs[4]), '... with the certificate in use';
$server->mark_log;
Reeve::Certificates::replace($files, $pairs[5]);
swapped($pairs[5], 'a good pair after all that');

# -- a reload and a swap at once --
$server->mark_log;
Reeve::Certificates::replace($files, $pairs[0]);
is $server->reload(config('three'))->{exit}, 0, 'a reload while files change';
is get($plain_port, '/')->body, 'three', '... is in use';
ok eventually(10, sub { shown() eq print_of($pairs[0]) }), '... and the files, too';
is status()->{reload}{result}, 'ok', '... it was a reload';

# -- sessions outlive swaps, reloads and workers --
{
	my $session = "$dir/session";
	my $client = tls_to($port, sni => 'a.test', save => $session);
	is $client->fetch('GET', '/')->body, 'three', 'a request';
	ok $client->wait_session, '... and a session ticket';
	$client->close;
	ok tls_to($port, sni => 'a.test', session => $session)->facts->{resumed}, '... is good';
	is $server->reload(config('three'))->{exit}, 0, '... after a reload';
	my %seen = map { $_ => 1 } $server->workers;
	kill KILL => $_ for keys %seen;
	ok eventually(10, sub { my @now = $server->workers; @now == 2 && !grep { $seen{$_} } @now }), '... with new workers';
	ok eventually(10, sub { my $client = eval { tls_to($port, sni => 'a.test', session => $session) };
	    $client && $client->facts->{resumed} }), '... it still is';
}

# -- workers that die of it: first back to the certificates before, then to the configuration before --
sub crash_loop
{
	$server->mark_log;
	for (1 .. 3) {
		my ($victim) = $server->workers;
		kill SEGV => $victim;
		eventually(10, sub { !grep { $_->{state} ne 'up' || $_->{pid} == $victim } @{status()->{workers}} });
	}
	return $server->wait_log(msg => qr/^workers keep dying with/);
}
is $server->reload(config('four'))->{exit}, 0, 'a new configuration';
$server->mark_log;
Reeve::Certificates::replace($files, $pairs[1]);
swapped($pairs[1], '... and right after it new certificates');
$record = crash_loop();
ok $record, 'workers keep dying' or diag $server->stderr;
is $record->{undone}, 'certificate swap', '... the swap is undone';
ok eventually(10, sub { status()->{certificate_swap}{result} eq 'rolled_back' }), '... status knows';
is status()->{reload}{result}, 'ok', '... the reload stands';
is shown(), print_of($pairs[0]), '... the certificate before';
is get($plain_port, '/')->body, 'four', '... the configuration stays';
$record = crash_loop();
ok $record, 'workers keep dying of that, too' or diag $server->stderr;
is $record->{undone}, 'reload', '... the reload is undone';
ok eventually(10, sub { status()->{reload}{result} eq 'rolled_back' }), '... status knows';
is get($plain_port, '/')->body, 'three', '... the configuration before';
ok eventually(15, sub { shown() eq print_of($pairs[1]) }), '... which takes the certificates that are on the disk';
is get($plain_port, '/')->body, 'three', '... and stays';
is status()->{reload}{result}, 'rolled_back', '... no reload';
unlink glob "$server->{dir}/sanitizer.*";
$server->stop_and_check;

# -- what comes to its end --
{
	my %days = (late => 30, three_weeks => 20.5, one_week => 6.5, one_day => 0.5);
	my %pair = map { $_ => $authority->issue("$_.test", days => $days{$_}) } keys %days;
	$pair{over} = $authority->issue('over.test', expired => 1);
	my $certificates = join ', ', map { "{cert: $pair{$_}{cert}, key: $pair{$_}{key}}" } sort keys %pair;
	my $server = start(config('ends', "{certificates: [$certificates]}"));
	sub told { my ($server) = @_; return { map { $_->{subject} => $_ } grep { $_->{msg} =~ /to its end/ } $server->log_records } }
	ok eventually(5, sub { keys %{told($server)} >= 4 }), 'ends are told at the start';
	my $told = told($server);
	is_deeply [sort keys %$told], [map { "$_.test" } qw(one_day one_week over three_weeks)], '... of those that are near';
	is $told->{"$_->[0].test"}{days_left}, $_->[1], "... $_->[0]" for ['three_weeks', 20], ['one_week', 6], ['one_day', 0];
	is $told->{"$_.test"}{level}, 'warn', "... a warning: $_" for qw(three_weeks one_week one_day);
	is $told->{'over.test'}{level}, 'error', '... an error: it is over';
	cmp_ok $told->{'over.test'}{days_left}, '<', 0, '... with its days';
	is $told->{'one_day.test'}{file}, $pair{one_day}{cert}, '... with the file';
	is $told->{'one_day.test'}{listener}, "127.0.0.1:$port", '... and the listener';
	like $server->control('status')->{out}, qr/^over\.test\s+ended\s/m, 'the table tells, too';
	like $server->control('status')->{out}, qr/^late\.test\s+(29|30)\s/m, '... all of them';
	$server->mark_log;
	is $server->reload(config('again', "{certificates: [$certificates]}"))->{exit}, 0,
	    'a reload keeps one that is over but in use';
	is get($plain_port, '/')->body, 'again', '... and is in use';
	is_deeply told($server), {}, '... nothing is told twice';
	Reeve::Certificates::replace($pair{one_week}, $authority->issue('one_week.test'));
	ok $server->wait_log(msg => qr/^certificate files have changed: the new/), 'another is renewed';
	is_deeply told($server), {}, '... in silence';
	Reeve::Certificates::replace($pair{late}, $authority->issue('late.test', days => 6.9));
	ok eventually(10, sub { told($server)->{'late.test'} }), 'a new one that ends soon is told';
	is told($server)->{'late.test'}{days_left}, 6, '... as it is';
	$server->mark_log;
	Reeve::Certificates::replace($pair{late}, $authority->issue('late.test', expired => 1));
	$record = $server->wait_log(msg => qr/^certificate files have changed, but/);
	ok $record, 'another that is over is refused, although one is in use' or diag $server->stderr;
	$server->stop_and_check;
}

# -- one broken pair does not keep others from being renewed --
{
	my @sites = map { $authority->issue("$_.test") } qw(x y z);
	$_->{used} = { cert => "$dir/$_->{name}.pem", key => "$dir/$_->{name}.key" } for @sites;
	Reeve::Certificates::replace($_->{used}, $_) for @sites;
	my $certificates = join ', ', map { "{cert: $_->{used}{cert}, key: $_->{used}{key}}" } @sites;
	my $server = start(config('pairs', "{certificates: [$certificates]}"));
	my %new = map { $_ => $authority->issue("$_.test") } qw(x y z);
	sub of { my ($name) = @_; return shown(sni => "$name.test") }
	$server->mark_log;
	Reeve::Certificates::replace($sites[0]{used}, $new{x});
	put($sites[1]{used}{cert}, "nothing\n", '');
	put($sites[2]{used}{key}, read_file($new{z}{key}), '');
	ok $server->wait_log(msg => qr/^certificate files have changed: the new/), 'a good pair beside two broken ones'
	    or diag $server->stderr;
	is of('x'), print_of($new{x}), '... is in use';
	is of('y'), print_of($sites[1]), '... a broken one is not';
	is of('z'), print_of($sites[2]), '... nor half of one';
	my @refused = grep { $_->{msg} =~ /^certificate files have changed, but/ } $server->log_records;
	is scalar @refused, 2, '... two are told of';
	my %why = map { $_->{files} => $_->{reason} } @refused;
	like $why{$sites[1]{used}{cert}}, qr/listen\[0\]\.tls\.certificates\[1\]/, '... the first, where it is wrong';
	like $why{$sites[2]{used}{key}}, qr/listen\[0\]\.tls\.certificates\[2\]/, '... the second, too';
	my ($told) = grep { $_->{msg} =~ /^certificate files have changed: the new/ } $server->log_records;
	is $told->{files}, "$sites[0]{used}{cert}, $sites[0]{used}{key}", '... and what is in use';
	my $swap = json($server->control('status', '--json')->{out})->{certificate_swap};
	is $swap->{result}, 'partly', '... status knows';
	like $swap->{message}, qr/certificates\[[12]\]/, '... why';
	$server->mark_log;
	put($sites[2]{used}{cert}, read_file($new{z}{cert}), '');
	ok $server->wait_log(msg => qr/^certificate files have changed: the new/), 'the other half of it';
	is of('z'), print_of($new{z}), '... is in use';
	is of('y'), print_of($sites[1]), '... what is broken still is not';
	ok $server->wait_log(msg => qr/^certificate files have changed, but/), '... which is told, since files have changed';
	$server->mark_log;
	Reeve::Certificates::replace($sites[1]{used}, $new{y});
	ok $server->wait_log(msg => qr/^certificate files have changed: the new/), 'mended';
	is of('y'), print_of($new{y}), '... and in use';
	is json($server->control('status', '--json')->{out})->{certificate_swap}{result}, 'ok', '... all is well';
	$server->stop_and_check;
}

# -- keys that only root can read --
SKIP: {
	skip 'needs root', 4 if $> != 0;
	Reeve::Certificates::replace($files, $pairs[2]);
	chmod 0600, $files->{key};
	my $server = start("user: nobody\n" . config('nobody'));
	my @uids = map { (stat "/proc/$_")[4] } $server->workers;
	is scalar(grep { $_ == 0 } @uids), 0, 'workers are nobody';
	is shown(), print_of($pairs[2]), '... and have the key that only root can read';
	$server->mark_log;
	my $old = umask 077;
	Reeve::Certificates::replace($files, $pairs[3]);
	umask $old;
	ok $server->wait_log(msg => qr/^certificate files have changed: the new/), '... also a new one';
	is shown(), print_of($pairs[3]), '... in use';
	kill KILL => ($server->workers)[0];
	ok eventually(10, sub { !grep { $_->{state} ne 'up' } @{json($server->control('status', '--json')->{out})->{workers}} }),
	    '... a new worker has it, too';
}

finish;
