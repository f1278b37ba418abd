/*
 * Blocks in a chain, newest first; pieces are cut from the newest ordinary block. Ordinary blocks double in size, so
 * the number of blocks stays logarithmic. A piece too big to share gets a block of its own, and cutting goes on in the
 * block that was open. The last of the chain is always the first ordinary block, which arena_reset() keeps.
 *
 * Under AddressSanitizer what was not handed out is poisoned, so that overruns inside a block are seen.
 */
#include "base/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define PIECE_ALIGNMENT 16
#define BLOCK_SIZE_MAX (1024 * 1024)	/* doubling ends here */

struct arena_block {
	struct arena_block		*older;
	size_t				 room;		/* bytes at `bytes` */
	size_t				 ordinary_room;	/* of the newest ordinary block, this one or an older */
	alignas(PIECE_ALIGNMENT) char	 bytes[];
};

static struct arena_block *
block_add(struct arena *arena, size_t room)
{
	struct arena_block *block;

	assert(room <= SIZE_MAX - sizeof(*block));
	block = memory_alloc(sizeof(*block) + room);
	block->older = arena->blocks;
	block->room = room;
	block->ordinary_room = arena->blocks ? arena->blocks->ordinary_room : room;
	arena->blocks = block;
	ASAN_POISON_MEMORY_REGION(block->bytes, room);
	return block;
}

static void
block_open(struct arena *arena, struct arena_block *block)
{
	arena->next = block->bytes;
	arena->end = block->bytes + block->room;
}

static void
block_add_ordinary(struct arena *arena)
{
	size_t room = arena->block_size;
	struct arena_block *block;

	if (arena->blocks != NULL) {
		room = arena->blocks->ordinary_room;
		if (room < BLOCK_SIZE_MAX)
			room *= 2;
	}
	block = block_add(arena, room);
	block->ordinary_room = room;
	block_open(arena, block);
}

static void
block_free(struct arena_block *block)
{
	ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->room);
	memory_free(block);
}

/* `padding` bytes are skipped first; the caller has seen that both fit. */
static void *
piece_cut(struct arena *arena, size_t padding, size_t size)
{
	char *piece = arena->next + padding;

	arena->next = piece + size;
	ASAN_UNPOISON_MEMORY_REGION(piece, size);
	return piece;
}

static void *
piece_of_its_own(struct arena *arena, size_t size)
{
	struct arena_block *block = block_add(arena, size);

	ASAN_UNPOISON_MEMORY_REGION(block->bytes, size);
	return block->bytes;
}

/* The slow way: the open block has no room (or there is none yet). */
static void *
piece_elsewhere(struct arena *arena, size_t size)
{
	if (arena->blocks == NULL) {
		block_add_ordinary(arena);
		if (size <= arena->block_size)
			return piece_cut(arena, 0, size);
	}
	if (size > arena->blocks->ordinary_room / 2)
		return piece_of_its_own(arena, size);
	block_add_ordinary(arena);
	return piece_cut(arena, 0, size);
}

static void *
piece_get(struct arena *arena, size_t padding, size_t size)
{
	size_t room = (size_t)(arena->end - arena->next);

	arena->used += size;
	if (arena->blocks != NULL && padding <= room && size <= room - padding)
		return piece_cut(arena, padding, size);
	return piece_elsewhere(arena, size);
}

void
arena_init(struct arena *arena, size_t block_size)
{
	assert(block_size > 0);
	*arena = (struct arena){ .block_size = block_size };
}

void
arena_fini(struct arena *arena)
{
	struct arena_block *older;

	for (struct arena_block *block = arena->blocks; block != NULL; block = older) {
		older = block->older;
		block_free(block);
	}
	arena_init(arena, arena->block_size ? arena->block_size : 1);
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	arena->used = 0;
	if (block == NULL)
		return;
	while (block->older != NULL) {
		struct arena_block *older = block->older;

		block_free(block);
		block = older;
	}
	arena->blocks = block;
	block_open(arena, block);
	ASAN_POISON_MEMORY_REGION(block->bytes, block->room);
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	return piece_get(arena, -(uintptr_t)arena->next % PIECE_ALIGNMENT, size);
}

void *
arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

struct span
arena_copy(struct arena *arena, struct span from)
{
	return arena_join(arena, from, span_make(NULL, 0));
}

char *
arena_text(struct arena *arena, struct span from)
{
	char *text = piece_get(arena, 0, from.len + 1);

	if (from.len > 0)
		memcpy(text, from.at, from.len);
	text[from.len] = '\0';
	return text;
}

char *
arena_format(struct arena *arena, const char *format, ...)
{
	va_list list, again;
	int len;
	char *text;

	va_start(list, format);
	va_copy(again, list);
	len = vsnprintf(NULL, 0, format, list);
	assert(len >= 0);
	text = piece_get(arena, 0, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(list);
	return text;
}

struct span
arena_lower_case(struct arena *arena, struct span from)
{
	size_t i = 0;
	char *to;

	while (i < from.len && byte_lower(from.at[i]) == from.at[i])
		i++;
	if (i == from.len)
		return from;
	to = piece_get(arena, 0, from.len);
	for (i = 0; i < from.len; i++)
		to[i] = byte_lower(from.at[i]);
	return span_make(to, from.len);
}

struct span
arena_join(struct arena *arena, struct span a, struct span b)
{
	char *bytes;

	if (a.len + b.len == 0)
		return span_make("", 0);
	bytes = piece_get(arena, 0, a.len + b.len);
	if (a.len > 0)
		memcpy(bytes, a.at, a.len);
	if (b.len > 0)
		memcpy(bytes + a.len, b.at, b.len);
	return span_make(bytes, a.len + b.len);
}

struct arena *
arena_create(size_t block_size)
{
	struct arena *arena = memory_alloc(sizeof(*arena));

	arena_init(arena, block_size);
	return arena;
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_fini(arena);
	memory_free(arena);
}
