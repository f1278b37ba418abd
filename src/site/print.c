/*
 * The effective configuration: the top level from its table, then each route with all policies that stand on it, its
 * own and those of the defaults, which so are folded in.
 */
#include "site/parts.h"

#include "base/memory.h"
#include "handler/handlers.h"
#include "policy/policies.h"

enum { POLICY_INDENT = 4, OPTION_INDENT = 6 };

static void
group_print(const char *key, const struct option_group *group, const struct conf_node *node, struct text *to)
{
	size_t before;

	text_format(to, "%*s%s:\n", POLICY_INDENT, "", key);
	before = to->len;
	option_print(group, node, OPTION_INDENT, to);
	if (to->len == before)
		text_format(to, "%*s{}\n", OPTION_INDENT, "");
}

static void
policy_print(const struct policy_type *type, const struct conf_node *own, const struct conf_node *defaults,
    struct text *to)
{
	const struct conf_node *node = conf_get(own, type->key);

	if (node == NULL)
		node = conf_get(defaults, type->key);
	if (node && option_is_off(node))
		text_format(to, "%*s%s: off\n", POLICY_INDENT, "", type->key);
	else if (node || type->always)
		group_print(type->key, type->group, node, to);
}

static void
route_print(const struct conf_node *node, const struct conf_node *defaults, struct text *to)
{
	const struct conf_node *match = conf_get(node, "match");

	text_add_text(to, "  -\n");
	if (match)
		group_print("match", &match_group, match, to);
	for (size_t i = 0; policies[i]; i++)
		policy_print(policies[i], node, defaults, to);
	for (size_t i = 0; handlers[i]; i++)
		if (conf_get(node, handlers[i]->key))
			group_print(handlers[i]->key, handlers[i]->group, conf_get(node, handlers[i]->key), to);
}

/* `routes` and `defaults` are printed as routes, `include` has been followed; `env_file` is for {env.NAME}. */
static bool
is_printed_as_it_is(const struct option *row)
{
	static const char *const others[] = { "routes", "defaults", "include" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(option_key(row), others[i]) == 0)
			return false;
	return true;
}

static void
top_print(const struct conf_node *root, struct text *to)
{
	struct option_group group = site_group;
	struct option *rows;
	size_t count = 0;

	while (site_group.rows[count].kind != OPTION_KIND_END)
		count++;
	rows = memory_zalloc((count + 1) * sizeof(*rows));
	group.rows = rows;
	count = 0;
	for (const struct option *row = site_group.rows; row->kind != OPTION_KIND_END; row++)
		if (is_printed_as_it_is(row))
			rows[count++] = *row;
	option_print(&group, root, 0, to);
	memory_free(rows);
}

void
site_print(const struct site *site, struct text *to)
{
	const struct conf_node *root = conf_root(site->conf), *list = conf_get(root, "routes");

	top_print(root, to);
	text_add_text(to, list && list->count > 0 ? "routes:\n" : "routes: []\n");
	for (const struct conf_node *node = list ? list->first : NULL; node; node = node->next)
		route_print(node, conf_get(root, "defaults"), to);
}
