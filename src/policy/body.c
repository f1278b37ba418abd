/*
 * body: how much content a request may bring, how slowly, and of what kind.
 *
 * Content that is too long by its own Content-Length is refused before a byte of it is read; content of unknown length
 * is counted by the transport, which knows the limit from here.
 */
#include "policy/policies.h"

#include "policy/body_hold.h"
#include "request/response.h"

#define HELD_MAX ((uint64_t)16 << 20)	/* bytes that one request may keep in memory */

enum body_json { BODY_JSON_ANY, BODY_JSON_VALID };

struct body {
	uint64_t		max_size;	/* bytes */
	uint64_t		timeout;	/* ms; 0: the listener's */
	bool			buffer;
	struct conf_texts	content_types;
	enum body_json		json;

	/* Built. */
	struct span	accept;	/* the types as an Accept field (RFC 9110 §15.5.16) */
};

/* -- media types -------------------------------------------------------------------------------------------------- */

/* "text/html", "text/" and a star, or two stars; parameters do not count. */
static bool
type_fits(struct span wanted, struct span type)
{
	if (span_is(wanted, "*/*"))
		return true;
	if (span_ends_with(wanted, SPAN_OF("/*"))) {
		wanted = span_first(wanted, wanted.len - 1);
		type = span_first(type, wanted.len);
	}
	return span_equal_nocase(wanted, type);
}

static bool
type_is_accepted(const struct body *policy, struct request *request)
{
	struct span type = fields_joined(&request->fields, FIELD_CONTENT_TYPE, request->arena);

	type = span_trim(span_first(type, span_find(type, ';')));
	for (size_t i = 0; i < policy->content_types.count; i++) {
		if (type.len > 0 && type_fits(policy->content_types.items[i], type))
			return true;
	}
	return false;
}

/* -- the policy --------------------------------------------------------------------------------------------------- */

static enum stage_result
refuse(struct request *request, unsigned status, const char *detail, const char *why)
{
	response_fail(request, status, detail, why);
	return STAGE_ANSWERED;
}

static enum stage_result
content_begin(const struct body *policy, struct request *request)
{
	if (policy->content_types.count > 0 && !type_is_accepted(policy, request)) {
		fields_set(&request->response.fields, FIELD_ACCEPT, policy->accept);
		return refuse(request, 415, NULL, "the content's type is not in body.content_types");
	}
	if (policy->buffer || policy->json == BODY_JSON_VALID)
		return body_hold(request, policy->json == BODY_JSON_VALID);
	return STAGE_NEXT;
}

static enum stage_result
body_on_request(const void *configured, struct request *request)
{
	const struct body *policy = configured;

	request->body_max = policy->max_size;
	if (policy->timeout != 0)
		request->body_timeout_ms = policy->timeout;
	if (request->has_length && request->content_length > policy->max_size)
		return refuse(request, 413, "The content is longer than this resource takes.",
		    "content is longer than body.max_size");
	if (request->has_body)
		return content_begin(policy, request);
	if (request->has_length && policy->json == BODY_JSON_VALID)
		return refuse(request, 400, "The content is not valid JSON.", "the content is empty: not valid JSON");
	return STAGE_NEXT;
}

static void
body_on_end(const void *configured, struct request *request)
{
	(void)configured;
	body_hold_end(request);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static bool
type_is_valid(struct span type)
{
	size_t slash = span_find(type, '/');
	struct span rest = span_skip(type, slash + 1);

	return field_name_is_valid(span_first(type, slash)) && field_name_is_valid(rest);
}

static bool
body_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct body *policy = field;
	bool is_fine = true;

	option_enter(reader, "content_types");
	for (size_t i = 0; i < policy->content_types.count; i++) {
		struct span type = policy->content_types.items[i];

		if (!type_is_valid(type))
			is_fine = option_problem(reader, conf_get(node, "content_types"),
			    "\"%s\" is no media type such as application/json or text/*", type.at);
	}
	option_leave(reader);
	if ((policy->buffer || policy->json == BODY_JSON_VALID) && policy->max_size > HELD_MAX)
		return option_problem(reader, node,
		    "buffer and json keep the content in memory: max_size can be at most 16M with them");
	return is_fine;
}

static bool
body_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct body *policy = field;

	(void)node;
	for (size_t i = 0; i < policy->content_types.count; i++) {
		if (i > 0)
			policy->accept = arena_join(reader->arena, policy->accept, SPAN_OF(", "));
		policy->accept = arena_join(reader->arena, policy->accept, policy->content_types.items[i]);
	}
	return true;
}

static const struct option_word body_json_words[] = {
	{ "any", BODY_JSON_ANY }, { "valid", BODY_JSON_VALID }, { NULL, 0 },
};

static const struct option body_options[] = {
	OPTION_SIZE(struct body, max_size, .def = "1M", .min = "1",
	    .doc = "More content than this is refused with 413. `body: off` takes the limit away."),
	OPTION_DURATION(struct body, timeout, .min = "1ms",
	    .doc = "Between two reads of the content; longer: 408. Default: `limits.body_timeout`."),
	OPTION_FLAG(struct body, buffer, .def = "false",
	    .doc = "Read the whole content into memory before the handler begins, so that a slow client keeps no "
		   "upstream busy."),
	OPTION_TEXTS(struct body, content_types,
	    .doc = "Media types that are taken, `text/*` for all of a kind; other content is refused with 415."),
	OPTION_CHOICE(struct body, json, .words = body_json_words, .def = "any",
	    .doc = "`valid`: content that is not JSON (RFC 8259) is refused with 400 before the handler begins."),
	OPTION_END
};

static const struct option_group body_group = {
	.name = "body", .rows = body_options, .size = sizeof(struct body), .check = body_check,
};

const struct policy_type policy_body = {
	.key = "body",
	.group = &body_group,
	.always = true,
	.build = body_build,
	.on_request = body_on_request,
	.on_end = body_on_end,
	.doc = "Limits for the content of a request.",
};
