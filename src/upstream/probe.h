/*
 * probe: one question to one peer on a socket of its own: GET path, the head of the answer, closed.
 */
#ifndef REEVE_UPSTREAM_PROBE_H
#define REEVE_UPSTREAM_PROBE_H

#include "upstream/peer.h"

/* reason: "status 200", "no answer in time", "Connection refused"; valid during the call. The probe is gone by then. */
typedef void probe_fn(struct peer *peer, bool is_good, struct span reason);

void	probe_start(struct peer *peer, probe_fn *on_result);

#endif
