/*
 * policies: the list of all policies, in the order in which a request walks them (docs/configuration.md, "Policies").
 *
 * A new policy is one file and one row here. Names that a later version will know are refused by name until then.
 */
#ifndef REEVE_POLICY_POLICIES_H
#define REEVE_POLICY_POLICIES_H

#include "route/stage.h"

extern const struct policy_type policy_request_id;
extern const struct policy_type policy_log;
extern const struct policy_type policy_deny;
extern const struct policy_type policy_allow;
extern const struct policy_type policy_body;
extern const struct policy_type policy_headers;
extern const struct policy_type policy_errors;

extern const struct policy_type *const policies[];	/* NULL ends */
extern const char *const policies_later[];		/* "not supported in this version"; NULL ends */

#endif
