/*
 * conditional: the preconditions of RFC 9110 §13 in their order.
 */
#ifndef REEVE_HTTP_CONDITIONAL_H
#define REEVE_HTTP_CONDITIONAL_H

#include "http/field.h"
#include "http/method.h"

enum condition_result { CONDITION_PROCEED, CONDITION_NOT_MODIFIED, CONDITION_FAILED /* 412 */ };

/* etag with its quotes (weak: W/"…"), empty when there is none; last_modified in Unix seconds, -1 when unknown. */
enum condition_result	condition_check(enum http_method method, const struct fields *request, struct span etag,
    int64_t last_modified);

/* Whether If-Range lets a Range apply (true when there is no If-Range); needs a strong match. */
bool			condition_allows_range(const struct fields *request, struct span etag, int64_t last_modified);

#endif
