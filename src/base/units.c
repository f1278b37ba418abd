/* Tables of units, largest first: parsing multiplies by the unit, formatting takes the largest that fits. */
#include "base/units.h"

#include "base/count.h"
#include "base/span.h"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define DURATION_MAX_MS (3650 * DAY_MS)

struct unit {
	const char	*name;
	uint64_t	 size;
};

static const struct unit durations[] = {
	{ "d", DAY_MS }, { "h", HOUR_MS }, { "m", MINUTE_MS }, { "s", SECOND_MS }, { "ms", 1 },
};

/* Any case. */
static const struct unit size_names[] = {
	{ "", 1 },                   { "B", 1 },
	{ "K", UINT64_C(1) << 10 },  { "M", UINT64_C(1) << 20 },  { "G", UINT64_C(1) << 30 },
	{ "KB", UINT64_C(1) << 10 }, { "MB", UINT64_C(1) << 20 }, { "GB", UINT64_C(1) << 30 },
};

/* Only for people, never parsed. */
static const struct unit size_shorts[] = {
	{ "P", UINT64_C(1) << 50 }, { "T", UINT64_C(1) << 40 }, { "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 }, { "K", UINT64_C(1) << 10 },
};

/* "250ms" becomes 250 and "ms"; false without digits in front. */
static bool
number_and_name(struct span from, uint64_t *number_out, struct span *name_out)
{
	size_t digits = 0;

	while (digits < from.len && from.at[digits] >= '0' && from.at[digits] <= '9')
		digits++;
	*name_out = span_skip(from, digits);
	return span_to_number(span_first(from, digits), UINT64_MAX, number_out);
}

static bool
multiply(uint64_t number, uint64_t size, uint64_t max, uint64_t *product_out)
{
	if (number > max / size)
		return false;
	*product_out = number * size;
	return true;
}

bool
duration_parse(struct span from, uint64_t *ms_out)
{
	uint64_t number;
	struct span name;

	if (!number_and_name(from, &number, &name))
		return false;
	for (size_t i = 0; i < COUNT(durations); i++) {
		if (span_is(name, durations[i].name))
			return multiply(number, durations[i].size, DURATION_MAX_MS, ms_out);
	}
	return false;
}

bool
size_parse(struct span from, uint64_t *bytes_out)
{
	uint64_t number;
	struct span name;

	if (!number_and_name(from, &number, &name))
		return false;
	for (size_t i = 0; i < COUNT(size_names); i++) {
		if (span_equal_nocase(name, span_text(size_names[i].name)))
			return multiply(number, size_names[i].size, UINT64_MAX, bytes_out);
	}
	return false;
}

bool
percent_parse(struct span from, uint32_t *percent_out)
{
	uint64_t number;
	struct span name;

	if (!number_and_name(from, &number, &name) || !span_is(name, "%") || number > 100)
		return false;
	*percent_out = (uint32_t)number;
	return true;
}

/* "12.4" and the unit; a zero after the point is left out. */
static void
format_tenths(struct text *to, uint64_t tenths, const char *name)
{
	text_add_number(to, tenths / 10);
	if (tenths % 10 != 0) {
		text_add_byte(to, '.');
		text_add_number(to, tenths % 10);
	}
	text_add_text(to, name);
}

/* The rest of a duration in the unit below, rounded down: an uptime must not run ahead. */
void
duration_format_short(struct text *to, uint64_t ms)
{
	const struct unit *unit = durations;

	if (ms < SECOND_MS) {
		text_format(to, "%ums", (unsigned)ms);
		return;
	}
	if (ms < MINUTE_MS) {
		format_tenths(to, ms / 100, "s");
		return;
	}
	while (ms < unit->size)
		unit++;
	text_add_number(to, ms / unit->size);
	text_add_text(to, unit->name);
	ms = ms % unit->size / unit[1].size;
	if (ms == 0)
		return;
	text_add_byte(to, ' ');
	text_add_number(to, ms);
	text_add_text(to, unit[1].name);
}

/* In tenths, to the nearest; the halves keep the product inside 64 bits. */
static uint64_t
tenths_of(uint64_t bytes, uint64_t size)
{
	return bytes / size * 10 + (bytes % size / 2 * 10 + size / 4) / (size / 2);
}

/* A value that rounds to 1024 of its unit is 1 of the next. */
void
size_format_short(struct text *to, uint64_t bytes)
{
	for (size_t i = 0; i < COUNT(size_shorts); i++) {
		uint64_t size = size_shorts[i].size;

		if (bytes >= size || (size > 1024 && bytes >= size / 1024 && tenths_of(bytes, size / 1024) >= 10240)) {
			format_tenths(to, tenths_of(bytes, size), size_shorts[i].name);
			return;
		}
	}
	text_add_number(to, bytes);
}
