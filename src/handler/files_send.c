/*
 * The answer with a file: preconditions (RFC 9110 §13), then ranges (§14), then content. A small file's bytes are in
 * memory and leave with the head; a larger one's go from the page cache to the socket, at the client's pace.
 */
#include "handler/files.h"

#include "base/put.h"
#include "handler/files_parts.h"
#include "http/conditional.h"
#include "request/response.h"

#include <inttypes.h>

/* Content that is on its way from a descriptor: for each part an optional head, then its bytes. */
struct sending {
	struct file_entry	*entry;		/* ref */
	struct files_parts	 parts;
	size_t			 next;		/* the part that comes next */
	bool			 head_sent;	/* its head is gone already */
};

/* -- large files -------------------------------------------------------------------------------------------------- */

/* False: wait for on_drained. */
static bool
part_send(struct sending *sending, struct request *request)
{
	struct span head = sending->parts.heads[sending->next];
	struct byte_range range = sending->parts.ranges[sending->next];
	struct iovec piece = span_iovec(head);

	if (!sending->head_sent && head.len > 0) {
		sending->head_sent = true;
		if (!response_write(request, &piece, 1))
			return false;
	}
	sending->head_sent = false;
	sending->next++;
	return response_send_file(request, sending->entry->fd, range.first, byte_range_length(range));
}

static void
sending_go(struct request *request)
{
	struct sending *sending = request->work;
	struct file_entry *entry = sending->entry;
	struct iovec tail = span_iovec(sending->parts.tail);

	while (sending->next < sending->parts.count) {
		if (!part_send(sending, request))
			return;
	}
	response_finish_with(request, &tail, tail.iov_len > 0);
	file_unref(entry);
}

static void
sending_gone(struct request *request)
{
	struct sending *sending = request->work;

	file_unref(sending->entry);
}

static const struct request_events sending_events = {
	.on_drained = sending_go,
	.on_gone = sending_gone,
};

static void
head_start(struct request *request, unsigned status, uint64_t length)
{
	request->response.status = status;
	request->response.has_length = true;
	request->response.content_length = length;
	response_start(request);
}

/* One range: its bytes alone. */
static void
parts_single(struct files_parts *parts, struct byte_range range)
{
	parts->count = 1;
	parts->ranges[0] = range;
	parts->heads[0] = parts->tail = SPAN_OF("");
	parts->length = byte_range_length(range);
}

/* Takes the reference. */
static void
large_send(struct request *request, unsigned status, struct file_entry *entry, const struct files_parts *parts)
{
	struct sending *sending = arena_zalloc(request->arena, sizeof(*sending));

	sending->entry = entry;
	sending->parts = *parts;
	request_take(request, &sending_events, sending);
	head_start(request, status, parts->length);
	sending_go(request);
}

/* The same length as a GET's, and nothing after the head. */
static void
head_only_send(struct request *request, struct file_entry *entry)
{
	head_start(request, 200, entry->size);
	response_finish(request, NULL);
	file_unref(entry);
}

/* -- small files -------------------------------------------------------------------------------------------------- */

/* The parts are at most as long as the file, so this is bounded (http/range.h). */
static struct span
parts_join(const struct files_parts *parts, const char *content, struct arena *arena)
{
	char *to = arena_alloc(arena, parts->length), *at = to;

	for (size_t i = 0; i < parts->count; i++) {
		struct byte_range range = parts->ranges[i];

		at = put_span(at, parts->heads[i]);
		at = put_span(at, span_make(content + range.first, byte_range_length(range)));
	}
	return span_between(to, put_span(at, parts->tail));
}

/* Takes the reference. */
static void
small_send(struct request *request, unsigned status, struct file_entry *entry, struct span content)
{
	response_send_content(request, status, content);
	file_unref(entry);
}

/* -- ranges ------------------------------------------------------------------------------------------------------- */

static struct span
range_text(struct arena *arena, struct byte_range range, uint64_t size)
{
	return span_text(arena_format(arena, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first, range.last, size));
}

static void
unsatisfiable_send(struct request *request, struct file_entry *entry)
{
	const char *range = arena_format(request->arena, "bytes */%" PRIu64, entry->size);

	fields_set(&request->response.fields, FIELD_CONTENT_RANGE, span_text(range));
	response_fail(request, 416, NULL, NULL);
	file_unref(entry);
}

