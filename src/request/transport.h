/*
 * transport: what a protocol lends to a request, so that nothing above knows how its bytes travel.
 *
 * A protocol (downstream/; later h2) embeds struct request in its exchange and sets request->transport. Handlers never
 * call these directly but through response.h and request_want_body(), which check the order:
 *
 *      start ──▶ write / send_file … ──▶ finish          upgrade ──▶ write … (bytes as they are, both ways)
 *        └──────────────┴── abort at any moment
 *
 * Back-pressure: write() and send_file() say false when the peer is slower than we are; the caller then waits for
 * on_drained before it sends more. What was given is never lost by that. A body is pulled: want_body(true) lets pieces
 * come, want_body(false) stops them (one piece already on its way may still come from the same call).
 */
#ifndef REEVE_REQUEST_TRANSPORT_H
#define REEVE_REQUEST_TRANSPORT_H

#include "http/field.h"

#include <sys/types.h>
#include <sys/uio.h>

struct request;

struct transport {
	const char	*name;	/* "HTTP/1.1": what the log calls the protocol */

	/*
	 * Lets pieces of the request's content come to on_body, or stops them. Only the `last` of a request that has
	 * none comes from inside this call; the request is never gone when it returns, unless that `last` ended it.
	 */
	void	(*want_body)(struct request *request, bool want);

	/* 100 Continue, 103 Early Hints …: sent at once, before start; or dropped: they are too many, nobody reads. */
	void	(*inform)(struct request *request, unsigned status, const struct fields *fields);

	/* The final head, from request->response. Leaves with the first content, with flush, or with finish. */
	void	(*start)(struct request *request);

	/* Pieces are used up or copied before it returns, unless response.lasts says that they need not be. */
	bool	(*write)(struct request *request, const struct iovec *pieces, unsigned count);

	/* fd stays the caller's, open until on_drained or the request's end. False: on_drained tells of its end. */
	bool	(*send_file)(struct request *request, int fd, uint64_t offset, uint64_t length);

	/* Whatever waits to be sent along with more goes now. */
	void	(*flush)(struct request *request);

	/* No more content. The request may be gone when it returns. trailers may be NULL. */
	void	(*finish)(struct request *request, const struct fields *trailers);

	/* As finish() after the one write(): the whole content in one system call with the head where possible. */
	void	(*finish_with)(struct request *request, const struct iovec *pieces, unsigned count);

	/* Cuts the exchange off so that the client sees it as incomplete. The request may be gone when it returns. */
	void	(*abort)(struct request *request);

	/*
	 * 101: from now on content is the bytes of a tunnel. start() has been called with status 101 before, and all
	 * content of the request has come.
	 */
	void	(*upgrade)(struct request *request);
};

#endif
