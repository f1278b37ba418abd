/*
 * How many workers `auto` stands for: as many as can run at once, be it CPUs or a cgroup's quota that bounds them.
 */
#include "site/options.h"

#include "base/fd.h"

#include <sched.h>
#include <stdlib.h>

static unsigned
cpus_of_affinity(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static bool
number_read(const char *path, struct span *first_out, struct span *second_out, struct text *text)
{
	struct span line;

	text_clear(text);
	if (!file_read(path, 4096, text, NULL))
		return false;
	line = span_first(text_span(text), span_find(text_span(text), '\n'));
	if (!span_cut(&line, ' ', first_out))
		return false;
	*second_out = line;
	return true;
}

/* Whole CPUs of a quota, rounded up; 0: no quota. */
static unsigned
cpus_of_quota(void)
{
	struct text text = { 0 };
	struct span quota, period;
	uint64_t quota_us = 0, period_us = 0;

	if (number_read("/sys/fs/cgroup/cpu.max", &quota, &period, &text)) {
		if (!span_to_number(quota, UINT32_MAX, &quota_us) || !span_to_number(period, UINT32_MAX, &period_us))
			quota_us = 0;
	} else if (number_read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &period, &text)) {
		if (!span_to_number(quota, UINT32_MAX, &quota_us) ||
		    !number_read("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &quota, &text) ||
		    !span_to_number(period, UINT32_MAX, &period_us))
			quota_us = 0;
	}
	text_fini(&text);
	if (quota_us == 0 || period_us == 0)
		return 0;
	return (unsigned)((quota_us + period_us - 1) / period_us);
}

unsigned
workers_auto(void)
{
	unsigned cpus = cpus_of_affinity(), quota = cpus_of_quota();

	if (quota > 0 && quota < cpus)
		cpus = quota;
	return cpus > 0 ? (cpus < 1024 ? cpus : 1024) : 1;
}
