/*
 * libyaml's events become nodes. One event is current at a time; each reader takes it, moves on, and leaves the last
 * event of its value current. What makes the rest unreadable (a mistake in YAML, a bound) ends the file; everything
 * else is reported and the node marked broken.
 *
 * Aliases copy what they name, since a node stands in one place only, so the bound on nodes counts what the aliases
 * would become ("billion laughs"), not what was written.
 */
#include "conf/loading.h"

#include "base/count.h"

#include <assert.h>
#include <yaml.h>

#define ANCHORS_MAX 1000u	/* each alias looks through all */
#define CORE_TAG "tag:yaml.org,2002:"

struct anchor {
	struct anchor		*next;
	const char		*name;
	const struct conf_node	*node;	/* NULL: still being read */
};

struct yaml_reader {
	struct conf_loader	*loader;
	const char		*file;
	struct span		 bytes;
	yaml_parser_t		 parser;
	yaml_event_t		 event;		/* current */
	struct anchor		*anchors;	/* newest first: a name may be given again */
	size_t			 anchor_count;
};

static const struct core_tag {
	const char	*name;
	enum conf_kind	 kind;
	bool		 is_text;
} core_tags[] = {
	{ "!", CONF_SCALAR, true },
	{ CORE_TAG "str", CONF_SCALAR, true },
	{ CORE_TAG "int", CONF_SCALAR, false },
	{ CORE_TAG "float", CONF_SCALAR, false },
	{ CORE_TAG "bool", CONF_SCALAR, false },
	{ CORE_TAG "null", CONF_SCALAR, false },
	{ CORE_TAG "seq", CONF_LIST, false },
	{ CORE_TAG "map", CONF_MAP, false },
	{ "!", CONF_LIST, false },
	{ "!", CONF_MAP, false },
};

static struct conf_node *node_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth);

