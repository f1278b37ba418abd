/*
 * method: request methods (RFC 9110 §9) as an enum, with what their names promise.
 */
#ifndef REEVE_HTTP_METHOD_H
#define REEVE_HTTP_METHOD_H

#include "base/span.h"

enum http_method {
	HTTP_GET = 0, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_CONNECT, HTTP_OPTIONS, HTTP_TRACE, HTTP_PATCH,
	HTTP_METHOD_OTHER,	/* any other token: routes may still match it by name */
	HTTP_METHODS
};

enum http_method	 http_method_of(struct span name);			/* case-sensitive, as the RFC has it */
const char		*http_method_name(enum http_method method);		/* "GET"; OTHER: "" */
bool			 http_method_is_safe(enum http_method method);		/* §9.2.1 */
bool			 http_method_is_idempotent(enum http_method method);	/* §9.2.2 */

#endif
