package Reeve::Port;

# Free TCP ports that no other test takes, even one that runs at the same moment: whoever holds the abstract unix socket
# of that number owns the port. The kernel takes the socket away when its last holder ends, so nothing is left.
use strict;
use warnings;
use Exporter 'import';
use Socket;

our @EXPORT_OK = qw(free_port);

use constant { FIRST => 15000, LAST => 30000 };	# below the range the kernel deals from

my @held;
my $next = FIRST + ($$ * 37) % (LAST - FIRST);

sub is_free
{
	my ($port) = @_;
	socket my $v4, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
	setsockopt $v4, SOL_SOCKET, SO_REUSEADDR, 1;
	return 0 unless bind $v4, pack_sockaddr_in($port, INADDR_ANY);
	return listen $v4, 1;
}

sub free_port
{
	for (FIRST .. LAST) {
		my $port = $next;
		$next = $next < LAST ? $next + 1 : FIRST;
		socket my $lock, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
		next unless bind $lock, pack_sockaddr_un("\0reeve-test-port-$port");
		next unless is_free($port);
		push @held, $lock;
		return $port;
	}
	die "no free port";
}

1;
