/*
 * h2: HTTP/2 on one client's connection (RFC 9113): the frames are codec/'s, the requests are the house's own, one
 * struct request a stream, the connection's life is conn.c's. Internal to the room.
 *
 * The connection has been secured and its protocol agreed on (ALPN), or the client has begun with the preface (h2c).
 * From h2_begin() on it is in the state H2 and these are its reader, writer and clock. Nothing here frees the
 * connection; conn_close() may be called from any of them and frees at the end of the turn.
 */
#ifndef REEVE_DOWNSTREAM_H2_H
#define REEVE_DOWNSTREAM_H2_H

#include "base/span.h"

struct conn;
struct h2;	/* conn->h2, owned */

/* bytes were read already (borrowed). The connection may be closed when it returns. */
void		h2_begin(struct conn *conn, struct span bytes);

void		h2_readable(struct conn *conn);		/* one read, what it brings, one write */
void		h2_writable(struct conn *conn);
void		h2_timed_out(struct conn *conn);	/* conn->timeout, which h2 arms itself */
unsigned	h2_wants(const struct conn *conn);	/* enum watch_for: WATCH_READ while more is to be read, … */

/* RFC 9113 §6.8 in two steps: GOAWAY with 2^31-1 now, the real one after the drain's idle time. */
void		h2_drain(struct conn *conn);

/* The connection ends now: every stream's handler hears of it, every request is counted. Once. */
void		h2_gone(struct conn *conn, const char *why);
void		h2_free(struct h2 *h2);	/* at the end of the turn; NULL is fine */

#endif
