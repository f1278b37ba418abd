/*
 * files: static files beneath a directory.
 *
 *	path ─▶ name ─┬─▶ file ─▶ its precompressed sibling? ─▶ files_send()
 *	              ├─▶ directory ─▶ with a slash? ─▶ index ─▶ listing
 *	              └─▶ nothing ─▶ fallback ─▶ 404
 */
#include "handler/files.h"

#include "base/log.h"
#include "handler/file_types.h"
#include "handler/handlers.h"
#include "handler/key_problem.h"
#include "http/negotiate.h"
#include "http/uri.h"
#include "request/response.h"

#include <assert.h>

static const struct files_coding codings[] = {
	{ SPAN("br"), SPAN(".br") },
	{ SPAN("gzip"), SPAN(".gz") },
	{ SPAN("zstd"), SPAN(".zst") },
};
static_assert(sizeof(codings) / sizeof(codings[0]) == FILES_CODINGS_MAX, "each coding fits into a list");

/* -- from the path to a name -------------------------------------------------------------------------------------- */

bool
files_name_is_hidden(struct span name)
{
	bool is_first = true;
	struct span part;

	if (name.len == 0 || memchr(name.at, '.', name.len) == NULL)
		return false;
	for (; span_cut(&name, '/', &part); is_first = false) {
		if (part.len > 0 && part.at[0] == '.' && !(is_first && span_is(part, ".well-known")))
			return true;
	}
	return false;
}

/* A prefix ends where a segment ends. */
static struct span
prefix_strip(struct span path, struct span prefix)
{
	struct span rest;

	if (prefix.len == 0 || !span_starts_with(path, prefix))
		return path;
	rest = span_skip(path, prefix.len);
	if (rest.len > 0 && rest.at[0] != '/' && prefix.at[prefix.len - 1] != '/')
		return path;
	return rest;
}

/* Relative, decoded, without the slash at its start. False: no file can have that name. */
static bool
name_of(const struct files *files, struct request *request, struct span *name_out)
{
	struct span name = prefix_strip(request->path, files->strip_prefix);

	if (name.len > 0 && name.at[0] == '/')
		name = span_skip(name, 1);
	if (!uri_decode_path(name, request->arena, name_out))
		return false;
	return files->hidden || !files_name_is_hidden(*name_out);
}

static bool
ends_with_slash(struct span path)
{
	return path.len > 0 && path.at[path.len - 1] == '/';
}

/* -- answers ------------------------------------------------------------------------------------------------------ */

static const struct refusal {
	unsigned	 status;
	const char	*why;
} refusals[] = {
	[FILES_MISSING] = { 404, NULL },
	[FILES_DIRECTORY] = { 404, NULL },
	[FILES_FORBIDDEN] = { 403, "the file cannot be read: permission denied" },
	[FILES_BUSY] = { 503, "the file cannot be opened now" },
	[FILES_FAILED] = { 500, "the file cannot be opened" },
};

static void
refuse(struct request *request, enum files_result result)
{
	if (result == FILES_BUSY)
		fields_set(&request->response.fields, FIELD_RETRY_AFTER, SPAN_OF("1"));
	response_fail(request, refusals[result].status, NULL, refusals[result].why);
}

static struct span
type_of(const struct files *files, struct file_entry *entry, struct span name)
{
	if (entry->type_owner != files->number) {
		entry->type = media_type_of(files->types, name);
		entry->type_owner = files->number;
	}
	return entry->type;
}

/* The codings that the client takes, best first; equal ones in the configured order. */
static size_t
codings_accepted(const struct files *files, struct request *request, const struct files_coding *to[FILES_CODINGS_MAX])
{
	struct span accept = fields_joined(&request->fields, FIELD_ACCEPT_ENCODING, request->arena);
	unsigned qualities[FILES_CODINGS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < files->precompressed.count; i++) {
		const struct files_coding *coding = files->precompressed.items[i];
		unsigned quality = accept_encoding_quality(accept, coding->name);
		size_t at = count;

		if (quality == 0)
			continue;
		for (; at > 0 && qualities[at - 1] < quality; at--) {
			qualities[at] = qualities[at - 1];
			to[at] = to[at - 1];
		}
		qualities[at] = quality;
		to[at] = coding;
		count++;
	}
	return count;
}

