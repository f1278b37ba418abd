package Reeve::Test;

# What every scenario starts with: strict, Test::More, and the few words the scenarios are written in.
#
#	use lib 't/lib';
#	use Reeve::Test;
#
#	my $port = free_port();
#	my $server = start(<<"END");
#	listen: [{address: "127.0.0.1:$port"}]
#	routes:
#	  - respond: hello
#	END
#	is get($port, '/')->body, 'hello';
#	finish;			# stops what runs and asserts that nothing is left
#
# Core modules only.
use strict;
use warnings;
use Exporter ();
use Test::More;
use Time::HiRes qw(sleep time);
use JSON::PP ();
use Reeve::Port qw(free_port);
use Reeve::Server;
use Reeve::Client;
use Reeve::Upstream;

our @ISA = ("Exporter");
our @EXPORT = (qw(start command connect_to get request exchange upstream finish free_port temp_dir write_file read_file
    within eventually json sleep time is_sanitized can_run expect_refused), @Test::More::EXPORT);

my (@servers, @upstreams);
my $limit_s = 120;		# of a whole test file

sub import
{
	my ($package) = @_;
	strict->import;
	warnings->import;
	binmode $_, ':utf8' for map { Test::More->builder->$_ } qw(output failure_output todo_output);
	$SIG{PIPE} = 'IGNORE';
	$SIG{ALRM} = sub { abandon("$0 did not end within $limit_s s") };
	$SIG{$_} = sub { abandon("interrupted") } for qw(INT TERM);
	alarm $limit_s;
	$package->export_to_level(1, @_);
}

sub abandon
{
	my ($why) = @_;
	print STDERR "# $why\n";
	kill_all();
	exit 255;
}

sub kill_all
{
	$_->kill_all for splice @servers;
	$_->stop for splice @upstreams;
}

my $owner = $$;
END {
	if ($owner == $$) {
		my $status = $?;
		kill_all();
		$? = $status;
	}
}

# A running reeve. Options: Reeve::Server.
sub start
{
	my ($config, %options) = @_;
	my $server = Reeve::Server->new(config => $config, %options);
	push @servers, $server;
	$server->start;
	return $server;
}

# `reeve ARGS` to its end: { exit, signal, out, err }.
sub command
{
	return Reeve::Server::run_command(@_);
}

sub upstream
{
	my $upstream = Reeve::Upstream->start(@_);
	push @upstreams, $upstream;
	return $upstream;
}

sub connect_to
{
	return Reeve::Client->connect(@_ == 1 ? (port => $_[0]) : @_);
}

# One request on a connection of its own: request($port, 'POST', '/x', headers => [...], body => '...').
sub request
{
	my ($port, $method, $target, %options) = @_;
	my $client = Reeve::Client->connect(port => $port, timeout => $options{timeout} // 10);
	$client->request($method, $target, close => 1, %options);
	my $response = $client->read_response(method => $method);
	$client->close;
	return $response;
}

sub get
{
	my ($port, $target, @headers) = @_;
	return request($port, 'GET', $target, headers => \@headers);
}

# Exact bytes in, everything that comes back until the server closes (or the time is over) out.
sub exchange
{
	my ($port, $bytes, %options) = @_;
	my $client = Reeve::Client->connect(port => $port, timeout => $options{timeout} // 5);
	$client->send($bytes);
	$client->shutdown_write if $options{shutdown};
	return $client->read_to_end;
}

# A request that has to be refused: the status, and the connection closed behind it.
sub expect_refused
{
	my ($port, $bytes, $status, $name) = @_;
	my $client = Reeve::Client->connect(port => $port, timeout => 5);
	$client->send($bytes);
	my $response = eval { $client->read_response };
	return fail("$name: no response: $@") unless $response;
	my $end = $client->end;
	my $right = $response->status == $status && $end ne 'open' && $client->buffered eq '';
	ok $right, $name or diag sprintf "got %d, connection %s, behind it %s; wanted %d and closed",
	    $response->status, $end, JSON::PP->new->allow_nonref->encode($client->buffered), $status;
	return $right;
}

# Stops every server and upstream and asserts that nothing is left of them. The last call of a scenario.
sub finish
{
	$_->stop_and_check for splice @servers;
	$_->stop for splice @upstreams;
	done_testing();
}

# Runs the code until it is true; false when the seconds are over.
sub eventually
{
	my ($seconds, $code) = @_;
	my $end = time + $seconds;
	while (1) {
		my $value = $code->();
		return $value if $value;
		return $value if time >= $end;
		sleep 0.02;
	}
}

# ok within(1.9, 3.5, $elapsed, 'name'). Only the lower bound is strict: a busy machine makes everything later.
sub within
{
	my ($least, $most, $value, $name) = @_;
	my $right = $value >= $least && $value <= $most * (is_sanitized() ? 2 : 1) + 1;
	ok $right, $name or diag "$value is not between $least and $most";
	return $right;
}

sub json
{
	my ($text) = @_;
	return JSON::PP->new->utf8->decode($text);
}

sub temp_dir
{
	return Reeve::Server::temp_dir();
}

sub write_file
{
	my ($path, $content) = @_;
	open my $out, '>', $path or die "$path: $!";
	binmode $out;
	print $out $content or die "$path: $!";
	close $out or die "$path: $!";
	return $path;
}

sub read_file
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!";
	binmode $in;
	local $/;
	return scalar <$in>;
}

# Whether $REEVE is the build with ASan: slower, and its memory figures mean nothing.
my $sanitized;
sub is_sanitized
{
	$sanitized //= -e Reeve::Server::binary() && read_file(Reeve::Server::binary()) =~ /__asan_init/ ? 1 : 0;
	return $sanitized;
}

sub can_run
{
	my ($program) = @_;
	return scalar grep { -x "$_/$program" } split /:/, "$ENV{PATH}:/usr/sbin:/sbin";
}

1;
