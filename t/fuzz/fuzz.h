/*
 * fuzz: what the fuzz targets share: a check that holds in every build, and input without a byte to spare.
 *
 * Each target is one file with LLVMFuzzerTestOneInput(), a dictionary NAME.dict and a corpus in corpus/NAME/. It checks
 * what must be true of any input, not only that nothing crashes.
 */
#ifndef REEVE_FUZZ_H
#define REEVE_FUZZ_H

#include "base/memory.h"
#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

#define check(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* A copy of its own, so that a sanitizer sees any read past the end; freed with fuzz_release(). */
static inline struct span
fuzz_copy(struct span bytes)
{
	char *copy = memory_alloc(bytes.len > 0 ? bytes.len : 1);

	if (bytes.len > 0)
		memcpy(copy, bytes.at, bytes.len);
	return span_make(copy, bytes.len);
}

static inline void
fuzz_release(struct span copy)
{
	memory_free((void *)(uintptr_t)copy.at);
}

int	LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
