/*
 * status: status codes and their reason phrases (RFC 9110 §15 and the registry).
 */
#ifndef REEVE_HTTP_STATUS_H
#define REEVE_HTTP_STATUS_H

#include "base/span.h"

const char	*http_status_reason(unsigned status);	/* "Not Found"; unknown codes: "" */

/* "HTTP/1.1 404 Not Found\r\n"; a constant for every code from 100 to 599. */
struct span	 http_status_line(unsigned status);

/* 1xx, 204 and 304 never have content (RFC 9110 §6.4.1). */
static inline bool
http_status_has_content(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

#endif
