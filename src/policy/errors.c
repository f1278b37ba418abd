/*
 * The shape is chosen for each answer: the operator's page for that status, else JSON unless the client clearly
 * prefers HTML, as a browser does.
 */
#include "policy/errors.h"

#include "http/media.h"
#include "http/negotiate.h"
#include "http/status.h"
#include "policy/policies.h"

#define PAGE_MAX ((size_t)1 << 20)	/* bytes of an operator's page */
#define DETAIL_TYPICAL 256

enum errors_format { ERRORS_JSON, ERRORS_HTML };

/* Statuses that may have a page of their own; the classes come last, a page of its own goes first. */
#define ERROR_PAGES(P) \
	P(400, "400") P(401, "401") P(402, "402") P(403, "403") P(404, "404") P(405, "405") \
	P(406, "406") P(408, "408") P(409, "409") P(410, "410") P(411, "411") P(412, "412") \
	P(413, "413") P(414, "414") P(415, "415") P(416, "416") P(417, "417") P(421, "421") \
	P(422, "422") P(425, "425") P(426, "426") P(428, "428") P(429, "429") P(431, "431") \
	P(451, "451") P(500, "500") P(501, "501") P(502, "502") P(503, "503") P(504, "504") \
	P(505, "505") P(507, "507") \
	P(4, "4xx") P(5, "5xx")

#define ERROR_PAGE_ENUM(status, key) PAGE_##status,
enum { ERROR_PAGES(ERROR_PAGE_ENUM) PAGE_COUNT };
#undef ERROR_PAGE_ENUM

#define ERROR_PAGE_STATUS(status, key) status,
static const unsigned page_statuses[PAGE_COUNT] = { ERROR_PAGES(ERROR_PAGE_STATUS) };
#undef ERROR_PAGE_STATUS

struct errors {
	enum errors_format	format;
	struct span		files[PAGE_COUNT];	/* paths */

	/* Built. */
	bool		has_pages;
	struct span	pages[PAGE_COUNT];	/* contents; borrowed from the conf; at NULL: none */
	struct span	types[PAGE_COUNT];
};

/* -- the two shapes ----------------------------------------------------------------------------------------------- */

static void
shape_begin(struct request *request, struct text *to, struct span content_type)
{
	fields_set(&request->response.fields, FIELD_CONTENT_TYPE, content_type);
	text_init(to);
	text_reserve(to, DETAIL_TYPICAL);
}

static struct span
shape_end(struct request *request, struct text *from)
{
	struct span content = arena_copy(request->arena, text_span(from));

	text_fini(from);
	return content;
}

/* RFC 9457 §4.2.1: about:blank says that the status is all there is; the title is then its phrase. */
static struct span
problem_json(struct request *request, unsigned status, const char *detail)
{
	struct text to;

	shape_begin(request, &to, SPAN_OF("application/problem+json"));
	text_add(&to, SPAN_OF("{\"type\":\"about:blank\""));
	text_json_key(&to, "title");
	text_json_text(&to, http_status_reason(status));
	text_json_key(&to, "status");
	text_json_number(&to, status);
	if (detail != NULL) {
		text_json_key(&to, "detail");
		text_json_text(&to, detail);
	}
	if (request->request_id.len > 0) {
		text_json_key(&to, "request_id");
		text_json_span(&to, request->request_id);
	}
	text_add(&to, SPAN_OF("}\n"));
	return shape_end(request, &to);
}

static struct span
problem_html(struct request *request, unsigned status, const char *detail)
{
	const char *reason = http_status_reason(status);
	struct text to;

	shape_begin(request, &to, SPAN_OF("text/html; charset=utf-8"));
	text_format(&to, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%u %s</title>\n"
	    "<style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36em;padding:0 1em;color:#222}"
	    "small{color:#777}</style>\n<h1>%u %s</h1>\n", status, reason, status, reason);
	if (detail != NULL) {
		text_add(&to, SPAN_OF("<p>"));
		text_html(&to, span_text(detail));
		text_add(&to, SPAN_OF("</p>\n"));
	}
	if (request->request_id.len > 0) {
		text_add(&to, SPAN_OF("<p><small>"));
		text_html(&to, request->request_id);
		text_add(&to, SPAN_OF("</small></p>\n"));
	}
	text_add(&to, SPAN_OF("</html>\n"));
	return shape_end(request, &to);
}

