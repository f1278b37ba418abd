/*
 * list: things that know their neighbours.
 *
 * A struct list_node is embedded in the thing; a list is a node that is its own neighbour when empty. Everything is
 * O(1). A node that is in no list points to itself or is all zero; list_remove() of such a node does nothing.
 */
#ifndef REEVE_BASE_LIST_H
#define REEVE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node	*next;
	struct list_node	*prev;
};

/* The struct that holds `node` as `member`. */
#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void
list_init(struct list_node *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool
list_is_empty(const struct list_node *list)
{
	return list->next == list || list->next == NULL;
}

/* Whether the node stands in some list. */
static inline bool
list_holds(const struct list_node *node)
{
	return node->next != NULL && node->next != node;
}

static inline void
list_add_last(struct list_node *list, struct list_node *node)
{
	node->next = list;
	node->prev = list->prev;
	list->prev->next = node;
	list->prev = node;
}

static inline void
list_add_first(struct list_node *list, struct list_node *node)
{
	node->prev = list;
	node->next = list->next;
	list->next->prev = node;
	list->next = node;
}

static inline void
list_remove(struct list_node *node)
{
	if (node->next == NULL)
		return;
	node->next->prev = node->prev;
	node->prev->next = node->next;
	list_init(node);
}

/* NULL when the list is empty. */
static inline struct list_node *
list_first(const struct list_node *list)
{
	return list_is_empty(list) ? NULL : list->next;
}

static inline struct list_node *
list_last(const struct list_node *list)
{
	return list_is_empty(list) ? NULL : list->prev;
}

#endif
