/*
 * A group as YAML again: what was given as it was resolved, what was not as its default. Every value stands on a line
 * of its own in block style, so that the comment can follow it; what could be read as anything but itself goes in
 * quotes.
 */
#include "conf/option.h"

#include "conf/loading.h"

#include <stdlib.h>
#include <unistd.h>

#define STEP 2	/* spaces a level */
#define MASK "\"******\""
#define IS_DEFAULT "  # default"

static void node_print(const struct conf_node *node, int indent, struct text *to);

static void
spaces(struct text *to, int count)
{
	while (count-- > 0)
		text_add_byte(to, ' ');
}

/* -- scalars ------------------------------------------------------------------------------------------------------- */

static bool
is_plain_byte(char byte)
{
	return (byte_lower(byte) >= 'a' && byte_lower(byte) <= 'z') || (byte >= '0' && byte <= '9') ||
	       (byte && strchr("_./+%-:", byte));
}

/* Much less than YAML allows without quotes, and nothing that means something to it. */
static bool
is_plain(struct span text)
{
	if (text.len == 0 || conf_text_is_null(text) || text.at[text.len - 1] == ':' || strchr(".%:+-", text.at[0]))
		return text.len > 1 && text.at[0] == '-' && text.at[1] >= '0' && text.at[1] <= '9' &&
		       is_plain(span_skip(text, 1));
	for (size_t i = 0; i < text.len; i++) {
		if (!is_plain_byte(text.at[i]))
			return false;
	}
	return true;
}

/* Bytes of the well-formed character at the start of text, and the character. Anything else counts as one byte. */
static size_t
character_at(struct span text, uint32_t *character_out)
{
	unsigned char first = (unsigned char)text.at[0];
	size_t len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	*character_out = len == 1 ? first : first & (0xffu >> (len + 1));
	if (len > text.len)
		return 1;
	for (size_t i = 1; i < len; i++)
		*character_out = *character_out << 6 | ((unsigned char)text.at[i] & 0x3f);
	return len;
}

/* What may stand in YAML as it is and is no line break there (YAML 1.1 §5.1, §5.4). */
static bool
is_printable(uint32_t character)
{
	return (character >= 0x20 && character <= 0x7e) ||
	       (character >= 0xa0 && character <= 0xd7ff && character != 0x2028 && character != 0x2029) ||
	       (character >= 0xe000 && character <= 0xfffd && character != 0xfeff) ||
	       (character >= 0x10000 && character <= 0x10ffff);
}

static void
character_escape(uint32_t character, struct text *to)
{
	static const char short_ones[] = "\"\"\\\\\nn\tt\rr";

	for (const char *each = short_ones; *each; each += 2) {
		if ((unsigned char)*each == character) {
			text_format(to, "\\%c", each[1]);
			return;
		}
	}
	text_format(to, character < 0x100 ? "\\x%02x" : character < 0x10000 ? "\\u%04x" : "\\U%08x", character);
}

/* "${" was expanded once and would be again. */
static void
quoted_print(struct span text, bool is_expanded, struct text *to)
{
	uint32_t character;
	size_t len;

	text_add_byte(to, '"');
	for (; text.len > 0; text = span_skip(text, len)) {
		len = character_at(text, &character);
		if (is_expanded && character == '$' && text.len > 1 && text.at[1] == '{')
			text_add_text(to, "$$");
		else if (is_printable(character) && character != '"' && character != '\\')
			text_add(to, span_first(text, len));
		else
			character_escape(character, to);
	}
	text_add_byte(to, '"');
}

static void
scalar_print(const struct conf_node *node, struct text *to)
{
	if (node->secret)
		text_add_text(to, MASK);
	else if (!node->quoted && is_plain(node->text))
		text_add(to, node->text);
	else
		quoted_print(node->text, true, to);
}

static void
key_print(struct span key, int indent, struct text *to)
{
	spaces(to, indent);
	if (is_plain(key))
		text_add(to, key);
	else
		quoted_print(key, false, to);
	text_add_byte(to, ':');
}

