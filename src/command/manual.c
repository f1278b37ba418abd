/* What no table says stands here as text, with mdoc(7) around it; the rest is filled in from the tables. */
#include "command/manual.h"

#include "base/log.h"
#include "command/usage.h"
#include "site/site.h"

#include <string.h>

#define PAGE_DATE "November 20, 2026"

/* -- reeve(1) ------------------------------------------------------------------------------------------------------ */

static const char command_head[] =
    ".\\\" Made by `reeve help --manual reeve`; the source is src/command/.\n"
    ".Dd " PAGE_DATE "\n"
    ".Dt REEVE 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm reeve\n"
    ".Nd HTTP server that fronts an API and keeps it alive\n"
    ".Sh SYNOPSIS\n";

static const char command_description[] =
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "listens, routes requests to files, fixed answers, redirects and upstream servers, and reloads its configuration\n"
    "without closing a connection.\n"
    "One primary process owns the sockets and starts one worker for each CPU and a logger.\n"
    "The configuration is one YAML file,\n"
    ".Xr reeve.yaml 5 .\n"
    ".Pp\n"
    "The commands that speak to a running\n"
    ".Nm\n"
    "find its control socket by\n"
    ".Fl \\-control ,\n"
    "else by the\n"
    ".Ic control\n"
    "key of the configuration.\n"
    "They wait for the outcome, print it, and exit with 1 when it failed.\n"
    ".Sh COMMANDS\n";

static const char command_tail[] =
    ".Sh SIGNALS\n"
    "To the primary process:\n"
    ".Bl -tag -width SIGTERM\n"
    ".It Dv SIGTERM , SIGINT\n"
    "Stop gracefully: health checks of type ready answer 503 for\n"
    ".Ic shutdown.delay ,\n"
    "then the sockets close and requests in flight have\n"
    ".Ic shutdown.grace\n"
    "to finish.\n"
    "A second one stops at once.\n"
    ".It Dv SIGQUIT\n"
    "Stop at once.\n"
    ".It Dv SIGHUP\n"
    "Reload the configuration; when anything is wrong nothing changes, and the log says why.\n"
    ".It Dv SIGUSR1\n"
    "Open log files anew.\n"
    ".El\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev RUNTIME_DIRECTORY , XDG_RUNTIME_DIR\n"
    "Where the control socket is by default.\n"
    ".It Ev STATE_DIRECTORY\n"
    "Where crash reports go by default.\n"
    ".It Ev LISTEN_FDS , LISTEN_FDNAMES\n"
    "Sockets passed by systemd, for\n"
    ".Ql fd:NAME\n"
    "addresses.\n"
    ".It Ev NO_COLOR\n"
    "No colours on terminals.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa ./reeve.yaml , /etc/reeve/reeve.yaml\n"
    "The configuration when\n"
    ".Fl c\n"
    "is not given: the first that is there.\n"
    ".It Pa /run/reeve/control.sock\n"
    "The control socket of a reeve that runs as root or under its systemd unit.\n"
    ".It Pa /var/lib/reeve\n"
    "Crash reports.\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds -compact\n"
    ".It 0\n"
    "Done; for\n"
    ".Cm run :\n"
    "stopped as asked.\n"
    ".It 1\n"
    "Failed: the reason is on standard error.\n"
    ".It 2\n"
    "Wrong usage.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "Check a configuration, then use it:\n"
    ".Dl $ reeve check \\-c /etc/reeve/reeve.yaml && reeve reload\n"
    ".Pp\n"
    "Which route would serve a request, and why not the others:\n"
    ".Dl $ reeve explain GET https://api.example.com/users/7 \\-H 'Accept: text/html'\n"
    ".Pp\n"
    "Requests of all workers so far:\n"
    ".Dl $ reeve status \\-\\-json | jq .totals.requests\n"
    ".Sh SEE ALSO\n"
    ".Xr reeve.yaml 5\n";

/* -- reeve.yaml(5) ------------------------------------------------------------------------------------------------- */

