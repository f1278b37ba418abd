/*
 * One turn of the thread: carry out the orders that are due, write one batch, wait if there is nothing to do or nothing
 * can be done. The lock guards orders and news only.
 */
#include "logger/writer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/memory.h"
#include "logger/destination.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_FIRST_MS 100u
#define RETRY_LAST_MS 2000u
#define FAILED_NEWS_EVERY_MS 10000u

enum order_kind { ORDER_AIM, ORDER_REOPEN, ORDER_COMPLAIN, ORDER_FINISH };

struct order {
	struct list_node	 node;
	enum order_kind		 kind;
	char			*text;	/* owned: the output, the line; or NULL */
	uint64_t		 mark;	/* the spool's put total when it was given */
};

struct news {
	struct list_node	node;
	struct writer_news	told;
};

struct writer {
	pthread_t	 thread;
	struct spool	*spool;		/* borrowed: outlives us */
	int		 wake_fd;	/* the loop's to the thread */
	int		 news_fd;	/* the thread's to the loop */
	int		 done_fd;	/* readable when the thread has ended */

	pthread_mutex_t		lock;		/* over the next four */
	struct list_node	orders;		/* struct order, owned */
	struct list_node	news;		/* struct news, owned */
	bool			gives_up;	/* end at once */
	bool			has_finished;	/* ended, and all was written */
	bool			is_idle;	/* atomic: it waits for lines, so a new one must wake it */

	/* The thread's own. */
	struct destination	 destination;
	char			*output;		/* owned: of the destination */
	char			*wanted;		/* owned: what could not be opened yet; NULL: nothing */
	uint64_t		 wanted_ms;		/* when it is tried again */
	bool			 is_stuck;		/* the last write took nothing */
	bool			 is_failing;		/* because of an error */
	bool			 is_mid_line;
	bool			 is_finishing;
	unsigned		 retry_ms;
	uint64_t		 failed_news_ms;	/* when it was told last; 0: never */
};

/* -- eventfds ------------------------------------------------------------------------------------------------------ */

static void
event_tell(int fd)
{
	const uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));

	(void)written;	/* only full when it has been told 2^64 times */
}

static void
event_clear(int fd)
{
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof(count));

	(void)got;
}

/* -- news and orders ----------------------------------------------------------------------------------------------- */

static void
news_tell(struct writer *writer, enum writer_news_kind kind, const struct err *why)
{
	struct news *news = memory_zalloc(sizeof(*news));

	news->told.kind = kind;
	if (why)
		news->told.why = *why;
	pthread_mutex_lock(&writer->lock);
	list_add_last(&writer->news, &news->node);
	pthread_mutex_unlock(&writer->lock);
	event_tell(writer->news_fd);
}

static void
order_give(struct writer *writer, enum order_kind kind, char *text)
{
	struct order *order = memory_zalloc(sizeof(*order));

	*order = (struct order){ .kind = kind, .text = text, .mark = spool_put_total(writer->spool) };
	pthread_mutex_lock(&writer->lock);
	list_add_last(&writer->orders, &order->node);
	pthread_mutex_unlock(&writer->lock);
	event_tell(writer->wake_fd);
}

static void
order_free(struct order *order)
{
	memory_free(order->text);
	memory_free(order);
}

/* A complaint is about what keeps the others waiting; to finish is to write what is there, orders included. */
static bool
order_is_due(const struct writer *writer, const struct order *order)
{
	if (order->kind == ORDER_COMPLAIN || order->kind == ORDER_FINISH)
		return true;
	return writer->is_stuck || spool_consumed_total(writer->spool) >= order->mark;
}

/* The first order that is due, taken out; *until_out: where in the spool the first of the others stands. */
static struct order *
order_take(struct writer *writer, uint64_t *until_out)
{
	struct order *due = NULL;

	*until_out = UINT64_MAX;
	pthread_mutex_lock(&writer->lock);
	for (struct list_node *each = list_first(&writer->orders); each; each = each->next) {
		struct order *order = LIST_OWNER(each, struct order, node);

		if (each == &writer->orders)
			break;
		if (order_is_due(writer, order)) {
			due = order;
			list_remove(each);
			break;
		}
		if (*until_out == UINT64_MAX)
			*until_out = order->mark;
	}
	pthread_mutex_unlock(&writer->lock);
	return due;
}

/* -- carrying out -------------------------------------------------------------------------------------------------- */

static void
failure_tell(struct writer *writer, const struct err *why)
{
	uint64_t now_ms = clock_ms();

	if (writer->failed_news_ms && now_ms - writer->failed_news_ms < FAILED_NEWS_EVERY_MS)
		return;
	writer->failed_news_ms = now_ms;
	news_tell(writer, WRITER_FAILED, why);
}

