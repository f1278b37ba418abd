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
 * The hops of X-Forwarded-For when present (with X-Forwarded-Proto and -Host belonging to the last hop), else those of
 * Forwarded, nearest peer last. Most proxies write X-Forwarded-For and let a Forwarded of their client pass, so that
 * one must not win.
 *
 * At most `room`, the nearest ones; what stands before a malformed one is as good as not there. for_node holds only
 * bytes that addresses have, but need not be one; it is empty in a hop of Forwarded without "for". host is a valid
 * authority or empty.
 */
size_t	forwarded_parse(const struct fields *fields, struct arena *arena, struct forwarded_hop *hops, size_t room);

#endif
