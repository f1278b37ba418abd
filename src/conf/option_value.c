/*
 * One value by its row's kind: a table of readers, one for each kind. Each says what it expected and what it got; none
 * stops at the first mistake of a list or map.
 */
#include "conf/option.h"

#include "base/count.h"
#include "base/units.h"
#include "conf/loading.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef bool value_read(struct option_reader *reader, const struct option *row, const struct conf_node *node,
    void *field);

static bool
expected(struct option_reader *reader, const struct conf_node *node, const char *what)
{
	return option_problem(reader, node, "expected %s, got %s", what, option_shown(reader, node));
}

/* -- bounds -------------------------------------------------------------------------------------------------------- */

static bool
number_parse(struct span from, uint64_t *number_out)
{
	return span_to_number(from, UINT64_MAX, number_out);
}

static bool
percent_parse_wide(struct span from, uint64_t *percent_out)
{
	uint32_t percent;

	if (!percent_parse(from, &percent))
		return false;
	*percent_out = percent;
	return true;
}

/* A bound that does not parse is our mistake. */
static uint64_t
bound_parse(const struct option *row, const char *bound, bool (*parse)(struct span, uint64_t *))
{
	uint64_t value;

	if (parse(span_text(bound), &value))
		return value;
	fprintf(stderr, "option %s: its own bound \"%s\" is none\n", option_key(row), bound);
	abort();
}

static bool
is_within(const struct option *row, uint64_t value, bool (*parse)(struct span, uint64_t *))
{
	return !(row->min && value < bound_parse(row, row->min, parse)) &&
	       !(row->max && value > bound_parse(row, row->max, parse));
}

/* As typed in the row: "at least 1, at most 1024". */
static bool
out_of_range(struct option_reader *reader, const struct option *row, const struct conf_node *node, const char *unit)
{
	return option_problem(reader, node, "out of range: %s%s%s%s%s%s", row->min ? "at least " : "",
	    row->min ? row->min : "", row->min && row->max ? ", " : "", row->max ? "at most " : "",
	    row->max ? row->max : "", unit);
}

static bool
check_count(struct option_reader *reader, const struct option *row, const struct conf_node *node, size_t count,
    const char *unit)
{
	return is_within(row, count, number_parse) || out_of_range(reader, row, node, unit);
}

/* -- scalars ------------------------------------------------------------------------------------------------------- */

static bool
flag_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	static const struct {
		struct span	word;
		bool		value;
	} words[] = {
		{ SPAN("true"), true }, { SPAN("false"), false }, { SPAN("yes"), true },
		{ SPAN("no"), false },	{ SPAN("on"), true },	  { SPAN("off"), false },
	};

	if (node->kind == CONF_SCALAR && node->quoted)
		return option_problem(reader, node, "expected true or false, got the text %s",
		    option_shown(reader, node));
	for (size_t i = 0; node->kind == CONF_SCALAR && i < COUNT(words); i++) {
		if (!span_equal_nocase(node->text, words[i].word))
			continue;
		memcpy(field, &words[i].value, sizeof(bool));
		return true;
	}
	return expected(reader, node, "true or false");
}

static const struct measure {
	const char	*what;
	bool		 (*parse)(struct span, uint64_t *);
	bool		 has_unit;	/* then a bare number is none */
} measures[] = {
	[OPTION_KIND_NUMBER]	= { "a number", number_parse, false },
	[OPTION_KIND_DURATION]	= { "a duration such as 10s", duration_parse, true },
	[OPTION_KIND_SIZE]	= { "a size such as 64K", size_parse, false },
	[OPTION_KIND_PERCENT]	= { "a percent such as 20%", percent_parse_wide, true },
};

static bool
is_digits(struct span text)
{
	size_t i = 0;

	while (i < text.len && text.at[i] >= '0' && text.at[i] <= '9')
		i++;
	return text.len > 0 && i == text.len;
}

