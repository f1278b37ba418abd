package Reeve::H2Rules;

# Rules of RFC 9113 as rows: what is sent, and what must become of it.
#
#	rules_for($port);
#	section '6.7 PING' => sub {
#		rule 'with 7 bytes' => 'goaway FRAME_SIZE_ERROR', sub {
#			my ($h2, $id) = @_;			# a connection of its own, settings exchanged; a stream's number
#			$h2->send(frame('PING', 0, 0, 'x' x 7));
#		};
#	};
#
# What must become of it, several with ' or ' between:
#	goaway CODE	the connection is ended with that error, and closed
#	reset CODE	the stream is, and the next request on the same connection is served
#	status CODE	the stream is answered, and the next request is served
#	open		nothing happens to the stream, and the next request is served
#	closed		the connection is closed without a word
# The server needs /own (200), and /echo and /hang of Reeve::Upstream. The code may return the number of the stream that
# is meant. Options before it: connect => [...], of Reeve::H2.
use strict;
use warnings;
use Exporter 'import';
use Reeve::H2;
use Test::More;

our @EXPORT = qw(rules_for section rule opened half_closed closed_stream reset_stream block);

use constant SILENCE_S => 0.25;	# in which nothing happens

my %default;

sub rules_for
{
	my ($port, %options) = @_;
	%default = (port => $port, timeout => 8, %options);
}

sub section
{
	my ($name, $code) = @_;
	subtest("RFC 9113 $name" => $code);
}

# What became of it, in the words of the head.
sub look
{
	my ($h2, $id, $wanted) = @_;
	my $silence = $wanted =~ /\bopen\b/ ? SILENCE_S : undef;
	my $outcome = $h2->outcome($id, $silence);
	if ($outcome =~ /^goaway/) {
		my $verdict = $h2->verdict;
		return $verdict eq 'open' ? "$outcome, not closed" : $outcome;
	}
	return $outcome if $outcome =~ /^(?:closed|reset)\z/;
	my $next = eval { $h2->fetch('GET', '/own')->status } // "none: $@" =~ s/\n.*//sr;
	return $next eq '200' ? $outcome : "$outcome, and then $next";
}

sub rule
{
	my $code = pop;
	my ($name, $wanted, %options) = @_;
	my ($h2, $outcome);
	my $done = eval {
		$h2 = Reeve::H2->connect(%default, @{$options{connect} // []});
		my $id = $h2->next_id;
		my $meant = $code->($h2, $id);
		$outcome = look($h2, defined $meant && $meant =~ /^[1-9]\d*\z/ && $meant > 1 ? $meant : $id, $wanted);
		1;
	};
	my $right = $done && grep { $_ eq $outcome } split / or /, $wanted;
	ok $right, "$name: $wanted" or diag $done ? "got: $outcome\n" . $h2->story : "died: $@";
	$h2->close if $h2;
	return $right;
}

# A stream that stays open (its request is not over), is half-closed (that is, the response is not), or closed.
sub opened { return $_[0]->request('POST', '/echo', id => $_[1], open => 1) }
sub half_closed { return $_[0]->request('GET', '/hang', id => $_[1]) }
sub closed_stream { return $_[0]->outcome($_[0]->request('GET', '/own', id => $_[1])) }
sub reset_stream { opened(@_); return $_[0]->send_reset($_[1]) }

# A header block that asks for /own.
sub block { my $h2 = shift; return $h2->{encoder}->encode($h2->request_fields('GET', '/own', @_)) }

1;
