/*
 * template: text with {placeholders}, parsed once, filled per request.
 *
 * docs/configuration.md has the names. `{{` and `}}` stand for braces. A template without placeholders costs
 * nothing to fill: the result is its own text.
 */
#ifndef REEVE_REQUEST_TEMPLATE_H
#define REEVE_REQUEST_TEMPLATE_H

#include "base/err.h"
#include "request/request.h"

struct template_part;

struct template {
	struct span		 text;		/* as configured */
	struct template_part	*parts;		/* arena; NULL: the text as it is */
	size_t			 count;
	bool			 is_json;	/* what is filled in stands in JSON strings: escaped, RFC 8259 §7 */
	/* behind a '?', a value of the client is filled in as one value, escaped */
	bool			 is_uri;
};

/* Where {env.NAME} looks; NULL value: an error. */
typedef const char *template_env(const void *owner, const char *name);

struct template_names {
	const struct span	*captures;	/* names of the route's path captures, by index */
	size_t			 capture_count;
	template_env		*env;
	const void		*env_owner;
};

/* names may be NULL: no captures, no {env.…}. The error names the placeholder and suggests. */
bool		template_parse(struct span from, const struct template_names *names, struct arena *arena,
    struct template *template_out, struct err *err);

bool		template_is_empty(const struct template *template);
/* In the request's arena. */
struct span	template_fill(const struct template *template, struct request *request);

/* The names that a template may hold, for suggestions and the reference: "client_ip", …; NULL ends. */
extern const char *const template_placeholder_names[];

#endif
