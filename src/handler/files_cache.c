/*
 * A chained hash table of entries, which also stand in a list by their last use. An entry lives until it is out of the
 * table and nobody sends from it.
 */
#include "handler/files_cache.h"

#include "base/fd.h"
#include "base/hash.h"
#include "base/memory.h"
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define CELLS 1024u
#define ENTRIES_MAX 512u
#define ENTRIES_MIN 8u
#define BYTES_MAX ((size_t)16 << 20)
#define UNUSED_MS 30000	/* an entry that nobody asked for so long is closed */
#define SWEEP_MS 10000
#define WALK_AGAIN_MS 1000
#define SETTLED_MS 50	/* more than any file system's clock tick (10 ms with HZ=100) */
#define CHANGES_MAX 3	/* how often a file may change under our hands before we give up */

static struct {
	struct file_entry	*cells[CELLS];
	struct list_node	 by_use;	/* struct file_entry, the latest first */
	size_t			 entries;
	size_t			 entries_max;
	size_t			 bytes;
	unsigned		 users;
	struct loop		*loop;		/* borrowed */
	struct timer		 sweep;
} cache;

/* -- an entry ----------------------------------------------------------------------------------------------------- */

static struct file_identity
identity_of(const struct stat *status)
{
	return (struct file_identity){
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
	};
}

static bool
time_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return a->inode == b->inode && a->device == b->device && a->size == b->size &&
	    time_equal(a->modified, b->modified) && time_equal(a->changed, b->changed);
}

static bool
entry_is(const struct file_entry *entry, const struct stat *status)
{
	struct file_identity identity = identity_of(status);

	return S_ISREG(status->st_mode) && identity_equal(&entry->identity, &identity);
}

static void
entry_free(struct file_entry *entry)
{
	fd_close(&entry->fd);
	memory_free(entry->content);
	memory_free(entry);
}

void
file_unref(struct file_entry *entry)
{
	if (entry == NULL)
		return;
	assert(entry->refs > 0);
	if (--entry->refs == 0 && !entry->is_kept)
		entry_free(entry);
}

/* Inode, size and time to the nanosecond: strong, because any change of the bytes changes one of them. */
static void
etag_write(struct file_entry *entry)
{
	const struct file_identity *identity = &entry->identity;
	uint64_t modified_ns = (uint64_t)identity->modified.tv_sec * 1000000000u + (uint64_t)identity->modified.tv_nsec;
	int len = snprintf(entry->etag, sizeof(entry->etag), "\"%llx-%llx-%llx\"",
	    (unsigned long long)identity->inode, (unsigned long long)identity->size, (unsigned long long)modified_ns);

	assert(len > 0 && (size_t)len < sizeof(entry->etag));
	entry->etag_len = (size_t)len;
}

static bool
is_settled(const struct file_identity *identity)
{
	uint64_t changed_ms = (uint64_t)identity->changed.tv_sec * 1000 + (uint64_t)identity->changed.tv_nsec / 1000000;

	return loop_wall_ms(cache.loop) >= changed_ms + SETTLED_MS;
}

