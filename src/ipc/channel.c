/*
 * A datagram is a type number and the payload, the descriptors ride along as SCM_RIGHTS. What the socket does not take
 * waits in a queue, with duplicates of its descriptors.
 */
#include "ipc/channel.h"

#include "base/count.h"
#include "base/fd.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_A_TURN 16	/* then others get theirs */

struct parcel {
	struct list_node	node;
	enum ipc_type		type;
	struct text		payload;
	int			fds[IPC_FDS_MAX];	/* owned */
	unsigned		fd_count;
};

struct channel {
	struct loop			*loop;
	int				 fd;
	struct watch			 watch;
	const struct channel_events	*events;
	void				*owner;
	struct list_node		 queue;		/* struct parcel, owned: what the socket did not take yet */
	struct later			 later;		/* frees */
	bool				 has_ended;	/* on_closed was called */
	bool				 is_closed;
};

/* Where a message is received: one for the process, since only one is heard at a time. */
static char room[sizeof(uint32_t) + IPC_PAYLOAD_MAX];

union control {
	struct cmsghdr	header;	/* for its alignment */
	char		bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

int
ipc_take_fd(struct ipc_message *message, unsigned index)
{
	int fd;

	if (index >= message->fd_count)
		return -1;
	fd = message->fds[index];
	message->fds[index] = -1;
	return fd;
}

bool
channel_pair(int fds_out[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds_out) == 0)
		return true;
	fds_out[0] = fds_out[1] = -1;
	return err_set_errno(err, "cannot make a socket pair");
}

/* -- sending ------------------------------------------------------------------------------------------------------- */

enum send_result { SEND_OK, SEND_AGAIN, SEND_GONE };

static enum send_result
message_send(int fd, enum ipc_type type, struct span payload, const int *fds, unsigned fd_count)
{
	uint32_t number = type;
	union control control = { 0 };
	union {
		const char	*from;
		void		*to;
	} bytes = { payload.at };
	struct iovec pieces[] = {
		{ .iov_base = &number, .iov_len = sizeof(number) },
		{ .iov_base = bytes.to, .iov_len = payload.len },
	};
	struct msghdr head = { .msg_iov = pieces, .msg_iovlen = 2 };

	assert(payload.len <= IPC_PAYLOAD_MAX && fd_count <= IPC_FDS_MAX);
	if (fd_count > 0) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	while (sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS)
			return SEND_AGAIN;
		if (errno != EINTR)
			return SEND_GONE;
	}
	return SEND_OK;
}

static void
parcel_free(struct parcel *parcel)
{
	for (unsigned i = 0; i < parcel->fd_count; i++)
		fd_close(&parcel->fds[i]);
	text_fini(&parcel->payload);
	memory_free(parcel);
}

static void
channel_queue(struct channel *channel, enum ipc_type type, struct span payload, const int *fds, unsigned fd_count)
{
	struct parcel *parcel = memory_zalloc(sizeof(*parcel));

	parcel->type = type;
	text_add(&parcel->payload, payload);
	for (; parcel->fd_count < fd_count; parcel->fd_count++)
		parcel->fds[parcel->fd_count] = fcntl(fds[parcel->fd_count], F_DUPFD_CLOEXEC, 0);
	list_add_last(&channel->queue, &parcel->node);
	watch_want(&channel->watch, WATCH_READ | WATCH_WRITE);
}

/* That the other end is gone will be read, too: on_closed tells it. */
void
channel_send(struct channel *channel, enum ipc_type type, struct span payload, const int *fds, unsigned fd_count)
{
	assert(!channel->is_closed);
	if (channel->has_ended)
		return;
	if (!list_is_empty(&channel->queue) || message_send(channel->fd, type, payload, fds, fd_count) == SEND_AGAIN)
		channel_queue(channel, type, payload, fds, fd_count);
}

void
channel_send_plain(struct channel *channel, enum ipc_type type)
{
	channel_send(channel, type, (struct span){ 0 }, NULL, 0);
}

static void
channel_send_queue(struct channel *channel)
{
	struct list_node *node;

	while ((node = list_first(&channel->queue)) != NULL) {
		struct parcel *parcel = LIST_OWNER(node, struct parcel, node);

		if (message_send(channel->fd, parcel->type, text_span(&parcel->payload), parcel->fds,
			parcel->fd_count) == SEND_AGAIN)
			return;
		list_remove(node);
		parcel_free(parcel);
	}
	watch_want(&channel->watch, WATCH_READ);
}

