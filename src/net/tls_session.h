/*
 * tls_session: keeping sessions of the client's side and offering them again. Internal to the room; struct tls_session
 * is net/tls_client.h's.
 *
 * OpenSSL marks a session as not to be resumed when a fatal alert comes or goes on a connection that uses it (RFC 5246
 * §7.2.2). Neither is one offered once the server's certificate has expired, which nobody looks at when resuming.
 */
#ifndef REEVE_NET_TLS_SESSION_H
#define REEVE_NET_TLS_SESSION_H

#include "net/tls_client.h"

struct ssl_ctx_st;
struct ssl_st;

/* For the context of a client, once. */
void	tls_session_setup(struct ssl_ctx_st *context);

/* Before the handshake: offers what is kept, and keeps what comes. */
void	tls_session_attach(struct ssl_st *ssl, struct tls_session *session);

#endif
