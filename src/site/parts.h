/*
 * parts: what the files of site/ share about one site; nobody outside includes it.
 */
#ifndef REEVE_SITE_PARTS_H
#define REEVE_SITE_PARTS_H

#include "route/route.h"
#include "site/site.h"

struct site {
	unsigned			 refs;
	struct conf			*conf;		/* owned */
	struct arena			*arena;		/* owned: everything below lives in it */
	struct site_options		 options;
	struct access_log_options	 access_log;
	struct tls_server		**tls_servers;	/* refs, one a listener, NULL where it is plain; arena */
	struct upstreams		*upstreams;	/* owned */
	struct route_table		 table;
	struct route			*nowhere;	/* the defaults' policies around a 404, or a refused request */
	const struct media_types	*media;		/* made when the first handler asks; arena */
	struct slot			*slot;		/* borrowed: the worker's; NULL when checking */
	const struct slots		*slots;		/* borrowed */
};

/* listeners.c: TLS of the listeners. False: problems were reported. */
bool	listeners_build(struct site *site, struct option_reader *reader, const struct site_place *place);
void	listeners_free(struct site *site);

/* routes.c: `routes` and `defaults` become objects. False: problems were reported. */
bool	routes_build(struct site *site, struct option_reader *reader, struct stage_builder *builder);
void	routes_free(struct site *site);	/* what handlers opened */

/* hidden.c: warns of routes that earlier ones hide. */
void	routes_warn_hidden(const struct site *site, struct option_reader *reader);

#endif