/* The sibling takes the place of the file, whose media type it keeps. */
static void
choose_sibling(const struct files *files, struct request *request, struct span name, struct files_choice *choice)
{
	const struct files_coding *accepted[FILES_CODINGS_MAX];
	size_t count = codings_accepted(files, request, accepted);

	for (size_t i = 0; i < count; i++) {
		struct span sibling = arena_join(request->arena, name, accepted[i]->extension);
		struct file_entry *entry;

		if (files_cache_get(files->root, sibling, &entry) != FILES_FOUND)
			continue;
		file_unref(choice->entry);
		choice->entry = entry;
		choice->coding = accepted[i];
		return;
	}
}

/* Answers when there is such a file; otherwise the request is as it was. */
static enum files_result
file_serve(const struct files *files, struct request *request, struct span name)
{
	struct files_choice choice = { 0 };
	enum files_result result = files_cache_get(files->root, name, &choice.entry);

	if (result != FILES_FOUND)
		return result;
	choice.type = type_of(files, choice.entry, name);
	if (files->precompressed.count > 0 && fields_have(&request->fields, FIELD_ACCEPT_ENCODING))
		choose_sibling(files, request, name, &choice);
	files_send(files, request, &choice);
	return FILES_FOUND;
}

static void
not_found(const struct files *files, struct request *request)
{
	struct span fallback = files->fallback;
	enum files_result result = FILES_MISSING;

	while (fallback.len > 0 && fallback.at[0] == '/')
		fallback = span_skip(fallback, 1);
	if (fallback.len > 0)
		result = file_serve(files, request, fallback);
	if (result != FILES_FOUND)
		refuse(request, result);
}

/*
 * A directory without its slash: relative links of its page would go astray. The new place is a path with one slash at
 * its start, so that "//evil.example/dir" does not become another host's.
 */
static void
slash_add(struct request *request)
{
	struct span path = request->path;
	struct span place;

	while (path.len > 1 && path.at[1] == '/')
		path = span_skip(path, 1);
	place = arena_join(request->arena, path, SPAN_OF("/"));
	if (request->has_query) {
		place = arena_join(request->arena, place, SPAN_OF("?"));
		place = arena_join(request->arena, place, request->query);
	}
	fields_set(&request->response.fields, FIELD_LOCATION, place);
	response_send(request, 301, SPAN_OF("text/plain; charset=utf-8"), SPAN_OF("301 Moved Permanently\n"));
}

static void
directory_serve(const struct files *files, struct request *request, struct span name)
{
	enum files_result result = FILES_MISSING;

	for (size_t i = 0; i < files->index.count; i++) {
		result = file_serve(files, request, arena_join(request->arena, name, files->index.items[i]));
		if (result == FILES_FOUND)
			return;
		if (result != FILES_MISSING && result != FILES_DIRECTORY) {
			refuse(request, result);
			return;
		}
	}
	if (files->listing) {
		result = files_listing_send(files, request, arena_text(request->arena, name));
		if (result == FILES_FOUND)
			return;
	}
	if (result == FILES_MISSING || result == FILES_DIRECTORY)
		not_found(files, request);
	else
		refuse(request, result);
}

static void
files_start(const void *configured, struct request *request)
{
	const struct files *files = configured;
	enum files_result result;
	struct span name;

	if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
		fields_set(&request->response.fields, FIELD_ALLOW, SPAN_OF("GET, HEAD"));
		response_fail(request, 405, NULL, NULL);
		return;
	}
	if (!name_of(files, request, &name)) {
		refuse(request, FILES_MISSING);
		return;
	}
	if (ends_with_slash(name) || (name.len == 0 && ends_with_slash(request->path))) {
		directory_serve(files, request, name);
		return;
	}
	result = name.len == 0 ? FILES_DIRECTORY : file_serve(files, request, name);
	if (result == FILES_DIRECTORY)
		slash_add(request);
	else if (result == FILES_MISSING)
		not_found(files, request);
	else if (result != FILES_FOUND)
		refuse(request, result);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static const struct files_coding *
coding_find(struct span name)
{
	for (size_t i = 0; i < FILES_CODINGS_MAX; i++) {
		if (span_equal(codings[i].name, name))
			return &codings[i];
	}
	return NULL;
}

static bool
coding_add(struct option_reader *reader, const struct conf_node *node, struct files_codings *list)
{
	const struct files_coding *coding = node->kind == CONF_SCALAR ? coding_find(node->text) : NULL;

	if (node->broken)
		return false;
	if (coding == NULL)
		return option_problem(reader, node, "expected br, gzip or zstd, got %s", option_shown(reader, node));
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i] == coding)
			return option_problem(reader, node, "stands here twice");
	}
	list->items[list->count++] = coding;
	return true;
}

