/* rooms: base conf http request route */
/* Kinds of options that stages share: templates, maps of field templates, networks. */
#include "../stage_fixture.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct things {
	struct template		text;
	struct template_pairs	fields;
	struct networks		networks;
};

static const struct option things_options[] = {
	OPTION_CUSTOM(struct things, text, .parse = template_option, .type = "template", .doc = "A text."),
	OPTION_CUSTOM(struct things, fields, .parse = field_templates_option, .type = "map", .doc = "Fields."),
	OPTION_CUSTOM(struct things, networks, .parse = networks_option, .type = "CIDR or list", .doc = "Networks."),
	OPTION_END
};

static const struct option_group things_group = {
	.name = "things", .rows = things_options, .size = sizeof(struct things),
};

static struct things *
things_build(struct stage_fixture *fixture, const char *yaml)
{
	return fixture_build(fixture, yaml, "things", &things_group, NULL);
}

static void
reads_them(void **state)
{
	struct stage_fixture fixture;
	struct fake_exchange fake;
	struct things *things;
	struct request *request = fake_begin(&fake, "GET", "/p?q");

	fixture_init(&fixture);
	things = things_build(&fixture, "things: {text: \"at {path}\", "
	    "fields: {x-a: \"{query}\", Content-Type: plain}, networks: [10.0.0.0/8, \"::1\", unix]}");
	assert_non_null(things);
	assert_true(span_is(template_fill(&things->text, request), "at /p"));
	assert_int_equal(things->fields.count, 2);
	assert_true(span_is(things->fields.items[0].name, "x-a"));
	assert_int_equal(things->fields.items[0].id, FIELD_OTHER);
	assert_true(span_is(template_fill(&things->fields.items[0].value, request), "q"));
	assert_int_equal(things->fields.items[1].id, FIELD_CONTENT_TYPE);
	assert_int_equal(things->networks.count, 3);

	things = things_build(&fixture, "things: {networks: 10.0.0.0/8, fields: {}}");
	assert_non_null(things);
	assert_int_equal(things->networks.count, 1);
	assert_int_equal(things->fields.count, 0);
	assert_true(template_is_empty(&things->text));
	fake_end(&fake);
	fixture_fini(&fixture);
}

/* Captures and the environment are lent by whoever builds. */
static const char *
environment(const void *owner, const char *name)
{
	assert_string_equal(owner, "owner");
	return strcmp(name, "HOME") == 0 ? "/root" : NULL;
}

static void
lends_names(void **state)
{
	static const struct span captures[] = { SPAN("id") };
	struct stage_fixture fixture;
	struct fake_exchange fake;
	struct things *things;
	struct request *request = fake_begin(&fake, "GET", "/");

	fixture_init(&fixture);
	fixture.builder.names = (struct template_names){ captures, 1, environment, "owner" };
	things = things_build(&fixture, "things: {text: \"{id} {env.HOME}\"}");
	assert_non_null(things);
	request->captures[0] = SPAN_OF("7");
	assert_true(span_is(template_fill(&things->text, request), "7 /root"));
	fixture_refuses(&fixture, things_build(&fixture, "things: {text: \"{env.NONE}\"}"),
	    "the environment has no NONE");
	fixture_refuses(&fixture, things_build(&fixture, "things: {text: \"{di}\"}"), "{id}");
	fake_end(&fake);
	fixture_fini(&fixture);
}

static void
refuses_with_the_place(void **state)
{
	static const struct { const char *yaml, *sentence; } rows[] = {
		{ "things: {text: [a]}", "things.text: expected a text" },
		{ "things: {text: \"{nothing}\"}", "things.text: unknown placeholder {nothing}" },
		{ "things: {fields: text}", "things.fields: expected a map" },
		{ "things: {fields: {\"a b\": c}}", "things.fields.a b: \"a b\" is no field name" },
		{ "things: {fields: {a: \"b\\nc\"}}", "things.fields.a: a field's value may not hold line ends" },
		{ "things: {fields: {a: \"{b\"}}", "things.fields.a: a brace without its pair" },
		{ "things: {fields: {a: [b]}}", "things.fields.a: expected a text" },
		{ "things: {networks: \"10.0.0.0/99\"}", "things.networks: expected a network" },
		{ "things: {networks: [\"::/0\", {a: b}]}", "things.networks[1]: expected a network" },
		{ "things: {networks: {a: b}}", "things.networks: expected a network" },
	};
	struct stage_fixture fixture;

	fixture_init(&fixture);
	for (size_t i = 0; i < COUNT(rows); i++)
		fixture_refuses(&fixture, things_build(&fixture, rows[i].yaml), rows[i].sentence);
	assert_null(things_build(&fixture, "things: {fields: {a: \"{b\", \"c d\": e}, networks: [x, y]}"));
	assert_int_equal(fixture.problems.errors, 4);
	fixture_fini(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_them),
		cmocka_unit_test(lends_names),
		cmocka_unit_test(refuses_with_the_place),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
