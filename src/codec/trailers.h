/*
 * trailers: which fields a trailer section may not bring, whatever the protocol (RFC 9110 §6.5.1).
 *
 * What frames, routes, authenticates, modifies the request, or says how to read the content or the response, is decided
 * before the content; a recipient that merged it afterwards could be led astray. Such fields are dropped.
 */
#ifndef REEVE_CODEC_TRAILERS_H
#define REEVE_CODEC_TRAILERS_H

#include "http/field_names.h"

#include <stdbool.h>
#include <stdint.h>

extern const uint64_t fields_not_in_trailers;	/* a bit for each enum field_name */

static inline bool
trailer_is_allowed(enum field_name id)
{
	return !((fields_not_in_trailers >> id) & 1);
}

#endif
