/*
 * tls_server: what one listener needs to speak TLS: its certificates, which of them for which name, who may come in.
 *
 *	SNI: exact name ─▶ wildcard ─▶ the first of the list         ECDSA and RSA of one name side by side
 *
 * Built once for a site in the trial child, which finds every mistake, and again in each worker, from contents that
 * came with the bundle (conf_file_watched()): a worker never opens a key. Counted by reference: connections keep the
 * one they began with.
 */
#ifndef REEVE_NET_TLS_SERVER_H
#define REEVE_NET_TLS_SERVER_H

#include "conf/option.h"
#include "net/tls_certificate.h"
#include "net/tls_tickets.h"

struct tls;

/* `certificates[]`; contents come through the configuration's files. */
struct tls_pair_options {
	struct span	cert;	/* path */
	struct span	key;	/* path */
	struct span	ocsp;	/* path of a DER response to staple; empty: none */
};

enum tls_min_version { TLS_MIN_1_2, TLS_MIN_1_3 };
enum tls_client_auth { TLS_CLIENT_OFF, TLS_CLIENT_REQUEST, TLS_CLIENT_REQUIRE };

/* `listen[].tls` */
struct tls_listen_options {
	struct conf_records	certificates;	/* struct tls_pair_options, at least one */
	int			min_version;	/* enum tls_min_version */
	struct span		ciphers;	/* TLS 1.2, OpenSSL's syntax; empty: Mozilla intermediate */
	int			client_auth;	/* enum tls_client_auth */
	struct span		client_ca;	/* path */
	struct span		client_crl;	/* path; empty: none */
	bool			kernel;		/* the kernel encrypts where it can */
};

extern const struct option_group tls_listen_group;

/* What stands around it. */
struct tls_server_place {
	const char *const		*protocols;	/* ALPN, the best first, NULL ends; borrowed for the call */
	const struct tls_ticket_keys	*tickets;		/* borrowed: outlives it; NULL: no tickets (checking) */
	bool				 checks_dates;		/* an expired certificate is an error … */
	bool				 is_first_start;	/* … or a warning: no service at all is worse */
};

/*
 * node: the map of `tls`, for the places of problems; the reader's path stands there. NULL: problems were reported.
 * Warns of what works but is not wise (a certificate that ends within 7 days, names that two pairs share).
 */
struct tls_server	*tls_server_create(const struct tls_listen_options *options, const struct conf_node *node,
    struct option_reader *reader, const struct tls_server_place *place);
struct tls_server	*tls_server_ref(struct tls_server *server);
void			 tls_server_unref(struct tls_server *server);	/* NULL is fine */

/* A connection that has been accepted. The result holds a reference. */
struct tls		*tls_server_accept(struct tls_server *server, int fd);

/* In the order of the configuration; borrowed. */
const struct tls_certificate *tls_server_certificates(const struct tls_server *server, size_t *count_out);

/* What a client's certificate says; memory of its own (free with memory_free), each text NUL-terminated. */
struct tls_client_identity {
	struct span	subject;	/* RFC 4514: "CN=billing,O=Example" */
	struct span	san;		/* "billing.example.com, spiffe://example/billing" */
	struct span	fingerprint;	/* SHA-256, hexadecimal, lower case */
};

/* NULL: it has shown none, or one that is not good (client_auth: request). After the handshake. */
struct tls_client_identity *tls_client_identity_create(const struct tls *tls);

#endif
