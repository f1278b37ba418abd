/*
 * Every range is resolved as it is read; what would send more than the whole is not worth its multipart headers.
 */
#include "http/range.h"

enum range_kind { RANGE_GOOD, RANGE_OUTSIDE, RANGE_MALFORMED };

/* More digits than fit are a number past any end: "bytes=0-99999999999999999999" is well formed. */
static bool
position_parse(struct span digits, uint64_t *position_out)
{
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
	}
	if (digits.len > 0 && !span_to_number(digits, UINT64_MAX, position_out))
		*position_out = UINT64_MAX;
	return digits.len > 0;
}

/* "-500": the last 500 bytes */
static enum range_kind
suffix_parse(struct span digits, uint64_t length, struct byte_range *range)
{
	uint64_t suffix;

	if (!position_parse(digits, &suffix))
		return RANGE_MALFORMED;
	if (suffix == 0 || length == 0)
		return RANGE_OUTSIDE;
	range->first = suffix < length ? length - suffix : 0;
	range->last = length - 1;
	return RANGE_GOOD;
}

static enum range_kind
spec_parse(struct span spec, uint64_t length, struct byte_range *range)
{
	size_t dash = span_find(spec, '-');
	struct span after = span_skip(spec, dash + 1);

	if (dash == spec.len)
		return RANGE_MALFORMED;
	if (dash == 0)
		return suffix_parse(after, length, range);
	if (!position_parse(span_first(spec, dash), &range->first))
		return RANGE_MALFORMED;
	range->last = UINT64_MAX;
	if (after.len > 0 && (!position_parse(after, &range->last) || range->last < range->first))
		return RANGE_MALFORMED;
	if (range->first >= length)
		return RANGE_OUTSIDE;
	if (range->last >= length)
		range->last = length - 1;
	return RANGE_GOOD;
}

enum range_result
range_parse(struct span value, uint64_t length, struct byte_range *ranges, size_t room, size_t *count_out)
{
	const struct span unit = SPAN("bytes=");
	struct byte_range range;
	struct span set = span_skip(value, unit.len), spec;
	size_t asked = 0, count = 0;
	uint64_t to_send = 0;

	*count_out = 0;
	if (!span_equal_nocase(span_first(value, unit.len), unit))
		return RANGE_NONE;
	while (span_cut(&set, ',', &spec)) {
		spec = span_trim(spec);
		if (spec.len == 0)	/* an empty list member, RFC 9110 §5.6.1 */
			continue;
		if (++asked > room)
			return RANGE_NONE;
		switch (spec_parse(spec, length, &range)) {
		case RANGE_GOOD:
			if (range.last - range.first >= length - to_send)
				return RANGE_NONE;
			ranges[count++] = range;
			to_send += range.last - range.first + 1;
			break;
		case RANGE_OUTSIDE:
			break;
		case RANGE_MALFORMED:
			return RANGE_NONE;
		}
	}
	if (asked == 0)
		return RANGE_NONE;
	*count_out = count;
	return count > 0 ? RANGE_SOME : RANGE_UNSATISFIABLE;
}
