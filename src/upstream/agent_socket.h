/*
 * agent_socket: what agent.c, which counts and lends sockets, and agent_socket.c, which brings them up, share.
 * Internal to the two.
 */
#ifndef REEVE_UPSTREAM_AGENT_SOCKET_H
#define REEVE_UPSTREAM_AGENT_SOCKET_H

#include "upstream/agent.h"

/* Takes the descriptor, counts it; nobody's yet. With TLS it is not connected before its handshake. */
struct agent_socket	*agent_socket_open(struct agent *agent, int fd, bool is_connected);

/* careful: agent_socket_unread() will be asked about what cannot be sent again. */
void			 agent_socket_lend(struct agent_socket *socket, bool careful,
    const struct socket_events *events, void *owner);

/* A free one: has it said nothing, and is it still open? */
bool			 agent_socket_is_quiet(struct agent_socket *socket);

/* An agent goes when no peer and no socket has it. */
void			 agent_leave(struct agent *agent);

#endif