/* The whole of a small file as it is now. False: it is not what the entry says any more. */
static bool
content_read(struct file_entry *entry)
{
	bool settled = is_settled(&entry->identity);
	size_t done = 0;
	struct stat status;

	if (entry->content == NULL)
		entry->content = memory_alloc(entry->size + 1);
	while (done < entry->size) {
		ssize_t got = pread(entry->fd, entry->content + done, entry->size - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	if (fstat(entry->fd, &status) != 0 || !entry_is(entry, &status))
		return false;
	entry->is_settled = settled;
	if (settled)
		fd_close(&entry->fd);
	return true;
}

static struct file_entry *
entry_create(const struct files_root *root, struct span path, int fd, const struct stat *status)
{
	struct file_entry *entry = memory_zalloc(sizeof(*entry) + path.len + 1);

	memcpy(entry->path, path.at, path.len);
	entry->path_len = path.len;
	entry->root_len = root->path.len;
	entry->follows = root->follows;
	entry->identity = identity_of(status);
	entry->size = (uint64_t)status->st_size;
	entry->modified = status->st_mtim.tv_sec;
	entry->fd = fd;
	entry->is_small = entry->size <= FILE_SMALL_MAX;
	entry->refs = 1;
	entry->walked_ms = entry->used_ms = loop_now_ms(cache.loop);
	etag_write(entry);
	http_date_format(entry->last_modified, entry->modified);
	return entry;
}

/* -- the table ---------------------------------------------------------------------------------------------------- */

static size_t
bytes_of(const struct file_entry *entry)
{
	return entry->is_small ? entry->size : 0;
}

static void
entry_remove(struct file_entry *entry)
{
	struct file_entry **at = &cache.cells[entry->hash % CELLS];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	list_remove(&entry->by_use);
	cache.entries--;
	cache.bytes -= bytes_of(entry);
	entry->is_kept = false;
	if (entry->refs == 0)
		entry_free(entry);
}

static struct file_entry *
entry_least_used(void)
{
	struct list_node *node = list_last(&cache.by_use);

	return node ? LIST_OWNER(node, struct file_entry, by_use) : NULL;
}

static void
entry_add(struct file_entry *entry, uint64_t hash)
{
	while (cache.entries >= cache.entries_max || (cache.entries > 0 && cache.bytes + bytes_of(entry) > BYTES_MAX))
		entry_remove(entry_least_used());
	entry->hash = hash;
	entry->next = cache.cells[hash % CELLS];
	cache.cells[hash % CELLS] = entry;
	list_add_first(&cache.by_use, &entry->by_use);
	cache.entries++;
	cache.bytes += bytes_of(entry);
	entry->is_kept = true;
	if (!timer_is_armed(&cache.sweep))
		timer_arm(&cache.sweep, SWEEP_MS);
}

static bool
entry_is_named(const struct file_entry *entry, uint64_t hash, const struct files_root *root, struct span name)
{
	return entry->hash == hash && entry->root_len == root->path.len && entry->follows == root->follows &&
	    entry->path_len == root->path.len + 1 + name.len &&
	    memcmp(entry->path + entry->root_len + 1, name.at, name.len) == 0 &&
	    memcmp(entry->path, root->path.at, root->path.len) == 0;
}

static struct file_entry *
entry_find(uint64_t hash, const struct files_root *root, struct span name)
{
	struct file_entry *entry = cache.cells[hash % CELLS];

	while (entry && !entry_is_named(entry, hash, root, name))
		entry = entry->next;
	return entry;
}

static void
sweep(void *owner)
{
	uint64_t now_ms = loop_now_ms(cache.loop);
	struct file_entry *entry;

	(void)owner;
	while ((entry = entry_least_used()) != NULL && now_ms - entry->used_ms >= UNUSED_MS)
		entry_remove(entry);
	if (entry != NULL)
		timer_arm(&cache.sweep, SWEEP_MS);
}

/* What nobody sends from gives its descriptor back. */
static bool
entries_drop_idle(void)
{
	bool has_dropped = false;
	struct list_node *node = cache.by_use.next;

	while (node != &cache.by_use) {
		struct file_entry *entry = LIST_OWNER(node, struct file_entry, by_use);

		node = node->next;
		if (entry->refs == 0 && entry->fd >= 0) {
			entry_remove(entry);
			has_dropped = true;
		}
	}
	return has_dropped;
}

/* -- looking and opening ------------------------------------------------------------------------------------------ */

/* Whether the walk that files_open() makes still ends at this file. */
static bool
entry_walk(struct file_entry *entry, struct files_root *root)
{
	struct stat status;
	int fd;
	bool is_same;

	if (!files_root_refresh(root) ||
	    files_open(root, entry->path + entry->root_len + 1, O_PATH, &fd, &status) != FILES_FOUND)
		return false;
	is_same = entry_is(entry, &status);
	fd_close(&fd);
	if (is_same)
		entry->walked_ms = loop_now_ms(cache.loop);
	return is_same;
}

static int
status_get(const char *path, bool follows, struct stat *status)
{
	return fstatat(AT_FDCWD, path, status, follows ? 0 : AT_SYMLINK_NOFOLLOW);
}

/*
 * The path was asked in this turn of the loop already, which is after the poll that reported this turn's requests: what
 * was changed before a request arrived is known. Outside of a running loop there are no turns.
 */
static bool
entry_is_looked_at(const struct file_entry *entry, uint64_t turn)
{
	return turn != 0 && entry->looked_turn == turn && (!entry->is_small || entry->is_settled);
}

static bool
entry_is_current(struct file_entry *entry, struct files_root *root)
{
	uint64_t turn = loop_turns(cache.loop);
	struct stat status;

	if (entry_is_looked_at(entry, turn))
		return true;
	if (status_get(entry->path, entry->follows, &status) != 0 || !entry_is(entry, &status))
		return false;
	entry->looked_turn = turn;
	if (loop_now_ms(cache.loop) - entry->walked_ms >= WALK_AGAIN_MS && !entry_walk(entry, root))
		return false;
	return !entry->is_small || entry->is_settled || content_read(entry);
}

static void
entry_use(struct file_entry *entry)
{
	entry->refs++;
	entry->used_ms = loop_now_ms(cache.loop);
	list_remove(&entry->by_use);
	list_add_first(&cache.by_use, &entry->by_use);
}

/* Root, slash and name; false when no path is that long. */
static bool
path_make(const struct files_root *root, struct span name, char to[PATH_MAX], struct span *path_out)
{
	if (root->path.len + 1 + name.len >= PATH_MAX)
		return false;
	memcpy(to, root->path.at, root->path.len);
	to[root->path.len] = '/';
	memcpy(to + root->path.len + 1, name.at, name.len);
	*path_out = span_make(to, root->path.len + 1 + name.len);
	to[path_out->len] = '\0';
	return true;
}

static enum files_result
kind_open(struct files_root *root, const char *name, mode_t kind, int *fd_out, struct stat *status)
{
	int flags = S_ISDIR(kind) ? O_PATH | O_DIRECTORY : O_RDONLY;
	enum files_result result;

	if (!files_root_refresh(root))
		return FILES_MISSING;
	result = files_open(root, name, flags, fd_out, status);
	if (result == FILES_BUSY && entries_drop_idle())
		result = files_open(root, name, flags, fd_out, status);
	return result;
}

/* FILES_BUSY with no entry: it changed while we read it. What is neither file nor directory is not even opened. */
static enum files_result
entry_open(struct files_root *root, struct span name, struct file_entry **entry_out)
{
	char room[PATH_MAX];
	struct span path;
	struct stat status;
	enum files_result result;
	int fd;

	if (!path_make(root, name, room, &path))
		return FILES_MISSING;
	if (status_get(path.at, root->follows, &status) != 0) {
		result = files_result_of(errno);
		files_root_notice(root);
		return result;
	}
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return FILES_MISSING;
	result = kind_open(root, path.at + root->path.len + 1, status.st_mode, &fd, &status);
	if (result != FILES_FOUND) {
		fd_close(&fd);
		return result;
	}
	*entry_out = entry_create(root, path, fd, &status);
	if (!(*entry_out)->is_small || content_read(*entry_out))
		return FILES_FOUND;
	file_unref(*entry_out);
	*entry_out = NULL;
	return FILES_BUSY;
}

enum files_result
files_cache_get(struct files_root *root, struct span name, struct file_entry **entry_out)
{
	uint64_t hash = hash_span(root->seed, name);
	enum files_result result = FILES_BUSY;

	assert(cache.users > 0);
	*entry_out = NULL;
	for (unsigned i = 0; i < CHANGES_MAX && result == FILES_BUSY; i++) {
		struct file_entry *entry = entry_find(hash, root, name);

		if (entry && entry_is_current(entry, root)) {
			entry_use(entry);
			*entry_out = entry;
			return FILES_FOUND;
		}
		if (entry)
			entry_remove(entry);
		result = entry_open(root, name, entry_out);
	}
	if (result == FILES_FOUND)
		entry_add(*entry_out, hash);
	return result;
}

/* -- users -------------------------------------------------------------------------------------------------------- */

/* Not more than an eighth of the descriptors that this process may have. */
static size_t
entries_max(void)
{
	struct rlimit limit;
	size_t most = ENTRIES_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 8 < most)
		most = (size_t)limit.rlim_cur / 8;
	return most > ENTRIES_MIN ? most : ENTRIES_MIN;
}

void
files_cache_join(struct loop *loop)
{
	if (cache.users++ > 0)
		return;
	cache.loop = loop;
	cache.entries_max = entries_max();
	list_init(&cache.by_use);
	timer_init(&cache.sweep, loop, sweep, NULL);
}

void
files_cache_leave(void)
{
	struct file_entry *entry;

	assert(cache.users > 0);
	if (--cache.users > 0)
		return;
	while ((entry = entry_least_used()) != NULL)
		entry_remove(entry);
	timer_fini(&cache.sweep);
}

struct files_cache_load
files_cache_load(void)
{
	return (struct files_cache_load){ .entries = cache.entries, .bytes = cache.bytes };
}
