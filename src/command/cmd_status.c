/*
 * The report is JSON (primary/); for people it becomes a few lines and tables. What a table shows is a row here: a
 * title and the member it comes from. Members that are not there are left empty.
 */
#include "command/ask.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/json.h"
#include "base/units.h"
#include "command/output.h"
#include "command/status.h"
#include "command/table.h"

#define TIMEOUT_MS 5000u

struct column {
	const char		*title;
	const char		*key;
	enum status_shape	 shape;
};

static const struct column worker_columns[] = {
	{ "WORKER", "slot", AS_NUMBER },
	{ "PID", "pid", AS_NUMBER },
	{ "STATE", "state", AS_TEXT },
	{ "UP", "uptime_ms", AS_DURATION },
	{ "RESTARTS", "restarts", AS_NUMBER_IF_ANY },
	{ "OPEN", "connections", AS_NUMBER },
	{ "NOW", "requests_active", AS_NUMBER },
	{ "REQUESTS", "requests", AS_NUMBER },
	{ "PER S", "requests_per_second", AS_NUMBER },
	{ "UPSTREAM", "upstream_sockets", AS_NUMBER_IF_ANY },
	{ "LAG", "loop_lag_ms", AS_DURATION },
	{ "MEMORY", "rss_bytes", AS_SIZE },
};

static const struct column upstream_columns[] = {
	{ "UPSTREAM", "upstream", AS_TEXT }, { "SERVER", "server", AS_TEXT },	{ "STATE", "state", AS_TEXT },
	{ "FOR", "since_ms", AS_AGE }, { "REASON", "reason", AS_TEXT },
};

/* -- values -------------------------------------------------------------------------------------------------------- */

void
status_value_add(struct json_value value, enum status_shape shape, struct text *to)
{
	uint64_t now_ms = clock_wall_ms(), number;

	if (shape == AS_DURATION && json_number(value, &number))
		duration_format_short(to, number);
	else if (shape == AS_AGE && json_number(value, &number))
		duration_format_short(to, number < now_ms ? now_ms - number : 0);
	else if (shape == AS_SIZE && json_number(value, &number))
		size_format_short(to, number);
	else if (value.kind == JSON_STRING)
		json_string_add(value, to);
	else if (value.kind != JSON_NULL)
		text_add(to, value.raw);
}

void
status_member_add(struct json_value object, const char *key, enum status_shape shape, struct text *to)
{
	struct json_value value;

	if (json_get(object, key, &value))
		status_value_add(value, shape, to);
}

static uint64_t
number_of(struct json_value object, const char *key)
{
	struct json_value value;
	uint64_t number = 0;

	if (json_get(object, key, &value))
		json_number(value, &number);
	return number;
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

static bool
is_shown(struct json_value list, const struct column *column)
{
	struct json_walk walk = json_walk(list);
	struct json_value row;
	struct span key;

	while (column->shape == AS_NUMBER_IF_ANY && json_next(&walk, &key, &row)) {
		if (number_of(row, column->key) > 0)
			return true;
	}
	return column->shape != AS_NUMBER_IF_ANY;
}

static void
rows_add(struct json_value list, const struct column *const *columns, size_t count, struct table *table)
{
	struct json_walk walk = json_walk(list);
	struct json_value row;
	struct span key;
	struct text cell = { 0 };

	while (json_next(&walk, &key, &row)) {
		for (size_t i = 0; i < count; i++) {
			text_clear(&cell);
			status_member_add(row, columns[i]->key, columns[i]->shape, &cell);
			table_add(table, text_span(&cell));
		}
	}
	text_fini(&cell);
}

static void
list_print(struct json_value status, const char *key, const struct column *columns, size_t count, struct text *to)
{
	struct table_column titles[TABLE_COLUMNS_MAX];
	const struct column *shown[TABLE_COLUMNS_MAX];
	struct json_value list;
	struct table table;
	size_t shown_count = 0;

	if (!json_get(status, key, &list) || json_count(list) == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!is_shown(list, &columns[i]))
			continue;
		titles[shown_count] = (struct table_column){ columns[i].title, columns[i].shape != AS_TEXT };
		shown[shown_count++] = &columns[i];
	}
	table_init(&table, titles, shown_count);
	rows_add(list, shown, shown_count, &table);
	text_add_byte(to, '\n');
	table_print(&table, to);
	table_fini(&table);
}

/* -- the lines above ----------------------------------------------------------------------------------------------- */

