/* Groups first, the user last: afterwards nothing of it can be done or undone. */
#include "worker/privileges.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool
identity_take(const struct identity *identity, struct err *err)
{
	if (setgroups(identity->group_count, identity->groups) != 0)
		return err_set_errno(err, "cannot take the groups of the configured user");
	if (setresgid(identity->gid, identity->gid, identity->gid) != 0)
		return err_set_errno(err, "cannot become group %u", (unsigned)identity->gid);
	if (setresuid(identity->uid, identity->uid, identity->uid) != 0)
		return err_set_errno(err, "cannot become user %u", (unsigned)identity->uid);
	if (identity->uid != 0 && setuid(0) == 0)
		return err_set(err, "root is not given up");
	return true;
}

/*
 * Becoming another user clears "dumpable": no core, and no process of that user may look into our memory, where private
 * keys are. Only who asks for cores (LimitCORE) gets both back.
 */
static void
cores_allow(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur > 0)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

bool
privileges_drop(const struct identity *identity, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(err, "cannot set no_new_privs");
	if (identity == NULL)
		return true;
	if (!identity_take(identity, err))
		return false;
	cores_allow();
	return true;
}
