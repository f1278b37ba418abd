/*
 * tree: a YAML file after everything textual has happened to it.
 *
 * Anchors, merge keys, `include:` and ${…} are resolved; every node still knows file, line and column it came from.
 * The tree can be packed into bytes and unpacked in another process without YAML: that is how workers get it. Files
 * that the configuration names are read through conf_file(): the first reader (the trial child) reads the disk and
 * keeps the contents, so that they travel in the pack; whoever unpacks gets them from there and never opens the file.
 */
#ifndef REEVE_CONF_TREE_H
#define REEVE_CONF_TREE_H

#include "base/err.h"
#include "conf/problem.h"

enum conf_kind { CONF_NULL, CONF_SCALAR, CONF_LIST, CONF_MAP };

struct conf_node {
	enum conf_kind		 kind;
	bool			 quoted;	/* a scalar in quotes is text, whatever it looks like */
	bool			 secret;	/* came from ${file:…}, or from an environment value: never printed */
	bool			 broken;	/* a problem was reported while loading: readers fail silently */
	struct conf_place	 place;
	struct span		 text;		/* scalar: its value, NUL-terminated */
	struct span		 key;		/* when this is a map's value: its key, NUL-terminated */
	struct conf_place	 key_place;
	struct conf_node	*first;		/* list, map: children in file order */
	struct conf_node	*next;
	size_t			 count;		/* children */
};

struct conf;	/* a tree, its files, and the arena both live in */

/*
 * Reads and resolves path. NULL when the tree cannot be used at all (no such file, not YAML); then, and whenever
 * anything else is wrong, `problems` says what. The root has no `include` any more: its files are part of the tree.
 */
struct conf		*conf_load(const char *path, struct conf_problems *problems);

/* The same from memory. Touches no disk: `include`, `env_file` and ${file:…} are refused. Places say `name`. */
struct conf		*conf_load_bytes(const char *name, struct span bytes, struct conf_problems *problems);
void			 conf_free(struct conf *conf);
const struct conf_node	*conf_root(const struct conf *conf);	/* always a map */
const char		*conf_path(const struct conf *conf);	/* the main file, absolute */

/* The child of a map by key, NULL when absent or not a map. */
const struct conf_node	*conf_get(const struct conf_node *map, const char *key);

/*
 * An item of a list, NULL beyond its end. Where one value stands for a list of one it is its own item, whatever the
 * index.
 */
const struct conf_node	*conf_item(const struct conf_node *list, size_t index);

/* For bundles: bytes that conf_unpack() understands, same build on both sides. */
void			 conf_pack(const struct conf *conf, struct text *to);
struct conf		*conf_unpack(struct span packed, struct err *err);	/* copies what it needs */

/*
 * The contents of a file that a key names. `path` is absolute (OPTION_PATH makes it so). Borrowed from conf; a NUL
 * follows them. False: the sentence says why.
 */
bool			 conf_file(struct conf *conf, const char *path, size_t max_bytes, struct span *contents_out,
    struct err *err);

/*
 * The same for files whose changes on the disk matter while the configuration stays: certificates. Their paths are
 * conf_watched(conf, 0), 1, … until NULL, the last that was read first; conf_watched_contents() is what was read.
 * conf_read_again() forgets their contents, so that the next conf_file_watched() reads the disk, also in an unpacked
 * tree: the trial of a certificate swap does that. conf_watched_keep() takes that back for one of them.
 *
 * conf_watched_group() writes a number for each; those of one number belong together, because the same map names them
 * (a certificate and its key), or because another file ties them so.
 */
bool			 conf_file_watched(struct conf *conf, const char *path, size_t max_bytes,
    struct span *contents_out, struct err *err);
const char		*conf_watched(const struct conf *conf, size_t index);
struct span		 conf_watched_contents(const struct conf *conf, size_t index);
void			 conf_read_again(struct conf *conf);
void			 conf_watched_keep(struct conf *conf, size_t index);
void			 conf_watched_group(const struct conf *conf, size_t *groups_out);

/*
 * ${env} as the templates' {env.NAME} see it: real environment, then env_file. NULL when unset. What was asked for
 * travels in the pack; whoever unpacks sees that and the env_file, never his own environment.
 */
const char		*conf_environment(const struct conf *conf, const char *name);

#endif
