/*
 * URLs of the configuration: a table of the schemes, then host, port and path; every refusal says what would be right.
 */
#include "http/uri.h"

#include "base/count.h"
#include "http/byte_class.h"

enum { UNIX_PATH_MAX = 107 };	/* sun_path less its NUL */

static const struct scheme {
	struct span	prefix;
	bool		tls;
	bool		srv;
	uint16_t	port;
} schemes[] = {
	{ SPAN("http://"),	false, false, 80 },
	{ SPAN("https://"),	true,  false, 443 },
	{ SPAN("srv+http://"),	false, true,  0 },
	{ SPAN("srv+https://"),	true,  true,  0 },
};

static const struct scheme *
scheme_of(struct span url)
{
	for (size_t i = 0; i < COUNT(schemes); i++) {
		if (span_equal_nocase(span_first(url, schemes[i].prefix.len), schemes[i].prefix))
			return &schemes[i];
	}
	return NULL;
}

static bool
unix_parse(struct span path, struct uri_server *server_out, struct err *err)
{
	while (span_starts_with(path, SPAN_OF("//")))	/* unix:///run/app.sock */
		path = span_skip(path, 1);
	if (path.len == 0 || path.at[0] != '/' || span_find(path, '\0') < path.len)
		return err_set(err, "a unix socket needs an absolute path, such as unix:/run/app.sock");
	if (path.len > UNIX_PATH_MAX)
		return err_set(err, "the path of a unix socket has at most %d bytes, this one has %zu", UNIX_PATH_MAX,
		    path.len);
	server_out->is_unix = true;
	server_out->host = path;
	return true;
}

static bool
authority_read(struct span authority, const struct scheme *scheme, struct uri_server *server_out, struct err *err)
{
	bool has_port;

	if (span_find(authority, '@') < authority.len)
		return err_set(err, "a server URL takes no user and password");
	if (!uri_authority_parse(authority, &server_out->host, &server_out->port, &has_port))
		return err_set(err, "\"%.*s\" is not host or host:port (1-65535, IPv6 in brackets)", (int)authority.len,
		    authority.at);
	if (scheme->srv && has_port)
		return err_set(err, "an SRV name takes no port: the record says it");
	if (!has_port)
		server_out->port = scheme->port;
	if (server_out->host.at[0] == '[')
		server_out->host = span_make(server_out->host.at + 1, server_out->host.len - 2);
	return true;
}

/* Percent codes are for requests; a prefix is written plainly. */
static bool
path_read(struct span path, struct uri_server *server_out, struct err *err)
{
	while (path.len > 0 && path.at[path.len - 1] == '/')
		path.len--;
	if (bytes_while(path, BYTE_PATH) < path.len)
		return err_set(err, "\"%.*s\" cannot be the path of a server URL (no query, no fragment, no %% codes)",
		    (int)path.len, path.at);
	server_out->path = path;
	return true;
}

bool
uri_server_parse(struct span url, struct uri_server *server_out, struct err *err)
{
	const struct scheme *scheme = scheme_of(url);
	struct span rest;
	size_t authority = 0;

	*server_out = (struct uri_server){ .path = SPAN("") };
	if (span_equal_nocase(span_first(url, 5), SPAN_OF("unix:")))
		return unix_parse(span_skip(url, 5), server_out, err);
	if (scheme == NULL)
		return err_set(err, "\"%.*s\" is no server URL: those start with http://, https://, srv+http://, "
		    "srv+https:// or unix:/", (int)url.len, url.at);
	rest = span_skip(url, scheme->prefix.len);
	while (authority < rest.len && rest.at[authority] != '/' && rest.at[authority] != '?' &&
	    rest.at[authority] != '#')
		authority++;
	server_out->tls = scheme->tls;
	server_out->srv = scheme->srv;
	return authority_read(span_first(rest, authority), scheme, server_out, err) &&
	    path_read(span_skip(rest, authority), server_out, err);
}
