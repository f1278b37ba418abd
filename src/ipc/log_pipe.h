/*
 * log_pipe: this process's log lines on their way to the logger: a sink for log_to() that never blocks.
 *
 *	log_say ──▶ ring (256K) ──▶ pipe (1M) ──▶ logger
 *
 * Lines wait in the ring a few milliseconds so that many leave in one write; a warning or worse goes at the end of its
 * turn, a fatal one at once. When the ring is full (the logger is stuck or gone) lines are dropped and counted; once it
 * flows again a LOG_DROPPED record says how many.
 */
#ifndef REEVE_IPC_LOG_PIPE_H
#define REEVE_IPC_LOG_PIPE_H

#include "base/log.h"
#include "loop/loop.h"

struct log_pipe;

/* A pipe for it: both ends close-on-exec and non-blocking, as large as the system allows up to 1M. */
bool		 log_pipe_make(int fds_out[2], struct err *err);

/*
 * fd is the write end and stays the caller's. dropped: a counter that grows with every dropped line, or NULL. Becomes
 * the process's sink. The stream begins with an empty line, which ends what a predecessor may have left unfinished.
 */
struct log_pipe	*log_pipe_open(struct loop *loop, int fd, uint64_t *dropped);

/* Writes what the pipe takes and goes; the process's sink is descriptor 2 again. NULL is fine. */
void		 log_pipe_close(struct log_pipe *pipe);

#endif
