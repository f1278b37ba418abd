/*
 * tls_certificate: a certificate chain and its key, read from PEM, checked to belong together.
 */
#ifndef REEVE_NET_TLS_CERTIFICATE_H
#define REEVE_NET_TLS_CERTIFICATE_H

#include "base/arena.h"
#include "base/err.h"

struct evp_pkey_st;
struct x509_st;
struct stack_st_X509;

struct tls_certificate {
	struct x509_st		*leaf;	/* owned, as the two below */
	struct stack_st_X509	*chain;	/* what follows the leaf in the file */
	struct evp_pkey_st	*key;

	/* What people are shown; arena. */
	struct span	 subject;	/* the common name, else the first name, else the whole subject */
	struct span	 names;		/* "api.example.com, *.example.com, 192.0.2.1": DNS names and addresses */
	struct span	 issuer;	/* its common name */
	struct span	 serial;	/* hexadecimal */
	struct span	 fingerprint;	/* SHA-256, hexadecimal, lower case */
	const char	*kind;		/* "ECDSA P-256", "RSA 2048", "Ed25519" … */
	int64_t		 from_s;	/* validity, Unix time in seconds */
	int64_t		 until_s;
	bool		 is_rsa;
};

/*
 * cert: PEM, the leaf first, then its chain; key: PEM, unencrypted; may be the same bytes. False: the sentence says
 * which of the two is wrong and how: no PEM, not a certificate, an encrypted key, a key that is not the leaf's, a key
 * too small (RSA below 2048 bits) … Dates are not looked at. Never asks for a pass phrase.
 */
bool	tls_certificate_read(struct tls_certificate *certificate_out, struct span cert, struct span key,
    struct arena *arena, struct err *err);
void	tls_certificate_fini(struct tls_certificate *certificate);	/* safe on zeroed memory */

/* In PEM order, the leaf is the first: does each certify the one before it? False: the sentence says which does not. */
bool	tls_certificate_is_chained(const struct tls_certificate *certificate, struct err *err);

/* Whether it is good for that host (RFC 6125: exact, or a wildcard for exactly one label), any case. */
bool	tls_certificate_names(const struct tls_certificate *certificate, struct span host);

#endif
