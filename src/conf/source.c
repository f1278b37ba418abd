/*
 * A file and the files it includes. Each file is loaded once, whoever names it; one that is still open when it is named
 * again includes itself. What a glob finds comes in the order of names, so that "10-api.yaml" comes before
 * "20-web.yaml" on every machine.
 */
#include "conf/loading.h"

#include "base/fd.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

/* One entry of `include:`. */
struct inclusion {
	struct conf_loader		*loader;
	const struct conf_source	*source;	/* that includes */
	struct conf_node		*into;		/* its root */
	struct conf_node		*pattern;
	const struct conf_step		*step;
};

static struct conf_node *source_read(struct conf_loader *loader, struct conf_source *source, const struct span *bytes,
    const struct conf_step *step);

/* -- which files --------------------------------------------------------------------------------------------------- */

static struct conf_source *
source_create(struct conf_loader *loader, const struct conf_source *parent, const char *name)
{
	struct conf_source *source = arena_zalloc(loader->conf->arena, sizeof(*source));

	source->parent = parent;
	source->depth = parent ? parent->depth + 1 : 0;
	source->name = conf_name_add(loader->conf, name);
	source->is_open = true;
	source->next = loader->sources;
	loader->sources = source;
	loader->source_count++;
	return source;
}

static const struct conf_source *
source_find(const struct conf_loader *loader, const struct stat *status)
{
	const struct conf_source *source = loader->sources;

	while (source && (source->inode != status->st_ino || source->device != status->st_dev))
		source = source->next;
	return source;
}

/* "a.yaml includes b.yaml includes a.yaml" */
static void
chain_format(const struct conf_source *source, const struct conf_source *from, struct text *to)
{
	if (source != from && source->parent)
		chain_format(source->parent, from, to);
	text_format(to, "%s includes ", source->name);
}

static bool
refuse_loop(const struct inclusion *inclusion, const struct conf_source *known)
{
	struct text chain = { 0 };

	chain_format(inclusion->source, known, &chain);
	text_add_text(&chain, known->name);
	conf_break(inclusion->loader, inclusion->pattern, inclusion->step, "a file includes itself: %s", chain.bytes);
	text_fini(&chain);
	return false;
}

/* False: not to be loaded, because it is already or because that was a problem. */
static bool
may_include(const struct inclusion *inclusion, const char *name, struct stat *status_out)
{
	const struct conf_source *known;

	if (stat(name, status_out) != 0)
		return conf_break(inclusion->loader, inclusion->pattern, inclusion->step, "cannot open %s: %s", name,
		    strerror(errno));
	known = source_find(inclusion->loader, status_out);
	if (known)
		return known->is_open ? refuse_loop(inclusion, known) : false;
	if (inclusion->source->depth >= CONF_INCLUDE_DEPTH_MAX)
		return conf_break(inclusion->loader, inclusion->pattern, inclusion->step,
		    "files include each other deeper than %u levels", CONF_INCLUDE_DEPTH_MAX);
	if (inclusion->loader->source_count >= CONF_SOURCES_MAX)
		return conf_break(inclusion->loader, inclusion->pattern, inclusion->step, "more than %u files",
		    CONF_SOURCES_MAX);
	return true;
}

static void
include_file(const struct inclusion *inclusion, const char *name)
{
	struct conf_source *source;
	struct conf_node *root;
	struct stat status;

	if (!may_include(inclusion, name, &status))
		return;
	source = source_create(inclusion->loader, inclusion->source, name);
	source->named_at = inclusion->pattern->place;
	source->device = status.st_dev;
	source->inode = status.st_ino;
	root = source_read(inclusion->loader, source, NULL, inclusion->step);
	source->is_open = false;
	if (root)
		conf_merge(inclusion->loader, inclusion->into, root);
}

/* -- globs --------------------------------------------------------------------------------------------------------- */

static bool
is_glob(struct span pattern)
{
	return span_find(pattern, '*') < pattern.len || span_find(pattern, '?') < pattern.len ||
	       span_find(pattern, '[') < pattern.len;
}

/* The directory of the including file means itself, whatever bytes are in its name. */
static char *
pattern_beside(struct arena *arena, const char *name, struct span pattern)
{
	size_t slash = span_find_last(span_text(name), '/');
	struct text whole = { 0 };
	char *kept;

	if (name[slash] == '/' && pattern.at[0] != '/') {
		for (size_t i = 0; i <= slash; i++) {
			if (strchr("*?[]\\", name[i]))
				text_add_byte(&whole, '\\');
			text_add_byte(&whole, name[i]);
		}
	}
	text_add(&whole, pattern);
	kept = arena_text(arena, text_span(&whole));
	text_fini(&whole);
	return kept;
}

/* A directory that is not there holds no files; one that may not be read is a problem. */
static int
on_glob_error(const char *path, int error)
{
	return error != ENOENT && error != ENOTDIR;
}

