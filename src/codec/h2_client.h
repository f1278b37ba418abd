/*
 * h2_client: HTTP/2 towards one server (RFC 9113): bytes ↔ messages on nghttp2. It has no socket and no timer.
 *
 *	bytes that have come ──▶ h2_client_receive() ──▶ events of the streams
 *	h2_client_ask(), h2_client_write() … ──▶ h2_client_gather() ──▶ bytes to be sent, all streams' in one piece
 *
 * Each stream that was asked on hears exactly one of on_end and on_failed, unless it was dropped before:
 *
 *      ask ──▶ on_head (1xx) … ──▶ on_head ──▶ on_content … ──▶ on_end
 *       └─────────┴─────────────────┴──────────────┴──────────▶ on_failed
 *
 * What a response may not be (RFC 9113 §8: connection-specific fields, content that does not agree with its length, a
 * status that is none, trailers that frame, …) is never handed on: the stream fails. A server that breaks the protocol,
 * or chatters without end, ends the session.
 *
 * Flow control. Towards us: a stream's window opens again by h2_client_consume() only, when somebody has taken the
 * content, so one stream holds at most H2_CLIENT_STREAM_WINDOW bytes. The connection's window opens as bytes come: else
 * a few streams that nobody reads would stop all others. Towards the server: what its windows do not let go yet waits
 * in stream->waiting; how much may wait there is for the owner to say, who hears on_taken when nothing does any more.
 *
 * From inside the events everything may be called but receive, gather and free.
 */
#ifndef REEVE_CODEC_H2_CLIENT_H
#define REEVE_CODEC_H2_CLIENT_H

#include "base/text.h"
#include "http/field.h"

enum {
	H2_CLIENT_STREAM_WINDOW = 256 * 1024,	/* bytes of one response that nobody has taken */
	H2_CLIENT_WINDOW = 4 * 1024 * 1024,	/* of all responses on their way */
	H2_CLIENT_HEAD_MAX = 24 * 1024,		/* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	H2_CLIENT_FIELDS_MAX = 128,
	H2_CLIENT_GATHER_MAX = 64 * 1024,	/* bytes after which no further frame is begun */
};

struct h2_client;

/* One request and its response; the owner's, who embeds it. All zero before it is asked on. */
struct h2_client_stream {
	int32_t			 id;			/* 0: not open (any more) */
	struct arena		*arena;			/* borrowed: the texts of fields go there; of this request */
	struct text		 waiting;		/* content that has not left */
	size_t			 sent;			/* of waiting */
	const struct fields	*trailers;		/* borrowed: to be sent behind the content; NULL: none */
	uint64_t		 head_at;		/* the session's byte that its head begins with, when is_laid */
	uint32_t		 unconsumed;		/* content that came and was not consumed */
	bool			 is_laid;		/* its head is among the bytes that were gathered */
	bool			 has_written_all;	/* no more content will be given */
	bool			 has_head;		/* the final one has come */
	bool			 is_ended;		/* all of the response has come */
	bool			 was_reset;		/* the server sent RST_STREAM … */
	uint32_t		 reset_code;		/* … with this */
};

enum h2_failure {
	H2_FAILED_UNPROCESSED,	/* the server has done nothing with it (RFC 9113 §8.7): harmless to send again */
	H2_FAILED_RESET,	/* it broke the stream off */
	H2_FAILED_MALFORMED,	/* what came is no response */
};

struct h2_client_events {
	/*
	 * A head: status 100 to 199, then one from 200 to 599. The fields stand there for the call only; their texts
	 * are in the stream's arena. stream->is_ended: nothing follows.
	 */
	void	(*on_head)(struct h2_client_stream *stream, unsigned status, struct fields *fields);

	/* A piece of content, in the bytes given to h2_client_receive(). */
	void	(*on_content)(struct h2_client_stream *stream, struct span piece);

	/* The response is complete. The fields as in on_head, possibly none. */
	void	(*on_end)(struct h2_client_stream *stream, const struct fields *trailers);

	/* why: a constant, without a full stop. */
	void	(*on_failed)(struct h2_client_stream *stream, enum h2_failure failure, const char *why);

	/* All content given has been gathered. */
	void	(*on_taken)(struct h2_client_stream *stream);
};

struct h2_client	*h2_client_create(const struct h2_client_events *events);
void			 h2_client_free(struct h2_client *client);	/* streams hear nothing; NULL is fine */

/* What is asked. Spans and fields live until the stream is over or dropped. */
struct h2_client_head {
	struct span		 method;
	struct span		 scheme;
	struct span		 authority;
	struct span		 path;
	const struct fields	*fields;	/* Host in them is passed over, as are all that HTTP/2 has no use for */
	bool			 has_length;
	uint64_t		 content_length;
};

/* has_content: h2_client_write() will follow. False: this session takes no more streams; nothing has changed. */
bool	h2_client_ask(struct h2_client *client, struct h2_client_stream *stream, const struct h2_client_head *head,
    bool has_content);

/* Copied. trailers (NULL: none) go behind the last piece. */
void	h2_client_write(struct h2_client *client, struct h2_client_stream *stream, struct span piece, bool last,
    const struct fields *trailers);

/* Content that is given but has not been gathered. */
static inline size_t
h2_client_waiting(const struct h2_client_stream *stream)
{
	return stream->waiting.len - stream->sent;
}

/* All content that has come is taken: the server may send as much again. */
void		 h2_client_consume(struct h2_client *client, struct h2_client_stream *stream);

/* Nobody wants to hear of it any more: reset unless it is over. The struct is as new afterwards. */
void		 h2_client_drop(struct h2_client *client, struct h2_client_stream *stream);

/* False: the session is broken. */
bool		 h2_client_receive(struct h2_client *client, struct span bytes);

/* Adds what is to be sent to `out`, until that has H2_CLIENT_GATHER_MAX bytes. False: the session is broken. */
bool		 h2_client_gather(struct h2_client *client, struct text *out);

/* Asks for a sign of life: whatever comes next is one. */
void		 h2_client_ping(struct h2_client *client);

/* GOAWAY is the last thing to be gathered. */
void		 h2_client_leave(struct h2_client *client);

/* Neither reads nor writes are of use any more. */
bool		 h2_client_is_over(const struct h2_client *client);

/* May be asked for another stream, apart from the number of those that are open. */
bool		 h2_client_takes_more(const struct h2_client *client);

/* How many streams the server allows at a time. 100 until it has told. */
uint32_t	 h2_client_streams_max(const struct h2_client *client);

/* Why it is broken or over: a sentence without a full stop, valid as long as the client. Never empty. */
const char	*h2_client_why(const struct h2_client *client);

#endif
