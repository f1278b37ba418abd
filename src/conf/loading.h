/*
 * loading: what the files that build a tree share; nobody outside this room includes it.
 *
 *	source.c ─▶ yaml.c     one file's text becomes nodes; map.c: merge keys and duplicates
 *	         ─▶ variable.c env_file, and what the environment says
 *	         ─▶ expand.c   ${…} in every scalar
 *	         ─▶ merge.c    an included file's tree into the one above it
 *	pack.c   the finished tree as bytes, and back
 *	watched.c	files whose changes matter while the configuration stays
 */
#ifndef REEVE_CONF_LOADING_H
#define REEVE_CONF_LOADING_H

#include "conf/tree.h"

#include <sys/types.h>

#define CONF_FILE_MAX ((size_t)4 << 20)		/* bytes of a YAML file */
#define CONF_NODES_MAX 100000u			/* of a whole configuration, aliases counted each time */
#define CONF_DEPTH_MAX 64u			/* lists and maps within each other */
#define CONF_VALUE_MAX ((size_t)1 << 20)	/* bytes of an env_file or of a file in ${file:…} */
#define CONF_EXPANDED_MAX ((size_t)16 << 20)	/* bytes that all ${…} may become together */
#define CONF_SOURCES_MAX 1024u			/* files of one configuration */
#define CONF_INCLUDE_DEPTH_MAX 8u

/* A file as places name it. Every place.file of a tree is one of its conf's names, so a pack says them by number. */
struct conf_name {
	struct conf_name	*next;
	const char		*text;
};

struct conf_kept {
	struct conf_kept	*next;
	const char		*path;
	struct span		 contents;
	bool			 is_watched;	/* by conf_file_watched() */
	bool			 is_stale;	/* to be read again before it is given */
};

struct conf_variable {
	struct conf_variable	*next;
	const char		*name;
	const char		*value;
};

/* Behind a pointer of its own, because a const conf still notes what it was asked. */
struct conf_environment {
	struct conf_variable	*asked;		/* what conf_environment() answered */
	struct conf_variable	*from_files;	/* env_file, the latest line first */
	bool			 is_sealed;	/* unpacked: the process's own environment is not looked at */
};

struct conf {
	struct arena		*arena;		/* owned: holds all below, and the tree */
	struct conf_node	*root;
	struct conf_name	*names;
	const char		*directory;	/* the working directory when it was loaded */
	const char		*path;		/* the main file, absolute */
	struct conf_kept	*kept;		/* by conf_file() */
	struct conf_environment	*environment;
	bool			 is_unpacked;
	bool			 reads_again;	/* unpacked, but watched files are looked for on the disk */
};

/* A file being loaded or loaded already. */
struct conf_source {
	struct conf_source		*next;
	const struct conf_source	*parent;	/* the file that includes it */
	const char			*name;
	struct conf_place		 named_at;	/* in the parent; none for the main file */
	dev_t				 device;
	ino_t				 inode;
	unsigned			 depth;
	bool				 is_open;	/* its own includes are still being read */
};

struct conf_loader {
	struct conf		*conf;
	struct conf_problems	*problems;
	struct conf_source	*sources;
	size_t			 source_count;
	size_t			 node_count;
	size_t			 expanded_bytes;
	bool			 is_in_memory;	/* no disk, please */
};

/* Where in the tree a step of loading is: a chain through the stack of the functions that walk it. */
struct conf_step {
	const struct conf_step	*up;
	struct span		 key;	/* .at NULL: an index */
	size_t			 index;
};

struct conf		*conf_create(void);
const char		*conf_name_add(struct conf *conf, const char *text);
void			 conf_list_append(struct conf_node *parent, struct conf_node *child);

/* Paths: `name` as places say it, `relative` as the file of that name says it. All in the arena. */
const char		*conf_beside(struct arena *arena, const char *name, struct span relative);
const char		*conf_absolute(struct arena *arena, const char *directory, const char *path);

/* Absolute; a place without a file stands for the main file. */
const char		*conf_resolve(const struct conf *conf, struct arena *arena, struct conf_place place,
    struct span path);

/* Says it at `place`, with the step's path. Always false. */
bool			 conf_say(struct conf_loader *loader, struct conf_place place, const struct conf_step *step,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same at a node's value, which is then broken. */
bool			 conf_break(struct conf_loader *loader, struct conf_node *node, const struct conf_step *step,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "null", "~" and nothing are YAML's null when they stand without quotes. */
bool			 conf_text_is_null(struct span text);

/* The tree of one file; NULL after a problem that leaves none. An empty file has a root of kind CONF_NULL. */
struct conf_node	*conf_yaml_read(struct conf_loader *loader, const char *name, struct span bytes);

/*
 * A map just read: takes what `merges` (the values of its merge keys, in their order) have and it has not, and drops
 * and reports a key that stands there twice.
 */
void			 conf_map_settle(struct conf_loader *loader, struct conf_node *map,
    const struct conf_node *merges, const struct conf_step *step);

/* ${…} in every scalar below and at node. */
void			 conf_expand(struct conf_loader *loader, struct conf_node *node, const struct conf_step *step);

/* The lines of a file named by env_file. */
void			 conf_variables_read(struct conf_loader *loader, struct conf_node *named,
    const struct conf_step *step);
bool			 conf_variable_name_is_valid(struct span name);
/* What a name stands for, without noting it. NULL when unset. */
const char		*conf_variable_find(const struct conf_environment *environment, const char *name);

/* Loads a file and all it includes. `bytes` is NULL for a file on disk. NULL when there is no tree. */
struct conf_node	*conf_source_load(struct conf_loader *loader, const char *name, const struct span *bytes);

/* The keys of an included root become keys of `into`. */
void			 conf_merge(struct conf_loader *loader, struct conf_node *into, struct conf_node *from);

#endif
