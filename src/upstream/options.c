/* The rows of `upstreams.NAME`, and the few kinds of value that only they have. */
#include "upstream/options.h"

#include "upstream/upstreams.h"

/* -- servers ------------------------------------------------------------------------------------------------------- */

bool
server_url_parse(struct span text, struct server_url *url_out, struct err *err)
{
	url_out->text = text;
	if (!uri_server_parse(text, &url_out->parsed, err))
		return false;
	if (url_out->parsed.srv)
		return err_set(err, "srv+http:// is not supported in this version");
	return true;
}

/* Records outlive the tree that they are read from. */
static struct span
text_keep(struct option_reader *reader, const struct conf_node *node)
{
	return span_make(arena_text(reader->arena, node->text), node->text.len);
}

static bool
url_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct err err;

	if (node->kind != CONF_SCALAR)
		return option_problem(reader, node, "expected a URL, got %s", option_shown(reader, node));
	return server_url_parse(text_keep(reader, node), field, &err) ||
	    option_problem(reader, node, "%s", err.text);
}

static const struct option server_options[] = {
	OPTION_CUSTOM(struct server_options, url, .parse = url_option, .type = "URL", .required = true,
	    .doc = "`http://host:port`, `https://host:port` or `unix:/path`. A name stands for all its addresses and "
	    "is resolved again and again. A path goes before that of every request."),
	OPTION_NUMBER(struct server_options, weight, .def = "1", .min = "1", .max = "1000",
	    .doc = "Its share of the requests, next to that of the others."),
	OPTION_FLAG(struct server_options, backup, .def = "false",
	    .doc = "Used only when no other server is available."),
	OPTION_END
};

static const struct option_group server_group = {
	.name = "server", .rows = server_options, .size = sizeof(struct server_options), .short_key = "url",
	.doc = "One server behind.",
};

static const struct option resolve_options[] = {
	OPTION_DURATION(struct resolve_options, interval, .def = "10s", .min = "100ms", .max = "1d",
	    .doc = "How often the servers' names are resolved again. Addresses that stay keep their state."),
	OPTION_END
};

static const struct option_group resolve_group = {
	.name = "resolve", .rows = resolve_options, .size = sizeof(struct resolve_options), .short_key = "interval",
};

/* -- choosing ------------------------------------------------------------------------------------------------------ */

#define DEFAULT_HASH_KEY "{client_ip}"

static const struct option_word balance_words[] = {
	{ "round_robin",	BALANCE_ROUND_ROBIN },
	{ "least_requests",	BALANCE_LEAST_REQUESTS },
	{ "random_two",		BALANCE_RANDOM_TWO },
	{ "hash",		BALANCE_HASH },
	{ NULL, 0 },
};

static const char *
environment_look(const void *owner, const char *name)
{
	return conf_environment(owner, name);
}

/* As route/'s templates, but outside of any route: there are no captures. */
static bool
hash_key_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct template_names names = { .env = environment_look, .env_owner = reader->conf };
	struct err err;

	if (node->kind != CONF_SCALAR)
		return option_problem(reader, node, "expected a template, got %s", option_shown(reader, node));
	return template_parse(node->text, &names, reader->arena, field, &err) ||
	    option_problem(reader, node, "%s", err.text);
}

/* -- agents -------------------------------------------------------------------------------------------------------- */

static const struct option agent_options[] = {
	OPTION_NUMBER(struct agent_limits, max_sockets, .def = "256", .min = "1", .max = "65535",
	    .doc = "Sockets to one server, per worker, with a request each; with `protocol: h2` as many on each as the "
	    "server allows, at most 128. Requests beyond that wait in the queue."),
	OPTION_NUMBER(struct agent_limits, max_free_sockets, .def = "256", .min = "0", .max = "65535",
	    .doc = "Of those, how many are kept open while no request needs them."),
	OPTION_DURATION(struct agent_limits, idle_timeout, .def = "50s", .min = "0s", .max = "1d",
	    .doc = "How long a free socket is kept; less when the server's `Keep-Alive` says so. `0s`: until it is "
	    "closed."),
	OPTION_NUMBER(struct agent_limits, max_requests, .def = "0", .min = "0", .max = "1000000000",
	    .doc = "Requests on one socket, or HTTP/2 connection, before it is replaced. 0: no limit."),
	OPTION_DURATION(struct agent_limits, max_age, .def = "0s", .min = "0s", .max = "365d",
	    .doc = "Age at which a socket is replaced once its request is done. `0s`: no limit."),
	OPTION_END
};

