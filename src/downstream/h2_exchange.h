/*
 * h2_exchange: one request and its response on an HTTP/2 stream, and what the files of HTTP/2 in this room share.
 *
 *	h2.c		the connection's life: begin, read, write, time, drain, end
 *	h2_time.c	its timeouts, and those of streams that do not move
 *	h2_input.c	what nghttp2 tells of frames that came: heads, content, resets; budgets
 *	h2_exchange.c	an exchange's life, from its head to its end
 *	h2_content.c	the request's content on its way to the handler
 *	h2_out.c	the response: the transport's verbs
 *	h2_frames.c	content on its way into frames, and all frames into one write
 *
 * An exchange lives as long as nghttp2 has its stream; when that closes it moves to h2->over, and is released when
 * nobody on the stack can still hold it. Handlers are called from inside nghttp2's callbacks: so nothing here receives,
 * sends or frees the session from inside a verb of the transport; that is left to h2_turn().
 */
#ifndef REEVE_DOWNSTREAM_H2_EXCHANGE_H
#define REEVE_DOWNSTREAM_H2_EXCHANGE_H

#include "base/put.h"
#include "codec/h2_budget.h"
#include "codec/h2_head.h"
#include "codec/h2_priority.h"
#include "downstream/conn.h"
#include "downstream/h2.h"

#include <nghttp2/nghttp2.h>

enum {
	H2_OUT_HIGH = 64 * 1024,		/* bytes of one stream waiting at which its handler is told to pause */
	H2_INFORMS_MAX = 32,
	H2_RESETS_KEPT = 64,
	H2_CONTINUATIONS_MAX = 8,
	H2_STRAYS = 8,				/* frames that may cross the end of a stream, */
	H2_STRAYS_MAX = 4096,			/* ... of all streams that have ended */
	H2_UNSEEN_MAX = 16 * 1024 * 1024,	/* more than sockets hold of what crosses a reset */
};

/* What conn->timeout stands for. */
enum h2_timing { H2_TIMING_NONE, H2_TIMING_PREFACE, H2_TIMING_HEAD, H2_TIMING_SEND, H2_TIMING_IDLE };

struct h2 {
	struct conn		*conn;				/* borrowed: owns us */
	nghttp2_session		*session;			/* owned */
	struct later		 later;				/* h2_turn() */
	struct list_node	 exchanges;			/* on open streams */
	struct list_node	 over;				/* to be released */
	struct list_node	 work;	/* h2_exchange.work: content to give, or room to tell of */
	struct h2_exchange	*reading;	/* whose header block is coming; NULL: none, or nobody's */
	struct timeout		 drain_timeout;
	struct text		 out;				/* what the socket did not take */
	size_t			 out_sent;			/* of out */
	struct h2_budget	 budget;
	const char		*abuse;				/* what the client overdoes; NULL: nothing */
	uint32_t		 stop_code;			/* of an error that nghttp2 does not see; 0: none */
	uint32_t		 open;				/* streams that have an exchange */
	uint32_t		 sending;			/* of these, with content that waits to be sent */
	uint8_t			 timing;			/* enum h2_timing */
	bool			 greeted;			/* our preface is laid down */
	bool			 settled;			/* the client's has come */
	bool			 in_block;			/* a header block has begun and not ended */
	uint32_t		 continuations;			/* of the header block that is coming */
	int64_t			 unseen;	/* bytes of frames that nghttp2 told nothing of, beyond what may be */
	uint32_t		 strays;	/* frames for closed streams that may come without being counted */
	uint32_t		 blocks;			/* header blocks begun */
	uint32_t		 block_timed;			/* which of them conn->timeout stands for */
	bool			 windows_grew;			/* by the client's SETTINGS, in what was read last */
	bool			 served;			/* a stream was open since the idle timeout was armed */
	bool			 in_turn;
	bool			 receiving;			/* nghttp2 is on the stack */
	bool			 draining;			/* the first GOAWAY is given to nghttp2 */
	bool			 refuses;			/* the last GOAWAY, too */
	bool			 terminated;			/* ... and no stream goes on */
	bool			 has_more;			/* the turn's quantum was used up */
	bool			 broken;			/* nothing reaches the client any more */
	bool			 is_gone;
	uint8_t			 reset_at;			/* in was_reset: the oldest */
	int32_t			 was_reset[H2_RESETS_KEPT];	/* by us, while the client may still have sent for it */
};

