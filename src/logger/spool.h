/*
 * spool: lines that wait for their destination, in a fixed piece of memory between two threads.
 *
 *	loop ──spool_put──▶ │ line⏎line⏎line⏎ │ ──spool_peek, spool_consume──▶ writer
 *
 * Both sides hold its lock for a few copies only, never while reading or writing a descriptor. When a line does not fit
 * it is dropped whole and counted, and so are all after it until an eighth of the room is free again: one gap with one
 * count is easier to read than a hundred. What is not said to be one side's may be called by both.
 */
#ifndef REEVE_LOGGER_SPOOL_H
#define REEVE_LOGGER_SPOOL_H

#include "base/span.h"

struct spool;

struct spool	*spool_create(size_t room);	/* bytes; at least SPOOL_NOTICE_ROOM × 16 */
void		 spool_free(struct spool *spool);

/* Kept back for the record that says how many lines were dropped. */
enum { SPOOL_NOTICE_ROOM = 1024 };

/* The loop's side. `line` is without its newline. False: dropped and counted. */
bool		 spool_put(struct spool *spool, struct span line);

/* The same into the room that is kept back; not counted when it does not fit. */
bool		 spool_put_notice(struct spool *spool, struct span line);

/* How many lines were dropped, and starts counting again; 0 while there is no room yet, unless it is the last call. */
uint64_t	 spool_take_dropped(struct spool *spool, bool is_last);

/* Lines that wait, a half-written one included. */
uint64_t	 spool_waiting(struct spool *spool);

/* Bytes ever put and ever consumed, for "everything before this moment". */
uint64_t	 spool_put_total(struct spool *spool);
uint64_t	 spool_consumed_total(struct spool *spool);

/*
 * The writer's side. Bytes at the front that stand in one piece: at most `max` and nothing from `until` (a total) on.
 * They end with a newline where one is in reach. Valid until consumed.
 */
struct span	 spool_peek(struct spool *spool, size_t max, uint64_t until);

/* True when lines had been dropped and now there is room again: then the loop should be told. */
bool		 spool_consume(struct spool *spool, size_t count);

/* Forgets what is left of a line whose beginning has been consumed, and counts it as dropped. */
void		 spool_skip_line(struct spool *spool);

#endif
