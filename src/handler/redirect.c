/*
 * redirect: sends the client elsewhere. The place may hold what the client sent, so it is made safe after filling:
 * control characters are refused (RFC 9110 §5.5), what no URI may hold is percent-encoded, and a path never becomes
 * another host ("//evil.example").
 */
#include "handler/handlers.h"

#include "base/put.h"
#include "handler/key_problem.h"
#include "http/byte_class.h"
#include "http/status.h"
#include "request/response.h"

struct redirect {
	struct template	to;
	int		status;

	/* Built. */
	struct span	content;	/* "308 Permanent Redirect\n" */
};

static bool
is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* RFC 3986 §2: what stands in no URI. */
static bool
must_encode(char byte)
{
	return (unsigned char)byte >= 0x80 || byte == ' ' || strchr("\"<>\\^`{|}", byte) != NULL;
}

static struct span
place_encode(struct span place, struct arena *arena)
{
	size_t extra = 0;
	char *to, *at;

	for (size_t i = 0; i < place.len; i++)
		extra += must_encode(place.at[i]) ? 2 : 0;
	if (extra == 0)
		return place;
	to = at = arena_alloc(arena, place.len + extra);
	for (size_t i = 0; i < place.len; i++) {
		if (must_encode(place.at[i]))
			at = put_percent_code(at, (unsigned char)place.at[i]);
		else
			*at++ = place.at[i];
	}
	return span_between(to, at);
}

static bool
has_control(struct span place)
{
	for (size_t i = 0; i < place.len; i++) {
		if (is_control(place.at[i]))
			return true;
	}
	return false;
}

/* "//host" or "/\host" (browsers take the backslash for a slash) where the template meant a path. */
static bool
leaves_host(const struct redirect *redirect, struct span place)
{
	struct span meant = redirect->to.text;

	return place.len > 1 && place.at[0] == '/' && (place.at[1] == '/' || place.at[1] == '\\') &&
	    !span_starts_with(meant, SPAN_OF("//"));
}

/* "https:///path": {host} of a client that sent none. */
static bool
lacks_host(struct span place)
{
	size_t colon = span_find(place, ':');

	return span_find(place, '/') == colon + 1 && span_starts_with(span_skip(place, colon), SPAN_OF(":///"));
}

static void
redirect_start(const void *configured, struct request *request)
{
	const struct redirect *redirect = configured;
	struct span place = span_trim(template_fill(&redirect->to, request));

	if (place.len == 0 || has_control(place) || leaves_host(redirect, place) || lacks_host(place)) {
		response_fail(request, 400, NULL, "the redirect's target is not valid");
		return;
	}
	fields_add(&request->response.fields, FIELD_LOCATION, place_encode(place, request->arena));
	response_send(request, (unsigned)redirect->status, SPAN_OF("text/plain; charset=utf-8"), redirect->content);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static bool
redirect_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct redirect *redirect = field;

	if (template_is_empty(&redirect->to))
		return key_problem(reader, node, "to", "must say where to");
	if (has_control(redirect->to.text))
		return key_problem(reader, node, "to", "must not hold control characters");
	return true;
}

static bool
redirect_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct redirect *redirect = field;

	(void)node;
	redirect->to.is_uri = true;
	redirect->content = span_text(arena_format(reader->arena, "%d %s\n", redirect->status,
	    http_status_reason((unsigned)redirect->status)));
	return true;
}

static void
redirect_explain(const void *configured, struct text *to)
{
	const struct redirect *redirect = configured;

	text_format(to, "redirect (%d) to ", redirect->status);
	text_add(to, redirect->to.text);
}

static const struct option_word redirect_statuses[] = {
	{ "301", 301 }, { "302", 302 }, { "303", 303 }, { "307", 307 }, { "308", 308 }, { NULL, 0 },
};

static const struct option redirect_options[] = {
	OPTION_CUSTOM(struct redirect, to, .parse = template_option, .type = "template", .required = true,
	    .doc = "The `Location`: a URL or a path."),
	OPTION_CHOICE(struct redirect, status, .words = redirect_statuses, .def = "308",
	    .doc = "301, 302 and 303 let clients turn a POST into a GET; 307 and 308 do not."),
	OPTION_END
};

static const struct option_group redirect_group = {
	.name = "redirect",
	.rows = redirect_options,
	.size = sizeof(struct redirect),
	.short_key = "to",
	.check = redirect_check,
};

const struct handler_type handler_redirect = {
	.key = "redirect",
	.group = &redirect_group,
	.build = redirect_build,
	.start = redirect_start,
	.explain = redirect_explain,
	.doc = "Sends the client elsewhere.",
};
