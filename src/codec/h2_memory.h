/*
 * h2_memory: where nghttp2's sessions take memory from, on both sides.
 *
 * A stream and its frames are a handful of small pieces, taken and given back for every request. They are kept for the
 * next one, some hundred kilobytes at most for the whole process; whatever is larger comes from base/memory.h, as does
 * what is not kept. A session's buffer for frames costs only the pages that were used.
 */
#ifndef REEVE_CODEC_H2_MEMORY_H
#define REEVE_CODEC_H2_MEMORY_H

#include <nghttp2/nghttp2.h>

/* For nghttp2_session_…_new3(): static, never NULL results. */
nghttp2_mem	*h2_memory(void);

#endif
