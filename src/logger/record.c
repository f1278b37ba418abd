/*
 * Our own records begin as log.h begins them and are not looked at any further on their way to a file. For people a
 * record is walked twice: for what stands in front (time, level, sentence; of a request its method, host, path, status
 * and time taken), then for all the rest as name=value.
 */
#include "logger/record.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/json.h"
#include "base/log.h"

#include <time.h>

static bool
line_is_ours(struct span line)
{
	return span_starts_with(line, SPAN_OF("{\"level\":\"")) && span_ends_with(line, SPAN_OF("}"));
}

static bool
line_parse(struct span line, struct json_value *record_out)
{
	return line.len > 0 && line.at[0] == '{' && json_parse(line, record_out) && record_out->kind == JSON_OBJECT;
}

static void
time_add(struct text *to, uint64_t wall_ms)
{
	char moment[24];

	clock_format_rfc3339(moment, wall_ms);
	text_json_span(to, span_make(moment, sizeof(moment)));
}

bool
record_is_json(struct span line)
{
	struct json_value record;

	return line_is_ours(line) || line_parse(line, &record);
}

void
record_to_json(struct span line, const char *source, uint64_t wall_ms, struct text *to)
{
	if (record_is_json(line)) {
		text_add(to, line);
		return;
	}
	text_json_open(to, '{');
	text_json_key(to, "level");
	text_json_text(to, log_level_name(LOG_INFO));
	text_json_key(to, "time");
	time_add(to, wall_ms);
	text_json_key(to, "source");
	text_json_text(to, source);
	text_json_key(to, "msg");
	text_json_span(to, line);
	text_json_close(to, '}');
}

/* -- for people ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char	*name;
	const char	*label;
	const char	*colour;	/* SGR */
} levels[] = {
	{ "trace", "TRACE", "90" }, { "debug", "DEBUG", "90" }, { "info", "INFO ", "32" },
	{ "warn", "WARN ", "33" },  { "error", "ERROR", "31" }, { "fatal", "FATAL", "35" },
};

/* By the first digit of a status. */
static const char *const status_colours[] = { "0", "0", "32", "36", "33", "31", "0", "0", "0", "0" };

/* What stands in front, so not among name=value. */
static const char *const record_front[] = { "level", "time", "pid", "msg" };
static const char *const request_front[] = { "method", "host", "path", "status", "duration_ms" };

struct painter {
	struct text	*to;
	bool		 has_colours;
};

static void
paint(const struct painter *painter, const char *colour)
{
	if (painter->has_colours)
		text_format(painter->to, "\033[%sm", colour);
}

static bool
byte_is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

/* Controls of ASCII and of Latin-1 (in UTF-8: C2 80 … C2 9F), which terminals obey, as JSON would escape them. */
static void
harmless_add(struct text *to, struct span from)
{
	for (size_t i = 0; i < from.len; i++) {
		unsigned char byte = (unsigned char)from.at[i];
		unsigned char next = i + 1 < from.len ? (unsigned char)from.at[i + 1] : 0;

		if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {
			text_format(to, "\\u%04x", next);
			i++;
		} else if (byte_is_control(byte) && byte != '\t') {
			text_format(to, "\\u%04x", byte);
		} else {
			text_add_byte(to, (char)byte);
		}
	}
}

static void
value_text_add(struct text *to, struct json_value value)
{
	struct text plain = { 0 };

	if (value.kind == JSON_STRING)
		json_string_add(value, &plain);
	else
		text_add(&plain, value.raw);
	harmless_add(to, text_span(&plain));
	text_fini(&plain);
}

/* Raw (quoted and escaped) where a reader could not see where it ends. */
static void
value_quoted_add(struct text *to, struct json_value value)
{
	bool is_plain = value.kind != JSON_STRING || value.raw.len > 2;

	for (size_t i = 0; i < value.raw.len && is_plain && value.kind == JSON_STRING; i++)
		is_plain = value.raw.at[i] != ' ' && value.raw.at[i] != '=' && value.raw.at[i] != '\\';
	if (is_plain)
		value_text_add(to, value);
	else
		harmless_add(to, value.raw);
}

static bool
number_read(struct span digits, int *number_out)
{
	uint64_t number;

	if (!span_to_number(digits, 9999, &number))
		return false;
	*number_out = (int)number;
	return true;
}

