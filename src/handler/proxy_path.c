/*
 * The target for the server: the normalised path, less a prefix or remade by a template, and the query as it came.
 *
 * A template may hold what a client sent, decoded ({query.x}, {header.x}). So what it makes is escaped once more: no
 * space or line end can split the request line. And it must be in the normal form then: a ".." in a value would lead to
 * another place than the template says.
 */
#include "handler/proxy_parts.h"

#include "base/put.h"
#include "http/byte_class.h"
#include "http/uri.h"

/* -- a template's path --------------------------------------------------------------------------------------------- */

/* {query} has its own '?' only when the template writes one. */
bool
proxy_path_has_query(const struct template *path)
{
	struct span rest = path->text;
	size_t at;

	while ((at = span_find(rest, '{')) < rest.len) {
		if (span_find(span_first(rest, at), '?') < at)
			return true;
		rest = span_skip(rest, at + 1);
		if (span_starts_with(rest, SPAN_OF("uri}")))
			return true;
		rest = span_skip(rest, span_find(rest, '}'));
	}
	return span_find(rest, '?') < rest.len;
}

/* Whatever is not of `classes`, nor a percent code, nor in `also`, becomes one. */
static struct span
escape(struct span from, unsigned classes, const char *also, struct arena *arena)
{
	char *to = arena_alloc(arena, from.len * 3 + 1), *at = to;

	for (; from.len > 0; from = span_skip(from, 1)) {
		unsigned char byte = (unsigned char)from.at[0];

		if (percent_code_leads(from) ||
		    (byte != '%' && (byte_is((char)byte, classes) || (byte != 0 && strchr(also, byte) != NULL)))) {
			*at++ = (char)byte;
			continue;
		}
		at = put_percent_code(at, byte);
	}
	return span_between(to, at);
}

static struct span
path_begin(struct span path, struct arena *arena)
{
	return path.len > 0 && path.at[0] == '/' ? path : arena_join(arena, SPAN_OF("/"), path);
}

/* "." or "..", also as percent codes. */
static bool
is_dot_segment(struct span segment)
{
	unsigned dots = 0;

	while (segment.len > 0) {
		if (segment.at[0] == '.')
			segment = span_skip(segment, 1);
		else if (span_equal_nocase(span_first(segment, 3), SPAN_OF("%2e")))
			segment = span_skip(segment, 3);
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

static bool
has_dot_segment(struct span path)
{
	struct span segment;

	while (span_cut(&path, '/', &segment)) {
		if (is_dot_segment(segment))
			return true;
	}
	return false;
}

static bool
template_target(const struct proxy *proxy, struct request *request, struct span *path_out, struct span *query_out,
    bool *has_query_io)
{
	struct span made = template_fill(&proxy->path, request), path = made;
	size_t mark = proxy->path_has_query ? span_find(made, '?') : made.len;

	if (proxy->path_has_query) {
		path = span_first(made, mark);
		*has_query_io = mark < made.len;
		*query_out = escape(span_skip(made, mark + 1), BYTE_PATH, "?", request->arena);
	}
	path = escape(path_begin(path, request->arena), BYTE_PATH, "", request->arena);
	return !has_dot_segment(path) && uri_path_normalise(path, request->arena, path_out);
}

/* -- the target ---------------------------------------------------------------------------------------------------- */

/* Whole segments only: /v1 is no prefix of /v10. */
static struct span
prefix_strip(struct span path, struct span prefix)
{
	struct span rest = span_skip(path, prefix.len);

	if (prefix.len == 0 || !span_starts_with(path, prefix) || (rest.len > 0 && rest.at[0] != '/'))
		return path;
	return rest.len > 0 ? rest : SPAN_OF("/");
}

static struct span
target_join(struct span path, struct span query, bool has_query, struct arena *arena)
{
	char *to;

	if (!has_query)
		return path;
	to = arena_alloc(arena, path.len + 1 + query.len);
	memcpy(to, path.at, path.len);
	to[path.len] = '?';
	if (query.len > 0)
		memcpy(to + path.len + 1, query.at, query.len);
	return span_make(to, path.len + 1 + query.len);
}

/* The path is normal as it came, and stands in an origin-form target: that can be sent as it is. */
static bool
is_as_sent(const struct request *request, struct span path)
{
	return path.at == request->target.at &&
	    request->target.len == path.len + (request->has_query ? 1 + request->query.len : 0);
}

bool
proxy_target(const struct proxy *proxy, struct request *request, struct span *target_out)
{
	struct span path = request->path, query = request->query;
	bool has_query = request->has_query;

	if (path.len == 0 || path.at[0] != '/') {	/* OPTIONS * */
		*target_out = path;
		return true;
	}
	if (!template_is_empty(&proxy->path)) {
		if (!template_target(proxy, request, &path, &query, &has_query))
			return false;
	} else {
		path = prefix_strip(path, proxy->strip_prefix);
		if (is_as_sent(request, path)) {
			*target_out = request->target;
			return true;
		}
	}
	*target_out = target_join(path, query, has_query, request->arena);
	return true;
}
