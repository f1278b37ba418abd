/*
 * The request line is read byte by byte from the left, the fields after it, and what the fields mean together last. The
 * limit on the head's size is a second end of the bytes: running into it is the difference between AGAIN and 431.
 */
#include "codec/h1_request.h"
#include "codec/h1_framing.h"
#include "codec/h1_scan.h"
#include "http/byte_class.h"
#include "http/uri.h"

enum { EMPTY_LINES_MAX = 4, METHOD_MAX = 32, VERSION_LENGTH = 8 /* "HTTP/1.1" */ };

static enum h1_result
empty_lines_skip(const char **at_io, const char *end, struct h1_refusal *refusal)
{
	enum h1_result result;

	for (unsigned lines = 0; *at_io < end && **at_io == '\r'; lines++) {
		if (lines == EMPTY_LINES_MAX)
			return h1_refuse(refusal, 400, "too many empty lines before the request");
		result = h1_line_end_parse(at_io, end, refusal);
		if (result != H1_OK)
			return result;
	}
	return *at_io == end ? H1_AGAIN : H1_OK;
}

static enum h1_result
method_read(const char **at_io, const char *end, struct h1_request_head *head, struct h1_refusal *refusal)
{
	const char *start = *at_io, *at = start;

	while (at < end && byte_is(*at, BYTE_TOKEN)) {
		if (at - start == METHOD_MAX)
			return h1_refuse(refusal, 501, "a method name longer than any that is known");
		at++;
	}
	if (at == end)
		return H1_AGAIN;
	if (at == start || *at != ' ')
		return h1_refuse(refusal, 400, *at == '\n' ? "a line ends in LF without CR" :
		    "the request line does not start with a method and a space");
	head->method_name = span_between(start, at);
	head->method = http_method_of(head->method_name);
	*at_io = at + 1;
	return H1_OK;
}

/* head->target is set as soon as it has begun, for the choice between 414 and 431. */
static enum h1_result
target_read(const char **at_io, const char *end, uint64_t max_size, struct h1_request_head *head,
    struct h1_refusal *refusal)
{
	const char *start = *at_io, *at;
	const char *limit = (uint64_t)(end - start) > max_size ? start + max_size + 1 : end;

	at = h1_scan_text(start, limit, '!');
	head->target = span_between(start, at);
	if (head->target.len > max_size)
		return h1_refuse(refusal, 414, "the target is too long");
	if (at == end)
		return H1_AGAIN;
	if (*at == '\r')
		return h1_refuse(refusal, 400, "no HTTP version in the request line (HTTP/0.9)");
	if (*at != ' ' || at == start)
		return h1_refuse(refusal, 400, *at == '\n' ? "a line ends in LF without CR" :
		    at == start ? "white space before the target" : "a control character in the target");
	*at_io = at + 1;
	return H1_OK;
}

/* For anything but a whole "HTTP/1.0" or "HTTP/1.1" and CRLF. */
static enum h1_result
version_refuse(const char *at, const char *end, struct h1_refusal *refusal)
{
	static const char pattern[VERSION_LENGTH + 1] = "HTTP/0.0";	/* 0: any digit */
	enum h1_result result;

	for (unsigned i = 0; i < VERSION_LENGTH; i++, at++) {
		if (at == end)
			return H1_AGAIN;
		if (pattern[i] == '0' ? !byte_is(*at, BYTE_DIGIT) : *at != pattern[i])
			return h1_refuse(refusal, 400, "a malformed HTTP version");
	}
	if (at < end && *at != '\r' && *at != '\n')
		return h1_refuse(refusal, 400, "more than a version at the end of the request line");
	result = h1_line_end_parse(&at, end, refusal);
	if (result != H1_OK)
		return result;
	return h1_refuse(refusal, 505, "an HTTP version other than 1.0 and 1.1");
}