static const char configuration_head[] =
    ".\\\" Made by `reeve help --manual reeve.yaml`; the source is the option tables in src/.\n"
    ".Dd " PAGE_DATE "\n"
    ".Dt REEVE.YAML 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm reeve.yaml\n"
    ".Nd configuration of reeve\n"
    ".Sh DESCRIPTION\n"
    "One YAML file says everything.\n"
    "Unknown keys, wrong types, missing and duplicate keys and values out of range are errors;\n"
    "all of a file are told in one run of\n"
    ".Cm reeve check ,\n"
    "each with file, line, column and the key's full path.\n"
    "Keys of later versions are refused by name.\n"
    ".Pp\n"
    "The first route whose\n"
    ".Ic match\n"
    "fits serves a request, in the order of the file.\n"
    "A route is\n"
    ".Ic match ,\n"
    "any policies, and exactly one handler.\n"
    "Policies in\n"
    ".Ic defaults\n"
    "stand on every route; a route's own key replaces one, the value\n"
    ".Ql off\n"
    "removes it.\n"
    ".Ss Values\n"
    ".Bl -tag -width Ds\n"
    ".It duration\n"
    "250ms, 10s, 5m, 2h, 7d. A bare number is an error.\n"
    ".It size\n"
    "512, 64K, 10M, 1G: powers of 1024.\n"
    ".It percent\n"
    "20%.\n"
    ".It address\n"
    ":8080 (every interface), 127.0.0.1:8080, [::1]:8080, unix:/path/to.sock, fd:NAME (passed by systemd).\n"
    ".It ${NAME} , ${NAME:-default} , ${file:/path}\n"
    "In any value: the environment, or a file's contents, read when the file is loaded.\n"
    ".It template\n"
    "Text with {placeholders} that are filled for each request: {client_ip} {host} {method} {scheme} {path} {query}\n"
    "{uri} {request_id} {status} {header.NAME} {cookie.NAME} {query.NAME} {env.NAME}, the captures of the route's path, and\n"
    "of the client's TLS and certificate {tls.version} {tls.cipher} {tls.server_name} {tls.subject} {tls.san} {tls.fingerprint}.\n"
    "{{ and }} are plain braces.\n"
    ".It path\n"
    "Relative ones start at the file they stand in.\n"
    ".El\n"
    ".Pp\n"
    "Anchors and merge keys work.\n"
    ".Sh KEYS\n";

static const char configuration_tail[] =
    ".Sh EXAMPLES\n"
    ".Bd -literal -offset indent\n"
    "listen:\n"
    "  - {address: \":80\"}\n"
    "upstreams:\n"
    "  api:\n"
    "    servers: [\"http://127.0.0.1:3000\", \"http://127.0.0.1:3001\"]\n"
    "    health: {path: /health}\n"
    "routes:\n"
    "  - match: {path: /health}\n"
    "    health: ready\n"
    "  - match: {path: /api/*}\n"
    "    proxy: api\n"
    "  - files: /srv/www\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr reeve 1\n";

bool
manual_format(const char *page, struct text *mdoc)
{
	if (strcmp(page, "reeve") == 0) {
		text_add_text(mdoc, command_head);
		usage_synopsis_man(mdoc);
		text_add_text(mdoc, command_description);
		usage_commands_man(mdoc);
		text_add_text(mdoc, command_tail);
		return true;
	}
	if (strcmp(page, "reeve.yaml") == 0) {
		text_add_text(mdoc, configuration_head);
		site_document_man(mdoc);
		text_add_text(mdoc, configuration_tail);
		return true;
	}
	return false;
}

/* -- messages ------------------------------------------------------------------------------------------------------ */

static const char messages_head[] =
    "# Log messages\n"
    "\n"
    "Every sentence that reeve's own processes write into the log as `msg`. What varies stands in a record's other\n"
    "fields, so a sentence can be searched for, counted and alerted on. This page is made from `src/base/messages.h`\n"
    "(`reeve help --messages`).\n"
    "\n"
    "| `msg` | level | name in the source |\n"
    "| --- | --- | --- |\n";

void
messages_format(struct text *markdown)
{
	text_add_text(markdown, messages_head);
	for (int message = 0; message < MESSAGE_COUNT; message++)
		text_format(markdown, "| %s | %s | `%s` |\n", message_text((enum message)message),
		    log_level_name(message_level((enum message)message)), message_name((enum message)message));
}
