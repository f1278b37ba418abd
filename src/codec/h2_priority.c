/*
 * A structured dictionary (RFC 8941) of which two members matter; the last of a name holds.
 */
#include "codec/h2_priority.h"

static void
urgency_read(struct span value, struct h2_priority *priority)
{
	if (value.len == 1 && value.at[0] >= '0' && value.at[0] <= '0' + H2_URGENCY_MAX)
		priority->urgency = (uint8_t)(value.at[0] - '0');
}

static void
incremental_read(struct span value, bool has_value, struct h2_priority *priority)
{
	if (!has_value || span_is(value, "?1"))
		priority->is_incremental = true;
	else if (span_is(value, "?0"))
		priority->is_incremental = false;
}

void
h2_priority_parse(struct span value, struct h2_priority *priority_io)
{
	struct span member;

	while (span_cut(&value, ',', &member)) {
		struct span key;
		size_t equals;

		member = span_trim(span_first(member, span_find(member, ';')));
		equals = span_find(member, '=');
		key = span_first(member, equals);
		if (span_is(key, "u"))
			urgency_read(span_skip(member, equals + 1), priority_io);
		else if (span_is(key, "i"))
			incremental_read(span_skip(member, equals + 1), equals < member.len, priority_io);
	}
}
