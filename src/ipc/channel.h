/*
 * channel: messages with descriptors between two of our processes, over a SOCK_SEQPACKET socket pair.
 *
 *	primary ──▶ worker, logger, trial		the owner's child gets the other end by fork
 *
 * Messages arrive whole, in order and once, or on_closed tells that the other process has gone. Sending never blocks
 * and never fails: what the socket does not take waits in memory. Descriptors are born close-on-exec on the other side.
 */
#ifndef REEVE_IPC_CHANNEL_H
#define REEVE_IPC_CHANNEL_H

#include "base/err.h"
#include "ipc/message_list.h"
#include "ipc/pack.h"
#include "loop/loop.h"

enum { IPC_PAYLOAD_MAX = 65536, IPC_FDS_MAX = 16 };

struct ipc_message {
	enum ipc_type	type;
	struct span	payload;		/* borrowed: during the call */
	int		fds[IPC_FDS_MAX];	/* received: closed after on_message unless taken */
	unsigned	fd_count;
};


/* A descriptor that now is the caller's; -1 when the message has no such one. */
int	ipc_take_fd(struct ipc_message *message, unsigned index);

struct channel;

/* From the loop only, never after channel_close(), which may be called from inside. */
struct channel_events {
	void	(*on_message)(void *owner, struct ipc_message *message);
	void	(*on_closed)(void *owner);	/* once; the channel still has to be closed */
};

/* Both ends, close-on-exec. */
bool		 channel_pair(int fds_out[2], struct err *err);

/* Takes fd. */
struct channel	*channel_open(struct loop *loop, int fd, const struct channel_events *events, void *owner);
void		 channel_close(struct channel *channel);	/* NULL is fine; what is not sent yet is lost */
int		 channel_fd(const struct channel *channel);

/* When the other process is known to have ended: all that it still said, then on_closed, before this returns. */
void		 channel_hear_rest(struct channel *channel);

/* The descriptors stay the caller's (they are duplicated). */
void		 channel_send(struct channel *channel, enum ipc_type type, struct span payload, const int *fds,
    unsigned fd_count);
void		 channel_send_plain(struct channel *channel, enum ipc_type type);	/* no payload, no descriptors */

/* For a process without a loop: waits until the socket has taken it. False: the other end is gone. */
bool		 channel_send_now(int fd, enum ipc_type type, struct span payload, const int *descriptors,
    unsigned fd_count);

#endif
