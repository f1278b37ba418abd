/*
 * A ring of bytes with two counters that only grow; whole lines go in, whatever the pipe takes comes out.
 *
 *	written ──▶ [ waiting ] ◀── added        waiting = added - written ≤ RING_SIZE
 */
#include "ipc/log_pipe.h"

#include "base/fd.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING_SIZE ((uint64_t)256 * 1024)	/* bytes; a power of two */
#define PIPE_SIZE (1 << 20)
#define BATCH_BYTES 32768	/* worth a write of their own */
#define BATCH_MS 5		/* that a line may wait for company */

struct log_pipe {
	struct loop	*loop;
	int		 fd;		/* borrowed */
	struct watch	 watch;
	struct later	 later;
	struct timer	 timer;
	uint64_t	*dropped_total;	/* shared with who counts; may be NULL */
	uint64_t	 dropped;	/* since the last LOG_DROPPED */
	uint64_t	 added;
	uint64_t	 written;
	bool		 is_urgent;	/* something that should not wait */
	/* the pipe is full, or nobody reads any more: the watch tells when it goes on */
	bool		 is_stuck;
	char		 ring[RING_SIZE];
};

static_assert((RING_SIZE & (RING_SIZE - 1)) == 0, "offsets are masked");

bool
log_pipe_make(int fds_out[2], struct err *err)
{
	if (pipe2(fds_out, O_CLOEXEC | O_NONBLOCK) != 0) {
		fds_out[0] = fds_out[1] = -1;
		return err_set_errno(err, "cannot make a pipe for log lines");
	}
	for (int size = PIPE_SIZE; size > 65536 && fcntl(fds_out[1], F_SETPIPE_SZ, size) < 0;)
		size /= 2;	/* fs.pipe-user-pages-soft allows less */
	return true;
}

/* -- out ----------------------------------------------------------------------------------------------------------- */

static unsigned
ring_pieces(struct log_pipe *pipe, struct iovec pieces[2])
{
	uint64_t waiting = pipe->added - pipe->written;
	uint64_t from = pipe->written & (RING_SIZE - 1);
	uint64_t first = waiting < RING_SIZE - from ? waiting : RING_SIZE - from;

	pieces[0] = (struct iovec){ .iov_base = pipe->ring + from, .iov_len = (size_t)first };
	pieces[1] = (struct iovec){ .iov_base = pipe->ring, .iov_len = (size_t)(waiting - first) };
	return waiting > first ? 2 : 1;
}

/* As far as the pipe takes it. An error but EAGAIN means that primary and logger are gone: nobody will ever read what waits. */
static void
log_pipe_flush(struct log_pipe *pipe)
{
	struct iovec pieces[2];

	pipe->is_urgent = false;
	while (pipe->added != pipe->written) {
		ssize_t count = writev(pipe->fd, pieces, (int)ring_pieces(pipe, pieces));

		if (count < 0 && errno == EINTR)
			continue;
		pipe->is_stuck = count < 0 && errno == EAGAIN;
		if (pipe->is_stuck)
			break;
		pipe->written = count < 0 ? pipe->added : pipe->written + (uint64_t)count;
	}
	watch_want(&pipe->watch, pipe->is_stuck ? WATCH_WRITE : WATCH_NOTHING);
}

static void
log_pipe_turn_ends(struct later *later)
{
	struct log_pipe *pipe = LIST_OWNER(later, struct log_pipe, later);

	if (pipe->is_stuck)
		return;
	if (pipe->is_urgent || pipe->added - pipe->written >= BATCH_BYTES)
		log_pipe_flush(pipe);
	else if (pipe->added != pipe->written && !timer_is_armed(&pipe->timer))
		timer_arm(&pipe->timer, BATCH_MS);
}

static void
log_pipe_due(void *owner)
{
	struct log_pipe *pipe = owner;

	if (!pipe->is_stuck)
		log_pipe_flush(pipe);
}

/* -- in ------------------------------------------------------------------------------------------------------------ */

static void
ring_add(struct log_pipe *pipe, struct span bytes)
{
	while (bytes.len > 0) {
		uint64_t at = pipe->added & (RING_SIZE - 1);
		size_t count = bytes.len < RING_SIZE - at ? bytes.len : (size_t)(RING_SIZE - at);

		memcpy(pipe->ring + at, bytes.at, count);
		pipe->added += count;
		bytes = span_skip(bytes, count);
	}
}

static void
log_pipe_drop(struct log_pipe *pipe)
{
	pipe->dropped++;
	if (pipe->dropped_total != NULL)
		__atomic_store_n(pipe->dropped_total, *pipe->dropped_total + 1, __ATOMIC_RELAXED);
}

static void
log_pipe_hears(void *owner, enum log_level level, struct span line)
{
	struct log_pipe *pipe = owner;

	if (line.len + 1 > RING_SIZE - (pipe->added - pipe->written)) {
		log_pipe_drop(pipe);
		return;
	}
	ring_add(pipe, line);
	ring_add(pipe, SPAN_OF("\n"));
	pipe->is_urgent |= level >= LOG_WARN;
	if (level >= LOG_FATAL && !pipe->is_stuck)
		log_pipe_flush(pipe);
	else
		loop_later(pipe->loop, &pipe->later);
}

/* It flows again. The record about what is missing stands where the next line would. */
static void
log_pipe_writable(void *owner, unsigned ready)
{
	struct log_pipe *pipe = owner;
	uint64_t dropped = pipe->dropped;

	(void)ready;
	log_pipe_flush(pipe);
	if (dropped == 0 || pipe->is_stuck)
		return;
	pipe->dropped = 0;
	log_say(MSG_LOG_DROPPED, log_number("lines", dropped));
}

struct log_pipe *
log_pipe_open(struct loop *loop, int fd, uint64_t *dropped)
{
	struct log_pipe *pipe = memory_zalloc(sizeof(*pipe));

	pipe->loop = loop;
	pipe->fd = fd;
	pipe->dropped_total = dropped;
	pipe->later.run = log_pipe_turn_ends;
	watch_init(&pipe->watch, loop, fd, log_pipe_writable, pipe);
	timer_init(&pipe->timer, loop, log_pipe_due, pipe);
	ring_add(pipe, SPAN_OF("\n"));
	log_to(log_pipe_hears, pipe);
	return pipe;
}

void
log_pipe_close(struct log_pipe *pipe)
{
	if (pipe == NULL)
		return;
	log_pipe_flush(pipe);
	log_to(NULL, NULL);
	loop_later_cancel(&pipe->later);
	timer_fini(&pipe->timer);
	watch_fini(&pipe->watch);
	memory_free(pipe);
}
