/*
 * redact: values that must never reach the log, by the names of `log.redact`.
 *
 * A name stands for a field, a cookie and a query parameter at once. Where a field is named that carries others
 * (Cookie), all it carries goes with it.
 */
#ifndef REEVE_POLICY_REDACT_H
#define REEVE_POLICY_REDACT_H

#include "conf/option.h"

#define REDACTED "[redacted]"

/* The query with the values of those names replaced: itself when there are none, else in the arena. */
struct span	redact_query(const struct conf_texts *names, struct span query, struct arena *arena);

/*
 * A template's text with the placeholders of those names replaced. *has_query_out: it holds {query} or {uri}, so it
 * must be filled with a redacted query.
 */
struct span	redact_template(const struct conf_texts *names, struct span text, struct arena *arena,
    bool *has_query_out);

#endif
