/*
 * client: what is known of the connection a request came on, the same for all its requests.
 */
#ifndef REEVE_REQUEST_CLIENT_H
#define REEVE_REQUEST_CLIENT_H

#include "base/span.h"

struct address;

/* What TLS tells. Empty spans: not told. Texts live as long as the connection. */
struct client_tls {
	struct span	version;	/* "TLSv1.3" */
	struct span	cipher;
	struct span	server_name;	/* SNI */
	struct span	subject;	/* of a client certificate that was verified, as the two below */
	struct span	san;
	struct span	fingerprint;	/* SHA-256, hexadecimal */
};

struct client {
	const struct address	*peer;		/* borrowed: who connected, or whom PROXY names */
	struct span		 ip;		/* its text; "unix" for a unix socket */
	uint16_t		 port;
	bool			 is_trusted;	/* in trusted_proxies: its Forwarded fields are believed */
	uint16_t		 local_port;	/* the listener's port; 0 for unix */
	const struct client_tls	*tls;		/* NULL: in the clear */
};

static inline bool
client_is_tls(const struct client *client)
{
	return client->tls != NULL;
}

#endif
