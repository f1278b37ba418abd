/*
 * option: the rows that every configuration key is made of.
 *
 * A row says key, field, kind, default as a user types it, range and one sentence. From the rows come the parser, every
 * error text, `reeve check --print`, and the reference documentation. A group is the rows of one YAML map and the C
 * struct they fill.
 *
 *	static const struct option agent_options[] = {
 *		OPTION_NUMBER(struct agent_limits, max_sockets, .def = "256", .min = "1", .max = "65535",
 *		    .doc = "Sockets to one server, per worker."),
 *		OPTION_DURATION(struct agent_limits, idle_timeout, .def = "50s", .doc = "…"),
 *		OPTION_END
 *	};
 *	const struct option_group agent_group = {
 *		.name = "agent", .rows = agent_options, .size = sizeof(struct agent_limits),
 *	};
 *
 * Key, field, C type and offset are one token, so they cannot disagree; a field of another C type does not compile.
 */
#ifndef REEVE_CONF_OPTION_H
#define REEVE_CONF_OPTION_H

#include "conf/tree.h"

struct option_reader;
struct option_group;

/* Fills `field` from node; on failure says so with option_problem() and returns false. */
typedef bool option_parse(struct option_reader *reader, const struct conf_node *node, void *field);

/* What of a scalar, up to its end, is a path relative to the file it stands in; empty: none of it. */
typedef struct span option_path(struct span value);

enum option_kind {
	OPTION_KIND_END = 0,
	OPTION_KIND_FLAG,	/* bool			true false (yes no on off) */
	OPTION_KIND_NUMBER,	/* uint64_t		*/
	OPTION_KIND_DURATION,	/* uint64_t, ms		*/
	OPTION_KIND_SIZE,	/* uint64_t, bytes	*/
	OPTION_KIND_PERCENT,	/* uint64_t, 0–100	*/
	OPTION_KIND_TEXT,	/* struct span, NUL-terminated; at NULL when absent */
	OPTION_KIND_PATH,	/* struct span, absolute, NUL-terminated; a relative one starts at its file */
	OPTION_KIND_CHOICE,	/* int-sized enum	one of .words */
	OPTION_KIND_TEXTS,	/* struct conf_texts	a list, or one scalar */
	OPTION_KIND_PAIRS,	/* struct conf_pairs	a map of scalars */
	OPTION_KIND_GROUP,	/* the group's struct, embedded */
	OPTION_KIND_RECORDS,	/* struct conf_records	a list of the group (a map or scalar: a list of one) */
	OPTION_KIND_NAMED,	/* struct conf_records	a map name → group; its struct starts with `struct span name` */
	OPTION_KIND_CUSTOM,	/* .parse		*/
	OPTION_KIND_REFUSED,	/* a key of a later version: refused by name */
};

struct option_word {
	const char	*word;	/* NULL ends the table */
	int		 value;
};

struct conf_texts {
	struct span	*items;	/* each NUL-terminated */
	size_t		 count;
};

struct conf_pair {
	struct span		 name;
	struct span		 value;
	const struct conf_node	*node;	/* the value's */
};

struct conf_pairs {
	struct conf_pair	*items;
	size_t			 count;
};

struct conf_records {
	void	*items;	/* count × the group's size */
	size_t	 count;
};

struct option {
	const char			*key;		/* the field's name; option_key() tells the YAML one */
	const char			*as;		/* OPTION_AS: the YAML key when it is not the field's name */
	enum option_kind		 kind;
	size_t				 offset;
	const char			*def;		/* as typed; NULL: stays zero; TEXTS and CUSTOM also "[a, b]" */
	const char			*min;		/* as typed, inclusive; TEXT: bytes; lists and maps: how many */
	const char			*max;
	bool				 required;
	const struct option_word	*words;		/* CHOICE */
	const struct option_group	*group;		/* GROUP, RECORDS, NAMED */
	option_parse			*parse;		/* CUSTOM */
	const char			*type;		/* CUSTOM: the type's name in the reference, "list of CIDR" */
	option_path			*path;		/* CUSTOM: to print it; or NULL */
	size_t				 present;	/* OPTION_PRESENT of a bool: was the key given */
	const char			*doc;		/* one or two sentences, `code` in backticks */
};

struct option_group {
	const char		*name;		/* in the reference: "timeouts" */
	const struct option	*rows;
	size_t			 size;		/* of the struct */
	const char		*short_key;	/* a value that is no map stands for this key; NULL: must be a map */
	option_parse		*check;		/* rules that need two fields; after all rows, only without errors and
						 * only when the group was given; or NULL */
	const char		*doc;
};

#define OPTION_TYPED(c_type, record, field, kind_, ...) \
	{ .key = #field, .kind = (kind_), \
	  .offset = offsetof(record, field) + \
	      0 * sizeof(char[_Generic(((record *)0)->field, c_type: 1, default: -1)]), __VA_ARGS__ }
#define OPTION_FLAG(record, field, ...)		OPTION_TYPED(bool, record, field, OPTION_KIND_FLAG, __VA_ARGS__)
#define OPTION_NUMBER(record, field, ...)	OPTION_TYPED(uint64_t, record, field, OPTION_KIND_NUMBER, __VA_ARGS__)
#define OPTION_DURATION(record, field, ...)	OPTION_TYPED(uint64_t, record, field, OPTION_KIND_DURATION, __VA_ARGS__)
#define OPTION_SIZE(record, field, ...)		OPTION_TYPED(uint64_t, record, field, OPTION_KIND_SIZE, __VA_ARGS__)
#define OPTION_PERCENT(record, field, ...)	OPTION_TYPED(uint64_t, record, field, OPTION_KIND_PERCENT, __VA_ARGS__)
#define OPTION_TEXT(record, field, ...)		OPTION_TYPED(struct span, record, field, OPTION_KIND_TEXT, __VA_ARGS__)
#define OPTION_PATH(record, field, ...)		OPTION_TYPED(struct span, record, field, OPTION_KIND_PATH, __VA_ARGS__)
#define OPTION_TEXTS(record, field, ...) \
	OPTION_TYPED(struct conf_texts, record, field, OPTION_KIND_TEXTS, __VA_ARGS__)