static enum h1_result
version_read(const char **at_io, const char *end, struct h1_request_head *head, struct h1_refusal *refusal)
{
	const char *at = *at_io;

	if (end - at < VERSION_LENGTH + 2 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') ||
	    at[8] != '\r' || at[9] != '\n')
		return version_refuse(at, end, refusal);
	head->minor = (uint8_t)(at[7] - '0');
	*at_io = at + VERSION_LENGTH + 2;
	return H1_OK;
}

static enum h1_result
head_read(const char **at_io, const char *end, const struct h1_limits *limits, struct fields *fields,
    struct h1_request_head *head, struct h1_refusal *refusal)
{
	enum h1_result result;

	if ((result = empty_lines_skip(at_io, end, refusal)) != H1_OK ||
	    (result = method_read(at_io, end, head, refusal)) != H1_OK ||
	    (result = target_read(at_io, end, limits->uri_size, head, refusal)) != H1_OK ||
	    (result = version_read(at_io, end, head, refusal)) != H1_OK)
		return result;
	return h1_fields_parse(at_io, end, limits->header_count, fields, refusal);
}

/* What nearly everybody sends: a path and maybe a query. Its bytes are known to be those of a target. */
static enum h1_result
origin_form_cut(struct span from, struct uri_target *target, struct h1_refusal *refusal)
{
	size_t path = span_find(from, '?');

	if (span_find(from, '#') < from.len)
		return h1_refuse(refusal, 400, "a fragment in the target");
	target->form = URI_ORIGIN;
	target->path = span_first(from, path);
	target->has_query = path < from.len;
	target->query = span_skip(from, path + target->has_query);
	return H1_OK;
}

/* RFC 9112 §3.2: which form the target may have with which method. */
static enum h1_result
target_check(const struct h1_request_head *head, struct uri_target *target, struct h1_refusal *refusal)
{
	if (head->target.at[0] == '/' && head->method != HTTP_CONNECT)
		return origin_form_cut(head->target, target, refusal);
	if (!uri_target_parse(head->target, target))
		return h1_refuse(refusal, 400, "a target of no known form");
	if ((target->form == URI_AUTHORITY) != (head->method == HTTP_CONNECT))
		return h1_refuse(refusal, 400, "CONNECT and only CONNECT takes an authority as its target");
	if (target->form == URI_ASTERISK && head->method != HTTP_OPTIONS)
		return h1_refuse(refusal, 400, "only OPTIONS takes * as its target");
	if (target->form == URI_ABSOLUTE && !span_equal_nocase(target->scheme, SPAN_OF("http")) &&
	    !span_equal_nocase(target->scheme, SPAN_OF("https")))
		return h1_refuse(refusal, 400, "a target whose scheme is not http or https");
	return H1_OK;
}

struct authority {
	struct span	host;
	uint16_t	port;
	bool		has_port;
};

static bool
authority_parse(struct span text, struct authority *authority_out)
{
	return uri_authority_parse(text, &authority_out->host, &authority_out->port, &authority_out->has_port);
}

/* A port that is left out is the scheme's. */
static bool
authorities_agree(const struct authority *a, const struct authority *b, struct span scheme)
{
	unsigned usual = span_equal_nocase(scheme, SPAN_OF("https")) ? 443 : 80;

	return span_equal_nocase(a->host, b->host) &&
	    (a->has_port ? a->port : usual) == (b->has_port ? b->port : usual);
}

/* RFC 9112 §3.2, §3.2.2. */
static enum h1_result
host_check(struct h1_request_head *head, const struct fields *fields, struct h1_refusal *refusal)
{
	const struct uri_target *target = &head->uri;
	struct authority host = { 0 }, asked;

	head->authority = fields_value(fields, FIELD_HOST);
	if (!fields_have(fields, FIELD_HOST) && head->minor == 1)
		return h1_refuse(refusal, 400, "no Host field");
	if (fields_have(fields, FIELD_HOST) && !authority_parse(head->authority, &host))
		return h1_refuse(refusal, 400, "a Host that is not host[:port]");
	head->host = host.host;
	if (target->authority.len == 0)
		return H1_OK;
	if (!authority_parse(target->authority, &asked))
		return h1_refuse(refusal, 400, "a target whose authority is not host[:port]");
	if (host.host.len > 0 && !authorities_agree(&host, &asked, target->scheme))
		return h1_refuse(refusal, 400, "a Host that differs from the target's");
	head->authority = target->authority;
	head->host = asked.host;
	return H1_OK;
}

