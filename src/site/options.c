/*
 * The one table of top-level keys, and those of the small maps below it.
 */
#include "site/options.h"

#include "base/count.h"
#include "route/stage.h"
#include "upstream/upstreams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- listen -------------------------------------------------------------------------------------------------------- */

static const struct span unix_prefix = SPAN("unix:");

static struct span
address_path(struct span address)
{
	return span_starts_with(address, unix_prefix) ? span_skip(address, unix_prefix.len) : span_make("", 0);
}

/* A relative path starts at the file it stands in, like all others. */
static bool
unix_path_resolve(struct option_reader *reader, const struct conf_node *node, struct span *address_out)
{
	static const struct option row = { .key = "address", .kind = OPTION_KIND_PATH };
	struct conf_node path = *node;
	struct span absolute;

	*address_out = node->text;
	path.text = address_path(node->text);
	if (path.text.len == 0)
		return true;
	if (!option_read_value(reader, &row, &path, &absolute))
		return false;
	*address_out = arena_join(reader->arena, unix_prefix, absolute);
	return true;
}

static bool
endpoint_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct span address;
	struct err err;

	if (node->kind != CONF_SCALAR)
		return option_problem(reader, node, "expected an address such as :8080 or unix:/run/site.sock");
	if (strstr(node->text.at, "://") != NULL)
		return option_problem(reader, node, "an address has no scheme: write :8443, and add tls where it is "
		    "https");
	if (!unix_path_resolve(reader, node, &address))
		return false;
	return endpoint_parse(address, field, &err) || option_problem(reader, node, "%s", err.text);
}

/* As others call them. */
static const struct {
	struct span	 alias;
	const char	*protocol;
} protocol_aliases[] = {
	{ SPAN("http/2"), "h2" }, { SPAN("http2"), "h2" }, { SPAN("h2"), "h2" }, { SPAN("h2c"), "h2c" },
	{ SPAN("http/1"), "http/1.1" }, { SPAN("http/1.1"), "http/1.1" }, { SPAN("http/1.0"), "http/1.1" },
	{ SPAN("http1"), "http/1.1" }, { SPAN("http1.1"), "http/1.1" }, { SPAN("h1"), "http/1.1" },
	{ SPAN("http"), "http/1.1" },
};

static bool
protocol_problem(struct option_reader *reader, const struct conf_node *node, struct span given)
{
	for (size_t i = 0; i < COUNT(protocol_aliases); i++)
		if (span_equal_nocase(given, protocol_aliases[i].alias))
			return option_problem(reader, node, "unknown protocol \"%s\": here it is called %s", given.at,
			    protocol_aliases[i].protocol);
	return option_problem(reader, node, "unknown protocol \"%s\": known are h2, http/1.1 and h2c", given.at);
}

static bool
protocols_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const struct option row = { .key = "protocols", .kind = OPTION_KIND_TEXTS, .min = "1" };
	struct conf_texts *protocols = field;

	if (!option_read_value(reader, &row, node, protocols))
		return false;
	for (size_t i = 0; i < protocols->count; i++) {
		struct span protocol = protocols->items[i];

		if (!span_is(protocol, "http/1.1") && !span_is(protocol, "h2") && !span_is(protocol, "h2c"))
			return protocol_problem(reader, node, protocol);
		for (size_t j = 0; j < i; j++)
			if (span_equal(protocols->items[j], protocol))
				return option_problem(reader, node, "%s is listed twice", protocol.at);
	}
	return true;
}

static const struct option listen_options[] = {
	OPTION_CUSTOM(struct listen_options, address, .parse = endpoint_option, .path = address_path,
	    .type = "address", .required = true,
	    .doc = "`:8080` (every interface, IPv6 and IPv4), `127.0.0.1:8080`, `[::1]:8080`, `unix:/path/to.sock`, or "
	    "`fd:NAME`, a socket passed by systemd."),
	OPTION_GROUP(struct listen_options, tls, .group = &tls_listen_group,
	    .present = OPTION_PRESENT(struct listen_options, has_tls), .doc = "Makes it https: certificates, and what "
	    "goes with them. Without this key it is http."),
	OPTION_CUSTOM(struct listen_options, protocols, .parse = protocols_option, .type = "list",
	    .doc = "Protocols spoken on this address, the best first. With `tls`: `h2`, `http/1.1` (ALPN); default: "
	    "`[h2, http/1.1]`. Without: `http/1.1`, the default, and `h2c`, HTTP/2 for clients that begin with it."),
	OPTION_FLAG(struct listen_options, proxy_protocol, .def = "false",
	    .doc = "Every connection begins with a PROXY header, version 1 or 2; only from `trusted_proxies`, "
	    "others are "
	    "closed."),
	OPTION_NUMBER(struct listen_options, backlog, .def = "4096", .min = "1", .max = "65535",
	    .doc = "Connections that wait to be accepted; the kernel's `somaxconn` bounds it too."),
	OPTION_FLAG(struct listen_options, reuse_port, .def = "false",
	    .doc = "One socket for each worker (SO_REUSEPORT) instead of one that all share."),
	OPTION_END
};