bool
channel_send_now(int fd, enum ipc_type type, struct span payload, const int *descriptors, unsigned fd_count)
{
	enum send_result result;

	while ((result = message_send(fd, type, payload, descriptors, fd_count)) == SEND_AGAIN) {
		struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

		if (poll(&pollfd, 1, -1) < 0 && errno != EINTR)
			return false;
	}
	return result == SEND_OK;
}

/* -- receiving ----------------------------------------------------------------------------------------------------- */

enum receive_result { RECEIVE_OK, RECEIVE_AGAIN, RECEIVE_END };

static void
message_close_fds(struct ipc_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++)
		fd_close(&message->fds[i]);
}

static void
message_find_fds(struct msghdr *head, struct ipc_message *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(head); part != NULL; part = CMSG_NXTHDR(head, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		message->fd_count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(message->fds, CMSG_DATA(part), message->fd_count * sizeof(int));
	}
}

/* What is no message of ours, or lost its descriptors because this process has no room for more, ends the channel. */
static enum receive_result
message_receive(int fd, struct ipc_message *message_out)
{
	struct iovec piece = { .iov_base = room, .iov_len = sizeof(room) };
	union control control;
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control) };
	uint32_t type;
	ssize_t count;

	while ((count = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return RECEIVE_AGAIN;
		if (errno != EINTR)
			return RECEIVE_END;
	}
	*message_out = (struct ipc_message){ 0 };
	message_find_fds(&head, message_out);
	if (count < (ssize_t)sizeof(type) || (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		message_close_fds(message_out);
		return RECEIVE_END;
	}
	memcpy(&type, room, sizeof(type));
	message_out->type = (enum ipc_type)type;
	message_out->payload = span_make(room + sizeof(type), (size_t)count - sizeof(type));
	if (type < IPC_TYPES)
		return RECEIVE_OK;
	message_close_fds(message_out);
	return RECEIVE_END;
}

/* False: nothing more for now, or for good. */
static bool
channel_hear_one(struct channel *channel)
{
	struct ipc_message message;
	enum receive_result result;

	if (channel->is_closed || channel->has_ended)
		return false;
	result = message_receive(channel->fd, &message);
	if (result == RECEIVE_OK) {
		channel->events->on_message(channel->owner, &message);
		message_close_fds(&message);
	} else if (result == RECEIVE_END) {
		channel->has_ended = true;
		watch_want(&channel->watch, WATCH_NOTHING);
		channel->events->on_closed(channel->owner);
	}
	return result == RECEIVE_OK;
}

static void
channel_readable(struct channel *channel)
{
	for (unsigned i = 0; i < MESSAGES_A_TURN && channel_hear_one(channel); i++)
		continue;
}

/* -- the channel --------------------------------------------------------------------------------------------------- */

static void
channel_ready(void *owner, unsigned ready)
{
	struct channel *channel = owner;

	if ((ready & WATCH_WRITE) && !channel->has_ended)
		channel_send_queue(channel);
	if (ready & WATCH_READ)
		channel_readable(channel);
}

struct channel *
channel_open(struct loop *loop, int fd, const struct channel_events *events, void *owner)
{
	struct channel *channel = memory_zalloc(sizeof(*channel));

	channel->loop = loop;
	channel->fd = fd;
	channel->events = events;
	channel->owner = owner;
	list_init(&channel->queue);
	watch_init(&channel->watch, loop, fd, channel_ready, channel);
	watch_want(&channel->watch, WATCH_READ);
	return channel;
}

static void
channel_free(struct later *later)
{
	memory_free(LIST_OWNER(later, struct channel, later));
}

void
channel_close(struct channel *channel)
{
	struct list_node *node;

	if (channel == NULL || channel->is_closed)
		return;
	channel->is_closed = true;
	watch_fini(&channel->watch);
	fd_close(&channel->fd);
	while ((node = list_first(&channel->queue)) != NULL) {
		list_remove(node);
		parcel_free(LIST_OWNER(node, struct parcel, node));
	}
	loop_free_later(channel->loop, &channel->later, channel_free);
}

void
channel_hear_rest(struct channel *channel)
{
	while (channel_hear_one(channel))
		continue;
}

int
channel_fd(const struct channel *channel)
{
	return channel->fd;
}
