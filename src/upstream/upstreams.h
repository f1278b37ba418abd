/*
 * upstreams: the servers behind, as a site sees them, and the world of one worker in which they live.
 *
 *	world		one a worker, outlives every site: agents (keep-alive sockets), resolver, health board
 *	upstreams	one a site: its named upstreams and those that routes name by URL
 *	upstream	one `upstreams:` entry: servers, balance, queue, retry, eject
 *
 * Handlers send through relay.h.
 */
#ifndef REEVE_UPSTREAM_UPSTREAMS_H
#define REEVE_UPSTREAM_UPSTREAMS_H

#include "conf/option.h"

struct board;
struct loop;
struct slot;
struct slots;
struct upstream;
struct upstream_world;
struct upstreams;

/* One entry of `upstreams:`; its struct starts with the name. */
extern const struct option_group upstream_group;

struct upstream_world	*upstream_world_create(struct loop *loop, struct board *board, const struct slots *slots,
    struct slot *slot, unsigned slot_number);
void			 upstream_world_free(struct upstream_world *world);

/* When draining: idle sockets are closed as soon as no request needs them. */
void			 upstream_world_drain(struct upstream_world *world);

/*
 * Makes objects of the declared entries. The reader stands at `upstreams`. world NULL: checking only; then names that
 * do not resolve are warned of. Problems go to the reader; an upstream that has one is only good for being asked for
 * by what comes after. The records and the reader's arena live longer than the upstreams.
 */
struct upstreams	*upstreams_create(struct option_reader *reader, const struct conf_records *declared,
    struct upstream_world *world);
void			 upstreams_free(struct upstreams *upstreams);

/* Begins probing and resolving; called once the site is in use (COMMIT). */
void			 upstreams_start(struct upstreams *upstreams);

struct upstream		*upstreams_find(struct upstreams *upstreams, struct span name);	/* marks it used */

/*
 * The upstream for a URL in a route ("http://127.0.0.1:3000"), made once with all defaults. NULL: the sentence says
 * why. Only while the site is being built: it uses the reader that upstreams_create() was given.
 */
struct upstream		*upstreams_for_url(struct upstreams *upstreams, struct span url, struct err *err);

/* Names of declared entries, for suggestions; and whether each was asked for (`reeve check` warns of unused ones). */
size_t			 upstreams_count(const struct upstreams *upstreams);
const char		*upstreams_name(const struct upstreams *upstreams, size_t index);
bool			 upstreams_is_used(const struct upstreams *upstreams, size_t index);

/* Every one: the declared first, then those that routes name by URL. */
size_t			 upstreams_count_all(const struct upstreams *upstreams);
struct upstream		*upstreams_at(const struct upstreams *upstreams, size_t index);

#endif
