/*
 * tls_client_auth: who may come in: the authorities that certify clients, and what they have revoked.
 *
 * Every certificate of client_ca is an anchor, also one that another has issued: whoever it certifies comes in. With
 * client_crl a client needs a list of its issuer that is within its dates and does not name it; without one it is
 * refused. Issuers in between are looked up where their list is in the file.
 *
 * `request`: a certificate that is not good counts as none, and the connection goes on.
 */
#ifndef REEVE_NET_TLS_CLIENT_AUTH_H
#define REEVE_NET_TLS_CLIENT_AUTH_H

#include "net/tls_server.h"

struct ssl_ctx_st;
struct stack_st_X509_NAME;
struct x509_store_st;

enum { TLS_SESSION_ID = 32 };

struct tls_client_rules {
	enum tls_client_auth		 mode;
	struct x509_store_st		*store;	/* owned, as the next; NULL with TLS_CLIENT_OFF */
	struct stack_st_X509_NAME	*names;				/* of the authorities: sent to clients */
	unsigned char			 digest[TLS_SESSION_ID];	/* of all this, and nothing but this */
};

/* node and the reader's path: those of `tls`. False: problems were reported. */
bool	tls_client_rules_read(struct tls_client_rules *rules_out, const struct tls_listen_options *options,
    const struct conf_node *node, struct option_reader *reader, const struct tls_server_place *place);
void	tls_client_rules_fini(struct tls_client_rules *rules);	/* safe on zeroed memory */

/* To every context that a connection can begin with or move to. */
bool	tls_client_rules_apply(const struct tls_client_rules *rules, struct ssl_ctx_st *context);

#endif
