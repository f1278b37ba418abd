/*
 * site: one loaded configuration as objects: limits, routes with their policies and handlers, upstreams. Immutable once
 * built and counted by reference: new requests take the newest, a request in flight keeps the one it began with, and
 * the last reference frees its arena (architecture.md, decision 1).
 */
#ifndef REEVE_SITE_SITE_H
#define REEVE_SITE_SITE_H

#include "conf/tree.h"
#include "request/request.h"
#include "site/options.h"

struct loop;
struct upstream_world;
struct slots;
struct site;
struct tls_server;
struct tls_ticket_keys;

/* What a worker lends to its sites; NULL, or one without a loop, for checking. */
struct site_place {
	struct loop			*loop;
	struct upstream_world		*world;
	const struct slots		*slots;		/* health: ready looks at the notice */
	struct slot			*slot;		/* this worker's own counters */
	const struct tls_ticket_keys	*tickets;	/* outlives every site; NULL: no session tickets */
	/* checking: what an old site could go on without is let pass */
	bool				 is_first_start;
};

/* Takes conf. NULL when there were errors; warnings alone do not hinder. */
struct site		*site_build(struct conf *conf, const struct site_place *place, struct conf_problems *problems);
struct site		*site_ref(struct site *site);
void			 site_unref(struct site *site);	/* NULL is fine */
unsigned		 site_count(void);		/* how many are alive in this process */

const struct site_options *site_options(const struct site *site);
const struct conf	*site_conf(const struct site *site);

/* What the listener of that place in `listen` speaks TLS with; NULL: it is plain. Borrowed. */
struct tls_server	*site_tls_server(const struct site *site, size_t listen_index);

/* Once it is in use (COMMIT): its upstreams begin to resolve and probe. */
void			 site_start(struct site *site);

/* Routes a request whose head is complete. It takes a reference for the request. */
void			 site_serve(struct site *site, struct request *request);

/* Answers a request whose head was refused, in the shape of the defaults, and logs it. */
void			 site_refuse(struct site *site, struct request *request, unsigned status, const char *why);

/* The effective configuration as YAML (`reeve check --print`). */
void			 site_print(const struct site *site, struct text *to);

/*
 * `reeve explain`: which route serves such a request and why not the ones before it, as text for people. request needs
 * method, host, path, query, fields, client_ip, scheme. False: no route (404).
 */
bool			 site_explain(const struct site *site, struct request *request, struct text *to);

/* The reference of every key, made from the tables. */
void			 site_document(struct text *markdown);
void			 site_document_man(struct text *mdoc);

#endif
