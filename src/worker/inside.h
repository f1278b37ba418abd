/*
 * inside: what the files of this room share; not for other rooms.
 *
 *	worker.c	birth, life, end
 *	entrance.c	the listening sockets of this worker
 *	share.c		how many of all connections are its own
 *	swap.c		PREPARE, COMMIT, ABORT
 *	drain.c		the last act
 *	pulse.c		proof of life in the slot
 */
#ifndef REEVE_WORKER_INSIDE_H
#define REEVE_WORKER_INSIDE_H

#include "downstream/downstream.h"
#include "ipc/channel.h"
#include "ipc/log_pipe.h"
#include "loop/loop.h"
#include "net/acceptor.h"
#include "net/tls_tickets.h"
#include "site/site.h"
#include "store/slots.h"
#include "worker/worker.h"

struct upstream_world;

/* Ids of listening sockets, in the order of a site's `listen`. */
struct listener_ids {
	uint64_t	*items;	/* owned */
	size_t		 count;
};

struct pulse {
	struct timer	heartbeat;
	struct timer	window;
	struct later	turn_end;
	uint64_t	turn_start_ms;
	uint64_t	longest_ms;		/* turn of this window */
	uint64_t	longest_before_ms;	/* of the one before */
	uint64_t	told_ms;		/* when a late turn was last logged */
	bool		is_last;		/* the later has gone to the end of the queue once */
};

/* What the other workers have, as of at_ms. */
struct share {
	uint64_t	at_ms;
	uint64_t	others;		/* their connections */
	uint64_t	other_count;	/* those that accept */
};

struct worker {
	const struct worker_birth	*birth;		/* borrowed: lives in worker_main()'s caller */
	struct loop			*loop;		/* owned, as all below but the slot */
	struct channel			*channel;	/* NULL: the primary is gone */
	struct log_pipe			*log_pipe;
	struct slot			*slot;		/* shared memory */
	struct tls_ticket_keys		 tickets;	/* in shared memory, too */
	struct upstream_world		*world;
	struct downstream		*downstream;
	struct list_node		 entrances;	/* struct entrance */
	char				 role[32];	/* "worker 3" */

	/* In use. */
	struct site	*site;		/* ref */
	uint64_t	 generation;
	struct limits	 limits;	/* the site's, with what this process can hold */

	/* Prepared. */
	struct site		*next;	/* ref; NULL: none */
	uint64_t		 next_generation;
	struct listener_ids	 next_listeners;

	bool		is_full;	/* the downstream takes no more for now */
	uint64_t	full_told_ms;	/* when that was last logged */
	bool		is_draining;
	bool		is_empty;	/* draining, and nobody is left */
	struct timer	grace;
	struct pulse	pulse;
	struct share	share;
};

/* entrance.c */
void		 entrance_add(struct worker *worker, uint64_t id, int fd);	/* takes fd; accepts when it is used */
void		 entrances_use(struct worker *worker, const struct listener_ids *ids);	/* these and no others */
void		 entrances_forget_unused(struct worker *worker);			/* that no site has used */
void		 entrances_pause(struct worker *worker, bool is_full);
void		 entrances_look(struct worker *worker);
void		 entrances_close(struct worker *worker);	/* takes who is waiting, then no more */
void		 entrances_free(struct worker *worker);					/* after the downstream */

/* share.c */
bool		 share_is_exceeded(struct worker *worker);

/* swap.c */
struct site	*site_from_bundle(struct worker *worker, int bundle_fd, struct err *err);
void		 worker_use(struct worker *worker, struct site *site, uint64_t generation,
    const struct listener_ids *ids);
void		 worker_prepare(struct worker *worker, struct ipc_message *message);
void		 worker_add_listeners(struct worker *worker, struct ipc_message *message);
void		 worker_commit(struct worker *worker, struct ipc_message *message);
void		 worker_abort(struct worker *worker, struct ipc_message *message);
void		 worker_forget_next(struct worker *worker);
void		 worker_say(struct worker *worker, enum ipc_type type, uint64_t generation);

/* drain.c */
void		 worker_drain(struct worker *worker, uint64_t grace_ms, uint64_t idle_ms);	/* again: sooner */
void		 worker_is_empty(struct worker *worker);

/* pulse.c */
void		 pulse_start(struct worker *worker);
void		 pulse_configure(struct worker *worker);	/* as often as the site's watchdog wants */
void		 pulse_stop(struct worker *worker);

#endif
