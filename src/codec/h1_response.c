/*
 * The status line, the fields, then RFC 9112 §6.3: what the status and the request's method say about the content goes
 * before what the fields say, but fields that contradict each other are refused in any case.
 */
#include "codec/h1_response.h"
#include "codec/h1_framing.h"
#include "codec/h1_scan.h"
#include "http/byte_class.h"
#include "http/status.h"

enum { REFUSED = 502 };

static const char status_line_pattern[] = "HTTP/1.v sdd";	/* v: 0 or 1, s: 1 to 5, d: any digit */

static bool
pattern_allows(char pattern, char byte)
{
	switch (pattern) {
	case 'v':
		return byte == '0' || byte == '1';
	case 's':
		return byte >= '1' && byte <= '5';
	case 'd':
		return byte_is(byte, BYTE_DIGIT);
	default:
		return byte == pattern;
	}
}

static const char *
reason_end(const char *at, const char *end)
{
	for (;;) {
		at = h1_scan_text(at, end, ' ');
		if (at == end || *at != '\t')
			return at;
		at++;
	}
}

static enum h1_result
status_line_read(const char **at_io, const char *end, struct h1_response_head *head, struct h1_refusal *refusal)
{
	const char *at = *at_io, *start = at, *reason;
	enum h1_result result;

	for (const char *pattern = status_line_pattern; *pattern != '\0'; pattern++, at++) {
		if (at == end)
			return H1_AGAIN;
		if (!pattern_allows(*pattern, *at))
			return h1_refuse(refusal, REFUSED, "a malformed status line");
	}
	head->minor = (uint8_t)(start[7] - '0');
	head->status = hex_value(start[9]) * 100 + hex_value(start[10]) * 10 + hex_value(start[11]);
	reason = at;
	if (at < end && *at == ' ') {
		reason = at + 1;
		at = reason_end(reason, end);
	}
	head->reason = span_between(reason, at);
	result = h1_line_end_parse(&at, end, refusal);
	if (result == H1_OK)
		*at_io = at;
	return result;
}

/* A 1xx or 204 that announces content all the same may send it, too: nothing is read from that socket any more. */
static bool
contradicts_status(const struct h1_response_head *head, const struct h1_framing *framing)
{
	return (head->status < 200 || head->status == 204) && (framing->is_chunked || framing->length > 0);
}

static enum h1_result
body_check(struct h1_response_head *head, enum http_method request_method, struct fields *fields,
    struct h1_refusal *refusal)
{
	struct h1_framing framing;
	enum h1_result result = h1_framing_parse(fields, head->minor, &framing, refusal);

	if (result != H1_OK)
		return result;
	head->has_content_length = framing.has_length;
	head->content_length = framing.length;
	head->keep_alive = h1_keep_alive(fields, head->minor) && !contradicts_status(head, &framing);
	if (request_method == HTTP_HEAD || !http_status_has_content(head->status)) {
		head->body = H1_BODY_NONE;
	} else if (framing.is_chunked) {
		head->body = H1_BODY_CHUNKED;
	} else if (framing.has_length) {
		head->body = framing.length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
	} else {
		head->body = H1_BODY_UNTIL_CLOSE;
		head->keep_alive = false;
	}
	return H1_OK;
}

enum h1_result
h1_response_parse(struct span bytes, enum http_method request_method, const struct h1_limits *limits,
    struct fields *fields, struct h1_response_head *head_out, size_t *used_out)
{
	bool is_cut = bytes.len >= limits->header_size;
	const char *at = bytes.at, *end;
	struct h1_refusal refusal = { 0 };
	enum h1_result result;

	*head_out = (struct h1_response_head){ 0 };
	fields->count = 0;
	fields->seen = 0;
	if (bytes.len == 0)
		return H1_AGAIN;
	end = at + (is_cut ? limits->header_size : bytes.len);
	result = status_line_read(&at, end, head_out, &refusal);
	if (result == H1_OK)
		result = h1_fields_parse(&at, end, limits->header_count, fields, &refusal);
	if (result == H1_AGAIN && is_cut)
		result = h1_refuse(&refusal, REFUSED, "the head is too large");
	if (result == H1_OK)
		result = body_check(head_out, request_method, fields, &refusal);
	head_out->why = refusal.why;
	*used_out = (size_t)(at - bytes.at);
	return result;
}
