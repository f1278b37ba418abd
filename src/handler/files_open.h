/*
 * files_open: opening what lies beneath a root, and never anything else.
 *
 * The kernel itself keeps the walk beneath the root's descriptor (openat2(2), RESOLVE_BENEATH), whatever is renamed or
 * linked meanwhile. The root is what its path says now: a directory swapped by a deployment is seen at once.
 */
#ifndef REEVE_HANDLER_FILES_OPEN_H
#define REEVE_HANDLER_FILES_OPEN_H

#include "base/err.h"
#include "base/span.h"

#include <sys/stat.h>

struct loop;

enum files_result {
	FILES_FOUND,		/* a regular file */
	FILES_DIRECTORY,
	FILES_MISSING,		/* nothing there, nothing to be served, or not beneath the root */
	FILES_FORBIDDEN,	/* the system does not let us */
	FILES_BUSY,		/* it changes too fast, or no descriptor is free: try again */
	FILES_FAILED,
};

struct files_root {
	struct span	 path;		/* absolute, NUL-terminated; borrowed from the site */
	bool		 follows;	/* symbolic links beneath the root are followed, as long as they stay there */
	struct loop	*loop;		/* borrowed */
	uint64_t	 seed;		/* for hashes of names beneath it */

	int		fd;		/* O_PATH; -1: not there */
	dev_t		device;
	ino_t		inode;
	uint64_t	looked_ms;	/* monotonic: when it was last looked for */
	bool		is_missed;	/* its absence is in the log */
};

/* Zeroed before; loop, path and follows are set. False: the sentence says why; the root can be used all the same. */
bool			files_root_open(struct files_root *root, struct err *err);
void			files_root_close(struct files_root *root);

/* Looks whether the path still means the same directory, and opens the new one if not. False: there is none. */
bool			files_root_refresh(struct files_root *root);
/* The same, but at most once a second: for what is missing anyway. */
void			files_root_notice(struct files_root *root);

/*
 * name: relative, NUL-terminated, "" for the root itself. flags: of open(2), O_CLOEXEC, O_NONBLOCK and O_NOCTTY are
 * added. FILES_FOUND and FILES_DIRECTORY give a descriptor, whose kind is what it says, whatever stat(2) said before.
 */
enum files_result	files_open(const struct files_root *root, const char *name, int flags, int *fd_out,
    struct stat *stat_out);

enum files_result	files_result_of(int error);	/* an errno */

#endif
