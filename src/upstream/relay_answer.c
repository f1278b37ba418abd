/*
 * A response's head and end, whatever protocol brought them: what they say of the server, and what the client gets.
 */
#include "upstream/relay_parts.h"

#include "base/count.h"

/* -- what it says of the server ------------------------------------------------------------------------------------ */

static const struct failing_status {
	unsigned		 status;
	enum retry_cause	 cause;
	const char		*why;
} failing_statuses[] = {
	{ 502, RETRY_502, "it answered 502" },
	{ 503, RETRY_503, "it answered 503" },
	{ 504, RETRY_504, "it answered 504" },
};

static const struct failing_status *
failing_find(unsigned status)
{
	for (size_t i = 0; i < COUNT(failing_statuses); i++) {
		if (failing_statuses[i].status == status)
			return &failing_statuses[i];
	}
	return NULL;
}

/* True: another one is asked instead. */
static bool
judge(struct relay *relay, unsigned status)
{
	const struct failing_status *failing = failing_find(status);
	bool was_trial = relay->is_trial;

	relay->is_trial = false;
	if (failing == NULL) {
		peer_succeeded(relay->peer, was_trial);
		return false;
	}
	slot_add(&relay->world->slot->totals.upstream_failures, 1);
	peer_failed(relay->peer, was_trial, failing->why);
	if (!relay_may_retry(relay, failing->cause))
		return false;
	relay_retry(relay, status, failing->why);
	return true;
}

bool
relay_take_head(struct relay *relay, const struct relay_answer *answer)
{
	relay->request->upstream_ms = loop_now_ms(relay->world->loop) - relay->try_ms;
	if (judge(relay, answer->status))
		return false;
	relay->keeps_body = false;
	text_fini(&relay->replay);
	relay_move(relay, RELAY_STREAMING);
	return true;
}

/* -- what the client gets ------------------------------------------------------------------------------------------ */

static struct span
span_move(struct span from, struct span bytes, ptrdiff_t distance)
{
	if (from.at >= bytes.at && from.at < bytes.at + bytes.len)
		from.at += distance;
	return from;
}

/* RFC 9110 §7.6.1; a protocol that was agreed on is the one thing of this hop that the client must hear. */
static bool
is_passed(const struct field *field, struct span connection, unsigned status)
{
	if (field->id == FIELD_UPGRADE)
		return status == 101;
	return field->id != FIELD_CONTENT_LENGTH && !field_is_hop_by_hop(field, connection);
}

/* A buffer is overwritten by the next read of anybody, so the bytes move into the request's arena. */
void
relay_fill(struct relay *relay, const struct relay_answer *answer)
{
	struct request *request = relay->request;
	struct response *response = &request->response;
	struct span connection = fields_joined(answer->fields, FIELD_CONNECTION, request->arena);
	struct span kept = answer->bytes.len > 0 ? arena_copy(request->arena, answer->bytes) : answer->bytes;
	ptrdiff_t distance = kept.at - answer->bytes.at;

	response->status = answer->status;
	response->has_length = answer->has_length;
	response->content_length = answer->has_length ? answer->content_length : 0;
	for (uint32_t i = 0; i < answer->fields->count; i++) {
		const struct field *field = &answer->fields->items[i];

		if (is_passed(field, connection, response->status))
			fields_add_known(&response->fields, field->id, span_move(field->name, answer->bytes, distance),
			    span_move(field->value, answer->bytes, distance));
	}
	/* RFC 9110 §7.6.3: another line of a list field is the same as another member. */
	fields_add(&response->fields, FIELD_VIA, answer->via);
}

static void
hop_by_hop_remove(struct relay *relay, struct fields *fields)
{
	struct span connection = fields_joined(fields, FIELD_CONNECTION, relay->request->arena);

	for (uint32_t i = fields->count; i-- > 0;) {
		if (!is_passed(&fields->items[i], connection, 100))
			fields_remove_at(fields, i);
	}
}

/* 100 is an answer to an Expect that we never send. */
bool
relay_inform(struct relay *relay, unsigned status, struct fields *fields)
{
	if (status == 100)
		return true;
	if (++relay->informed > RELAY_INFORM_MAX) {
		relay_failed(relay, 0, 502, "too many informational responses");
		return false;
	}
	hop_by_hop_remove(relay, fields);
	response_inform(relay->request, status, fields);
	return relay->state != RELAY_OVER;
}

/* The relay's memory stays until the end of the turn, so its trailers may be given away last. */
void
relay_complete(struct relay *relay, const struct iovec *pieces, unsigned count, bool is_reusable)
{
	struct request *request;

	relay->wire->let_go(relay, is_reusable);
	request = relay_end(relay);
	if (relay->trailers.count == 0) {
		response_finish_with(request, pieces, count);
		return;
	}
	if (count > 0)
		response_write(request, pieces, count);
	response_finish(request, &relay->trailers);
}
