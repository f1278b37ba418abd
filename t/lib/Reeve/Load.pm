package Reeve::Load;

# Clients that ask for so long, and what a process holds meanwhile.
#
#	my $load = Reeve::Load->start($port, 5, 3, '/', '/up/bytes/100');	# for 5 s, 3 clients, one of the targets each time
#	my $sum = $load->sum;		# waits: { done, failed, lost, slowest, why }
#
# Every other client opens a connection for each request. failed: another status than 200; lost: no answer, as when the
# worker is killed; why: of one of them.
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use POSIX ();
use Reeve::Client;
use Reeve::Server;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(rss);

sub run
{
	my ($port, $number, $end, @targets) = @_;
	srand $number;
	my %count = (done => 0, failed => 0, lost => 0, slowest => 0);
	my $client;
	while ((my $start = time) < $end) {
		my $status = eval {
			$client //= Reeve::Client->connect(port => $port);
			$client->fetch('GET', $targets[rand @targets])->status;
		};
		my $took = time - $start;
		$count{slowest} = $took if $took > $count{slowest};
		$count{!$status ? 'lost' : $status == 200 ? 'done' : 'failed'}++;
		$count{why} = $status // $@ if !$status || $status != 200;
		undef $client if !$status || $number % 2 || rand() < 0.01;
	}
	return \%count;
}

sub start
{
	my ($class, $port, $seconds, $clients, @targets) = @_;
	my $self = bless { dir => Reeve::Server::temp_dir(), pids => [] }, $class;
	my $end = time + $seconds;
	for my $number (1 .. $clients) {
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			my $count = run($port, $number, $end, @targets);
			open my $out, '>', "$self->{dir}/$number";
			print $out JSON::PP->new->encode($count);
			close $out;
			POSIX::_exit(0);
		}
		push @{$self->{pids}}, $pid;
	}
	return $self;
}

sub sum
{
	my ($self) = @_;
	my %sum = (done => 0, failed => 0, lost => 0, slowest => 0, why => undef);
	waitpid $_, 0 for @{$self->{pids}};
	for my $number (1 .. @{$self->{pids}}) {
		my $count = JSON::PP->new->decode(Reeve::Server::slurp("$self->{dir}/$number"));
		$sum{$_} += $count->{$_} for qw(done failed lost);
		$sum{slowest} = $count->{slowest} if $count->{slowest} > $sum{slowest};
		$sum{why} //= $count->{why};
	}
	return \%sum;
}

# Resident memory of a process in MiB.
sub rss
{
	my ($pid) = @_;
	open my $in, '<', "/proc/$pid/status" or return 0;
	while (<$in>) {
		return $1 / 1024 if /^VmRSS:\s+(\d+) kB/;
	}
	return 0;
}

1;
