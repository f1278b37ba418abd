/* Messages and lines come in through the loop, lines go to the spool, orders to the writer; nothing here waits. */
#include "logger/logger.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/title.h"
#include "ipc/channel.h"
#include "logger/destination.h"
#include "logger/record.h"
#include "logger/source.h"
#include "logger/writer.h"

#include <stdlib.h>
#include <unistd.h>

#define SPOOL_BYTES ((size_t)8 << 20)
#define STOP_MS 2000u
#define COLLECT_BYTES ((size_t)2 << 20)	/* of one pipe at once: more than a pipe holds */

struct logger {
	struct loop		*loop;
	struct channel		*channel;	/* NULL: the primary is gone */
	struct spool		*spool;
	struct writer		*writer;
	struct watch		 news;
	struct list_node	 sources;	/* struct source, owned */
	char			*output;	/* owned: where lines go, as far as was ordered */
	bool			 is_pretty;
	bool			 has_colours;
	struct text		 room;		/* of the line in work */
	struct later		 wake;		/* the writer, once for all lines of a turn */
};

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* In the destination's form; borrowed until the next. */
static struct span
line_format(struct logger *logger, const char *name, struct span line)
{
	uint64_t now_ms = loop_wall_ms(logger->loop);

	if (!logger->is_pretty && record_is_json(line))
		return line;
	text_clear(&logger->room);
	if (logger->is_pretty)
		record_to_pretty(line, name, now_ms, logger->has_colours, &logger->room);
	else
		record_to_json(line, name, now_ms, &logger->room);
	return text_span(&logger->room);
}

static void
dropped_record(struct text *to, uint64_t count)
{
	log_open_record(to, message_level(MSG_LOG_DROPPED), clock_wall_ms(), span_text(message_text(MSG_LOG_DROPPED)));
	text_json_key(to, "lines");
	text_json_number(to, count);
	text_json_close(to, '}');
}

/* A gap is told of as soon as there is room, before what comes after it. */
static void
dropped_tell(struct logger *logger, bool is_last)
{
	uint64_t count = spool_take_dropped(logger->spool, is_last);
	struct text record = { 0 };

	if (count == 0)
		return;
	dropped_record(&record, count);
	spool_put_notice(logger->spool, line_format(logger, "logger", text_span(&record)));
	text_fini(&record);
}

static void
logger_line(void *owner, const char *name, struct span line)
{
	struct logger *logger = owner;

	dropped_tell(logger, false);
	spool_put(logger->spool, line_format(logger, name, line));
	loop_later(logger->loop, &logger->wake);
}

static void
wake_writer(struct later *later)
{
	writer_wake(LIST_OWNER(later, struct logger, wake)->writer);
}

/* What the logger itself has to say. */
static void
own_line(void *owner, enum log_level level, struct span line)
{
	(void)level;
	logger_line(owner, "logger", line);
}

/* -- sources ------------------------------------------------------------------------------------------------------- */

static void
sources_collect(struct logger *logger, uint64_t deadline_ms)
{
	struct list_node *node = logger->sources.next;

	for (; node != &logger->sources && clock_ms() < deadline_ms; node = node->next)
		source_collect(LIST_OWNER(node, struct source, node), COLLECT_BYTES);
}

static void
sources_flush(struct logger *logger)
{
	for (struct list_node *node = logger->sources.next; node != &logger->sources; node = node->next)
		source_flush(LIST_OWNER(node, struct source, node));
}

/* The last chance to say how many lines end with us, if stderr is not where they should have gone. */
static void
loss_tell(struct logger *logger)
{
	uint64_t count = spool_waiting(logger->spool);
	struct destination standard;
	struct text record = { 0 };
	size_t written;
	struct err err;

	if (count == 0 || strcmp(logger->output, "stderr") == 0 || !destination_open(&standard, "stderr", &err))
		return;
	dropped_record(&record, count);
	text_add_byte(&record, '\n');
	destination_write(&standard, text_span(&record), &written, &err);
	text_fini(&record);
}

/* What has been written to a pipe until now goes out, as far as the destination takes it in time. */
static void __attribute__((noreturn))
logger_finish(struct logger *logger)
{
	uint64_t deadline_ms = clock_ms() + STOP_MS, now_ms;

	sources_collect(logger, deadline_ms);
	sources_flush(logger);
	dropped_tell(logger, true);
	now_ms = clock_ms();
	if (!writer_finish(logger->writer, now_ms < deadline_ms ? deadline_ms - now_ms : 1))
		loss_tell(logger);
	_exit(EXIT_SUCCESS);
}

static void
logger_finish_if_alone(struct logger *logger)
{
	if (logger->channel == NULL && list_is_empty(&logger->sources))
		logger_finish(logger);
}

static void
source_ended(void *owner, struct source *source)
{
	struct logger *logger = owner;

	source_close(source);
	logger_finish_if_alone(logger);
}

static const struct source_events source_events = { .on_line = logger_line, .on_end = source_ended };

/* -- what the primary says ----------------------------------------------------------------------------------------- */

static void
hear_source(struct logger *logger, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	struct span name = unpack_span(&unpack);
	int fd = ipc_take_fd(message, 0);

	if (fd >= 0)
		list_add_last(&logger->sources, &source_open(logger->loop, name, fd, &source_events, logger)->node);
}