/* The new one takes the old one's place; a line that stands half in the old one does not go on in the new one. */
static bool
destination_change(struct writer *writer, const char *output, struct err *err)
{
	struct destination fresh;

	if (!destination_open(&fresh, output, err))
		return false;
	destination_close(&writer->destination);
	writer->destination = fresh;
	if (writer->is_mid_line)
		spool_skip_line(writer->spool);
	writer->is_mid_line = false;
	writer->is_stuck = writer->is_failing = false;
	writer->retry_ms = RETRY_FIRST_MS;
	return true;
}

/* Takes `output`. What cannot be opened now (a FIFO that nobody reads yet) is tried again. */
static bool
destination_want(struct writer *writer, char *output, struct err *err)
{
	if (destination_change(writer, output, err)) {
		memory_free(writer->output);
		writer->output = output;
		return true;
	}
	writer->wanted = output;
	writer->wanted_ms = clock_ms() + RETRY_LAST_MS;
	return false;
}

static void
order_aim(struct writer *writer, struct order *order)
{
	struct err err;

	memory_free(writer->wanted);
	writer->wanted = NULL;
	if (!destination_want(writer, order->text, &err))
		news_tell(writer, WRITER_FAILED, &err);
	order->text = NULL;
}

static void
wanted_try(struct writer *writer)
{
	char *wanted = writer->wanted;
	struct err err;

	if (wanted == NULL || clock_ms() < writer->wanted_ms)
		return;
	writer->wanted = NULL;
	destination_want(writer, wanted, &err);
}

/* Descriptors 1 and 2 have no name to be opened by: nothing to do is done well. */
static void
order_reopen(struct writer *writer)
{
	struct err err = { "" };

	if (writer->destination.path)
		destination_change(writer, writer->output, &err);
	news_tell(writer, WRITER_REOPENED, &err);
}

static void
order_complain(const struct order *order)
{
	struct destination standard;
	size_t written;
	struct err err;

	if (destination_open(&standard, "stderr", &err))
		destination_write(&standard, span_first(span_text(order->text), PIPE_BUF), &written, &err);
}

static void
order_carry_out(struct writer *writer, struct order *order)
{
	switch (order->kind) {
	case ORDER_AIM:
		order_aim(writer, order);
		break;
	case ORDER_REOPEN:
		order_reopen(writer);
		break;
	case ORDER_COMPLAIN:
		order_complain(order);
		break;
	case ORDER_FINISH:
		writer->is_finishing = true;
		break;
	}
	order_free(order);
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void
written_note(struct writer *writer, struct span bytes, size_t written)
{
	writer->is_stuck = writer->is_failing = false;
	writer->retry_ms = RETRY_FIRST_MS;
	if (written > 0)
		writer->is_mid_line = bytes.at[written - 1] != '\n';
	if (spool_consume(writer->spool, written))
		news_tell(writer, WRITER_FLOWS, NULL);
}

static void
batch_write(struct writer *writer, struct span bytes)
{
	size_t written;
	struct err err;

	switch (destination_write(&writer->destination, bytes, &written, &err)) {
	case DESTINATION_OK:
		written_note(writer, bytes, written);
		break;
	case DESTINATION_AGAIN:
		writer->is_stuck = true;
		break;
	case DESTINATION_FAILED:
		writer->is_stuck = writer->is_failing = true;
		failure_tell(writer, &err);
		break;
	}
}

/* Until there is an order, room at the destination, a failure's time is up, or, with nothing to write, until there is. */
static void
writer_wait(struct writer *writer, bool has_bytes)
{
	bool waits_for_room = has_bytes && !writer->is_failing;
	struct pollfd fds[] = {
		{ .fd = writer->wake_fd, .events = POLLIN },
		{ .fd = waits_for_room ? writer->destination.fd : -1, .events = POLLOUT },
	};
	int timeout_ms = writer->wanted ? (int)RETRY_LAST_MS : -1;

	if (has_bytes && writer->is_failing) {
		timeout_ms = (int)writer->retry_ms;
		writer->retry_ms = writer->retry_ms * 2 < RETRY_LAST_MS ? writer->retry_ms * 2 : RETRY_LAST_MS;
	}
	poll(fds, 2, timeout_ms);
	event_clear(writer->wake_fd);
}

static bool
flag_get(struct writer *writer, const bool *flag)
{
	bool is_set;

	pthread_mutex_lock(&writer->lock);
	is_set = *flag;
	pthread_mutex_unlock(&writer->lock);
	return is_set;
}

static void
flag_set(struct writer *writer, bool *flag)
{
	pthread_mutex_lock(&writer->lock);
	*flag = true;
	pthread_mutex_unlock(&writer->lock);
}

/* A line that is put after the second look finds is_idle set, for both happen under the spool's lock. */
static void
writer_rest(struct writer *writer)
{
	__atomic_store_n(&writer->is_idle, true, __ATOMIC_SEQ_CST);
	if (spool_peek(writer->spool, 1, UINT64_MAX).len == 0)
		writer_wait(writer, false);
	__atomic_store_n(&writer->is_idle, false, __ATOMIC_SEQ_CST);
}

/* One turn. False: this was the last. */
static bool
writer_turn(struct writer *writer)
{
	uint64_t until;
	struct order *order = order_take(writer, &until);
	struct span bytes;

	wanted_try(writer);
	if (order) {
		order_carry_out(writer, order);
		return true;
	}
	bytes = spool_peek(writer->spool, destination_batch(&writer->destination), until);
	if (bytes.len > 0)
		batch_write(writer, bytes);
	else if (writer->is_finishing)
		flag_set(writer, &writer->has_finished);
	else
		writer_rest(writer);
	if (writer->is_finishing && (bytes.len == 0 || writer->is_failing))
		return false;
	if (bytes.len > 0 && writer->is_stuck)
		writer_wait(writer, true);
	return !flag_get(writer, &writer->gives_up);
}

static void *
writer_run(void *owner)
{
	struct writer *writer = owner;

	while (writer_turn(writer))
		;
	event_tell(writer->done_fd);
	return NULL;
}

/* -- the loop's side ----------------------------------------------------------------------------------------------- */

/* Signals are the loop's: the thread blocks them all. */
static bool
thread_start(struct writer *writer, struct err *err)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&writer->thread, NULL, writer_run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed == 0 || err_set(err, "cannot start the log writer: %s", strerror(failed));
}

