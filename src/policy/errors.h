/*
 * errors: what the content of an error answer looks like: problem+json (RFC 9457) or a small HTML page.
 *
 * It never says more than the status, its phrase, one sentence meant for the client, and the request's id.
 */
#ifndef REEVE_POLICY_ERRORS_H
#define REEVE_POLICY_ERRORS_H

#include "request/request.h"

/*
 * As an `errors` policy with its defaults would answer: sets Content-Type, returns the content in the request's arena.
 * For requests that are refused before a route has them. detail may be NULL.
 */
struct span	errors_default_content(struct request *request, unsigned status, const char *detail);

#endif