static struct conf_place
place_of(const struct yaml_reader *reader, const yaml_mark_t *mark)
{
	return (struct conf_place){ reader->file, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
}

static struct conf_place
place_now(const struct yaml_reader *reader)
{
	return place_of(reader, &reader->event.start_mark);
}

/* -- events -------------------------------------------------------------------------------------------------------- */

/* libyaml gives no line for bytes that are no UTF-8, only how many came before. */
static struct conf_place
place_at(const struct yaml_reader *reader, size_t offset)
{
	struct conf_place place = { reader->file, 1, 1 };
	struct span before = span_first(reader->bytes, offset);

	for (size_t i = 0; i < before.len; i++) {
		if (before.at[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if (((unsigned char)before.at[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

static struct span
line_at(const struct yaml_reader *reader, uint32_t number)
{
	struct span rest = reader->bytes, line = { 0 };

	while (number-- > 0 && span_cut(&rest, '\n', &line))
		;
	return line;
}

/* Within […] and {…} a brace ends a text that is not in quotes, so `{key: ${NAME}}` is no YAML. Everyone tries it once. */
static bool
lacks_quotes(const struct yaml_reader *reader, uint32_t number)
{
	static const struct span opening = SPAN("${");
	struct span line = line_at(reader, number);

	if (reader->parser.context == NULL || strstr(reader->parser.context, "flow") == NULL)
		return false;
	while (line.len > 0 && !span_starts_with(line, opening))
		line = span_skip(line, 1);
	return line.len > 0;
}

static bool
invalid_yaml(const struct yaml_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "no memory";
	struct conf_place place = place_of(reader, &parser->problem_mark);

	if (parser->error == YAML_READER_ERROR)
		place = place_at(reader, parser->problem_offset);
	if (lacks_quotes(reader, place.line))
		return conf_say(reader->loader, place, NULL, "not valid YAML: %s (a ${…} between [ ] or { } needs quotes)",
		    problem);
	if (parser->context)
		return conf_say(reader->loader, place, NULL, "not valid YAML: %s (%s from line %zu on)", problem,
		    parser->context, parser->context_mark.line + 1);
	return conf_say(reader->loader, place, NULL, "not valid YAML: %s", problem);
}

static bool
advance(struct yaml_reader *reader)
{
	yaml_event_delete(&reader->event);
	return yaml_parser_parse(&reader->parser, &reader->event) || invalid_yaml(reader);
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

/* It stands where the current event does; a copy takes another place afterwards. */
static struct conf_node *
node_create(struct yaml_reader *reader)
{
	struct conf_node *node;

	if (++reader->loader->node_count > CONF_NODES_MAX) {
		conf_say(reader->loader, place_now(reader), NULL,
		    "the configuration has more than %u values (aliases counted)", CONF_NODES_MAX);
		return NULL;
	}
	node = arena_zalloc(reader->loader->conf->arena, sizeof(*node));
	node->place = place_now(reader);
	return node;
}

static bool
too_deep(const struct yaml_reader *reader, unsigned depth)
{
	return depth > CONF_DEPTH_MAX &&
	       !conf_say(reader->loader, place_now(reader), NULL, "nested deeper than %u levels", CONF_DEPTH_MAX);
}

bool
conf_text_is_null(struct span text)
{
	return text.len == 0 || span_is(text, "~") || span_is(text, "null") || span_is(text, "Null") ||
	       span_is(text, "NULL");
}

static const struct core_tag *
tag_find(const char *name, enum conf_kind kind)
{
	for (size_t i = 0; i < COUNT(core_tags); i++) {
		if (core_tags[i].kind == kind && strcmp(core_tags[i].name, name) == 0)
			return &core_tags[i];
	}
	return NULL;
}

/* node->kind is not yet CONF_NULL here. */
static void
tag_apply(struct yaml_reader *reader, struct conf_node *node, const yaml_char_t *tag, const struct conf_step *step)
{
	const struct core_tag *known;

	if (tag == NULL)
		return;
	known = tag_find((const char *)tag, node->kind);
	if (known)
		node->quoted = known->is_text;
	else
		conf_break(reader->loader, node, step, "the tag %s is not supported here", (const char *)tag);
}

/* The anchor of the current event. It names nothing until its node is complete: a node cannot hold itself. */
static bool
anchor_open(struct yaml_reader *reader, const yaml_char_t *name, struct anchor **anchor_out)
{
	struct arena *arena = reader->loader->conf->arena;
	struct anchor *anchor;

	*anchor_out = NULL;
	if (name == NULL)
		return true;
	if (++reader->anchor_count > ANCHORS_MAX)
		return conf_say(reader->loader, place_now(reader), NULL, "more than %u anchors in one file",
		    ANCHORS_MAX);
	anchor = arena_zalloc(arena, sizeof(*anchor));
	anchor->name = arena_text(arena, span_text((const char *)name));
	anchor->next = reader->anchors;
	reader->anchors = *anchor_out = anchor;
	return true;
}

/* -- aliases ------------------------------------------------------------------------------------------------------- */

static struct conf_node *
node_copy(struct yaml_reader *reader, const struct conf_node *from, unsigned depth)
{
	struct conf_node *node, **end;

	if (too_deep(reader, depth) || (node = node_create(reader)) == NULL)
		return NULL;
	*node = *from;
	node->next = NULL;
	node->key = (struct span){ 0 };
	node->key_place = (struct conf_place){ 0 };
	end = &node->first;
	for (const struct conf_node *child = from->first; child; child = child->next, end = &(*end)->next) {
		*end = node_copy(reader, child, depth + 1);
		if (*end == NULL)
			return NULL;
		(*end)->key = child->key;
		(*end)->key_place = child->key_place;
	}
	return node;
}

static struct conf_node *
alias_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth)
{
	const char *name = (const char *)reader->event.data.alias.anchor;
	const struct anchor *anchor = reader->anchors;
	struct conf_node *node;

	while (anchor && strcmp(anchor->name, name) != 0)
		anchor = anchor->next;
	if (anchor && anchor->node)
		return node_copy(reader, anchor->node, depth);
	node = node_create(reader);
	if (node == NULL)
		return NULL;
	node->kind = CONF_SCALAR;
	if (anchor)
		conf_break(reader->loader, node, step, "the alias *%s stands inside what it names", name);
	else
		conf_break(reader->loader, node, step, "no anchor &%s stands before this alias", name);
	node->text = SPAN_OF("");
	return node;
}

/* -- scalars and lists --------------------------------------------------------------------------------------------- */

static struct conf_node *
scalar_read(struct yaml_reader *reader, const struct conf_step *step)
{
	struct conf_node *node = node_create(reader);
	struct span value = span_make((const char *)reader->event.data.scalar.value,
	     reader->event.data.scalar.length);
	struct anchor *anchor;

	if (node == NULL || !anchor_open(reader, reader->event.data.scalar.anchor, &anchor))
		return NULL;
	node->kind = CONF_SCALAR;
	node->quoted = reader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	tag_apply(reader, node, reader->event.data.scalar.tag, step);
	if (span_find(value, '\0') < value.len) {
		conf_break(reader->loader, node, step, "a text cannot hold a NUL byte");
		value = SPAN_OF("");
	}
	node->text = span_make(arena_text(reader->loader->conf->arena, value), value.len);
	if (!node->quoted && !node->broken && conf_text_is_null(value))
		node->kind = CONF_NULL;
	if (anchor)
		anchor->node = node;
	return node;
}

static bool
list_fill(struct yaml_reader *reader, struct conf_node *list, const struct conf_step *step, unsigned depth)
{
	struct conf_node **end = &list->first;

	for (;; end = &(*end)->next, list->count++) {
		if (!advance(reader))
			return false;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		*end = node_read(reader, &(struct conf_step){ .up = step, .index = list->count }, depth + 1);
		if (*end == NULL)
			return false;
	}
}

static struct conf_node *
list_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth)
{
	struct conf_node *list = node_create(reader);
	struct anchor *anchor;

	if (list == NULL || !anchor_open(reader, reader->event.data.sequence_start.anchor, &anchor))
		return NULL;
	list->kind = CONF_LIST;
	tag_apply(reader, list, reader->event.data.sequence_start.tag, step);
	if (!list_fill(reader, list, step, depth))
		return NULL;
	if (anchor)
		anchor->node = list;
	return list;
}

/* -- maps ---------------------------------------------------------------------------------------------------------- */

static bool
key_is_usable(struct yaml_reader *reader, const struct conf_node *key, const struct conf_step *step)
{
	if (key->broken)
		return false;
	if (key->kind == CONF_LIST || key->kind == CONF_MAP)
		return conf_say(reader->loader, key->place, step, "a key must be a text, not a list or a map");
	return key->text.len > 0 || conf_say(reader->loader, key->place, step, "a key is empty");
}

/* The key's event is current. *value_out is NULL when the key was no good: its value is read over. */
static bool
entry_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth, struct conf_node **value_out,
    bool *is_merge_out)
{
	struct conf_node *key = node_read(reader, step, depth + 1);
	struct conf_node *value;
	bool is_usable;

	if (key == NULL)
		return false;
	is_usable = key_is_usable(reader, key, step);
	if (!advance(reader))
		return false;
	value = node_read(reader, &(struct conf_step){ .up = step, .key = key->text }, depth + 1);
	if (value == NULL)
		return false;
	value->key = key->text;
	value->key_place = key->place;
	*is_merge_out = !key->quoted && span_is(key->text, "<<");
	*value_out = is_usable ? value : NULL;
	return true;
}

static bool
map_fill(struct yaml_reader *reader, struct conf_node *map, const struct conf_step *step, unsigned depth)
{
	struct conf_node *merges = NULL, *value = NULL;
	struct conf_node **end = &map->first, **merges_end = &merges;
	bool is_merge = false;

	for (;;) {
		if (!advance(reader))
			return false;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (!entry_read(reader, step, depth, &value, &is_merge))
			return false;
		if (value == NULL)
			continue;
		if (is_merge) {
			*merges_end = value;
			merges_end = &value->next;
		} else {
			*end = value;
			end = &value->next;
			map->count++;
		}
	}
	conf_map_settle(reader->loader, map, merges, step);
	return true;
}

static struct conf_node *
map_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth)
{
	struct conf_node *map = node_create(reader);
	struct anchor *anchor;

	if (map == NULL || !anchor_open(reader, reader->event.data.mapping_start.anchor, &anchor))
		return NULL;
	map->kind = CONF_MAP;
	tag_apply(reader, map, reader->event.data.mapping_start.tag, step);
	if (!map_fill(reader, map, step, depth))
		return NULL;
	if (anchor)
		anchor->node = map;
	return map;
}

static struct conf_node *
node_read(struct yaml_reader *reader, const struct conf_step *step, unsigned depth)
{
	if (too_deep(reader, depth))
		return NULL;
	switch (reader->event.type) {
	case YAML_ALIAS_EVENT:
		return alias_read(reader, step, depth);
	case YAML_SCALAR_EVENT:
		return scalar_read(reader, step);
	case YAML_SEQUENCE_START_EVENT:
		return list_read(reader, step, depth);
	default:
		assert(reader->event.type == YAML_MAPPING_START_EVENT);
		return map_read(reader, step, depth);
	}
}

/* -- the file ------------------------------------------------------------------------------------------------------ */

/* STREAM-START is current. */
static struct conf_node *
document_read(struct yaml_reader *reader)
{
	struct conf_node *root;

	if (!advance(reader))
		return NULL;
	if (reader->event.type == YAML_STREAM_END_EVENT)
		return node_create(reader);
	assert(reader->event.type == YAML_DOCUMENT_START_EVENT);
	if (!advance(reader) || (root = node_read(reader, NULL, 0)) == NULL || !advance(reader) || !advance(reader))
		return NULL;
	if (reader->event.type == YAML_STREAM_END_EVENT)
		return root;
	conf_say(reader->loader, place_now(reader), NULL,
	    "a second YAML document starts here: a file holds one");
	return NULL;
}

struct conf_node *
conf_yaml_read(struct conf_loader *loader, const char *name, struct span bytes)
{
	static const struct span byte_order_mark = SPAN("\xef\xbb\xbf");
	struct yaml_reader reader = { .loader = loader, .file = name, .bytes = bytes };
	struct conf_node *root = NULL;

	if (span_starts_with(bytes, byte_order_mark))
		reader.bytes = span_skip(bytes, byte_order_mark.len);
	if (!yaml_parser_initialize(&reader.parser)) {
		conf_say(loader, (struct conf_place){ name, 0, 0 }, NULL, "no memory to read YAML");
		return NULL;
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(reader.bytes.len ? reader.bytes.at : ""),
	    reader.bytes.len);
	if (advance(&reader))
		root = document_read(&reader);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	return root;
}
