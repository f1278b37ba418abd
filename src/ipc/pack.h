/*
 * pack: numbers, flags and spans as bytes, for messages and bundles between processes of one build on one machine.
 *
 * Unpacking never reads outside and never fails half-way: after the first value that is not there, every further one is
 * empty, and unpack_end() tells. Spans that were unpacked point into the packed bytes.
 */
#ifndef REEVE_IPC_PACK_H
#define REEVE_IPC_PACK_H

#include "base/text.h"

void	pack_number(struct text *to, uint64_t number);
void	pack_flag(struct text *to, bool flag);
void	pack_span(struct text *to, struct span span);

struct unpack {
	struct span	rest;	/* borrowed */
	bool		is_broken;
};

struct unpack	unpack_begin(struct span packed);
uint64_t	unpack_number(struct unpack *unpack);		/* 0 when broken */
bool		unpack_flag(struct unpack *unpack);		/* false when broken, or when it was neither 0 nor 1 */
struct span	unpack_span(struct unpack *unpack);		/* empty when broken */
bool		unpack_end(const struct unpack *unpack);	/* all was there, and nothing is left */

#endif
