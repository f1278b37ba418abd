/*
 * Routes that can never be reached, because an earlier one fits whatever fits them.
 */
#include "site/parts.h"

static const struct route *
hider_of(const struct site *site, const struct route *route, struct arena *arena)
{
	for (size_t i = 0; i < route->number; i++)
		if (match_covers(&site->table.routes[i]->match, &route->match, arena))
			return site->table.routes[i];
	return NULL;
}

void
routes_warn_hidden(const struct site *site, struct option_reader *reader)
{
	struct arena arena;

	arena_init(&arena, 4096);
	for (size_t i = 0; i < site->table.count; i++) {
		const struct route *route = site->table.routes[i], *hider = hider_of(site, route, &arena);
		struct conf_node at = { .place = route->place };

		arena_reset(&arena);
		if (hider == NULL)
			continue;
		option_enter(reader, "routes");
		option_enter_index(reader, i);
		option_warning(reader, &at, "never reached: routes[%zu] at line %u serves everything that fits it",
		    hider->number, hider->place.line);
		option_leave(reader);
		option_leave(reader);
	}
	arena_fini(&arena);
}
