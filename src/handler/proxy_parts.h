/*
 * proxy_parts: what the files of the proxy handler share; not for others.
 *
 *	proxy.c		the configuration, and the way from a request to a relay
 *	proxy_path.c	the target that the server gets
 *	proxy_fields.c	the fields that it gets
 */
#ifndef REEVE_HANDLER_PROXY_PARTS_H
#define REEVE_HANDLER_PROXY_PARTS_H

#include "route/stage.h"
#include "upstream/relay.h"

struct proxy {
	struct span			to;
	struct span			strip_prefix;	/* "/v1", without a final slash; empty: none */
	struct template			path;		/* empty: the request's */
	struct template_pairs		set_headers;
	struct conf_texts		remove_headers;
	bool				websocket;
	struct upstream_timeouts	timeouts;
	bool				has_timeouts;

	/* Built. */
	struct upstream		*upstream;		/* the site's */
	struct relay_timeouts	 relay_timeouts;	/* when has_timeouts, in a worker */
	bool			 path_has_query;	/* the template makes the query, too */
};

/* The request target for the server. False: what the template made cannot be one. */
bool		proxy_target(const struct proxy *proxy, struct request *request, struct span *target_out);

/* Whether a template says something of the query, be it empty. */
bool		proxy_path_has_query(const struct template *path);

/* The end-to-end fields for the server, in the request's arena. */
void		proxy_fields(const struct proxy *proxy, struct request *request, struct fields *fields_out);

/* Whether a field of that name can be set or removed by a configuration: what frames a message cannot. */
bool		proxy_field_is_free(enum field_name id);

/* How many times this request has come through a reeve already, by its Via. */
unsigned	proxy_hops(const struct request *request);

#endif
