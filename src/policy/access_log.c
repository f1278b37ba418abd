/*
 * log: one record for each request, when it is over (docs/operations.md, "Logs").
 *
 * It is on the way of every request, so it asks for no memory and makes no system call: one line buffer for the
 * process, and the record's beginning is kept for all lines of the same millisecond. Text from outside is cut at a
 * bound, so that a client cannot fill the log with one request.
 */
#include "policy/policies.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/hash.h"
#include "base/log.h"
#include "loop/loop.h"
#include "policy/redact.h"
#include "request/client.h"

#define SHORT_MAX 256		/* bytes of host, address, upstream, id, method */
#define LONG_MAX_BYTES 2048	/* bytes of path, query, user agent, an operator's field */
#define HEAD_MAX 256
#define STATUS_CLIENT_GONE 499	/* what nginx logs when the client left before an answer: never on the wire */

struct log_field_template {
	struct span	name;	/* `,"name":` */
	struct template	value;
	bool		has_query;
};

struct log_fields {
	struct log_field_template	*items;	/* arena */
	size_t				 count;
};

struct access_log {
	bool			enabled;
	struct log_fields	fields;

	/* Built. */
	bool			 is_on;
	const struct loop	*loop;	/* borrowed; NULL: ask the clock */
	struct conf_texts	 redact;
	uint64_t		 sample;
	struct span		 route;	/* `,"route":"…"`, or empty */
};

static struct span default_redact_names[] = {
	SPAN("authorization"), SPAN("cookie"), SPAN("set-cookie"), SPAN("proxy-authorization"), SPAN("x-api-key"),
};

static const struct access_log_options default_options = {
	.access = true,
	.redact = { default_redact_names, COUNT(default_redact_names) },
	.sample = 100,
};

/* The line that is being written; kept, so that only the longest ever asked for memory. */
static struct text line;

/* The beginning that all records of one millisecond and level share. */
static struct {
	uint64_t	wall_ms;
	enum log_level	level;
	size_t		len;
	char		bytes[HEAD_MAX];
} head;

/* -- pieces ------------------------------------------------------------------------------------------------------- */

static void
line_begin(enum log_level level, uint64_t wall_ms)
{
	text_clear(&line);
	if (head.len != 0 && head.wall_ms == wall_ms && head.level == level) {
		text_add(&line, span_make(head.bytes, head.len));
		return;
	}
	log_open_record(&line, level, wall_ms, span_text(message_text(MSG_REQUEST)));
	head.len = 0;
	if (line.len > sizeof(head.bytes))
		return;
	memcpy(head.bytes, line.bytes, line.len);
	head.wall_ms = wall_ms;
	head.level = level;
	head.len = line.len;
}

/* key with its comma and colon: `,"host":`. */
static void
add_text(struct span key, struct span value, size_t max)
{
	text_add(&line, key);
	text_json_string(&line, span_first(value, max));
}

static void
add_number(struct span key, uint64_t value)
{
	text_add(&line, key);
	text_add_number(&line, value);
}

