/*
 * The rows of `limits:`.
 */
#include "downstream/limits.h"

static const struct option h2_limits_options[] = {
	OPTION_NUMBER(struct h2_limits, max_streams, .def = "128", .min = "1", .max = "10000",
	    .doc = "Requests in flight on one connection; more are refused (REFUSED_STREAM)."),
	OPTION_SIZE(struct h2_limits, window, .def = "1M", .min = "64K", .max = "1G",
	    .doc = "Bytes of content that one connection may have on its way to us; one request, a quarter of that."),
	OPTION_NUMBER(struct h2_limits, resets_per_second, .def = "100", .min = "1", .max = "100000",
	    .doc = "Streams that one connection may reset, pings and empty frames it may send, each second and as "
	    "many at once as in two; more: GOAWAY with ENHANCE_YOUR_CALM."),
	OPTION_END
};

static const struct option_group h2_limits_group = {
	.name = "http2",
	.rows = h2_limits_options,
	.size = sizeof(struct h2_limits),
	.doc = "What a client of HTTP/2 may hold or make reeve do.",
};

static const struct option limits_options[] = {
	OPTION_NUMBER(struct limits, connections, .def = "65536", .min = "1", .max = "10000000",
	    .doc = "Client connections of one worker; past it new ones wait in the listening socket's backlog."),
	OPTION_NUMBER(struct limits, connections_per_client, .def = "0", .max = "10000000",
	    .doc = "Connections of one client address to one worker; more are closed at once. `0`: no limit."),
	OPTION_SIZE(struct limits, header_size, .def = "32K", .min = "1K", .max = "1M",
	    .doc = "Bytes of a whole request head; more: 431."),
	OPTION_NUMBER(struct limits, header_count, .def = "128", .min = "8", .max = "10000",
	    .doc = "Fields of a request head; more: 431."),
	OPTION_SIZE(struct limits, uri_size, .def = "8K", .min = "64", .max = "512K",
	    .doc = "Bytes of a request target; more: 414."),
	OPTION_DURATION(struct limits, header_timeout, .def = "10s", .min = "10ms", .max = "1h",
	    .doc = "From the first byte of a request (or the connection's start) to the end of its head; later: 408."),
	OPTION_DURATION(struct limits, body_timeout, .def = "30s", .min = "10ms", .max = "1h",
	    .doc = "Between two reads of a request's content; later: 408, or cut off when the response has begun."),
	OPTION_DURATION(struct limits, send_timeout, .def = "30s", .min = "10ms", .max = "1h",
	    .doc = "Between two successful writes to a client that does not read; later it is cut off."),
	OPTION_DURATION(struct limits, keepalive_timeout, .def = "75s", .min = "10ms", .max = "24h",
	    .doc = "How long an idle connection is kept open."),
	OPTION_NUMBER(struct limits, keepalive_requests, .def = "0", .max = "1000000000",
	    .doc = "Requests on one connection before it is closed. `0`: no limit."),
	OPTION_DURATION(struct limits, loop_lag, .def = "0s", .max = "1m",
	    .doc = "When the event loop is later than this, new requests get 503 until it recovers. `0s`: off."),
	OPTION_GROUP(struct limits, http2, .group = &h2_limits_group, .doc = "HTTP/2 connections."),
	OPTION_REFUSED("websocket", .doc = "Limits of WebSocket connections."),
	OPTION_END
};

const struct option_group limits_group = {
	.name = "limits",
	.rows = limits_options,
	.size = sizeof(struct limits),
	.doc = "What a client may hold or make reeve wait for.",
};
