/* Lines that are whole within a chunk are handed on from there; only a chunk's last piece is copied. */
#include "logger/lines.h"

#define PARTIAL_ROOM_KEPT 4096

void
lines_init(struct lines *lines, line_fn *on_line, void *owner)
{
	*lines = (struct lines){ .on_line = on_line, .owner = owner };
}

void
lines_fini(struct lines *lines)
{
	text_fini(&lines->partial);
}

static void
line_hand_on(struct lines *lines, struct span line)
{
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (line.len > 0)
		lines->on_line(lines->owner, line);
}

static void
partial_hand_on(struct lines *lines)
{
	line_hand_on(lines, text_span(&lines->partial));
	if (lines->partial.room > PARTIAL_ROOM_KEPT)
		text_fini(&lines->partial);
	else
		text_clear(&lines->partial);
}

/* A piece of a line, to which what is partial belongs; is_whole: its end has come. */
static void
piece_add(struct lines *lines, struct span piece, bool is_whole)
{
	while (lines->partial.len + piece.len >= LINE_MAX_BYTES) {
		size_t fits = LINE_MAX_BYTES - lines->partial.len;

		text_add(&lines->partial, span_first(piece, fits));
		piece = span_skip(piece, fits);
		partial_hand_on(lines);
	}
	if (is_whole && lines->partial.len == 0) {
		line_hand_on(lines, piece);
		return;
	}
	text_add(&lines->partial, piece);
	if (is_whole)
		partial_hand_on(lines);
}

void
lines_add(struct lines *lines, struct span chunk)
{
	while (chunk.len > 0) {
		size_t newline = span_find(chunk, '\n');

		piece_add(lines, span_first(chunk, newline), newline < chunk.len);
		chunk = span_skip(chunk, newline + 1);
	}
}

void
lines_end(struct lines *lines)
{
	if (lines->partial.len > 0)
		partial_hand_on(lines);
}
