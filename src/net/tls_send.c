/*
 * What is written becomes records in the gathering buffer (tls_bio.c), then one send(2). When the socket leaves some of
 * that with us, one byte of what was encrypted is reported as not taken and `owed`: so the caller comes again with it
 * once the socket is writable, and there is no third state between "taken" and "call again with the rest".
 *
 *	held (a head that waits for its content) ─┐
 *	pieces, without the owed byte ────────────┴─▶ records of 4K or 16K ─▶ gathered ─▶ socket, else wire.rest
 */
#include "net/tls_inside.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	RECORD_MAX = SSL3_RT_MAX_PLAIN_LENGTH,
	HELD_MAX = TLS_SLOW_RECORD,
	SLOW_AGAIN_MS = 1000,	/* after such a silence the peer's window may be small again */
};

/* Where small pieces become a record, and where files are read to. */
static char plain[TLS_VERB_MAX];

/* What a verb was given, and how far it has come. */
struct feed {
	const struct iovec	*pieces;
	unsigned		 count;
	size_t			 at;	/* in the first piece */
	size_t			 left;	/* in all */
};

/* -- the feed ------------------------------------------------------------------------------------------------------ */

static void
feed_skip(struct feed *feed, size_t count)
{
	feed->left -= count;
	while (feed->count > 0 && count >= feed->pieces->iov_len - feed->at) {
		count -= feed->pieces->iov_len - feed->at;
		feed->at = 0;
		feed->pieces++;
		feed->count--;
	}
	feed->at += count;
}

static struct feed
feed_make(const struct iovec *pieces, unsigned count)
{
	struct feed feed = { .pieces = pieces, .count = count };

	for (unsigned i = 0; i < count; i++)
		feed.left += pieces[i].iov_len;
	feed_skip(&feed, 0);
	return feed;
}

/* The next `length` bytes in one place: where they lie, or in `plain` behind `filled` bytes that stand there. */
static const char *
feed_take(struct feed *feed, size_t length, size_t filled)
{
	const char *at = feed->count > 0 ? (const char *)feed->pieces->iov_base + feed->at : NULL;
	size_t done = 0;

	if (filled == 0 && feed->count > 0 && feed->pieces->iov_len - feed->at >= length) {
		feed_skip(feed, length);
		return at;
	}
	while (done < length) {
		size_t here = feed->pieces->iov_len - feed->at, some = length - done < here ? length - done : here;

		memcpy(plain + filled + done, (const char *)feed->pieces->iov_base + feed->at, some);
		feed_skip(feed, some);
		done += some;
	}
	return plain;
}

/* -- records ------------------------------------------------------------------------------------------------------- */

static size_t
record_size(const struct tls *tls, size_t left)
{
	size_t most = tls->slow_left > 0 ? TLS_SLOW_RECORD : RECORD_MAX;

	return left < most ? left : most;
}

static void
speed_look(struct tls *tls)
{
	uint64_t now_ms = clock_ms();

	if (now_ms - tls->wrote_ms >= SLOW_AGAIN_MS)
		tls->slow_left = TLS_SLOW_BYTES;
	tls->wrote_ms = now_ms;
}

/*
 * The BIO takes everything, so OpenSSL can only want to read here: when the peer has sent the first half of a handshake
 * message. It would have to be waited for with writing blocked; nobody honest does that.
 */
static bool
write_fail(struct tls *tls)
{
	if (tls_judge(tls, 0) == STREAM_AGAIN)
		tls->reason.sentence = "the peer stopped in the middle of a handshake message";
	return false;
}

/* One record, unless the peer has asked for smaller ones (RFC 6066 §4). */
static bool
record_write(struct tls *tls, const char *from, size_t length)
{
	size_t count;

	tls->slow_left -= tls->slow_left < length ? tls->slow_left : (uint32_t)length;
	while (length > 0) {
		if (!SSL_write_ex(tls->ssl, from, length, &count))
			return write_fail(tls);
		from += count;
		length -= count;
	}
	return true;
}

/* What is held and then the feed, at most `budget` bytes in all. */
static bool
records_write(struct tls *tls, struct feed *feed, size_t budget)
{
	size_t filled = tls->held_len, left = filled + feed->left;

	if (left > budget)
		left = budget;
	if (filled > 0)
		memcpy(plain, tls->held, filled);
	while (left > 0) {
		size_t length = record_size(tls, left);

		assert(length >= filled);
		if (!record_write(tls, feed_take(feed, length - filled, filled), length))
			return false;
		left -= length;
		filled = 0;
	}
	return true;
}

static void
held_drop(struct tls *tls)
{
	memory_free(tls->held);
	tls->held = NULL;
	tls->held_len = 0;
}

/* A head that its content follows at once: both share a record. */
static bool
hold(struct tls *tls, struct feed *feed)
{
	if (tls->owed > 0 || feed->left == 0 || tls->held_len + feed->left > HELD_MAX)
		return false;
	tls->held = memory_resize(tls->held, tls->held_len + feed->left);
	while (feed->left > 0) {
		size_t length = feed->pieces->iov_len - feed->at;

		memcpy(tls->held + tls->held_len, (const char *)feed->pieces->iov_base + feed->at, length);
		tls->held_len += (uint32_t)length;
		feed_skip(feed, length);
	}
	return true;
}

