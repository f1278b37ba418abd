/*
 * tls_staple: an OCSP response from a file, to be sent with the certificate it is about (RFC 6066 §8, RFC 6960).
 *
 * Whoever fetches it (a timer, a script) writes the file; here nothing is fetched and no signature of it is checked:
 * clients do that. It is sent only within its own dates, so a forgotten one does no harm.
 */
#ifndef REEVE_NET_TLS_STAPLE_H
#define REEVE_NET_TLS_STAPLE_H

#include "net/tls_certificate.h"

struct tls_staple {
	struct span	der;		/* borrowed; empty: none */
	bool		is_good;	/* it says so of the certificate, rather than revoked or unknown */
	int64_t		from_s;
	int64_t		until_s;	/* INT64_MAX: it does not say */
};

/* False: not a successful response about that certificate; the sentence says why. Dates are not looked at. */
bool	tls_staple_read(struct tls_staple *staple_out, struct span der, const struct tls_certificate *certificate,
    struct err *err);
bool	tls_staple_is_fresh(const struct tls_staple *staple, int64_t now_s);

/* The certificate's owner has asked clients to insist on a staple (RFC 7633). */
bool	tls_staple_is_demanded(const struct tls_certificate *certificate);

#endif
