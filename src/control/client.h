/*
 * client: the commands' end of the control socket. Blocks, with time limits; needs no loop.
 */
#ifndef REEVE_CONTROL_CLIENT_H
#define REEVE_CONTROL_CLIENT_H

#include "base/err.h"
#include "control/protocol.h"

#include <sys/types.h>

struct control_client;

/* While waiting: every quarter of a second, and at each progress line (text; else what came last). */
typedef void control_wait_fn(void *owner, uint64_t waited_ms, struct span progress);

struct control_patience {
	uint64_t	 timeout_ms;	/* 0: for ever */
	control_wait_fn	*on_wait;	/* or NULL */
	void		*owner;
};

/* NULL: nobody answers at path; the sentence says so: "reeve is not running (no control socket at PATH)". */
struct control_client	*control_client_open(const char *path, struct err *err);
void			 control_client_close(struct control_client *client);		/* NULL is fine */
pid_t			 control_client_pid(const struct control_client *client);	/* who answers; 0: not told */

/* Once. True: answer_out is added to. False: not answered, or refused (the server's words, in answer_out too). */
bool			 control_client_ask(struct control_client *client, struct span verb,
    const struct control_patience *patience, struct text *answer_out, struct err *err);

/* Until the process that answered has ended. False: not in time. At once when its pid is not told. */
bool			 control_client_wait_end(struct control_client *client, const struct control_patience *patience,
    struct err *err);

#endif
