/*
 * body: how much content a request may bring, and how slowly.
 *
 * Content that is too long by its own Content-Length is refused before a byte of it is read; content of unknown length
 * is counted by the transport, which knows the limit from here.
 */
#include "policy/policies.h"

#include "request/response.h"

struct body {
	uint64_t	max_size;	/* bytes */
	uint64_t	timeout;	/* ms; 0: the listener's */
};

static enum stage_result
body_on_request(const void *configured, struct request *request)
{
	const struct body *policy = configured;

	request->body_max = policy->max_size;
	if (policy->timeout != 0)
		request->body_timeout_ms = policy->timeout;
	if (!request->has_length || request->content_length <= policy->max_size)
		return STAGE_NEXT;
	response_fail(request, 413, "The content is longer than this resource takes.",
	    "content is longer than body.max_size");
	return STAGE_ANSWERED;
}

static const struct option body_options[] = {
	OPTION_SIZE(struct body, max_size, .def = "1M", .min = "1",
	    .doc = "More content than this is refused with 413. `body: off` takes the limit away."),
	OPTION_DURATION(struct body, timeout, .min = "1ms",
	    .doc = "Between two reads of the content; longer: 408. Default: `limits.body_timeout`."),
	OPTION_REFUSED("buffer", .doc = "Read the whole content before the handler starts."),
	OPTION_REFUSED("content_types", .doc = "Media types that are accepted."),
	OPTION_REFUSED("json", .doc = "Refuse content that is not valid JSON."),
	OPTION_END
};

static const struct option_group body_group = {
	.name = "body", .rows = body_options, .size = sizeof(struct body),
};

const struct policy_type policy_body = {
	.key = "body",
	.group = &body_group,
	.always = true,
	.on_request = body_on_request,
	.doc = "Limits for the content of a request.",
};
