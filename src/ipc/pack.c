/* Eight bytes a number in the machine's own order; a span is its length and its bytes, unaligned. */
#include "ipc/pack.h"

void
pack_number(struct text *to, uint64_t number)
{
	text_add(to, span_make((const char *)&number, sizeof(number)));
}

void
pack_flag(struct text *to, bool flag)
{
	text_add_byte(to, flag ? 1 : 0);
}

void
pack_span(struct text *to, struct span span)
{
	pack_number(to, span.len);
	text_add(to, span);
}

struct unpack
unpack_begin(struct span packed)
{
	return (struct unpack){ .rest = packed };
}

/* NULL when there are not so many: from then on nothing is. */
static const char *
unpack_take(struct unpack *unpack, uint64_t count)
{
	const char *at = unpack->rest.at;

	if (unpack->is_broken || count > unpack->rest.len) {
		unpack->is_broken = true;
		return NULL;
	}
	unpack->rest = span_skip(unpack->rest, (size_t)count);
	return at;
}

uint64_t
unpack_number(struct unpack *unpack)
{
	uint64_t number = 0;
	const char *at = unpack_take(unpack, sizeof(number));

	if (at != NULL)
		memcpy(&number, at, sizeof(number));
	return number;
}

bool
unpack_flag(struct unpack *unpack)
{
	const char *at = unpack_take(unpack, 1);

	if (at != NULL && *at != 0 && *at != 1)
		unpack->is_broken = true;
	return !unpack->is_broken && *at == 1;
}

struct span
unpack_span(struct unpack *unpack)
{
	uint64_t len = unpack_number(unpack);
	const char *at = unpack_take(unpack, len);

	return unpack->is_broken ? (struct span){ 0 } : span_make(at, (size_t)len);
}

bool
unpack_end(const struct unpack *unpack)
{
	return !unpack->is_broken && unpack->rest.len == 0;
}
