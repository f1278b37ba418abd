/*
 * slots: what each worker tells everyone about itself, in memory that all processes share.
 *
 * One cache-line-aligned slot a worker. The worker is its only writer (plain adds, relaxed); the primary and the other
 * workers read. Slots are made by the primary before the first fork, SLOTS_MAX of them, and are zero pages until used.
 * When a worker dies the primary folds its totals into `retired`, so sums never go back; the connections
 * it still had count as closed.
 */
#ifndef REEVE_STORE_SLOTS_H
#define REEVE_STORE_SLOTS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { SLOTS_MAX = 1024 };

/* Only ever grow. */
#define SLOT_TOTALS(T) \
	T(connections_accepted,		"connections accepted") \
	T(connections_closed,		"connections closed") \
	T(connections_refused,		"connections closed at once (limits)") \
	T(requests,			"requests answered or cut off") \
	T(responses_1xx,		"informational responses") \
	T(responses_2xx,		"2xx responses") \
	T(responses_3xx,		"3xx responses") \
	T(responses_4xx,		"4xx responses") \
	T(responses_5xx,		"5xx responses") \
	T(aborted,			"responses cut off before their end") \
	T(bytes_in,			"bytes of request content") \
	T(bytes_out,			"bytes of response content") \
	T(timeouts,			"clients timed out") \
	T(drain_forced,			"connections cut at the end of a drain") \
	T(log_dropped,			"log lines dropped") \
	T(upstream_requests,		"tries sent to upstreams") \
	T(upstream_failures,		"tries that failed") \
	T(upstream_connects,		"sockets opened to upstreams") \
	T(upstream_reuses,		"tries on a kept socket") \
	T(retries,			"tries after the first") \
	T(tls_handshakes,		"TLS handshakes done with clients") \
	T(tls_resumed,			"of those, resumed sessions") \
	T(tls_failures,			"TLS handshakes that failed") \
	T(h2_connections,		"HTTP/2 connections of clients") \
	T(h2_abuse,			"HTTP/2 connections ended for abuse") \
	T(upstream_tls_handshakes,	"TLS handshakes done with upstreams") \
	T(upstream_tls_resumed,		"of those, resumed sessions")

#define SLOT_TOTAL_FIELD(name, doc) uint64_t name;
struct slot_totals {
	SLOT_TOTALS(SLOT_TOTAL_FIELD)
};
#undef SLOT_TOTAL_FIELD

struct slot {
	struct slot_totals	totals;

	/* As it is now. */
	uint64_t	connections;		/* open, idle ones included */
	uint64_t	requests_active;
	uint64_t	upstream_sockets;	/* open, idle ones included */
	uint64_t	loop_turns;
	uint64_t	loop_turn_ms;		/* monotonic: when the turn that runs now began */
	uint64_t	loop_busy;		/* 1 while callbacks run, 0 while polling */
	uint64_t	loop_lag_ms;		/* longest turn of the last seconds */
	uint64_t	pid;
	uint64_t	generation;		/* of the site in use */
	uint64_t	draining;
} __attribute__((aligned(64)));

/* What the primary tells all workers. Single writer: the primary. */
struct slots_notice {
	uint64_t	prober;		/* slot number of the worker that makes the health probes */
	uint64_t	stopping;	/* 1 from the stop signal on: `health: ready` answers 503 */
	uint64_t	workers;	/* how many there should be */
	uint64_t	generation;
} __attribute__((aligned(64)));

struct slots {
	struct slots_notice	notice;
	struct slot_totals	retired;	/* of workers that are gone; written by the primary */
	struct slot		workers[SLOTS_MAX];
};

struct slots	*slots_create(struct err *err);	/* MAP_SHARED, inherited by fork */
void		 slots_free(struct slots *slots);

struct slot_total_row { const char *name; const char *doc; size_t offset; };
extern const struct slot_total_row slot_total_rows[];	/* name NULL ends */

/* retired plus every worker's. */
void		 slots_sum(const struct slots *slots, struct slot_totals *sum_out);
void		 slots_retire(struct slots *slots, unsigned number);	/* after that worker's death; clears its slot */

/* A counter that others read while we write it. */
static inline void
slot_add(uint64_t *counter, uint64_t count)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + count, __ATOMIC_RELAXED);
}

static inline void
slot_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static inline uint64_t
slot_get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
