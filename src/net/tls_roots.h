/*
 * tls_roots: the certificates that this system trusts, one store for the whole process. Internal to the room.
 */
#ifndef REEVE_NET_TLS_ROOTS_H
#define REEVE_NET_TLS_ROOTS_H

#include <stdbool.h>

struct x509_store_st;

/*
 * Borrowed; made when it is first asked for and kept until the process ends. SSL_CERT_FILE and SSL_CERT_DIR stand for
 * the places that OpenSSL was built with.
 */
struct x509_store_st	*tls_roots(void);

/* Whether there are any: a container without the package `ca-certificates` has none. */
bool			 tls_roots_are_there(void);

#endif
