/*
 * process: what a forked child has to do before it is somebody of its own.
 */
#ifndef REEVE_SUPERVISE_PROCESS_H
#define REEVE_SUPERVISE_PROCESS_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * fork(2) for processes that have a loop: no signal for the parent can end up in the child. In the child every signal
 * has its default action again (but those of faults, which sanitizers hold) and none is blocked. -1: the sentence says
 * why.
 */
pid_t	process_fork(struct err *err);

/* Closes every descriptor but 0, 1, 2 and those in `keep` (negative ones are passed over). Sorts keep. */
void	process_close_others(int *keep, size_t count);

#endif
