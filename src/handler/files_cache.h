/*
 * files_cache: the files that a worker serves, kept open between requests.
 *
 *	name ──▶ entry ──▶ small: its bytes in memory        large: its descriptor
 *
 * A kept entry is used only when the path still leads to the same inode with the same size and times: one stat(2) a
 * request, or one for all requests that the same poll reported. So a file that was changed or replaced before a request
 * came is seen. Once a second the way there is also walked again as files_open() does; in between an entry may serve,
 * unchanged, the bytes that were found beneath the root before.
 *
 * Bytes are kept only of a file that has been at rest for longer than its file system's clock ticks: two changes within
 * a tick look the same. What is written through a shared mapping is seen when the kernel updates the file's times.
 *
 * One cache a process, used from its loop only. Bounded: entries, bytes, and 30 s without use.
 */
#ifndef REEVE_HANDLER_FILES_CACHE_H
#define REEVE_HANDLER_FILES_CACHE_H

#include "base/list.h"
#include "handler/files_open.h"
#include "http/date.h"

enum { FILE_SMALL_MAX = 32768, FILE_ETAG_MAX = 56 };

/* What tells one state of a file from another. */
struct file_identity {
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec	modified;
	struct timespec	changed;
};

struct file_entry {
	struct list_node	 by_use;
	struct file_entry	*next;		/* of the same cell */
	uint64_t		 hash;
	unsigned		 refs;
	bool			 is_kept;	/* stands in the table */
	bool			 follows;
	uint64_t		 used_ms;
	uint64_t		 looked_turn;	/* of the loop: when its path was last asked */
	uint64_t		 walked_ms;	/* when the way there was last known to lie beneath the root */
	size_t			 root_len;
	size_t			 path_len;

	struct file_identity	 identity;
	uint64_t		 size;
	int64_t			 modified;		/* Unix seconds */
	int			 fd;			/* -1: the content is in memory for good */
	bool			 is_small;		/* content holds all of it */
	bool			 is_settled;		/* content will not change without its times */
	char			*content;
	size_t			 etag_len;
	char			 etag[FILE_ETAG_MAX];	/* strong, with its quotes */
	char			 last_modified[HTTP_DATE_LENGTH];

	uint64_t	type_owner;	/* whose media type that is; 0: nobody's */
	struct span	type;		/* borrowed from type_owner: for nobody else */

	char	path[];	/* root, '/', name, NUL */
};

/* The first user brings the loop; with the last everything is closed. */
void			files_cache_join(struct loop *loop);
void			files_cache_leave(void);

/* name: relative, no NUL in it. FILES_FOUND gives a reference, the content of a small file with it. */
enum files_result	files_cache_get(struct files_root *root, struct span name, struct file_entry **entry_out);
void			file_unref(struct file_entry *entry);

static inline struct span
file_etag(const struct file_entry *entry)
{
	return span_make(entry->etag, entry->etag_len);
}

static inline struct span
file_last_modified(const struct file_entry *entry)
{
	return span_make(entry->last_modified, HTTP_DATE_LENGTH);
}

/* For tests: how much is kept. */
struct files_cache_load {
	size_t	entries;
	size_t	bytes;
};
struct files_cache_load	files_cache_load(void);

#endif