#define OPTION_PAIRS(record, field, ...) \
	OPTION_TYPED(struct conf_pairs, record, field, OPTION_KIND_PAIRS, __VA_ARGS__)
#define OPTION_RECORDS(record, field, ...) \
	OPTION_TYPED(struct conf_records, record, field, OPTION_KIND_RECORDS, __VA_ARGS__)
#define OPTION_NAMED(record, field, ...) \
	OPTION_TYPED(struct conf_records, record, field, OPTION_KIND_NAMED, __VA_ARGS__)
#define OPTION_CHOICE(record, field, ...) \
	{ .key = #field, .kind = OPTION_KIND_CHOICE, \
	  .offset = offsetof(record, field) + 0 * sizeof(char[sizeof(((record *)0)->field) == sizeof(int) ? 1 : -1]), \
	  __VA_ARGS__ }
#define OPTION_GROUP(record, field, ...) \
	{ .key = #field, .kind = OPTION_KIND_GROUP, .offset = offsetof(record, field), __VA_ARGS__ }
#define OPTION_CUSTOM(record, field, ...) \
	{ .key = #field, .kind = OPTION_KIND_CUSTOM, .offset = offsetof(record, field), __VA_ARGS__ }
#define OPTION_REFUSED(key_, ...) { .key = (key_), .kind = OPTION_KIND_REFUSED, __VA_ARGS__ }
#define OPTION_PRESENT(record, field) (1 + offsetof(record, field))
#define OPTION_END { .kind = OPTION_KIND_END }
/* For a key that is no C identifier or whose field is named otherwise: OPTION_TEXT(struct x, f, OPTION_AS("in"), …) */
#define OPTION_AS(name) .as = (name)

/* The row's key as users write it. */
static inline const char *
option_key(const struct option *row)
{
	return row->as ? row->as : row->key;
}

#define OPTION_DEPTH 80	/* keys and indices in a path: more than conf_load() lets a tree be deep */

/* What reading needs; one for a whole configuration. */
struct option_reader {
	struct conf		*conf;
	struct arena		*arena;	/* where spans, lists and records go: lives as long as the site */
	struct conf_problems	*problems;
	char			 path[512];			/* of the node being read; kept by option_enter/leave */
	size_t			 path_len;
	uint16_t		 path_ends[OPTION_DEPTH];	/* path_len before each enter */
	size_t			 path_depth;
	const void		*lent;	/* whatever the caller wants his custom parsers to see */
};

void		 option_reader_init(struct option_reader *reader, struct conf *conf, struct arena *arena,
    struct conf_problems *problems);

/* Fills a zeroed record: defaults, then the node's keys, then the group's check. node NULL: defaults only, nothing is
 * required and nothing checked. An empty value is an empty map. False when anything was wrong (already reported). */
bool		 option_read(struct option_reader *reader, const struct option_group *group,
    const struct conf_node *node, void *record);

/* One value as a row would read it. For custom parsers that want an ordinary kind inside. */
bool		 option_read_value(struct option_reader *reader, const struct option *row, const struct conf_node *node,
    void *field);

/* Reports at the node (its value, or its key) under the current path; always false. */
bool		 option_problem(struct option_reader *reader, const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void		 option_warning(struct option_reader *reader, const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As those, at that key of a map and with it in the path; at the map when it has no such key. map may be NULL. */
bool		 option_problem_at(struct option_reader *reader, const struct conf_node *map, const char *key,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void		 option_warning_at(struct option_reader *reader, const struct conf_node *map, const char *key,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The node as an error sentence quotes it: "text" with its quotes (cut when long, "******" when secret), `a list`,
 * `a map`, `nothing`. In the reader's arena. */
const char	*option_shown(struct option_reader *reader, const struct conf_node *node);

/* "unknown key (did you mean …?)" at a map's child. */
bool		 option_problem_unknown(struct option_reader *reader, const struct conf_node *child,
    const char *const *known, size_t count);

/* Moves the path: option_enter(r, "match") … option_leave(r). Index: option_enter_index(r, 3) → "[3]". */
void		 option_enter(struct option_reader *reader, const char *key);
void		 option_enter_index(struct option_reader *reader, size_t index);
void		 option_leave(struct option_reader *reader);

/* "off", false: the value that removes an inherited policy. */
bool		 option_is_off(const struct conf_node *node);

/* YAML with every key of the group, given or default (marked "# default"); secrets as "******"; paths absolute.
 * `indent` in spaces. Loads again as the same configuration, but for the secrets. */
void		 option_print(const struct option_group *group, const struct conf_node *node, int indent,
    struct text *to);

/* Markdown rows "| `key` | type | default | sentence |" for the reference, nested groups as `a.b`, records as `a[].b`,
 * named ones as `a.NAME.b`. `prefix` goes before every key ("limits." or ""). Refused rows are left out. */
void		 option_document(const struct option_group *group, const char *prefix, struct text *to);

/* mdoc(7) ".It" items with the same facts, for reeve.yaml(5). */
void		 option_document_man(const struct option_group *group, const char *prefix, struct text *to);

#endif