/* Milliseconds with three decimals. */
static void
add_duration(struct span key, uint64_t duration_ns)
{
	uint64_t us = duration_ns / 1000;
	char decimals[4] = { '.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10) };

	add_number(key, us / 1000);
	text_add(&line, span_make(decimals, sizeof(decimals)));
}

/* {query} and {uri} are filled from a query without secrets; the request's own comes back at once. */
static struct span
field_fill(const struct access_log *policy, const struct log_field_template *field, struct request *request)
{
	struct span query = request->query, filled;

	if (field->has_query)
		request->query = redact_query(&policy->redact, query, request->arena);
	filled = template_fill(&field->value, request);
	request->query = query;
	return filled;
}

static void
add_upstream(const struct request *request)
{
	add_text(SPAN_OF(",\"upstream\":"), request->upstream, SHORT_MAX);
	add_number(SPAN_OF(",\"upstream_ms\":"), request->upstream_ms);
	add_number(SPAN_OF(",\"retries\":"), request->retries);
}

/* -- the record --------------------------------------------------------------------------------------------------- */

static void
add_request(const struct access_log *policy, struct request *request)
{
	if (request->request_id.len > 0)
		add_text(SPAN_OF(",\"request_id\":"), request->request_id, SHORT_MAX);
	add_text(SPAN_OF(",\"client_ip\":"), request->client_ip, SHORT_MAX);
	add_text(SPAN_OF(",\"method\":"), request->method_name, SHORT_MAX);
	add_text(SPAN_OF(",\"host\":"), request->host, SHORT_MAX);
	add_text(SPAN_OF(",\"path\":"), request->path, LONG_MAX_BYTES);
	if (request->query.len > 0)
		add_text(SPAN_OF(",\"query\":"), redact_query(&policy->redact, request->query, request->arena),
		    LONG_MAX_BYTES);
}

/* What was refused before it had a route is timed by the loop's clock alone. */
static void
add_time(const struct access_log *policy, const struct request *request)
{
	if (request->routed_ns != 0)
		add_duration(SPAN_OF(",\"duration_ms\":"), clock_ns() - request->routed_ns);
	else
		add_number(SPAN_OF(",\"duration_ms\":"),
		    (policy->loop ? loop_now_ms(policy->loop) : clock_ms()) - request->started_ms);
}

static void
add_outcome(const struct access_log *policy, const struct request *request, unsigned status)
{
	add_number(SPAN_OF(",\"status\":"), status);
	if (request->state == REQUEST_ABORTED)
		text_add(&line, SPAN_OF(",\"aborted\":true"));
	add_number(SPAN_OF(",\"bytes_in\":"), request->bytes_in);
	add_number(SPAN_OF(",\"bytes_out\":"), request->bytes_out);
	add_time(policy, request);
	if (request->upstream.len > 0)
		add_upstream(request);
	if (request->why != NULL)
		add_text(SPAN_OF(",\"error\":"), span_text(request->why), LONG_MAX_BYTES);
}

static void
add_connection(const struct access_log *policy, const struct request *request)
{
	add_text(SPAN_OF(",\"protocol\":"), span_text(request->transport->name), SHORT_MAX);
	if (client_is_tls(request->client))
		add_text(SPAN_OF(",\"tls\":"), request->client->tls->version, SHORT_MAX);
	if (fields_have(&request->fields, FIELD_USER_AGENT))
		add_text(SPAN_OF(",\"user_agent\":"), fields_value(&request->fields, FIELD_USER_AGENT), LONG_MAX_BYTES);
	text_add(&line, policy->route);
}

static unsigned
status_to_log(const struct request *request)
{
	return request->response.status != 0 ? request->response.status : STATUS_CLIENT_GONE;
}

static bool
is_wanted(const struct access_log *policy, unsigned status, enum log_level level)
{
	if (!policy->is_on || !log_is_on(level))
		return false;
	return status >= 500 || policy->sample >= 100 || random_below(100) < policy->sample;
}

static void
access_log_on_end(const void *configured, struct request *request)
{
	const struct access_log *policy = configured;
	unsigned status = status_to_log(request);
	enum log_level level = status >= 500 ? LOG_ERROR : LOG_INFO;

	if (!is_wanted(policy, status, level))
		return;
	line_begin(level, policy->loop ? loop_wall_ms(policy->loop) : clock_wall_ms());
	add_request(policy, request);
	add_outcome(policy, request, status);
	add_connection(policy, request);
	for (size_t i = 0; i < policy->fields.count; i++) {
		const struct log_field_template *field = &policy->fields.items[i];

		add_text(field->name, field_fill(policy, field, request), LONG_MAX_BYTES);
	}
	text_add_byte(&line, '}');
	log_write_line(level, text_span(&line));
}

static enum stage_result
access_log_on_request(const void *configured, struct request *request)
{
	const struct access_log *policy = configured;

	if (policy->is_on)
		request->routed_ns = clock_ns();
	return STAGE_NEXT;
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static const struct access_log_options *
options_of(const struct option_reader *reader)
{
	const struct stage_builder *builder = reader->lent;

	return builder->access_log ? builder->access_log : &default_options;
}

/* `,"name":` */
static struct span
key_make(struct arena *arena, struct span name)
{
	struct text to = { 0 };
	struct span key;

	text_add_byte(&to, ',');
	text_json_string(&to, name);
	text_add_byte(&to, ':');
	key = arena_copy(arena, text_span(&to));
	text_fini(&to);
	return key;
}

/* A JSON object that has a name twice means something else to each reader. */
static bool
is_own_member(struct span name)
{
	static const struct span own[] = {
		SPAN("level"), SPAN("time"), SPAN("pid"), SPAN("msg"), SPAN("request_id"), SPAN("client_ip"),
		SPAN("method"), SPAN("host"), SPAN("path"), SPAN("query"), SPAN("status"), SPAN("aborted"),
		SPAN("bytes_in"), SPAN("bytes_out"), SPAN("duration_ms"), SPAN("upstream"), SPAN("upstream_ms"),
		SPAN("retries"), SPAN("error"), SPAN("protocol"), SPAN("tls"), SPAN("user_agent"), SPAN("route"),
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (span_equal(name, own[i]))
			return true;
	return false;
}

static bool
field_read(struct option_reader *reader, const struct conf_node *node, struct log_field_template *field)
{
	const struct stage_builder *builder = reader->lent;
	struct span text;
	struct err err;

	if (node->kind != CONF_SCALAR)
		return !node->broken &&
		    option_problem(reader, node, "must be a template, not %s", option_shown(reader, node));
	if (is_own_member(node->key))
		return option_problem(reader, node, "the record has a member of that name already");
	field->name = key_make(reader->arena, node->key);
	text = redact_template(&options_of(reader)->redact, node->text, reader->arena, &field->has_query);
	if (!template_parse(text, &builder->names, reader->arena, &field->value, &err))
		return option_problem(reader, node, "%s", err.text);
	return true;
}

static bool
log_fields_option(struct option_reader *reader, const struct conf_node *node, void *into)
{
	struct log_fields *fields = into;
	bool is_fine = true;

	if (node->kind != CONF_MAP)
		return !node->broken &&
		    option_problem(reader, node, "must be a map of templates, not %s", option_shown(reader, node));
	fields->items = arena_zalloc(reader->arena, (node->count + 1) * sizeof(*fields->items));
	for (const struct conf_node *child = node->first; child; child = child->next) {
		option_enter(reader, child->key.at);
		is_fine = field_read(reader, child, &fields->items[fields->count++]) && is_fine;
		option_leave(reader);
	}
	return is_fine;
}

static bool
access_log_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct stage_builder *builder = reader->lent;
	const struct access_log_options *options = options_of(reader);
	struct access_log *policy = field;

	(void)node;
	policy->is_on = policy->enabled && options->access;
	policy->loop = builder->loop;
	policy->redact = options->redact;
	policy->sample = options->sample;
	if (builder->route.len > 0) {
		struct text to = { 0 };

		text_add(&to, SPAN_OF(",\"route\":"));
		text_json_string(&to, builder->route);
		policy->route = arena_copy(reader->arena, text_span(&to));
		text_fini(&to);
	}
	return true;
}

static const struct option access_log_rows[] = {
	OPTION_FLAG(struct access_log, enabled, .def = "true",
	    .doc = "`log: false` leaves the route out of the access log."),
	OPTION_CUSTOM(struct access_log, fields, .parse = log_fields_option, .type = "map of templates",
	    .doc = "Further members of the record, of other names than its own. Values of names in `log.redact` are "
	    "replaced."),
	OPTION_END
};

static const struct option_group access_log_group = {
	.name = "log",
	.rows = access_log_rows,
	.size = sizeof(struct access_log),
	.short_key = "enabled",
};

const struct policy_type policy_log = {
	.key = "log",
	.group = &access_log_group,
	.always = true,
	.build = access_log_build,
	.on_request = access_log_on_request,
	.on_end = access_log_on_end,
	.doc = "The access log.",
};