bool
listen_speaks(const struct listen_options *listen, const char *protocol)
{
	for (size_t i = 0; i < listen->protocols.count; i++)
		if (span_is(listen->protocols.items[i], protocol))
			return true;
	return false;
}

static bool
protocols_misfit(struct option_reader *reader, const struct conf_node *node, const char *why)
{
	option_enter(reader, "protocols");
	option_problem(reader, conf_get(node, "protocols"), "%s", why);
	option_leave(reader);
	return false;
}

/* What TLS has to do with it. */
static bool
protocols_check(struct option_reader *reader, const struct conf_node *node, struct listen_options *listen)
{
	static struct span with_tls[] = { SPAN("h2"), SPAN("http/1.1") };

	if (listen->protocols.count == 0)
		listen->protocols = listen->has_tls ? (struct conf_texts){ with_tls, 2 } :
		    (struct conf_texts){ &with_tls[1], 1 };
	if (listen->has_tls && listen_speaks(listen, "h2c"))
		return protocols_misfit(reader, node, "h2c is HTTP/2 in the clear: with tls it is called h2");
	if (!listen->has_tls && listen_speaks(listen, "h2"))
		return protocols_misfit(reader, node, "h2 needs tls; HTTP/2 in the clear is called h2c");
	return true;
}

static bool
listen_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	struct listen_options *listen = record;

	if (!protocols_check(reader, node, listen))
		return false;
	if (listen->reuse_port && listen->address.kind != ENDPOINT_INTERNET)
		return option_problem(reader, node, "reuse_port needs an internet address");
	return true;
}

static const struct option_group listen_group = {
	.name = "listen",
	.rows = listen_options,
	.size = sizeof(struct listen_options),
	.short_key = "address",
	.check = listen_check,
	.doc = "Addresses to listen on.",
};

/* -- log ----------------------------------------------------------------------------------------------------------- */

static const struct option_word log_levels[] = {
	{ "trace", LOG_TRACE }, { "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warn", LOG_WARN },
	{ "error", LOG_ERROR }, { "fatal", LOG_FATAL }, { "silent", LOG_SILENT }, { NULL, 0 },
};

static const struct option_word log_formats[] = {
	{ "json", LOG_FORMAT_JSON }, { "pretty", LOG_FORMAT_PRETTY }, { "auto", LOG_FORMAT_AUTO }, { NULL, 0 },
};

static bool
is_standard_output(struct span value)
{
	return span_is(value, "stderr") || span_is(value, "stdout");
}

static struct span
log_output_path(struct span value)
{
	return is_standard_output(value) ? span_make("", 0) : value;
}

/* "stderr" and "stdout" are themselves, anything else is a file. */
static bool
log_output_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const struct option row = { .key = "output", .kind = OPTION_KIND_PATH };
	struct span *output = field;

	if (node->kind == CONF_SCALAR && is_standard_output(node->text)) {
		*output = arena_copy(reader->arena, span_make(node->text.at, node->text.len + 1));
		output->len--;
		return true;
	}
	return option_read_value(reader, &row, node, field);
}

static const struct option log_options_rows[] = {
	OPTION_CHOICE(struct log_options, level, .def = "info", .words = log_levels,
	    .doc = "Less important records are not written."),
	OPTION_CHOICE(struct log_options, format, .def = "auto", .words = log_formats,
	    .doc = "`json`: one object a line; `pretty`: for people; `auto`: pretty when the output is a terminal."),
	OPTION_CUSTOM(struct log_options, output, .parse = log_output_option, .path = log_output_path,
	    .type = "stderr, stdout or path", .def = "stderr", .doc = "Where records go."),
	OPTION_FLAG(struct log_options, access, .def = "true", .doc = "One record for each request."),
	OPTION_TEXTS(struct log_options, redact,
	    .def = "[authorization, cookie, set-cookie, proxy-authorization, x-api-key]",
	    .doc = "Header, cookie and query names whose values never appear."),
	OPTION_PERCENT(struct log_options, sample, .def = "100%",
	    .doc = "Share of requests that are logged; answers of 500 and above always are."),
	OPTION_END
};

