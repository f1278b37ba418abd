/*
 * A conf as bytes and back. Only the same build reads what it wrote, so numbers lie as they do in memory; but nothing
 * is believed: every length is held against what is left, and depth and numbers of nodes against loading's own bounds.
 *
 *	magic · directory · path · names · environment (asked, from files) · kept files · tree
 *
 * A text is its length (u32) and its bytes. Places name their file by its number among the names, from 1; 0 is none.
 */
#include "conf/loading.h"

#include "base/memory.h"

#include <assert.h>

#define TREE_DEPTH_MAX (CONF_DEPTH_MAX + 2)	/* merging may wrap one thing into a list */

static const struct span magic = SPAN("reeve conf 2\n");

enum node_flag { FLAG_QUOTED = 1, FLAG_SECRET = 2, FLAG_BROKEN = 4, FLAGS_ALL = 7 };

/* -- packing ------------------------------------------------------------------------------------------------------- */

struct packer {
	struct text		*to;
	const struct conf	*conf;
	const char		*last_file;	/* nodes of one file stand together */
	uint32_t		 last_number;
};

static void
put_byte(struct packer *packer, unsigned byte)
{
	text_add_byte(packer->to, (char)byte);
}

static void
put_number(struct packer *packer, uint32_t number)
{
	text_add(packer->to, span_make((const char *)&number, sizeof(number)));
}

static void
put_text(struct packer *packer, struct span text)
{
	assert(text.len <= UINT32_MAX);
	put_number(packer, (uint32_t)text.len);
	text_add(packer->to, text);
}

static void
put_names(struct packer *packer)
{
	uint32_t count = 0;

	for (const struct conf_name *name = packer->conf->names; name; name = name->next)
		count++;
	put_number(packer, count);
	for (const struct conf_name *name = packer->conf->names; name; name = name->next)
		put_text(packer, span_text(name->text));
}

static uint32_t
file_number(struct packer *packer, const char *file)
{
	uint32_t number = 1;

	if (file == NULL)
		return 0;
	if (file == packer->last_file)
		return packer->last_number;
	for (const struct conf_name *name = packer->conf->names; name; name = name->next, number++) {
		if (name->text == file)
			break;
	}
	packer->last_file = file;
	packer->last_number = number;
	return number;
}

static void
put_place(struct packer *packer, struct conf_place place)
{
	put_number(packer, file_number(packer, place.file));
	put_number(packer, place.line);
	put_number(packer, place.column);
}

static void
put_variables(struct packer *packer, const struct conf_variable *first)
{
	uint32_t count = 0;

	for (const struct conf_variable *each = first; each; each = each->next)
		count++;
	put_number(packer, count);
	for (const struct conf_variable *each = first; each; each = each->next) {
		put_text(packer, span_text(each->name));
		put_text(packer, span_text(each->value));
	}
}

static void
put_kept(struct packer *packer)
{
	uint32_t count = 0;

	for (const struct conf_kept *kept = packer->conf->kept; kept; kept = kept->next)
		count++;
	put_number(packer, count);
	for (const struct conf_kept *kept = packer->conf->kept; kept; kept = kept->next) {
		put_text(packer, span_text(kept->path));
		put_text(packer, kept->contents);
		put_byte(packer, kept->is_watched);
	}
}

static void
put_node(struct packer *packer, const struct conf_node *node)
{
	put_byte(packer, node->kind);
	put_byte(packer, (node->quoted ? FLAG_QUOTED : 0u) | (node->secret ? FLAG_SECRET : 0u) |
	    (node->broken ? FLAG_BROKEN : 0u));
	put_place(packer, node->place);
	put_place(packer, node->key_place);
	put_text(packer, node->key);
	put_text(packer, node->text);
	put_number(packer, (uint32_t)node->count);
	for (const struct conf_node *child = node->first; child; child = child->next)
		put_node(packer, child);
}

void
conf_pack(const struct conf *conf, struct text *to)
{
	struct packer packer = { .to = to, .conf = conf };

	text_add(to, magic);
	put_text(&packer, span_text(conf->directory));
	put_text(&packer, span_text(conf->path));
	put_names(&packer);
	put_variables(&packer, conf->environment->asked);
	put_variables(&packer, conf->environment->from_files);
	put_kept(&packer);
	put_node(&packer, conf->root);
}

/* -- unpacking ----------------------------------------------------------------------------------------------------- */

/* Once broken, every read gives nothing; only the end looks whether it was. */
struct unpacker {
	struct conf	*conf;
	struct span	 rest;
	const char	**names;	/* owned */
	uint32_t	 name_count;
	uint32_t	 node_count;
	bool		 is_broken;
};

static struct span
take(struct unpacker *unpacker, size_t count)
{
	struct span taken = span_first(unpacker->rest, count);

	if (unpacker->is_broken || taken.len < count) {
		unpacker->is_broken = true;
		return (struct span){ 0 };
	}
	unpacker->rest = span_skip(unpacker->rest, count);
	return taken;
}

static unsigned
take_byte(struct unpacker *unpacker)
{
	struct span byte = take(unpacker, 1);

	return byte.len ? (unsigned char)byte.at[0] : 0;
}

