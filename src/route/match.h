/*
 * match: what a request must be like for a route to serve it (`match:`).
 */
#ifndef REEVE_ROUTE_MATCH_H
#define REEVE_ROUTE_MATCH_H

#include "base/address.h"
#include "conf/option.h"
#include "request/request.h"
#include "route/path_pattern.h"

enum match_scheme { MATCH_ANY_SCHEME = 0, MATCH_HTTP, MATCH_HTTPS };

struct match {
	/* As configured. */
	struct conf_texts	host;
	struct conf_texts	path;
	struct conf_texts	method;
	struct conf_pairs	header;
	struct conf_pairs	query;
	struct networks		client;
	enum match_scheme	scheme;

	/* Made from it by match_group's check. */
	struct path_pattern	*patterns;	/* one each path */
	uint64_t		 methods;	/* bit enum http_method */
	enum field_name		*header_ids;	/* one each header */
	struct capture_names	 captures;
	bool			 has_client;
};

extern const struct option_group match_group;

/* Sets request->captures, decoded, when it fits. */
bool	match_fits(const struct match *match, struct request *request);

/* Whether a request that fits `later` always fits `earlier`. */
bool	match_covers(const struct match *earlier, const struct match *later, struct arena *arena);

/* Why it does not fit, in words ("path /x does not fit /api"); false when it fits. */
bool	match_why_not(const struct match *match, struct request *request, struct text *to);

#endif
