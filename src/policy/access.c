/*
 * allow, deny: who may ask, by the client's address as trusted proxies tell it.
 *
 * A client without an address (a proxy named it "unknown") is in no network: `allow` refuses it, `deny` lets it pass.
 */
#include "policy/policies.h"

#include "request/response.h"

struct access {
	struct networks	clients;
};

static enum stage_result
refuse(struct request *request, const char *why)
{
	response_fail(request, 403, NULL, why);
	return STAGE_ANSWERED;
}

static enum stage_result
deny_on_request(const void *configured, struct request *request)
{
	const struct access *policy = configured;

	if (networks_hold(&policy->clients, &request->client_address))
		return refuse(request, "the client's address is in deny");
	return STAGE_NEXT;
}

static enum stage_result
allow_on_request(const void *configured, struct request *request)
{
	const struct access *policy = configured;

	if (!networks_hold(&policy->clients, &request->client_address))
		return refuse(request, "the client's address is not in allow");
	return STAGE_NEXT;
}

static const struct option deny_options[] = {
	OPTION_CUSTOM(struct access, clients, .parse = networks_option, .type = "list of CIDR", .required = true,
	    .doc = "Clients that are refused with 403. Asked before `allow`."),
	OPTION_END
};

static const struct option allow_options[] = {
	OPTION_CUSTOM(struct access, clients, .parse = networks_option, .type = "list of CIDR", .required = true,
	    .doc = "The only clients that are let in; others are refused with 403."),
	OPTION_END
};

static const struct option_group deny_group = {
	.name = "deny", .rows = deny_options, .size = sizeof(struct access), .short_key = "clients",
};

static const struct option_group allow_group = {
	.name = "allow", .rows = allow_options, .size = sizeof(struct access), .short_key = "clients",
};

const struct policy_type policy_deny = {
	.key = "deny",
	.group = &deny_group,
	.on_request = deny_on_request,
	.doc = "Addresses that are refused.",
};

const struct policy_type policy_allow = {
	.key = "allow",
	.group = &allow_group,
	.on_request = allow_on_request,
	.doc = "Addresses that are let in.",
};
