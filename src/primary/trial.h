/*
 * trial: a child that reads and checks a configuration, so that no mistake in it, nor in the code that reads it, can
 * touch the primary.
 *
 * It is as privileged as the primary. What it found comes back as a sealed bundle, or as lines for a person. A child
 * that crashes or takes longer than 30 s is a refusal like any other.
 *
 * There are two kinds. One reads the configuration file. The other (a certificate swap) reads none: it takes the bundle
 * in use and reads only what that watches (conf_file_watched()) anew; the primary's orders stay as they are, byte for
 * byte. Files that belong together are refused together, and do not keep others from being accepted.
 *
 * A certificate that has ended is a mistake, unless there is nothing better: at the first start, or when just that one is
 * in use already.
 */
#ifndef REEVE_PRIMARY_TRIAL_H
#define REEVE_PRIMARY_TRIAL_H

#include "base/text.h"
#include "loop/loop.h"
#include "supervise/family.h"

struct trial;

struct trial_task {
	const char	*config_path;	/* borrowed: must stay valid; also what sentences name */
	/* bundle of the edition in use, for the call; -1: none, it is the first start */
	int		 in_use_fd;
	bool		 is_swap;	/* of that bundle, not of the file */
};

struct trial_outcome {
	bool		is_accepted;
	bool		is_answer;	/* false: the child died, was late or could not pass on what it found */
	int		bundle_fd;	/* accepted: the hearer may take it by setting -1 here */
	struct span	lines;		/* problems when refused, else warnings; borrowed; each ends with '\n' */
	struct span	refused;	/* accepted, but not all of a swap (trial_child.h); borrowed; empty: all */
};

/* Once, from the loop; the trial is gone afterwards. */
typedef void	 trial_fn(void *owner, struct trial_outcome *outcome);

/* NULL: it cannot even begin. */
struct trial	*trial_start(struct loop *loop, struct family *family, const struct trial_task *task,
    trial_fn *on_outcome, void *owner, struct err *err);
void		 trial_cancel(struct trial *trial);	/* nobody is told. NULL is fine */

#endif
