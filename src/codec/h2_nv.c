/*
 * The names that are known, once in lower case, in a table by their id.
 */
#include "codec/h2_nv.h"
#include "codec/h1_scan.h"

#include <assert.h>

enum { NAME_MAX_LENGTH = 32 };

/* Another value each time: in HPACK's table it would push out what comes again, at the cost of three copies. */
static const uint64_t varying = H2_BIT(X_REQUEST_ID) | H2_BIT(CONTENT_RANGE);

static struct lower_name {
	char	text[NAME_MAX_LENGTH];
	size_t	len;
} lower_names[FIELD_NAME_COUNT];

static_assert(FIELD_NAME_COUNT <= 64, "a bit for each name in `without`");

/* Filled at the first use: cheaper than a second spelling of every row. */
static struct span
lower_name(enum field_name id)
{
	struct lower_name *lower = &lower_names[id];

	if (lower->len == 0) {
		struct span name = field_name_text(id);

		assert(name.len > 0 && name.len <= NAME_MAX_LENGTH);
		for (size_t i = 0; i < name.len; i++)
			lower->text[i] = byte_lower(name.at[i]);
		lower->len = name.len;
	}
	return span_make(lower->text, lower->len);
}

struct span
h2_name_lower(const struct field *field, struct arena *arena)
{
	if (field->id != FIELD_OTHER)
		return lower_name(field->id);
	return arena_lower_case(arena, field->name);
}

nghttp2_nv
h2_nv_make(struct span name, struct span value)
{
	nghttp2_nv pair = {
		.namelen = name.len,
		.valuelen = value.len,
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
	};

	/* nghttp2 only reads through them. */
	memcpy(&pair.name, &name.at, sizeof(pair.name));
	memcpy(&pair.value, &value.at, sizeof(pair.value));
	return pair;
}

/* HTAB is text; any other control character becomes a space, as h1_write does it (RFC 9110 §5.5). */
static struct span
value_clean(struct span value, struct arena *arena)
{
	const char *end, *at;
	char *copy = NULL;

	value = span_trim(value);
	if (value.len == 0)
		return SPAN_OF("");
	end = value.at + value.len;
	for (at = value.at; (at = h1_scan_text(at, end, ' ')) < end; at++) {
		if (*at == '\t')
			continue;
		if (copy == NULL) {
			copy = arena_alloc(arena, value.len);
			memcpy(copy, value.at, value.len);
		}
		copy[at - value.at] = ' ';
	}
	return copy ? span_trim(span_make(copy, value.len)) : value;
}

size_t
h2_nv_lay(nghttp2_nv *to, const struct fields *fields, uint64_t without, struct arena *arena)
{
	size_t count = 0;

	without = (without | H2_CONNECTION_FIELDS) & ~(uint64_t)1;
	for (uint32_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (without >> field->id & 1)
			continue;
		to[count] = h2_nv_make(h2_name_lower(field, arena), value_clean(field->value, arena));
		if (varying >> field->id & 1)
			to[count].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
		count++;
	}
	return count;
}

void
h2_field_take(struct fields *fields, struct span name, struct span value)
{
	enum field_name id = field_name_of(name);

	name = id != FIELD_OTHER ? field_name_text(id) : arena_copy(fields->arena, name);
	fields_add_known(fields, id, name, arena_copy(fields->arena, value));
}