static bool
codings_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	bool is_fine = true;

	if (node->broken)
		return false;
	if (option_is_off(node))
		return true;
	if (node->kind != CONF_LIST)
		return coding_add(reader, node, field);
	for (const struct conf_node *child = node->first; child; child = child->next)
		is_fine = coding_add(reader, child, field) && is_fine;
	return is_fine;
}

static bool
index_check(struct option_reader *reader, const struct conf_node *node, const struct files *files)
{
	for (size_t i = 0; i < files->index.count; i++) {
		struct span name = files->index.items[i];

		if (name.len == 0 || memchr(name.at, '/', name.len) != NULL)
			return key_problem(reader, node, "index", "\"%s\" is no file name", name.at);
	}
	return true;
}

static bool
files_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct files *files = field;

	if (files->strip_prefix.len > 0 && files->strip_prefix.at[0] != '/')
		return key_problem(reader, node, "strip_prefix", "must start with a slash");
	if (files->fallback.len > 0 && (files->fallback.at[0] != '/' || ends_with_slash(files->fallback)))
		return key_problem(reader, node, "fallback", "must be a file beneath the root and start with a slash");
	if (!field_value_is_valid(files->cache_control))
		return key_problem(reader, node, "cache_control", "no valid field value");
	return index_check(reader, node, files);
}

/* A missing root is an error of the configuration, but no reason for a worker, which may start later, not to run. */
static bool
root_build(struct option_reader *reader, const struct conf_node *node, struct files *files, struct loop *loop)
{
	struct err err;

	files->root = arena_zalloc(reader->arena, sizeof(*files->root));
	files->root->path = files->root_path;
	files->root->follows = files->follow_symlinks;
	files->root->loop = loop;
	if (files_root_open(files->root, &err)) {
		if (loop == NULL)
			files_root_close(files->root);
		return true;
	}
	if (loop == NULL)
		return key_problem(reader, node, "root", "%s", err.text);
	files->root->is_missed = true;
	log_say(MSG_FILES_ROOT_MISSING, log_span("root", files->root_path), log_text("error", err.text));
	return true;
}

static bool
files_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static uint64_t last_number;
	const struct stage_builder *builder = reader->lent;
	struct files *files = field;

	files->types = file_types(builder);
	files->number = ++last_number;
	if (!root_build(reader, node, files, builder->loop))
		return false;
	if (builder->loop)
		files_cache_join(builder->loop);
	return true;
}

static void
files_fini(void *configured)
{
	struct files *files = configured;

	if (files->root == NULL || files->root->loop == NULL)
		return;
	files_root_close(files->root);
	files_cache_leave();
}

static void
files_explain(const void *configured, struct text *to)
{
	const struct files *files = configured;

	text_format(to, "files beneath %s", files->root_path.at);
}

static const struct option files_options[] = {
	OPTION_PATH(struct files, root_path, OPTION_AS("root"), .required = true,
	    .doc = "The directory. What its path leads to at the moment of a request counts, so it can be swapped."),
	OPTION_TEXT(struct files, strip_prefix, .doc = "Taken off the path before it is looked up."),
	OPTION_TEXTS(struct files, index, .def = "[index.html]", .doc = "Files that stand for their directory."),
	OPTION_TEXT(struct files, fallback,
	    .doc = "File that answers, with 200, for what is not there: the page of a single-page application."),
	OPTION_CUSTOM(struct files, precompressed, .parse = codings_option, .type = "list of br, gzip, zstd",
	    .doc = "Look for `NAME.br`, `.gz`, `.zst` beside a file when the client takes that coding; equally wanted "
		   "ones in this order."),
	OPTION_TEXT(struct files, cache_control, .doc = "The `Cache-Control` of every file."),
	OPTION_FLAG(struct files, listing, .def = "false",
	    .doc = "List directories without an index, as HTML or, when `Accept` prefers it, JSON."),
	OPTION_FLAG(struct files, hidden, .def = "false",
	    .doc = "Serve names that start with a dot. `/.well-known` is always served."),
	OPTION_FLAG(struct files, follow_symlinks, .def = "false",
	    .doc = "Follow symbolic links, as long as they are relative and stay beneath the root."),
	OPTION_END
};

static const struct option_group files_group = {
	.name = "files",
	.rows = files_options,
	.size = sizeof(struct files),
	.short_key = "root",
	.check = files_check,
};

const struct handler_type handler_files = {
	.key = "files",
	.group = &files_group,
	.build = files_build,
	.start = files_start,
	.fini = files_fini,
	.explain = files_explain,
	.doc = "Static files.",
};