static enum h1_result
body_check(struct h1_request_head *head, struct fields *fields, struct h1_refusal *refusal)
{
	struct h1_framing framing;
	enum h1_result result = h1_framing_parse(fields, head->minor, &framing, refusal);

	if (result != H1_OK)
		return result;
	head->content_length = framing.length;
	head->body = framing.is_chunked ? H1_BODY_CHUNKED : framing.length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
	return H1_OK;
}

/* RFC 9110 §10.1.1: a 1.0 client cannot expect anything. */
static enum h1_result
expect_check(struct h1_request_head *head, const struct fields *fields, struct h1_refusal *refusal)
{
	if (!fields_have(fields, FIELD_EXPECT) || head->minor == 0)
		return H1_OK;
	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == FIELD_EXPECT &&
		    !span_equal_nocase(fields->items[i].value, SPAN_OF("100-continue")))
			return h1_refuse(refusal, 417, "an Expect other than 100-continue");
	}
	head->expects_continue = true;
	return H1_OK;
}

/* What the fields say together. Whatever could make two readings comes before what is merely not supported. */
static enum h1_result
head_check(struct h1_request_head *head, struct fields *fields, struct h1_refusal *refusal)
{
	enum h1_result result;

	if ((result = target_check(head, &head->uri, refusal)) != H1_OK ||
	    (result = host_check(head, fields, refusal)) != H1_OK ||
	    (result = body_check(head, fields, refusal)) != H1_OK ||
	    (result = expect_check(head, fields, refusal)) != H1_OK)
		return result;
	head->keep_alive = h1_keep_alive(fields, head->minor);
	head->has_upgrade = head->minor == 1 && fields_have(fields, FIELD_UPGRADE) &&
	    fields_have_token(fields, FIELD_CONNECTION, SPAN_OF("upgrade"));
	return H1_OK;
}

/* at: where the step began that ran out of bytes. */
static enum h1_result
too_large(const struct h1_request_head *head, const char *at, struct h1_refusal *refusal)
{
	if (head->target.at == at)
		return h1_refuse(refusal, 414, "the target does not fit into a head");
	return h1_refuse(refusal, 431, "the head is too large");
}

enum h1_result
h1_request_parse(struct span bytes, const struct h1_limits *limits, struct fields *fields,
    struct h1_request_head *head_out, size_t *used_out)
{
	const char *at = bytes.at;
	bool is_cut = bytes.len >= limits->header_size;
	const char *end;
	struct h1_refusal refusal = { 0 };
	enum h1_result result;

	*head_out = (struct h1_request_head){ 0 };
	fields->count = 0;
	fields->seen = 0;
	if (bytes.len == 0)
		return H1_AGAIN;
	end = at + (is_cut ? limits->header_size : bytes.len);
	result = head_read(&at, end, limits, fields, head_out, &refusal);
	if (result == H1_AGAIN && is_cut)
		result = too_large(head_out, at, &refusal);
	if (result == H1_OK)
		result = head_check(head_out, fields, &refusal);
	head_out->status = refusal.status;
	head_out->why = refusal.why;
	*used_out = (size_t)(at - bytes.at);
	return result;
}

bool
h1_head_may_be_complete(struct span bytes, size_t searched)
{
	const char *start = bytes.at, *end, *at;

	if (bytes.len == 0)
		return false;
	end = start + bytes.len;
	at = searched > 0 ? start + searched - 1 : start;
	for (const char *lf = at; (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++) {
		if (lf == start || lf[-1] != '\r')
			return true;
		if (lf - start >= 3 && lf[-2] == '\n')
			return true;
	}
	for (const char *cr = at; (cr = memchr(cr, '\r', (size_t)(end - cr))) != NULL; cr++) {
		if (cr + 1 < end && cr[1] != '\n')
			return true;
	}
	return false;
}
