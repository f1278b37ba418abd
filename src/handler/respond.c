/*
 * respond: an answer from the configuration. What does not change is made when the site is built; answering then is
 * handing over a span.
 */
#include "handler/handlers.h"

#include "base/count.h"
#include "handler/file_types.h"
#include "handler/json_node.h"
#include "handler/key_problem.h"
#include "http/status.h"
#include "request/response.h"

#define CONTENT_FILE_MAX ((size_t)4 << 20)	/* bytes of `file`: it travels in the bundle and stays in memory */

struct respond {
	uint64_t		status;
	struct template		body;
	struct template		json;	/* serialised */
	struct span		file;	/* path */
	struct span		content_type;
	struct template_pairs	headers;

	/* Built. */
	struct span		 content;
	const struct template	*template;	/* filled per request; NULL: the content as it is */
};

/* A value that a client's bytes have made invalid is left out, as in the `headers` policy. */
static void
headers_add(const struct template_pairs *headers, struct request *request)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct template_pair *pair = &headers->items[i];
		struct span value = span_trim(template_fill(&pair->value, request));

		if (value.len > 0 && field_value_is_valid(value))
			fields_add_known(&request->response.fields, pair->id, pair->name, value);
	}
}

static void
respond_start(const void *configured, struct request *request)
{
	const struct respond *respond = configured;
	struct span content = respond->content;

	if (respond->headers.count > 0)
		headers_add(&respond->headers, request);
	if (respond->template)
		content = template_fill(respond->template, request);
	if (respond->content_type.len > 0)
		fields_add(&request->response.fields, FIELD_CONTENT_TYPE, respond->content_type);
	request->response.lasts = true;	/* the site's, or the request's own */
	response_send_content(request, (unsigned)respond->status, content);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static bool
json_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct stage_builder *builder = reader->lent;
	struct template *json = field;
	struct text to = { 0 };
	struct err err;
	bool is_fine;

	if (node->broken)
		return false;
	json_node_add(&to, node);
	text_add_byte(&to, '\n');
	is_fine = template_parse(text_span(&to), builder ? &builder->names : NULL, reader->arena, json, &err);
	json->is_json = true;
	text_fini(&to);
	return is_fine || option_problem(reader, node, "%s", err.text);
}

static bool
header_check(struct option_reader *reader, const struct conf_node *node)
{
	struct field field = { .id = field_name_of(node->key), .name = node->key };
	bool is_fine = true;

	option_enter(reader, node->key.at);
	if (field_is_hop_by_hop(&field, SPAN_OF("")) || field.id == FIELD_CONTENT_LENGTH || field.id == FIELD_DATE ||
	    field.id == FIELD_TRAILER)
		is_fine = option_problem(reader, node, "belongs to the connection and cannot be set");
	else if (field.id == FIELD_CONTENT_TYPE)
		is_fine = option_problem(reader, node, "has a key of its own: content_type");
	option_leave(reader);
	return is_fine;
}

static bool
headers_check(struct option_reader *reader, const struct conf_node *node)
{
	const struct conf_node *headers = conf_get(node, "headers");
	bool is_fine = true;

	if (headers == NULL)
		return true;
	option_enter(reader, "headers");
	for (const struct conf_node *child = headers->first; child; child = child->next)
		is_fine = header_check(reader, child) && is_fine;
	option_leave(reader);
	return is_fine;
}

static bool
respond_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const char *const sources[] = { "body", "json", "file" };
	const struct respond *respond = field;
	const struct conf_node *source = node->kind == CONF_MAP ? NULL : node;
	bool is_fine = headers_check(reader, node);

	for (size_t i = 0; i < COUNT(sources); i++) {
		const struct conf_node *other = conf_get(node, sources[i]);

		if (other && source)
			return key_problem(reader, node, sources[i], "only one of body, json and file can be given");
		source = other ? other : source;
	}
	if (source && (!http_status_has_content((unsigned)respond->status) || respond->status == 205))
		return key_problem(reader, node, "status", "a %u answer has no content", (unsigned)respond->status);
	if (!field_value_is_valid(respond->content_type))
		return key_problem(reader, node, "content_type", "no valid media type");
	return is_fine;
}

static bool
file_load(struct option_reader *reader, const struct conf_node *node, struct respond *respond)
{
	const struct stage_builder *builder = reader->lent;
	struct err err;

	if (!conf_file(builder->conf, respond->file.at, CONTENT_FILE_MAX, &respond->content, &err))
		return key_problem(reader, node, "file", "%s", err.text);
	if (respond->content_type.len == 0)
		respond->content_type = media_type_of(file_types(builder), respond->file);
	return true;
}

static void
content_build(struct respond *respond, const struct template *from, struct span content_type)
{
	if (template_is_empty(from))
		return;
	respond->template = from->parts ? from : NULL;
	respond->content = from->text;
	if (respond->content_type.len == 0)
		respond->content_type = content_type;
}

static bool
respond_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct respond *respond = field;

	if (respond->file.at != NULL)
		return file_load(reader, node, respond);
	content_build(respond, &respond->json, SPAN_OF("application/json"));
	content_build(respond, &respond->body, SPAN_OF("text/plain; charset=utf-8"));
	return true;
}

static void
respond_explain(const void *configured, struct text *to)
{
	const struct respond *respond = configured;

	text_format(to, "respond with %u", (unsigned)respond->status);
	if (respond->file.at != NULL)
		text_format(to, " and %s", respond->file.at);
	else if (respond->content.len > 0)
		text_format(to, " and %zu bytes%s", respond->content.len, respond->template ? " of template" : "");
}

static const struct option respond_options[] = {
	OPTION_NUMBER(struct respond, status, .def = "200", .min = "200", .max = "599", .doc = "Status code."),
	OPTION_CUSTOM(struct respond, body, .parse = template_option, .type = "template", .doc = "The content."),
	OPTION_CUSTOM(struct respond, json, .parse = json_option, .type = "any YAML",
	    .doc = "The content as JSON; scalars in quotes are strings, and strings are templates whose values are escaped."),
	OPTION_PATH(struct respond, file, .doc = "The content from a file, read when the configuration is loaded."),
	OPTION_TEXT(struct respond, content_type,
	    .doc = "Default: `text/plain; charset=utf-8` for text, `application/json` for `json`, by the extension for "
		   "`file`."),
	OPTION_CUSTOM(struct respond, headers, .parse = field_templates_option, .type = "map of templates",
	    .doc = "Further fields of the response."),
	OPTION_END
};

static const struct option_group respond_group = {
	.name = "respond",
	.rows = respond_options,
	.size = sizeof(struct respond),
	.short_key = "body",
	.check = respond_check,
};

const struct handler_type handler_respond = {
	.key = "respond",
	.group = &respond_group,
	.build = respond_build,
	.start = respond_start,
	.explain = respond_explain,
	.doc = "A fixed answer.",
};
