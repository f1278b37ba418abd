/*
 * Entries of `routes:` become routes: each key is `match`, a policy or a handler; the lists of policies and handlers
 * are the only place that knows which there are.
 */
#include "site/parts.h"

#include "handler/handlers.h"
#include "policy/policies.h"
#include "request/response.h"
#include "site/keys.h"

static const struct span match_key = SPAN("match");

/* -- policies ------------------------------------------------------------------------------------------------------ */

static const void *
policy_build(const struct policy_type *type, const struct conf_node *node, struct stage_builder *builder)
{
	struct option_reader *reader = builder->reader;
	void *options = arena_zalloc(reader->arena, type->group->size + 1);
	bool ok;

	option_enter(reader, type->key);
	ok = option_read(reader, type->group, node, options) &&
	    (type->build == NULL || type->build(reader, node, options));
	option_leave(reader);
	return ok ? options : NULL;
}

/* The route's own key, else that of the defaults, else nothing (but some policies always stand). */
static bool
policy_add(struct route *route, const struct policy_type *type, const struct conf_node *own,
    const struct conf_node *defaults, struct stage_builder *builder)
{
	const struct conf_node *node = own ? conf_get(own, type->key) : NULL;
	struct route_policy *policy = &route->policies[route->policy_count];

	if (node == NULL)
		node = conf_get(defaults, type->key);
	if (node ? option_is_off(node) : !type->always)
		return true;
	policy->type = type;
	policy->options = policy_build(type, node, builder);
	if (policy->options == NULL)
		return false;
	if (type->error_content)
		route->errors = policy;
	route->policy_count++;
	return true;
}

static bool
policies_add(struct route *route, const struct conf_node *own, const struct conf_node *defaults,
    struct stage_builder *builder)
{
	bool ok = true;

	for (size_t i = 0; policies[i]; i++)
		ok = policy_add(route, policies[i], own, defaults, builder) && ok;
	return ok;
}

/* -- handlers ------------------------------------------------------------------------------------------------------ */

static const struct handler_type *
handler_find(struct span key)
{
	for (size_t i = 0; handlers[i]; i++)
		if (span_is(key, handlers[i]->key))
			return handlers[i];
	return NULL;
}

static bool
handler_build(struct route *route, const struct handler_type *type, const struct conf_node *node,
    struct stage_builder *builder)
{
	struct option_reader *reader = builder->reader;
	bool ok;

	route->handler_options = arena_zalloc(reader->arena, type->group->size + 1);
	option_enter(reader, type->key);
	ok = option_read(reader, type->group, node, route->handler_options) &&
	    (type->build == NULL || type->build(reader, node, route->handler_options));
	option_leave(reader);
	if (ok)
		route->handler = type;	/* only now has it something to give back (fini) */
	return ok;
}

/* Exactly one of the route's keys names a handler. */
static bool
handler_add(struct route *route, const struct conf_node *node, bool knows_keys, struct stage_builder *builder)
{
	const struct conf_node *chosen = NULL;

	for (const struct conf_node *child = node->first; child; child = child->next) {
		if (handler_find(child->key) == NULL)
			continue;
		if (chosen)
			return option_problem(builder->reader, child, "a route has one handler: %s and %s are two",
			    chosen->key.at, child->key.at);
		chosen = child;
	}
	if (chosen)
		return handler_build(route, handler_find(chosen->key), chosen, builder);
	if (!knows_keys)
		return false;	/* one that is misspelt or of a later version: that is said already */
	return option_problem(builder->reader, node, "a route needs a handler: one of %s", route_keys_handlers());
}

/* -- routes -------------------------------------------------------------------------------------------------------- */

static void
names_lend(struct route *route, struct stage_builder *builder)
{
	route->name = route->match.path.count > 0 ? route->match.path.items[0] : SPAN_OF("*");
	builder->names.captures = route->match.captures.items;
	builder->names.capture_count = route->match.captures.count;
	builder->route = route->name;
}

static bool
match_read(struct route *route, const struct conf_node *node, struct option_reader *reader)
{
	bool ok;

	option_enter(reader, match_key.at);
	ok = option_read(reader, &match_group, conf_get(node, match_key.at), &route->match);
	option_leave(reader);
	return ok;
}

static bool
route_read(struct route *route, const struct conf_node *node, const struct conf_node *defaults,
    struct stage_builder *builder)
{
	struct option_reader *reader = builder->reader;
	bool ok, knows_keys;

	route->place = node->place;
	if (node->kind != CONF_MAP)
		return option_problem(reader, node, "a route is a map: match, policies, and one handler");
	knows_keys = route_keys_check(reader, node, true);
	ok = match_read(route, node, reader) && knows_keys;
	names_lend(route, builder);
	ok = policies_add(route, node, defaults, builder) && ok;
	return handler_add(route, node, knows_keys, builder) && ok;
}

static void
nowhere_start(const void *handler, struct request *request)
{
	(void)handler;
	response_fail(request, 404, NULL, "no route matches");
}

static const struct handler_type nowhere_type = { .key = "nowhere", .start = nowhere_start };

static bool
nowhere_build(struct site *site, const struct conf_node *defaults, struct stage_builder *builder)
{
	struct option_reader *reader = builder->reader;
	bool ok = true;

	site->nowhere = arena_zalloc(site->arena, sizeof(struct route));
	site->nowhere->handler = &nowhere_type;
	option_enter(reader, "defaults");
	if (defaults && defaults->kind != CONF_MAP)
		ok = option_problem(reader, defaults, "defaults is a map of policies");
	else if (defaults)
		ok = route_keys_check(reader, defaults, false);
	ok = policies_add(site->nowhere, NULL, defaults, builder) && ok;
	option_leave(reader);
	return ok;
}

static bool
table_build(struct site *site, const struct conf_node *list, const struct conf_node *defaults,
    struct stage_builder *builder)
{
	struct option_reader *reader = builder->reader;
	bool ok = true;

	if (list->kind != CONF_LIST)
		return option_problem(reader, list, "routes is a list");
	site->table.routes = arena_alloc(site->arena, (list->count + 1) * sizeof(struct route *));
	for (const struct conf_node *node = list->first; node; node = node->next) {
		struct route *route = arena_zalloc(site->arena, sizeof(*route));

		route->number = site->table.count;
		site->table.routes[site->table.count++] = route;
		option_enter_index(reader, route->number);
		ok = route_read(route, node, defaults, builder) && ok;
		option_leave(reader);
	}
	return ok;
}

bool
routes_build(struct site *site, struct option_reader *reader, struct stage_builder *builder)
{
	const struct conf_node *root = conf_root(site->conf);
	const struct conf_node *defaults = conf_get(root, "defaults"), *list = conf_get(root, "routes");
	bool ok = nowhere_build(site, defaults, builder);

	if (list == NULL)
		return false;	/* the top level has said so */
	option_enter(reader, "routes");
	ok = table_build(site, list, defaults, builder) && ok;
	option_leave(reader);
	return ok;
}

void
routes_free(struct site *site)
{
	for (size_t i = 0; i < site->table.count; i++) {
		const struct route *route = site->table.routes[i];

		if (route->handler && route->handler->fini)
			route->handler->fini(route->handler_options);
	}
}
