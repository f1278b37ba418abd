# What is written about the configuration is what the tables say; what is written about commands is what they say.
use lib 't/lib';
use Reeve::Test;

my $reference = command('help', '--reference');
is $reference->{exit}, 0, 'reeve help --reference';
my $page = -e 'docs/configuration.md' ? read_file('docs/configuration.md') : '';
ok $page eq $reference->{out}, 'docs/configuration.md is its output'
    or diag 'run: build/reeve help --reference > docs/configuration.md';

my $help = command('help');
is $help->{exit}, 0, 'reeve help';
my @commands = qw(run check explain status reload stop reopen-logs version help);
for my $name (@commands) {
	like $help->{out}, qr/^\s*(?:reeve )?\Q$name\E\b/m, "help lists $name";
	is command('help', $name)->{exit}, 0, "help $name";
	for my $shell (qw(bash/reeve zsh/_reeve fish/reeve.fish)) {
		like read_file("contrib/completions/$shell"), qr/\b\Q$name\E\b/, "... so does $shell";
	}
}
for my $shell (qw(bash/reeve zsh/_reeve fish/reeve.fish)) {
	my $completion = read_file("contrib/completions/$shell");
	my %options = map { $_ => 1 } map { command('help', $_)->{out} =~ /^\s+(?:-\w, )?--([a-z-]+)/mg } @commands;
	my @unknown = grep { $completion !~ /(?:--|-l )\Q$_\E\b/ } sort keys %options;
	is "@unknown", '', "contrib/completions/$shell knows every option";
}
for my $manual ('docs/man/reeve.1', 'docs/man/reeve.yaml.5') {
	ok -e $manual, "$manual is there" or next;
	my $text = read_file($manual);
	next unless $manual =~ /1$/;
	like $text, qr/\b\Q@{[$_ =~ s{-}{\\?-}r]}\E\b|\b\Q$_\E\b/, "$manual tells of $_" for grep { !/-/ } @commands;
}

# Every example says something that works.
for my $example (sort glob 'conf/*.yaml') {
	my $check = command({ dir => '.' }, 'check', '-c', $example);
	# the directories and names of an example need not be on this machine
	my @said = grep { /^\S+:\d+:\d+: / && !/cannot open directory \/srv|does not resolve now/ } split /\n/, $check->{out} . $check->{err};
	is join("\n", @said), '', "$example is good";
	is $check->{signal}, 0, '... no crash';
}
finish;
