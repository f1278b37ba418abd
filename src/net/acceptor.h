/*
 * acceptor: one worker's share in a listening socket.
 *
 * Accepts at most 8 a wake, non-blocking and close-on-exec. Every 16th accept it takes the socket out of epoll and puts
 * it in again, which together with EPOLLEXCLUSIVE spreads connections evenly (architecture.md, decision 2). Without
 * descriptors (EMFILE, ENFILE, ENOBUFS, ENOMEM) it stops watching for 50 ms, doubling to 500 ms: it never spins and
 * never drops what already is connected. Closing is the owner's: acceptor_close() closes the descriptor it was given.
 */
#ifndef REEVE_NET_ACCEPTOR_H
#define REEVE_NET_ACCEPTOR_H

#include "loop/loop.h"
#include "base/address.h"

struct acceptor;

/* The fd is the callee's. */
typedef void accept_fn(void *owner, struct acceptor *acceptor, int fd, const struct address *peer);

struct acceptor	*acceptor_open(struct loop *loop, int listening_fd, accept_fn *on_accept, void *owner);
void		 acceptor_pause(struct acceptor *acceptor);	/* counted: pause twice, resume twice */
void		 acceptor_resume(struct acceptor *acceptor);
void		 acceptor_yield(struct acceptor *acceptor);	/* from on_accept: no more in this wake, others first */
void		 acceptor_look(struct acceptor *acceptor);	/* wakes if somebody waits, whoever was woken before */
void		 acceptor_take_rest(struct acceptor *acceptor);	/* all that wait now, paused or not: before closing */
void		 acceptor_close(struct acceptor *acceptor);	/* NULL is fine */
int		 acceptor_fd(const struct acceptor *acceptor);

#endif
