/*
 * h1_scan: the inner loop of the head parsers: runs of text bytes, sixteen at a time where the machine can.
 */
#ifndef REEVE_CODEC_H1_SCAN_H
#define REEVE_CODEC_H1_SCAN_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first byte from `at` on that is below `lowest` or DEL, or `end`. Bytes at `end` and after are never read. */
static inline const char *
h1_scan_text(const char *at, const char *end, unsigned char lowest)
{
#ifdef __SSE2__
	const __m128i lowest_16 = _mm_set1_epi8((char)lowest), del_16 = _mm_set1_epi8(0x7f);

	while (end - at >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i high = _mm_cmpeq_epi8(_mm_max_epu8(bytes, lowest_16), bytes);
		__m128i text = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, del_16), high);
		unsigned other = (unsigned)_mm_movemask_epi8(text) ^ 0xffff;

		if (other != 0)
			return at + __builtin_ctz(other);
		at += 16;
	}
#endif
	while (at < end && (unsigned char)*at >= lowest && *at != 0x7f)
		at++;
	return at;
}

#endif
