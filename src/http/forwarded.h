/*
 * forwarded: who asked, as told by proxies: Forwarded (RFC 7239) and X-Forwarded-For, read from the right.
 */
#ifndef REEVE_HTTP_FORWARDED_H
#define REEVE_HTTP_FORWARDED_H

#include "http/field.h"

struct forwarded_hop {
	struct span	for_node;	/* address without port and brackets; "unknown" or "_hidden" as they are */
	struct span	proto;		/* "http", "https" or empty */
	struct span	host;
};

/*
 * The hops of Forwarded when present, else of X-Forwarded-For (with X-Forwarded-Proto and -Host belonging to the last
 * hop), nearest peer last. At most `room`, the nearest ones. Malformed: count 0. for_node holds only bytes that
 * addresses have, but need not be one; it is empty in a hop of Forwarded without "for". host is a valid authority or
 * empty.
 */
size_t	forwarded_parse(const struct fields *fields, struct arena *arena, struct forwarded_hop *hops, size_t room);

#endif
