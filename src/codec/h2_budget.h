/*
 * h2_budget: how much one peer may ask for that costs us and brings him nothing: resets, pings, settings, empty frames …
 *
 * Each kind is a bucket that leaks: `per_second` times what the kind's row allows flows out, and it holds twice that. One
 * that is over full can only be abuse. Pure: time comes from outside.
 */
#ifndef REEVE_CODEC_H2_BUDGET_H
#define REEVE_CODEC_H2_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* name, how many for each of limits.http2.resets_per_second, what the log calls it */
#define H2_COSTS(C) \
	C(RESETS,	1,	"streams reset at once by the client (rapid reset)") \
	C(ERRORS,	1,	"streams that had to be reset for the client's errors") \
	C(PINGS,	1,	"PING frames") \
	C(SETTINGS,	1,	"SETTINGS frames") \
	C(EMPTIES,	1,	"empty frames") \
	C(PRIORITIES,	4,	"PRIORITY and PRIORITY_UPDATE frames") \
	C(WINDOWS,	10,	"WINDOW_UPDATE frames of a few bytes") \
	C(UNKNOWNS,	1,	"frames of unknown types")

#define H2_COST_ENUM(name, factor, text) H2_COST_##name,
enum h2_cost {
	H2_COSTS(H2_COST_ENUM)
	H2_COST_COUNT
};
#undef H2_COST_ENUM

struct h2_budget {
	uint64_t	leaked_ms;	/* up to when */
	uint32_t	level[H2_COST_COUNT];
};

void		 h2_budget_init(struct h2_budget *budget, uint64_t now_ms);

/* One more. False: too many. */
bool		 h2_budget_spend(struct h2_budget *budget, enum h2_cost cost, uint64_t per_second, uint64_t now_ms);

const char	*h2_cost_text(enum h2_cost cost);

#endif
