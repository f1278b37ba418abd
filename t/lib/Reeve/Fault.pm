package Reeve::Fault;

# The shim t/lib/fault.c, built into the test's own directory, and the words by which it is steered and read while the
# server runs.
#
#	my $fault = Reeve::Fault->new(seed => 7);	# undef when it cannot be built here: $Reeve::Fault::why_not
#	my $server = start($config, env => { $fault->environment });
#	$fault->set(short => 0.5, eintr => 0.1);	# chances
#	$fault->fail('accept', 0.5);			# half of the calls; a third argument: with this errno
#	$fault->fail_nth(3, qw(fork memfd));		# only the third of those calls
#	$fault->clear;					# none of all that
#	$fault->calls('read'), $fault->spoiled('read')
use strict;
use warnings;
use Reeve::Server;

our $why_not;

use constant { WORDS => 16, MILLION => 1_000_000, PATH_OFFSET => 1024, FILE_SIZE => 2048 };

my %word = (seed => 0, short => 2, eintr => 3, eagain => 4, clock => 5, slow => 6, only => 7, nth => 8, nth_mask => 9,
    nth_call => 10, counted => 11);
my @calls = qw(read write accept connect open fork memfd pipe socketpair socket eventfd epoll mmap listen bind thread clock
    rename);
my %call = map { $calls[$_] => $_ } 0 .. $#calls;

sub new
{
	my ($class, %options) = @_;
	my $dir = Reeve::Server::temp_dir();
	my $self = bless { file => "$dir/faults", shim => "$dir/fault.so", seed => $ENV{REEVE_SEED} // $$ }, $class;
	my @compile = ($ENV{CC} // 'cc', qw(-std=gnu17 -D_GNU_SOURCE -O1 -shared -fPIC -o), $self->{shim}, 't/lib/fault.c', '-ldl');
	my $said = `@compile 2>&1`;
	if ($?) {
		$why_not = "no shim: $said";
		return undef;
	}
	open my $out, '>', $self->{file} or die "$self->{file}: $!";
	print $out "\0" x FILE_SIZE;
	close $out or die;
	chmod 0666, $self->{file};
	chmod 0755, $dir;
	open $self->{words}, '+<', $self->{file} or die;
	binmode $self->{words};
	$self->put($word{seed}, $self->{seed});
	return $self;
}

# What the environment of a program that shall fail needs. A sanitizer's runtime has to come first, and its notion of the
# order of libraries is told by the path it was linked to.
sub environment
{
	my ($self) = @_;
	my ($runtime) = `ldd @{[Reeve::Server::built_binary()]} 2>&1` =~ m{=> (/\S*lib[a-z_]*asan\S*)};
	return (REEVE_FAULT => $self->{file}, LD_PRELOAD => join ':', grep { defined } $runtime, $self->{shim});
}

sub put
{
	my ($self, $word, $value) = @_;
	sysseek $self->{words}, 8 * $word, 0;
	syswrite $self->{words}, pack 'q<', $value;
}

sub word
{
	my ($self, $word) = @_;
	sysseek $self->{words}, 8 * $word, 0;
	sysread $self->{words}, my $bytes, 8;
	return unpack 'q<', $bytes;
}

# short, eintr, eagain: chances; clock: seconds ahead; slow => [seconds, path]; only: a pid
sub set
{
	my ($self, %values) = @_;
	for my $name (keys %values) {
		my $value = $values{$name};
		if ($name eq 'slow') {
			sysseek $self->{words}, PATH_OFFSET, 0;
			syswrite $self->{words}, "$value->[1]\0";
			$value = $value->[0] * MILLION;
		} elsif ($name =~ /^(?:short|eintr|eagain)$/) {
			$value *= MILLION;
		}
		$self->put($word{$name} // die("no $name"), int $value);
	}
}

sub call_word
{
	my ($name, $which) = @_;
	return WORDS + 4 * ($call{$name} // die("no call $name")) + $which;
}

sub fail
{
	my ($self, $name, $chance, $errno) = @_;
	$self->put(call_word($name, 3), $errno // 0);
	$self->put(call_word($name, 2), int($chance * MILLION));
}

sub calls { $_[0]->word(call_word($_[1], 0)) }
sub spoiled { $_[0]->word(call_word($_[1], 1)) }

# The n-th of these calls from now on fails, once; 0 only counts them.
sub fail_nth
{
	my ($self, $nth, @names) = @_;
	my $mask = 0;
	$mask |= 1 << ($call{$_} // die "no call $_") for @names;
	$self->put($word{nth_mask}, 0);
	$self->put($word{counted}, 0);
	$self->put($word{nth_call}, 0);
	$self->put($word{nth}, $nth);
	$self->put($word{nth_mask}, $mask);
}

sub counted { $_[0]->word($word{counted}) }

# The call that failed, undef when it did not come so far.
sub nth_call
{
	my ($self) = @_;
	my $call = $self->word($word{nth_call});
	return $call ? $calls[$call - 1] : undef;
}

sub clear
{
	my ($self) = @_;
	$self->put($_, 0) for @word{qw(short eintr eagain clock slow only nth_mask nth)};
	$self->fail($_, 0) for @calls;
}

sub seed { $_[0]{seed} }

1;
