/*
 * The order of RFC 9110 §13.2.2, one step a function.
 */
#include "http/conditional.h"
#include "base/clock.h"
#include "http/byte_class.h"
#include "http/date.h"

struct etag {
	bool		weak;
	struct span	opaque;	/* with its quotes */
};

/* Takes one entity tag off the start of *rest_io (§8.8.3). */
static bool
etag_take(struct span *rest_io, struct etag *etag_out)
{
	struct span rest = *rest_io;
	size_t length = 1;

	etag_out->weak = span_starts_with(rest, SPAN_OF("W/"));
	if (etag_out->weak)
		rest = span_skip(rest, 2);
	if (rest.len < 2 || rest.at[0] != '"')
		return false;
	while (length < rest.len && rest.at[length] != '"' && byte_is(rest.at[length], BYTE_TARGET))
		length++;
	if (length == rest.len || rest.at[length] != '"')
		return false;
	etag_out->opaque = span_first(rest, length + 1);
	*rest_io = span_skip(rest, length + 1);
	return true;
}

static bool
etag_matches(const struct etag *a, const struct etag *b, bool strongly)
{
	return span_equal(a->opaque, b->opaque) && (!strongly || (!a->weak && !b->weak));
}

/* Whether a list of entity tags holds ours; what follows a malformed member is not read. */
static bool
list_matches(struct span list, struct span etag, bool strongly)
{
	struct etag ours, theirs;

	if (!etag_take(&etag, &ours))
		return false;
	for (;;) {
		while (list.len > 0 && (list.at[0] == ',' || list.at[0] == ' ' || list.at[0] == '\t'))
			list = span_skip(list, 1);
		if (!etag_take(&list, &theirs))
			return false;
		list = span_trim(list);
		if (list.len > 0 && list.at[0] != ',')
			return false;
		if (etag_matches(&ours, &theirs, strongly))
			return true;
	}
}

/* "*" stands for any current representation, and there is one: the caller has it in hand. */
static bool
field_matches(const struct fields *request, enum field_name id, struct span etag, bool strongly)
{
	for (uint32_t i = 0; i < request->count; i++) {
		if (request->items[i].id != id)
			continue;
		if (span_is(request->items[i].value, "*") || list_matches(request->items[i].value, etag, strongly))
			return true;
	}
	return false;
}

/* A date field that stands twice or is no date is to be ignored (§13.1.3, §13.1.4). */
static bool
date_of(const struct fields *request, enum field_name id, int64_t *date_out)
{
	const struct field *field = fields_find(request, id);

	if (field == NULL)
		return false;
	for (uint32_t i = (uint32_t)(field - request->items) + 1; i < request->count; i++) {
		if (request->items[i].id == id)
			return false;
	}
	return http_date_parse(field->value, date_out);
}

static bool
must_be_current(const struct fields *request, struct span etag, int64_t last_modified)
{
	int64_t date;

	if (fields_have(request, FIELD_IF_MATCH))
		return field_matches(request, FIELD_IF_MATCH, etag, true);
	if (last_modified >= 0 && date_of(request, FIELD_IF_UNMODIFIED_SINCE, &date))
		return last_modified <= date;
	return true;
}

enum condition_result
condition_check(enum http_method method, const struct fields *request, struct span etag, int64_t last_modified)
{
	bool reads = method == HTTP_GET || method == HTTP_HEAD;
	int64_t date;

	if (!must_be_current(request, etag, last_modified))
		return CONDITION_FAILED;
	if (fields_have(request, FIELD_IF_NONE_MATCH)) {
		if (!field_matches(request, FIELD_IF_NONE_MATCH, etag, false))
			return CONDITION_PROCEED;
		return reads ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
	}
	if (reads && last_modified >= 0 && date_of(request, FIELD_IF_MODIFIED_SINCE, &date) && last_modified <= date)
		return CONDITION_NOT_MODIFIED;
	return CONDITION_PROCEED;
}

/* A date is a strong validator only when nothing can have changed twice within its second (§8.8.2.2). */
static bool
date_is_strong(int64_t last_modified)
{
	return last_modified >= 0 && last_modified + 1 < (int64_t)(clock_wall_ms() / 1000);
}

bool
condition_allows_range(const struct fields *request, struct span etag, int64_t last_modified)
{
	struct span value = fields_value(request, FIELD_IF_RANGE);
	struct etag ours, theirs;
	int64_t date;

	if (!fields_have(request, FIELD_IF_RANGE))
		return true;
	if (http_date_parse(value, &date))
		return date == last_modified && date_is_strong(last_modified);
	return etag_take(&value, &theirs) && value.len == 0 && etag_take(&etag, &ours) &&
	    etag_matches(&ours, &theirs, true);
}
