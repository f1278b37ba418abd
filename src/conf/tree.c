/* The finished tree and what it keeps beside it: names of files, contents of files, paths. */
#include "conf/tree.h"

#include "base/fd.h"
#include "base/memory.h"
#include "conf/loading.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_BLOCK 16384

struct conf *
conf_create(void)
{
	struct conf *conf = memory_zalloc(sizeof(*conf));

	conf->arena = arena_create(ARENA_BLOCK);
	conf->environment = arena_zalloc(conf->arena, sizeof(*conf->environment));
	conf->directory = conf->path = "";
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	arena_free(conf->arena);
	memory_free(conf);
}

const struct conf_node *
conf_root(const struct conf *conf)
{
	return conf->root;
}

const char *
conf_path(const struct conf *conf)
{
	return conf->path;
}

const struct conf_node *
conf_item(const struct conf_node *list, size_t index)
{
	const struct conf_node *item;

	if (list == NULL || list->kind != CONF_LIST)
		return list;
	for (item = list->first; item && index > 0; index--)
		item = item->next;
	return item;
}

const struct conf_node *
conf_get(const struct conf_node *map, const char *key)
{
	struct span wanted = span_text(key);

	if (map == NULL || map->kind != CONF_MAP)
		return NULL;
	for (const struct conf_node *child = map->first; child; child = child->next) {
		if (span_equal(child->key, wanted))
			return child;
	}
	return NULL;
}

/* Looks for the end: only for the few appended after reading. */
void
conf_list_append(struct conf_node *parent, struct conf_node *child)
{
	struct conf_node **end = &parent->first;

	while (*end)
		end = &(*end)->next;
	*end = child;
	child->next = NULL;
	parent->count++;
}

const char *
conf_name_add(struct conf *conf, const char *text)
{
	struct conf_name *name = arena_zalloc(conf->arena, sizeof(*name));

	name->text = arena_text(conf->arena, span_text(text));
	name->next = conf->names;
	conf->names = name;
	return name->text;
}

/* -- paths --------------------------------------------------------------------------------------------------------- */

static bool
is_absolute(struct span path)
{
	return path.len > 0 && path.at[0] == '/';
}

/* "./a" is "a"; ".." stays, because behind a symbolic link it is another place than it seems. */
static struct span
without_dots(struct span path)
{
	while (path.len >= 2 && path.at[0] == '.' && path.at[1] == '/') {
		path = span_skip(path, 2);
		while (path.len > 0 && path.at[0] == '/')
			path = span_skip(path, 1);
	}
	return path;
}

const char *
conf_beside(struct arena *arena, const char *name, struct span relative)
{
	struct span whole = span_text(name);
	size_t slash = span_find_last(whole, '/');
	struct span directory = span_first(whole, slash < whole.len ? slash + 1 : 0);

	if (is_absolute(relative) || directory.len == 0)
		return arena_text(arena, relative);
	relative = without_dots(relative);
	return arena_format(arena, "%.*s%.*s", (int)directory.len, directory.at, (int)relative.len, relative.at);
}

const char *
conf_absolute(struct arena *arena, const char *directory, const char *path)
{
	struct span relative = without_dots(span_text(path));

	if (is_absolute(span_text(path)))
		return arena_text(arena, span_text(path));
	return arena_format(arena, "%s/%.*s", strcmp(directory, "/") == 0 ? "" : directory, (int)relative.len,
	    relative.at);
}

const char *
conf_resolve(const struct conf *conf, struct arena *arena, struct conf_place place, struct span path)
{
	return conf_absolute(arena, conf->directory, conf_beside(arena, place.file ? place.file : conf->path, path));
}

/* A working directory that is gone leaves the root, so that paths stay absolute. */
static const char *
directory_now(struct arena *arena)
{
	char *now = getcwd(NULL, 0);
	const char *kept = arena_text(arena, span_text(now ? now : "/"));

	free(now);
	return kept;
}

/* -- loading ------------------------------------------------------------------------------------------------------- */

static struct conf *
load(const char *name, const struct span *bytes, struct conf_problems *problems)
{
	struct conf *conf = conf_create();
	struct conf_loader loader = { .conf = conf, .problems = problems, .is_in_memory = bytes != NULL };

	conf->directory = directory_now(conf->arena);
	conf->path = conf_absolute(conf->arena, conf->directory, name);
	conf->root = conf_source_load(&loader, name, bytes);
	if (conf->root == NULL) {
		assert(problems->errors > 0);
		conf_free(conf);
		return NULL;
	}
	return conf;
}

struct conf *
conf_load(const char *path, struct conf_problems *problems)
{
	return load(path, NULL, problems);
}

struct conf *
conf_load_bytes(const char *name, struct span bytes, struct conf_problems *problems)
{
	return load(name, &bytes, problems);
}

/* -- files that keys name ------------------------------------------------------------------------------------------ */

static struct conf_kept *
kept_find(const struct conf *conf, const char *path)
{
	for (struct conf_kept *kept = conf->kept; kept; kept = kept->next) {
		if (strcmp(kept->path, path) == 0)
			return kept;
	}
	return NULL;
}

/* Into `kept`, or into a new one when that is NULL. False: what was kept is as it was. */
static bool
kept_read(struct conf *conf, struct conf_kept *kept, const char *path, size_t max_bytes, struct err *err)
{
	struct text contents = { 0 };
	bool is_read = file_read(path, max_bytes, &contents, err);

	if (is_read && kept == NULL) {
		kept = arena_zalloc(conf->arena, sizeof(*kept));
		kept->path = arena_text(conf->arena, span_text(path));
		kept->next = conf->kept;
		conf->kept = kept;
	}
	if (is_read) {
		kept->contents = span_make(arena_text(conf->arena, text_span(&contents)), contents.len);
		kept->is_stale = false;
	}
	text_fini(&contents);
	return is_read;
}

static bool
kept_give(struct conf *conf, const char *path, size_t max_bytes, bool is_watched, struct span *contents_out,
    struct err *err)
{
	struct conf_kept *kept = kept_find(conf, path);

	if (kept == NULL && conf->is_unpacked && !(is_watched && conf->reads_again))
		return err_set(err, "%s was not read when the configuration was loaded", path);
	if ((kept == NULL || kept->is_stale) && !kept_read(conf, kept, path, max_bytes, err))
		return false;
	if (kept == NULL)
		kept = kept_find(conf, path);
	kept->is_watched |= is_watched;
	if (kept->contents.len > max_bytes)
		return err_set(err, "cannot read %s: it is larger than %zu bytes", path, max_bytes);
	*contents_out = kept->contents;
	return true;
}

bool
conf_file(struct conf *conf, const char *path, size_t max_bytes, struct span *contents_out, struct err *err)
{
	return kept_give(conf, path, max_bytes, false, contents_out, err);
}

bool
conf_file_watched(struct conf *conf, const char *path, size_t max_bytes, struct span *contents_out, struct err *err)
{
	return kept_give(conf, path, max_bytes, true, contents_out, err);
}