/* -- nodes as they are --------------------------------------------------------------------------------------------- */

/* Lines that were printed from `start` on at indent + STEP become an item: the dash goes into their first spaces. */
static void
item_dash(struct text *to, size_t start, int indent)
{
	if (to->len == start) {
		spaces(to, indent);
		text_add_text(to, "- {}\n");
		return;
	}
	to->bytes[start + (size_t)indent] = '-';
}

static void
list_print(const struct conf_node *list, int indent, struct text *to)
{
	for (const struct conf_node *item = list->first; item; item = item->next) {
		size_t start = to->len;

		if (item->kind == CONF_SCALAR || item->kind == CONF_NULL || item->count == 0) {
			spaces(to, indent);
			text_add_byte(to, '-');
		}
		node_print(item, indent, to);
		if (item->kind != CONF_SCALAR && item->count > 0)
			item_dash(to, start, indent);
	}
}

/* What follows a key's colon or a list's dash at `indent`: on the same line, or on the next ones further in. */
static void
node_print(const struct conf_node *node, int indent, struct text *to)
{
	if (node->kind == CONF_NULL) {
		text_add_text(to, " null\n");
	} else if (node->kind == CONF_SCALAR) {
		text_add_byte(to, ' ');
		scalar_print(node, to);
		text_add_byte(to, '\n');
	} else if (node->count == 0) {
		text_add_text(to, node->kind == CONF_LIST ? " []\n" : " {}\n");
	} else if (node->kind == CONF_LIST) {
		list_print(node, indent + STEP, to);
	} else {
		for (const struct conf_node *child = node->first; child; child = child->next) {
			key_print(child->key, indent + STEP, to);
			if (child->kind == CONF_LIST || child->kind == CONF_MAP)
				text_add_text(to, child->count ? "\n" : "");
			node_print(child, indent + STEP, to);
		}
	}
}

/* -- rows ---------------------------------------------------------------------------------------------------------- */

static void
default_print(const struct option *row, int indent, struct text *to)
{
	struct span def = span_text(row->def);
	bool is_list = (row->kind == OPTION_KIND_TEXTS || row->kind == OPTION_KIND_CUSTOM) && def.len >= 2 &&
			  def.at[0] == '[' && def.at[def.len - 1] == ']';

	key_print(span_text(option_key(row)), indent, to);
	text_add_byte(to, ' ');
	if (is_list || is_plain(def))
		text_add(to, def);
	else
		quoted_print(def, true, to);
	text_add_text(to, IS_DEFAULT "\n");
}

static bool
has_required(const struct option_group *group)
{
	for (const struct option *row = group->rows; row->kind != OPTION_KIND_END; row++) {
		if (row->required)
			return true;
	}
	return false;
}

/* A group that was not given is shown only when giving it changes nothing. */
static void
absent_print(const struct option *row, int indent, struct text *to)
{
	size_t start = to->len, inside;

	if (row->kind != OPTION_KIND_GROUP || row->present || has_required(row->group)) {
		if (row->def && row->kind != OPTION_KIND_GROUP)
			default_print(row, indent, to);
		return;
	}
	key_print(span_text(option_key(row)), indent, to);
	text_add_byte(to, '\n');
	inside = to->len;
	option_print(row->group, NULL, indent + STEP, to);
	if (to->len == inside) {
		to->len = start;
		to->bytes[start] = '\0';
	}
}

static struct span
path_absolute(const struct conf_node *node, struct span path, struct arena *arena)
{
	char *now = getcwd(NULL, 0);
	const char *beside = conf_beside(arena, node->place.file ? node->place.file : "", path);
	const char *absolute = conf_absolute(arena, now ? now : "/", beside);

	free(now);
	return span_text(absolute);
}

