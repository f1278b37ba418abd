/*
 * log: one record is one JSON object on one line, with pino's names: level, time, pid, msg, then the record's fields.
 *
 * Every sentence stands as a row in messages.h; the caller adds fields:
 *
 *	log_say(MSG_WORKER_DIED, log_number("worker", 3), log_text("signal", "SIGKILL"));
 *
 * A process chooses with log_to() where lines go: the primary and the workers hand them to their log pipe, a command to
 * stderr. Without a sink lines go to descriptor 2. Nothing here blocks when the sink does not.
 */
#ifndef REEVE_BASE_LOG_H
#define REEVE_BASE_LOG_H

#include "base/messages.h"
#include "base/span.h"
#include "base/text.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL, LOG_SILENT };

enum log_field_kind { LOG_FIELD_END = 0, LOG_FIELD_SPAN, LOG_FIELD_NUMBER, LOG_FIELD_SIGNED, LOG_FIELD_BOOL };

struct log_field {
	enum log_field_kind	 kind;
	const char		*name;
	struct span		 span;
	int64_t			 number;
};

/* A whole line, without the newline. */
typedef void log_sink(void *owner, enum log_level level, struct span line);

void			 log_to(log_sink *sink, void *owner);
void			 log_set_level(enum log_level level);	/* less than this is not written */
bool			 log_is_on(enum log_level level);
const char		*log_level_name(enum log_level level);

struct log_field	 log_text(const char *name, const char *value);	/* NULL value: "" */
struct log_field	 log_span(const char *name, struct span value);
struct log_field	 log_number(const char *name, uint64_t value);
struct log_field	 log_signed(const char *name, int64_t value);
struct log_field	 log_bool(const char *name, bool value);

/* A macro only because C has no other way to pass a list of fields. */
#define log_say(message, ...) log_emit((message), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } })
void		 log_emit(enum message message, const struct log_field *fields);

/* `{"level":"info","time":"…","pid":7,"msg":"…"` without the closing brace, for records that are built elsewhere. */
void		 log_open_record(struct text *to, enum log_level level, uint64_t wall_ms, struct span sentence);
void		 log_write_line(enum log_level level, struct span line);	/* to the sink, as it is */

const char	*message_text(enum message message);	/* the row's sentence */
const char	*message_name(enum message message);	/* "WORKER_DIED" */
enum log_level	 message_level(enum message message);

#endif
