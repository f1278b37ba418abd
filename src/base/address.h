/*
 * address: where a socket is or goes: IPv4, IPv6 or a unix path, in 28 bytes or a pointer; and networks (CIDR).
 */
#ifndef REEVE_BASE_ADDRESS_H
#define REEVE_BASE_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* An internet address and port, or "unix" without a path (a client on a unix socket has none). Small on purpose. */
struct address {
	union {
		struct sockaddr		any;
		struct sockaddr_in	in4;
		struct sockaddr_in6	in6;
	};
};

enum { ADDRESS_TEXT_MAX = 64 };

bool		address_is_set(const struct address *address);	/* family is not AF_UNSPEC */
void		address_from_sockaddr(struct address *address, const struct sockaddr *from);	/* v4-mapped: v4 */
uint16_t	address_port(const struct address *address);	/* host order; 0 for unix */
bool		address_equal(const struct address *a, const struct address *b);		/* with the port */
bool		address_equal_host(const struct address *a, const struct address *b);		/* without */
socklen_t	address_length(const struct address *address);	/* for connect(2) and friends */

/* "127.0.0.1", "2001:db8::1", "unix" — no port. NUL-terminated; returns the length. */
size_t		address_format_host(const struct address *address, char to[ADDRESS_TEXT_MAX]);
size_t		address_format(const struct address *address, char to[ADDRESS_TEXT_MAX]);	/* "[::1]:80" */

/* A numeric host; the port is given apart. Accepts "::1" and "[::1]"; v4-mapped becomes v4. False leaves it unset. */
bool		address_parse_host(struct span host, uint16_t port, struct address *address_out);

/* -- networks ------------------------------------------------------------------------------------------------------ */

struct network {
	uint8_t	family;	/* AF_INET, AF_INET6, AF_UNIX ("unix": peers on unix sockets) */
	uint8_t	prefix;	/* bits */
	uint8_t	bytes[16];
};

struct networks {
	struct network	*items;	/* arena */
	size_t		 count;
};

bool	network_parse(struct span cidr, struct network *network_out);	/* "10.0.0.0/8", "::1", "10.1.2.3", "unix" */
bool	network_holds(const struct network *network, const struct address *address);
bool	networks_hold(const struct networks *networks, const struct address *address);

#endif
