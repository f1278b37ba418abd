/* One way in: every descriptor beneath a root comes from beneath_open(). */
#include "handler/files_open.h"

#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000	/* between two looks for a root that is missing */
#define RACES_MAX 3		/* openat2(2) says EAGAIN when a rename crossed its walk */

/* One for the process, so that a name hashes alike for every site. */
static uint64_t
process_seed(void)
{
	static uint64_t seed;

	if (seed == 0)
		seed = random_number() | 1;
	return seed;
}

/* -- the root ----------------------------------------------------------------------------------------------------- */

static bool
root_reopen(struct files_root *root)
{
	struct stat status;
	int fd;

	fd_close(&root->fd);
	fd = open(root->path.at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0) {
		close(fd);
		return false;
	}
	root->fd = fd;
	root->device = status.st_dev;
	root->inode = status.st_ino;
	return true;
}

bool
files_root_open(struct files_root *root, struct err *err)
{
	root->fd = -1;
	root->seed = hash_mix(hash_span(process_seed(), root->path), root->follows);
	if (!root_reopen(root))
		return err_set_errno(err, "cannot open directory %s", root->path.at);
	return true;
}

void
files_root_close(struct files_root *root)
{
	fd_close(&root->fd);
}

static void
root_say(struct files_root *root, bool is_there)
{
	if (is_there == !root->is_missed)
		return;
	root->is_missed = !is_there;
	if (is_there)
		log_say(MSG_FILES_ROOT_BACK, log_span("root", root->path));
	else
		log_say(MSG_FILES_ROOT_MISSING, log_span("root", root->path), log_text("error", strerror(errno)));
}

/* A root that may be used but not looked at (a parent we may not search) stays what it was when it was opened. */
bool
files_root_refresh(struct files_root *root)
{
	struct stat status;
	bool is_there;

	errno = 0;
	root->looked_ms = loop_now_ms(root->loop);
	if (stat(root->path.at, &status) == 0)
		is_there = (root->fd >= 0 && status.st_dev == root->device && status.st_ino == root->inode) ||
		    root_reopen(root);
	else
		is_there = errno == EACCES && root->fd >= 0;
	root_say(root, is_there);
	return is_there;
}

void
files_root_notice(struct files_root *root)
{
	if (loop_now_ms(root->loop) - root->looked_ms >= LOOK_AGAIN_MS)
		files_root_refresh(root);
}

/* -- beneath it --------------------------------------------------------------------------------------------------- */

enum files_result
files_result_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:	/* a symbolic link that we do not follow */
	case EXDEV:	/* it would have left the root */
	case ENXIO:	/* a socket, or a FIFO without a writer */
	case ENODEV:
		return FILES_MISSING;
	case EACCES:
	case EPERM:
		return FILES_FORBIDDEN;
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return FILES_BUSY;
	default:
		return FILES_FAILED;
	}
}

static int
beneath_open(const struct files_root *root, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | ((flags & O_PATH) ? 0 : O_NONBLOCK | O_NOCTTY)),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (root->follows ? 0 : RESOLVE_NO_SYMLINKS),
	};
	long fd;
	unsigned races = 0;

	do
		fd = syscall(SYS_openat2, root->fd, *name ? name : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++races < RACES_MAX)));
	return (int)fd;
}

enum files_result
files_open(const struct files_root *root, const char *name, int flags, int *fd_out, struct stat *stat_out)
{
	int fd;

	*fd_out = -1;
	if (root->fd < 0)
		return FILES_MISSING;
	fd = beneath_open(root, name, flags);
	if (fd < 0)
		return files_result_of(errno);
	if (fstat(fd, stat_out) != 0 || (!S_ISREG(stat_out->st_mode) && !S_ISDIR(stat_out->st_mode))) {
		fd_close(&fd);
		return FILES_MISSING;
	}
	*fd_out = fd;
	return S_ISDIR(stat_out->st_mode) ? FILES_DIRECTORY : FILES_FOUND;
}
