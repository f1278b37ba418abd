/* The reference, twice from the same facts: Markdown for docs/, mdoc(7) for reeve.yaml(5). */
#include "conf/option.h"

#include "base/count.h"

#include <assert.h>

#define DEPTH_MAX 10u

/* Where a row is in the reference. */
struct documented {
	const struct option	*row;
	const char		*key;	/* with all before it: "limits.http2.window" */
};

typedef void document_row(const struct documented *documented, struct text *to);

/* -- facts --------------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
	[OPTION_KIND_FLAG]	= "true or false",
	[OPTION_KIND_NUMBER]	= "number",
	[OPTION_KIND_DURATION]	= "duration",
	[OPTION_KIND_SIZE]	= "size",
	[OPTION_KIND_PERCENT]	= "percent",
	[OPTION_KIND_TEXT]	= "text",
	[OPTION_KIND_PATH]	= "path",
	[OPTION_KIND_CHOICE]	= "",
	[OPTION_KIND_TEXTS]	= "text or list of texts",
	[OPTION_KIND_PAIRS]	= "map of texts",
	[OPTION_KIND_GROUP]	= "map",
	[OPTION_KIND_RECORDS]	= "map or list of maps",
	[OPTION_KIND_NAMED]	= "map of names",
	[OPTION_KIND_CUSTOM]	= "",
	[OPTION_KIND_REFUSED]	= "",
};
static_assert(COUNT(kind_names) == OPTION_KIND_REFUSED + 1, "a name for every kind");

static bool
is_measure(enum option_kind kind)
{
	return kind == OPTION_KIND_NUMBER || kind == OPTION_KIND_DURATION || kind == OPTION_KIND_SIZE ||
	       kind == OPTION_KIND_PERCENT;
}

static void
choice_format(const struct option *row, struct text *to)
{
	for (const struct option_word *word = row->words; word->word; word++) {
		if (word != row->words)
			text_add_text(to, word[1].word ? ", " : " or ");
		text_format(to, "`%s`", word->word);
	}
}

static void
range_format(const struct option *row, struct text *to)
{
	if (!is_measure(row->kind))
		return;
	if (row->min && row->max)
		text_format(to, ", %s to %s", row->min, row->max);
	else if (row->min)
		text_format(to, ", at least %s", row->min);
	else if (row->max)
		text_format(to, ", at most %s", row->max);
}

static void
type_format(const struct option *row, struct text *to)
{
	if (row->kind == OPTION_KIND_CHOICE)
		choice_format(row, to);
	else if (row->kind == OPTION_KIND_CUSTOM)
		text_add_text(to, row->type ? row->type : "value");
	else
		text_add_text(to, kind_names[row->kind]);
	if (row->group && row->group->short_key)
		text_format(to, ", or the value of `%s`", row->group->short_key);
	range_format(row, to);
}

static void
default_format(const struct option *row, struct text *to)
{
	if (row->required)
		text_add_text(to, "required");
	else if (row->def)
		text_format(to, "`%s`", row->def);
	else
		text_add_text(to, "—");
}

static const char *
below(const struct option *row)
{
	return row->kind == OPTION_KIND_RECORDS ? "[]." : row->kind == OPTION_KIND_NAMED ? ".NAME." : ".";
}

/* The group's own sentence serves a row that has none. */
static const char *
sentence_of(const struct option *row)
{
	if (row->doc)
		return row->doc;
	return row->group && row->group->doc ? row->group->doc : "";
}

static void
rows_walk(const struct option_group *group, const char *prefix, document_row *document, unsigned depth, struct text *to)
{
	assert(depth < DEPTH_MAX);
	for (const struct option *row = group->rows; row->kind != OPTION_KIND_END; row++) {
		struct text key = { 0 };

		if (row->kind == OPTION_KIND_REFUSED)
			continue;
		text_format(&key, "%s%s", prefix, option_key(row));
		document(&(struct documented){ row, key.bytes }, to);
		text_add_text(&key, below(row));
		if (row->group)
			rows_walk(row->group, key.bytes, document, depth + 1, to);
		text_fini(&key);
	}
}

/* -- Markdown ------------------------------------------------------------------------------------------------------ */

/* A bar ends a cell, even between backticks. */
static void
cell_add(struct text *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			text_add_byte(to, '\\');
		text_add_byte(to, *text);
	}
	text_add_text(to, " | ");
}

static void
markdown_row(const struct documented *documented, struct text *to)
{
	struct text type = { 0 }, def = { 0 };

	type_format(documented->row, &type);
	default_format(documented->row, &def);
	text_format(to, "| `%s` | ", documented->key);
	cell_add(to, type.bytes);
	cell_add(to, def.bytes);
	cell_add(to, sentence_of(documented->row));
	to->bytes[to->len - 1] = '\n';
	text_fini(&type);
	text_fini(&def);
}

void
option_document(const struct option_group *group, const char *prefix, struct text *to)
{
	rows_walk(group, prefix, markdown_row, 0, to);
}

/* -- mdoc ---------------------------------------------------------------------------------------------------------- */

/* Text for roff: `code` bold, backslashes and dashes as themselves. The caller sees to what stands first in a line. */
static void
roff_add(struct text *to, const char *text)
{
	bool is_code = false;

	for (; *text; text++) {
		if (*text == '`') {
			is_code = !is_code;
			text_add_text(to, is_code ? "\\fB" : "\\fR");
		} else if (*text == '\\') {
			text_add_text(to, "\\e");
		} else if (*text == '-' && is_code) {
			text_add_text(to, "\\-");
		} else {
			text_add_byte(to, *text);
		}
	}
}

/* \& keeps a dot or quote that begins a line, and a key that is the name of a macro, from being a request. */
static void
man_row(const struct documented *documented, struct text *to)
{
	struct text facts = { 0 };

	type_format(documented->row, &facts);
	if (documented->row->required || documented->row->def) {
		text_add_text(&facts, documented->row->required ? "; " : "; default ");
		default_format(documented->row, &facts);
	}
	text_format(to, ".It Ic \\&%s\n\\&", documented->key);
	roff_add(to, facts.bytes);
	text_add_text(to, ".\n");
	if (*sentence_of(documented->row)) {
		text_add_text(to, "\\&");
		roff_add(to, sentence_of(documented->row));
		text_add_byte(to, '\n');
	}
	text_fini(&facts);
}

void
option_document_man(const struct option_group *group, const char *prefix, struct text *to)
{
	rows_walk(group, prefix, man_row, 0, to);
}
