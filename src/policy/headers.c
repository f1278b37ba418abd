/*
 * headers: fields of the response that the operator sets, adds or takes away.
 *
 * Values are filled per request and may hold what a client sent, decoded; a value that is no valid field value after
 * that (a line break, say) is left out, so nobody can write a field of his own (RFC 9110 §5.5). An empty one is left
 * out as well.
 */
#include "policy/policies.h"

#include "base/count.h"

struct headers {
	struct template_pairs	set;
	struct template_pairs	add;
	struct conf_texts	remove;

	/* Built. */
	enum field_name	*remove_ids;	/* of `remove`, by index */
};

static const enum field_name transport_names[] = { FIELD_CONTENT_LENGTH, FIELD_DATE, FIELD_TRAILER };

/* Framing, the connection's own and the date: the transport writes them. */
static bool
name_is_of_transport(struct span name)
{
	struct field field = { .id = field_name_of(name), .name = name };

	for (size_t i = 0; i < COUNT(transport_names); i++) {
		if (field.id == transport_names[i])
			return true;
	}
	return field_is_hop_by_hop(&field, SPAN_OF(""));
}

static bool
value_fill(const struct template *template, struct request *request, struct span *value_out)
{
	*value_out = span_trim(template_fill(template, request));
	return value_out->len > 0 && field_value_is_valid(*value_out);
}

static void
field_set(struct fields *fields, const struct template_pair *pair, struct span value)
{
	if (pair->id == FIELD_OTHER)
		fields_set_named(fields, pair->name, value);
	else
		fields_set(fields, pair->id, value);
}

/* RFC 6797 §7.2: only in what travels securely, be it to the proxy in front of us. */
static bool
is_out_of_place(const struct template_pair *pair, const struct request *request)
{
	return pair->id == FIELD_OTHER && span_equal_nocase(pair->name, SPAN_OF("Strict-Transport-Security")) &&
	       !span_is(request->scheme, "https");
}

static void
headers_on_response(const void *configured, struct request *request)
{
	const struct headers *policy = configured;
	struct fields *fields = &request->response.fields;
	struct span value;

	for (size_t i = 0; i < policy->remove.count; i++) {
		if (policy->remove_ids[i] == FIELD_OTHER)
			fields_remove_named(fields, policy->remove.items[i]);
		else
			fields_remove(fields, policy->remove_ids[i]);
	}
	for (size_t i = 0; i < policy->set.count; i++) {
		if (is_out_of_place(&policy->set.items[i], request))
			fields_remove_named(fields, policy->set.items[i].name);
		else if (value_fill(&policy->set.items[i].value, request, &value))
			field_set(fields, &policy->set.items[i], value);
	}
	for (size_t i = 0; i < policy->add.count; i++) {
		const struct template_pair *pair = &policy->add.items[i];

		if (!is_out_of_place(pair, request) && value_fill(&pair->value, request, &value))
			fields_add_known(fields, pair->id, pair->name, value);
	}
}

static bool
name_check(struct option_reader *reader, const struct conf_node *node, struct span name)
{
	if (name_is_of_transport(name))
		return option_problem(reader, node, "\"%.*s\" belongs to the connection and cannot be changed",
		    (int)name.len, name.at);
	if (!field_name_is_valid(name))
		return option_problem(reader, node, "\"%.*s\" is no valid field name", (int)name.len, name.at);
	return true;
}

/* Names stand as keys in `set` and `add`, as values in `remove`, which may be one name instead of a list. */
static bool
names_check(struct option_reader *reader, const struct conf_node *node, const char *key)
{
	const struct conf_node *list = conf_get(node, key);
	bool is_fine = true;

	if (list == NULL)
		return true;
	option_enter(reader, key);
	if (list->kind == CONF_SCALAR)
		is_fine = name_check(reader, list, list->text);
	for (const struct conf_node *child = list->first; child; child = child->next)
		is_fine = name_check(reader, child, list->kind == CONF_MAP ? child->key : child->text) && is_fine;
	option_leave(reader);
	return is_fine;
}

static bool
headers_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	bool is_fine = names_check(reader, node, "set");

	(void)field;
	is_fine = names_check(reader, node, "add") && is_fine;
	return names_check(reader, node, "remove") && is_fine;
}

static bool
headers_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	struct headers *policy = field;

	(void)node;
	policy->remove_ids = arena_alloc(reader->arena, (policy->remove.count + 1) * sizeof(*policy->remove_ids));
	for (size_t i = 0; i < policy->remove.count; i++)
		policy->remove_ids[i] = field_name_of(policy->remove.items[i]);
	return true;
}

static const struct option headers_options[] = {
	OPTION_CUSTOM(struct headers, set, .parse = field_templates_option, .type = "map of templates",
	    .doc = "Fields of the response that get this value, whatever they had. An empty value is left out."),
	OPTION_CUSTOM(struct headers, add, .parse = field_templates_option, .type = "map of templates",
	    .doc = "Fields that are added to those of the same name."),
	OPTION_TEXTS(struct headers, remove, .doc = "Fields that are taken away, before `set` and `add`."),
	OPTION_END
};

static const struct option_group headers_group = {
	.name = "headers", .rows = headers_options, .size = sizeof(struct headers), .check = headers_check,
};

const struct policy_type policy_headers = {
	.key = "headers",
	.group = &headers_group,
	.build = headers_build,
	.on_response = headers_on_response,
	.sees_refusals = true,
	.doc = "Fields of the response: of every response of the route, also those of policies that refuse a request. "
	"`Strict-Transport-Security` is sent with https only (RFC 6797).",
};
