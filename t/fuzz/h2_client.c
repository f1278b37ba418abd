/* rooms: base http codec */
/*
 * Any bytes from a server that four requests were sent to. Each stream hears what it may hear in the order it may, and
 * at most one end; what is malformed is never told; nothing is gathered without bound, wherever the bytes are cut.
 */
#include "codec/h2_client.h"
#include "fuzz.h"

enum { STREAMS = 4 };

enum stage { ASKED, HEAD, ENDED, FAILED };

struct watched {
	struct h2_client_stream	stream;		/* first */
	struct arena		arena;
	enum stage		stage;
	unsigned		status;
	size_t			content;
	size_t			untaken;
	bool			is_upload;
	bool			is_dropped;
	bool			is_reader;	/* consumes what comes */
};

static struct h2_client *client;

static struct watched *
watched_of(struct h2_client_stream *stream)
{
	return (struct watched *)(void *)stream;
}

static void
check_fields(const struct fields *fields)
{
	check(fields->count <= H2_CLIENT_FIELDS_MAX);
	for (uint32_t i = 0; i < fields->count; i++) {
		check(field_name_is_valid(fields->items[i].name) && field_value_is_valid(fields->items[i].value));
		check(fields->items[i].id != FIELD_CONNECTION && fields->items[i].id != FIELD_TRANSFER_ENCODING &&
		    fields->items[i].id != FIELD_UPGRADE && fields->items[i].id != FIELD_KEEP_ALIVE);
		check(fields->items[i].name.at[0] != ':');
	}
}

static void
on_head(struct h2_client_stream *stream, unsigned status, struct fields *fields)
{
	struct watched *watched = watched_of(stream);

	check(!watched->is_dropped && watched->stage == ASKED && status >= 100 && status <= 599 && status != 101);
	check_fields(fields);
	if (status < 200)
		return;
	watched->stage = HEAD;
	watched->status = status;
	if (status != 500)
		return;
	watched->is_dropped = true;
	h2_client_drop(client, stream);
}

static void
on_content(struct h2_client_stream *stream, struct span piece)
{
	struct watched *watched = watched_of(stream);

	check(!watched->is_dropped && watched->stage == HEAD && piece.len > 0);
	check(watched->status != 204 && watched->status != 304);
	watched->content += piece.len;
	watched->untaken += piece.len;
	check(watched->untaken <= H2_CLIENT_STREAM_WINDOW);
	if (!watched->is_reader)
		return;
	watched->untaken = 0;
	h2_client_consume(client, stream);
}

static void
on_end(struct h2_client_stream *stream, const struct fields *trailers)
{
	check(!watched_of(stream)->is_dropped && watched_of(stream)->stage == HEAD);
	check_fields(trailers);
	watched_of(stream)->stage = ENDED;
}

static void
on_failed(struct h2_client_stream *stream, enum h2_failure failure, const char *why)
{
	check(!watched_of(stream)->is_dropped && watched_of(stream)->stage <= HEAD);
	check(why != NULL && why[0] != '\0' && stream->id == 0);
	check(failure == H2_FAILED_UNPROCESSED || failure == H2_FAILED_RESET || failure == H2_FAILED_MALFORMED);
	watched_of(stream)->stage = FAILED;
}

static void
on_taken(struct h2_client_stream *stream)
{
	check(!watched_of(stream)->is_dropped && h2_client_waiting(stream) == 0);
}

static const struct h2_client_events events = {
	.on_head = on_head, .on_content = on_content, .on_end = on_end, .on_failed = on_failed, .on_taken = on_taken,
};

static void
ask(struct watched *watched, unsigned number)
{
	struct fields fields;
	const struct h2_client_head head = {
		.method = number == 1 ? SPAN_OF("HEAD") : SPAN_OF("PUT"), .scheme = SPAN("http"),
		.authority = SPAN("a.test"), .path = SPAN("/"), .fields = &fields,
	};

	arena_init(&watched->arena, 1024);
	watched->stream.arena = &watched->arena;
	watched->is_upload = number >= 2;
	watched->is_reader = number != 3;
	fields_init(&fields, &watched->arena, NULL, 0);
	check(h2_client_ask(client, &watched->stream, &head, watched->is_upload));
	if (watched->is_upload)
		h2_client_write(client, &watched->stream, SPAN_OF("some content"), false, NULL);
}

static bool
gather(struct text *out)
{
	bool is_sound = h2_client_gather(client, out);

	check(out->len < H2_CLIENT_GATHER_MAX + 32768);
	text_clear(out);
	return is_sound;
}

/* A hash of what was told. */
static size_t
play(struct span bytes, size_t cut)
{
	struct watched watched[STREAMS] = { { .stage = ASKED } };
	struct text out = { 0 };
	bool is_sound = true;
	size_t told = 0;

	client = h2_client_create(&events);
	for (unsigned i = 0; i < STREAMS; i++)
		ask(&watched[i], i);
	gather(&out);
	while (is_sound && bytes.len > 0) {
		struct span piece = fuzz_copy(span_first(bytes, cut));

		is_sound = h2_client_receive(client, piece);
		fuzz_release(piece);
		bytes = span_skip(bytes, cut);
		if (is_sound)
			is_sound = gather(&out);
	}
	check(h2_client_why(client)[0] != '\0');
	for (unsigned i = 0; i < STREAMS; i++) {
		told = told * 31 + watched[i].stage * 7 + watched[i].status + watched[i].content;
		if (watched[i].is_upload && !watched[i].is_dropped && is_sound && watched[i].stream.id != 0)
			h2_client_write(client, &watched[i].stream, SPAN_OF("!"), true, NULL);
	}
	if (is_sound)
		gather(&out);
	for (unsigned i = 0; i < STREAMS; i++) {
		h2_client_drop(client, &watched[i].stream);
		arena_fini(&watched[i].arena);
	}
	h2_client_free(client);
	text_fini(&out);
	return told;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool ready;
	struct span all = { (const char *)bytes, size };

	if (!ready)
		field_names_init();
	ready = true;
	play(all, size > 0 ? size : 1);
	check(play(all, 1) == play(all, 1));
	play(all, 13);
	return 0;
}
