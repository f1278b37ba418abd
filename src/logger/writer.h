/*
 * writer: the thread that carries the spool to the destination. Whatever it waits for (a disk, a reader who sleeps),
 * nobody waits for it: the loop leaves lines in the spool and orders here, and hears news by a descriptor.
 *
 * Orders take effect where they stand among the lines: what was put before goes to the old destination, what comes
 * after to the new one. Only while the old one takes nothing are they carried out at once; what is left of a line that
 * was cut in two by that is dropped and counted.
 *
 * A destination that fails (a full disk) is tried again after 100 ms, then ever later up to 2 s.
 */
#ifndef REEVE_LOGGER_WRITER_H
#define REEVE_LOGGER_WRITER_H

#include "base/err.h"
#include "logger/spool.h"

#include <stdint.h>

struct writer;

enum writer_news_kind {
	WRITER_NOTHING = 0,
	WRITER_FLOWS,		/* lines had been dropped, and there is room again */
	WRITER_FAILED,		/* the destination cannot be written or opened: why; at most one every 10 s */
	WRITER_REOPENED,	/* an order to reopen was carried out, or not: why is not empty */
};

struct writer_news {
	enum writer_news_kind	kind;
	struct err		why;
};

/* Begins with the destination "stderr". NULL: no thread to be had. */
struct writer	*writer_start(struct spool *spool, struct err *err);

/* Lines have been put. */
void		 writer_wake(struct writer *writer);

/* When it cannot be opened the old one stays, and it is tried again every 2 s. */
void		 writer_aim(struct writer *writer, const char *output);
void		 writer_reopen(struct writer *writer);	/* answered by WRITER_REOPENED */

/* A line for descriptor 2, past the spool: to tell of a failing destination. Lost when it would have to wait. */
void		 writer_complain(struct writer *writer, struct span line);

/* Readable while there is news. */
int		 writer_news_fd(const struct writer *writer);
bool		 writer_take_news(struct writer *writer, struct writer_news *news_out);

/*
 * Writes all that is in the spool and ends. False when that was not done in time or the destination fails. Afterwards
 * only writer_free() may follow, or the process's end, for the thread may hang in its disk for ever.
 */
bool		 writer_finish(struct writer *writer, uint64_t timeout_ms);

/* Gives up what is not written; waits for a hanging disk. */
void		 writer_free(struct writer *writer);

#endif
