/*
 * server: the primary's end of the control socket. It hears questions, asks the primary's verbs, carries the answers.
 *
 * The socket has mode 0600; callers must be of our own user or root. At most 8 callers at once, the next ones wait in
 * the backlog; each has 10 s to say its line and 10 s to take its answer. Nothing blocks.
 */
#ifndef REEVE_CONTROL_SERVER_H
#define REEVE_CONTROL_SERVER_H

#include "base/err.h"
#include "base/text.h"
#include "loop/loop.h"

struct control_server;
struct control_call;

/*
 * What the primary lends. A call is answered exactly once with control_reply(), at once or as late as it takes; a
 * caller who has gone away cancels nothing, its call is answered all the same.
 */
struct control_verbs {
	void	(*status)(void *owner, struct text *json);	/* answered with what it adds */
	void	(*reload)(void *owner, struct control_call *call);
	void	(*stop)(void *owner, struct control_call *call);
	void	(*reopen_logs)(void *owner, struct control_call *call);
};

/*
 * Makes the socket, and its directory when missing. A socket file that nobody answers at is replaced; one that somebody
 * answers at is an error: "reeve is already running (pid 7): it answers at PATH".
 */
struct control_server	*control_server_open(struct loop *loop, const char *path, const struct control_verbs *verbs,
    void *owner, struct err *err);

/*
 * Removes the socket file, if it still is ours. Answers that are given already are sent first (1 s at most); calls that
 * wait are told that reeve ends and must not be answered any more. NULL is fine.
 */
void			 control_server_close(struct control_server *server);

const char		*control_server_path(const struct control_server *server);

/* A line about how far it is, for the caller to show. */
void			 control_progress(struct control_call *call, struct span text);

/* ok: it is done; else: why not. The call is gone afterwards. */
void			 control_reply(struct control_call *call, bool ok, struct span text);

#endif
