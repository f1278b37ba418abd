/* Names are compared as the receiver will read them: without case, and percent codes decoded. */
#include "policy/redact.h"

#include "http/byte_class.h"

#define NAME_MAX_BYTES 128	/* a longer query name is compared by its start: no name to redact is that long */

static bool
redact_holds(const struct conf_texts *names, struct span name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (span_equal_nocase(names->items[i], name))
			return true;
	}
	return false;
}

/* -- query -------------------------------------------------------------------------------------------------------- */

static struct span
name_decode(struct span name, char room[NAME_MAX_BYTES])
{
	size_t len = 0;

	if (name.len == 0 || memchr(name.at, '%', name.len) == NULL)
		return name;
	while (name.len > 0 && len < NAME_MAX_BYTES) {
		if (percent_code_leads(name)) {
			room[len++] = percent_code_value(name.at);
			name = span_skip(name, 3);
		} else {
			room[len++] = name.at[0];
			name = span_skip(name, 1);
		}
	}
	return span_make(room, len);
}

/* "name=value" whose value must go. */
static bool
part_is_secret(const struct conf_texts *names, struct span part)
{
	char room[NAME_MAX_BYTES];
	size_t equals = span_find(part, '=');

	return equals + 1 < part.len && redact_holds(names, name_decode(span_first(part, equals), room));
}

static bool
query_has_secret(const struct conf_texts *names, struct span query)
{
	struct span part;

	while (span_cut(&query, '&', &part)) {
		if (part_is_secret(names, part))
			return true;
	}
	return false;
}

struct span
redact_query(const struct conf_texts *names, struct span query, struct arena *arena)
{
	struct text to = { 0 };
	struct span part, result;

	if (query.len == 0 || !query_has_secret(names, query))
		return query;
	for (bool is_first = true; span_cut(&query, '&', &part); is_first = false) {
		if (!is_first)
			text_add_byte(&to, '&');
		if (part_is_secret(names, part)) {
			text_add(&to, span_first(part, span_find(part, '=') + 1));
			text_add(&to, SPAN_OF(REDACTED));
		} else {
			text_add(&to, part);
		}
	}
	result = arena_copy(arena, text_span(&to));
	text_fini(&to);
	return result;
}

/* -- templates ---------------------------------------------------------------------------------------------------- */

static bool
take_prefix(struct span *name_io, const char *prefix)
{
	if (!span_starts_with(*name_io, span_text(prefix)))
		return false;
	*name_io = span_skip(*name_io, strlen(prefix));
	return true;
}

/* name: what stands between the braces. */
static bool
placeholder_is_secret(const struct conf_texts *names, struct span name)
{
	if (take_prefix(&name, "cookie."))
		return redact_holds(names, SPAN_OF("cookie")) || redact_holds(names, name);
	if (take_prefix(&name, "header.") || take_prefix(&name, "query."))
		return redact_holds(names, name);
	return false;
}

struct span
redact_template(const struct conf_texts *names, struct span text, struct arena *arena, bool *has_query_out)
{
	struct text to = { 0 };
	struct span result;

	*has_query_out = false;
	while (text.len > 0) {
		size_t literal = span_find(text, '{'), length;
		struct span name;

		text_add(&to, span_first(text, literal));
		text = span_skip(text, literal);
		if (text.len == 0)
			break;
		length = text.len > 1 && text.at[1] == '{' ? 2 : span_find(text, '}') + 1;
		length = length < text.len ? length : text.len;
		name = length > 2 ? span_make(text.at + 1, length - 2) : SPAN_OF("");
		*has_query_out = *has_query_out || span_is(name, "query") || span_is(name, "uri");
		text_add(&to, placeholder_is_secret(names, name) ? SPAN_OF(REDACTED) : span_first(text, length));
		text = span_skip(text, length);
	}
	result = span_make(arena_text(arena, text_span(&to)), to.len);
	text_fini(&to);
	return result;
}