/* -- verbs --------------------------------------------------------------------------------------------------------- */

/*
 * How much may be encrypted now, so that what stays with us is never more than a verb's bytes; 0: the socket has to
 * take what it has left before. False: broken.
 */
static bool
send_begin(struct tls *tls, size_t *budget_out)
{
	size_t waiting;

	tls_queue_clear();
	tls_wire_begin(&tls->wire);
	if (tls_wire_waiting(&tls->wire) > RECORD_MAX && !tls_wire_send(&tls->wire))
		return false;
	waiting = tls_wire_waiting(&tls->wire);
	*budget_out = waiting > RECORD_MAX ? 0 : TLS_VERB_MAX - waiting;
	speed_look(tls);
	return true;
}

/* taken: what the caller gave and we have. */
static bool
send_end(struct tls *tls, size_t taken, size_t *count_out)
{
	if (!tls_wire_send(&tls->wire))
		return false;
	if (taken > 0)
		tls->owed = tls_wire_waiting(&tls->wire) > 0 ? 1 : 0;
	*count_out = taken > 0 ? taken - tls->owed : 0;
	return true;
}

static enum stream_result
moved(size_t count, size_t given)
{
	return count > 0 || given == 0 ? STREAM_OK : STREAM_AGAIN;
}

static enum stream_result
usual_write(struct tls *tls, struct feed *feed, size_t *count_out)
{
	size_t given = feed->left, budget;

	if (!send_begin(tls, &budget))
		return tls_write_failed(tls);
	feed_skip(feed, given > 0 ? tls->owed : 0);
	if (budget > 0 && tls->held_len + feed->left > 0) {
		if (!records_write(tls, feed, budget))
			return tls_write_failed(tls);
		held_drop(tls);
	}
	if (!send_end(tls, given - feed->left, count_out))
		return tls_write_failed(tls);
	return moved(*count_out, given);
}

enum stream_result
tls_write(struct tls *tls, const struct iovec *pieces, unsigned count, bool more, size_t *count_out)
{
	struct feed feed = feed_make(pieces, count);
	size_t given = feed.left;

	*count_out = 0;
	if (tls->is_deaf)
		return STREAM_BROKEN;
	assert(tls->is_ready);
	if (tls->is_kernel)
		return tls_kernel_write(tls, pieces, count, more, count_out);
	if (!more || !hold(tls, &feed))
		return usual_write(tls, &feed, count_out);
	*count_out = given;
	return STREAM_OK;
}

static ssize_t
file_read(int fd, size_t at, size_t room, uint64_t offset)
{
	ssize_t count;

	do {
		count = pread(fd, plain + at, room, (off_t)offset);
	} while (count < 0 && errno == EINTR);
	return count;
}

/* Up to `room` bytes of the file behind what is held, as records. False: broken. *count_out 0: the file has ended. */
static bool
file_write(struct tls *tls, int fd, uint64_t offset, size_t room, size_t *count_out)
{
	struct iovec piece = { .iov_base = plain };
	struct feed feed;
	ssize_t count = file_read(fd, tls->held_len, room, offset);

	*count_out = 0;
	if (count < 0) {
		tls->reason.error = errno;
		return false;
	}
	if (count == 0)
		return true;
	if (tls->held_len > 0)
		memcpy(plain, tls->held, tls->held_len);
	piece.iov_len = tls->held_len + (size_t)count;
	held_drop(tls);
	feed = feed_make(&piece, 1);
	*count_out = (size_t)count;
	return records_write(tls, &feed, piece.iov_len);
}

static enum stream_result
usual_send_file(struct tls *tls, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	uint64_t left = length - tls->owed;
	size_t budget, count = 0, room;
	bool has_ended = false;

	assert(length >= tls->owed);
	if (!send_begin(tls, &budget))
		return tls_write_failed(tls);
	if (budget > 0 && left > 0) {
		room = left < budget - tls->held_len ? (size_t)left : budget - tls->held_len;
		if (!file_write(tls, fd, *offset_io + tls->owed, room, &count))
			return tls_write_failed(tls);
		has_ended = count == 0;
	}
	if (!send_end(tls, tls->owed + count, count_out))
		return tls_write_failed(tls);
	*offset_io += *count_out;
	return has_ended && *count_out == 0 && tls->owed == 0 ? STREAM_END : moved(*count_out, (size_t)length);
}

enum stream_result
tls_send_file(struct tls *tls, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	*count_out = 0;
	if (tls->is_deaf)
		return STREAM_BROKEN;
	assert(tls->is_ready);
	return tls->is_kernel ? tls_kernel_send_file(tls, fd, offset_io, length, count_out)
			      : usual_send_file(tls, fd, offset_io, length, count_out);
}

void
tls_flush(struct tls *tls)
{
	size_t ignored;

	if (tls->is_deaf || !tls->is_ready)
		return;
	if (tls->held_len > 0)
		tls_write(tls, NULL, 0, false, &ignored);
	else if (tls_wire_waiting(&tls->wire) > 0 && !tls_wire_send(&tls->wire))
		tls_write_failed(tls);
}