static void
path_print(const struct conf_node *node, struct text *to)
{
	struct arena arena;
	struct conf_node absolute = *node;

	arena_init(&arena, 1024);
	absolute.text = path_absolute(node, node->text, &arena);
	text_add_byte(to, ' ');
	scalar_print(&absolute, to);
	text_add_byte(to, '\n');
	arena_fini(&arena);
}

/* A copy in which every path that the row knows of holds wherever what is printed comes to stand. */
static struct conf_node *
paths_absolute(const struct option *row, const struct conf_node *node, struct arena *arena)
{
	struct conf_node *copy = arena_zalloc(arena, sizeof(*copy)), **end = &copy->first;
	struct span path = node->kind == CONF_SCALAR ? row->path(node->text) : span_make("", 0);

	*copy = *node;
	if (path.len > 0) {
		struct span before = span_first(node->text, node->text.len - path.len);

		copy->text = arena_join(arena, before, path_absolute(node, path, arena));
	}
	for (const struct conf_node *child = node->first; child; child = child->next) {
		*end = paths_absolute(row, child, arena);
		end = &(*end)->next;
	}
	return copy;
}

static void
custom_print(const struct option *row, const struct conf_node *node, int indent, struct text *to)
{
	struct arena arena;

	arena_init(&arena, 1024);
	if (row->path)
		node = paths_absolute(row, node, &arena);
	if (node->count > 0)
		text_add_byte(to, '\n');
	node_print(node, indent, to);
	arena_fini(&arena);
}

static void
group_print(const struct option_group *group, const struct conf_node *node, int indent, struct text *to)
{
	size_t start;

	text_add_byte(to, '\n');
	start = to->len;
	option_print(group, node, indent + STEP, to);
	if (to->len > start)
		return;
	to->len--;
	text_add_text(to, " {}\n");
}

static void
records_print(const struct option_group *group, const struct conf_node *node, int indent, struct text *to)
{
	const struct conf_node *item = node->kind == CONF_LIST ? node->first : node;

	if (node->kind == CONF_LIST && node->count == 0) {
		text_add_text(to, " []\n");
		return;
	}
	text_add_byte(to, '\n');
	for (; item; item = node->kind == CONF_LIST ? item->next : NULL) {
		size_t start = to->len;

		option_print(group, item, indent + 2 * STEP, to);
		item_dash(to, start, indent + STEP);
	}
}

static void
named_print(const struct option_group *group, const struct conf_node *node, int indent, struct text *to)
{
	text_add_text(to, node->count ? "\n" : " {}\n");
	for (const struct conf_node *child = node->first; child; child = child->next) {
		key_print(child->key, indent + STEP, to);
		group_print(group, child, indent + STEP, to);
	}
}

static void
value_print(const struct option *row, const struct conf_node *node, int indent, struct text *to)
{
	key_print(span_text(option_key(row)), indent, to);
	switch (row->kind) {
	case OPTION_KIND_GROUP:
		group_print(row->group, node, indent, to);
		break;
	case OPTION_KIND_RECORDS:
		records_print(row->group, node, indent, to);
		break;
	case OPTION_KIND_NAMED:
		named_print(row->group, node, indent, to);
		break;
	case OPTION_KIND_PATH:
		path_print(node, to);
		break;
	default:
		custom_print(row, node, indent, to);
	}
}

/* The given value of a row: its key's, or the whole node in the short form. */
static const struct conf_node *
value_find(const struct option_group *group, const struct option *row, const struct conf_node *node)
{
	if (node == NULL || node->kind == CONF_NULL || node->kind == CONF_MAP)
		return conf_get(node, option_key(row));
	return group->short_key && strcmp(group->short_key, option_key(row)) == 0 ? node : NULL;
}

void
option_print(const struct option_group *group, const struct conf_node *node, int indent, struct text *to)
{
	for (const struct option *row = group->rows; row->kind != OPTION_KIND_END; row++) {
		const struct conf_node *value = value_find(group, row, node);

		if (value)
			value_print(row, value, indent, to);
		else
			absent_print(row, indent, to);
	}
}
