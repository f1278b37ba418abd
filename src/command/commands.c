/* The rows say everything: dispatch, `help`, reeve(1) and the refusal of what later versions will have. */
#include "command/commands.h"

#include "base/count.h"
#include "command/usage.h"
#include "conf/problem.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64

#define HELP \
	{ FLAG_HELP, 'h', "help", NULL, false, "This text." }
#define END { COMMAND_OPTIONS, 0, NULL, NULL, false, NULL }
#define CONFIG \
	{ FLAG_CONFIG, 'c', "config", "FILE", false, \
	  "The configuration. Default: ./reeve.yaml, then /etc/reeve/reeve.yaml." }
#define CONFIG_OF_CONTROL \
	{ FLAG_CONFIG, 'c', "config", "FILE", false, \
	  "The configuration whose control key names the socket. Default: ./reeve.yaml, then /etc/reeve/reeve.yaml." }
#define CONTROL \
	{ FLAG_CONTROL, 0, "control", "PATH", false, "The control socket of the reeve to speak to." }
#define TIMEOUT(doc) { FLAG_TIMEOUT, 0, "timeout", "DURATION", false, doc }

static const struct command_option run_options[] = {
	CONFIG,
	{ FLAG_CONTROL, 0, "control", "PATH", false, "Where the control socket goes, instead of the configuration's." },
	HELP, END,
};
static const struct command_option check_options[] = {
	CONFIG,
	{ FLAG_PRINT, 0, "print", NULL, false,
	  "Print the effective configuration with its defaults; problems go to stderr then." },
	{ FLAG_JSON, 0, "json", NULL, false, "Print the problems as JSON, for editors and pipelines." },
	HELP, END,
};
static const struct command_option explain_options[] = {
	CONFIG,
	{ FLAG_HEADER, 'H', "header", "'NAME: VALUE'", true, "A header field of the request. May be repeated." },
	{ FLAG_CLIENT, 0, "client", "IP", false, "The client's address. Default: 127.0.0.1." },
	HELP, END,
};
static const struct command_option status_options[] = {
	CONFIG_OF_CONTROL, CONTROL,
	{ FLAG_JSON, 0, "json", NULL, false, "Print everything as JSON." },
	TIMEOUT("How long to wait for the answer. Default: 5s."),
	HELP, END,
};
static const struct command_option reload_options[] = {
	CONFIG_OF_CONTROL, CONTROL, TIMEOUT("How long to wait for the outcome. Default: 2m."), HELP, END,
};
static const struct command_option stop_options[] = {
	CONFIG_OF_CONTROL, CONTROL, TIMEOUT("How long to wait for the end. Default: for ever."), HELP, END,
};
static const struct command_option reopen_options[] = {
	CONFIG_OF_CONTROL, CONTROL, TIMEOUT("How long to wait for the outcome. Default: 10s."), HELP, END,
};
static const struct command_option version_options[] = {
	{ FLAG_JSON, 0, "json", NULL, false, "Print it as JSON." },
	HELP, END,
};
static const struct command_option help_options[] = {
	{ FLAG_REFERENCE, 0, "reference", NULL, false, "Print the reference of the configuration (Markdown)." },
	{ FLAG_MANUAL, 0, "manual", "PAGE", false, "Print a manual page (mdoc): reeve or reeve.yaml." },
	{ FLAG_MESSAGES, 0, "messages", NULL, false, "Print the list of all log messages (Markdown)." },
	HELP, END,
};

#define LATER(name, words, summary) { name, words, 0, 0, NULL, NULL, summary, NULL }

