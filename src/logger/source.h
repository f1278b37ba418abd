/*
 * source: a pipe that another process of ours writes log lines into, read whenever there is something to read.
 */
#ifndef REEVE_LOGGER_SOURCE_H
#define REEVE_LOGGER_SOURCE_H

#include "base/list.h"
#include "logger/lines.h"
#include "loop/loop.h"

struct source {
	struct list_node		 node;	/* the owner's list */
	struct watch			 watch;
	struct lines			 lines;
	int				 fd;	/* owned */
	char				*name;	/* owned: "worker 2" */
	const struct source_events	*events;
	void				*owner;	/* borrowed: who hears */
};

/* From the loop, and from source_collect(). */
struct source_events {
	void	(*on_line)(void *owner, const char *name, struct span line);
	void	(*on_end)(void *owner, struct source *source);	/* all lines are told; to be closed */
};

/* Takes fd. */
struct source	*source_open(struct loop *loop, struct span name, int fd, const struct source_events *events,
    void *owner);
void		 source_close(struct source *source);	/* a partial line is lost; NULL is fine */

/* Reads what is in the pipe now, at most `max` bytes. on_end is not called from here. */
void		 source_collect(struct source *source, size_t max);

/* A partial line is a line now. */
void		 source_flush(struct source *source);

#endif
