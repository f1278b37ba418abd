/*
 * bundle: a few pieces of bytes in one sealed memfd: written once, then nobody can change, shrink or extend it.
 *
 * That is how a configuration with the contents of its files goes from the trial child to the primary and on to every
 * worker (architecture.md, decision 1). The receiver maps it; spans point into the mapping, which is kept out of core
 * dumps because keys and passwords are in it.
 */
#ifndef REEVE_IPC_BUNDLE_H
#define REEVE_IPC_BUNDLE_H

#include "base/err.h"
#include "base/span.h"

enum { BUNDLE_PARTS_MAX = 8 };

/* The parts of an accepted configuration (IPC_TRIAL_ACCEPTED, IPC_PREPARE). */
enum {
	BUNDLE_ORDERS,		/* primary/orders.h */
	BUNDLE_CONF,		/* conf_pack() */
	BUNDLE_WARNINGS,	/* a line each */
	BUNDLE_CERTIFICATES,	/* primary/certificates.h */
	BUNDLE_REFUSED,		/* primary/trial_child.h */
};

struct bundle {
	void		*mapping;			/* owned */
	size_t		 size;
	struct span	 parts[BUNDLE_PARTS_MAX];	/* those that were not given are empty */
	unsigned	 count;
};

/* The descriptor, close-on-exec; -1 and the sentence otherwise. */
int	bundle_create(const struct span *parts, unsigned count, struct err *err);

/* fd stays the caller's and may be closed. False when it is not sealed or not ours. */
bool	bundle_map(int fd, struct bundle *bundle_out, struct err *err);
void	bundle_unmap(struct bundle *bundle);	/* safe twice and on zeroed memory */

#endif
