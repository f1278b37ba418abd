/*
 * A perfect hash that is found when the process starts.
 *
 * A name's first and last bytes (up to eight each, without case) and its length are mixed, multiplied by an odd
 * constant, and the top bits choose a cell. The constant is right when every row has a cell of its own; one that was
 * right for the rows as they are is tried first. The row in the cell is then compared in words, with the case bit of
 * its letters masked.
 */
#include "http/field_names.h"
#include "http/field.h"

#include <assert.h>

enum { CELL_BITS = 9, CELLS = 1 << CELL_BITS, NAME_MAX_LENGTH = 32, NAME_TRIES = 100000 };

#define FIELD_NAME_ROW(id, name) [FIELD_##id] = SPAN(name),
static const struct span names[FIELD_NAME_COUNT] = { [FIELD_OTHER] = SPAN(""), FIELD_NAMES(FIELD_NAME_ROW) };
#undef FIELD_NAME_ROW

#define FIELD_NAME_FITS(id, name) static_assert(sizeof(name) - 1 <= NAME_MAX_LENGTH, "longer than a row: " name);
FIELD_NAMES(FIELD_NAME_FITS)
#undef FIELD_NAME_FITS

static_assert(FIELD_NAME_COUNT <= UINT8_MAX, "cells hold a byte");

static struct row {
	char	lower[NAME_MAX_LENGTH];
	char	fold[NAME_MAX_LENGTH];	/* 0x20 where `lower` has a letter */
	size_t	len;
} rows[FIELD_NAME_COUNT];

static uint8_t cells[CELLS];	/* enum field_name; 0: empty */
static uint64_t multiplier = UINT64_C(0x301e076f1bc213c9);

static inline uint64_t
load_8(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint32_t
load_4(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Setting bit 0x20 folds case; that it also makes other bytes equal costs at most a comparison. */
static inline unsigned
cell_of(struct span name)
{
	const uint64_t fold = UINT64_C(0x2020202020202020);
	const char *end = name.at + name.len;
	uint64_t head, tail;

	if (name.len >= 8) {
		head = load_8(name.at) | fold;
		tail = load_8(end - 8) | fold;
	} else if (name.len >= 4) {
		head = load_4(name.at) | (uint32_t)fold;
		tail = load_4(end - 4) | (uint32_t)fold;
	} else {
		head = (unsigned char)name.at[0] | 0x20;
		tail = (unsigned char)end[-1] | 0x20;
	}
	return (unsigned)((((head ^ (tail << 29 | tail >> 35)) + name.len) * multiplier) >> (64 - CELL_BITS));
}

static inline bool
words_match(const struct row *row, const char *at, size_t offset)
{
	return (load_8(at + offset) | load_8(row->fold + offset)) == load_8(row->lower + offset);
}

static inline bool
row_matches(const struct row *row, struct span name)
{
	size_t i;

	if (row->len != name.len)
		return false;
	if (name.len < 8) {
		for (i = 0; i < name.len; i++) {
			if ((name.at[i] | row->fold[i]) != row->lower[i])
				return false;
		}
		return true;
	}
	for (i = 0; i + 8 < name.len; i += 8) {
		if (!words_match(row, name.at, i))
			return false;
	}
	return words_match(row, name.at, name.len - 8);
}

static bool
cells_fill(void)
{
	unsigned id, cell;

	memset(cells, 0, sizeof(cells));
	for (id = 1; id < FIELD_NAME_COUNT; id++) {
		cell = cell_of(names[id]);
		if (cells[cell] != 0)
			return false;
		cells[cell] = (uint8_t)id;
	}
	return true;
}

static void
row_fill(struct row *row, struct span name)
{
	row->len = name.len;
	for (size_t i = 0; i < name.len; i++) {
		row->lower[i] = byte_lower(name.at[i]);
		row->fold[i] = row->lower[i] >= 'a' && row->lower[i] <= 'z' ? 0x20 : 0;
	}
}

void
field_names_init(void)
{
	unsigned tries = 0;
	bool found;

	for (unsigned id = 1; id < FIELD_NAME_COUNT; id++)
		row_fill(&rows[id], names[id]);
	while (!(found = cells_fill()) && ++tries < NAME_TRIES)
		multiplier = (multiplier * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) | 1;
	assert(found);
	(void)found;
}

enum field_name
field_name_of(struct span name)
{
	unsigned id;

	if (name.len == 0 || name.len > NAME_MAX_LENGTH)
		return FIELD_OTHER;
	id = cells[cell_of(name)];
	return id != FIELD_OTHER && row_matches(&rows[id], name) ? (enum field_name)id : FIELD_OTHER;
}

struct span
field_name_text(enum field_name id)
{
	assert(id < FIELD_NAME_COUNT);
	return names[id];
}
