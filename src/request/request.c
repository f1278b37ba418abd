/*
 * A request at its beginning: everything zero but the fields' room. The rooms themselves stay as they are, so that a
 * recycled request costs little to begin.
 */
#include "request/request.h"

#include <assert.h>

void
request_init(struct request *request, const struct transport *transport, struct arena *arena,
    const struct client *client)
{
	memset(request, 0, offsetof(struct request, fields_room));
	request->transport = transport;
	request->arena = arena;
	request->client = client;
	request->body_max = UINT64_MAX;
	fields_init(&request->fields, arena, request->fields_room, REQUEST_FIELDS_ROOM);
	fields_init(&request->trailers, arena, NULL, 0);
	fields_init(&request->response.fields, arena, request->response_room, RESPONSE_FIELDS_ROOM);
}

void
request_take(struct request *request, const struct request_events *events, void *work)
{
	assert(request->state < REQUEST_FINISHED);
	request->events = events;
	request->work = work;
	if (request->state == REQUEST_HEAD)
		request->state = REQUEST_HANDLED;
}

void
request_want_body(struct request *request, bool want)
{
	request->transport->want_body(request, want);
}
