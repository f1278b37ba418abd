/*
 * server: one line of `servers:`, an address or a name that stands for several, and the peers made of it.
 *
 * A name is asked for at once and then every `resolve.interval`. What the worker knew of it before (an earlier site) is
 * used until then. A resolution that fails changes nothing: the last addresses stay.
 */
#ifndef REEVE_UPSTREAM_SERVER_H
#define REEVE_UPSTREAM_SERVER_H

#include "base/address.h"
#include "upstream/options.h"

struct resolver_query;
struct upstream;

enum { SERVER_ADDRESSES_MAX = 64 };

struct server {
	const struct server_options	*options;	/* borrowed */
	struct upstream			*upstream;	/* borrowed */
	struct span			 authority;	/* borrowed: "api:3000"; of a unix socket "localhost" */
	struct resolver_query		*query;		/* NULL: none is open */
	bool				 is_name;
	bool				 is_answered;	/* a name that was answered once, well or not */
	bool				 is_failing;	/* its last answer was none */
};

void	server_init(struct server *server, struct upstream *upstream, const struct server_options *options);
void	server_stop(struct server *server);
void	server_resolve(struct server *server);	/* nothing to do for an address */

/* Whether it is a name, for `reeve check`. */
bool	server_url_is_name(const struct server_url *url);

/* Some name has not been answered yet: whoever finds no peer should wait. */
bool	upstream_is_resolving(const struct upstream *upstream);

#endif
