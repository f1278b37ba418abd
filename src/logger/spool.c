/* A ring of bytes. It starts at its beginning again whenever it is empty, so an idle logger touches few pages of it. */
#include "logger/spool.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>

struct spool {
	pthread_mutex_t	 lock;		/* over all below, but not over bytes in use */
	char		*bytes;		/* owned */
	size_t		 room;
	size_t		 start;		/* of the bytes in use */
	size_t		 used;
	uint64_t	 put_total;
	uint64_t	 consumed_total;
	uint64_t	 dropped;	/* > 0: dropping until there is room again */
};

struct spool *
spool_create(size_t room)
{
	struct spool *spool = memory_zalloc(sizeof(*spool));

	assert(room >= (size_t)16 * SPOOL_NOTICE_ROOM);
	pthread_mutex_init(&spool->lock, NULL);
	spool->bytes = memory_alloc(room);
	spool->room = room;
	return spool;
}

void
spool_free(struct spool *spool)
{
	if (spool == NULL)
		return;
	pthread_mutex_destroy(&spool->lock);
	memory_free(spool->bytes);
	memory_free(spool);
}

/* -- the loop's side ----------------------------------------------------------------------------------------------- */

static bool
spool_flows(const struct spool *spool)
{
	return spool->room - spool->used >= spool->room / 8;
}

static void
spool_append(struct spool *spool, struct span bytes)
{
	size_t at = (spool->start + spool->used) % spool->room;
	size_t first = bytes.len < spool->room - at ? bytes.len : spool->room - at;

	if (bytes.len == 0)
		return;
	memcpy(spool->bytes + at, bytes.at, first);
	memcpy(spool->bytes, bytes.at + first, bytes.len - first);
	spool->used += bytes.len;
	spool->put_total += bytes.len;
}

static bool
line_append(struct spool *spool, struct span line, size_t kept_back)
{
	if (line.len + 1 + kept_back > spool->room - spool->used)
		return false;
	spool_append(spool, line);
	spool_append(spool, SPAN_OF("\n"));
	return true;
}

bool
spool_put(struct spool *spool, struct span line)
{
	bool is_kept;

	pthread_mutex_lock(&spool->lock);
	is_kept = spool->dropped == 0 && line_append(spool, line, SPOOL_NOTICE_ROOM);
	if (!is_kept)
		spool->dropped++;
	pthread_mutex_unlock(&spool->lock);
	return is_kept;
}

bool
spool_put_notice(struct spool *spool, struct span line)
{
	bool is_kept;

	pthread_mutex_lock(&spool->lock);
	is_kept = line_append(spool, line, 0);
	pthread_mutex_unlock(&spool->lock);
	return is_kept;
}

uint64_t
spool_take_dropped(struct spool *spool, bool is_last)
{
	uint64_t count = 0;

	pthread_mutex_lock(&spool->lock);
	if (is_last || spool_flows(spool)) {
		count = spool->dropped;
		spool->dropped = 0;
	}
	pthread_mutex_unlock(&spool->lock);
	return count;
}

uint64_t
spool_waiting(struct spool *spool)
{
	uint64_t count = 0;

	pthread_mutex_lock(&spool->lock);
	for (size_t i = 0; i < spool->used; i++)
		count += spool->bytes[(spool->start + i) % spool->room] == '\n';
	pthread_mutex_unlock(&spool->lock);
	return count;
}

uint64_t
spool_put_total(struct spool *spool)
{
	uint64_t total;

	pthread_mutex_lock(&spool->lock);
	total = spool->put_total;
	pthread_mutex_unlock(&spool->lock);
	return total;
}

uint64_t
spool_consumed_total(struct spool *spool)
{
	uint64_t total;

	pthread_mutex_lock(&spool->lock);
	total = spool->consumed_total;
	pthread_mutex_unlock(&spool->lock);
	return total;
}

/* -- the writer's side --------------------------------------------------------------------------------------------- */

/* What stands in one piece at the front. */
static struct span
spool_front(const struct spool *spool)
{
	size_t in_one_piece = spool->room - spool->start;

	return span_make(spool->bytes + spool->start, spool->used < in_one_piece ? spool->used : in_one_piece);
}

struct span
spool_peek(struct spool *spool, size_t max, uint64_t until)
{
	struct span front;
	size_t last;

	pthread_mutex_lock(&spool->lock);
	front = spool_front(spool);
	if (until - spool->consumed_total < max)
		max = (size_t)(until - spool->consumed_total);
	pthread_mutex_unlock(&spool->lock);
	if (front.len <= max)
		return front;
	front.len = max;
	last = span_find_last(front, '\n');
	return last < front.len ? span_first(front, last + 1) : front;
}

bool
spool_consume(struct spool *spool, size_t count)
{
	bool flows;

	pthread_mutex_lock(&spool->lock);
	assert(count <= spool->used);
	spool->used -= count;
	spool->start = spool->used ? (spool->start + count) % spool->room : 0;
	spool->consumed_total += count;
	flows = spool->dropped > 0 && spool_flows(spool);
	pthread_mutex_unlock(&spool->lock);
	return flows;
}

void
spool_skip_line(struct spool *spool)
{
	bool is_over = false;

	pthread_mutex_lock(&spool->lock);
	while (spool->used > 0 && !is_over) {
		is_over = spool->bytes[spool->start] == '\n';
		spool->start = (spool->start + 1) % spool->room;
		spool->used--;
		spool->consumed_total++;
	}
	spool->dropped++;
	pthread_mutex_unlock(&spool->lock);
}