/* parts: ranges and their count. Takes the reference. */
static void
ranges_send(struct request *request, const struct files_choice *choice, struct files_parts *parts)
{
	struct file_entry *entry = choice->entry;
	struct fields *fields = &request->response.fields;

	if (parts->count == 1) {
		parts_single(parts, parts->ranges[0]);
		fields_add(fields, FIELD_CONTENT_RANGE, range_text(request->arena, parts->ranges[0], entry->size));
		fields_add(fields, FIELD_CONTENT_TYPE, choice->type);
	} else {
		files_parts_make(parts, choice->type, entry->size, request->arena);
		fields_add(fields, FIELD_CONTENT_TYPE, parts->content_type);
	}
	if (!entry->is_small)
		large_send(request, 206, entry, parts);
	else if (parts->count == 1)
		small_send(request, 206, entry, span_make(entry->content + parts->ranges[0].first, parts->length));
	else
		small_send(request, 206, entry, parts_join(parts, entry->content, request->arena));
}

/* A Range counts for GET only, and only for the state of the file that the client has (If-Range). */
static enum range_result
ranges_wanted(const struct request *request, const struct file_entry *entry, struct files_parts *parts)
{
	if (request->method != HTTP_GET || !fields_have(&request->fields, FIELD_RANGE) ||
	    !condition_allows_range(&request->fields, file_etag(entry), entry->modified))
		return RANGE_NONE;
	return range_parse(fields_value(&request->fields, FIELD_RANGE), entry->size, parts->ranges, FILES_RANGES_MAX,
	    &parts->count);
}

/* -- the whole ---------------------------------------------------------------------------------------------------- */

/* What every answer about this file says, 304 included (RFC 9110 §15.4.5). */
static void
fields_describe(const struct files *files, struct request *request, const struct file_entry *entry)
{
	struct fields *fields = &request->response.fields;

	fields_add(fields, FIELD_LAST_MODIFIED, file_last_modified(entry));
	fields_add(fields, FIELD_ETAG, file_etag(entry));
	if (files->cache_control.len > 0)
		fields_add(fields, FIELD_CACHE_CONTROL, files->cache_control);
	if (files->precompressed.count > 0)
		fields_add(fields, FIELD_VARY, SPAN_OF("Accept-Encoding"));
}

static void
whole_send(struct request *request, const struct files_choice *choice)
{
	struct file_entry *entry = choice->entry;
	struct files_parts whole;

	fields_add(&request->response.fields, FIELD_CONTENT_TYPE, choice->type);
	if (entry->is_small) {
		small_send(request, 200, entry, span_make(entry->content, entry->size));
	} else if (request->method == HTTP_HEAD) {
		head_only_send(request, entry);
	} else {
		parts_single(&whole, (struct byte_range){ 0, entry->size - 1 });
		large_send(request, 200, entry, &whole);
	}
}

/* Whether the client set any precondition: most do not. */
static enum condition_result
condition_of(const struct request *request, const struct file_entry *entry)
{
	const struct fields *fields = &request->fields;

	if (!fields_have(fields, FIELD_IF_NONE_MATCH) && !fields_have(fields, FIELD_IF_MODIFIED_SINCE) &&
	    !fields_have(fields, FIELD_IF_MATCH) && !fields_have(fields, FIELD_IF_UNMODIFIED_SINCE))
		return CONDITION_PROCEED;
	return condition_check(request->method, fields, file_etag(entry), entry->modified);
}

void
files_send(const struct files *files, struct request *request, const struct files_choice *choice)
{
	struct file_entry *entry = choice->entry;
	struct fields *fields = &request->response.fields;
	enum condition_result condition = condition_of(request, entry);
	enum range_result range;
	struct files_parts parts;

	if (condition == CONDITION_FAILED) {
		file_unref(entry);
		response_fail(request, 412, NULL, NULL);
		return;
	}
	range = condition == CONDITION_NOT_MODIFIED ? RANGE_NONE : ranges_wanted(request, entry, &parts);
	if (range == RANGE_UNSATISFIABLE) {
		unsatisfiable_send(request, entry);
		return;
	}
	fields_describe(files, request, entry);
	if (condition == CONDITION_NOT_MODIFIED) {
		small_send(request, 304, entry, SPAN_OF(""));
		return;
	}
	fields_add(fields, FIELD_ACCEPT_RANGES, SPAN_OF("bytes"));
	if (choice->coding)
		fields_add(fields, FIELD_CONTENT_ENCODING, choice->coding->name);
	if (range == RANGE_SOME)
		ranges_send(request, choice, &parts);
	else
		whole_send(request, choice);
}
