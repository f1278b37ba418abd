/*
 * Kinds of options that policies and handlers share: templates, maps of field templates, networks.
 */
#include "route/stage.h"

#include "base/address.h"

static const struct template_names *
names_of(const struct option_reader *reader)
{
	const struct stage_builder *builder = reader->lent;

	return builder ? &builder->names : NULL;
}

bool
template_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct err err;

	if (node->kind != CONF_SCALAR)
		return option_problem(reader, node, "expected a text, maybe with {placeholders}");
	if (!template_parse(node->text, names_of(reader), reader->arena, field, &err))
		return option_problem(reader, node, "%s", err.text);
	return true;
}

static bool
field_template_read(struct option_reader *reader, const struct conf_node *node, struct template_pair *pair)
{
	pair->name = arena_copy(reader->arena, node->key);
	pair->id = field_name_of(node->key);
	if (!field_name_is_valid(node->key))
		return option_problem(reader, node, "\"%.*s\" is no field name", (int)node->key.len, node->key.at);
	if (!template_option(reader, node, &pair->value))
		return false;
	if (!field_value_is_valid(pair->value.text))
		return option_problem(reader, node, "a field's value may not hold line ends or control characters");
	return true;
}

bool
field_templates_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct template_pairs *pairs = field;
	bool ok = true;

	if (node->kind != CONF_MAP)
		return option_problem(reader, node, "expected a map of field names to values");
	pairs->items = arena_zalloc(reader->arena, (node->count + 1) * sizeof(struct template_pair));
	for (const struct conf_node *child = node->first; child; child = child->next) {
		option_enter(reader, child->key.at);
		ok = field_template_read(reader, child, &pairs->items[pairs->count]) && ok;
		option_leave(reader);
		pairs->count++;
	}
	return ok;
}

static bool
network_read(struct option_reader *reader, const struct conf_node *node, struct networks *networks)
{
	if (node->kind == CONF_SCALAR && network_parse(node->text, &networks->items[networks->count])) {
		networks->count++;
		return true;
	}
	return option_problem(reader, node, "expected a network such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7");
}

bool
networks_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct networks *networks = field;
	size_t index = 0;
	bool ok = true;

	networks->count = 0;
	networks->items = arena_zalloc(reader->arena, (node->count + 1) * sizeof(struct network));
	if (node->kind != CONF_LIST)
		return network_read(reader, node, networks);
	for (const struct conf_node *child = node->first; child; child = child->next) {
		option_enter_index(reader, index++);
		ok = network_read(reader, child, networks) && ok;
		option_leave(reader);
	}
	return ok;
}
