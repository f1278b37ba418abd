/*
 * proxy_header: the PROXY protocol, versions 1 and 2, as it arrives before the first byte of HTTP.
 *
 * Pure parsing; bounded (v1: 107 bytes, v2: 16 + 2048). TLVs are skipped.
 */
#ifndef REEVE_NET_PROXY_HEADER_H
#define REEVE_NET_PROXY_HEADER_H

#include "base/address.h"

enum proxy_header_result { PROXY_HEADER_OK, PROXY_HEADER_AGAIN, PROXY_HEADER_BAD };

/* source_out stays unset for LOCAL, UNKNOWN and unix (the socket's own peer counts then). */
enum proxy_header_result proxy_header_parse(struct span bytes, struct address *source_out, size_t *used_out);

#endif
