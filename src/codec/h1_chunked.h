/*
 * h1_chunked: the chunked transfer coding (RFC 9112 §7.1), decoded piece by piece.
 *
 *	SIZE ──▶ EXTENSION ──▶ SIZE_LF ──▶ DATA ──▶ DATA_CR ──▶ DATA_LF ──▶ SIZE …
 *	                          └─ size 0 ─▶ TRAILER ──▶ ENDED          any ──▶ BROKEN
 *
 * Strict: sizes are 1 to 16 hex digits, lines end in CRLF, extensions are skipped but bounded (4 KB a line, 16 KB a
 * body in all), no white space stands around a size, the data is followed by CRLF. Trailer fields are checked like
 * header fields; those that frame, route or authenticate (RFC 9110 §6.5.1) are dropped; more than 128, or more than
 * max_trailer_bytes, are refused. How the input is cut into pieces changes nothing but where the pieces of content
 * are cut.
 *
 *	while ((result = h1_chunked_read(&chunked, &rest, &piece)) == H1_CHUNK_DATA)
 *		use(piece);
 */
#ifndef REEVE_CODEC_H1_CHUNKED_H
#define REEVE_CODEC_H1_CHUNKED_H

#include "http/field.h"

enum h1_chunked_result {
	H1_CHUNK_DATA,	/* *piece_out holds some content, pointing into the input */
	H1_CHUNK_AGAIN,	/* all input is used up */
	H1_CHUNK_END,	/* the body is complete; what follows stays in *rest_io; again if asked again */
	H1_CHUNK_BAD,	/* chunked->why says; again if asked again */
};

struct h1_chunked {
	uint8_t		 state;
	uint8_t		 digits;
	uint32_t	 line_bytes;
	uint32_t	 extension_bytes;
	uint64_t	 left;		/* of the chunk */
	struct fields	*trailers;	/* filled; its arena keeps the bytes */
	char		*held;		/* an unfinished trailer line, arena */
	uint32_t	 held_bytes;
	uint32_t	 held_room;
	uint32_t	 trailer_count;	/* also those that were dropped */
	uint32_t	 trailer_bytes;
	uint32_t	 max_trailer_bytes;
	const char	*why;
};

/*
 * trailers is initialised by the caller, with an arena. max_trailer_bytes (at most 16 MB) counts the field lines
 * only.
 */
void			h1_chunked_init(struct h1_chunked *chunked, struct fields *trailers,
    uint32_t max_trailer_bytes);
enum h1_chunked_result	h1_chunked_read(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out);

enum { H1_CHUNK_HEAD_MAX = 18 };	/* 16 hex digits and CRLF */

/* "1f40\r\n" for the chunk that carries `size` bytes; returns the bytes written. */
size_t			h1_chunk_head_write(char to[H1_CHUNK_HEAD_MAX], uint64_t size);

#endif
