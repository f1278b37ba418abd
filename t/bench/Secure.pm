package Secure;

# The tables of TLS and HTTP/2. All servers have the same certificate (ECDSA P-256) and one worker; the load tools offer
# X25519 (P-256 to nghttpd, which knows no other) and TLS_AES_128_GCM_SHA256 alone, so that all do the same arithmetic. Nobody
# writes access logs. h2load has 320 requests under way: every proxy may keep as many connections to its upstream.
#
#	tls		wrk over TLS (32 connections); handshakes.c, full and resumed, without a request
#	h2		h2load -c 10 -m 32: over TLS, in the clear (h2c), to upstreams that speak HTTP/1.1 or HTTP/2 in the clear
#	tls-memory	connections that have each had one answer, PSS per connection
#	resumption	one session, offered to four workers: at once, when all were killed, after a reload
#	swaps		certificate files replaced while 500 clients a second shake hands
use strict;
use warnings;
use Bench;
use POSIX ();
use Reeve::Certificates;
use Time::HiRes qw(sleep time);

my $root = "$dir/site";
my ($pair, $both, $origin_port, $origin_h2_port, $load_env);

# -- what every server is given ---------------------------------------------------------------------------------------------

# Small answers are 13 bytes: where a server has a way to say a word, it says it (reeve, nginx, haproxy); h2o and nghttpd read
# a file of that size.
sub prepare
{
	my $authority = Reeve::Certificates->new(name => 'reeve bench authority');
	$pair = $authority->issue('localhost', names => ['localhost', '127.0.0.1']);
	$both = write_file("$dir/both.pem", Reeve::Certificates::read_from($pair->{cert}) . Reeve::Certificates::read_from($pair->{key}));
	mkdir $root;
	mkdir "$root/$_" for 'files', 'h2up';
	write_file("$root/hello", 'Hello, world!');
	write_file("$root/h2up/13", 'Hello, world!');
	write_file("$root/files/100k", 'x' x (100 * 1024));
	# what wrk offers; h2load and handshakes.c are told
	$load_env = write_file("$dir/openssl.cnf", <<"END");
openssl_conf = all
[all]
ssl_conf = modules
[modules]
system_default = ours
[ours]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519:P-256
END
}

# -- servers: each has `start` => sub { my ($port, $kind, $workers) = @_; command }; kind: 'tls', or 'clear' for h2c -----------

