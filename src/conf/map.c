/*
 * What a map is once it is read: merge keys give it what it lacks, and of each key there is one. Both are found by
 * sorting the children by key and then back into their order, so that a map of many keys does not cost their square.
 */
#include "conf/loading.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct map_entry {
	struct conf_node	*node;
	size_t			 order;
};

static int
entry_compare_order(const void *a, const void *b)
{
	const struct map_entry *left = a, *right = b;

	return left->order < right->order ? -1 : 1;
}

static int
entry_compare_keys(const void *a, const void *b)
{
	const struct map_entry *left = a, *right = b;
	int keys = span_compare(left->node->key, right->node->key);

	return keys != 0 ? keys : entry_compare_order(a, b);
}

/* -- merge keys ---------------------------------------------------------------------------------------------------- */

/* The children are copied, not moved: an anchor may name the map they come from. What is below them is shared, since
 * that map itself stands nowhere in the tree. */
static struct conf_node **
merge_one(struct conf_loader *loader, struct conf_node *map, struct conf_node **end, const struct conf_node *from,
    const struct conf_step *step)
{
	if (from->kind != CONF_MAP) {
		if (!from->broken)
			conf_say(loader, from->place, step, "a merge key wants a map or a list of maps");
		return end;
	}
	for (const struct conf_node *child = from->first; child; child = child->next) {
		*end = arena_alloc(loader->conf->arena, sizeof(**end));
		**end = *child;
		(*end)->next = NULL;
		end = &(*end)->next;
		map->count++;
	}
	return end;
}

static void
merges_append(struct conf_loader *loader, struct conf_node *map, const struct conf_node *merges,
    const struct conf_step *step)
{
	struct conf_step here = { .up = step, .key = SPAN("<<") };
	struct conf_node **end = &map->first;

	while (*end)
		end = &(*end)->next;
	for (const struct conf_node *merge = merges; merge; merge = merge->next) {
		if (merge->kind != CONF_LIST) {
			end = merge_one(loader, map, end, merge, &here);
			continue;
		}
		for (const struct conf_node *item = merge->first; item; item = item->next)
			end = merge_one(loader, map, end, item, &here);
	}
}

/* -- one of each key ----------------------------------------------------------------------------------------------- */

/* Of each key the first stays, in entries[0…]. Among the map's own keys a second one is a mistake. Returns how many. */
static size_t
entries_keep_first(struct conf_loader *loader, struct map_entry *entries, size_t count, size_t own_count,
    const struct conf_step *step)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct conf_node *node = entries[i].node;
		const struct conf_node *first = kept ? entries[kept - 1].node : NULL;

		if (first == NULL || !span_equal(first->key, node->key))
			entries[kept++] = entries[i];
		else if (entries[i].order < own_count)
			conf_say(loader, node->key_place, &(struct conf_step){ .up = step, .key = node->key },
			    "duplicate key (first in line %u)", first->key_place.line);
	}
	return kept;
}

static void
map_relink(struct conf_node *map, const struct map_entry *entries, size_t count)
{
	struct conf_node **end = &map->first;

	for (size_t i = 0; i < count; i++) {
		*end = entries[i].node;
		end = &(*end)->next;
	}
	*end = NULL;
	map->count = count;
}

void
conf_map_settle(struct conf_loader *loader, struct conf_node *map, const struct conf_node *merges,
    const struct conf_step *step)
{
	size_t own_count = map->count;
	struct map_entry *entries;
	size_t count = 0;

	merges_append(loader, map, merges, step);
	if (map->count < 2)
		return;
	entries = memory_alloc(map->count * sizeof(*entries));
	for (struct conf_node *child = map->first; child; child = child->next, count++)
		entries[count] = (struct map_entry){ child, count };
	assert(count == map->count);
	qsort(entries, count, sizeof(*entries), entry_compare_keys);
	count = entries_keep_first(loader, entries, count, own_count, step);
	qsort(entries, count, sizeof(*entries), entry_compare_order);
	map_relink(map, entries, count);
	memory_free(entries);
}
