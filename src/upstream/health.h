/*
 * health: active checks. One worker, elected by the primary (slots.h, `prober`), asks every peer of the site in use and
 * writes what it finds on the board; all workers read the board. When another is elected it goes on from the board.
 *
 *	bad probes ≥ fall: UP ──▶ DOWN       good probes ≥ rise: DOWN ──▶ UP       the very first probe decides at once
 */
#ifndef REEVE_UPSTREAM_HEALTH_H
#define REEVE_UPSTREAM_HEALTH_H

struct peer;
struct upstream_world;

/* An upstream's timer: the prober starts a probe of each peer; others look again an interval later. */
void	health_due(void *upstream);

/* Rows for every peer of the site in use, probed or not; rows of others go. The prober's. */
void	health_publish(struct upstream_world *world);

void	probe_stop(struct peer *peer);	/* if one runs; nothing is concluded from it */

#endif
