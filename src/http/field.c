/*
 * A plain array in order of arrival: messages have some ten fields, which a walk finds faster than any index.
 */
#include "http/field.h"
#include "http/byte_class.h"

enum { FIRST_ROOM = 16 };

#define BIT(id) ((uint64_t)1 << FIELD_##id)

/* RFC 9110 §7.6.1; the two Proxy-Auth… belong to one hop by §11.7; HTTP2-Settings by RFC 7540 §3.2.1. */
static const uint64_t hop_by_hop = BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TE) |
    BIT(TRANSFER_ENCODING) | BIT(UPGRADE) | BIT(PROXY_AUTHENTICATE) | BIT(PROXY_AUTHORIZATION) | BIT(HTTP2_SETTINGS);

void
fields_init(struct fields *fields, struct arena *arena, struct field *first_room, uint32_t room)
{
	*fields = (struct fields){ .items = first_room, .room = first_room ? room : 0, .arena = arena };
}

void
fields_grow(struct fields *fields)
{
	uint32_t room = fields->room < FIRST_ROOM ? FIRST_ROOM : fields->room * 2;
	struct field *items = arena_alloc(fields->arena, room * sizeof(*items));

	if (fields->count > 0)
		memcpy(items, fields->items, fields->count * sizeof(*items));
	fields->items = items;
	fields->room = room;
}

void
fields_add(struct fields *fields, enum field_name id, struct span value)
{
	assert(id != FIELD_OTHER);
	fields_add_known(fields, id, field_name_text(id), value);
}

void
fields_add_named(struct fields *fields, struct span name, struct span value)
{
	fields_add_known(fields, field_name_of(name), name, value);
}

static bool
field_is_named(const struct field *field, enum field_name id, struct span name)
{
	return field->id == id && (id != FIELD_OTHER || span_equal_nocase(field->name, name));
}

/* Takes out the fields of that name from `from` on. */
static void
remove_from(struct fields *fields, uint32_t from, enum field_name id, struct span name)
{
	uint32_t kept = from;

	for (uint32_t i = from; i < fields->count; i++) {
		if (!field_is_named(&fields->items[i], id, name))
			fields->items[kept++] = fields->items[i];
	}
	fields->count = kept;
}

static void
set_known(struct fields *fields, enum field_name id, struct span name, struct span value)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		if (!field_is_named(&fields->items[i], id, name))
			continue;
		fields->items[i].name = name;
		fields->items[i].value = value;
		remove_from(fields, i + 1, id, name);
		return;
	}
	fields_add_known(fields, id, name, value);
}

void
fields_set(struct fields *fields, enum field_name id, struct span value)
{
	assert(id != FIELD_OTHER);
	if (fields_have(fields, id))
		set_known(fields, id, field_name_text(id), value);
	else
		fields_add(fields, id, value);
}

void
fields_set_named(struct fields *fields, struct span name, struct span value)
{
	set_known(fields, field_name_of(name), name, value);
}

void
fields_remove(struct fields *fields, enum field_name id)
{
	assert(id != FIELD_OTHER);
	if (!fields_have(fields, id))
		return;
	remove_from(fields, 0, id, SPAN_OF(""));
	fields->seen &= ~((uint64_t)1 << ((unsigned)id & 63));
}

void
fields_remove_named(struct fields *fields, struct span name)
{
	enum field_name id = field_name_of(name);

	if (id != FIELD_OTHER)
		fields_remove(fields, id);
	else
		remove_from(fields, 0, id, name);
}

void
fields_remove_at(struct fields *fields, uint32_t index)
{
	enum field_name id;

	assert(index < fields->count);
	id = fields->items[index].id;
	fields->count--;
	memmove(&fields->items[index], &fields->items[index + 1], (fields->count - index) * sizeof(*fields->items));
	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == id)
			return;
	}
	fields->seen &= ~((uint64_t)1 << ((unsigned)id & 63));
}

const struct field *
fields_find(const struct fields *fields, enum field_name id)
{
	assert(id != FIELD_OTHER);
	if (!fields_have(fields, id))
		return NULL;
	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == id)
			return &fields->items[i];
	}
	return NULL;
}

const struct field *
fields_find_named(const struct fields *fields, struct span name)
{
	enum field_name id = field_name_of(name);

	if (id != FIELD_OTHER)
		return fields_find(fields, id);
	for (uint32_t i = 0; i < fields->count; i++) {
		if (field_is_named(&fields->items[i], id, name))
			return &fields->items[i];
	}
	return NULL;
}

struct span
fields_value(const struct fields *fields, enum field_name id)
{
	const struct field *field = fields_find(fields, id);

	return field ? field->value : (struct span){ NULL, 0 };
}

struct span
fields_joined(const struct fields *fields, enum field_name id, struct arena *arena)
{
	struct span separator = id == FIELD_COOKIE ? SPAN_OF("; ") : SPAN_OF(", ");
	size_t size = 0, count = 0;
	char *joined, *at;

	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == id) {
			size += fields->items[i].value.len + separator.len;
			count++;
		}
	}
	if (count < 2)
		return fields_value(fields, id);
	at = joined = arena_alloc(arena, size);
	for (uint32_t i = 0; i < fields->count; i++) {
		struct span value = fields->items[i].value;

		if (fields->items[i].id != id)
			continue;
		if (at != joined) {
			memcpy(at, separator.at, separator.len);
			at += separator.len;
		}
		if (value.len > 0)
			memcpy(at, value.at, value.len);
		at += value.len;
	}
	return span_between(joined, at);
}

static bool
list_has_token(struct span list, struct span token)
{
	struct span part;

	while (span_cut(&list, ',', &part)) {
		if (span_equal_nocase(span_trim(part), token))
			return true;
	}
	return false;
}

bool
fields_have_token(const struct fields *fields, enum field_name id, struct span token)
{
	if (!fields_have(fields, id))
		return false;
	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == id && list_has_token(fields->items[i].value, token))
			return true;
	}
	return false;
}

bool
field_name_is_valid(struct span name)
{
	return name.len > 0 && bytes_while(name, BYTE_TOKEN) == name.len;
}

bool
field_value_is_valid(struct span value)
{
	return bytes_while(value, BYTE_VALUE) == value.len;
}

bool
field_is_hop_by_hop(const struct field *field, struct span connection_value)
{
	static const struct span proxy_prefix = SPAN("X-Forwarded-");

	if (field->id != FIELD_OTHER)
		return (hop_by_hop >> field->id) & 1;
	if (connection_value.len == 0 || span_equal_nocase(span_first(field->name, proxy_prefix.len), proxy_prefix))
		return false;
	return list_has_token(connection_value, field->name);
}
