/*
 * tls_pem: what stands in PEM files (RFC 7468), and what OpenSSL has to say when it does not.
 *
 * Reading never asks for a pass phrase; what is in the file besides what is wanted is passed over, so a certificate and
 * its key may share one. No sentence quotes what it has read.
 */
#ifndef REEVE_NET_TLS_PEM_H
#define REEVE_NET_TLS_PEM_H

#include "base/err.h"
#include "base/span.h"

struct evp_pkey_st;
struct stack_st_X509;
struct stack_st_X509_CRL;

/* At least one, in the order of the file; the caller's. NULL: the sentence says why. */
struct stack_st_X509	*tls_pem_certificates(struct span pem, struct err *err);
struct stack_st_X509_CRL *tls_pem_crls(struct span pem, struct err *err);
struct evp_pkey_st	*tls_pem_key(struct span pem, struct err *err);

/* OpenSSL's reason for what has just failed, "no start line"; forgets all it had to say. Never empty. */
const char		*tls_reason(void);

#endif
