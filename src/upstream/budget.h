/*
 * budget: how many retries are allowed: a share of the requests of the last ten seconds, and always a few.
 *
 * Per upstream and worker. When everything fails, retries would multiply the load on servers that cannot bear it.
 */
#ifndef REEVE_UPSTREAM_BUDGET_H
#define REEVE_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_SECONDS = 10, BUDGET_FEW = 10 };

/* All zero is a good start. */
struct budget {
	uint64_t	second;		/* the newest in the rings */
	uint64_t	requests;	/* sum of the ring */
	uint64_t	retries;
	uint32_t	requests_at[BUDGET_SECONDS];
	uint32_t	retries_at[BUDGET_SECONDS];
};

void	budget_count_request(struct budget *budget, uint64_t now_ms);

/* Whether one more retry is allowed; then it is counted. 0 percent: never. */
bool	budget_take(struct budget *budget, uint64_t percent, uint64_t now_ms);

#endif
