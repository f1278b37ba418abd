/* A request is made up from the command line, as the wire would bring it, and the site is asked which route is its. */
#include "command/commands.h"
#include "command/output.h"
#include "command/places.h"
#include "http/byte_class.h"
#include "http/uri.h"
#include "request/client.h"
#include "site/site.h"

#include <string.h>

#define ARENA_BLOCK 4096

struct asker {
	struct arena	arena;
	struct address	address;
	char		address_text[ADDRESS_TEXT_MAX];
	struct client	client;
	struct request	request;
};

/* "example.com/x" means http://example.com/x. */
static bool
url_split(struct arena *arena, const char *url, struct uri_target *target_out)
{
	struct span given = span_text(url);
	bool is_bare = given.len > 0 && url[0] != '/' && strstr(url, "://") == NULL && !span_is(given, "*");

	if (is_bare)
		given = span_text(arena_format(arena, "http://%s", url));
	return uri_target_parse(given, target_out) && target_out->form != URI_AUTHORITY;
}

static bool
authority_fill(struct asker *asker, struct span authority, struct err *err)
{
	static const struct client_tls supposed;
	struct request *request = &asker->request;
	uint16_t port = 0;
	bool has_port = false;

	request->authority = request->forwarded_host = authority;
	if (authority.len > 0 && !uri_authority_parse(authority, &request->host, &port, &has_port))
		return err_set(err, "\"%.*s\" is no host", (int)authority.len, authority.at);
	request->host = arena_lower_case(&asker->arena, request->host);
	asker->client.tls = span_is(request->scheme, "https") ? &supposed : NULL;
	asker->client.local_port = has_port ? port : asker->client.tls ? 443 : 80;
	return true;
}

static bool
target_fill(struct asker *asker, const char *url, struct err *err)
{
	struct request *request = &asker->request;
	struct uri_target target;

	if (!url_split(&asker->arena, url, &target))
		return err_set(err, "\"%s\" is no URL: a path (/users/7) or https://host/path", url);
	if (target.scheme.len > 0 && !span_equal_nocase(target.scheme, SPAN_OF("http")) &&
	    !span_equal_nocase(target.scheme, SPAN_OF("https")))
		return err_set(err, "\"%s\" is neither http nor https", url);
	request->target = span_text(url);
	request->query = target.query;
	request->has_query = target.has_query;
	request->path = target.path;
	if (target.form != URI_ASTERISK && !uri_path_normalise(target.path, &asker->arena, &request->path))
		return err_set(err, "\"%s\" would be refused with 400: a broken percent code, or above the root", url);
	request->scheme = target.scheme.len > 0 ? arena_lower_case(&asker->arena, target.scheme) : SPAN_OF("http");
	return authority_fill(asker, target.authority.len > 0 ? target.authority : SPAN_OF("localhost"), err);
}

static bool
method_fill(struct asker *asker, const char *method, struct err *err)
{
	struct span name = span_text(method);

	if (name.len == 0 || bytes_while(name, BYTE_TOKEN) < name.len)
		return err_set(err, "\"%s\" is no method", method);
	asker->request.method = http_method_of(name);
	asker->request.method_name = name;
	return true;
}

/* The Host field and the URL's host are one thing; -H 'Host: …' is the last word. */
static bool
field_fill(struct asker *asker, const char *given, struct err *err)
{
	struct span line = span_text(given);
	size_t colon = span_find(line, ':');
	struct span name = span_first(line, colon), value = span_trim(span_skip(line, colon + 1));

	if (colon == line.len || !field_name_is_valid(name) || !field_value_is_valid(value))
		return err_set(err, "\"%s\" is no header field: 'Name: value'", given);
	if (field_name_of(name) == FIELD_HOST)
		return authority_fill(asker, value, err);
	fields_add_named(&asker->request.fields, name, value);
	return true;
}

static bool
fields_fill(struct asker *asker, const struct command_line *line, struct err *err)
{
	for (size_t i = 0; i < line->value_count; i++) {
		if (line->values[i].id == FLAG_HEADER && !field_fill(asker, line->values[i].value, err))
			return false;
	}
	fields_add(&asker->request.fields, FIELD_HOST, asker->request.authority);
	return true;
}

static bool
client_fill(struct asker *asker, const struct command_line *line, struct err *err)
{
	const char *given = command_line_value(line, FLAG_CLIENT);

	given = given ? given : "127.0.0.1";
	if (!address_parse_host(span_text(given), 0, &asker->address))
		return err_set(err, "--client %s is no IP address", given);
	asker->client.ip = span_make(asker->address_text, address_format_host(&asker->address, asker->address_text));
	asker->client.peer = &asker->address;
	asker->request.client_ip = asker->client.ip;
	asker->request.client_address = asker->address;
	return true;
}

static bool
asker_init(struct asker *asker, const struct command_line *line, struct err *err)
{
	bool has_method = line->word_count > 1;

	*asker = (struct asker){ .client = { .port = 0 } };
	arena_init(&asker->arena, ARENA_BLOCK);
	request_init(&asker->request, NULL, &asker->arena, &asker->client);
	asker->request.minor = 1;
	if (!has_method && http_method_of(span_text(line->words[0])) != HTTP_METHOD_OTHER)
		return err_set(err, "%s of which URL? A path (/users/7) or https://host/path", line->words[0]);
	return method_fill(asker, has_method ? line->words[0] : "GET", err) &&
	       target_fill(asker, line->words[has_method ? 1 : 0], err) && client_fill(asker, line, err) &&
	       fields_fill(asker, line, err);
}

/* NULL: the problems have been told. */
static struct site *
site_load(const char *path)
{
	struct conf_problems problems;
	struct conf *conf;
	struct site *site;
	struct text lines = { 0 };

	conf_problems_init(&problems);
	conf = conf_load(path, &problems);
	site = conf ? site_build(conf, NULL, &problems) : NULL;
	if (problems.errors > 0) {
		site_unref(site);
		site = NULL;
		conf_problems_sort(&problems);
		conf_problems_format(&problems, &lines);
		fputs(lines.bytes, stderr);
		text_fini(&lines);
	}
	conf_problems_fini(&problems);
	return site;
}

static int
explain(const char *path, struct request *request)
{
	struct site *site = site_load(path);
	struct text text = { 0 };
	bool is_served;

	if (site == NULL)
		return COMMAND_FAILED;
	is_served = site_explain(site, request, &text);
	is_served = output_print(text_span(&text)) && is_served;
	text_fini(&text);
	site_unref(site);
	return is_served ? COMMAND_DONE : COMMAND_FAILED;
}

int
cmd_explain(const struct command_line *line)
{
	struct asker asker;
	struct err err;
	const char *path = config_place(line, &err);
	int code;

	if (path == NULL)
		return output_fail(err.text);
	if (asker_init(&asker, line, &err)) {
		code = explain(path, &asker.request);
	} else {
		output_fail(err.text);
		code = COMMAND_MISUSED;
	}
	arena_fini(&asker.arena);
	return code;
}
