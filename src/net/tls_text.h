/*
 * tls_text: what a certificate says, as text that can stand in a list, a field value and a log line.
 *
 * A certificate may hold any bytes where a name belongs. Whatever could end a field, a line or an entry of a list comes
 * out escaped as RFC 4514 does it (`\2C` for a comma): two names never look like one, nor one like two. So does what a
 * terminal would obey, and what hides or turns around what stands beside it.
 */
#ifndef REEVE_NET_TLS_TEXT_H
#define REEVE_NET_TLS_TEXT_H

#include "base/text.h"

struct X509_name_st;
struct asn1_string_st;
struct x509_st;

enum tls_alternative { TLS_ALTERNATIVE_DNS = 1, TLS_ALTERNATIVE_URI = 2, TLS_ALTERNATIVE_EMAIL = 4,
	TLS_ALTERNATIVE_ADDRESS = 8 };

enum { TLS_FINGERPRINT = 64 };	/* hexadecimal digits */

/* Adds the subject's alternative names of these kinds, ", " between them; returns how many. */
unsigned	tls_text_alternatives(const struct x509_st *certificate, unsigned kinds, struct text *to);

void		tls_text_name(const struct X509_name_st *name, struct text *to);		/* RFC 4514, ASCII */
/* UTF-8; false: none, or an empty one */
bool		tls_text_common_name(const struct X509_name_st *name, struct text *to);
void		tls_text_fingerprint(const struct x509_st *certificate, struct text *to);	/* SHA-256 */
void		tls_text_serial(const struct x509_st *certificate, struct text *to);		/* hexadecimal */

int64_t		tls_time(const struct asn1_string_st *time);	/* Unix time in seconds */

#endif
