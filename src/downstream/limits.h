/*
 * limits: what a client may make us wait for or hold, `limits:` in the configuration.
 */
#ifndef REEVE_DOWNSTREAM_LIMITS_H
#define REEVE_DOWNSTREAM_LIMITS_H

#include "conf/option.h"

struct limits {
	uint64_t	connections;
	uint64_t	connections_per_client;	/* 0: no limit */
	uint64_t	header_size;		/* bytes */
	uint64_t	header_count;
	uint64_t	uri_size;		/* bytes */
	uint64_t	header_timeout;		/* ms, as all timeouts */
	uint64_t	body_timeout;
	uint64_t	send_timeout;
	uint64_t	keepalive_timeout;
	uint64_t	keepalive_requests;	/* 0: no limit */
	uint64_t	loop_lag;		/* ms; 0: off */
	struct h2_limits {
		uint64_t	max_streams;		/* at a time, of one connection */
		uint64_t	window;			/* bytes of content on their way, of one connection */
		uint64_t	resets_per_second;	/* what is more is abuse (codec/h2_budget.h) */
	}		http2;
};

extern const struct option_group limits_group;

#endif
