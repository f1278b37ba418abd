/* The files that are looked at again while the configuration stays: which they are, and which of them belong together. */
#include "conf/tree.h"

#include "base/memory.h"
#include "conf/loading.h"

#include <assert.h>

static struct conf_kept *
watched_at(const struct conf *conf, size_t index)
{
	for (struct conf_kept *kept = conf->kept; kept; kept = kept->next) {
		if (kept->is_watched && index-- == 0)
			return kept;
	}
	return NULL;
}

const char *
conf_watched(const struct conf *conf, size_t index)
{
	const struct conf_kept *kept = watched_at(conf, index);

	return kept ? kept->path : NULL;
}

struct span
conf_watched_contents(const struct conf *conf, size_t index)
{
	const struct conf_kept *kept = watched_at(conf, index);

	assert(kept);
	return kept->contents;
}

void
conf_read_again(struct conf *conf)
{
	conf->reads_again = true;
	for (struct conf_kept *kept = conf->kept; kept; kept = kept->next)
		kept->is_stale = kept->is_watched;
}

void
conf_watched_keep(struct conf *conf, size_t index)
{
	struct conf_kept *kept = watched_at(conf, index);

	assert(kept);
	kept->is_stale = false;
}

/* -- what belongs together ----------------------------------------------------------------------------------------- */

struct grouping {
	const struct conf	*conf;
	struct arena		 arena;	/* for a path at a time */
	size_t			*groups;
	size_t			 count;
};

/* The watched file that a scalar names; count: none. */
static size_t
file_named(struct grouping *grouping, const struct conf_node *node)
{
	const char *path = conf_resolve(grouping->conf, &grouping->arena, node->place, node->text);
	size_t index = 0;

	for (const struct conf_kept *kept = grouping->conf->kept; kept; kept = kept->next) {
		if (!kept->is_watched)
			continue;
		if (strcmp(kept->path, path) == 0)
			return index;
		index++;
	}
	return grouping->count;
}

static void
groups_join(struct grouping *grouping, size_t one, size_t other)
{
	size_t into = grouping->groups[one], from = grouping->groups[other];

	for (size_t i = 0; i < grouping->count; i++) {
		if (grouping->groups[i] == from)
			grouping->groups[i] = into;
	}
}

static void
node_group(struct grouping *grouping, const struct conf_node *node)
{
	size_t first = grouping->count;

	for (const struct conf_node *child = node->first; child; child = child->next) {
		size_t index = grouping->count;

		if (child->kind == CONF_SCALAR && child->text.len > 0)
			index = file_named(grouping, child);
		else
			node_group(grouping, child);
		if (index == grouping->count || node->kind != CONF_MAP)
			continue;
		if (first == grouping->count)
			first = index;
		groups_join(grouping, first, index);
	}
	if (node->kind == CONF_MAP)
		arena_reset(&grouping->arena);
}

void
conf_watched_group(const struct conf *conf, size_t *groups_out)
{
	struct grouping grouping = { .conf = conf, .groups = groups_out };

	while (watched_at(conf, grouping.count) != NULL) {
		groups_out[grouping.count] = grouping.count;
		grouping.count++;
	}
	arena_init(&grouping.arena, 4096);
	node_group(&grouping, conf->root);
	arena_fini(&grouping.arena);
}
