/*
 * tls_pair: one entry of `certificates[]` from its files to what a context needs, and every word about it.
 */
#ifndef REEVE_NET_TLS_PAIR_H
#define REEVE_NET_TLS_PAIR_H

#include "net/tls_server.h"
#include "net/tls_staple.h"

/* What is being read, and where it stands. */
struct tls_pair_reading {
	const struct tls_pair_options	*options;
	const struct conf_node		*node;	/* of the entry; the reader's path is its, too */
	struct option_reader		*reader;
	const struct tls_server_place	*place;
	struct arena			*arena;	/* the server's: what is kept */
};

/* False: problems were reported, and nothing is kept. */
bool	tls_pair_read(const struct tls_pair_reading *reading, struct tls_certificate *certificate_out,
    struct tls_staple *staple_out);

#endif
