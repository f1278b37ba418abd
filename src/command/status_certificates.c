/* What people want to know of a certificate is whose it is and how long it is still good: at 80 columns, for many names. */
#include "command/status.h"

#include "base/count.h"
#include "command/output.h"
#include "command/table.h"

#define NAMES_WIDTH 36
#define LISTENERS_WIDTH 18
#define DAYS_SOME 21	/* left: as the log warns (primary/expiry.c) */
#define DAYS_FEW 7

/* Whole names as far as there is room, the first always: "a.example, b.example, +3". */
static void
names_add(struct json_value names, struct text *to)
{
	struct json_walk walk = json_walk(names);
	struct json_value name;
	struct span key;
	struct text next = { 0 };
	size_t shown = 0;

	while (json_next(&walk, &key, &name)) {
		text_clear(&next);
		status_value_add(name, AS_TEXT, &next);
		if (shown > 0 && to->len + next.len > NAMES_WIDTH)
			break;
		text_format(to, "%s%s", shown++ ? ", " : "", next.bytes);
	}
	if (shown < json_count(names))
		text_format(to, ", +%zu", json_count(names) - shown);
	text_fini(&next);
}

static void
days_add(struct json_value certificate, struct table *table)
{
	struct json_value value;
	uint64_t days;

	if (!json_get(certificate, "days_left", &value) || !json_number(value, &days))
		table_add_painted(table, SPAN_OF("ended"), PAINT_RED);	/* below zero */
	else if (days <= DAYS_FEW)
		table_add_painted(table, value.raw, PAINT_RED);
	else if (days <= DAYS_SOME)
		table_add_painted(table, value.raw, PAINT_YELLOW);
	else
		table_add(table, value.raw);
}

/* The same certificate at another listener. */
static bool
is_same(struct json_value a, struct json_value b)
{
	static const char *const keys[] = { "fingerprint", "file" };
	struct json_value in_a, in_b;

	for (size_t i = 0; i < COUNT(keys); i++) {
		if (!json_get(a, keys[i], &in_a) || !json_get(b, keys[i], &in_b) || !span_equal(in_a.raw, in_b.raw))
			return false;
	}
	return true;
}

/* One row for a certificate, however many listeners have it: was it shown already? */
static bool
was_before(struct json_value list, struct json_value certificate)
{
	struct json_walk walk = json_walk(list);
	struct json_value other;
	struct span key;

	while (json_next(&walk, &key, &other) && other.raw.at != certificate.raw.at) {
		if (is_same(other, certificate))
			return true;
	}
	return false;
}

/* As names_add(): whole ones as far as there is room. */
static void
listeners_of_add(struct json_value list, struct json_value certificate, struct text *to)
{
	struct json_walk walk = json_walk(list);
	struct json_value other;
	struct text next = { 0 };
	struct span key;
	size_t shown = 0, hidden = 0;

	while (json_next(&walk, &key, &other)) {
		if (!is_same(other, certificate))
			continue;
		text_clear(&next);
		status_member_add(other, "listener", AS_TEXT, &next);
		if (hidden > 0 || (shown > 0 && to->len + next.len > LISTENERS_WIDTH))
			hidden++;
		else
			text_format(to, "%s%s", shown++ ? ", " : "", next.bytes);
	}
	if (hidden > 0)
		text_format(to, ", +%zu", hidden);
	text_fini(&next);
}

/* Its names are what clients go by; the subject's is shown when there are none. */
static void
certificate_add(struct json_value list, struct json_value certificate, struct table *table)
{
	struct json_value names;
	struct text cell = { 0 };

	if (json_get(certificate, "names", &names))
		names_add(names, &cell);
	if (cell.len == 0)
		status_member_add(certificate, "subject", AS_TEXT, &cell);
	table_add(table, text_span(&cell));
	days_add(certificate, table);
	text_clear(&cell);
	status_member_add(certificate, "kind", AS_TEXT, &cell);
	table_add(table, text_span(&cell));
	text_clear(&cell);
	listeners_of_add(list, certificate, &cell);
	table_add(table, text_span(&cell));
	text_fini(&cell);
}

void
status_certificates_print(struct json_value status, struct text *to)
{
	static const struct table_column titles[] = {
		{ "CERTIFICATE", false }, { "DAYS LEFT", true }, { "KIND", false }, { "LISTENER", false },
	};
	struct json_value list, certificate;
	struct json_walk walk;
	struct table table;
	struct span key;

	if (!json_get(status, "certificates", &list) || json_count(list) == 0)
		return;
	table_init(&table, titles, COUNT(titles));
	table.has_colours = output_has_colours(stdout);
	walk = json_walk(list);
	while (json_next(&walk, &key, &certificate)) {
		if (!was_before(list, certificate))
			certificate_add(list, certificate, &table);
	}
	text_add_byte(to, '\n');
	table_print(&table, to);
	table_fini(&table);
}
