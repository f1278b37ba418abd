/*
 * field_names: the field names that reeve itself looks at, one row each: enum, name as it is written out.
 *
 * A new row is all it takes. Order: those asked for most often first (the first 64 also stand in a mask, field.h).
 */
#ifndef REEVE_HTTP_FIELD_NAMES_H
#define REEVE_HTTP_FIELD_NAMES_H

#define FIELD_NAMES(F) \
	F(HOST,				"Host") \
	F(CONNECTION,			"Connection") \
	F(CONTENT_LENGTH,		"Content-Length") \
	F(TRANSFER_ENCODING,		"Transfer-Encoding") \
	F(CONTENT_TYPE,			"Content-Type") \
	F(DATE,				"Date") \
	F(SERVER,			"Server") \
	F(EXPECT,			"Expect") \
	F(UPGRADE,			"Upgrade") \
	F(TE,				"TE") \
	F(TRAILER,			"Trailer") \
	F(KEEP_ALIVE,			"Keep-Alive") \
	F(PROXY_CONNECTION,		"Proxy-Connection") \
	F(PROXY_AUTHENTICATE,		"Proxy-Authenticate") \
	F(PROXY_AUTHORIZATION,		"Proxy-Authorization") \
	F(HTTP2_SETTINGS,		"HTTP2-Settings") \
	F(FORWARDED,			"Forwarded") \
	F(X_FORWARDED_FOR,		"X-Forwarded-For") \
	F(X_FORWARDED_PROTO,		"X-Forwarded-Proto") \
	F(X_FORWARDED_HOST,		"X-Forwarded-Host") \
	F(X_FORWARDED_PORT,		"X-Forwarded-Port") \
	F(X_REAL_IP,			"X-Real-IP") \
	F(VIA,				"Via") \
	F(X_REQUEST_ID,			"X-Request-Id") \
	F(ACCEPT,			"Accept") \
	F(ACCEPT_ENCODING,		"Accept-Encoding") \
	F(ACCEPT_RANGES,		"Accept-Ranges") \
	F(AUTHORIZATION,		"Authorization") \
	F(CACHE_CONTROL,		"Cache-Control") \
	F(CONTENT_ENCODING,		"Content-Encoding") \
	F(CONTENT_RANGE,		"Content-Range") \
	F(COOKIE,			"Cookie") \
	F(SET_COOKIE,			"Set-Cookie") \
	F(ETAG,				"ETag") \
	F(IF_MATCH,			"If-Match") \
	F(IF_NONE_MATCH,		"If-None-Match") \
	F(IF_MODIFIED_SINCE,		"If-Modified-Since") \
	F(IF_UNMODIFIED_SINCE,		"If-Unmodified-Since") \
	F(IF_RANGE,			"If-Range") \
	F(RANGE,			"Range") \
	F(LAST_MODIFIED,		"Last-Modified") \
	F(LOCATION,			"Location") \
	F(ALLOW,			"Allow") \
	F(ORIGIN,			"Origin") \
	F(REFERER,			"Referer") \
	F(RETRY_AFTER,			"Retry-After") \
	F(USER_AGENT,			"User-Agent") \
	F(VARY,				"Vary") \
	F(WWW_AUTHENTICATE,		"WWW-Authenticate") \
	F(PRIORITY,			"Priority") \
	F(X_POWERED_BY,			"X-Powered-By") \
	F(X_ACCEL_BUFFERING,		"X-Accel-Buffering") \
	F(CONTENT_LANGUAGE,		"Content-Language") \
	F(CONTENT_LOCATION,		"Content-Location") \
	F(CONTENT_DISPOSITION,		"Content-Disposition") \
	F(EXPIRES,			"Expires") \
	F(AGE,				"Age") \
	F(MAX_FORWARDS,			"Max-Forwards") \
	F(SEC_WEBSOCKET_KEY,		"Sec-WebSocket-Key") \
	F(SEC_WEBSOCKET_VERSION,	"Sec-WebSocket-Version") \
	F(SEC_WEBSOCKET_PROTOCOL,	"Sec-WebSocket-Protocol") \
	F(SEC_WEBSOCKET_EXTENSIONS,	"Sec-WebSocket-Extensions") \
	F(SEC_WEBSOCKET_ACCEPT,		"Sec-WebSocket-Accept")

#define FIELD_NAME_ENUM(id, name) FIELD_##id,
enum field_name {
	FIELD_OTHER = 0,	/* a name that is in no row: compare the text */
	FIELD_NAMES(FIELD_NAME_ENUM)
	FIELD_NAME_COUNT
};
#undef FIELD_NAME_ENUM

#endif