static bool
measure_refuse(struct option_reader *reader, const struct option *row, const struct conf_node *node)
{
	const struct measure *measure = &measures[row->kind];
	struct span text = node->text;
	bool is_number = row->kind == OPTION_KIND_NUMBER;

	if (node->kind != CONF_SCALAR)
		return expected(reader, node, measure->what);
	if (is_number && node->quoted)
		return option_problem(reader, node, "expected a number, got the text %s", option_shown(reader, node));
	if (measure->has_unit && is_digits(text))
		return option_problem(reader, node, "expected %s, got %s (a bare number has no unit)", measure->what,
		    option_shown(reader, node));
	if (is_number && text.len > 1 && text.at[0] == '-' && is_digits(span_skip(text, 1)))
		return row->min || row->max ? out_of_range(reader, row, node, "")
		    : option_problem(reader, node, "out of range: at least 0");
	if (is_number && is_digits(text))
		return row->max ? out_of_range(reader, row, node, "")
		    : option_problem(reader, node, "out of range: too large");
	return expected(reader, node, measure->what);
}

static bool
measure_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	const struct measure *measure = &measures[row->kind];
	uint64_t value;

	if (node->kind != CONF_SCALAR || (node->quoted && row->kind == OPTION_KIND_NUMBER) ||
	    !measure->parse(node->text, &value))
		return measure_refuse(reader, row, node);
	if (!is_within(row, value, measure->parse))
		return out_of_range(reader, row, node, "");
	memcpy(field, &value, sizeof(value));
	return true;
}

/* Unpacked and default nodes may be gone before the record is: texts are the arena's. */
static struct span
text_keep(struct option_reader *reader, struct span text)
{
	return span_make(arena_text(reader->arena, text), text.len);
}

static bool
text_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	struct span kept;

	if (node->kind != CONF_SCALAR)
		return expected(reader, node, "a text");
	if (!check_count(reader, row, node, node->text.len, " (bytes)"))
		return false;
	kept = text_keep(reader, node->text);
	memcpy(field, &kept, sizeof(kept));
	return true;
}

static bool
path_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	const char *path;
	struct span kept;

	if (node->kind != CONF_SCALAR || node->text.len == 0)
		return expected(reader, node, "a path");
	path = conf_resolve(reader->conf, reader->arena, node->place, node->text);
	kept = span_text(path);
	memcpy(field, &kept, sizeof(kept));
	return true;
}

/* -- choices ------------------------------------------------------------------------------------------------------- */

static const char *
choice_nearest(const struct option *row, struct span wrong)
{
	const char *words[64];
	size_t count = 0;

	for (const struct option_word *word = row->words; word->word && count < 64; word++)
		words[count++] = word->word;
	return conf_suggest(wrong, words, count);
}

static bool
choice_refuse(struct option_reader *reader, const struct option *row, const struct conf_node *node)
{
	const char *nearest = node->kind == CONF_SCALAR && !node->secret ? choice_nearest(row, node->text) : NULL;
	struct text words = { 0 };

	for (const struct option_word *word = row->words; word->word; word++)
		text_format(&words, "%s%s", words.len ? ", " : "", word->word);
	if (nearest)
		option_problem(reader, node, "expected one of %s; got %s (did you mean \"%s\"?)", words.bytes,
		    option_shown(reader, node), nearest);
	else
		option_problem(reader, node, "expected one of %s; got %s", words.bytes, option_shown(reader, node));
	text_fini(&words);
	return false;
}

static bool
choice_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	for (const struct option_word *word = row->words; node->kind == CONF_SCALAR && word->word; word++) {
		if (!span_is(node->text, word->word))
			continue;
		memcpy(field, &word->value, sizeof(word->value));
		return true;
	}
	return choice_refuse(reader, row, node);
}

/* -- lists and maps ------------------------------------------------------------------------------------------------ */

static const struct option any_text = { .key = "text", .kind = OPTION_KIND_TEXT };

static bool
texts_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	bool is_list = node->kind == CONF_LIST, is_good = true;
	const struct conf_node *item = is_list ? node->first : node;
	struct conf_texts texts = { .count = is_list ? node->count : 1 };

	if (node->kind == CONF_MAP)
		return expected(reader, node, "a list of texts");
	if (!check_count(reader, row, node, texts.count, " (entries)"))
		return false;
	texts.items = arena_zalloc(reader->arena, (texts.count + 1) * sizeof(*texts.items));
	for (size_t i = 0; i < texts.count; i++, item = item->next) {
		if (is_list)
			option_enter_index(reader, i);
		is_good &= option_read_value(reader, &any_text, item, &texts.items[i]);
		if (is_list)
			option_leave(reader);
	}
	memcpy(field, &texts, sizeof(texts));
	return is_good;
}

