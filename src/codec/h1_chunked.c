/*
 * One state a step; a step takes what it can from the input and either moves on, or uses the input up, or refuses.
 * Only a trailer line is ever held, because a field has to be in one piece.
 */
#include "codec/h1_chunked.h"

#include "base/count.h"
#include "codec/h1_fields.h"
#include "codec/trailers.h"
#include "http/byte_class.h"

#include <assert.h>

enum { SIZE_DIGITS_MAX = 16, LINE_MAX_BYTES = 4096, EXTENSIONS_MAX_BYTES = 16384, TRAILERS_MAX = 128,
	HELD_FIRST_ROOM = 256, TRAILER_BYTES_MAX = 1 << 24, EMPTY_LINE = 2 };

enum state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, ENDED, BROKEN, STATES };

#define BIT(id) ((uint64_t)1 << FIELD_##id)

const uint64_t fields_not_in_trailers =
    BIT(HOST) | BIT(CONNECTION) | BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING) | BIT(CONTENT_TYPE) | BIT(DATE) |
    BIT(EXPECT) | BIT(UPGRADE) | BIT(TE) | BIT(TRAILER) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) |
    BIT(PROXY_AUTHENTICATE) | BIT(PROXY_AUTHORIZATION) | BIT(HTTP2_SETTINGS) | BIT(FORWARDED) | BIT(X_FORWARDED_FOR) |
    BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST) | BIT(X_FORWARDED_PORT) | BIT(X_REAL_IP) | BIT(VIA) |
    BIT(X_REQUEST_ID) | BIT(ACCEPT) | BIT(ACCEPT_ENCODING) | BIT(AUTHORIZATION) | BIT(CACHE_CONTROL) |
    BIT(CONTENT_ENCODING) | BIT(CONTENT_RANGE) | BIT(COOKIE) | BIT(SET_COOKIE) | BIT(IF_MATCH) | BIT(IF_NONE_MATCH) |
    BIT(IF_MODIFIED_SINCE) | BIT(IF_UNMODIFIED_SINCE) | BIT(IF_RANGE) | BIT(RANGE) | BIT(LOCATION) | BIT(ORIGIN) |
    BIT(RETRY_AFTER) | BIT(VARY) | BIT(WWW_AUTHENTICATE) | BIT(PRIORITY) | BIT(X_ACCEL_BUFFERING) | BIT(AGE) |
    BIT(EXPIRES) | BIT(MAX_FORWARDS);

enum { GO_ON = -1 };	/* beside enum h1_chunked_result: the next state has the next byte */

static int
refuse(struct h1_chunked *chunked, const char *why)
{
	chunked->state = BROKEN;
	chunked->why = why;
	return H1_CHUNK_BAD;
}

static int
move_to(struct h1_chunked *chunked, enum state state)
{
	chunked->state = (uint8_t)state;
	return GO_ON;
}

static void
line_begin(struct h1_chunked *chunked)
{
	chunked->digits = 0;
	chunked->line_bytes = 0;
	chunked->left = 0;
}

static int
read_size(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)piece_out;
	while (rest_io->len > 0 && byte_is(*rest_io->at, BYTE_HEX)) {
		if (chunked->digits == SIZE_DIGITS_MAX)
			return refuse(chunked, "a chunk size with too many digits");
		chunked->left = chunked->left << 4 | hex_value(*rest_io->at);
		chunked->digits++;
		*rest_io = span_skip(*rest_io, 1);
	}
	if (rest_io->len == 0)
		return H1_CHUNK_AGAIN;
	if (chunked->digits == 0 || (*rest_io->at != '\r' && *rest_io->at != ';'))
		return refuse(chunked, "a malformed chunk size");
	chunked->line_bytes = chunked->digits;
	return move_to(chunked, EXTENSION);
}

/* From the ';' (if there is one) to the CR. */
static int
read_extension(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	size_t length = bytes_while(*rest_io, BYTE_VALUE);

	(void)piece_out;
	if (length > LINE_MAX_BYTES - chunked->line_bytes)
		return refuse(chunked, "a chunk extension that is too long");
	if (length > EXTENSIONS_MAX_BYTES - chunked->extension_bytes)
		return refuse(chunked, "too many chunk extensions");
	chunked->line_bytes += (uint32_t)length;
	chunked->extension_bytes += (uint32_t)length;
	*rest_io = span_skip(*rest_io, length);
	if (rest_io->len == 0)
		return H1_CHUNK_AGAIN;
	if (*rest_io->at != '\r')
		return refuse(chunked, "a control character in a chunk size line");
	*rest_io = span_skip(*rest_io, 1);
	return move_to(chunked, SIZE_LF);
}

static int
read_byte(struct h1_chunked *chunked, struct span *rest_io, char byte, const char *why, enum state next)
{
	if (rest_io->len == 0)
		return H1_CHUNK_AGAIN;
	if (*rest_io->at != byte)
		return refuse(chunked, why);
	*rest_io = span_skip(*rest_io, 1);
	return move_to(chunked, next);
}

static int
read_size_lf(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)piece_out;
	return read_byte(chunked, rest_io, '\n', "CR without LF in a chunk size line",
	    chunked->left > 0 ? DATA : TRAILER);
}

