/* Small steps around open(2), read(2) and write(2) that every caller would otherwise write again. */
#include "base/fd.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

/* Linux frees the descriptor even when close(2) says EINTR, so it is never called again. */
void
fd_close(int *fd_io)
{
	if (*fd_io >= 0)
		close(*fd_io);
	*fd_io = -1;
}

static bool
flag_set(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);
	int wanted = on ? flags | flag : flags & ~flag;

	if (flags < 0)
		return false;
	return flags == wanted || fcntl(fd, set, wanted) == 0;
}

bool
fd_set_nonblocking(int fd, bool nonblocking)
{
	return flag_set(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblocking);
}

bool
fd_set_cloexec(int fd, bool cloexec)
{
	return flag_set(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

bool
fd_write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t count = write(fd, bytes.at, bytes.len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		bytes = span_skip(bytes, (size_t)count);
	}
	return true;
}

/* -- files -------------------------------------------------------------------------------------------------------- */

/* O_NONBLOCK: opening a FIFO that nobody writes must not hang; for a regular file it means nothing. */
static int
file_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0) {
		err_set_errno(err, "cannot open %s", path);
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	err_set(err, "cannot read %s: it is %s", path, S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
	close(fd);
	return -1;
}

/* To the end, not to st_size: files of /proc say 0. */
static bool
file_read_open(int fd, const char *path, size_t max_bytes, struct text *to, struct err *err)
{
	size_t before = to->len;

	for (;;) {
		char *at = text_reserve(to, READ_STEP);
		ssize_t count = read(fd, at, READ_STEP);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return err_set_errno(err, "cannot read %s", path);
		to->len += (size_t)count;
		to->bytes[to->len] = '\0';
		if (to->len - before > max_bytes)
			return err_set(err, "cannot read %s: it is larger than %zu bytes", path, max_bytes);
		if (count == 0)
			return true;
	}
}

bool
file_read(const char *path, size_t max_bytes, struct text *to, struct err *err)
{
	int fd = file_open(path, err);
	size_t before = to->len;
	bool is_read;

	if (fd < 0)
		return false;
	is_read = file_read_open(fd, path, max_bytes, to, err);
	close(fd);
	if (!is_read) {
		to->len = before;
		to->bytes[before] = '\0';
	}
	return is_read;
}

/* The new name itself is only safe once its directory is on disk; not every file system can, so failing is fine. */
static void
directory_sync(const char *path)
{
	size_t slash = span_find_last(span_text(path), '/');
	struct text name = { 0 };
	int fd;

	if (path[slash] == '\0')
		text_add_byte(&name, '.');
	else
		text_add(&name, span_make(path, slash == 0 ? 1 : slash));
	fd = open(name.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	text_fini(&name);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static bool
file_fill(int fd, struct span bytes, mode_t mode)
{
	return fchmod(fd, mode) == 0 && fd_write_all(fd, bytes) && fsync(fd) == 0;
}

bool
file_write(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	struct text neighbour = { 0 };
	int fd;
	bool is_written;

	text_format(&neighbour, "%s.XXXXXX", path);
	fd = mkostemp(neighbour.bytes, O_CLOEXEC);
	is_written = fd >= 0 && file_fill(fd, bytes, mode) && rename(neighbour.bytes, path) == 0;
	if (!is_written) {
		err_set_errno(err, "cannot write %s", path);
		if (fd >= 0)
			(void)unlink(neighbour.bytes);
	}
	fd_close(&fd);
	if (is_written)
		directory_sync(path);
	text_fini(&neighbour);
	return is_written;
}

static bool
directory_exists(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool
directory_make_one(const char *path, mode_t mode, struct err *err)
{
	if (directory_exists(path) || mkdir(path, mode) == 0)
		return true;
	if (errno == EEXIST && directory_exists(path))	/* another process was faster */
		return true;
	return err_set_errno(err, "cannot make the directory %s", path);
}

/* Each prefix that ends before a slash, then the whole. */
bool
directory_make(const char *path, mode_t mode, struct err *err)
{
	char *prefix = memory_copy_text(path);
	bool is_made = true;

	for (char *slash = strchr(prefix + (path[0] == '/'), '/'); is_made && slash != NULL;
	    slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		is_made = directory_make_one(prefix, mode, err);
		*slash = '/';
	}
	is_made = is_made && directory_make_one(prefix, mode, err);
	memory_free(prefix);
	return is_made;
}

size_t
fd_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count - 1;	/* the directory itself */
}
