/*
 * family: all children of this process: whose has ended, and strangers.
 *
 * One a process. Ends are noticed by SIGCHLD and taken with waitid(2), so no pid is used again while we know it. As pid
 * 1 (in a container) a process also inherits what others left behind: those are taken, too, and nobody is told.
 */
#ifndef REEVE_SUPERVISE_FAMILY_H
#define REEVE_SUPERVISE_FAMILY_H

#include "loop/loop.h"

#include <sys/types.h>

struct family;

/* How a child ended. */
struct process_end {
	int	exit_code;	/* -1: by a signal */
	int	signal;		/* 0: by itself */
	bool	has_dumped;	/* a core */
};

typedef void	 family_fn(void *owner, const struct process_end *end);

/* Embedded in what knows a child. */
struct relative {
	struct list_node	 node;
	pid_t			 pid;	/* 0: none now */
	family_fn		*on_end;
	void			*owner;	/* borrowed: who hears */
};

struct family	*family_create(struct loop *loop);
void		 family_free(struct family *family);

void		 family_add(struct family *family, struct relative *relative, pid_t pid);
void		 relative_forget(struct relative *relative);	/* it is reaped as a stranger; safe when none */

#endif