static int
path_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
include_glob(const struct inclusion *inclusion)
{
	const char *pattern = pattern_beside(inclusion->loader->conf->arena, inclusion->source->name,
	    inclusion->pattern->text);
	glob_t found = { 0 };
	int result = glob(pattern, GLOB_NOSORT, on_glob_error, &found);

	if (result != 0 && result != GLOB_NOMATCH)
		conf_break(inclusion->loader, inclusion->pattern, inclusion->step, "cannot look for files: %s",
		    result == GLOB_ABORTED ? strerror(errno) : "no memory");
	if (result == 0) {
		qsort(found.gl_pathv, found.gl_pathc, sizeof(found.gl_pathv[0]), path_compare);
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_file(inclusion, found.gl_pathv[i]);
	}
	globfree(&found);
}

static void
include_pattern(const struct inclusion *inclusion)
{
	const struct conf_node *pattern = inclusion->pattern;
	struct arena *arena = inclusion->loader->conf->arena;

	if (pattern->broken)
		return;
	if (pattern->kind != CONF_SCALAR || pattern->text.len == 0)
		conf_break(inclusion->loader, inclusion->pattern, inclusion->step, "expected a path or a glob");
	else if (inclusion->loader->is_in_memory)
		conf_break(inclusion->loader, inclusion->pattern, inclusion->step,
		    "there are no files beside a configuration in memory");
	else if (is_glob(pattern->text))
		include_glob(inclusion);
	else
		include_file(inclusion, conf_beside(arena, inclusion->source->name, pattern->text));
}

static void
include_all(struct conf_loader *loader, const struct conf_source *source, struct conf_node *root,
    struct conf_node *patterns)
{
	struct conf_step include = { .key = SPAN("include") };
	struct conf_step item = { .up = &include };
	struct inclusion inclusion = { loader, source, root, patterns, &include };

	if (patterns->kind != CONF_LIST) {
		include_pattern(&inclusion);
		return;
	}
	inclusion.step = &item;
	for (inclusion.pattern = patterns->first; inclusion.pattern; inclusion.pattern = inclusion.pattern->next) {
		include_pattern(&inclusion);
		item.index++;
	}
}

/* -- one file ------------------------------------------------------------------------------------------------------ */

static struct conf_node *
child_take(struct conf_node *map, const char *key)
{
	for (struct conf_node **link = &map->first; *link; link = &(*link)->next) {
		struct conf_node *child = *link;

		if (!span_is(child->key, key))
			continue;
		*link = child->next;
		map->count--;
		child->next = NULL;
		return child;
	}
	return NULL;
}

/* First of all, since what it brings is what the rest is expanded with. */
static void
environment_read(struct conf_loader *loader, const struct conf_source *source, struct conf_node *env_file)
{
	struct conf_step step = { .key = SPAN("env_file") };

	if (source->parent) {
		conf_say(loader, env_file->key_place, &step, "only the main file can name an env_file");
		return;
	}
	conf_expand(loader, env_file, &step);
	conf_variables_read(loader, env_file, &step);
}

/* env_file stays a key of the main file; `include` has done its work. */
static void
root_resolve(struct conf_loader *loader, const struct conf_source *source, struct conf_node *root)
{
	struct conf_node *env_file = child_take(root, "env_file");
	struct conf_node *include = child_take(root, "include");

	if (env_file)
		environment_read(loader, source, env_file);
	if (include)
		conf_expand(loader, include, &(struct conf_step){ .key = SPAN("include") });
	conf_expand(loader, root, NULL);
	if (env_file && source->parent == NULL)
		conf_list_append(root, env_file);
	if (include)
		include_all(loader, source, root, include);
}

static struct conf_node *
root_read(struct conf_loader *loader, const struct conf_source *source, struct span bytes)
{
	struct conf_node *root = conf_yaml_read(loader, source->name, bytes);

	if (root == NULL)
		return NULL;
	if (root->kind == CONF_NULL) {
		root->kind = CONF_MAP;
		root->place.line = root->place.column = 1;
	}
	if (root->kind == CONF_MAP)
		return root;
	if (!root->broken)
		conf_say(loader, root->place, NULL, "a configuration is a map of keys, not a %s",
		    root->kind == CONF_LIST ? "list" : "text");
	return NULL;
}

/* `step` and source->named_at: where it is named. */
static struct conf_node *
source_read(struct conf_loader *loader, struct conf_source *source, const struct span *bytes,
    const struct conf_step *step)
{
	struct text contents = { 0 };
	struct conf_node *root = NULL;
	struct err err;

	if (bytes && bytes->len > CONF_FILE_MAX)
		conf_say(loader, source->named_at, NULL, "%s is larger than %zu bytes", source->name, CONF_FILE_MAX);
	else if (bytes == NULL && !file_read(source->name, CONF_FILE_MAX, &contents, &err))
		conf_say(loader, source->named_at, step, "%s", err.text);
	else
		root = root_read(loader, source, bytes ? *bytes : text_span(&contents));
	text_fini(&contents);
	if (root)
		root_resolve(loader, source, root);
	return root;
}

struct conf_node *
conf_source_load(struct conf_loader *loader, const char *name, const struct span *bytes)
{
	struct conf_source *source = source_create(loader, NULL, name);
	struct conf_node *root;
	struct stat status;

	if (bytes == NULL && stat(name, &status) == 0) {
		source->device = status.st_dev;
		source->inode = status.st_ino;
	}
	root = source_read(loader, source, bytes, NULL);
	source->is_open = false;
	return root;
}
