/*
 * client: what is known of the connection a request came on, the same for all its requests.
 */
#ifndef REEVE_REQUEST_CLIENT_H
#define REEVE_REQUEST_CLIENT_H

#include "base/span.h"

struct address;

struct client {
	const struct address	*peer;		/* borrowed: who connected, or whom PROXY names */
	struct span		 ip;		/* its text; "unix" for a unix socket */
	uint16_t		 port;
	bool			 is_trusted;	/* in trusted_proxies: its Forwarded fields are believed */
	bool			 is_tls;
	uint16_t		 local_port;	/* the listener's port; 0 for unix */
	const char		*tls_version;	/* NULL without TLS */
};

#endif
