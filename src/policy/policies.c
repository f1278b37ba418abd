/* The order of the rows is the order of walking; the last to see a request is the first to see its response. */
#include "policy/policies.h"

const struct policy_type *const policies[] = {
	&policy_request_id,
	&policy_log,
	&policy_deny,
	&policy_allow,
	&policy_body,
	&policy_headers,
	&policy_errors,
	NULL,
};

const char *const policies_later[] = {
	"concurrency",
	"rate_limit",
	"cors",
	"auth",
	"csrf",
	"cache",
	"compress",
	"cookies",
	"security_headers",
	NULL,
};