static void
writer_release(struct writer *writer)
{
	struct list_node *node;

	while ((node = list_first(&writer->orders)) != NULL) {
		list_remove(node);
		order_free(LIST_OWNER(node, struct order, node));
	}
	while ((node = list_first(&writer->news)) != NULL) {
		list_remove(node);
		memory_free(LIST_OWNER(node, struct news, node));
	}
	destination_close(&writer->destination);
	fd_close(&writer->wake_fd);
	fd_close(&writer->news_fd);
	fd_close(&writer->done_fd);
	pthread_mutex_destroy(&writer->lock);
	memory_free(writer->output);
	memory_free(writer->wanted);
	memory_free(writer);
}

struct writer *
writer_start(struct spool *spool, struct err *err)
{
	struct writer *writer = memory_zalloc(sizeof(*writer));

	writer->spool = spool;
	writer->output = memory_copy_text("stderr");
	writer->retry_ms = RETRY_FIRST_MS;
	pthread_mutex_init(&writer->lock, NULL);
	list_init(&writer->orders);
	list_init(&writer->news);
	writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	writer->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	writer->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->wake_fd < 0 || writer->news_fd < 0 || writer->done_fd < 0)
		err_set_errno(err, "cannot make an eventfd");
	else if (destination_open(&writer->destination, writer->output, err) && thread_start(writer, err))
		return writer;
	writer_release(writer);
	return NULL;
}

void
writer_wake(struct writer *writer)
{
	if (__atomic_load_n(&writer->is_idle, __ATOMIC_SEQ_CST))
		event_tell(writer->wake_fd);
}

void
writer_aim(struct writer *writer, const char *output)
{
	order_give(writer, ORDER_AIM, memory_copy_text(output));
}

void
writer_reopen(struct writer *writer)
{
	order_give(writer, ORDER_REOPEN, NULL);
}

void
writer_complain(struct writer *writer, struct span line)
{
	char *text = memory_alloc(line.len + 2);

	memcpy(text, line.at, line.len);
	memcpy(text + line.len, "\n", 2);
	order_give(writer, ORDER_COMPLAIN, text);
}

int
writer_news_fd(const struct writer *writer)
{
	return writer->news_fd;
}

bool
writer_take_news(struct writer *writer, struct writer_news *news_out)
{
	struct list_node *node;
	struct news *news;

	event_clear(writer->news_fd);
	pthread_mutex_lock(&writer->lock);
	node = list_first(&writer->news);
	if (node)
		list_remove(node);
	pthread_mutex_unlock(&writer->lock);
	if (node == NULL)
		return false;
	news = LIST_OWNER(node, struct news, node);
	*news_out = news->told;
	memory_free(news);
	return true;
}

bool
writer_finish(struct writer *writer, uint64_t timeout_ms)
{
	struct pollfd done = { .fd = writer->done_fd, .events = POLLIN };
	uint64_t end_ms = clock_ms() + timeout_ms, now_ms;

	order_give(writer, ORDER_FINISH, NULL);
	while ((now_ms = clock_ms()) < end_ms) {
		if (poll(&done, 1, (int)(end_ms - now_ms)) > 0)
			return flag_get(writer, &writer->has_finished);
	}
	return false;
}

void
writer_free(struct writer *writer)
{
	if (writer == NULL)
		return;
	flag_set(writer, &writer->gives_up);
	event_tell(writer->wake_fd);
	pthread_join(writer->thread, NULL);
	writer_release(writer);
}
