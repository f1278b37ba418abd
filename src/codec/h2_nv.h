/*
 * h2_nv: fields ↔ what nghttp2 takes for them, for both sides of HTTP/2.
 *
 * On the way out names are in lower case (RFC 9113 §8.2.1): those of known fields are constants, so nothing is copied.
 * Pairs borrow their bytes (NGHTTP2_NV_FLAG_NO_COPY_…) until the frame is laid down or its stream is over; whoever
 * gives them sees to that, which a request's arena does.
 *
 * On the way in a known name becomes the row's own spelling ("Content-Type"), others stay as they came, in lower case.
 */
#ifndef REEVE_CODEC_H2_NV_H
#define REEVE_CODEC_H2_NV_H

#include "http/field.h"

#include <nghttp2/nghttp2.h>

#define H2_BIT(id) ((uint64_t)1 << FIELD_##id)

/* Of one connection only (RFC 9113 §8.2.2): never sent, and an error when received (TE may be: "trailers"). */
#define H2_CONNECTION_FIELDS (H2_BIT(CONNECTION) | H2_BIT(KEEP_ALIVE) | H2_BIT(PROXY_CONNECTION) | \
    H2_BIT(TRANSFER_ENCODING) | H2_BIT(UPGRADE))

/* Both borrowed; the name is in lower case. The value is sent as it is. */
nghttp2_nv	h2_nv_make(struct span name, struct span value);

/* The name in lower case: a constant when it is known, else as it is or a copy in the arena. */
struct span	h2_name_lower(const struct field *field, struct arena *arena);

/*
 * Lays the fields down at `to`, which has room for fields->count, but those in `without` (bits of known names) and
 * connection-specific ones. Spaces at the ends of a value are cut off and control characters become spaces, so that
 * nothing a configuration's template holds can make the peer refuse the message. Returns how many.
 */
size_t		h2_nv_lay(nghttp2_nv *to, const struct fields *fields, uint64_t without, struct arena *arena);

/* Adds a field that has come; copies what is no constant into fields->arena. Nothing is checked here. */
void		h2_field_take(struct fields *fields, struct span name, struct span value);

#endif
