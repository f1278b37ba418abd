/*
 * The reference of the configuration: the tables in the order a reader meets them. What is said about values in general
 * stands here; everything about a key stands in its row.
 */
#include "site/parts.h"

#include "handler/handlers.h"
#include "policy/policies.h"

static const char introduction[] =
    "# Configuration reference\n"
    "\n"
    "One YAML file says everything. This page is made from the tables the server reads it by "
    "(`reeve help --reference`).\n"
    "\n"
    "- An unknown key, a wrong type, a missing or duplicate key and a value out of range are errors with file, line,\n"
    "  column and the key's full path; all errors of a file are reported in one run (`reeve check`).\n"
    "- duration: `250ms`, `10s`, `5m`, `2h`, `7d`. size: `512`, `64K`, `10M`, `1G` (powers of 1024). percent: `20%`.\n"
    "  A bare number where a duration is wanted is an error.\n"
    "- `${NAME}`, `${NAME:-default}` in any value: the environment, read when the file is loaded; "
    "`${file:/path}`: the\n"
    "  file's contents less the final newline. Unset without a default: an error. `$${` is a plain `${`.\n"
    "- Values marked *template* are filled per request: `{client_ip}` `{host}` `{method}` `{scheme}` `{path}` "
    "`{query}`\n"
    "  `{uri}` `{request_id}` `{status}` `{header.NAME}` `{cookie.NAME}` `{query.NAME}` `{env.NAME}` and the "
    "captures of\n"
    "  the route's path; of the client's TLS `{tls.version}` `{tls.cipher}` `{tls.server_name}`, and of the certificate\n"
    "  it has shown `{tls.subject}` `{tls.san}` `{tls.fingerprint}`, empty without. `{{` and `}}` are plain braces.\n"
    "- Relative paths start at the file they stand in. Anchors and merge keys work. `include` takes globs; maps of\n"
    "  included files merge in (a name defined twice is an error), their routes come after, in the order of the "
    "names.\n";

static const char table_head[] = "\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n";

static void
section(struct text *to, const char *level, const char *title, const char *doc)
{
	text_format(to, "\n%s %s\n", level, title);
	if (doc)
		text_format(to, "\n%s\n", doc);
}

static void
group_document(const struct option_group *group, const char *prefix, struct text *to)
{
	text_add_text(to, table_head);
	option_document(group, prefix, to);
}

static void
prefixed(const char *key, const struct option_group *group, void (*document)(const struct option_group *, const char *,
    struct text *), struct text *to)
{
	struct text prefix = { 0 };

	text_format(&prefix, "%s.", key);
	document(group, prefix.bytes, to);
	text_fini(&prefix);
}

void
site_document(struct text *markdown)
{
	text_add_text(markdown, introduction);
	section(markdown, "##", "Top level", NULL);
	group_document(&site_group, "", markdown);
	section(markdown, "##", "Routes", "The first route whose `match` fits serves the request: file order, "
	    "nothing cleverer. "
	    "No route: 404. A route is `match`, any policies, and exactly one handler.");
	section(markdown, "###", "match", match_group.doc);
	prefixed("match", &match_group, group_document, markdown);
	section(markdown, "##", "Handlers", "A route has exactly one.");
	for (size_t i = 0; handlers[i]; i++) {
		section(markdown, "###", handlers[i]->key, handlers[i]->doc);
		prefixed(handlers[i]->key, handlers[i]->group, group_document, markdown);
	}
	section(markdown, "##", "Policies", "In `defaults` or on a route, walked in this order; `off` removes "
	    "an inherited one.");
	for (size_t i = 0; policies[i]; i++) {
		section(markdown, "###", policies[i]->key, policies[i]->doc);
		prefixed(policies[i]->key, policies[i]->group, group_document, markdown);
	}
}

static void
man_group(const char *title, const char *key, const struct option_group *group, struct text *mdoc)
{
	text_format(mdoc, ".Ss %s\n.Bl -tag -width Ds\n", title);
	if (*key)
		prefixed(key, group, option_document_man, mdoc);
	else
		option_document_man(group, "", mdoc);
	text_add_text(mdoc, ".El\n");
}

void
site_document_man(struct text *mdoc)
{
	man_group("Top level", "", &site_group, mdoc);
	man_group("match", "match", &match_group, mdoc);
	for (size_t i = 0; handlers[i]; i++)
		man_group(handlers[i]->key, handlers[i]->key, handlers[i]->group, mdoc);
	for (size_t i = 0; policies[i]; i++)
		man_group(policies[i]->key, policies[i]->key, policies[i]->group, mdoc);
}
