/* The smallest owner that an h2_client can have: it waits for a head and looks at nothing else. */
#include "upstream/h2_question.h"

#include "base/list.h"

enum { ARENA_BLOCK = 4096 };

static struct h2_question *
question_of(struct h2_client_stream *stream)
{
	return LIST_OWNER(stream, struct h2_question, stream);
}

static void
question_head(struct h2_client_stream *stream, unsigned status, struct fields *fields)
{
	(void)fields;
	if (status >= 200)
		question_of(stream)->status = status;
}

static void
question_content(struct h2_client_stream *stream, struct span piece)
{
	(void)stream, (void)piece;
}

static void
question_end(struct h2_client_stream *stream, const struct fields *trailers)
{
	(void)stream, (void)trailers;
}

static void
question_failed(struct h2_client_stream *stream, enum h2_failure failure, const char *why)
{
	(void)failure;
	question_of(stream)->why = why;
}

static void
question_taken(struct h2_client_stream *stream)
{
	(void)stream;
}

static const struct h2_client_events question_events = {
	.on_head	= question_head,
	.on_content	= question_content,
	.on_end		= question_end,
	.on_failed	= question_failed,
	.on_taken	= question_taken,
};

void
h2_question_init(struct h2_question *question, struct span scheme, struct span authority, struct span path,
    struct span user_agent)
{
	struct fields fields;
	const struct h2_client_head head = {
		.method = SPAN("GET"), .scheme = scheme, .authority = authority, .path = path, .fields = &fields,
	};

	memset(question, 0, sizeof(*question));
	arena_init(&question->arena, ARENA_BLOCK);
	fields_init(&fields, &question->arena, NULL, 0);
	fields_add(&fields, FIELD_USER_AGENT, user_agent);
	fields_add(&fields, FIELD_ACCEPT, SPAN_OF("*/*"));
	question->client = h2_client_create(&question_events);
	question->stream.arena = &question->arena;
	h2_client_ask(question->client, &question->stream, &head, false);
	h2_client_gather(question->client, &question->out);
}

enum h2_question_result
h2_question_take(struct h2_question *question, struct span bytes)
{
	bool is_sound = h2_client_receive(question->client, bytes) &&
	    h2_client_gather(question->client, &question->out);

	if (question->status != 0)
		return H2_QUESTION_ANSWERED;
	if (question->why != NULL)
		return H2_QUESTION_BAD;
	if (is_sound && !h2_client_is_over(question->client))
		return H2_QUESTION_MORE;
	question->why = h2_client_why(question->client);
	return H2_QUESTION_BAD;
}

void
h2_question_fini(struct h2_question *question)
{
	if (question->client == NULL)
		return;
	h2_client_drop(question->client, &question->stream);
	h2_client_free(question->client);
	question->client = NULL;
	text_fini(&question->out);
	arena_fini(&question->arena);
}
