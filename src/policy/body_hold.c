/*
 * While it reads, the policy stands where the handler will. Then it hands the handler a transport that is the
 * protocol's own but for want_body, which gives the held bytes once.
 */
#include "policy/body_hold.h"

#include "base/json.h"
#include "request/response.h"

struct held_content {
	const struct transport	*below;	/* borrowed: the protocol's */
	struct transport	 above;	/* the same, but content comes from here */
	struct text		 bytes;	/* owned until the request's end */
	bool			 must_be_json;
};

static void
held_want_body(struct request *request, bool want)
{
	struct held_content *held = request->held;

	if (!want)
		return;
	request->transport = held->below;
	if (request->events && request->events->on_body)
		request->events->on_body(request, text_span(&held->bytes), true);
}

static void
content_complete(struct request *request)
{
	struct held_content *held = request->held;
	struct json_value value;

	request->events = NULL;
	if (held->must_be_json && !json_parse(text_span(&held->bytes), &value)) {
		response_fail(request, 400, "The content is not valid JSON.", "the content is not valid JSON");
		return;
	}
	held->above = *held->below;
	held->above.want_body = held_want_body;
	request->transport = &held->above;
	chain_resume(request);
}

static void
hold_on_body(struct request *request, struct span piece, bool last)
{
	text_add(&request->held->bytes, piece);
	if (last)
		content_complete(request);
}

/* Nothing to let go before the request's end. */
static void
hold_on_gone(struct request *request)
{
	(void)request;
}

static const struct request_events hold_events = {
	.on_body = hold_on_body,
	.on_gone = hold_on_gone,
};

enum stage_result
body_hold(struct request *request, bool must_be_json)
{
	struct held_content *held = arena_zalloc(request->arena, sizeof(*held));

	held->below = request->transport;
	held->must_be_json = must_be_json;
	request->held = held;
	request_take(request, &hold_events, NULL);
	request_want_body(request, true);
	return STAGE_WAITS;
}

void
body_hold_end(struct request *request)
{
	if (request->held)
		text_fini(&request->held->bytes);
}