static uint32_t
take_number(struct unpacker *unpacker)
{
	struct span bytes = take(unpacker, sizeof(uint32_t));
	uint32_t number = 0;

	if (bytes.len)
		memcpy(&number, bytes.at, sizeof(number));
	return number;
}

static struct span
take_text(struct unpacker *unpacker)
{
	struct span text = take(unpacker, take_number(unpacker));

	return span_make(arena_text(unpacker->conf->arena, text), text.len);
}

/* How many of something that takes at least `least` bytes each. */
static uint32_t
take_count(struct unpacker *unpacker, size_t least)
{
	uint32_t count = take_number(unpacker);

	if (count <= unpacker->rest.len / least)
		return count;
	unpacker->is_broken = true;
	return 0;
}

static void
take_names(struct unpacker *unpacker)
{
	struct conf_name **end = &unpacker->conf->names;

	unpacker->name_count = take_count(unpacker, sizeof(uint32_t));
	unpacker->names = memory_zalloc((unpacker->name_count + 1) * sizeof(*unpacker->names));
	for (uint32_t i = 0; i < unpacker->name_count; i++, end = &(*end)->next) {
		*end = arena_zalloc(unpacker->conf->arena, sizeof(**end));
		(*end)->text = unpacker->names[i + 1] = take_text(unpacker).at;
	}
}

static struct conf_place
take_place(struct unpacker *unpacker)
{
	uint32_t number = take_number(unpacker);
	struct conf_place place = { 0 };

	if (number > unpacker->name_count)
		unpacker->is_broken = true;
	else
		place.file = unpacker->names[number];
	place.line = take_number(unpacker);
	place.column = take_number(unpacker);
	return place;
}

static struct conf_variable *
take_variables(struct unpacker *unpacker)
{
	uint32_t count = take_count(unpacker, 2 * sizeof(uint32_t));
	struct conf_variable *first = NULL;
	struct conf_variable **end = &first;

	for (; count > 0; count--, end = &(*end)->next) {
		*end = arena_zalloc(unpacker->conf->arena, sizeof(**end));
		(*end)->name = take_text(unpacker).at;
		(*end)->value = take_text(unpacker).at;
	}
	return first;
}

static void
take_kept(struct unpacker *unpacker)
{
	uint32_t count = take_count(unpacker, 2 * sizeof(uint32_t) + 1);
	struct conf_kept **end = &unpacker->conf->kept;

	for (; count > 0; count--, end = &(*end)->next) {
		*end = arena_zalloc(unpacker->conf->arena, sizeof(**end));
		(*end)->path = take_text(unpacker).at;
		(*end)->contents = take_text(unpacker);
		(*end)->is_watched = take_byte(unpacker) != 0;
	}
}

static struct conf_node *take_node(struct unpacker *unpacker, unsigned depth);

static void
take_children(struct unpacker *unpacker, struct conf_node *node, unsigned depth)
{
	struct conf_node **end = &node->first;
	bool may_have = node->kind == CONF_LIST || node->kind == CONF_MAP;

	node->count = take_number(unpacker);
	if (node->count > 0 && !may_have)
		unpacker->is_broken = true;
	for (size_t i = 0; i < node->count && !unpacker->is_broken; i++, end = &(*end)->next)
		*end = take_node(unpacker, depth + 1);
}

static struct conf_node *
take_node(struct unpacker *unpacker, unsigned depth)
{
	struct conf_node *node = arena_zalloc(unpacker->conf->arena, sizeof(*node));
	unsigned kind = take_byte(unpacker), flags = take_byte(unpacker);

	/* Merging wraps and merge keys copy: a little more than loading counted, never twice as much. */
	if (kind > CONF_MAP || flags > FLAGS_ALL || depth > TREE_DEPTH_MAX ||
	    ++unpacker->node_count > 2 * CONF_NODES_MAX)
		unpacker->is_broken = true;
	node->kind = kind;
	node->quoted = flags & FLAG_QUOTED;
	node->secret = flags & FLAG_SECRET;
	node->broken = flags & FLAG_BROKEN;
	node->place = take_place(unpacker);
	node->key_place = take_place(unpacker);
	node->key = take_text(unpacker);
	node->text = take_text(unpacker);
	take_children(unpacker, node, depth);
	return node;
}

static bool
take_all(struct unpacker *unpacker)
{
	struct conf *conf = unpacker->conf;

	if (!span_equal(take(unpacker, magic.len), magic))
		return false;
	conf->directory = take_text(unpacker).at;
	conf->path = take_text(unpacker).at;
	take_names(unpacker);
	conf->environment->asked = take_variables(unpacker);
	conf->environment->from_files = take_variables(unpacker);
	take_kept(unpacker);
	conf->root = take_node(unpacker, 0);
	return !unpacker->is_broken && unpacker->rest.len == 0 && conf->root->kind == CONF_MAP;
}

struct conf *
conf_unpack(struct span packed, struct err *err)
{
	struct unpacker unpacker = { .conf = conf_create(), .rest = packed };
	bool is_good = take_all(&unpacker);

	unpacker.conf->is_unpacked = true;
	unpacker.conf->environment->is_sealed = true;
	memory_free(unpacker.names);
	if (is_good)
		return unpacker.conf;
	conf_free(unpacker.conf);
	err_set(err, "the packed configuration is damaged or of another build");
	return NULL;
}