const struct command commands[] = {
	{ "run", "", 0, 0, run_options, cmd_run, "serve, in the foreground",
	  "Reads the configuration, opens the sockets and serves until it is told to stop. It stays in the foreground, "
	  "which is what systemd and containers want.\n"
	  "SIGTERM and SIGINT stop it gracefully (a second one at once), SIGQUIT at once, SIGHUP reloads the "
	  "configuration, SIGUSR1 reopens log files." },
	{ "check", "", 0, 0, check_options, cmd_check, "tell every error and warning of the configuration",
	  "Reads the configuration as run and reload would, and prints every problem in it, a line each: file, line, "
	  "column, the key's path, what is wrong. Exits with 1 when there are errors; warnings alone do not count." },
	{ "explain", "[METHOD] URL", 1, 2, explain_options, cmd_explain, "tell which route serves a request, and why",
	  "Goes through the routes as the server would, and tells for each why it does not fit, up to the one that serves "
	  "the request, with its handler and policies. METHOD is GET when there is none. URL is a path, or whole "
	  "(https://host/path). Nothing is sent anywhere. Exits with 1 when no route fits." },
	{ "status", "", 0, 0, status_options, cmd_status, "show workers, listeners, upstreams and counters",
	  "Asks the running reeve how it is." },
	{ "reload", "", 0, 0, reload_options, cmd_reload, "read the configuration again, without losing a connection",
	  "The running reeve reads its configuration file anew, checks it, has every worker prepare, and switches over "
	  "only when all can. When anything is wrong nothing changes, the problems are printed, and the exit code is 1." },
	{ "stop", "", 0, 0, stop_options, cmd_stop, "stop gracefully, and wait until it has ended",
	  "As SIGTERM: requests in flight finish within shutdown.grace. Waits until the process has gone." },
	{ "reopen-logs", "", 0, 0, reopen_options, cmd_reopen_logs, "open log files anew, for logrotate",
	  "As SIGUSR1, but waits until it is done and tells when the file cannot be opened." },
	{ "version", "", 0, 0, version_options, cmd_version, "print the version, libraries and what the kernel offers",
	  "Prints reeve's version, the libraries it runs with, what of the kernel it can use here, and how it was "
	  "built." },
	{ "help", "[COMMAND]", 0, 1, help_options, cmd_help, "explain a command",
	  "Without an argument lists the commands. Also prints what the documentation is made of." },
	LATER("top", "", "show the status live"),
	LATER("upgrade", "", "replace the running binary by the one on disk"),
	LATER("apps", "", "list the applications"),
	LATER("app", "start|stop|restart|reload|scale|signal NAME [N]", "control an application"),
	LATER("logs", "[-f] [APP]", "show the log"),
	LATER("worker", "profile heap|cpu PID", "profile a worker"),
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

static const struct command *
row_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

const struct command *
command_find(const char *name)
{
	const struct command *command = row_find(name);

	return command && command->options ? command : NULL;
}

/* -- dispatch ------------------------------------------------------------------------------------------------------ */

static const char *
name_near(const char *wrong)
{
	const char *names[NAMES_MAX];
	size_t count = 0;

	for (const struct command *command = commands; command->name && count < NAMES_MAX; command++) {
		if (command->options)
			names[count++] = command->name;
	}
	return conf_suggest(span_text(wrong), names, count);
}

int
command_unknown(const char *name)
{
	const char *near = name_near(name);

	if (row_find(name))
		fprintf(stderr, "reeve: the command \"%s\" is not supported in this version\n", name);
	else if (name[0] == '-')
		fprintf(stderr, "reeve: unknown option \"%s\": options come after the command\n", name);
	else if (near)
		fprintf(stderr, "reeve: unknown command \"%s\" (did you mean \"%s\"?)\n", name, near);
	else
		fprintf(stderr, "reeve: unknown command \"%s\"\n", name);
	fputs("Try: reeve help\n", stderr);
	return COMMAND_MISUSED;
}

static int
line_wrong(const struct command *command, const char *why)
{
	struct text usage = { 0 };

	usage_line(command, &usage);
	fprintf(stderr, "reeve %s: %s\nUsage: %s\nTry: reeve help %s\n", command->name, why, usage.bytes,
	    command->name);
	text_fini(&usage);
	return COMMAND_MISUSED;
}

static bool
words_check(const struct command *command, const struct command_line *line, struct err *err)
{
	if (line->word_count < command->words_min)
		return err_set(err, "%s: not enough arguments", command->words);
	if (line->word_count > command->words_max)
		return err_set(err, "unexpected argument \"%s\"", line->words[command->words_max]);
	return true;
}

static int
command_start(const struct command *command, int argc, char *const *argv)
{
	struct command_line line;
	struct err err;

	if (!command_line_parse(&line, command->options, argc, argv, &err))
		return line_wrong(command, err.text);
	if (command_line_has(&line, FLAG_HELP))
		return usage_print(command);
	if (!words_check(command, &line, &err))
		return line_wrong(command, err.text);
	return command->run(&line);
}

/* What people type who have not read anything. */
static const struct {
	const char	*typed;
	const char	*meant;
} aliases[] = {
	{ "-h", "help" },
	{ "--help", "help" },
	{ "-V", "version" },
	{ "-v", "version" },
	{ "--version", "version" },
};

int
command_main(int argc, char *const *argv)
{
	const struct command *command;
	const char *name;

	if (argc < 2) {
		usage_overview(stderr);
		return COMMAND_MISUSED;
	}
	name = argv[1];
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (strcmp(name, aliases[i].typed) == 0)
			name = aliases[i].meant;
	}
	command = command_find(name);
	return command ? command_start(command, argc - 2, argv + 2) : command_unknown(name);
}
