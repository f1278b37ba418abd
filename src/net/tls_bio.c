/*
 * The BIO has no state but a pointer to the wire that it serves just now, so connections share it: none pays for a BIO
 * of its own, and OpenSSL's references keep it alive. It never says that it cannot write: what does not fit into the
 * gathering buffer is sent in between, and what the socket does not take is memory of the connection, up to REST_MAX.
 */
#include "net/tls_bio.h"

#include "base/memory.h"
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	GATHER_MAX = TLS_VERB_MAX + 8 * 1024,	/* a verb's records with their heads and tags, and tickets */
	REST_MAX = 4 * TLS_VERB_MAX,		/* only a handshake's long chains come near */
};

struct tls_early {
	size_t	len, given;
	char	bytes[];
};

static struct {
	size_t	len;
	char	bytes[GATHER_MAX];
} gathered;

static BIO *shared;

/* -- what OpenSSL calls -------------------------------------------------------------------------------------------- */

static int
read_later(BIO *bio)
{
	BIO_set_retry_read(bio);
	return 0;
}

static size_t
early_take(struct tls_wire *wire, char *to, size_t room)
{
	struct tls_early *early = wire->early;
	size_t left = early->len - early->given, some = left < room ? left : room;

	memcpy(to, early->bytes + early->given, some);
	early->given += some;
	if (early->given == early->len) {
		memory_free(early);
		wire->early = NULL;
	}
	return some;
}

/* OpenSSL asks until it hears no. A second recv(2) would most often cost a system call for that. */
static int
bio_read(BIO *bio, char *to, size_t room, size_t *count_out)
{
	struct tls_wire *wire = BIO_get_data(bio);
	ssize_t count;

	BIO_clear_retry_flags(bio);
	*count_out = 0;
	if (wire->early) {
		*count_out = early_take(wire, to, room);
		wire->received += *count_out;
		return 1;
	}
	if (wire->has_ended)
		return 0;
	if (!wire->may_receive)
		return read_later(bio);
	wire->may_receive = false;
	do {
		count = recv(wire->fd, to, room, 0);
	} while (count < 0 && errno == EINTR);
	wire->has_ended = count == 0;
	if (count > 0) {
		*count_out = (size_t)count;
		wire->received += *count_out;
		return 1;
	}
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return read_later(bio);
	if (count < 0)
		wire->error = errno;
	return 0;
}

static int
bio_write(BIO *bio, const char *from, size_t length, size_t *count_out)
{
	struct tls_wire *wire = BIO_get_data(bio);
	size_t done = 0;

	BIO_clear_retry_flags(bio);
	*count_out = 0;
	while (done < length) {
		size_t room = sizeof(gathered.bytes) - gathered.len, some = length - done < room ? length - done : room;

		memcpy(gathered.bytes + gathered.len, from + done, some);
		gathered.len += some;
		done += some;
		if (done < length && !tls_wire_send(wire))
			return 0;
	}
	*count_out = length;
	return 1;
}

/* A flush is no event here: the verb's end is. */
static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_wire *wire = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return wire->has_ended;
	default:
		return 0;
	}
}

static void
shared_create(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "reeve");

	if (method == NULL || !BIO_meth_set_read_ex(method, bio_read) || !BIO_meth_set_write_ex(method, bio_write) ||
	    !BIO_meth_set_ctrl(method, bio_control) || (shared = BIO_new(method)) == NULL)
		abort();	/* only without memory: base/memory.h */
	BIO_set_init(shared, 1);
}

struct bio_st *
tls_bio_ref(void)
{
	if (shared == NULL)
		shared_create();
	BIO_up_ref(shared);
	return shared;
}

/* -- the verb's end ------------------------------------------------------------------------------------------------ */

static void
rest_drop(struct tls_wire *wire)
{
	memory_free(wire->rest);
	wire->rest = NULL;
	wire->rest_len = wire->rest_sent = 0;
}

static bool
wire_fail(struct tls_wire *wire, int error)
{
	if (wire->error == 0)
		wire->error = error;
	gathered.len = 0;
	rest_drop(wire);
	return false;
}

/* From gathered.bytes + `from` to the end of `rest`. */
static bool
rest_add(struct tls_wire *wire, size_t from)
{
	size_t waiting = tls_wire_waiting(wire), more = gathered.len - from;

	gathered.len = 0;
	if (more == 0)
		return true;
	if (waiting + more > REST_MAX)
		return wire_fail(wire, ENOBUFS);
	if (wire->rest_sent > 0)
		memmove(wire->rest, wire->rest + wire->rest_sent, waiting);
	wire->rest = memory_resize(wire->rest, waiting + more);
	memcpy(wire->rest + waiting, gathered.bytes + from, more);
	wire->rest_len = (uint32_t)(waiting + more);
	wire->rest_sent = 0;
	return true;
}

static ssize_t
send_all(const struct tls_wire *wire)
{
	struct iovec pieces[2] = { { .iov_base = gathered.bytes, .iov_len = gathered.len } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	if (wire->rest == NULL)
		return send(wire->fd, gathered.bytes, gathered.len, MSG_NOSIGNAL);
	pieces[1] = pieces[0];
	pieces[0].iov_base = wire->rest + wire->rest_sent;
	pieces[0].iov_len = wire->rest_len - wire->rest_sent;
	return sendmsg(wire->fd, &message, MSG_NOSIGNAL);
}

bool
tls_wire_send(struct tls_wire *wire)
{
	size_t waiting = tls_wire_waiting(wire);
	ssize_t sent;

	if (waiting + gathered.len == 0)
		return true;
	do {
		sent = send_all(wire);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return wire_fail(wire, errno);
	if (sent < 0)
		sent = 0;
	if ((size_t)sent < waiting) {
		wire->rest_sent += (uint32_t)sent;
		return rest_add(wire, 0);
	}
	if (wire->rest)
		rest_drop(wire);
	return rest_add(wire, (size_t)sent - waiting);
}

bool
tls_wire_keep(struct tls_wire *wire)
{
	return rest_add(wire, 0);
}

/* -- the wire ------------------------------------------------------------------------------------------------------ */

void
tls_wire_init(struct tls_wire *wire, int fd)
{
	*wire = (struct tls_wire){ .fd = fd };
}

void
tls_wire_fini(struct tls_wire *wire)
{
	if (shared && BIO_get_data(shared) == wire)
		BIO_set_data(shared, NULL);
	rest_drop(wire);
	memory_free(wire->early);
}

void
tls_wire_begin(struct tls_wire *wire)
{
	assert(gathered.len == 0);
	BIO_set_data(shared, wire);
}

void
tls_wire_listen(struct tls_wire *wire, bool may_receive)
{
	wire->may_receive = may_receive;
}

void
tls_wire_give(struct tls_wire *wire, const char *bytes, size_t length)
{
	if (length == 0)
		return;
	assert(wire->early == NULL);
	wire->early = memory_alloc(sizeof(*wire->early) + length);
	wire->early->len = length;
	wire->early->given = 0;
	memcpy(wire->early->bytes, bytes, length);
}

bool
tls_wire_has_written(void)
{
	return gathered.len > 0;
}

size_t
tls_wire_waiting(const struct tls_wire *wire)
{
	return wire->rest_len - wire->rest_sent;
}