static void
line_begin(struct text *to, const char *title)
{
	text_format(to, "%-14s", title);
}

/* Only when there was one. Of its message the first line: `reeve reload` and the log tell all. */
static void
reload_print(struct json_value status, const char *key, const char *title, struct text *to)
{
	struct json_value reload, at;
	struct text message = { 0 };

	if (!json_get(status, key, &reload) || !json_get(reload, "at", &at) || at.kind != JSON_STRING)
		return;
	line_begin(to, title);
	status_member_add(reload, "result", AS_TEXT, to);
	text_add_text(to, ", ");
	status_value_add(at, AS_TEXT, to);
	status_member_add(reload, "message", AS_TEXT, &message);
	if (message.len > 0) {
		text_add_text(to, ": ");
		text_add(to, span_first(text_span(&message), span_find(text_span(&message), '\n')));
	}
	text_add_byte(to, '\n');
	text_fini(&message);
}

static void
head_print(struct json_value status, struct text *to)
{
	line_begin(to, "reeve");
	status_member_add(status, "version", AS_TEXT, to);
	text_add_text(to, ", pid ");
	status_member_add(status, "pid", AS_TEXT, to);
	text_add_text(to, ", ");
	status_member_add(status, "state", AS_TEXT, to);
	text_add_text(to, ", up ");
	status_member_add(status, "uptime_ms", AS_DURATION, to);
	text_add_byte(to, '\n');
	line_begin(to, "configuration");
	status_member_add(status, "config", AS_TEXT, to);
	text_add_text(to, ", generation ");
	status_member_add(status, "generation", AS_TEXT, to);
	text_add_byte(to, '\n');
	reload_print(status, "reload", "last reload", to);
	reload_print(status, "certificate_swap", "last swap", to);
}

/* ":443 (tls: h2, http/1.1)"; nothing in brackets where it is what everybody expects. */
static void
protocols_add(struct json_value listener, struct text *to)
{
	struct json_value has_tls, list, protocol;
	struct json_walk walk;
	struct span key;
	struct text names = { 0 };
	bool is_secure;

	if (!json_get(listener, "tls", &has_tls) || !json_get(listener, "protocols", &list))
		return;
	is_secure = span_is(has_tls.raw, "true");
	walk = json_walk(list);
	while (json_next(&walk, &key, &protocol)) {
		text_add_text(&names, names.len > 0 ? ", " : "");
		status_value_add(protocol, AS_TEXT, &names);
	}
	if (is_secure || !span_is(text_span(&names), "http/1.1"))
		text_format(to, " (%s%.*s)", is_secure ? "tls: " : "", (int)names.len, names.bytes);
	text_fini(&names);
}

static void
listeners_print(struct json_value status, struct text *to)
{
	struct json_value list, listener;
	struct json_walk walk;
	struct span key;
	const char *title = "listening";

	if (!json_get(status, "listeners", &list))
		return;
	walk = json_walk(list);
	while (json_next(&walk, &key, &listener)) {
		line_begin(to, title);
		status_member_add(listener, "address", AS_TEXT, to);
		protocols_add(listener, to);
		text_add_byte(to, '\n');
		title = "";
	}
}

/* What all workers together have in this member. */
static uint64_t
workers_sum(struct json_value status, const char *key)
{
	struct json_value list, worker;
	struct json_walk walk;
	struct span ignored;
	uint64_t sum = 0;

	if (!json_get(status, "workers", &list))
		return 0;
	walk = json_walk(list);
	while (json_next(&walk, &ignored, &worker))
		sum += number_of(worker, key);
	return sum;
}

static void
requests_print(struct json_value status, struct json_value totals, struct text *to)
{
	line_begin(to, "requests");
	status_member_add(status, "requests_per_second", AS_TEXT, to);
	text_format(to, " per second, %llu now, ", (unsigned long long)workers_sum(status, "requests_active"));
	status_member_add(totals, "requests", AS_NUMBER, to);
	text_add_text(to, " in all\n");
	line_begin(to, "connections");
	text_format(to, "%llu open, ", (unsigned long long)workers_sum(status, "connections"));
	status_member_add(totals, "connections_accepted", AS_NUMBER, to);
	text_add_text(to, " accepted\n");
}

