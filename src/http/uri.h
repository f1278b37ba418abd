/*
 * uri: request targets (RFC 9112 §3.2, RFC 3986), parsed once, and the one normal form of a path.
 *
 * The normal form is what routes, files and upstreams see: percent-encoded unreserved characters are decoded, other
 * percent codes are in upper case, bytes that RFC 3986 does not allow (space cannot arrive; "<>\^`{|} and 0x80–0xFF)
 * are percent-encoded, dot segments and empty ones are removed ("//admin" is "/admin", as many servers behind would
 * take it, so no route can be walked around). An escaped slash stays escaped. Refused: a broken percent code, %00,
 * control characters, '#', and dot segments that climb above the root.
 */
#ifndef REEVE_HTTP_URI_H
#define REEVE_HTTP_URI_H

#include "base/arena.h"
#include "base/err.h"

enum uri_form { URI_ORIGIN, URI_ABSOLUTE, URI_AUTHORITY, URI_ASTERISK };

struct uri_target {
	enum uri_form	form;
	struct span	scheme;		/* absolute form only */
	struct span	authority;	/* absolute and authority form; userinfo is refused */
	struct span	path;		/* as it came; "/" when the absolute form has none; "*" */
	struct span	query;		/* without the '?' */
	bool		has_query;
};

/* False: no known form, a byte that no target has, '#', or an authority that is not valid. */
bool	uri_target_parse(struct span target, struct uri_target *target_out);

/* False when refused. path_out is `path` itself when that is normal already, else in the arena. */
bool	uri_path_normalise(struct span path, struct arena *arena, struct span *path_out);

/*
 * Host and port of an authority or Host field. IPv6 in brackets keep them. False: not valid (RFC 3986 §3.2.2), and,
 * though valid there, percent codes, IPvFuture, more than 255 bytes and port 0. An empty port ("host:") is none.
 */
bool	uri_authority_parse(struct span authority, struct span *host_out, uint16_t *port_out, bool *has_port_out);

/* Percent codes decoded, for files and captures; false when the result holds NUL or '/' that was escaped. */
bool	uri_decode_path(struct span path, struct arena *arena, struct span *decoded_out);

/*
 * The value of the first NAME in a query (`+` is a space, percent codes decoded, a broken one stands for itself); false
 * when absent. The value may hold any byte.
 */
bool	uri_query_find(struct span query, struct span name, struct arena *arena, struct span *value_out);

/* A whole http(s) or unix URL of the configuration: "http://127.0.0.1:3000", "https://host", "unix:/run/app.sock". */
struct uri_server {
	bool		tls;
	bool		is_unix;
	bool		srv;	/* srv+http:// */
	struct span	host;	/* without brackets; the path of a unix socket */
	uint16_t	port;
	struct span	path;	/* "" or "/prefix", without a final slash */
};
bool	uri_server_parse(struct span url, struct uri_server *server_out, struct err *err);

#endif