static bool
pairs_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	struct conf_pairs pairs = { .count = node->count };
	struct conf_pair *pair;
	bool is_good = true;

	if (node->kind != CONF_MAP)
		return expected(reader, node, "a map of texts");
	if (!check_count(reader, row, node, pairs.count, " (entries)"))
		return false;
	pair = pairs.items = arena_zalloc(reader->arena, (pairs.count + 1) * sizeof(*pairs.items));
	for (const struct conf_node *child = node->first; child; child = child->next, pair++) {
		*pair = (struct conf_pair){ .name = text_keep(reader, child->key), .node = child };
		option_enter(reader, pair->name.at);
		is_good &= option_read_value(reader, &any_text, child, &pair->value);
		option_leave(reader);
	}
	memcpy(field, &pairs, sizeof(pairs));
	return is_good;
}

static bool
group_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	return option_read(reader, row->group, node, field);
}

static bool
item_read(struct option_reader *reader, const struct option_group *group, const struct conf_node *item, void *record)
{
	if (item->kind == CONF_NULL && !item->broken)
		return option_problem(reader, item, "has no value");
	return option_read(reader, group, item, record);
}

static bool
records_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	bool is_list = node->kind == CONF_LIST, is_good = true;
	struct conf_records records = { .count = is_list ? node->count : 1 };
	size_t index = 0;

	if (!check_count(reader, row, node, records.count, " (entries)"))
		return false;
	records.items = arena_zalloc(reader->arena, (records.count + 1) * row->group->size);
	if (!is_list)
		is_good = item_read(reader, row->group, node, records.items);
	for (const struct conf_node *item = is_list ? node->first : NULL; item; item = item->next, index++) {
		option_enter_index(reader, index);
		is_good &= item_read(reader, row->group, item, (char *)records.items + index * row->group->size);
		option_leave(reader);
	}
	memcpy(field, &records, sizeof(records));
	return is_good;
}

static bool
named_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	struct conf_records records = { .count = node->count };
	char *record;
	bool is_good = true;

	if (node->kind != CONF_MAP)
		return expected(reader, node, "a map of names");
	if (!check_count(reader, row, node, records.count, " (entries)"))
		return false;
	record = records.items = arena_zalloc(reader->arena, (records.count + 1) * row->group->size);
	for (const struct conf_node *child = node->first; child; child = child->next, record += row->group->size) {
		struct span name = text_keep(reader, child->key);

		memcpy(record, &name, sizeof(name));
		option_enter(reader, name.at);
		is_good &= option_read(reader, row->group, child, record);
		option_leave(reader);
	}
	memcpy(field, &records, sizeof(records));
	return is_good;
}

static bool
custom_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	return row->parse(reader, node, field);
}

static bool
refused_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	return option_problem(reader, node, "not supported in this version");
}

static value_read *const readers[] = {
	[OPTION_KIND_FLAG]	= flag_read,
	[OPTION_KIND_NUMBER]	= measure_read,
	[OPTION_KIND_DURATION]	= measure_read,
	[OPTION_KIND_SIZE]	= measure_read,
	[OPTION_KIND_PERCENT]	= measure_read,
	[OPTION_KIND_TEXT]	= text_read,
	[OPTION_KIND_PATH]	= path_read,
	[OPTION_KIND_CHOICE]	= choice_read,
	[OPTION_KIND_TEXTS]	= texts_read,
	[OPTION_KIND_PAIRS]	= pairs_read,
	[OPTION_KIND_GROUP]	= group_read,
	[OPTION_KIND_RECORDS]	= records_read,
	[OPTION_KIND_NAMED]	= named_read,
	[OPTION_KIND_CUSTOM]	= custom_read,
	[OPTION_KIND_REFUSED]	= refused_read,
};
static_assert(COUNT(readers) == OPTION_KIND_REFUSED + 1, "a reader for every kind");

bool
option_read_value(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *field)
{
	assert(row->kind > OPTION_KIND_END && row->kind <= OPTION_KIND_REFUSED);
	if (node->broken)
		return false;
	if (node->kind == CONF_NULL && row->kind != OPTION_KIND_GROUP)
		return option_problem(reader, node, "has no value");
	return readers[row->kind](reader, row, node, field);
}
