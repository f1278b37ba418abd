/*
 * Status lines are constants: one table of the registered codes, and one of bare lines for all the others.
 */
#include "http/status.h"

#include <assert.h>

#define STATUSES(S) \
	S(100, "Continue") \
	S(101, "Switching Protocols") \
	S(102, "Processing") \
	S(103, "Early Hints") \
	S(200, "OK") \
	S(201, "Created") \
	S(202, "Accepted") \
	S(203, "Non-Authoritative Information") \
	S(204, "No Content") \
	S(205, "Reset Content") \
	S(206, "Partial Content") \
	S(207, "Multi-Status") \
	S(208, "Already Reported") \
	S(226, "IM Used") \
	S(300, "Multiple Choices") \
	S(301, "Moved Permanently") \
	S(302, "Found") \
	S(303, "See Other") \
	S(304, "Not Modified") \
	S(305, "Use Proxy") \
	S(307, "Temporary Redirect") \
	S(308, "Permanent Redirect") \
	S(400, "Bad Request") \
	S(401, "Unauthorized") \
	S(402, "Payment Required") \
	S(403, "Forbidden") \
	S(404, "Not Found") \
	S(405, "Method Not Allowed") \
	S(406, "Not Acceptable") \
	S(407, "Proxy Authentication Required") \
	S(408, "Request Timeout") \
	S(409, "Conflict") \
	S(410, "Gone") \
	S(411, "Length Required") \
	S(412, "Precondition Failed") \
	S(413, "Content Too Large") \
	S(414, "URI Too Long") \
	S(415, "Unsupported Media Type") \
	S(416, "Range Not Satisfiable") \
	S(417, "Expectation Failed") \
	S(421, "Misdirected Request") \
	S(422, "Unprocessable Content") \
	S(423, "Locked") \
	S(424, "Failed Dependency") \
	S(425, "Too Early") \
	S(426, "Upgrade Required") \
	S(428, "Precondition Required") \
	S(429, "Too Many Requests") \
	S(431, "Request Header Fields Too Large") \
	S(451, "Unavailable For Legal Reasons") \
	S(500, "Internal Server Error") \
	S(501, "Not Implemented") \
	S(502, "Bad Gateway") \
	S(503, "Service Unavailable") \
	S(504, "Gateway Timeout") \
	S(505, "HTTP Version Not Supported") \
	S(506, "Variant Also Negotiates") \
	S(507, "Insufficient Storage") \
	S(508, "Loop Detected") \
	S(510, "Not Extended") \
	S(511, "Network Authentication Required")

enum { FIRST_STATUS = 100, STATUSES_END = 600, BARE_LENGTH = 15 /* "HTTP/1.1 299 \r\n" */ };

#define REASON(code, reason) [code - FIRST_STATUS] = reason,
static const char *const reasons[STATUSES_END - FIRST_STATUS] = { STATUSES(REASON) };

#define LINE(code, reason) [code - FIRST_STATUS] = SPAN("HTTP/1.1 " #code " " reason "\r\n"),
static const struct span lines[STATUSES_END - FIRST_STATUS] = { STATUSES(LINE) };

#define BARE(a, b, c)	"HTTP/1.1 " #a #b #c " \r\n",
#define BARE_10(a, b) \
	BARE(a, b, 0) BARE(a, b, 1) BARE(a, b, 2) BARE(a, b, 3) BARE(a, b, 4) \
	BARE(a, b, 5) BARE(a, b, 6) BARE(a, b, 7) BARE(a, b, 8) BARE(a, b, 9)
#define BARE_100(a) \
	BARE_10(a, 0) BARE_10(a, 1) BARE_10(a, 2) BARE_10(a, 3) BARE_10(a, 4) \
	BARE_10(a, 5) BARE_10(a, 6) BARE_10(a, 7) BARE_10(a, 8) BARE_10(a, 9)
static const char bare_lines[STATUSES_END - FIRST_STATUS][BARE_LENGTH + 1] = {
	BARE_100(1) BARE_100(2) BARE_100(3) BARE_100(4) BARE_100(5)
};

const char *
http_status_reason(unsigned status)
{
	if (status < FIRST_STATUS || status >= STATUSES_END || reasons[status - FIRST_STATUS] == NULL)
		return "";
	return reasons[status - FIRST_STATUS];
}

struct span
http_status_line(unsigned status)
{
	assert(status >= FIRST_STATUS && status < STATUSES_END);
	if (lines[status - FIRST_STATUS].len > 0)
		return lines[status - FIRST_STATUS];
	return span_make(bare_lines[status - FIRST_STATUS], BARE_LENGTH);
}
