/*
 * hash: 64 bits from bytes, for tables and for spreading load; and random numbers.
 *
 * SipHash-1-3-like strength is wanted where a peer chooses the keys: pass a seed from random_bytes(). Not for secrets,
 * signatures or anything stored on disk.
 */
#ifndef REEVE_BASE_HASH_H
#define REEVE_BASE_HASH_H

#include "base/span.h"

uint64_t	hash_span(uint64_t seed, struct span bytes);
uint64_t	hash_mix(uint64_t a, uint64_t b);	/* two hashes into one */

void		random_bytes(void *to, size_t count);	/* getrandom(2): fit for ids and keys */
uint64_t	random_number(void);			/* fast, seeded anew in each process; no secrets */
uint64_t	random_below(uint64_t bound);		/* 0 … bound-1; bound > 0 */

#endif
