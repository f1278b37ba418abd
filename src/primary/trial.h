/*
 * trial: a child that reads and checks a configuration, so that no mistake in it, nor in the code that reads it, can
 * touch the primary.
 *
 * It is as privileged as the primary. What it found comes back as a sealed bundle, or as lines for a person. A child
 * that crashes or takes longer than 30 s is a refusal like any other.
 */
#ifndef REEVE_PRIMARY_TRIAL_H
#define REEVE_PRIMARY_TRIAL_H

#include "base/text.h"
#include "loop/loop.h"
#include "supervise/family.h"

struct trial;

struct trial_outcome {
	bool		is_accepted;
	int		bundle_fd;	/* accepted: the hearer may take it by setting -1 here */
	struct span	lines;		/* problems when refused, else warnings; borrowed; each ends with '\n' */
};

/* Once, from the loop; the trial is gone afterwards. */
typedef void	 trial_fn(void *owner, struct trial_outcome *outcome);

/* config_path must stay valid. NULL: it cannot even begin. */
struct trial	*trial_start(struct loop *loop, struct family *family, const char *config_path, trial_fn *on_outcome,
    void *owner, struct err *err);
void		 trial_cancel(struct trial *trial);	/* nobody is told. NULL is fine */

#endif
