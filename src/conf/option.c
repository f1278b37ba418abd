/* Reading a group: defaults, keys, what is missing, what is unknown. The path walks along, so problems can name it. */
#include "conf/option.h"

#include "base/count.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 60	/* bytes of a value that a sentence quotes */

void
option_reader_init(struct option_reader *reader, struct conf *conf, struct arena *arena, struct conf_problems *problems)
{
	*reader = (struct option_reader){ .conf = conf, .arena = arena, .problems = problems };
}

/* -- the path ------------------------------------------------------------------------------------------------------ */

static void
path_add(struct option_reader *reader, const char *part, size_t len)
{
	size_t room = sizeof(reader->path) - 1 - reader->path_len;

	if (len > room)
		len = room;
	memcpy(reader->path + reader->path_len, part, len);
	reader->path_len += len;
	reader->path[reader->path_len] = '\0';
}

static void
path_mark(struct option_reader *reader)
{
	assert(reader->path_depth < OPTION_DEPTH);
	reader->path_ends[reader->path_depth++] = (uint16_t)reader->path_len;
}

void
option_enter(struct option_reader *reader, const char *key)
{
	path_mark(reader);
	if (reader->path_len > 0)
		path_add(reader, ".", 1);
	path_add(reader, key, strlen(key));
}

void
option_enter_index(struct option_reader *reader, size_t index)
{
	char part[32];
	int len = snprintf(part, sizeof(part), "[%zu]", index);

	path_mark(reader);
	path_add(reader, part, (size_t)len);
}

void
option_leave(struct option_reader *reader)
{
	assert(reader->path_depth > 0);
	reader->path_len = reader->path_ends[--reader->path_depth];
	reader->path[reader->path_len] = '\0';
}

/* -- saying what is wrong ------------------------------------------------------------------------------------------ */

/* An empty value stands nowhere that a person would look. */
static struct conf_place
place_of(const struct conf_node *node)
{
	if (node == NULL)
		return (struct conf_place){ 0 };
	return node->kind == CONF_NULL && node->key_place.file ? node->key_place : node->place;
}

static void
say(struct option_reader *reader, bool warning, struct conf_place place, const char *format, va_list list)
{
	struct text sentence = { 0 };

	text_format_list(&sentence, format, list);
	conf_problems_add(reader->problems, warning, place, reader->path, "%s", sentence.bytes);
	text_fini(&sentence);
}

bool
option_problem(struct option_reader *reader, const struct conf_node *node, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(reader, false, place_of(node), format, list);
	va_end(list);
	return false;
}

void
option_warning(struct option_reader *reader, const struct conf_node *node, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(reader, true, place_of(node), format, list);
	va_end(list);
}

static void
say_at(struct option_reader *reader, bool warning, const struct conf_node *map, const char *key, const char *format,
    va_list list)
{
	const struct conf_node *node = conf_get(map, key);

	option_enter(reader, key);
	say(reader, warning, place_of(node ? node : map), format, list);
	option_leave(reader);
}

bool
option_problem_at(struct option_reader *reader, const struct conf_node *map, const char *key, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_at(reader, false, map, key, format, list);
	va_end(list);
	return false;
}

void
option_warning_at(struct option_reader *reader, const struct conf_node *map, const char *key, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_at(reader, true, map, key, format, list);
	va_end(list);
}

bool
option_problem_unknown(struct option_reader *reader, const struct conf_node *child, const char *const *known,
    size_t count)
{
	const char *nearest = conf_suggest(child->key, known, count);

	option_enter(reader, child->key.at);
	if (nearest)
		conf_problems_add(reader->problems, false, child->key_place, reader->path,
		    "unknown key (did you mean \"%s\"?)", nearest);
	else
		conf_problems_add(reader->problems, false, child->key_place, reader->path, "unknown key");
	option_leave(reader);
	return false;
}

