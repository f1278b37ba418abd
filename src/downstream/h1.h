/*
 * h1: HTTP/1 on one client's connection (RFC 9112): one exchange at a time, and what is pipelined waits. Internal to the
 * room.
 *
 *	h1_input.c	bytes to a request and its content
 *	h1_exchange.c	made, ended, released
 *	h1_out.c	the response on its way out
 */
#ifndef REEVE_DOWNSTREAM_H1_H
#define REEVE_DOWNSTREAM_H1_H

#include "codec/h1_chunked.h"
#include "downstream/conn.h"

struct exchange {
	struct request		 request;	/* first: transport functions get back from it */
	struct arena		 arena;
	struct conn		*conn;		/* borrowed */
	struct exchange		*next_free;
	struct out		 out;
	struct timeout		 send_timeout;
	struct h1_chunked	 chunked;	/* decodes the request's content */
	enum h1_body		 body;
	uint64_t		 body_left;	/* H1_BODY_LENGTH */
	uint64_t		 discarded;	/* bytes of content that nobody wanted */
	uint64_t		 content_left;	/* of the response, when its length is known */
	struct span		 head;		/* laid down but not sent; arena */
	bool			 body_done;	/* all content has come and been given */
	bool			 wants_body;
	bool			 end_told;	/* of a request without content: on_body has said `last` */
	bool			 desynced;	/* no more of the request is read: it came wrong, or too late */
	bool			 continue_sent;	/* or not needed any more */
	bool			 close_after;
	bool			 chunked_out;
	bool			 until_close;	/* the response ends where the connection does */
	bool			 paused;	/* the handler was told to wait for on_drained */
	bool			 finished;	/* the handler has given everything */
	bool			 broken;	/* the client cannot be reached any more */
	bool			 ended;		/* over: conn_settle() releases it */
	bool			 tunnel;
	uint8_t			 informed;	/* informational responses passed on */
};

/* -- h1_input.c ---------------------------------------------------------------------------------------------------- */

/* A whole head begins an exchange. False: it is not complete. */
bool	h1_begin(struct conn *conn, struct span *rest_io);

/* One piece of content to the handler, or nothing when the input is used up. */
void	h1_content_feed(struct exchange *exchange, struct span *rest_io);
bool	h1_content_is_wanted(const struct exchange *exchange);	/* by the handler, or to get past it */

/* The client has ended his side, and everything he sent has been used that can be for now. */
void	h1_input_over(struct conn *conn);

/* -- h1_exchange.c ------------------------------------------------------------------------------------------------- */

struct exchange	*exchange_create(struct conn *conn);
void		 exchange_begin(struct exchange *exchange);		/* it is the connection's from now on */
void		 exchange_release(struct exchange *exchange);
/* both directions are over, or nothing can move any more */
void		 exchange_end(struct exchange *exchange);
void		 exchange_complete(struct exchange *exchange);		/* ends it when nothing is left to do */
bool		 exchange_is_cut(const struct exchange *exchange);	/* its end must not look like one */
/* tells the handler, and ends */
void		 exchange_gone(struct exchange *exchange, const char *why);
/* takes it from the handler */
void		 exchange_fail(struct exchange *exchange, unsigned status, const char *why);

/* -- h1_out.c ------------------------------------------------------------------------------------------------------ */

extern const struct transport h1_transport;
void	exchange_writable(struct exchange *exchange);

#endif