static void
responses_print(struct json_value totals, struct text *to)
{
	static const struct {
		const char	*label;
		const char	*key;
	} classes[] = {
		{ "2xx ", "responses_2xx" },  { "3xx ", "responses_3xx" }, { "4xx ", "responses_4xx" },
		{ "5xx ", "responses_5xx" }, { "cut off ", "aborted" },
	};

	line_begin(to, "responses");
	for (size_t i = 0; i < COUNT(classes); i++) {
		text_format(to, "%s%s", i ? ", " : "", classes[i].label);
		status_member_add(totals, classes[i].key, AS_NUMBER, to);
	}
	text_add_byte(to, '\n');
	line_begin(to, "content");
	status_member_add(totals, "bytes_in", AS_SIZE, to);
	text_add_text(to, " in, ");
	status_member_add(totals, "bytes_out", AS_SIZE, to);
	text_add_text(to, " out\n");
}

static void
upstreams_print(struct json_value totals, struct text *to)
{
	if (number_of(totals, "upstream_requests") == 0)
		return;
	line_begin(to, "upstreams");
	status_member_add(totals, "upstream_requests", AS_NUMBER, to);
	text_add_text(to, " tries, ");
	status_member_add(totals, "upstream_failures", AS_NUMBER, to);
	text_add_text(to, " failed, ");
	status_member_add(totals, "retries", AS_NUMBER, to);
	text_add_text(to, " retries, ");
	status_member_add(totals, "upstream_reuses", AS_NUMBER, to);
	text_add_text(to, " on a kept socket\n");
}

/* A line for those that have anything but zeroes. */
static void
protocols_print(struct json_value totals, struct text *to)
{
	static const struct {
		const char	*title;
		struct {
			const char	*key;
			const char	*label;
		} parts[3];
	} lines[] = {
		{ "tls", { { "tls_handshakes", "handshakes" }, { "tls_resumed", "resumed" },
			   { "tls_failures", "failed" } } },
		{ "http/2", { { "h2_connections", "connections" }, { "h2_abuse", "ended for abuse" } } },
		{ "upstream tls", { { "upstream_tls_handshakes", "handshakes" },
				    { "upstream_tls_resumed", "resumed" } } },
	};

	for (size_t i = 0; i < COUNT(lines); i++) {
		uint64_t sum = 0;

		for (size_t j = 0; j < COUNT(lines[i].parts) && lines[i].parts[j].key; j++)
			sum += number_of(totals, lines[i].parts[j].key);
		if (sum == 0)
			continue;
		line_begin(to, lines[i].title);
		for (size_t j = 0; j < COUNT(lines[i].parts) && lines[i].parts[j].key; j++) {
			text_add_text(to, j ? ", " : "");
			status_member_add(totals, lines[i].parts[j].key, AS_NUMBER, to);
			text_format(to, " %s", lines[i].parts[j].label);
		}
		text_add_byte(to, '\n');
	}
}

static void
log_print(struct json_value totals, struct text *to)
{
	if (number_of(totals, "log_dropped") == 0)
		return;
	line_begin(to, "log");
	status_member_add(totals, "log_dropped", AS_NUMBER, to);
	text_add_text(to, " lines dropped by workers\n");
}

static void
status_print(struct json_value status, struct text *to)
{
	struct json_value totals;

	head_print(status, to);
	listeners_print(status, to);
	if (json_get(status, "totals", &totals)) {
		requests_print(status, totals, to);
		responses_print(totals, to);
		protocols_print(totals, to);
		upstreams_print(totals, to);
		log_print(totals, to);
	}
	status_certificates_print(status, to);
	list_print(status, "workers", worker_columns, COUNT(worker_columns), to);
	list_print(status, "upstreams", upstream_columns, COUNT(upstream_columns), to);
}

static int
for_people(const struct text *answer)
{
	struct json_value status;
	struct text text = { 0 };
	int code;

	if (!json_parse(text_span(answer), &status) || status.kind != JSON_OBJECT)
		return output_fail("the answer of the running reeve is no JSON");
	status_print(status, &text);
	code = output_print(text_span(&text)) ? COMMAND_DONE : COMMAND_FAILED;
	text_fini(&text);
	return code;
}

int
cmd_status(const struct command_line *line)
{
	const struct question question = { .verb = "status", .what = "asking", .timeout_ms = TIMEOUT_MS };
	struct text answer = { 0 };
	int code;

	if (ask(line, &question, &answer, &code)) {
		if (command_line_has(line, FLAG_JSON)) {
			text_add_byte(&answer, '\n');
			code = output_print(text_span(&answer)) ? COMMAND_DONE : COMMAND_FAILED;
		} else {
			code = for_people(&answer);
		}
	}
	text_fini(&answer);
	return code;
}