static const struct option_group log_group = {
	.name = "log",
	.rows = log_options_rows,
	.size = sizeof(struct log_options),
	.doc = "What is logged, how and where.",
};

/* -- shutdown, watchdog -------------------------------------------------------------------------------------------- */

static const struct option shutdown_rows[] = {
	OPTION_DURATION(struct shutdown_options, delay, .def = "0s", .max = "1h",
	    .doc = "`health: ready` answers 503 for so long while everything is still served."),
	OPTION_DURATION(struct shutdown_options, grace, .def = "25s", .max = "24h",
	    .doc = "How long requests in flight may take; then they are cut."),
	OPTION_DURATION(struct shutdown_options, idle, .def = "2s", .max = "1h",
	    .doc = "How long an idle keep-alive connection may still bring one more request."),
	OPTION_DURATION(struct shutdown_options, spread, .def = "5s", .max = "1h",
	    .doc = "Over which long-lived connections are ended."),
	OPTION_END
};

static const struct option_group shutdown_group = {
	.name = "shutdown",
	.rows = shutdown_rows,
	.size = sizeof(struct shutdown_options),
	.doc = "How reeve stops.",
};

static const struct option watchdog_rows[] = {
	OPTION_DURATION(struct watchdog_options, timeout, .def = "10s", .max = "1h",
	    .doc = "A worker whose loop has not turned for so long is aborted and replaced. `0s`: never."),
	OPTION_END
};

static const struct option_group watchdog_group = {
	.name = "watchdog",
	.rows = watchdog_rows,
	.size = sizeof(struct watchdog_options),
	.doc = "Hung workers.",
};

/* -- the top level ------------------------------------------------------------------------------------------------- */

static bool
workers_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const struct option row = { .key = "workers", .kind = OPTION_KIND_NUMBER, .min = "1", .max = "1024" };
	uint64_t *workers = field;

	if (node->kind == CONF_SCALAR && span_is(node->text, "auto")) {
		*workers = WORKERS_AUTO;
		return true;
	}
	return option_read_value(reader, &row, node, field);
}

/* Keys that are read elsewhere: by the loader, or by site.c. */
static bool
elsewhere_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	(void)reader;
	(void)node;
	(void)field;
	return true;
}

static struct span
whole_path(struct span value)
{
	return value;
}

static const struct option site_rows[] = {
	OPTION_CUSTOM(struct site_options, workers, .parse = workers_option, .type = "`auto` or 1–1024", .def = "auto",
	    .doc = "Worker processes; `auto`: CPUs in the affinity mask, less any cgroup quota."),
	OPTION_TEXT(struct site_options, user, .doc = "Who workers run as when reeve is started as root."),
	OPTION_TEXT(struct site_options, group, .doc = "Their group; default: the user's own."),
	OPTION_PATH(struct site_options, pid_file, .doc = "Written by the primary, removed at its end."),
	OPTION_PATH(struct site_options, control,
	    .doc = "Unix socket that `reeve status`, `reload`, … speak to, mode 0600. Default: "
	    "`$RUNTIME_DIRECTORY/control.sock`, else `/run/reeve/control.sock` as root, else "
	    "`$XDG_RUNTIME_DIR/reeve.sock`, else `/tmp/reeve-UID.sock`."),
	OPTION_PATH(struct site_options, state_dir,
	    .doc = "Crash reports and saved state. Default: `$STATE_DIRECTORY`, else `/var/lib/reeve` as root, "
	    "else beside "
	    "the configuration."),
	{ .key = "env_file", .kind = OPTION_KIND_CUSTOM, .parse = elsewhere_option, .path = whole_path,
	  .type = "path or list", .doc = "KEY=VALUE lines, read before `${…}` is expanded; the real environment wins." },
	{ .key = "include", .kind = OPTION_KIND_CUSTOM, .parse = elsewhere_option, .type = "list of globs",
	  .doc = "Files whose maps merge in and whose routes come after, in the order of their names." },
	OPTION_CUSTOM(struct site_options, trusted_proxies, .parse = networks_option, .type = "CIDR or list",
	    .doc = "Peers whose `X-Forwarded-For`, `Forwarded`, `X-Request-Id` and PROXY header are believed; "
	    "`Forwarded` only where there is no `X-Forwarded-For`."),
	OPTION_RECORDS(struct site_options, listen, .group = &listen_group, .required = true,
	    .doc = "Addresses to listen on, at least one."),
	{ .key = "defaults", .kind = OPTION_KIND_CUSTOM, .parse = elsewhere_option, .type = "map of policies",
	  .doc = "Policies that every route starts from; a route's own key replaces one, `off` removes it." },
	{ .key = "routes", .kind = OPTION_KIND_CUSTOM, .parse = elsewhere_option, .type = "list", .required = true,
	  .doc = "The first route whose `match` fits serves the request." },
	OPTION_NAMED(struct site_options, upstreams, .group = &upstream_group,
	    .doc = "Servers that something else runs, by name."),
	OPTION_REFUSED("apps", .doc = "Processes that reeve starts and keeps alive."),
	OPTION_REFUSED("stores", .doc = "Memory that workers, and machines, share."),
	OPTION_GROUP(struct site_options, limits, .group = &limits_group, .doc = "Limits of clients."),
	OPTION_GROUP(struct site_options, log, .group = &log_group, .doc = "The log."),
	OPTION_GROUP(struct site_options, shutdown, .group = &shutdown_group, .doc = "The end."),
	OPTION_GROUP(struct site_options, watchdog, .group = &watchdog_group, .doc = "Hung workers."),
	OPTION_END
};

