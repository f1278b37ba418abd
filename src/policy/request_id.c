/*
 * request_id: every request gets a name that client, log and upstream share.
 *
 * A trusted peer's X-Request-Id is taken over; anybody else's is replaced, so that nobody can make two requests look
 * like one in the log. Our own are UUIDv7 (RFC 9562 §5.7): they sort by time. Making one asks the kernel for nothing.
 */
#include "policy/policies.h"

#include "base/clock.h"
#include "base/hash.h"
#include "http/byte_class.h"
#include "loop/loop.h"
#include "request/client.h"

#include <assert.h>

#define GIVEN_MAX 128	/* bytes of an id that a peer gives */
#define UUID_LENGTH 36

struct request_id {
	bool		 enabled;
	struct loop	*loop;	/* borrowed: knows the time; NULL: ask the clock */
};

/* Two digits for each byte: formatting is sixteen copies. */
#define HEX_ROW(high) \
	high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" \
	high "8" high "9" high "a" high "b" high "c" high "d" high "e" high "f"
static const char hex_pairs[] =
    HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6") HEX_ROW("7")
    HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c") HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");
static_assert(sizeof(hex_pairs) == 512 + 1, "two digits for each byte");

/* The `count` lowest bytes of number, highest first. */
static char *
hex_write(char *to, uint64_t number, unsigned count)
{
	while (count-- > 0) {
		memcpy(to, hex_pairs + 2 * ((number >> (8 * count)) & 0xff), 2);
		to += 2;
	}
	return to;
}

/* unix_ts_ms (48) ver (4) rand_a (12) | var (2) rand_b (62) */
static void
uuid_write(char to[UUID_LENGTH], uint64_t wall_ms)
{
	uint64_t high = wall_ms << 16 | 0x7000 | (random_number() >> 52);
	uint64_t low = (random_number() >> 2) | (uint64_t)1 << 63;

	to = hex_write(to, high >> 32, 4);
	*to++ = '-';
	to = hex_write(to, high >> 16, 2);
	*to++ = '-';
	to = hex_write(to, high, 2);
	*to++ = '-';
	to = hex_write(to, low >> 48, 2);
	*to++ = '-';
	hex_write(to, low, 6);
}

/* [A-Za-z0-9._-], so that an id needs no quoting in a log, a shell or a URL. */
static bool
id_is_fit(struct span id)
{
	return id.len > 0 && id.len <= GIVEN_MAX && bytes_while(id, BYTE_UNRESERVED) == id.len &&
	    memchr(id.at, '~', id.len) == NULL;
}

static struct span
id_make(const struct request_id *policy, struct arena *arena)
{
	char *to = arena_alloc(arena, UUID_LENGTH);

	uuid_write(to, policy->loop ? loop_wall_ms(policy->loop) : clock_wall_ms());
	return span_make(to, UUID_LENGTH);
}

static enum stage_result
request_id_on_request(const void *configured, struct request *request)
{
	const struct request_id *policy = configured;

	if (!policy->enabled)
		return STAGE_NEXT;
	if (request->client->is_trusted && fields_have(&request->fields, FIELD_X_REQUEST_ID)) {
		struct span given = fields_value(&request->fields, FIELD_X_REQUEST_ID);

		if (id_is_fit(given)) {
			request->request_id = given;
			return STAGE_NEXT;
		}
	}
	request->request_id = id_make(policy, request->arena);
	return STAGE_NEXT;
}

/*
 * What was refused before it had a route comes without an id. An upstream's answer may carry one of its own: the log
 * knows this request by ours.
 */
static void
request_id_on_response(const void *configured, struct request *request)
{
	const struct request_id *policy = configured;

	if (!policy->enabled)
		return;
	if (request->request_id.len == 0)
		request->request_id = id_make(policy, request->arena);
	fields_set(&request->response.fields, FIELD_X_REQUEST_ID, request->request_id);
}

static bool
request_id_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct stage_builder *builder = reader->lent;
	struct request_id *policy = field;

	(void)node;
	policy->loop = builder->loop;
	return true;
}

static const struct option request_id_options[] = {
	OPTION_FLAG(struct request_id, enabled, .def = "true",
	    .doc = "Take `X-Request-Id` from a trusted peer or make a UUIDv7; it is sent upstream and back to the "
"client, and logged."),
	OPTION_END
};

static const struct option_group request_id_group = {
	.name = "request_id",
	.rows = request_id_options,
	.size = sizeof(struct request_id),
	.short_key = "enabled",
};

const struct policy_type policy_request_id = {
	.key = "request_id",
	.group = &request_id_group,
	.always = true,
	.build = request_id_build,
	.on_request = request_id_on_request,
	.on_response = request_id_on_response,
	.doc = "A name for every request, shared by client, log and upstream.",
};
