/*
 * privileges: what a worker gives away before it serves.
 */
#ifndef REEVE_WORKER_PRIVILEGES_H
#define REEVE_WORKER_PRIVILEGES_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

enum { IDENTITY_GROUPS_MAX = 64 };

struct identity {
	uid_t	uid;
	gid_t	gid;
	gid_t	groups[IDENTITY_GROUPS_MAX];	/* supplementary */
	size_t	group_count;
};

/*
 * Becomes `identity` for good (NULL: stays who it is), can gain nothing by exec any more, and leaves a core only
 * where the limit of cores is not 0. A process that is not root cannot become anybody: then identity must be NULL.
 */
bool	privileges_drop(const struct identity *identity, struct err *err);

#endif
