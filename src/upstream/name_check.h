/*
 * name_check: whether the names of an upstream's servers resolve, for `reeve check` and the trial child: a warning
 * each that does not. All names of one configuration together wait for at most two seconds; what is unanswered then
 * is warned of, and what was not asked is not. Never in a worker.
 */
#ifndef REEVE_UPSTREAM_NAME_CHECK_H
#define REEVE_UPSTREAM_NAME_CHECK_H

#include "upstream/options.h"

struct name_check {
	uint64_t	left_ms;
};

void	name_check_init(struct name_check *check);

/* servers: the node that the warnings point at, a list's items each; may be NULL. The reader's path stands there. */
void	name_check(struct name_check *check, struct option_reader *reader, const struct conf_node *servers,
    const struct upstream_options *options);

#endif