struct h2_exchange {
	struct request		 request;			/* first: transport functions get back from it */
	struct arena		 arena;
	struct h2		*h2;	/* borrowed; the first that is zeroed for the next request */
	struct h2_exchange	*next_free;
	struct list_node	 node;				/* in h2->exchanges or h2->over */
	struct list_node	 work;				/* in h2->work */
	struct timeout		 body_timeout;
	struct timeout		 send_timeout;
	struct h2_head		 head;
	struct h2_priority	 priority;
	int32_t			 stream_id;
	uint8_t			 informed;
	bool			 begun;				/* counted, and somebody hears of its end */
	bool			 remote_ended;			/* the client has sent all */
	bool			 body_done;			/* ... and the handler has it */
	bool			 wants_body;
	bool			 end_told;			/* of a request without content */
	bool			 continue_sent;			/* or not needed any more */
	bool			 head_waits;	/* the response's head is decided, and not given to nghttp2 */
	bool			 deferred;			/* nghttp2 waits to be told of more content */
	bool			 is_sending;			/* counted in h2->sending */
	bool			 paused;			/* the handler was told to wait for on_drained */
	bool			 finished;	/* the handler has given everything, or nobody hears it any more */
	bool			 sent_end;			/* END_STREAM is on its way */
	bool			 lingering;			/* and the rest of the request is read and forgotten */
	bool			 is_reset;			/* RST_STREAM is */
	bool			 is_closed;			/* nghttp2 has forgotten the stream */
	const char		*broken;	/* why it cannot go on, which its handler hears in the next turn */
	uint64_t		 content_in;			/* bytes that came */
	uint64_t		 discarded;			/* of these, nobody wanted */
	struct text		 held;				/* content that the handler does not want yet */
	size_t			 held_given;			/* of held */
	struct span		 rest;				/* content to send, in the arena; before `out` */
	struct out		 out;
	uint64_t		 content_left;			/* of the response, when its length is known */
	uint64_t		 content_out;			/* bytes given to nghttp2 */
	uint64_t		 progress;			/* content_out when send_timeout was armed */
	nghttp2_nv		*trailers;			/* of the response; arena */
	size_t			 trailer_count;
	char			 digits[NUMBER_DIGITS_MAX + 3];	/* of the status and the content's length */
};

/* h2.c */
void			 h2_schedule(struct h2 *h2);	/* a turn, when this one of the loop ends */
void			 h2_spend(struct h2 *h2, enum h2_cost cost);

/* h2_time.c */
void			 h2_time_conn(struct h2 *h2, bool moved);	/* moved: the socket took something */
void			 h2_time_streams(struct h2 *h2);

/* h2_input.c */
nghttp2_session		*h2_input_session(struct h2 *h2);	/* its callbacks lead here */

/* h2_exchange.c */
struct h2_exchange	*h2_exchange_create(struct h2 *h2, int32_t stream_id);
void			 h2_exchange_dispatch(struct h2_exchange *exchange, bool has_end);
void			 h2_exchange_work(struct h2_exchange *exchange);	/* what h2->work has it for */
void			 h2_exchange_add_work(struct h2_exchange *exchange);
void			 h2_exchange_reset(struct h2_exchange *exchange, uint32_t code);
/* takes it from the handler */
void			 h2_exchange_fail(struct h2_exchange *exchange, unsigned status, const char *why);
/* tells the handler, and resets the stream */
void			 h2_exchange_gone(struct h2_exchange *exchange, uint32_t code, const char *why);
void			 h2_exchange_closed(struct h2_exchange *exchange, const char *why);	/* the stream is */
void			 h2_exchange_release(struct h2_exchange *exchange);

/* h2_content.c */
/* The answer is complete, the request is not: */
void			 h2_content_linger(struct h2_exchange *exchange);
void			 h2_content_stop(struct h2_exchange *exchange);	/* the client need not send the rest */
void			 h2_content_take(struct h2_exchange *exchange, struct span piece);	/* it has come */
void			 h2_content_end(struct h2_exchange *exchange);				/* all has */
void			 h2_content_want(struct h2_exchange *exchange, bool want);
/* what is held, as long as it is wanted */
void			 h2_content_resume(struct h2_exchange *exchange);
void			 h2_content_drop(struct h2_exchange *exchange);	/* nobody wants any of it any more */

/* h2_out.c */
extern const struct transport h2_transport;
void			 h2_out_continue(struct h2_exchange *exchange);	/* 100, once, where it is waited for */

/* h2_frames.c */
uint64_t		 h2_out_waiting(const struct h2_exchange *exchange);	/* bytes of content */
void			 h2_out_mark(struct h2_exchange *exchange, bool is_sending);
void			 h2_out_drop(struct h2_exchange *exchange);		/* what waits */
void			 h2_out_end_sent(struct h2_exchange *exchange);		/* END_STREAM is laid down */
/* frames for one write; false: broken */
bool			 h2_gather(struct h2 *h2, struct span *bytes_out);
/* for nghttp2: how much the next frame of a stream takes, and its bytes */
ssize_t			 h2_out_length(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *owner);
int			 h2_out_frame(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
    size_t length, nghttp2_data_source *source, void *owner);

#endif
