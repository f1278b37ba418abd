/*
 * field: header and trailer fields of one message, in order, with their names interned.
 *
 * A name known to field_names.h is compared by its enum; any other by text without case. `seen` has a bit for each of
 * the first 63 names present, so "is there a Range?" costs one test. Names and values are spans into the message's
 * bytes or arena: they live as long as the request.
 */
#ifndef REEVE_HTTP_FIELD_H
#define REEVE_HTTP_FIELD_H

#include "base/arena.h"
#include "http/field_names.h"

#include <assert.h>

struct field {
	enum field_name	id;
	struct span	name;	/* as it came, or as the row has it */
	struct span	value;	/* without the white space around it */
};

struct fields {
	struct field	*items;	/* arena, or the caller's first room */
	uint32_t	 count;
	uint32_t	 room;
	uint64_t	 seen;	/* bit (id & 63) for each id present; bit 0 says nothing */
	struct arena	*arena;	/* where more room comes from */
};

/*
 * `seen` is exact while every id has a bit of its own. When the list grows past 63 names: keep the names that are asked
 * for with fields_have() in the first 63 rows, let the others share a bit (fields_find() looks at the id itself), keep
 * fields_remove() from clearing a shared bit, and loosen this line.
 */
static_assert(FIELD_NAME_COUNT <= 64, "a bit of struct fields.seen for each name");

/*
 * Once a process, before the first look-up: finds the multiplier of the perfect hash (fast; asserts that one exists).
 */
void		field_names_init(void);
enum field_name	field_name_of(struct span name);	/* any case; FIELD_OTHER when in no row */
struct span	field_name_text(enum field_name id);	/* "Content-Type"; OTHER: empty */

/* first_room may be NULL; arena may be NULL when first_room is never exceeded. */
void		fields_init(struct fields *fields, struct arena *arena, struct field *first_room, uint32_t room);

void		fields_add(struct fields *fields, enum field_name id, struct span value);
void		fields_add_named(struct fields *fields, struct span name, struct span value);	/* interns the name */

/* As fields_add_named() for a name whose id was looked up already. */
static inline void fields_add_known(struct fields *fields, enum field_name id, struct span name, struct span value);

/* Replaces the first and removes the others of that name, or adds. */
void	fields_set(struct fields *fields, enum field_name id, struct span value);
void	fields_set_named(struct fields *fields, struct span name, struct span value);
void	fields_remove(struct fields *fields, enum field_name id);
void	fields_remove_named(struct fields *fields, struct span name);
void	fields_remove_at(struct fields *fields, uint32_t index);

static inline bool
fields_have(const struct fields *fields, enum field_name id)
{
	return (fields->seen >> ((unsigned)id & 63)) & 1;
}

/* The first field of that name, NULL when there is none. */
const struct field	*fields_find(const struct fields *fields, enum field_name id);
const struct field	*fields_find_named(const struct fields *fields, struct span name);

/* Its value, or the empty span. */
struct span		 fields_value(const struct fields *fields, enum field_name id);

/*
 * All values of a list field joined by ", " (RFC 9110 §5.3; Cookie by "; ", RFC 9113 §8.2.3), in the arena when there
 * is more than one. Not for Set-Cookie, which is no list.
 */
struct span		 fields_joined(const struct fields *fields, enum field_name id, struct arena *arena);

/*
 * Whether a comma-separated list field holds that token, without case: fields_have_token(f, FIELD_CONNECTION,
 * "close").
 */
bool			 fields_have_token(const struct fields *fields, enum field_name id, struct span token);

/* RFC 9110 §5.6.2 and §5.5; the value may hold obs-text, no control character but HTAB. */
bool			 field_name_is_valid(struct span name);
bool			 field_value_is_valid(struct span value);

/*
 * Whether a field belongs to one connection only and must not be passed on (RFC 9110 §7.6.1): the fixed ones, and those
 * that the message's own Connection field names.
 *
 * A name in a row of field_names.h, or one that starts with "X-Forwarded-", is end-to-end whatever Connection says:
 * else a client could have Host, Cookie, Authorization or the proxy's own words about him taken out of his request.
 */
bool			 field_is_hop_by_hop(const struct field *field, struct span connection_value);

/* More room in `items`; for fields_add_known(). */
void			 fields_grow(struct fields *fields);

static inline void
fields_add_known(struct fields *fields, enum field_name id, struct span name, struct span value)
{
	struct field *field;

	if (fields->count == fields->room)
		fields_grow(fields);
	field = &fields->items[fields->count++];
	field->id = id;
	field->name = name;
	field->value = value;
	fields->seen |= (uint64_t)1 << ((unsigned)id & 63);
}

#endif
