/*
 * tls_names: which certificates stand for a name that a client asks for (SNI, RFC 6066 §3).
 *
 *	exact name ─▶ wildcard of its first label ─▶ none
 *
 * For each kind of key the first certificate that has the name is taken, so that ECDSA and RSA of one name stand side
 * by side. Two lookups in a hash table, however many names there are.
 */
#ifndef REEVE_NET_TLS_NAMES_H
#define REEVE_NET_TLS_NAMES_H

#include "net/tls_certificate.h"

struct ssl_ctx_st;

enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_RSA_PSS, TLS_KEY_EC, TLS_KEY_ED25519, TLS_KEY_ED448, TLS_KEY_KINDS };
enum { TLS_NAME_MAX = 255 };

/* Indices of certificates by the kind of their key, each plus one; 0: none of that kind. */
struct tls_set {
	uint32_t	of_kind[TLS_KEY_KINDS];
};

struct tls_name {
	struct span		 name;		/* lower case; a wildcard with its star; empty: a free row */
	uint64_t		 hash;
	struct tls_set		 set;
	struct ssl_ctx_st	*context;	/* the owner's, borrowed */
};

struct tls_names {
	struct tls_name	*rows;	/* arena */
	size_t		 room;	/* a power of two; 0: empty */
	uint64_t	 seed;
};

enum tls_key_kind	tls_key_kind(const struct tls_certificate *certificate);
bool			tls_set_equal(const struct tls_set *a, const struct tls_set *b);

/*
 * All names of all certificates. A name that an earlier certificate of the same kind has is reported to `shared` (may
 * be NULL): the later one is never chosen for it.
 */
typedef void tls_name_shared(void *owner, uint32_t first, uint32_t second, struct span name);

void			 tls_names_fill(struct tls_names *names, const struct tls_certificate *certificates,
    size_t count, struct arena *arena, tls_name_shared *shared, void *owner);
const struct tls_name	*tls_names_find(const struct tls_names *names, struct span host);	/* any case */

#endif
