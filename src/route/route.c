/*
 * Finding a route is a walk in file order; serving it, a walk through its policies to its handler.
 */
#include "route/route.h"

#include "request/response.h"

const struct route *
route_find(const struct route_table *table, struct request *request)
{
	for (size_t i = 0; i < table->count; i++)
		if (match_fits(&table->routes[i]->match, request))
			return table->routes[i];
	return NULL;
}

void
chain_resume(struct request *request)
{
	const struct route *route = request->route;

	while (request->stage < route->policy_count) {
		const struct route_policy *policy = &route->policies[request->stage++];

		if (policy->type->on_request && policy->type->on_request(policy->options, request) != STAGE_NEXT)
			return;
	}
	request->state = REQUEST_HANDLED;
	request->handler = route->handler_options;
	route->handler->start(route->handler_options, request);
}

void
route_walk(struct request *request, const struct route *route)
{
	request->route = route;
	request->stage = 0;
	chain_resume(request);
}

void
route_refuse(struct request *request, const struct route *route, unsigned status, const char *why)
{
	request->route = route;
	request->stage = route->policy_count;
	response_fail(request, status, NULL, why);
}

void
route_back(struct request *request)
{
	const struct route *route = request->route;

	for (unsigned i = route->policy_count; i-- > 0;) {
		const struct route_policy *policy = &route->policies[i];

		if (policy->type->on_response && (i < request->stage || policy->type->sees_refusals))
			policy->type->on_response(policy->options, request);
	}
}

struct span
route_error_content(struct request *request, unsigned status, const char *detail)
{
	const struct route *route = request->route;

	if (route->errors == NULL)
		return span_make(NULL, 0);
	return route->errors->type->error_content(route->errors->options, request, status, detail);
}

void
route_end(struct request *request)
{
	const struct route *route = request->route;

	for (unsigned i = 0; i < request->stage; i++) {
		const struct route_policy *policy = &route->policies[i];

		if (policy->type->on_end)
			policy->type->on_end(policy->options, request);
	}
}
