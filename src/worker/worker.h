/*
 * worker: one process, one loop: it accepts on the shared sockets, hands requests to its site, swaps sites when the
 * primary says so, drains and ends.
 *
 * Who may talk to it: the primary, over the channel. The channel's end means that the primary is gone: then it drains
 * and ends by itself. Signals that mean "stop" or "reload" are the primary's business and ignored.
 */
#ifndef REEVE_WORKER_WORKER_H
#define REEVE_WORKER_WORKER_H

#include "worker/privileges.h"

#include <stddef.h>
#include <stdint.h>

struct board;
struct slots;
struct ticket_ring;

/* A listening socket that a worker is born with. id: how the primary calls it later on. */
struct worker_listener {
	uint64_t	id;
	int		fd;
};

/* What a worker is born with. Borrowed during worker_main(). */
struct worker_birth {
	unsigned			 slot;		/* its number in slots */
	uint64_t			 generation;	/* of the bundle */
	int				 channel_fd;
	int				 bundle_fd;
	int				 log_fd;	/* write end of its log pipe */
	int				 crash_fd;	/* where a crash report goes; -1: nowhere */
	const struct worker_listener	*listeners;	/* in the order of the configuration's `listen` */
	size_t				 listener_count;
	struct slots			*slots;
	struct board			*board;
	const struct ticket_ring	*ticket_ring;
	const struct identity		*identity;	/* who to become; NULL: stay */
};

/*
 * The life of a worker, in a freshly forked process that has no descriptors but 0, 1, 2 and those of its birth, and
 * every signal's default action: builds its site, says READY, serves. Exits with 0 after a drain and with 1 after
 * FAILED.
 */
void	worker_main(const struct worker_birth *birth) __attribute__((noreturn));

#endif
