/*
 * Records become lines here and go to the one sink of this process. The line's room is kept between records; it is
 * taken away while the sink runs, so a sink that logs itself only costs an allocation.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/count.h"

#include <assert.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_ROOM_KEPT 16384

static struct {
	log_sink	*sink;	/* NULL: descriptor 2 */
	void		*owner;	/* borrowed */
	enum log_level	 level;
	struct text	 line;	/* owned: the room of the last line */
	pid_t		 pid;	/* 0: not asked yet, or forked since */
	bool		 hears_forks;
} log_state = { .level = LOG_INFO };

static const char *const level_names[] = {
	[LOG_TRACE] = "trace", [LOG_DEBUG] = "debug", [LOG_INFO] = "info",     [LOG_WARN] = "warn",
	[LOG_ERROR] = "error", [LOG_FATAL] = "fatal", [LOG_SILENT] = "silent",
};
static_assert(COUNT(level_names) == LOG_SILENT + 1, "every level has a name");

struct message_row {
	const char	*name;
	const char	*text;
	enum log_level	 level;
};

#define MESSAGE_ROW(row_name, row_level, row_text) \
	[MSG_##row_name] = { .name = #row_name, .text = row_text, .level = LOG_##row_level },
static const struct message_row messages[] = { MESSAGES(MESSAGE_ROW) };
#undef MESSAGE_ROW
static_assert(COUNT(messages) == MESSAGE_COUNT, "every message has a row");

/* -- sink and level ----------------------------------------------------------------------------------------------- */

void
log_to(log_sink *sink, void *owner)
{
	log_state.sink = sink;
	log_state.owner = owner;
}

void
log_set_level(enum log_level level)
{
	log_state.level = level;
}

bool
log_is_on(enum log_level level)
{
	return level >= log_state.level && level < LOG_SILENT;
}

const char *
log_level_name(enum log_level level)
{
	assert((size_t)level < COUNT(level_names));
	return level_names[level];
}

/* One writev(2), so that lines of several processes do not mix. If descriptor 2 is gone, nobody can be told. */
static void
line_to_stderr(struct span line)
{
	char newline[] = "\n";
	union {
		const char	*from;
		void		*to;
	} bytes = { line.at };
	struct iovec pieces[] = {
		{ .iov_base = bytes.to, .iov_len = line.len },
		{ .iov_base = newline, .iov_len = 1 },
	};

	if (writev(STDERR_FILENO, pieces, 2) < 0)
		return;
}

void
log_write_line(enum log_level level, struct span line)
{
	if (log_state.sink != NULL)
		log_state.sink(log_state.owner, level, line);
	else
		line_to_stderr(line);
}

/* -- fields ------------------------------------------------------------------------------------------------------- */

struct log_field
log_text(const char *name, const char *value)
{
	return log_span(name, span_text(value));
}

struct log_field
log_span(const char *name, struct span value)
{
	return (struct log_field){ .kind = LOG_FIELD_SPAN, .name = name, .span = value };
}

struct log_field
log_number(const char *name, uint64_t value)
{
	return (struct log_field){ .kind = LOG_FIELD_NUMBER, .name = name, .number = (int64_t)value };
}

struct log_field
log_signed(const char *name, int64_t value)
{
	return (struct log_field){ .kind = LOG_FIELD_SIGNED, .name = name, .number = value };
}

struct log_field
log_bool(const char *name, bool value)
{
	return (struct log_field){ .kind = LOG_FIELD_BOOL, .name = name, .number = value };
}

static void
field_write(struct text *to, const struct log_field *field)
{
	text_json_key(to, field->name);
	switch (field->kind) {
	case LOG_FIELD_END:
		break;
	case LOG_FIELD_SPAN:
		text_json_span(to, field->span);
		break;
	case LOG_FIELD_NUMBER:
		text_json_number(to, (uint64_t)field->number);
		break;
	case LOG_FIELD_SIGNED:
		text_json_signed(to, field->number);
		break;
	case LOG_FIELD_BOOL:
		text_json_bool(to, field->number != 0);
		break;
	}
}

/* -- records ------------------------------------------------------------------------------------------------------ */

static void
pid_forget(void)
{
	log_state.pid = 0;
}

/* Remembered, because getpid(2) is a system call and a request's record should cost none. */
static pid_t
pid_get(void)
{
	if (log_state.pid != 0)
		return log_state.pid;
	if (!log_state.hears_forks)
		log_state.hears_forks = pthread_atfork(NULL, NULL, pid_forget) == 0;
	if (!log_state.hears_forks)
		return getpid();
	log_state.pid = getpid();
	return log_state.pid;
}

void
log_open_record(struct text *to, enum log_level level, uint64_t wall_ms, struct span sentence)
{
	text_add(to, SPAN_OF("{\"level\":\""));
	text_add_text(to, log_level_name(level));
	text_add(to, SPAN_OF("\",\"time\":\""));
	clock_format_rfc3339(text_reserve(to, 24), wall_ms);
	to->len += 24;
	text_add(to, SPAN_OF("\",\"pid\":"));
	text_add_number(to, (uint64_t)pid_get());
	text_add(to, SPAN_OF(",\"msg\":"));
	text_json_string(to, sentence);
}

static struct text
line_take(void)
{
	struct text line = log_state.line;

	log_state.line = (struct text){ 0 };
	text_clear(&line);
	return line;
}

static void
line_give_back(struct text *line)
{
	if (log_state.line.bytes != NULL || line->room > LINE_ROOM_KEPT)
		text_fini(line);
	else
		log_state.line = *line;
}

void
log_emit(enum message message, const struct log_field *fields)
{
	enum log_level level = message_level(message);
	struct text line;

	if (!log_is_on(level))
		return;
	line = line_take();
	log_open_record(&line, level, clock_wall_ms(), span_text(message_text(message)));
	for (; fields->kind != LOG_FIELD_END; fields++)
		field_write(&line, fields);
	text_json_close(&line, '}');
	log_write_line(level, text_span(&line));
	line_give_back(&line);
}

static const struct message_row *
message_row(enum message message)
{
	assert((size_t)message < MESSAGE_COUNT);
	return &messages[message];
}

const char *
message_text(enum message message)
{
	return message_row(message)->text;
}

const char *
message_name(enum message message)
{
	return message_row(message)->name;
}

enum log_level
message_level(enum message message)
{
	return message_row(message)->level;
}
