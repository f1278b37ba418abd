/*
 * orders: the few things of a configuration that the primary itself must know: whom to start, where to listen, where to
 * log. The trial child makes them of a site; the primary reads nothing else.
 */
#ifndef REEVE_PRIMARY_ORDERS_H
#define REEVE_PRIMARY_ORDERS_H

#include "base/arena.h"
#include "base/log.h"
#include "ipc/message_list.h"
#include "net/endpoint.h"
#include "worker/privileges.h"

struct site;
struct conf_problems;

struct orders_listener {
	struct endpoint	 endpoint;
	int		 backlog;
	bool		 reuse_port;
	bool		 has_tls;
	const char	*protocols;	/* for people: "h2 http/1.1" */
};

struct orders {
	struct arena		 arena;		/* holds what is pointed to */
	unsigned		 workers;
	bool			 has_identity;
	struct identity		 identity;
	struct orders_listener	*listeners;	/* in the order of the configuration's `listen` */
	size_t			 listener_count;
	const char		*control;
	const char		*pid_file;	/* NULL: none */
	const char		*state_dir;
	enum log_level		 log_level;
	enum log_form		 log_form;
	const char		*log_output;
	uint64_t		 delay_ms;	/* shutdown */
	uint64_t		 grace_ms;
	uint64_t		 idle_ms;
	uint64_t		 watchdog_ms;	/* 0: off */
};

/*
 * What a site orders, packed. False: a user or group does not exist, or the log's file cannot be opened; the problems
 * say so at the key's place. Looks up users, so not in the primary itself.
 */
bool		 orders_make(const struct site *site, struct conf_problems *problems, struct text *packed);

/* Only whether its user and group exist: what `reeve check` may ask without leaving a trace. */
bool		 orders_check(const struct site *site, struct conf_problems *problems);

struct orders	*orders_unpack(struct span packed, struct err *err);
void		 orders_free(struct orders *orders);	/* NULL is fine */

#endif
