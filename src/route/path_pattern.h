/*
 * path_pattern: `/exact`, `/tree/` and anything below by a final `*`, `/users/{id}/posts/{post}`; against normalised
 * paths.
 *
 * A capture stands for one segment that is not empty; `*` for any rest, also none. Literals are brought to the normal
 * form of http/uri.h when parsed, so that both sides speak alike.
 */
#ifndef REEVE_ROUTE_PATH_PATTERN_H
#define REEVE_ROUTE_PATH_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

struct path_token;

struct path_pattern {
	struct span		 text;		/* as configured */
	struct path_token	*tokens;	/* arena; NULL: the text is an exact path */
	size_t			 count;
};

/* Names of captures, shared by all patterns of a route; index = place in request->captures. */
struct capture_names {
	struct span	*items;	/* room for `room` */
	size_t		 count;
	size_t		 room;
};

bool	path_pattern_parse(struct span from, struct capture_names *names, struct arena *arena,
    struct path_pattern *pattern_out, struct err *err);

/* captures: as many as names->room; those that the pattern has are set, raw (percent codes stay). */
bool	path_pattern_matches(const struct path_pattern *pattern, struct span path, struct span *captures);

/* Whether every path that `other` fits fits `pattern` too: then a route with `other` behind it is never reached. */
bool	path_pattern_covers(const struct path_pattern *pattern, const struct path_pattern *other, struct arena *arena);

#endif
