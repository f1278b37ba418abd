/* clock_gettime(2), which the vDSO answers without a system call, and the civil calendar by arithmetic. */
#include "base/clock.h"

#include <time.h>

#define MS_PER_DAY UINT64_C(86400000)
#define LAST_MS UINT64_C(253402300799999)	/* 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for the year */

static struct timespec
clock_read(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now;
}

uint64_t
clock_ms(void)
{
	struct timespec now = clock_read(CLOCK_MONOTONIC);

	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
clock_ns(void)
{
	struct timespec now = clock_read(CLOCK_MONOTONIC);

	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
clock_wall_ms(void)
{
	struct timespec now = clock_read(CLOCK_REALTIME);

	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static char *
digits_put(char *to, unsigned number, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		to[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return to + count;
}

/*
 * The date of a day since 1970-01-01. Years are counted from March, so that the leap day is the last of its year and
 * the months' lengths repeat every five months (153 days).
 */
static char *
date_put(char *to, unsigned days_since_1970)
{
	unsigned days = days_since_1970 + 719468;	/* since 0000-03-01 */
	unsigned era = days / 146097;			/* 400 years */
	unsigned day_of_era = days % 146097;
	unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * day_of_year + 2) / 153;	/* 0: March */
	unsigned day = day_of_year - (153 * month + 2) / 5 + 1;
	unsigned year = era * 400 + year_of_era + (month >= 10);

	to = digits_put(to, year, 4);
	*to++ = '-';
	to = digits_put(to, month < 10 ? month + 3 : month - 9, 2);
	*to++ = '-';
	return digits_put(to, day, 2);
}

void
clock_format_rfc3339(char to[24], uint64_t wall_ms)
{
	unsigned ms_of_day;

	if (wall_ms > LAST_MS)
		wall_ms = LAST_MS;
	ms_of_day = (unsigned)(wall_ms % MS_PER_DAY);
	to = date_put(to, (unsigned)(wall_ms / MS_PER_DAY));
	*to++ = 'T';
	to = digits_put(to, ms_of_day / 3600000, 2);
	*to++ = ':';
	to = digits_put(to, ms_of_day / 60000 % 60, 2);
	*to++ = ':';
	to = digits_put(to, ms_of_day / 1000 % 60, 2);
	*to++ = '.';
	to = digits_put(to, ms_of_day % 1000, 3);
	*to = 'Z';
}