/* "2026-11-20T15:54:01.123Z" as seconds since 1970; the milliseconds stay where they are. */
static bool
moment_read(struct span moment, time_t *seconds_out)
{
	struct tm utc = { 0 };
	const struct {
		size_t	 at;
		size_t	 len;
		int	*to;
	} parts[] = {
		{ 0, 4, &utc.tm_year },	 { 5, 2, &utc.tm_mon },	 { 8, 2, &utc.tm_mday },
		{ 11, 2, &utc.tm_hour }, { 14, 2, &utc.tm_min }, { 17, 2, &utc.tm_sec },
	};

	if (moment.len != 24 || moment.at[10] != 'T' || moment.at[23] != 'Z')
		return false;
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (!number_read(span_make(moment.at + parts[i].at, parts[i].len), parts[i].to))
			return false;
	}
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	*seconds_out = timegm(&utc);
	return true;
}

static void
clock_add(const struct painter *painter, struct span moment)
{
	struct tm local;
	time_t seconds;

	paint(painter, "90");
	if (moment_read(moment, &seconds) && localtime_r(&seconds, &local)) {
		text_format(painter->to, "%02d:%02d:%02d", local.tm_hour, local.tm_min, local.tm_sec);
		harmless_add(painter->to, span_make(moment.at + 19, 4));
	} else {
		harmless_add(painter->to, moment);
	}
	paint(painter, "0");
	text_add_byte(painter->to, ' ');
}

static void
level_add(const struct painter *painter, struct span name)
{
	for (size_t i = 0; i < COUNT(levels); i++) {
		if (!span_is(name, levels[i].name))
			continue;
		paint(painter, levels[i].colour);
		text_add_text(painter->to, levels[i].label);
		paint(painter, "0");
		text_add_byte(painter->to, ' ');
		return;
	}
	harmless_add(painter->to, name);
	text_add_byte(painter->to, ' ');
}

static void
head_add(const struct painter *painter, struct span moment, struct span level, const char *source)
{
	clock_add(painter, moment);
	level_add(painter, level);
	paint(painter, "36");
	text_format(painter->to, "%-8s", source);
	paint(painter, "0");
	text_add_text(painter->to, "  ");
}

/* The text of a string member, else nothing. Borrowed from `room`. */
static struct span
member_text(struct json_value record, const char *key, struct text *room)
{
	struct json_value value;

	text_clear(room);
	if (json_get(record, key, &value))
		json_string_add(value, room);
	return text_span(room);
}

static bool
name_is_in(struct span name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

/* GET api.example.com /x 200 1.2ms */
static void
request_add(const struct painter *painter, struct json_value record)
{
	for (size_t i = 0; i < COUNT(request_front); i++) {
		struct json_value value;
		bool is_status = strcmp(request_front[i], "status") == 0;

		if (!json_get(record, request_front[i], &value) || value.raw.len == 0)
			continue;
		text_add_byte(painter->to, ' ');
		if (is_status && value.raw.at[0] >= '0' && value.raw.at[0] <= '9')
			paint(painter, status_colours[value.raw.at[0] - '0']);
		value_text_add(painter->to, value);
		if (is_status)
			paint(painter, "0");
		if (strcmp(request_front[i], "duration_ms") == 0)
			text_add_text(painter->to, "ms");
	}
}

static void
rest_add(const struct painter *painter, struct json_value record, bool is_request)
{
	struct json_walk walk = json_walk(record);
	struct json_value value;
	struct span key;

	while (json_next(&walk, &key, &value)) {
		if (name_is_in(key, record_front, COUNT(record_front)))
			continue;
		if (is_request && name_is_in(key, request_front, COUNT(request_front)))
			continue;
		text_add_byte(painter->to, ' ');
		paint(painter, "90");
		harmless_add(painter->to, key);
		text_add_byte(painter->to, '=');
		paint(painter, "0");
		value_quoted_add(painter->to, value);
	}
}

static void
record_add(const struct painter *painter, struct json_value record, const char *source)
{
	struct text time_room = { 0 }, level_room = { 0 };
	struct span moment = member_text(record, "time", &time_room);
	struct span level = member_text(record, "level", &level_room);
	bool is_request;

	head_add(painter, moment, level, source);
	text_clear(&level_room);
	level = member_text(record, "msg", &level_room);
	harmless_add(painter->to, level);
	is_request = span_is(level, message_text(MSG_REQUEST));
	if (is_request)
		request_add(painter, record);
	rest_add(painter, record, is_request);
	text_fini(&time_room);
	text_fini(&level_room);
}

void
record_to_pretty(struct span line, const char *source, uint64_t wall_ms, bool has_colours, struct text *to)
{
	const struct painter painter = { .to = to, .has_colours = has_colours };
	struct json_value record;
	char moment[24];

	if (line_parse(line, &record)) {
		record_add(&painter, record, source);
		return;
	}
	clock_format_rfc3339(moment, wall_ms);
	head_add(&painter, span_make(moment, sizeof(moment)), SPAN_OF("info"), source);
	harmless_add(to, line);
}
