/* Every SIGCHLD may stand for many ends: waitid(2) is asked until there is none. */
#include "supervise/family.h"

#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct family {
	struct list_node	 relatives;
	struct loop_signal	*signal;
};

static struct process_end
end_from(const siginfo_t *end)
{
	if (end->si_code == CLD_EXITED)
		return (struct process_end){ .exit_code = end->si_status };
	return (struct process_end){
		.exit_code = -1,
		.signal = end->si_status,
		.has_dumped = end->si_code == CLD_DUMPED,
	};
}

static struct relative *
family_find(const struct family *family, pid_t pid)
{
	const struct list_node *end = &family->relatives;

	for (struct list_node *node = family->relatives.next; node != end; node = node->next) {
		struct relative *relative = LIST_OWNER(node, struct relative, node);

		if (relative->pid == pid)
			return relative;
	}
	return NULL;
}

static void
family_reap(void *owner, int signal_number)
{
	struct family *family = owner;

	(void)signal_number;
	for (;;) {
		siginfo_t seen = { 0 };
		struct process_end end;
		struct relative *relative;

		if (waitid(P_ALL, 0, &seen, WEXITED | WNOHANG) != 0 && errno == EINTR)
			continue;
		if (seen.si_pid == 0)
			return;
		relative = family_find(family, seen.si_pid);
		if (relative == NULL)
			continue;
		end = end_from(&seen);
		relative_forget(relative);
		relative->on_end(relative->owner, &end);
	}
}

struct family *
family_create(struct loop *loop)
{
	struct family *family = memory_zalloc(sizeof(*family));

	list_init(&family->relatives);
	family->signal = loop_signal_create(loop, SIGCHLD, family_reap, family);
	return family;
}

void
family_free(struct family *family)
{
	if (family == NULL)
		return;
	while (!list_is_empty(&family->relatives))
		relative_forget(LIST_OWNER(family->relatives.next, struct relative, node));
	loop_signal_free(family->signal);
	memory_free(family);
}

void
family_add(struct family *family, struct relative *relative, pid_t pid)
{
	relative->pid = pid;
	list_add_last(&family->relatives, &relative->node);
}

void
relative_forget(struct relative *relative)
{
	list_remove(&relative->node);
	relative->pid = 0;
}
