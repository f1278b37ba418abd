/*
 * h2_priority: the Priority field (RFC 9218 §4): "u=1, i".
 */
#ifndef REEVE_CODEC_H2_PRIORITY_H
#define REEVE_CODEC_H2_PRIORITY_H

#include "base/span.h"

enum { H2_URGENCY_DEFAULT = 3, H2_URGENCY_MAX = 7 };

struct h2_priority {
	uint8_t	urgency;	/* 0 … 7, the lower the sooner */
	bool	is_incremental;
};

/* What the value does not say stays as it is in *priority_io; members that are not understood count for nothing. */
void	h2_priority_parse(struct span value, struct h2_priority *priority_io);

#endif
