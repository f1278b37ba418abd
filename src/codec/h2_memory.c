/*
 * Free lists by size, in steps of a cache line. nghttp2 gives a piece back without its size, so each has a word before it
 * that says to which list it belongs.
 */
#include "codec/h2_memory.h"

#include "base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Under AddressSanitizer nothing is kept, so that it sees who touches what was given back. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_NOTHING 1
#endif

enum { STEP = 64, LISTS = 8, LARGE = LISTS };	/* pieces of more than STEP * LISTS bytes are not kept */

/* The buffer for frames, of which a page is used where content takes another way. */
enum { HUGE_MIN = 12 * 1024 };

#ifdef KEEPS_NOTHING
enum { KEPT_MAX = 0 };
#else
enum { KEPT_MAX = 256 };	/* of each size */
#endif

struct piece {
	struct piece			*next;	/* in its list; else nothing */
	uint32_t			 list;
	uint32_t			 room;	/* bytes at `bytes` */
	alignas(max_align_t) char	 bytes[];
};

static struct {
	struct piece	*first;
	uint32_t	 count;
} lists[LISTS];

static struct piece *
piece_of(void *bytes)
{
	return (struct piece *)(void *)((char *)bytes - offsetof(struct piece, bytes));
}

/*
 * Whole pages of it that somebody else has used before are given back to the kernel, so that they cost nothing until they
 * are used again.
 */
static void
pages_forget(struct piece *piece)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)piece->bytes + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)piece->bytes + piece->room) & ~(page - 1);

	if (start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

static void *
take(size_t size, void *owner)
{
	size_t list = size > 0 ? (size - 1) / STEP : 0;
	struct piece *piece;

	(void)owner;
	assert(size <= UINT32_MAX);
	if (list < LISTS && lists[list].first) {
		piece = lists[list].first;
		lists[list].first = piece->next;
		lists[list].count--;
		return piece->bytes;
	}
	list = list < LISTS ? list : LARGE;
	piece = memory_alloc(sizeof(*piece) + (list < LISTS ? (list + 1) * STEP : size));
	piece->list = (uint32_t)list;
	piece->room = (uint32_t)(list < LISTS ? (list + 1) * STEP : size);
	if (size >= HUGE_MIN)
		pages_forget(piece);
	return piece->bytes;
}

static void
give_back(void *bytes, void *owner)
{
	struct piece *piece;

	(void)owner;
	if (bytes == NULL)
		return;
	piece = piece_of(bytes);
	if (piece->list >= LISTS || lists[piece->list].count + 1 > KEPT_MAX) {
		memory_free(piece);
		return;
	}
	piece->next = lists[piece->list].first;
	lists[piece->list].first = piece;
	lists[piece->list].count++;
}

static void *
take_zeroed(size_t count, size_t size, void *owner)
{
	assert(size == 0 || count <= UINT32_MAX / size);
	return memset(take(count * size, owner), 0, count * size);
}

static void *
take_again(void *old, size_t size, void *owner)
{
	void *bytes;

	if (old && size <= piece_of(old)->room)
		return old;
	bytes = take(size, owner);
	if (old)
		memcpy(bytes, old, piece_of(old)->room);
	give_back(old, owner);
	return bytes;
}

nghttp2_mem *
h2_memory(void)
{
	static nghttp2_mem memory = { .malloc = take, .free = give_back, .calloc = take_zeroed, .realloc = take_again };

	return &memory;
}
