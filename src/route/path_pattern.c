/*
 * A pattern is a list of tokens: literal text, one captured segment, or the rest.
 */
#include "route/path_pattern.h"

#include "http/uri.h"

enum token_kind { TOKEN_LITERAL, TOKEN_CAPTURE, TOKEN_REST };

struct path_token {
	enum token_kind	kind;
	struct span	text;	/* LITERAL */
	size_t		index;	/* CAPTURE */
};

enum { TOKENS_MAX = 64 };

/* -- parsing ------------------------------------------------------------------------------------------------------- */

static bool
name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char byte = byte_lower(name.at[i]);

		if (!((byte >= 'a' && byte <= 'z') || byte == '_' || (i > 0 && byte >= '0' && byte <= '9')))
			return false;
	}
	return name.len > 0 && name.len <= 32;
}

static bool
capture_add(struct capture_names *names, struct span name, struct arena *arena, size_t *index_out, struct err *err)
{
	for (*index_out = 0; *index_out < names->count; ++*index_out)
		if (span_equal(names->items[*index_out], name))
			return true;
	if (names->count == names->room)
		return err_set(err, "more than %zu captures in one route", names->room);
	names->items[names->count++] = arena_copy(arena, name);
	return true;
}

/* "{id}" must be a whole segment: after a slash, and before one or the end. */
static bool
capture_parse(struct span from, size_t at, struct capture_names *names, struct arena *arena,
    struct path_token *token_out, size_t *end_out, struct err *err)
{
	size_t end = span_find(span_skip(from, at), '}') + at;
	struct span name;

	if (end >= from.len)
		return err_set(err, "\"%.*s\" has a { without its }", (int)from.len, from.at);
	name = span_make(from.at + at + 1, end - at - 1);
	if (!name_is_valid(name))
		return err_set(err, "{%.*s} is no name for a capture: letters, digits and _", (int)name.len, name.at);
	if (from.at[at - 1] != '/' || (end + 1 < from.len && from.at[end + 1] != '/'))
		return err_set(err, "{%.*s} must be a whole segment between slashes", (int)name.len, name.at);
	token_out->kind = TOKEN_CAPTURE;
	*end_out = end + 1;
	return capture_add(names, name, arena, &token_out->index, err);
}

/*
 * Its normal form. goes_on: a `*` follows, so its last segment is only the beginning of one: "/.*" is no dot segment. A
 * letter in the place of the star keeps it from being taken for one.
 */
static bool
literal_parse(struct span from, bool goes_on, struct arena *arena, struct path_token *token_out, struct err *err)
{
	struct span whole = goes_on ? arena_join(arena, from, SPAN_OF("x")) : from, normal;

	token_out->kind = TOKEN_LITERAL;
	if (from.len == 0 || from.at[0] != '/')
		return err_set(err, "a path begins with /");
	if (!uri_path_normalise(whole, arena, &normal))
		return err_set(err, "\"%.*s\" is no valid path", (int)from.len, from.at);
	token_out->text = arena_copy(arena, span_first(normal, normal.len - goes_on));
	return true;
}

/* The patterns of a list may share names; in one pattern a name means one segment. */
static bool
captures_twice(const struct path_pattern *pattern, const struct path_token *token)
{
	for (size_t i = 0; i < pattern->count; i++)
		if (pattern->tokens[i].kind == TOKEN_CAPTURE && pattern->tokens[i].index == token->index)
			return true;
	return false;
}

static bool
tokens_parse(struct span from, struct capture_names *names, struct arena *arena, struct path_pattern *pattern,
    struct err *err)
{
	size_t at = 0;

	while (at < from.len) {
		struct path_token *token = &pattern->tokens[pattern->count];
		size_t end = at;

		if (pattern->count == TOKENS_MAX)
			return err_set(err, "\"%.*s\" is too long a pattern", (int)from.len, from.at);
		if (from.at[at] == '*') {
			token->kind = TOKEN_REST;
			if (at + 1 < from.len)
				return err_set(err, "* may only stand at the end of a path");
			end = at + 1;
		} else if (from.at[at] == '{') {
			if (at == 0)
				return err_set(err, "a path begins with /");
			if (!capture_parse(from, at, names, arena, token, &end, err))
				return false;
			if (captures_twice(pattern, token))
				return err_set(err, "\"%.*s\" has two captures of one name", (int)from.len, from.at);
		} else {
			while (end < from.len && from.at[end] != '*' && from.at[end] != '{')
				end++;
			if (!literal_parse(span_make(from.at + at, end - at), end < from.len && from.at[end] == '*',
			    arena, token, err))
				return false;
		}
		pattern->count++;
		at = end;
	}
	return true;
}

bool
path_pattern_parse(struct span from, struct capture_names *names, struct arena *arena, struct path_pattern *pattern_out,
    struct err *err)
{
	*pattern_out = (struct path_pattern){ .text = arena_copy(arena, from) };
	if (from.len == 0 || (from.at[0] != '/' && !span_is(from, "*")))
		return err_set(err, "a path begins with /, got \"%.*s\"", (int)from.len, from.at);
	pattern_out->tokens = arena_zalloc(arena, TOKENS_MAX * sizeof(struct path_token));
	if (!tokens_parse(from, names, arena, pattern_out, err))
		return false;
	if (pattern_out->count == 1 && pattern_out->tokens[0].kind == TOKEN_LITERAL) {
		pattern_out->text = pattern_out->tokens[0].text;
		pattern_out->tokens = NULL;
	}
	return true;
}

/* -- matching ------------------------------------------------------------------------------------------------------ */

bool
path_pattern_matches(const struct path_pattern *pattern, struct span path, struct span *captures)
{
	if (pattern->tokens == NULL)
		return span_equal(pattern->text, path);
	for (size_t i = 0; i < pattern->count; i++) {
		const struct path_token *token = &pattern->tokens[i];
		size_t len;

		switch (token->kind) {
		case TOKEN_REST:
			return true;
		case TOKEN_LITERAL:
			if (!span_starts_with(path, token->text))
				return false;
			path = span_skip(path, token->text.len);
			break;
		case TOKEN_CAPTURE:
			len = span_find(path, '/');
			if (len == 0)
				return false;
			captures[token->index] = span_first(path, len);
			path = span_skip(path, len);
			break;
		}
	}
	return path.len == 0;
}

/* The shortest path that `pattern` fits, with \1 for a captured segment: no literal holds such a byte. */
static struct span
sample_of(const struct path_pattern *pattern, struct arena *arena, bool *has_rest_out)
{
	struct span sample = { NULL, 0 };

	*has_rest_out = false;
	if (pattern->tokens == NULL)
		return pattern->text;
	for (size_t i = 0; i < pattern->count; i++) {
		const struct path_token *token = &pattern->tokens[i];

		if (token->kind == TOKEN_LITERAL) {
			sample = arena_join(arena, sample, token->text);
		} else if (token->kind == TOKEN_CAPTURE) {
			sample = arena_join(arena, sample, SPAN_OF("\1"));
		} else {
			*has_rest_out = true;
		}
	}
	return sample;
}

/* What fits the shortest of `other` up to our own rest fits whatever is added to it. */
bool
path_pattern_covers(const struct path_pattern *pattern, const struct path_pattern *other, struct arena *arena)
{
	struct span captures[64];
	bool rest, own_rest;
	struct span sample = sample_of(other, arena, &rest);

	own_rest = pattern->tokens && pattern->tokens[pattern->count - 1].kind == TOKEN_REST;
	return (own_rest || !rest) && path_pattern_matches(pattern, sample, captures);
}
