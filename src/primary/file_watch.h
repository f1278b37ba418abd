/*
 * file_watch: files of which somebody wants to know when they have changed on the disk.
 *
 * What counts is stat(2) through all symbolic links, from time to time; inotify on the directories of the paths only
 * says when to look sooner: it may be wrong, late, or not to be had. A change is told when nothing more has happened
 * for a while, because a certificate and its key are two files.
 */
#ifndef REEVE_PRIMARY_FILE_WATCH_H
#define REEVE_PRIMARY_FILE_WATCH_H

#include "base/text.h"
#include "loop/loop.h"

/* What tells one state of a file from another. All zero: there is none, or it is not known. */
struct file_mark {
	uint64_t	device;
	uint64_t	inode;
	uint64_t	size;
	int64_t		modified_ns;	/* wall clock */
};

struct file_mark	file_mark_of(const char *path);
bool			file_mark_equal(const struct file_mark *a, const struct file_mark *b);

struct watched_file {
	const char		*path;	/* absolute */
	struct file_mark	 mark;	/* as it was when its contents were read */
};

struct file_watch;

/* Again from time to time until the change has been taken up. */
typedef void		 file_watch_fn(void *owner);

/* How often it looks when nothing hints at a change, and how long nothing more must have happened. */
struct file_watch_pace {
	uint64_t	look_ms;
	uint64_t	quiet_ms;
};

struct file_watch	*file_watch_create(struct loop *loop, struct file_watch_pace pace, file_watch_fn *on_change,
    void *owner);
void			 file_watch_free(struct file_watch *watch);	/* NULL is fine */

/* These from now on, compared with their marks. Copied. */
void			 file_watch_use(struct file_watch *watch, const struct watched_file *files, size_t count);

/* What was seen is known now: told is only what comes later. */
void			 file_watch_take_up(struct file_watch *watch);

/* Those of `files` that are not as their marks say: "/a/cert.pem, /a/key.pem". */
void			 file_watch_list(const struct watched_file *files, size_t count, struct text *to);

#endif