static bool
colours_are_wanted(const char *output)
{
	const char *terminal = getenv("TERM");
	const char *refusal = getenv("NO_COLOR");

	return output_is_terminal(output) && !(refusal && *refusal) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static void
destination_note(struct logger *logger, enum log_form form, char *output)
{
	memory_free(logger->output);
	logger->output = output;
	logger->is_pretty = form == LOG_FORM_PRETTY || (form == LOG_FORM_AUTO && output_is_terminal(output));
	logger->has_colours = logger->is_pretty && colours_are_wanted(output);
}

/* What is in the pipes by now still goes to the old one. */
static void
hear_destination(struct logger *logger, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	enum log_form form = (enum log_form)unpack_number(&unpack);
	struct span output = unpack_span(&unpack);
	struct text copy = { 0 };

	text_add(&copy, output);
	sources_collect(logger, UINT64_MAX);
	destination_note(logger, form, memory_copy_text(copy.bytes));
	writer_aim(logger->writer, logger->output);
	text_fini(&copy);
}

static void
hear_reopen(struct logger *logger, struct ipc_message *message)
{
	(void)message;
	sources_collect(logger, UINT64_MAX);
	writer_reopen(logger->writer);
}

static void
hear_stop(struct logger *logger, struct ipc_message *message)
{
	(void)message;
	logger_finish(logger);
}

static const struct {
	enum ipc_type	type;
	void		(*hear)(struct logger *logger, struct ipc_message *message);
} hearings[] = {
	{ IPC_LOG_SOURCE, hear_source },
	{ IPC_LOG_DESTINATION, hear_destination },
	{ IPC_LOG_REOPEN, hear_reopen },
	{ IPC_LOG_STOP, hear_stop },
};

static void
logger_hear(void *owner, struct ipc_message *message)
{
	for (size_t i = 0; i < COUNT(hearings); i++) {
		if (hearings[i].type == message->type)
			hearings[i].hear(owner, message);
	}
}

static void
primary_gone(void *owner)
{
	struct logger *logger = owner;

	channel_close(logger->channel);
	logger->channel = NULL;
	logger_finish_if_alone(logger);
}

static const struct channel_events channel_events = { .on_message = logger_hear, .on_closed = primary_gone };

/* -- what the writer says ------------------------------------------------------------------------------------------ */

/* Into the log for later, and at once to stderr, if the log is elsewhere. */
static void
failure_tell(struct logger *logger, const struct err *why)
{
	struct text record = { 0 };

	log_open_record(&record, message_level(MSG_LOG_WRITE_FAILED), clock_wall_ms(),
	    span_text(message_text(MSG_LOG_WRITE_FAILED)));
	text_json_key(&record, "reason");
	text_json_text(&record, why->text);
	text_json_close(&record, '}');
	logger_line(logger, "logger", text_span(&record));
	if (strcmp(logger->output, "stderr") != 0)
		writer_complain(logger->writer, text_span(&record));
	text_fini(&record);
}

static void
reopened_tell(struct logger *logger, const struct err *why)
{
	struct text answer = { 0 };

	if (why->text[0] == '\0')
		log_say(MSG_LOG_REOPENED, log_text("output", logger->output));
	else
		failure_tell(logger, why);
	if (logger->channel == NULL)
		return;
	pack_flag(&answer, why->text[0] == '\0');
	pack_span(&answer, span_text(why->text));
	channel_send(logger->channel, IPC_LOG_REOPENED, text_span(&answer), NULL, 0);
	text_fini(&answer);
}

static void
writer_speaks(void *owner, unsigned ready)
{
	struct logger *logger = owner;
	struct writer_news news;

	(void)ready;
	while (writer_take_news(logger->writer, &news)) {
		if (news.kind == WRITER_FAILED)
			failure_tell(logger, &news.why);
		else if (news.kind == WRITER_REOPENED)
			reopened_tell(logger, &news.why);
	}
	dropped_tell(logger, false);
	loop_later(logger->loop, &logger->wake);
}

/* -- the process --------------------------------------------------------------------------------------------------- */

static bool
logger_init(struct logger *logger, int channel_fd, struct err *err)
{
	logger->loop = loop_create(err);
	if (logger->loop == NULL)
		return false;
	logger->spool = spool_create(SPOOL_BYTES);
	logger->writer = writer_start(logger->spool, err);
	if (logger->writer == NULL)
		return false;
	logger->wake.run = wake_writer;
	list_init(&logger->sources);
	logger->output = memory_copy_text("stderr");
	watch_init(&logger->news, logger->loop, writer_news_fd(logger->writer), writer_speaks, logger);
	watch_want(&logger->news, WATCH_READ);
	logger->channel = channel_open(logger->loop, channel_fd, &channel_events, logger);
	return true;
}

void
logger_main(int channel_fd)
{
	static struct logger logger;
	struct err err;

	log_to(NULL, NULL);
	title_set("reeve: logger");
	signals_ignore();
	if (!logger_init(&logger, channel_fd, &err)) {
		log_say(MSG_LOG_WRITE_FAILED, log_text("reason", err.text));
		_exit(EXIT_FAILURE);
	}
	log_to(own_line, &logger);
	loop_run(logger.loop);
	_exit(EXIT_FAILURE);
}
