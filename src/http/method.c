/*
 * One row a method.
 */
#include "http/method.h"

#include "base/count.h"

#include <assert.h>

static const struct row {
	struct span	name;
	bool		safe;
	bool		idempotent;
} rows[] = {
	[HTTP_GET]	    = { SPAN("GET"),     true,  true },
	[HTTP_HEAD]	    = { SPAN("HEAD"),    true,  true },
	[HTTP_POST]	    = { SPAN("POST"),    false, false },
	[HTTP_PUT]	    = { SPAN("PUT"),     false, true },
	[HTTP_DELETE]	    = { SPAN("DELETE"),  false, true },
	[HTTP_CONNECT]	    = { SPAN("CONNECT"), false, false },
	[HTTP_OPTIONS]	    = { SPAN("OPTIONS"), true,  true },
	[HTTP_TRACE]	    = { SPAN("TRACE"),   true,  true },
	[HTTP_PATCH]	    = { SPAN("PATCH"),   false, false },
	[HTTP_METHOD_OTHER] = { SPAN(""),        false, false },
};
static_assert(COUNT(rows) == HTTP_METHODS, "one row a method");

enum http_method
http_method_of(struct span name)
{
	unsigned method;

	for (method = HTTP_GET; method < HTTP_METHOD_OTHER; method++) {
		if (span_equal(rows[method].name, name))
			break;
	}
	return (enum http_method)method;
}

const char *
http_method_name(enum http_method method)
{
	return rows[method].name.at;
}

bool
http_method_is_safe(enum http_method method)
{
	return rows[method].safe;
}

bool
http_method_is_idempotent(enum http_method method)
{
	return rows[method].idempotent;
}
