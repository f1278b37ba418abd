/*
 * tls_session: keeping sessions of the client's side and offering them again. Internal to the room; struct tls_session
 * is net/tls_client.h's.
 *
 * What is offered is a copy. OpenSSL lets a ticket of TLS 1.3 be used once, so that nobody who listens can tell that
 * two connections have the same client (RFC 8446 §C.4); ours come from one address, and after a pause many are opened
 * at once. A session is forgotten when a fatal alert comes or goes (RFC 5246 §7.2.2), and not offered once the server's
 * certificate, which nobody looks at when resuming, has expired.
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
