/*
 * json: reading JSON (RFC 8259) in place: no tree, no copies until a string's text is asked for.
 *
 *	struct json_value whole, pid;
 *	if (json_parse(bytes, &whole) && json_get(whole, "pid", &pid)) … json_number(pid, &number)
 *
 * json_parse() checks every byte, so that walking what it gave cannot fail. Strict: one value, UTF-8, no comments, no
 * trailing comma, at most JSON_DEPTH lists and maps within each other. Writing is text.h's.
 */
#ifndef REEVE_BASE_JSON_H
#define REEVE_BASE_JSON_H

#include "base/text.h"

enum { JSON_DEPTH = 64 };

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind	kind;
	struct span	raw;	/* its text, quotes and brackets included; borrowed from the parsed bytes */
};

bool	json_parse(struct span bytes, struct json_value *value_out);

/* Members of an object or elements of an array, in order. */
struct json_walk {
	struct span	rest;
	bool		has_keys;
};

struct json_walk	json_walk(struct json_value container);	/* of another kind: nothing to walk */

/* key: raw, without its quotes. */
bool			json_next(struct json_walk *walk, struct span *key_out, struct json_value *value_out);

/* The first member whose key is `key` (a plain word: no key that needs escapes is found). */
bool			json_get(struct json_value object, const char *key, struct json_value *value_out);
size_t			json_count(struct json_value container);

/* The text of a string, escapes resolved (a lone surrogate becomes U+FFFD). Nothing for another kind. */
void			json_string_add(struct json_value string, struct text *to);

/* Whole numbers from 0 only; false otherwise. */
bool			json_number(struct json_value number, uint64_t *number_out);

#endif
