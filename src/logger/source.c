/* Reads whatever comes and never writes: a process that logs must not wait for us. */
#include "logger/source.h"

#include "base/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define WAKE_BYTES (4 * CHUNK_BYTES)	/* of one pipe a wake, so that none starves the others */

enum read_result { READ_SOME, READ_NONE, READ_END };

/* One chunk. A pipe that cannot be read is as good as ended. */
static enum read_result
chunk_read(struct source *source, size_t *count_out)
{
	static char chunk[CHUNK_BYTES];
	ssize_t count = read(source->fd, chunk, sizeof(chunk));

	*count_out = count > 0 ? (size_t)count : 0;
	if (count > 0) {
		lines_add(&source->lines, span_make(chunk, (size_t)count));
		return READ_SOME;
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return READ_NONE;
	return READ_END;
}

static bool
chunks_read(struct source *source, size_t max)
{
	size_t count, total = 0;

	while (total < max) {
		enum read_result result = chunk_read(source, &count);

		if (result != READ_SOME)
			return result != READ_END;
		total += count;
	}
	return true;
}

static void
source_ready(void *owner, unsigned ready)
{
	struct source *source = owner;

	(void)ready;
	if (chunks_read(source, WAKE_BYTES))
		return;
	source_flush(source);
	watch_want(&source->watch, WATCH_NOTHING);
	source->events->on_end(source->owner, source);
}

static void
source_line(void *owner, struct span line)
{
	struct source *source = owner;

	source->events->on_line(source->owner, source->name, line);
}

struct source *
source_open(struct loop *loop, struct span name, int fd, const struct source_events *events, void *owner)
{
	struct source *source = memory_zalloc(sizeof(*source));
	char *copy = memory_zalloc(name.len + 1);

	if (name.len > 0)
		memcpy(copy, name.at, name.len);
	source->name = copy;
	source->fd = fd;
	source->events = events;
	source->owner = owner;
	fd_set_nonblocking(fd, true);
	lines_init(&source->lines, source_line, source);
	watch_init(&source->watch, loop, fd, source_ready, source);
	watch_want(&source->watch, WATCH_READ);
	return source;
}

void
source_close(struct source *source)
{
	if (source == NULL)
		return;
	list_remove(&source->node);
	watch_fini(&source->watch);
	lines_fini(&source->lines);
	fd_close(&source->fd);
	memory_free(source->name);
	memory_free(source);
}

void
source_collect(struct source *source, size_t max)
{
	chunks_read(source, max);
}

void
source_flush(struct source *source)
{
	lines_end(&source->lines);
}