/* Only a client that names HTML with a higher quality gets it; `*` alone is no wish. */
static bool
client_prefers_html(struct request *request)
{
	unsigned html, json, problem;
	struct span accept;

	if (!fields_have(&request->fields, FIELD_ACCEPT))
		return false;
	accept = fields_joined(&request->fields, FIELD_ACCEPT, request->arena);
	if (accept.len == 0)
		return false;
	html = accept_quality(accept, SPAN_OF("text/html"));
	json = accept_quality(accept, SPAN_OF("application/json"));
	problem = accept_quality(accept, SPAN_OF("application/problem+json"));
	return html > json && html > problem;
}

struct span
errors_default_content(struct request *request, unsigned status, const char *detail)
{
	return client_prefers_html(request) ? problem_html(request, status, detail) :
	    problem_json(request, status, detail);
}

/* -- the policy --------------------------------------------------------------------------------------------------- */

/* PAGE_COUNT: none. */
static unsigned
page_find(const struct errors *policy, unsigned status)
{
	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		if (policy->pages[i].at != NULL && (page_statuses[i] == status || page_statuses[i] == status / 100))
			return i;
	}
	return PAGE_COUNT;
}

static struct span
errors_error_content(const void *configured, struct request *request, unsigned status, const char *detail)
{
	const struct errors *policy = configured;

	if (policy->has_pages) {
		unsigned page = page_find(policy, status);

		if (page != PAGE_COUNT) {
			fields_set(&request->response.fields, FIELD_CONTENT_TYPE, policy->types[page]);
			return policy->pages[page];
		}
	}
	if (policy->format == ERRORS_HTML)
		return problem_html(request, status, detail);
	return errors_default_content(request, status, detail);
}

static const struct option_word errors_formats[] = { { "json", ERRORS_JSON }, { "html", ERRORS_HTML }, { NULL, 0 } };

#define ERROR_PAGE_ROW(status, key_) \
	OPTION_PATH(struct errors, files[PAGE_##status], OPTION_AS(key_), .doc = "Page for " key_ "."),
static const struct option errors_options[] = {
	OPTION_CHOICE(struct errors, format, .words = errors_formats, .def = "json",
	    .doc = "`json`: RFC 9457 problem+json, or HTML for a client that prefers it; `html`: always HTML."),
	ERROR_PAGES(ERROR_PAGE_ROW)
	OPTION_END
};
#undef ERROR_PAGE_ROW

static bool
page_load(struct option_reader *reader, const struct conf_node *node, struct errors *policy, unsigned page,
    const struct media_types *types)
{
	const char *key = option_key(&errors_options[page + 1]);
	struct err err;

	if (!conf_file(reader->conf, policy->files[page].at, PAGE_MAX, &policy->pages[page], &err)) {
		option_enter(reader, key);
		option_problem(reader, conf_get(node, key), "%s", err.text);
		option_leave(reader);
		return false;
	}
	if (policy->pages[page].at == NULL)
		policy->pages[page].at = "";
	policy->types[page] = media_type_of(types, policy->files[page]);
	policy->has_pages = true;
	return true;
}

static bool
errors_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct errors *policy = field;
	const struct media_types *types = NULL;
	bool is_fine = true;

	for (unsigned i = 0; i < PAGE_COUNT; i++) {
		if (policy->files[i].at == NULL)
			continue;
		if (types == NULL)
			types = media_types_create(reader->arena, SPAN_OF(""));
		is_fine = page_load(reader, node, policy, i, types) && is_fine;
	}
	return is_fine;
}

static const struct option_group errors_group = {
	.name = "errors",
	.rows = errors_options,
	.size = sizeof(struct errors),
	.short_key = "format",
};

const struct policy_type policy_errors = {
	.key = "errors",
	.group = &errors_group,
	.always = true,
	.build = errors_build,
	.error_content = errors_error_content,
	.doc = "What error answers look like.",
};