static const struct option_group agent_group = {
	.name = "agent", .rows = agent_options, .size = sizeof(struct agent_limits),
	.doc = "The keep-alive sockets to each server. They belong to the worker and outlive a reload. With "
	    "`protocol: h2` these limits count connections, each of many requests.",
};

static const struct option_word protocol_words[] = {
	{ "http/1.1",	UPSTREAM_HTTP1 },
	{ "h2",		UPSTREAM_H2 },
	{ NULL, 0 },
};

/* -- timeouts ------------------------------------------------------------------------------------------------------ */

#define CONNECT_DOC \
	"Until a socket is connected and, with `https://`, TLS is agreed on. `0s`: no limit, as for all of them."
#define RESPONSE_DOC "From the end of the request to the head of the response."
#define IDLE_DOC \
	"Between two pieces of a response, of a request that is being sent, or of a tunnel in either direction."

static const struct option timeouts_options[] = {
	OPTION_DURATION(struct upstream_timeouts, connect, .def = "2s", .min = "0s", .max = "1d", .doc = CONNECT_DOC),
	OPTION_DURATION(struct upstream_timeouts, response, .def = "60s", .min = "0s", .max = "1d",
	    .doc = RESPONSE_DOC),
	OPTION_DURATION(struct upstream_timeouts, idle, .def = "60s", .min = "0s", .max = "1d", .doc = IDLE_DOC),
	OPTION_END
};

static const struct option_group timeouts_group = {
	.name = "timeouts", .rows = timeouts_options, .size = sizeof(struct upstream_timeouts),
};

#define GIVEN(field) .present = OPTION_PRESENT(struct upstream_timeouts, field)
static const struct option timeouts_override_options[] = {
	OPTION_DURATION(struct upstream_timeouts, connect, .min = "0s", .max = "1d", GIVEN(has_connect),
	    .doc = CONNECT_DOC),
	OPTION_DURATION(struct upstream_timeouts, response, .min = "0s", .max = "1d", GIVEN(has_response),
	    .doc = RESPONSE_DOC),
	OPTION_DURATION(struct upstream_timeouts, idle, .min = "0s", .max = "1d", GIVEN(has_idle), .doc = IDLE_DOC),
	OPTION_END
};

const struct option_group timeouts_override_group = {
	.name = "timeouts", .rows = timeouts_override_options, .size = sizeof(struct upstream_timeouts),
	.doc = "Instead of the upstream's.",
};

/* -- what happens when it fails ------------------------------------------------------------------------------------ */

static const struct option queue_options[] = {
	OPTION_NUMBER(struct queue_options, size, .def = "1024", .min = "0", .max = "1000000",
	    .doc = "Requests that may wait for a socket, per worker, first come first served. More are answered with "
	    "503."),
	OPTION_DURATION(struct queue_options, timeout, .def = "5s", .min = "0s", .max = "1h",
	    .doc = "How long one waits before it is answered with 503."),
	OPTION_END
};

static const struct option_group queue_group = {
	.name = "queue", .rows = queue_options, .size = sizeof(struct queue_options),
};

static const struct option_word cause_words[] = {
	{ "connect",	RETRY_CONNECT },
	{ "reset",	RETRY_RESET },
	{ "timeout",	RETRY_TIMEOUT },
	{ "502",	RETRY_502 },
	{ "503",	RETRY_503 },
	{ "504",	RETRY_504 },
	{ NULL, 0 },
};

static bool
cause_read(struct option_reader *reader, const struct conf_node *node, uint32_t *causes_io)
{
	if (node->kind == CONF_SCALAR) {
		for (const struct option_word *word = cause_words; word->word != NULL; word++) {
			if (span_is(node->text, word->word)) {
				*causes_io |= (uint32_t)word->value;
				return true;
			}
		}
	}
	return option_problem(reader, node, "expected connect, reset, timeout, 502, 503 or 504, got %s",
	    option_shown(reader, node));
}

/* A list, or one cause. */
static bool
causes_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	uint32_t *causes = field;
	bool is_good = true;
	size_t index = 0;

	*causes = 0;
	if (node->kind != CONF_LIST)
		return cause_read(reader, node, causes);
	for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
		option_enter_index(reader, index++);
		is_good &= cause_read(reader, child, causes);
		option_leave(reader);
	}
	return is_good;
}