sub reeve_config
{
	my ($port, $kind, $workers) = @_;
	my $listen = $kind eq 'tls'
	    ? "tls: {certificates: [{cert: $pair->{cert}, key: $pair->{key}}]}, protocols: [h2, http/1.1]" : 'protocols: [h2c, http/1.1]';
	return <<"END";
listen: [{address: "127.0.0.1:$port", $listen}]
workers: $workers
control: $dir/reeve-$kind.sock
state_dir: $dir
log: {access: false, level: info}
limits: {keepalive_timeout: 1h}
upstreams:
  origin: {servers: ["http://127.0.0.1:$origin_port"], agent: {max_sockets: 512, max_free_sockets: 512, idle_timeout: 1h}}
  origin-h2: {servers: ["http://127.0.0.1:$origin_h2_port"], protocol: h2, agent: {idle_timeout: 1h}}
routes:
  - match: {path: /hello}
    respond: "Hello, world!"
  - match: {path: /files/*}
    files: {root: $root/files, strip_prefix: /files}
  - match: {path: /h2up/*}
    proxy: origin-h2
  - proxy: origin
END
}

# As in the other tables; http2 without TLS is h2c. It speaks HTTP/1.1 to upstreams only.
sub nginx_config
{
	my ($port, $kind, $workers) = @_;
	my $user = $> == 0 ? 'user root;' : '';
	my $listen = $kind eq 'tls' ? "listen 127.0.0.1:$port ssl http2 backlog=4096; ssl_certificate $pair->{cert}; ssl_certificate_key $pair->{key};"
	    : "listen 127.0.0.1:$port http2 backlog=4096;";
	return <<"END";
$user
worker_processes $workers;
worker_rlimit_nofile $nofile;
daemon off;
pid $dir/nginx-$kind.pid;
error_log stderr crit;
events { worker_connections 20000; accept_mutex off; }
http {
	access_log off;
	default_type text/plain;
	sendfile on;
	tcp_nopush on;
	tcp_nodelay on;
	keepalive_timeout 3600s;
	keepalive_requests 1000000000;
	ssl_protocols TLSv1.2 TLSv1.3;
	http2_max_concurrent_streams 128;
	client_body_temp_path $dir/n1; proxy_temp_path $dir/n2; fastcgi_temp_path $dir/n3; uwsgi_temp_path $dir/n4; scgi_temp_path $dir/n5;
	upstream origin { server 127.0.0.1:$origin_port; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 3600s; }
	server {
		$listen
		location = /hello { return 200 "Hello, world!"; }
		location /files/ { root $root; }
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
END
}

# One thread. Its session cache stays as it is by default; tickets are on.
sub haproxy_config
{
	my ($port, $kind) = @_;
	my $bind = $kind eq 'tls' ? "ssl crt $both alpn h2,http/1.1" : 'proto h2';
	return <<"END";
global
	nbthread 1
	maxconn @{[int(($nofile - 100) / 2)]}
	ssl-default-bind-options ssl-min-ver TLSv1.2
	tune.h2.max-concurrent-streams 128
defaults
	mode http
	timeout connect 5s
	timeout client 1h
	timeout server 1h
	timeout http-keep-alive 1h
	option http-keep-alive
	http-reuse always
frontend front
	bind 127.0.0.1:$port backlog 4096 $bind
	http-request return status 200 content-type text/plain string "Hello, world!" if { path /hello }
	use_backend origin_h2 if { path_beg /h2up/ }
	default_backend origin
backend origin
	server one 127.0.0.1:$origin_port pool-max-conn 512
backend origin_h2
	server one 127.0.0.1:$origin_h2_port proto h2
END
}

# HTTP/2 in the clear it takes on any plain port.
sub h2o_config
{
	my ($port, $kind) = @_;
	my $user = $> == 0 ? "user: root\n" : '';
	my $tls = $kind eq 'tls' ? "\n  ssl: {certificate-file: $pair->{cert}, key-file: $pair->{key}, minimum-version: TLSv1.2}" : '';
	return <<"END";
${user}num-threads: 1
max-connections: 20000
listen:
  host: 127.0.0.1
  port: $port$tls
http1-request-timeout: 3600
http2-idle-timeout: 3600
http2-max-concurrent-requests-per-connection: 128
error-log: /dev/null
hosts:
  default:
    paths:
      /hello: {file.file: $root/hello}
      /files: {file.dir: $root/files}
      /:
        proxy.reverse.url: http://127.0.0.1:$origin_port/
        proxy.timeout.keepalive: 3600000
        proxy.preserve-host: ON
END
}

my %server = (
	reeve => { start => sub { return ($reeve, 'run', '-c', write_file("$dir/reeve-$_[1].yaml", reeve_config(@_))) } },
	nginx => { program => 'nginx', start => sub {
		return (find('nginx'), '-p', $dir, '-e', 'stderr', '-c', write_file("$dir/nginx-$_[1].conf", nginx_config(@_)));
	} },
	haproxy => { program => 'haproxy', start => sub {
		return (find('haproxy'), '-db', '-f', write_file("$dir/haproxy-$_[1].cfg", haproxy_config(@_)));
	} },
	h2o => { program => 'h2o', start => sub {
		return (find('h2o'), '-m', 'worker', '-c', write_file("$dir/h2o-$_[1].conf", h2o_config(@_)));
	} },
	# nghttp2's own server: files only, HTTP/2 only
	nghttpd => { program => 'nghttpd', start => sub {
		my ($port, $kind) = @_;
		return (find('nghttpd'), '-n', 1, '-a', '127.0.0.1', '-d', $root, '-m', 128,
		    $kind eq 'tls' ? ($port, $pair->{key}, $pair->{cert}) : ('--no-tls', $port));
	} },
	# nghttp2's own proxy; single-process: its two others only supervise. Upstreams by path.
	nghttpx => { program => 'nghttpx', start => sub {
		my ($port, $kind) = @_;
		return (find('nghttpx'), '--conf=/dev/null', '--single-process', '-n', 1, '--log-level=FATAL', '--errorlog-file=/dev/null',
		    '--accesslog-file=', '--frontend-keep-alive-timeout=1h', '--frontend-http2-read-timeout=1h',
		    '--frontend-http2-max-concurrent-streams=128', "--backend=127.0.0.1,$origin_port",
		    "--backend=127.0.0.1,$origin_h2_port;/h2up/;proto=h2",
		    $kind eq 'tls' ? ("--frontend=127.0.0.1,$port", $pair->{key}, $pair->{cert}) : ("--frontend=127.0.0.1,$port;no-tls"));
	} },
);
my @order = qw(reeve nginx haproxy h2o nghttpd nghttpx);

sub start_one
{
	my ($name, $kind, $workers, @pin) = @_;
	my $port = free_port();
	my $who = start("$name $kind", $port, [$server{$name}{start}->($port, $kind, $workers // 1)], @pin);
	$who->{name} = $name;
	return $who;
}

sub start_origins
{
	($origin_port, $origin_h2_port) = (free_port(), free_port());
	start('origin', $origin_port, [tool('origin'), $origin_port], @on_load);
	start('origin-h2', $origin_h2_port, [$server{nghttpd}{start}->($origin_h2_port, 'clear')], @on_load) if find('nghttpd');
}

# -- loads: { requests, failed } of so many seconds -------------------------------------------------------------------------

sub load_wrk
{
	my ($port, $path, $seconds) = @_;
	my $whole = $seconds < 1 ? 1 : int $seconds;
	my $told = load('env', "OPENSSL_CONF=$load_env", find('wrk') // die("wrk is not installed\n"), '-t1', '-c32', "-d${whole}s",
	    "https://127.0.0.1:$port$path");
	my ($requests) = $told =~ /(\d+) requests in/ or die "wrk: $told";
	my $failed = $told =~ /Non-2xx or 3xx responses: (\d+)/ ? $1 : 0;
	$failed += $1 + $2 + $3 if $told =~ /Socket errors: connect (\d+), read (\d+), write (\d+)/;
	return { requests => $requests, failed => $failed };
}

sub load_h2
{
	my ($scheme, $port, $path, $seconds) = @_;
	my $told = load(find('h2load') // die("h2load is not installed\n"), '-t1', '-c10', '-m32', '-D', $seconds, '--groups=X25519:P-256',
	    '--tls13-ciphers=TLS_AES_128_GCM_SHA256', "$scheme://127.0.0.1:$port$path");
	my ($done, $succeeded) = $told =~ /(\d+) done, (\d+) succeeded/ or die "h2load: $told";
	my ($good) = $told =~ /status codes: (\d+) 2xx/;
	return { requests => $done, failed => $done - ($good < $succeeded ? $good : $succeeded) };
}

sub handshakes { return tool('handshakes', '-lssl', '-lcrypto') }

sub load_handshakes
{
	my ($port, $seconds, @arguments) = @_;
	my $told = load(handshakes(), '-n', 32, '-s', $seconds, @arguments, $port);
	my ($done, $failed, $resumed) = $told =~ /done (\d+) failed (\d+) resumed (\d+)/ or die "handshakes: $told";
	return { requests => $done, failed => $failed, resumed => $resumed };
}

my @tls_cases = (
	{ name => 'h1 13 B over TLS', kind => 'tls', who => [qw(reeve nginx haproxy h2o)], load => sub { load_wrk($_[0], '/hello', $_[1]) } },
	{ name => 'h1 100 KB file over TLS', kind => 'tls', who => [qw(reeve nginx h2o)], load => sub { load_wrk($_[0], '/files/100k', $_[1]) } },
	{ name => 'h1 over TLS, proxied 13 B', kind => 'tls', who => [qw(reeve nginx haproxy h2o nghttpx)],
	    load => sub { load_wrk($_[0], '/13', $_[1]) } },
	{ name => 'handshake, full', kind => 'tls', who => [qw(reeve nginx haproxy h2o)], load => sub { load_handshakes(@_) } },
	{ name => 'handshake, resumed', kind => 'tls', who => [qw(reeve nginx haproxy h2o)], is_resumed => 1,
	    load => sub { load_handshakes(@_, '-r') } },
);
my @h2_cases = (
	{ name => 'h2 13 B over TLS', kind => 'tls', who => [qw(reeve nginx haproxy h2o nghttpd)], load => sub { load_h2('https', $_[0], '/hello', $_[1]) } },
	{ name => 'h2c 13 B', kind => 'clear', who => [qw(reeve nginx haproxy h2o nghttpd)], load => sub { load_h2('http', $_[0], '/hello', $_[1]) } },
	{ name => 'h2 100 KB file over TLS', kind => 'tls', who => [qw(reeve nginx h2o nghttpd)], load => sub { load_h2('https', $_[0], '/files/100k', $_[1]) } },
	{ name => 'h2 to h1 upstream', kind => 'tls', who => [qw(reeve nginx haproxy h2o nghttpx)], load => sub { load_h2('https', $_[0], '/13', $_[1]) } },
	{ name => 'h2 to h2 upstream', kind => 'tls', who => [qw(reeve haproxy nghttpx)], load => sub { load_h2('https', $_[0], '/h2up/13', $_[1]) } },
);

# -- CPU per request, or handshake ------------------------------------------------------------------------------------------

sub measure
{
	my ($case, $who, $seconds) = @_;
	my @family = family($who->{pid});
	my $before = cpu_of(@family);
	my $got = $case->{load}->($who->{port}, $seconds);
	my $cpu = cpu_of(@family) - $before;
	die "$who->{name}: nothing came of it: $case->{name}\n" if !$got->{requests};
	die "$who->{name}: $got->{failed} of $got->{requests} failed: $case->{name}\n" if $got->{failed} > $got->{requests} / 1000;
	die "$who->{name}: only $got->{resumed} of $got->{requests} resumed\n" if $case->{is_resumed} && $got->{resumed} < 0.95 * $got->{requests};
	return 1e6 * $cpu / $got->{requests};
}

sub run_cases
{
	my ($title, @cases) = @_;
	@cases = grep { my $name = $_->{name}; !$option{case} || grep { index($name, $_) >= 0 } @{$option{case}} } @cases;
	my @names = chosen(\%server, @order);
	my %is_here = map { $_ => 1 } @names;
	prepare();
	start_origins();
	my (%who, %microseconds, %result);
	for my $case (@cases) {
		$who{$case->{kind}}{$_} //= start_one($_, $case->{kind}, 1, @on_server) for grep { $is_here{$_} } @{$case->{who}};
	}
	for my $round (0 .. $option{rounds}) {	# round 0 warms up
		for my $case (@cases) {
			for my $name (grep { $is_here{$_} } @{$case->{who}}) {
				my $each = measure($case, $who{$case->{kind}}{$name}, $round ? $option{seconds} : 1);
				push @{$microseconds{$case->{name}}{$name}}, $each if $round;
			}
		}
	}
	for my $case (keys %microseconds) {
		$result{$case}{$_} = sprintf '%.2f', median(@{$microseconds{$case}{$_}}) for keys %{$microseconds{$case}};
	}
	return print_json({ cpu_us => \%result, seconds => $option{seconds}, rounds => $option{rounds} }) if $option{json};
	print "$title, median of $option{rounds} rounds of $option{seconds} s\n\n";
	@names = grep { my $name = $_; grep { defined $_->{$name} } values %result } @names;
	my @rows = (['', @names, 'reeve / best peer']);
	for my $case (@cases) {
		my $of = $result{$case->{name}};
		my ($best) = sort { $a <=> $b } map { $of->{$_} } grep { $_ ne 'reeve' } keys %$of;
		push @rows, [$case->{name}, (map { $of->{$_} } @names),
		    defined $best && defined $of->{reeve} ? sprintf('%.2f', $of->{reeve} / $best) : undef];
	}
	table(@rows);
}

# -- memory -----------------------------------------------------------------------------------------------------------------

# Bytes of each of so many connections that the tool holds open.
sub held
{
	my ($who, $count, @arguments) = @_;
	my @family = family($who->{pid});
	my $before = memory_of(@family);
	pipe my $read, my $write or die;
	my $pid = open my $told, '-|';
	die unless defined $pid;
	if (!$pid) {
		close $write;
		open STDIN, '<&', $read;
		exec @on_load, handshakes(), '-i', $count, '-g', '/hello', @arguments, $who->{port} or POSIX::_exit(1);
	}
	close $read;
	my ($have) = (<$told> // '') =~ /done (\d+)/;
	sleep 1;
	my $each = $have ? (memory_of(@family) - $before) / $have : 0;
	close $write;
	close $told;
	return { connections => $have, bytes_each => int $each };
}

sub run_memory
{
	my $count = $option{connections} // 5000;
	prepare();
	start_origins();
	handshakes();
	my @rows;
	my %result;
	for my $kind (['idle TLS'], ['idle h2', '-2']) {
		my ($title, @arguments) = @$kind;
		for my $name (chosen(\%server, @arguments ? qw(reeve nginx haproxy h2o nghttpd) : qw(reeve nginx haproxy h2o))) {
			my $who = start_one($name, 'tls', 1, @on_server);
			load(handshakes(), '-n', 8, '-s', 0.5, $who->{port});	# what is made once
			sleep 0.5;
			$result{$title}{$name} = held($who, $count, @arguments);
			push @rows, [$title, $name, @{$result{$title}{$name}}{qw(connections bytes_each)}];
			stop("$name tls");
		}
	}
	return print_json(\%result) if $option{json};
	print "Memory (PSS of all processes) of connections that have each had one answer\n\n";
	table(['', '', 'connections', 'bytes each'], @rows);
}

# -- sessions ---------------------------------------------------------------------------------------------------------------

sub kill_workers
{
	my ($who) = @_;
	my ($primary, @workers) = family($who->{pid});
	kill KILL => grep { (split ' ', Reeve::Certificates::read_from("/proc/$_/stat") =~ s/.*\) //sr)[1] == $primary } @workers;
	sleep 1;
}

sub reload
{
	my ($who) = @_;
	return kill HUP => $who->{pid} if $who->{name} eq 'nginx';
	return system("$reeve reload --control $dir/reeve-tls.sock >/dev/null 2>>$dir/server.err") == 0;
}

# The others here have threads in one process, or start anew.
sub run_resumption
{
	prepare();
	start_origins();
	my (%result, @rows);
	for my $name (chosen(\%server, qw(reeve nginx))) {
		my $who = start_one($name, 'tls', 4);
		my $file = "$dir/session-$name";
		my $share = sub {
			my ($moment) = @_;
			my $got = load_handshakes($who->{port}, 1, '-r', '-S', $file, '-g', '/hello');
			$result{$name}{$moment} = sprintf '%.1f %%', 100 * $got->{resumed} / ($got->{requests} || 1);
		};
		$share->('four workers');
		kill_workers($who);
		$share->('all killed');
		reload($who);
		sleep 1;
		$share->('reloaded');
		push @rows, [$name, @{$result{$name}}{'four workers', 'all killed', 'reloaded'}];
		stop("$name tls");
	}
	return print_json(\%result) if $option{json};
	print "Share of handshakes that resume one session\n\n";
	table(['', 'four workers', 'all killed', 'reloaded'], @rows);
}

# -- swaps ------------------------------------------------------------------------------------------------------------------

# The log's lines of swaps that were made.
sub swaps_seen
{
	return scalar grep { /certificate files have changed: the new ones/ } split /\n/, Reeve::Certificates::read_from("$dir/server.err");
}

# Files are replaced as renewing tools do it, one by one, the next when the last is in use: what shakes hands in between gets
# the old pair or the new. nginx does not look by itself: it is told to reload.
sub run_swaps
{
	prepare();
	start_origins();
	my $authority = Reeve::Certificates->new(name => 'reeve bench authority');
	my @others = map { $authority->issue('localhost', names => ['localhost', '127.0.0.1']) } 1 .. 2;
	my (%result, @rows);
	for my $name (chosen(\%server, qw(reeve nginx))) {
		my $who = start_one($name, 'tls', 2);
		my $pid = open my $in, '-|', @on_load, handshakes(), '-n', 200, '-R', 500, '-s', 3600, $who->{port} or die;
		my $start = time;
		for my $number (1 .. $option{swaps}) {
			Reeve::Certificates::replace($pair, $others[$number % 2]);
			reload($who) if $name eq 'nginx';
			my $next = time + ($name eq 'nginx' ? 0.4 : 5);
			sleep 0.02 while time < $next && ($name eq 'nginx' || swaps_seen() < $number);
		}
		my $took = time - $start;
		kill TERM => $pid;
		my $told = <$in>;
		close $in;
		my %count = map { $_ => $told =~ /\b$_ (\d+)/ } qw(done failed late slowest);
		$count{swapped} = $name eq 'reeve' ? swaps_seen() : $option{swaps};
		$count{seconds} = sprintf '%.0f', $took;
		$result{$name} = \%count;
		push @rows, [$name, $option{swaps}, @count{qw(swapped seconds done failed slowest)}];
		stop("$name tls");
	}
	return print_json(\%result) if $option{json};
	print "Certificates replaced under 500 handshakes a second\n\n";
	table(['', 'replaced', 'in use', 'seconds', 'handshakes', 'failed', 'slowest, ms'], @rows);
}

my %mode = (
	tls => sub { run_cases('CPU microseconds per request (wrk -t1 -c32) or handshake', @tls_cases) },
	h2 => sub { run_cases('CPU microseconds per request, h2load -t1 -c10 -m32', @h2_cases) },
	'tls-memory' => \&run_memory,
	resumption => \&run_resumption,
	swaps => \&run_swaps,
);

sub mode { return $mode{$_[0]} }

1;
