/*
 * options: one entry of `upstreams:` as a struct, filled by the rows in options.c. Room-internal but for
 * upstream_group.
 */
#ifndef REEVE_UPSTREAM_OPTIONS_H
#define REEVE_UPSTREAM_OPTIONS_H

#include "conf/option.h"
#include "http/uri.h"
#include "net/tls_client.h"
#include "request/template.h"

/* What may be tried again, as bits. */
enum retry_cause {
	RETRY_CONNECT	= 1 << 0,	/* no connection came about */
	RETRY_RESET	= 1 << 1,	/* it ended before a response did begin */
	RETRY_TIMEOUT	= 1 << 2,	/* no response in time */
	RETRY_502	= 1 << 3,
	RETRY_503	= 1 << 4,
	RETRY_504	= 1 << 5,
};

enum { STATUS_RANGES_MAX = 8 };

struct status_ranges {
	struct { uint16_t from, to; }	items[STATUS_RANGES_MAX];	/* inclusive */
	unsigned	count;
};

/* What the servers speak. h2 at https:// servers is agreed on by ALPN, at http:// ones it is known beforehand. */
enum upstream_protocol { UPSTREAM_HTTP1, UPSTREAM_H2 };

enum balance_kind { BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS, BALANCE_RANDOM_TWO, BALANCE_HASH };

struct server_url {
	struct span		text;	/* as configured */
	struct uri_server	parsed;
};

struct server_options {
	struct server_url	url;
	uint64_t		weight;
	bool			backup;
};

struct agent_limits {
	uint64_t	max_sockets;
	uint64_t	max_free_sockets;
	uint64_t	idle_timeout;	/* ms */
	uint64_t	max_requests;	/* 0: no limit */
	uint64_t	max_age;	/* ms; 0: no limit */
};

struct upstream_timeouts {
	uint64_t	connect;	/* ms; 0: for ever, as all of them */
	uint64_t	response;
	uint64_t	idle;
	bool		has_connect;	/* whether the key was given */
	bool		has_response;
	bool		has_idle;
};

struct retry_options {
	uint64_t	attempts;	/* after the first */
	uint32_t	on;		/* enum retry_cause, or-ed */
	bool		non_idempotent;
	uint64_t	budget;		/* percent */
};

struct health_options {
	struct span		path;
	uint64_t		interval;	/* ms */
	uint64_t		timeout;	/* ms */
	uint64_t		rise;
	uint64_t		fall;
	struct status_ranges	status;
};

struct eject_options {
	uint64_t	failures;	/* 0: never */
	uint64_t	within;		/* ms */
	uint64_t	duration;	/* ms; `for` */
};

struct resolve_options {
	uint64_t	interval;	/* ms */
};

struct queue_options {
	uint64_t	size;		/* requests */
	uint64_t	timeout;	/* ms; 0: for ever */
};

struct upstream_options {
	struct span			name;		/* first: a named record (conf/option.h) */
	struct conf_records		servers;	/* struct server_options */
	struct resolve_options		resolve;
	int				balance;	/* enum balance_kind */
	struct template			hash_key;
	struct agent_limits		agent;
	int				protocol;	/* enum upstream_protocol */
	struct upstream_timeouts	timeouts;
	struct queue_options		queue;
	struct retry_options		retry;
	struct health_options		health;
	bool				has_health;
	struct eject_options		eject;
	bool				has_eject;
	uint64_t			slow_start;	/* ms */
	struct tls_client_options	tls;		/* for servers with https:// */
};

/* The same keys without defaults, for a route that sets some of them aside. */
extern const struct option_group timeouts_override_group;

/* A server or a route's `to`: what this version can reach, else the sentence. */
bool	server_url_parse(struct span text, struct server_url *url_out, struct err *err);

bool	upstream_has_tls(const struct upstream_options *options);	/* some server has */

bool	status_ranges_hold(const struct status_ranges *ranges, unsigned status);

#endif
