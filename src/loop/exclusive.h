/*
 * exclusive: one worker, not all, wakes for a new connection on a listening socket that workers share.
 *
 * libevent 2.1 cannot ask epoll for EPOLLEXCLUSIVE. exclusive.c therefore defines epoll_ctl() itself, which libevent
 * then calls instead of libc's (the executable is linked with -Wl,--export-dynamic-symbol=epoll_ctl); descriptors added
 * here get the flag, all others pass through unchanged. Where that does not work, everything is as without this file:
 * correct, but every worker wakes for every connection.
 *
 * The set is per process and survives a fork. It is no balance: see watch_readd().
 */
#ifndef REEVE_LOOP_EXCLUSIVE_H
#define REEVE_LOOP_EXCLUSIVE_H

#include <stdbool.h>

void	exclusive_add(int fd);		/* before the first watch_want() on it */
void	exclusive_remove(int fd);	/* before close(fd), because the number is used again; safe when not added */

/* Until it is told -1: taking fd out of epoll is left to close(2). Only watch_close() says so. */
void	exclusive_closing(int fd);

/* Tries it with a descriptor through libevent: whether the flag really reaches the kernel. */
bool	exclusive_works(void);

#endif
