/*
 * arena: memory that is given out in pieces and freed all at once.
 *
 * One for each request, each loaded configuration, each site. Blocks come from memory.h, so nothing here returns NULL.
 * Pieces are aligned to 16 bytes (arena_alloc) or packed (arena_copy). arena_reset() keeps the first block, so a
 * recycled request allocates nothing once warm.
 */
#ifndef REEVE_BASE_ARENA_H
#define REEVE_BASE_ARENA_H

#include "base/span.h"

#include <stdarg.h>

struct arena_block;

struct arena {
	struct arena_block	*blocks;	/* owned: newest first */
	char			*next;		/* free bytes of the newest block */
	char			*end;
	size_t			 block_size;	/* bytes of an ordinary block */
	size_t			 used;		/* bytes handed out since the last reset */
};

void		 arena_init(struct arena *arena, size_t block_size);	/* allocates nothing yet */
void		 arena_fini(struct arena *arena);
void		 arena_reset(struct arena *arena);

void		*arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
void		*arena_zalloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
struct span	 arena_copy(struct arena *arena, struct span from);
char		*arena_text(struct arena *arena, struct span from);	/* NUL-terminated copy */
char		*arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ASCII letters in lower case; `from` itself when there is nothing to change. */
struct span	 arena_lower_case(struct arena *arena, struct span from);
struct span	 arena_join(struct arena *arena, struct span a, struct span b);

/* An arena of its own on the heap, for what is kept by pointer. */
struct arena	*arena_create(size_t block_size);
void		 arena_free(struct arena *arena);

#endif
