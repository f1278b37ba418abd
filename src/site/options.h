/*
 * options: the top level of the configuration as structs: all keys but `routes` and `defaults`, which become objects
 * (site.h). The one table of top-level keys stands in options.c.
 */
#ifndef REEVE_SITE_OPTIONS_H
#define REEVE_SITE_OPTIONS_H

#include "base/address.h"
#include "base/log.h"
#include "conf/option.h"
#include "downstream/limits.h"
#include "net/endpoint.h"
#include "net/tls_server.h"

enum { WORKERS_AUTO = 0 };

struct listen_options {
	struct endpoint			address;
	struct tls_listen_options	tls;
	bool				has_tls;
	struct conf_texts		protocols;	/* never empty: "h2", "http/1.1", "h2c", the best first */
	bool				proxy_protocol;
	uint64_t			backlog;
	bool				reuse_port;
};

bool	listen_speaks(const struct listen_options *listen, const char *protocol);

enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_PRETTY, LOG_FORMAT_AUTO };

struct log_options {
	enum log_level		level;
	enum log_format		format;
	struct span		output;	/* "stderr", "stdout" or an absolute path */
	bool			access;
	struct conf_texts	redact;	/* field names and query names, lower case */
	uint64_t		sample;	/* percent of requests that are logged; errors always are */
};

struct shutdown_options {
	uint64_t	delay;	/* ms */
	uint64_t	grace;
	uint64_t	idle;
	uint64_t	spread;
};

struct watchdog_options {
	uint64_t	timeout;	/* ms; 0: off */
};

struct site_options {
	uint64_t		workers;	/* WORKERS_AUTO or 1–1024 */
	struct span		user;
	struct span		group;
	struct span		pid_file;
	struct span		control;	/* never empty: the default is filled in */
	struct span		state_dir;
	struct networks		trusted_proxies;
	struct conf_records	listen;		/* struct listen_options */
	struct conf_records	upstreams;	/* struct upstream_options (upstream/upstreams.h) */
	struct limits		limits;
	struct log_options	log;
	struct shutdown_options	shutdown;
	struct watchdog_options	watchdog;
};

/* The whole top level; `routes`, `defaults`, `include`, `env_file` have rows for the reference but no fields. */
extern const struct option_group site_group;

/* Workers that `auto` stands for: CPUs in the affinity mask, less any cgroup quota (v1 and v2); at least 1. */
unsigned	workers_auto(void);

/* The default control socket (docs/configuration.md, "Top level"). */
void		control_path_default(char to[108]);

#endif
