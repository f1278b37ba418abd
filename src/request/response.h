/*
 * response: how a handler answers, in the order that transport.h draws. Asserts that order.
 *
 * The short way: response_send(). The long way: set request->response.status and fields, response_start(), then
 * response_write()/response_send_file() as long as they say true (else wait for on_drained), then response_finish().
 */
#ifndef REEVE_REQUEST_RESPONSE_H
#define REEVE_REQUEST_RESPONSE_H

#include "request/request.h"

/* A whole answer. content is borrowed for the call. content_type may be empty. The request may be gone afterwards. */
void	response_send(struct request *request, unsigned status, struct span content_type, struct span content);

/* As response_send() with the fields that are in request->response.fields already. */
void	response_send_content(struct request *request, unsigned status, struct span content);

/*
 * An error in the shape the route wants (`errors` policy), unless the response has started: then it is aborted.
 * detail: a sentence for the client, NULL for none. why: for the log. Fields set before (Allow, Retry-After) stay.
 */
void	response_fail(struct request *request, unsigned status, const char *detail, const char *why);

/* Runs the policies over the head and hands it to the transport. content_length is request->response's. */
void	response_start(struct request *request);

bool	response_write(struct request *request, const struct iovec *pieces, unsigned count);
bool	response_send_file(struct request *request, int fd, uint64_t offset, uint64_t length);
void	response_flush(struct request *request);
void	response_finish(struct request *request, const struct fields *trailers);
void	response_finish_with(struct request *request, const struct iovec *pieces, unsigned count);
void	response_inform(struct request *request, unsigned status, const struct fields *fields);
void	response_abort(struct request *request, const char *why);
void	response_upgrade(struct request *request);	/* after response_start() with 101 */

#endif
