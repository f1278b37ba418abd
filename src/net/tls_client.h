/*
 * tls_client: what an upstream's connections need to speak TLS: whom we trust, who we are, what we call the server.
 *
 * The server is verified unless the configuration says otherwise: chain, dates and name (RFC 6125). Sessions are kept
 * for the next handshake to the same server. Counted by reference; two of equal options and files are equal, so agents
 * outlive a reload.
 */
#ifndef REEVE_NET_TLS_CLIENT_H
#define REEVE_NET_TLS_CLIENT_H

#include "conf/option.h"

struct tls;

/* `upstreams.NAME.tls` */
struct tls_client_options {
	bool		verify;
	struct span	ca;		/* path; empty: the system's roots */
	struct span	server_name;	/* SNI and the name to verify; empty: the host of the server's URL */
	struct span	cert;		/* path; with `key`: mutual TLS */
	struct span	key;
};

extern const struct option_group tls_client_group;

/*
 * node: the map of `tls`, or what stands for it, for the places of problems, may be NULL; the reader's path stands
 * there. protocols: ALPN, the best first, NULL ends; borrowed for the call. NULL: problems were reported.
 */
struct tls_client	*tls_client_create(const struct tls_client_options *options, const struct conf_node *node,
    struct option_reader *reader, const char *const *protocols);
struct tls_client	*tls_client_ref(struct tls_client *client);
void			 tls_client_unref(struct tls_client *client);	/* NULL is fine */
bool			 tls_client_equal(const struct tls_client *a, const struct tls_client *b);	/* NULLs, too */

/* The last session with one server, kept by whoever keeps connections to it. All zero: none. */
struct tls_session {
	struct ssl_session_st	*session;	/* owned */
};

void		 tls_session_fini(struct tls_session *session);

/*
 * A connection on its way or connected. host: of the server's URL, a name or an address. The session is used and
 * replaced during the connection's life: it must outlive it. NULL: no certificate can be for such a host.
 */
struct tls	*tls_client_connect(struct tls_client *client, int fd, struct span host, struct tls_session *session);

/*
 * Of a connection that tls_client_connect() has made: whether the server agreed to one of the protocols, as soon as its
 * handshake is done. One that knows no ALPN speaks HTTP/1.1, so that is not missed when it was offered.
 */
bool		 tls_client_agreed(const struct tls_client *client, const struct tls *tls, struct err *err);

/* After a handshake that broke: the sentence, with what the certificate says of itself when that is the reason. */
void		 tls_client_explain(const struct tls *tls, struct err *err_out);

#endif