/* Not in the middle of a character. */
static struct span
cut_short(struct span text)
{
	size_t len = SHOWN_MAX;

	if (text.len <= SHOWN_MAX)
		return text;
	while (len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;
	return span_first(text, len);
}

const char *
option_shown(struct option_reader *reader, const struct conf_node *node)
{
	struct span cut = cut_short(node->text);

	switch (node->kind) {
	case CONF_LIST:
		return "a list";
	case CONF_MAP:
		return "a map";
	case CONF_NULL:
		return "nothing";
	case CONF_SCALAR:
		break;
	}
	if (node->secret)
		return "\"******\"";
	return arena_format(reader->arena, "\"%.*s%s\"", (int)cut.len, cut.at, cut.len < node->text.len ? "…" : "");
}

bool
option_is_off(const struct conf_node *node)
{
	static const struct span words[] = { SPAN("off"), SPAN("false"), SPAN("no") };

	if (node == NULL || node->kind != CONF_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < COUNT(words); i++) {
		if (span_equal_nocase(node->text, words[i]))
			return true;
	}
	return false;
}

/* -- defaults ------------------------------------------------------------------------------------------------------ */

static struct conf_node *
default_scalar(struct arena *arena, struct span text)
{
	struct conf_node *node = arena_zalloc(arena, sizeof(*node));

	node->kind = CONF_SCALAR;
	node->text = span_make(arena_text(arena, text), text.len);
	return node;
}

static bool
is_list_default(const struct option *row)
{
	size_t len = strlen(row->def);

	return (row->kind == OPTION_KIND_TEXTS || row->kind == OPTION_KIND_CUSTOM) && len >= 2 && row->def[0] == '[' &&
	       row->def[len - 1] == ']';
}

/* "[a, b]": plain words only, so that no YAML is needed where a packed configuration is read. */
static struct conf_node *
default_list(struct arena *arena, struct span def)
{
	struct conf_node *list = arena_zalloc(arena, sizeof(*list));
	struct conf_node **end = &list->first;
	struct span rest = span_first(span_skip(def, 1), def.len - 2), part;

	list->kind = CONF_LIST;
	while (span_cut(&rest, ',', &part)) {
		*end = default_scalar(arena, span_trim(part));
		end = &(*end)->next;
		list->count++;
	}
	return list;
}

/* A default that its own row refuses is our mistake, in every configuration. */
static void
default_read(struct option_reader *reader, const struct option *row, void *field)
{
	struct span def = span_text(row->def);
	struct conf_node *node = is_list_default(row) ? default_list(reader->arena, def)
	    : default_scalar(reader->arena, def);

	if (option_read_value(reader, row, node, field))
		return;
	fprintf(stderr, "option %s: its own default is refused: %s\n", reader->path,
	    reader->problems->last ? reader->problems->last->sentence : "");
	abort();
}

/* -- groups -------------------------------------------------------------------------------------------------------- */

static void *
field_of(const struct option *row, void *record)
{
	return (char *)record + row->offset;
}

static void
mark_present(const struct option *row, void *record)
{
	bool yes = true;

	if (row->present)
		memcpy((char *)record + row->present - 1, &yes, sizeof(yes));
}

static bool
absent_read(struct option_reader *reader, const struct option *row, const struct conf_node *node, void *record)
{
	if (row->required && node)
		return option_problem(reader, node, "required key is missing");
	if (row->def)
		default_read(reader, row, field_of(row, record));
	else if (row->kind == OPTION_KIND_GROUP)
		return option_read(reader, row->group, NULL, field_of(row, record));
	return true;
}

/* value NULL: the key is not there. */
static bool
row_read(struct option_reader *reader, const struct option *row, const struct conf_node *node,
    const struct conf_node *value, void *record)
{
	bool is_good;

	if (value == NULL && row->kind == OPTION_KIND_REFUSED)
		return true;
	option_enter(reader, option_key(row));
	if (value == NULL) {
		is_good = absent_read(reader, row, node, record);
	} else if (row->kind == OPTION_KIND_REFUSED) {
		conf_problems_add(reader->problems, false, value->key_place, reader->path,
		    "not supported in this version");
		is_good = false;
	} else {
		mark_present(row, record);
		is_good = option_read_value(reader, row, value, field_of(row, record));
	}
	option_leave(reader);
	return is_good;
}

static size_t
row_count(const struct option *rows)
{
	size_t count = 0;

	while (rows[count].kind != OPTION_KIND_END)
		count++;
	return count;
}

static bool
is_known(const struct option *rows, struct span key)
{
	for (const struct option *row = rows; row->kind != OPTION_KIND_END; row++) {
		if (span_is(key, option_key(row)))
			return true;
	}
	return false;
}

/* What a misspelt key can have meant. */
static const char **
keys_list(const struct option *rows, size_t *count_out)
{
	const char **keys = memory_zalloc((row_count(rows) + 1) * sizeof(*keys));

	*count_out = 0;
	for (const struct option *row = rows; row->kind != OPTION_KIND_END; row++) {
		if (row->kind != OPTION_KIND_REFUSED)
			keys[(*count_out)++] = option_key(row);
	}
	return keys;
}

static bool
unknown_refuse(struct option_reader *reader, const struct option *rows, const struct conf_node *child)
{
	size_t count;
	const char **known = keys_list(rows, &count);

	option_problem_unknown(reader, child, known, count);
	memory_free(known);
	return false;
}

/* A key that is missing because it is misspelt is told once, where it stands. */
static bool
is_misspelt(const struct option *rows, const char *key, const struct conf_node *map)
{
	size_t count;
	const char **known = keys_list(rows, &count);
	bool is_found = false;

	for (const struct conf_node *child = map->first; child && !is_found; child = child->next) {
		const char *nearest = is_known(rows, child->key) ? NULL : conf_suggest(child->key, known, count);

		is_found = nearest && strcmp(nearest, key) == 0;
	}
	memory_free(known);
	return is_found;
}

static bool
unknown_check(struct option_reader *reader, const struct option *rows, const struct conf_node *map)
{
	bool is_good = true;

	for (const struct conf_node *child = map->first; child; child = child->next) {
		if (!is_known(rows, child->key))
			is_good = unknown_refuse(reader, rows, child);
	}
	return is_good;
}

/* What is no map stands for the value of short_key, so its problems keep the group's own path. */
static bool
short_read(struct option_reader *reader, const struct option_group *group, const struct conf_node *node, void *record)
{
	bool is_good = true;
	bool is_found = false;

	for (const struct option *row = group->rows; row->kind != OPTION_KIND_END; row++) {
		if (strcmp(option_key(row), group->short_key) != 0) {
			is_good &= row_read(reader, row, node, NULL, record);
			continue;
		}
		is_found = true;
		mark_present(row, record);
		is_good &= option_read_value(reader, row, node, field_of(row, record));
	}
	assert(is_found);
	return is_good;
}

static bool
rows_read(struct option_reader *reader, const struct option_group *group, const struct conf_node *node, void *record)
{
	bool is_good = true;

	for (const struct option *row = group->rows; row->kind != OPTION_KIND_END; row++) {
		const struct conf_node *value = conf_get(node, option_key(row));

		if (value == NULL && row->required && node && is_misspelt(group->rows, option_key(row), node))
			is_good = false;
		else
			is_good &= row_read(reader, row, node, value, record);
	}
	if (node)
		is_good &= unknown_check(reader, group->rows, node);
	return is_good;
}

bool
option_read(struct option_reader *reader, const struct option_group *group, const struct conf_node *node, void *record)
{
	bool is_short = node && (node->kind == CONF_SCALAR || node->kind == CONF_LIST);
	bool is_good;

	if (node && node->broken)
		return false;
	if (is_short && group->short_key == NULL)
		return option_problem(reader, node, "expected a map of keys, got %s", option_shown(reader, node));
	is_good = is_short ? short_read(reader, group, node, record) : rows_read(reader, group, node, record);
	if (is_good && node && group->check)
		return group->check(reader, node, record);
	return is_good;
}