static int
read_data(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	if (chunked->left == 0)
		return move_to(chunked, DATA_CR);
	if (rest_io->len == 0)
		return H1_CHUNK_AGAIN;
	*piece_out = span_first(*rest_io, chunked->left < rest_io->len ? (size_t)chunked->left : rest_io->len);
	*rest_io = span_skip(*rest_io, piece_out->len);
	chunked->left -= piece_out->len;
	return H1_CHUNK_DATA;
}

static int
read_data_cr(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)piece_out;
	return read_byte(chunked, rest_io, '\r', "chunk data longer than its size", DATA_LF);
}

static int
read_data_lf(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)piece_out;
	line_begin(chunked);
	return read_byte(chunked, rest_io, '\n', "chunk data longer than its size", SIZE);
}

/* Doubling, because the arena takes nothing back. */
static void
held_add(struct h1_chunked *chunked, struct span bytes)
{
	uint32_t need = chunked->held_bytes + (uint32_t)bytes.len;
	uint32_t room = chunked->held_room == 0 ? HELD_FIRST_ROOM : chunked->held_room;
	char *held;

	while (room < need)
		room *= 2;
	if (room > chunked->held_room) {
		held = arena_alloc(chunked->trailers->arena, room);
		if (chunked->held_bytes > 0)
			memcpy(held, chunked->held, chunked->held_bytes);
		chunked->held = held;
		chunked->held_room = room;
	}
	memcpy(chunked->held + chunked->held_bytes, bytes.at, bytes.len);
	chunked->held_bytes = need;
}

static int
trailer_line_parse(struct h1_chunked *chunked, struct span line)
{
	const char *at = line.at, *end = line.at + line.len;
	struct h1_refusal refusal;
	struct span name, value;
	enum field_name id;

	if (++chunked->trailer_count > TRAILERS_MAX)
		return refuse(chunked, "too many trailer fields");
	switch (h1_field_line_parse(&at, end, &name, &value, &refusal)) {
	case H1_OK:
		break;
	case H1_BAD:
		return refuse(chunked, refusal.why);
	case H1_AGAIN:
		assert(!"a line that ends in LF is complete");
	}
	id = field_name_of(name);
	if (trailer_is_allowed(id))
		fields_add_known(chunked->trailers, id, name, value);
	return GO_ON;
}

/* A field line lives on in the arena; the empty line ends the body. */
static int
trailer_line_end(struct h1_chunked *chunked)
{
	struct span line = { chunked->held, chunked->held_bytes };
	int result;

	if (span_is(line, "\r\n"))
		return move_to(chunked, ENDED);
	result = trailer_line_parse(chunked, line);
	chunked->held = NULL;
	chunked->held_bytes = chunked->held_room = 0;
	return result;
}

static int
read_trailer(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	size_t length = span_find(*rest_io, '\n');
	bool is_whole = length < rest_io->len;

	(void)piece_out;
	length += is_whole;
	if (length > chunked->max_trailer_bytes + EMPTY_LINE - chunked->trailer_bytes)
		return refuse(chunked, "the trailer section is too large");
	if (length > 0)
		held_add(chunked, span_first(*rest_io, length));
	chunked->trailer_bytes += (uint32_t)length;
	*rest_io = span_skip(*rest_io, length);
	return is_whole ? trailer_line_end(chunked) : H1_CHUNK_AGAIN;
}

static int
read_ended(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)chunked, (void)rest_io, (void)piece_out;
	return H1_CHUNK_END;
}

static int
read_broken(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	(void)chunked, (void)rest_io, (void)piece_out;
	return H1_CHUNK_BAD;
}

static int (*const steps[])(struct h1_chunked *, struct span *, struct span *) = {
	[SIZE]		= read_size,
	[EXTENSION]	= read_extension,
	[SIZE_LF]	= read_size_lf,
	[DATA]		= read_data,
	[DATA_CR]	= read_data_cr,
	[DATA_LF]	= read_data_lf,
	[TRAILER]	= read_trailer,
	[ENDED]		= read_ended,
	[BROKEN]	= read_broken,
};
static_assert(COUNT(steps) == STATES, "one step a state");

void
h1_chunked_init(struct h1_chunked *chunked, struct fields *trailers, uint32_t max_trailer_bytes)
{
	assert(trailers != NULL);
	*chunked = (struct h1_chunked){
		.trailers = trailers,
		.max_trailer_bytes = max_trailer_bytes < TRAILER_BYTES_MAX ? max_trailer_bytes : TRAILER_BYTES_MAX,
	};
}

enum h1_chunked_result
h1_chunked_read(struct h1_chunked *chunked, struct span *rest_io, struct span *piece_out)
{
	int result;

	do
		result = steps[chunked->state](chunked, rest_io, piece_out);
	while (result == GO_ON);
	return (enum h1_chunked_result)result;
}

size_t
h1_chunk_head_write(char to[H1_CHUNK_HEAD_MAX], uint64_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t count = 1, i;

	while (count < SIZE_DIGITS_MAX && size >> (4 * count) != 0)
		count++;
	for (i = count; i > 0; i--, size >>= 4)
		to[i - 1] = digits[size & 15];
	to[count] = '\r';
	to[count + 1] = '\n';
	return count + 2;
}