static const struct option retry_options[] = {
	OPTION_NUMBER(struct retry_options, attempts, .def = "1", .min = "0", .max = "10",
	    .doc = "Tries after the first, each on a server that was not tried yet while there is one. 0: never."),
	OPTION_CUSTOM(struct retry_options, on, .parse = causes_option, .type = "list of causes",
	    .def = "[connect, reset, 502, 503, 504]",
	    .doc = "`connect`, `reset`, `timeout`, or a status that the server answered: 502, 503, 504."),
	OPTION_FLAG(struct retry_options, non_idempotent, .def = "false",
	    .doc = "Also requests such as POST that the server may have begun to carry out."),
	OPTION_PERCENT(struct retry_options, budget, .def = "20%",
	    .doc = "Retries among all requests of the last ten seconds; ten are always allowed unless it is `0%`."),
	OPTION_END
};

static const struct option_group retry_group = {
	.name = "retry", .rows = retry_options, .size = sizeof(struct retry_options), .short_key = "attempts",
	.doc = "Only while no byte of the response has reached the client, and only when the request can be sent "
	    "again.",
};

static bool
range_read(struct option_reader *reader, const struct conf_node *node, struct status_ranges *ranges)
{
	struct span rest = node->text, from, to;
	uint64_t first, last;

	if (ranges->count == STATUS_RANGES_MAX)
		return option_problem(reader, node, "at most %d ranges", STATUS_RANGES_MAX);
	if (node->kind != CONF_SCALAR || !span_cut(&rest, '-', &from) || !span_to_number(span_trim(from), 599, &first))
		return option_problem(reader, node, "expected a status (200) or a range (200-299), got %s",
		    option_shown(reader, node));
	to = rest.len > 0 ? rest : from;
	if (!span_to_number(span_trim(to), 599, &last) || first < 100 || last < first)
		return option_problem(reader, node, "expected a status (200) or a range (200-299), got %s",
		    option_shown(reader, node));
	ranges->items[ranges->count].from = (uint16_t)first;
	ranges->items[ranges->count++].to = (uint16_t)last;
	return true;
}

static bool
ranges_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct status_ranges *ranges = field;
	bool is_good = true;
	size_t index = 0;

	ranges->count = 0;
	if (node->kind != CONF_LIST)
		return range_read(reader, node, ranges);
	for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
		option_enter_index(reader, index++);
		is_good &= range_read(reader, child, ranges);
		option_leave(reader);
	}
	return is_good;
}

bool
status_ranges_hold(const struct status_ranges *ranges, unsigned status)
{
	for (unsigned i = 0; i < ranges->count; i++) {
		if (status >= ranges->items[i].from && status <= ranges->items[i].to)
			return true;
	}
	return false;
}

/* It goes into a request line as it is. */
static bool
probe_path_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct uri_target target;

	if (node->kind != CONF_SCALAR || node->text.len == 0 || node->text.at[0] != '/' ||
	    !uri_target_parse(node->text, &target))
		return option_problem(reader, node, "expected a path such as /health, got %s",
		    option_shown(reader, node));
	*(struct span *)field = text_keep(reader, node);
	return true;
}

static const struct option health_options[] = {
	OPTION_CUSTOM(struct health_options, path, .parse = probe_path_option, .type = "path", .required = true,
	    .doc = "What one worker asks each server for, with GET, on behalf of all. The path of a server's URL is "
	    "not added."),
	OPTION_DURATION(struct health_options, interval, .def = "5s", .min = "100ms", .max = "1d",
	    .doc = "Between two probes of a server."),
	OPTION_DURATION(struct health_options, timeout, .def = "1s", .min = "10ms", .max = "1h",
	    .doc = "For a whole probe."),
	OPTION_NUMBER(struct health_options, rise, .def = "2", .min = "1", .max = "100",
	    .doc = "Good probes in a row until a server that was down is up."),
	OPTION_NUMBER(struct health_options, fall, .def = "3", .min = "1", .max = "100",
	    .doc = "Bad probes in a row until a server that was up is down. The very first probe decides at once."),
	OPTION_CUSTOM(struct health_options, status, .parse = ranges_option, .type = "status, range or list of them",
	    .def = "200-299", .doc = "What a good answer is."),
	OPTION_END
};

static const struct option_group health_group = {
	.name = "health", .rows = health_options, .size = sizeof(struct health_options), .short_key = "path",
	.doc = "Active health checks. Without `path` there are none.",
};

