/*
 * negotiate: Accept and Accept-Encoding (RFC 9110 §12.5) against what we have.
 */
#ifndef REEVE_HTTP_NEGOTIATE_H
#define REEVE_HTTP_NEGOTIATE_H

#include "base/span.h"

/*
 * Quality 0–1000 that an Accept value gives to a media type such as "text/html"; an empty value accepts all (1000), as
 * does one without a well-formed member. Parameters other than q do not count, on either side.
 */
unsigned	accept_quality(struct span accept, struct span media_type);

/*
 * Quality 0–1000 of a content coding. "identity" is 1000 unless it is listed (then its weight) or "*;q=0" refuses it;
 * an absent (at NULL) or empty field allows only identity.
 */
unsigned	accept_encoding_quality(struct span accept_encoding, struct span coding);

#endif
