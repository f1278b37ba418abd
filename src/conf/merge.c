/*
 * How an included file joins the one that includes it: lists of things that stand in an order go behind, maps take in
 * what has another name, and nothing is said twice.
 */
#include "conf/loading.h"

#include "base/count.h"

static const char *const ordered_lists[] = { "listen", "routes" };

static bool
is_ordered_list(struct span key)
{
	for (size_t i = 0; i < COUNT(ordered_lists); i++) {
		if (span_is(key, ordered_lists[i]))
			return true;
	}
	return false;
}

static struct conf_node *
child_find(struct conf_node *map, struct span key)
{
	struct conf_node *child = map->first;

	while (child && !span_equal(child->key, key))
		child = child->next;
	return child;
}

/* One thing stands for a list of one. */
static void
become_list(struct conf_loader *loader, struct conf_node *node)
{
	struct conf_node *item;

	if (node->kind == CONF_LIST)
		return;
	item = arena_alloc(loader->conf->arena, sizeof(*item));
	*item = *node;
	item->next = NULL;
	item->key = (struct span){ 0 };
	item->key_place = (struct conf_place){ 0 };
	node->kind = CONF_LIST;
	node->text = (struct span){ 0 };
	node->quoted = node->secret = node->broken = false;
	node->first = item;
	node->count = 1;
}

static void
defined_twice(struct conf_loader *loader, const struct conf_node *second, const struct conf_node *first,
    const struct conf_step *step)
{
	conf_say(loader, second->key_place, step, "defined twice: first at %s:%u:%u", first->key_place.file,
	    first->key_place.line, first->key_place.column);
}

/* The list or map `from` is emptied into `into`. */
static void
children_move(struct conf_node *into, struct conf_node *from)
{
	struct conf_node **end = &into->first;

	while (*end)
		end = &(*end)->next;
	*end = from->first;
	into->count += from->count;
	from->first = NULL;
	from->count = 0;
}

static void
maps_join(struct conf_loader *loader, struct conf_node *into, struct conf_node *from, const struct conf_step *step)
{
	struct conf_node *child;
	struct conf_node **link = &from->first;

	while ((child = *link) != NULL) {
		const struct conf_node *known = child_find(into, child->key);

		if (known == NULL) {
			link = &child->next;
			continue;
		}
		defined_twice(loader, child, known, &(struct conf_step){ .up = step, .key = child->key });
		*link = child->next;
		from->count--;
	}
	children_move(into, from);
}

/* The same top-level key in both. An empty one gives way. */
static void
values_join(struct conf_loader *loader, struct conf_node *into, struct conf_node *from)
{
	struct conf_step here = { .key = from->key };

	if (is_ordered_list(from->key) && from->kind != CONF_NULL) {
		become_list(loader, from);
		if (into->kind != CONF_NULL)
			become_list(loader, into);
	}
	if (from->kind == CONF_NULL || from->broken || into->broken)
		return;
	if (into->kind == CONF_NULL) {
		from->next = into->next;
		*into = *from;
	} else if (into->kind == CONF_LIST && from->kind == CONF_LIST && is_ordered_list(from->key)) {
		children_move(into, from);
	} else if (into->kind == CONF_MAP && from->kind == CONF_MAP) {
		maps_join(loader, into, from, &here);
	} else {
		defined_twice(loader, from, into, &here);
	}
}

void
conf_merge(struct conf_loader *loader, struct conf_node *into, struct conf_node *from)
{
	struct conf_node *next;

	for (struct conf_node *child = from->first; child; child = next) {
		struct conf_node *known = child_find(into, child->key);

		next = child->next;
		if (known)
			values_join(loader, known, child);
		else
			conf_list_append(into, child);
	}
	from->first = NULL;
	from->count = 0;
}
