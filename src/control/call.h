/*
 * call: one caller at the control socket, between server.c and call.c; nobody outside this room includes it.
 *
 *	ASKING ──▶ WAITING ──▶ ANSWERED ──▶ gone	who goes while WAITING leaves a call without a socket
 */
#ifndef REEVE_CONTROL_CALL_H
#define REEVE_CONTROL_CALL_H

#include "base/list.h"
#include "control/server.h"

enum call_state { CALL_ASKING, CALL_WAITING, CALL_ANSWERED, CALL_GONE };

struct control_call {
	struct list_node	 node;		/* the server's calls */
	struct control_server	*server;
	enum call_state		 state;
	int			 fd;		/* owned; -1: the caller has gone */
	struct watch		 watch;
	struct timer		 timer;		/* for the caller to say or to take something */
	struct text		 question;	/* what has come of it */
	bool			 is_deaf;	/* the caller has closed his writing side */
	size_t			 ignored;	/* bytes that came after the question */
	struct text		 answer;	/* what has not been sent yet starts at `sent` */
	size_t			 sent;
	struct later		 later;		/* frees */
};

struct control_server {
	struct loop			*loop;
	const struct control_verbs	*verbs;
	void				*owner;
	char				*path;		/* owned */
	dev_t				 device;	/* of the socket file: ours or somebody else's by now */
	ino_t				 inode;
	int				 fd;
	struct watch			 watch;
	struct timer			 pause;		/* no descriptors left */
	struct list_node		 calls;		/* struct control_call, owned */
	unsigned			 call_count;
};

struct control_call	*control_call_start(struct control_server *server, int fd);	/* takes fd */
void			 control_call_end(struct control_call *call);	/* in any state; server_call_ended() hears */
void			 control_call_send(struct control_call *call);	/* what has not been sent; never ends it */
void			 server_call_ended(struct control_server *server);

#endif
