/*
 * tls_server_inside: what the files of tls_server.h share, and nobody else sees.
 */
#ifndef REEVE_NET_TLS_SERVER_INSIDE_H
#define REEVE_NET_TLS_SERVER_INSIDE_H

#include "net/tls_client_auth.h"
#include "net/tls_names.h"
#include "net/tls_server.h"
#include "net/tls_staple.h"

#include <openssl/ssl.h>

struct tls_context {
	struct tls_context	*next;
	SSL_CTX			*ssl;	/* owned */
	struct tls_set		 set;
};

struct tls_server {
	unsigned			 references;
	struct arena			 arena;
	struct tls_certificate		*certificates;	/* as the two below: arena */
	struct tls_staple		*staples;
	size_t				 count;
	struct tls_context		**by_first;	/* contexts by their set's first certificate */
	struct tls_names		 names;
	SSL_CTX				*fallback;	/* borrowed: of the first certificate */
	struct tls_client_rules		 rules;
	EVP_MD				*digest;
	EVP_MD_CTX			*digesting;
	struct span			 protocols;	/* as ALPN writes them; arena, as the next */
	struct span			 protocols_but_h2;
	const struct tls_ticket_keys	*tickets;	/* borrowed */
};

struct tls_server	*tls_server_of(const SSL *ssl);	/* that the connection belongs to */

/* Makes the context answer clients as the server says, whose protocols are known by then. */
void			 tls_hello_apply(const struct tls_server *server, SSL_CTX *context);

#endif
