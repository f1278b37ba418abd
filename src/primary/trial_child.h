/*
 * trial_child: the whole life of a trial's child, without a loop: it reads, builds, answers with one message and is gone.
 */
#ifndef REEVE_PRIMARY_TRIAL_CHILD_H
#define REEVE_PRIMARY_TRIAL_CHILD_H

#include "conf/problem.h"
#include "ipc/bundle.h"
#include "primary/trial.h"

struct site;

/* In a freshly forked process; fd: where the answer goes. */
void	trial_child(int fd, const struct trial_task *task) __attribute__((noreturn));

/* -- what the child's files share ---------------------------------------------------------------------------------- */

struct trial_source {
	const struct trial_task	*task;
	const struct bundle	*in_use;
	/* of a swap, by conf_watched()'s index: not read again; NULL: all are */
	const bool		*is_kept;
};

/* NULL: the problems say why. */
struct site	*trial_site(const struct trial_source *source, struct conf_problems *problems);

/*
 * A swap of which not all files can be used: with as many of the groups that belong together as can (trial_swap.c).
 * NULL: with none. `refused` gets lines: the files that are used; then for each other group why not, and its files.
 */
struct site	*trial_site_of_some(const struct trial_source *source, struct conf_problems *problems,
    struct text *refused);

#endif
