/* rooms: base loop ipc logger */
/*
 * Any bytes on a log pipe. Whatever they are, one JSON object a line leaves for programs, and for people nothing that
 * commands a terminal; chunks may be cut anywhere.
 */
#include "logger/record.h"
#include "fuzz.h"
#include "base/json.h"
#include "logger/lines.h"

#define MOMENT_MS UINT64_C(1795190041123)

static void
check_strings(struct json_value value)
{
	struct json_walk walk = json_walk(value);
	struct json_value inner;
	struct text text = { 0 };
	struct span key;
	size_t count = 0;

	json_string_add(value, &text);
	check(text.len <= value.raw.len);
	while (json_next(&walk, &key, &inner)) {
		check_strings(inner);
		count++;
	}
	check(count == json_count(value));
	text_fini(&text);
}

static void
check_json(struct span line)
{
	struct json_value record;
	struct text text = { 0 };

	record_to_json(line, "worker 1", MOMENT_MS, &text);
	if (!span_starts_with(line, SPAN_OF("{\"level\":\""))) {	/* ours are taken as they are */
		check(json_parse(text_span(&text), &record) && record.kind == JSON_OBJECT);
		check_strings(record);
	}
	text_fini(&text);
}

static void
check_pretty(struct span line)
{
	struct text text = { 0 };

	record_to_pretty(line, "worker 1", MOMENT_MS, false, &text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.bytes[i];

		check((byte >= 0x20 && byte != 0x7f) || byte == '\t');
		check(byte != 0xc2 || i + 1 == text.len || (unsigned char)text.bytes[i + 1] >= 0xa0 ||
		      (unsigned char)text.bytes[i + 1] < 0x80);
	}
	text_fini(&text);
}

static void
on_line(void *owner, struct span line)
{
	size_t *count = owner;

	*count += line.len;
	check(line.len > 0 && line.len <= LINE_MAX_BYTES && span_find(line, '\n') == line.len);
	check_json(line);
	check_pretty(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span given = span_make((const char *)bytes, size);
	struct lines lines;
	size_t whole = 0, cut = 0;

	lines_init(&lines, on_line, &whole);
	lines_add(&lines, given);
	lines_end(&lines);
	lines_fini(&lines);
	lines_init(&lines, on_line, &cut);
	lines_add(&lines, span_first(given, size / 3));
	lines_add(&lines, span_skip(given, size / 3));
	lines_end(&lines);
	lines_fini(&lines);
	check(whole == cut);
	return 0;
}
