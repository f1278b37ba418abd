/*
 * Which route would serve a request: every route up to the one that fits, each with the reason, in words.
 */
#include "site/parts.h"

static void
line_begin(const struct route *route, struct text *to)
{
	text_format(to, "routes[%zu]  %s:%u  ", route->number, route->place.file ? route->place.file : "?",
	    route->place.line);
}

static void
policies_list(const struct route *route, struct text *to)
{
	text_add_text(to, "    policies  ");
	for (unsigned i = 0; i < route->policy_count; i++)
		text_format(to, "%s%s", i ? ", " : "", route->policies[i].type->key);
	text_add_text(to, "\n");
}

static void
captures_list(const struct route *route, const struct request *request, struct text *to)
{
	for (size_t i = 0; i < route->match.captures.count; i++) {
		struct span name = route->match.captures.items[i], value = request->captures[i];

		if (value.at)
			text_format(to, "    {%.*s}  %.*s\n", (int)name.len, name.at, (int)value.len, value.at);
	}
}

static void
chosen_explain(const struct route *route, const struct request *request, struct text *to)
{
	line_begin(route, to);
	text_add_text(to, "serves it\n");
	text_format(to, "    handler   %s", route->handler->key);
	if (route->handler->explain) {
		text_add_text(to, ": ");
		route->handler->explain(route->handler_options, to);
	}
	text_add_text(to, "\n");
	policies_list(route, to);
	captures_list(route, request, to);
}

bool
site_explain(const struct site *site, struct request *request, struct text *to)
{
	for (size_t i = 0; i < site->table.count; i++) {
		const struct route *route = site->table.routes[i];

		if (match_fits(&route->match, request)) {
			chosen_explain(route, request, to);
			return true;
		}
		line_begin(route, to);
		text_add_text(to, "no: ");
		match_why_not(&route->match, request, to);
		text_add_text(to, "\n");
	}
	text_add_text(to, "No route serves it: 404.\n");
	return false;
}