/* The directory of the main configuration file. */
static struct span
directory_of(const struct conf *conf)
{
	struct span path = span_text(conf_path(conf));
	size_t slash = span_find_last(path, '/');

	return slash == path.len ? SPAN_OF(".") : span_first(path, slash > 0 ? slash : 1);
}

static struct span
state_dir_default(const struct option_reader *reader)
{
	const char *given = getenv("STATE_DIRECTORY");

	if (given && *given)
		return span_text(arena_text(reader->arena, span_first(span_text(given),
		    span_find(span_text(given), ':'))));
	if (geteuid() == 0)
		return SPAN_OF("/var/lib/reeve");
	return span_text(arena_text(reader->arena, directory_of(reader->conf)));
}

static bool
listen_twice(struct option_reader *reader, const struct conf_node *node, const struct site_options *options)
{
	const struct listen_options *listen = options->listen.items;
	char text[128];

	for (size_t i = 0; i < options->listen.count; i++)
		for (size_t j = 0; j < i; j++)
			if (endpoint_equal(&listen[i].address, &listen[j].address)) {
				endpoint_format(&listen[i].address, text);
				option_enter(reader, "listen");
				option_problem(reader, conf_get(node, "listen"), "%s is listed twice", text);
				option_leave(reader);
				return true;
			}
	return false;
}

static bool
site_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	struct site_options *options = record;
	char control[108];

	if (options->listen.count == 0)
		return option_problem(reader, node, "listen needs at least one address");
	if (listen_twice(reader, node, options))
		return false;
	if (options->control.len == 0) {
		control_path_default(control);
		options->control = span_text(arena_text(reader->arena, span_text(control)));
	}
	if (options->control.len >= sizeof(control))
		return option_problem(reader, conf_get(node, "control"), "a unix socket's path may have 107 "
		    "bytes at most");
	if (options->state_dir.len == 0)
		options->state_dir = state_dir_default(reader);
	return true;
}

const struct option_group site_group = {
	.name = "reeve.yaml",
	.rows = site_rows,
	.size = sizeof(struct site_options),
	.check = site_check,
	.doc = "The top level.",
};

void
control_path_default(char to[108])
{
	const char *runtime = getenv("RUNTIME_DIRECTORY"), *xdg = getenv("XDG_RUNTIME_DIR");

	if (runtime && *runtime)
		snprintf(to, 108, "%.*s/control.sock", (int)span_find(span_text(runtime), ':'), runtime);
	else if (geteuid() == 0)
		snprintf(to, 108, "/run/reeve/control.sock");
	else if (xdg && *xdg)
		snprintf(to, 108, "%s/reeve.sock", xdg);
	else
		snprintf(to, 108, "/tmp/reeve-%u.sock", (unsigned)geteuid());
}
