/*
 * stage: what a route is made of: policies it walks through and the handler that ends it. One row and one file each.
 *
 * policies.h and handlers.h list them; the list's order is the order of walking. on_request goes forward until a policy
 * answers, on_response goes back over all policies that were asked (and those that see refusals), on_end over those
 * asked.
 */
#ifndef REEVE_ROUTE_STAGE_H
#define REEVE_ROUTE_STAGE_H

#include "conf/option.h"
#include "request/request.h"
#include "request/template.h"

struct upstreams;	/* upstream/upstreams.h */
struct loop;
struct media_types;	/* http/media.h */

/* What the `log` policy needs of the top-level `log:`; lives as long as the site. */
struct access_log_options {
	bool			access;	/* false: no route is logged */
	struct conf_texts	redact;	/* field, cookie and query names, lower case */
	uint64_t		sample;	/* percent of requests that are logged; errors (5xx) always are */
};

/* What building a stage may use: lent by site/. option_reader.lent points to one. */
struct stage_builder {
	struct option_reader		*reader;
	struct conf			*conf;
	struct arena			*arena;		/* the site's */
	struct template_names		 names;		/* of the route */
	struct upstreams		*upstreams;	/* of the site */
	struct loop			*loop;		/* NULL: checking only, open nothing that lasts */
	struct span			 route;		/* the route being built, as logs name it; may be empty */
	const struct access_log_options	*access_log;	/* NULL: the defaults of `log:` */
	/* not 0 from the stop signal on (read it relaxed); NULL: never */
	const uint64_t			*stopping;
	const struct media_types	**media;	/* where the site's media types are kept once they are needed */
};

enum stage_result {
	STAGE_NEXT,	/* go on */
	STAGE_ANSWERED,	/* the policy has answered (or aborted): the request may be gone */
	STAGE_WAITS,	/* the policy will call chain_resume() */
};

struct policy_type {
	const char			*key;
	const struct option_group	*group;	/* its size is the configuration's size */
	bool				 always;	/* stands on every route, unless it is `off` */
	option_parse			*build;	/* after the options are read; NULL: nothing to build */
	enum stage_result		 (*on_request)(const void *policy, struct request *request);	/* or NULL */
	void				 (*on_response)(const void *policy, struct request *request);	/* or NULL */
	bool				 sees_refusals;	/* on_response also for answers of policies before it */
	void				 (*on_end)(const void *policy, struct request *request);	/* or NULL */
	struct span			 (*error_content)(const void *policy, struct request *request, unsigned status,
	    const char *detail);	/* only `errors` has it */
	const char			*doc;
};

struct handler_type {
	const char			*key;
	const struct option_group	*group;
	option_parse			*build;
	/* Takes the request (request_take()) or answers it. */
	void				 (*start)(const void *handler, struct request *request);
	void				 (*fini)(void *handler);	/* what build opened; or NULL */
	void				 (*explain)(const void *handler, struct text *to);	/* "proxy to api" */
	const char			*doc;
};

/* A template: OPTION_CUSTOM(struct x, body, .parse = template_option, .type = "template", …), field struct template. */
option_parse	template_option;

/* A map name → template: field struct template_pairs. */
struct template_pair {
	enum field_name	id;
	struct span	name;
	struct template	value;
};
struct template_pairs {
	struct template_pair	*items;	/* arena */
	size_t			 count;
};
option_parse	field_templates_option;	/* names must be valid field names */
option_parse	networks_option;	/* field struct networks (base/address.h) */

/* The policies' part of a request's life goes on after STAGE_WAITS. */
void		chain_resume(struct request *request);

#endif
