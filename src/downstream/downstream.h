/*
 * downstream: the client's side of one worker: all its connections, and what they share.
 *
 * The worker accepts sockets and hands them over; whole request heads come back through on_request. Settings belong to
 * the site in use and are replaced at COMMIT; a connection takes the newest whenever a request begins, so a reload
 * touches none.
 *
 * Draining: idle connections get `idle` ms for one more request, which is answered with `Connection: close`; requests
 * in flight finish; downstream_cut() ends what is left. on_empty tells when the last is gone.
 */
#ifndef REEVE_DOWNSTREAM_DOWNSTREAM_H
#define REEVE_DOWNSTREAM_DOWNSTREAM_H

#include "base/address.h"
#include "downstream/limits.h"
#include "loop/loop.h"
#include "request/request.h"

struct downstream;
struct slot;
struct tls_server;

/*
 * What the connections of one listening socket have in common. Borrowed by them: lives as long as the downstream. Its
 * owner may change it at any time: whoever connects next finds it so.
 */
struct downstream_listener {
	uint16_t		 port;	/* 0: a unix socket */
	bool			 is_unix;
	bool			 proxy_protocol;
	bool			 http1;	/* HTTP/1 is spoken here; with TLS that is ALPN's business */
	bool			 h2c;	/* in the clear: HTTP/2 for those who begin with its preface */
	struct tls_server	*tls;	/* ref of its owner; NULL: in the clear */
};

/* Of the site in use. Borrowed until replaced. */
struct downstream_settings {
	const struct limits	*limits;
	const struct networks	*trusted_proxies;
};

/* What the worker lends. */
struct downstream_events {
	/* The head is complete: route it. */
	void	(*on_request)(void *owner, struct request *request);

	/* The head was refused (RFC 9112, limits): answer `status`, at once. What was read of it may be missing. */
	void	(*on_refused)(void *owner, struct request *request, unsigned status, const char *why);

	/* limits.connections is reached, or there is room again. */
	void	(*on_full)(void *owner, bool full);

	/* After downstream_drain(), once: nobody is left. */
	void	(*on_empty)(void *owner);
};

struct downstream	*downstream_create(struct loop *loop, const struct downstream_events *events, void *owner,
    struct slot *slot);
void			 downstream_free(struct downstream *downstream);	/* cuts what is left; in no callback */
void			 downstream_configure(struct downstream *downstream,
    const struct downstream_settings *settings);

/* Takes the descriptor. */
void			 downstream_accept(struct downstream *downstream, int fd, const struct address *peer,
    const struct downstream_listener *listener);

void			 downstream_drain(struct downstream *downstream, uint64_t idle_ms);
void			 downstream_cut(struct downstream *downstream);	/* counts drain_forced */
size_t			 downstream_connections(const struct downstream *downstream);

#endif
