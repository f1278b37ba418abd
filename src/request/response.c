/*
 * The response's order of events, asserted in one place: head, content, end. The head passes the guide (policies)
 * before the transport sees it.
 */
#include "request/response.h"

#include "http/status.h"

#include <assert.h>

static void
decide_content(struct request *request)
{
	struct response *response = &request->response;

	response->no_content = request->method == HTTP_HEAD || !http_status_has_content(response->status);
	response->keep_date = fields_have(&response->fields, FIELD_DATE);
}

void
response_start(struct request *request)
{
	assert(request->state < REQUEST_STARTED);
	assert(request->response.status >= 101 && request->response.status <= 999);
	if (request->guide && request->guide->on_response)
		request->guide->on_response(request);
	decide_content(request);
	request->state = REQUEST_STARTED;
	request->transport->start(request);
}

static void
count_pieces(struct request *request, const struct iovec *pieces, unsigned count)
{
	if (request->response.no_content)
		return;
	for (unsigned i = 0; i < count; i++)
		request->bytes_out += pieces[i].iov_len;
}

bool
response_write(struct request *request, const struct iovec *pieces, unsigned count)
{
	assert(request->state == REQUEST_STARTED);
	count_pieces(request, pieces, count);
	return request->transport->write(request, pieces, count);
}

bool
response_send_file(struct request *request, int fd, uint64_t offset, uint64_t length)
{
	assert(request->state == REQUEST_STARTED);
	if (!request->response.no_content)
		request->bytes_out += length;
	return request->transport->send_file(request, fd, offset, length);
}

void
response_flush(struct request *request)
{
	assert(request->state == REQUEST_STARTED);
	request->transport->flush(request);
}

void
response_finish(struct request *request, const struct fields *trailers)
{
	assert(request->state == REQUEST_STARTED);
	request->state = REQUEST_FINISHED;
	request->transport->finish(request, trailers);
}

void
response_finish_with(struct request *request, const struct iovec *pieces, unsigned count)
{
	assert(request->state == REQUEST_STARTED);
	request->state = REQUEST_FINISHED;
	count_pieces(request, pieces, count);
	request->transport->finish_with(request, pieces, count);
}

void
response_inform(struct request *request, unsigned status, const struct fields *fields)
{
	assert(request->state < REQUEST_STARTED && status >= 100 && status < 200 && status != 101);
	request->transport->inform(request, status, fields);
}

void
response_abort(struct request *request, const char *why)
{
	assert(request->state < REQUEST_FINISHED);
	if (why)
		request->why = why;
	request->state = REQUEST_ABORTED;
	request->transport->abort(request);
}

void
response_upgrade(struct request *request)
{
	assert(request->state == REQUEST_STARTED && request->response.status == 101);
	request->transport->upgrade(request);
}

void
response_send_content(struct request *request, unsigned status, struct span content)
{
	struct iovec piece = span_iovec(content);

	request->response.status = status;
	request->response.has_length = true;
	request->response.content_length = content.len;
	response_start(request);
	response_finish_with(request, &piece, content.len > 0);
}

void
response_send(struct request *request, unsigned status, struct span content_type, struct span content)
{
	if (content_type.len > 0)
		fields_set(&request->response.fields, FIELD_CONTENT_TYPE, content_type);
	response_send_content(request, status, content);
}

void
response_fail(struct request *request, unsigned status, const char *detail, const char *why)
{
	struct span content = { NULL, 0 };

	if (why)
		request->why = why;
	if (request->state >= REQUEST_STARTED) {
		response_abort(request, why);
		return;
	}
	request->response.status = status;
	if (request->guide && request->guide->error_content)
		content = request->guide->error_content(request, status, detail);
	request->response.lasts = true;
	response_send_content(request, status, content);
}
