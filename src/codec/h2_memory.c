/*
 * Small pieces: free lists by size, in steps of a cache line. nghttp2 gives a piece back without its size, which the
 * allocator knows.
 *
 * A session's buffer for frames is 16K and ten bytes, of which a page is used, because content takes another way: so it
 * lies on pages of its own, which the kernel has back when the connection ends. Of a general allocator it would get pages
 * that others have used, and an idle connection would cost them all.
 */
#include "codec/h2_memory.h"

#include "base/memory.h"

#include <assert.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Under AddressSanitizer everything is its own, so that it sees who touches what was given back. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_NOTHING 1
#endif

#ifdef KEEPS_NOTHING
enum { KEPT_MAX = 0, BLOCK_MIN = INT32_MAX };
#else
enum { KEPT_MAX = 256, BLOCK_MIN = 12 * 1024 };
#endif

enum {
	STEP = 64,
	LISTS = 8,	/* of pieces of at most STEP, 2 * STEP … bytes */
	PAGE = 4096,
	BLOCK_SIZE = 5 * PAGE,
	SLAB_BLOCKS = 256,
};

/* -- small pieces -------------------------------------------------------------------------------------------------- */

struct piece {
	struct piece	*next;
};

static struct {
	struct piece	*first;
	uint32_t	 count;
} lists[LISTS];

static void *
piece_take(size_t size)
{
	size_t list = size > 0 ? (size - 1) / STEP : 0;
	struct piece *piece = list < LISTS ? lists[list].first : NULL;

	if (piece == NULL)
		return memory_alloc(list < LISTS ? (list + 1) * STEP : size);
	lists[list].first = piece->next;
	lists[list].count--;
	return piece;
}

/* What has room for (list + 1) * STEP bytes may stand in that list, wherever it came from. */
static void
piece_give_back(void *bytes)
{
	size_t list = malloc_usable_size(bytes) / STEP - 1;
	struct piece *piece = bytes;

	if (list >= LISTS || lists[list].count + 1 > KEPT_MAX) {
		memory_free(bytes);
		return;
	}
	piece->next = lists[list].first;
	lists[list].first = piece;
	lists[list].count++;
}

/* -- blocks of pages ----------------------------------------------------------------------------------------------- */

static struct {
	char	**slabs;	/* owned, for ever */
	size_t	 slab_count;
	char	**free;		/* blocks without a used page; room for all of them */
	size_t	 free_count;
} blocks;

/* False: the kernel has no pages for us; then the allocator may try. */
static bool
slab_add(void)
{
	char *slab = mmap(NULL, (size_t)SLAB_BLOCKS * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slab == MAP_FAILED)
		return false;
	madvise(slab, (size_t)SLAB_BLOCKS * BLOCK_SIZE, MADV_NOHUGEPAGE);	/* one touch would make 2M of it */
	blocks.slabs = memory_resize(blocks.slabs, (blocks.slab_count + 1) * sizeof(*blocks.slabs));
	blocks.slabs[blocks.slab_count++] = slab;
	blocks.free = memory_resize(blocks.free, blocks.slab_count * SLAB_BLOCKS * sizeof(*blocks.free));
	for (size_t i = SLAB_BLOCKS; i-- > 0;)
		blocks.free[blocks.free_count++] = slab + i * BLOCK_SIZE;
	return true;
}

static void *
block_take(void)
{
	if (blocks.free_count == 0 && !slab_add())
		return NULL;
	return blocks.free[--blocks.free_count];
}

/* Only what begins a page may be one, so nobody else is looked up. */
static bool
is_block(const void *bytes)
{
	if ((uintptr_t)bytes % PAGE != 0)
		return false;
	for (size_t i = 0; i < blocks.slab_count; i++) {
		if ((uintptr_t)bytes - (uintptr_t)blocks.slabs[i] < (uintptr_t)SLAB_BLOCKS * BLOCK_SIZE)
			return true;
	}
	return false;
}

static void
block_give_back(char *block)
{
	madvise(block, BLOCK_SIZE, MADV_DONTNEED);
	blocks.free[blocks.free_count++] = block;
}

/* -- for nghttp2 --------------------------------------------------------------------------------------------------- */

static void *
take(size_t size, void *owner)
{
	void *block = size >= BLOCK_MIN && size <= BLOCK_SIZE ? block_take() : NULL;

	(void)owner;
	return block ? block : piece_take(size);
}

static void
give_back(void *bytes, void *owner)
{
	(void)owner;
	if (bytes == NULL)
		return;
	if (is_block(bytes))
		block_give_back(bytes);
	else
		piece_give_back(bytes);
}

static void *
take_zeroed(size_t count, size_t size, void *owner)
{
	assert(size == 0 || count <= SIZE_MAX / size);
	return memset(take(count * size, owner), 0, count * size);
}

static void *
take_again(void *old, size_t size, void *owner)
{
	size_t room = old == NULL ? 0 : is_block(old) ? BLOCK_SIZE : malloc_usable_size(old);
	void *bytes;

	if (old && size <= room)
		return old;
	bytes = take(size, owner);
	if (room > 0)
		memcpy(bytes, old, room);
	give_back(old, owner);
	return bytes;
}

nghttp2_mem *
h2_memory(void)
{
	static nghttp2_mem memory = { .malloc = take, .free = give_back, .calloc = take_zeroed, .realloc = take_again };

	return &memory;
}
