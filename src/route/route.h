/*
 * route: one entry of `routes:` as an object: its match, the policies around it, the handler that ends it; and the walk
 * of a request through them.
 *
 *	route_walk ─▶ policy 0 ─▶ policy 1 … ─▶ handler		on_request, forward; any may answer
 *	route_back ◀─ policy 0 ◀─ policy 1 …  ◀─ its response	on_response, over those that were asked
 *	route_end     policy 0    policy 1 …			on_end
 */
#ifndef REEVE_ROUTE_ROUTE_H
#define REEVE_ROUTE_ROUTE_H

#include "route/match.h"
#include "route/stage.h"

enum { ROUTE_POLICIES_MAX = 32 };

struct route_policy {
	const struct policy_type	*type;		/* static */
	const void			*options;	/* arena */
};

struct route {
	struct span			 name;			/* its first path, else "*": what the log calls it */
	struct conf_place		 place;
	size_t				 number;		/* in file order, from 0 */
	struct match			 match;
	struct route_policy		 policies[ROUTE_POLICIES_MAX];
	unsigned			 policy_count;
	const struct route_policy	*errors;		/* the policy that shapes errors; NULL: none */
	const struct handler_type	*handler;		/* static */
	void				*handler_options;	/* arena */
};

struct route_table {
	struct route	**routes;	/* arena */
	size_t		 count;
};

/* The first that fits, NULL when none does. Sets the request's captures. */
const struct route	*route_find(const struct route_table *table, struct request *request);

/* Begins the walk on a route that has been chosen: request->route is set. */
void			 route_walk(struct request *request, const struct route *route);

/* For struct request_guide. */
void			 route_back(struct request *request);
struct span		 route_error_content(struct request *request, unsigned status, const char *detail);
void			 route_end(struct request *request);

/* Answers on a route without asking its policies first: requests that were refused before they could be routed. */
void			 route_refuse(struct request *request, const struct route *route, unsigned status,
    const char *why);

#endif