static const struct option eject_options[] = {
	OPTION_NUMBER(struct eject_options, failures, .def = "5", .min = "0", .max = "100000",
	    .doc = "Failed tries (no connection, reset, timeout, broken answer, 502, 503, 504) within `within`, and at "
	    "least half of all, after which a worker leaves a server out. 0: never."),
	OPTION_DURATION(struct eject_options, within, .def = "10s", .min = "100ms", .max = "1d",
	    .doc = "Counted from the first of them."),
	OPTION_DURATION(struct eject_options, duration, OPTION_AS("for"), .def = "10s", .min = "100ms", .max = "1d",
	    .doc = "Then a single request tries it: when that succeeds it is back."),
	OPTION_END
};

static const struct option_group eject_group = {
	.name = "eject", .rows = eject_options, .size = sizeof(struct eject_options), .short_key = "failures",
	.doc = "The circuit breaker of each server. Unless this key is given, the last server left is never ejected.",
};

/* -- an upstream --------------------------------------------------------------------------------------------------- */

bool
upstream_has_tls(const struct upstream_options *options)
{
	const struct server_options *servers = options->servers.items;

	for (size_t i = 0; i < options->servers.count; i++) {
		if (servers[i].url.parsed.tls)
			return true;
	}
	return false;
}

static bool
upstream_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	const struct upstream_options *options = record;
	const struct conf_node *key = conf_get(node, "hash_key");

	if (conf_get(node, "tls") != NULL && !upstream_has_tls(options))
		option_warning_at(reader, node, "tls", "has no effect: no server's URL starts with https://");
	if (key != NULL && options->balance != BALANCE_HASH && !span_is(options->hash_key.text, DEFAULT_HASH_KEY))
		option_warning(reader, key, "hash_key has no effect without `balance: hash`");
	return true;
}

static const struct option upstream_rows[] = {
	OPTION_RECORDS(struct upstream_options, servers, .group = &server_group, .required = true, .min = "1",
	    .max = "1000", .doc = "URLs, or maps with `url`, `weight`, `backup`."),
	OPTION_GROUP(struct upstream_options, resolve, .group = &resolve_group, .doc = "Resolving names."),
	OPTION_CHOICE(struct upstream_options, balance, .def = "least_requests", .words = balance_words,
	    .doc = "`round_robin` by weight; `least_requests`: fewest in flight from this worker, by weight; "
	    "`random_two`: the less busy of two picked at random; `hash`: the same key goes to the same server, and "
	    "servers that come or go move only their own share."),
	OPTION_CUSTOM(struct upstream_options, hash_key, .parse = hash_key_option, .type = "template",
	    .def = DEFAULT_HASH_KEY, .doc = "For `balance: hash`."),
	OPTION_GROUP(struct upstream_options, agent, .group = &agent_group, .doc = "Keep-alive sockets, per worker."),
	OPTION_CHOICE(struct upstream_options, protocol, .def = "http/1.1", .words = protocol_words,
	    .doc = "What the servers speak. `h2`: servers with `https://` must agree to it (ALPN), others must expect "
	    "HTTP/2 from the first byte. A route with `websocket: true` needs `http/1.1`: an upgrade gets 501 here."),
	OPTION_GROUP(struct upstream_options, timeouts, .group = &timeouts_group, .doc = "How long we wait."),
	OPTION_GROUP(struct upstream_options, queue, .group = &queue_group, .doc = "When every server is busy."),
	OPTION_GROUP(struct upstream_options, retry, .group = &retry_group, .doc = "Trying again."),
	OPTION_GROUP(struct upstream_options, health, .group = &health_group,
	    .present = OPTION_PRESENT(struct upstream_options, has_health), .doc = "Active health checks."),
	OPTION_GROUP(struct upstream_options, eject, .group = &eject_group,
	    .present = OPTION_PRESENT(struct upstream_options, has_eject), .doc = "Leaving out servers that fail."),
	OPTION_DURATION(struct upstream_options, slow_start, .def = "0s", .min = "0s", .max = "1h",
	    .doc = "How long a server that comes back takes to get its full share (not with `hash`)."),
	OPTION_GROUP(struct upstream_options, tls, .group = &tls_client_group,
	    .doc = "For servers with `https://`, which are verified unless this says otherwise."),
	OPTION_END
};

const struct option_group upstream_group = {
	.name = "upstream", .rows = upstream_rows, .size = sizeof(struct upstream_options), .check = upstream_check,
	.doc = "Servers that something else runs.",
};
