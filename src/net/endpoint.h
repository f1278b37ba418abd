/*
 * endpoint: a place to listen on, as the configuration writes it: ":8080", "127.0.0.1:80", "[::1]:80", "unix:/path",
 * "fd:NAME"; and the listening sockets made from it, which the primary opens and keeps.
 */
#ifndef REEVE_NET_ENDPOINT_H
#define REEVE_NET_ENDPOINT_H

#include "base/address.h"

enum endpoint_kind { ENDPOINT_INTERNET, ENDPOINT_UNIX, ENDPOINT_PASSED };

struct endpoint {
	enum endpoint_kind	kind;
	struct address		address;	/* INTERNET; ":8080" is [::]:8080 with IPV6_V6ONLY off */
	char			path[108];	/* UNIX: the path; PASSED: the name */
};

bool	endpoint_parse(struct span from, struct endpoint *endpoint_out, struct err *err);
size_t	endpoint_format(const struct endpoint *endpoint, char to[128]);	/* as the user would write it */
bool	endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/*
 * A bound, listening, non-blocking, close-on-exec socket; -1 and the sentence otherwise. A unix path that nobody
 * listens on any more is removed first; one that is in use is an error. PASSED looks in LISTEN_FDS/LISTEN_FDNAMES.
 */
int	endpoint_listen(const struct endpoint *endpoint, int backlog, bool reuse_port, struct err *err);

#endif
