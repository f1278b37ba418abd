/*
 * Two timers: one looks, one waits for the quiet. A file has the mark that is known and the mark that was last seen;
 * while they differ there is a change to tell, while the latter moves there is no quiet.
 */
#include "primary/file_watch.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/memory.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT_MS 20u	/* many events, one look */
#define READS_MAX 16
#define HINTS (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB)

struct file_seen {
	const char		*path;	/* arena */
	struct file_mark	 known;
	struct file_mark	 seen;
};

struct file_watch {
	struct arena		 arena;
	struct file_seen	*files;		/* arena */
	size_t			 count;
	struct loop		*loop;
	file_watch_fn		*on_change;
	void			*owner;		/* borrowed */
	struct file_watch_pace	 pace;
	int			 hint_fd;	/* inotify, owned; -1: none */
	bool			 is_hinted;
	struct watch		 hint;
	struct timer		 look;
	struct timer		 quiet;
};

/* -- marks --------------------------------------------------------------------------------------------------------- */

struct file_mark
file_mark_of(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = (uint64_t)status.st_size,
		.modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec,
	};
}

bool
file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	    a->modified_ns == b->modified_ns;
}

void
file_watch_list(const struct watched_file *files, size_t count, struct text *to)
{
	for (size_t i = 0; i < count; i++) {
		struct file_mark mark = file_mark_of(files[i].path);

		if (!file_mark_equal(&mark, &files[i].mark))
			text_format(to, "%s%s", to->len > 0 ? ", " : "", files[i].path);
	}
}

/* -- looking ------------------------------------------------------------------------------------------------------- */

/* True when something is not as it was at the last look. */
static bool
files_look(struct file_watch *watch)
{
	bool has_moved = false;

	for (size_t i = 0; i < watch->count; i++) {
		struct file_seen *file = &watch->files[i];
		struct file_mark mark = file_mark_of(file->path);

		has_moved |= !file_mark_equal(&mark, &file->seen);
		file->seen = mark;
	}
	return has_moved;
}

static bool
files_differ(const struct file_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (!file_mark_equal(&watch->files[i].known, &watch->files[i].seen))
			return true;
	}
	return false;
}

static void
watch_look(struct file_watch *watch)
{
	bool has_moved = files_look(watch);

	watch->is_hinted = false;
	timer_arm(&watch->look, watch->pace.look_ms);
	if (!files_differ(watch))
		timer_disarm(&watch->quiet);
	else if (has_moved || !timer_is_armed(&watch->quiet))
		timer_arm(&watch->quiet, watch->pace.quiet_ms);
}

static void
look_due(void *owner)
{
	watch_look(owner);
}

static void
quiet_due(void *owner)
{
	struct file_watch *watch = owner;

	if (files_look(watch))
		watch_look(watch);
	if (!files_differ(watch))
		timer_disarm(&watch->quiet);
	else if (!timer_is_armed(&watch->quiet))
		watch->on_change(watch->owner);
}

/* -- hints --------------------------------------------------------------------------------------------------------- */

static void
hint_heard(void *owner, unsigned ready)
{
	struct file_watch *watch = owner;
	char events[4096];

	(void)ready;
	for (int i = 0; i < READS_MAX && read(watch->hint_fd, events, sizeof(events)) > 0; i++)
		continue;
	if (watch->is_hinted)
		return;
	watch->is_hinted = true;
	timer_arm(&watch->look, HINT_MS);
}

static void
hints_close(struct file_watch *watch)
{
	if (watch->hint_fd < 0)
		return;
	watch_fini(&watch->hint);
	fd_close(&watch->hint_fd);
}

static void
hint_add(const struct file_watch *watch, const char *path)
{
	struct text directory = { 0 };
	size_t len = span_find_last(span_text(path), '/');

	text_add(&directory, span_first(span_text(path), len > 0 ? len : 1));
	(void)inotify_add_watch(watch->hint_fd, directory.bytes, HINTS | IN_ONLYDIR);
	text_fini(&directory);
}

/* Anew each time, since a directory on the way may be another one now. */
static void
hints_open(struct file_watch *watch)
{
	hints_close(watch);
	if (watch->count == 0)
		return;
	watch->hint_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->hint_fd < 0)
		return;
	for (size_t i = 0; i < watch->count; i++)
		hint_add(watch, watch->files[i].path);
	watch_init(&watch->hint, watch->loop, watch->hint_fd, hint_heard, watch);
	watch_want(&watch->hint, WATCH_READ);
}

/* -- from outside -------------------------------------------------------------------------------------------------- */

struct file_watch *
file_watch_create(struct loop *loop, struct file_watch_pace pace, file_watch_fn *on_change, void *owner)
{
	struct file_watch *watch = memory_zalloc(sizeof(*watch));

	watch->loop = loop;
	watch->pace = pace;
	watch->on_change = on_change;
	watch->owner = owner;
	watch->hint_fd = -1;
	arena_init(&watch->arena, 1024);
	timer_init(&watch->look, loop, look_due, watch);
	timer_init(&watch->quiet, loop, quiet_due, watch);
	return watch;
}

void
file_watch_free(struct file_watch *watch)
{
	if (watch == NULL)
		return;
	hints_close(watch);
	timer_fini(&watch->look);
	timer_fini(&watch->quiet);
	arena_fini(&watch->arena);
	memory_free(watch);
}

/* The hints come first: what changes after the look is heard of. */
void
file_watch_use(struct file_watch *watch, const struct watched_file *files, size_t count)
{
	arena_fini(&watch->arena);
	arena_init(&watch->arena, 1024);
	watch->count = count;
	watch->files = arena_zalloc(&watch->arena, (count + 1) * sizeof(*watch->files));
	for (size_t i = 0; i < count; i++) {
		watch->files[i].path = arena_text(&watch->arena, span_text(files[i].path));
		watch->files[i].known = watch->files[i].seen = files[i].mark;
	}
	hints_open(watch);
	timer_disarm(&watch->look);
	timer_disarm(&watch->quiet);
	if (count > 0)
		watch_look(watch);
}

void
file_watch_take_up(struct file_watch *watch)
{
	hints_open(watch);
	for (size_t i = 0; i < watch->count; i++)
		watch->files[i].known = watch->files[i].seen;
}
