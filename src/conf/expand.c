/*
 * ${NAME}, ${NAME:-default} and ${file:path} in scalars, once: what comes out of the environment or a file is not
 * looked at again. `$${` stands for a literal `${`. A default may hold further ${…} and balanced braces.
 */
#include "conf/loading.h"

#include "base/fd.h"

#include <assert.h>

#define DEFAULTS_DEPTH_MAX 8u

struct expansion {
	struct conf_loader	*loader;
	struct conf_node	*node;
	const struct conf_step	*step;
	struct text		 out;
	bool			 is_secret;
};

static bool expand_text(struct expansion *expansion, struct span from, unsigned depth);

/* One problem for each thing that is wrong in the scalar. */
static bool
refuse(struct expansion *expansion, const char *what, struct span name)
{
	return conf_break(expansion->loader, expansion->node, expansion->step, "${%.*s}: %s", (int)name.len, name.at,
	    what);
}

static struct span
without_newline(struct span contents)
{
	if (contents.len > 0 && contents.at[contents.len - 1] == '\n')
		contents.len--;
	if (contents.len > 0 && contents.at[contents.len - 1] == '\r')
		contents.len--;
	return contents;
}

/* Bounded before it grows: one scalar may name a large file a thousand times. */
static bool
value_add(struct expansion *expansion, struct span value)
{
	struct conf_loader *loader = expansion->loader;

	loader->expanded_bytes += value.len;
	if (loader->expanded_bytes > CONF_EXPANDED_MAX)
		return conf_break(loader, expansion->node, expansion->step,
		    "all ${…} together become more than %zu bytes", CONF_EXPANDED_MAX);
	text_add(&expansion->out, value);
	return true;
}

static bool
contents_add(struct expansion *expansion, struct span inner, struct span contents)
{
	if (span_find(contents, '\0') < contents.len)
		return refuse(expansion, "the file holds a NUL byte", inner);
	return value_add(expansion, without_newline(contents));
}

static bool
expand_file(struct expansion *expansion, struct span inner, struct span path)
{
	const char *name = conf_beside(expansion->loader->conf->arena, expansion->node->place.file, path);
	struct text contents = { 0 };
	struct err err;
	bool is_good;

	expansion->is_secret = true;
	if (path.len == 0)
		return refuse(expansion, "a path is missing after `file:`", inner);
	if (expansion->loader->is_in_memory)
		return refuse(expansion, "there are no files beside a configuration in memory", inner);
	is_good = file_read(name, CONF_VALUE_MAX, &contents, &err)
	    ? contents_add(expansion, inner, text_span(&contents))
	    : refuse(expansion, err.text, inner);
	text_fini(&contents);
	return is_good;
}

/* Where the ":-" of "NAME:-default" stands; inner.len when there is none. */
static size_t
default_find(struct span inner)
{
	size_t colon = span_find(inner, ':');

	return colon + 1 < inner.len && inner.at[colon + 1] == '-' ? colon : inner.len;
}

/* As in a shell, ":-" also stands in for a variable that is set to nothing. */
static bool
expand_variable(struct expansion *expansion, struct span inner, unsigned depth)
{
	struct arena *arena = expansion->loader->conf->arena;
	size_t end = default_find(inner);
	struct span name = span_first(inner, end);
	const char *value;

	if (!conf_variable_name_is_valid(name))
		return refuse(expansion,
		    "expected NAME, NAME:-default or file:PATH between the braces (`$${` is a plain `${`)", inner);
	value = conf_variable_find(expansion->loader->conf->environment, arena_text(arena, name));
	if (end < inner.len && (value == NULL || *value == '\0'))
		return expand_text(expansion, span_skip(inner, end + 2), depth + 1);
	if (value == NULL)
		return conf_break(expansion->loader, expansion->node, expansion->step,
		    "the environment variable %.*s is not set (${%.*s:-default} gives it a default)", (int)name.len,
		    name.at, (int)name.len, name.at);
	expansion->is_secret = true;
	return value_add(expansion, span_text(value));
}

/* After a "${": how long its inside is; from.len when it has no end. */
static size_t
inside_length(struct span from)
{
	size_t depth = 1;

	for (size_t i = 0; i < from.len; i++) {
		if (from.at[i] == '{')
			depth++;
		else if (from.at[i] == '}' && --depth == 0)
			return i;
	}
	return from.len;
}

/* From "${" on; moves *rest_io behind its "}". */
static bool
expand_one(struct expansion *expansion, struct span *rest_io, unsigned depth)
{
	static const struct span file = SPAN("file:");
	struct span from = span_skip(*rest_io, 2);
	size_t length = inside_length(from);
	struct span inner = span_first(from, length);

	*rest_io = span_skip(from, length + 1);
	if (length == from.len)
		return conf_break(expansion->loader, expansion->node, expansion->step,
		    "a `${` has no `}` (`$${` is a plain `${`)");
	if (depth > DEFAULTS_DEPTH_MAX)
		return refuse(expansion, "defaults within defaults go too deep", inner);
	if (span_starts_with(inner, file))
		return expand_file(expansion, inner, span_skip(inner, file.len));
	return expand_variable(expansion, inner, depth);
}

static bool
expand_text(struct expansion *expansion, struct span from, unsigned depth)
{
	static const struct span literal = SPAN("$${"), opening = SPAN("${");
	bool is_good = true;

	while (from.len > 0) {
		if (span_starts_with(from, literal)) {
			text_add(&expansion->out, opening);
			from = span_skip(from, literal.len);
		} else if (span_starts_with(from, opening)) {
			is_good &= expand_one(expansion, &from, depth);
			if (expansion->loader->expanded_bytes > CONF_EXPANDED_MAX)
				return false;
		} else {
			text_add_byte(&expansion->out, from.at[0]);
			from = span_skip(from, 1);
		}
	}
	return is_good;
}

/* The node takes what came out; without quotes it is what its new text looks like. */
static void
node_take(struct expansion *expansion)
{
	struct conf_node *node = expansion->node;
	struct span text = text_span(&expansion->out);

	node->text = span_make(arena_text(expansion->loader->conf->arena, text), text.len);
	node->secret = expansion->is_secret;
	if (!node->quoted && conf_text_is_null(text))
		node->kind = CONF_NULL;
}

static bool
holds_opening(struct span text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.at[i] == '$' && text.at[i + 1] == '{')
			return true;
	}
	return false;
}

static void
scalar_expand(struct conf_loader *loader, struct conf_node *node, const struct conf_step *step)
{
	struct expansion expansion = { .loader = loader, .node = node, .step = step };

	if (node->broken || !holds_opening(node->text))
		return;
	if (loader->expanded_bytes > CONF_EXPANDED_MAX) {
		node->broken = true;
		return;
	}
	if (expand_text(&expansion, node->text, 0))
		node_take(&expansion);
	text_fini(&expansion.out);
}

void
conf_expand(struct conf_loader *loader, struct conf_node *node, const struct conf_step *step)
{
	struct conf_step below = { .up = step };

	if (node->kind == CONF_SCALAR)
		scalar_expand(loader, node, step);
	for (struct conf_node *child = node->first; child; child = child->next, below.index++) {
		below.key = child->key;
		conf_expand(loader, child, &below);
	}
}
