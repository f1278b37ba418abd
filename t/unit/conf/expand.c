/* rooms: base conf */
#include "fixture.h"

static int
start(void **state)
{
	setenv("REEVE_T_NAME", "value", 1);
	setenv("REEVE_T_EMPTY", "", 1);
	setenv("REEVE_T_NUMBER", "8", 1);
	setenv("REEVE_T_TEMPLATE", "${REEVE_T_NAME} $${x", 1);
	unsetenv("REEVE_T_UNSET");
	return fixture_start(state);
}

#define WITH_VARIABLES(test) cmocka_unit_test_setup_teardown(test, start, fixture_end)

static void
test_everywhere_in_scalars(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: ${REEVE_T_NAME}\nb: \"x-${REEVE_T_NAME}-y ${REEVE_T_NUMBER}\"\nc: ['${REEVE_T_NAME}']\nd: |\n"
	    "  ${REEVE_T_NAME}\n"
	    "${REEVE_T_NAME}: key\ne: $REEVE_T_NAME ${REEVE_T_EMPTY}.\n");

	assert_nothing_told(fixture_of(state));
	assert_scalar(root, "a", "value");
	assert_scalar(root, "b", "x-value-y 8");
	assert_scalar(root, "c/0", "value");
	assert_scalar(root, "d", "value\n");
	assert_scalar(root, "${REEVE_T_NAME}", "key");
	assert_scalar(root, "e", "$REEVE_T_NAME .");
}

static void
test_defaults(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: ${REEVE_T_UNSET:-5}\nb: ${REEVE_T_EMPTY:-6}\nc: ${REEVE_T_NAME:-7}\nd: \"${REEVE_T_UNSET:-}\"\n"
	    "e: \"${REEVE_T_UNSET:-{client_ip}-{path}}.\"\nf: ${REEVE_T_UNSET:-${REEVE_T_EMPTY:-${REEVE_T_NAME}}}\n"
	    "g: ${REEVE_T_UNSET:-a:-b}\n");

	assert_nothing_told(fixture_of(state));
	assert_scalar(root, "a", "5");
	assert_scalar(root, "b", "6");
	assert_scalar(root, "c", "value");
	assert_scalar(root, "d", "");
	assert_scalar(root, "e", "{client_ip}-{path}.");
	assert_scalar(root, "f", "value");
	assert_scalar(root, "g", "a:-b");
}

/* A default stands in the file for all to read; the rest does not. */
static void
test_secrets(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: ${REEVE_T_UNSET:-5}\nb: x${REEVE_T_NAME}\nc: plain\nd: ${REEVE_T_UNSET:-${REEVE_T_NAME}}\n");

	assert_false(at(root, "a")->secret);
	assert_true(at(root, "b")->secret);
	assert_false(at(root, "c")->secret);
	assert_true(at(root, "d")->secret);
}

static void
test_plain_ones_are_what_they_become(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: ${REEVE_T_NUMBER}\nb: ${REEVE_T_EMPTY}\nc: '${REEVE_T_EMPTY}'\nd: ${REEVE_T_UNSET:-~}\n");

	assert_scalar(root, "a", "8");
	assert_false(at(root, "a")->quoted);
	assert_int_equal(at(root, "b")->kind, CONF_NULL);
	assert_scalar(root, "c", "");
	assert_int_equal(at(root, "d")->kind, CONF_NULL);
}

static void
test_literal(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: $${REEVE_T_NAME}\nb: \"$$${x}\"\nc: $2b$10$abc\nd: $${\ne: ${REEVE_T_TEMPLATE}\nf: $\n");

	assert_nothing_told(fixture_of(state));
	assert_scalar(root, "a", "${REEVE_T_NAME}");
	assert_scalar(root, "b", "$${x}");
	assert_scalar(root, "c", "$2b$10$abc");
	assert_scalar(root, "d", "${");
	assert_scalar(root, "e", "${REEVE_T_NAME} $${x");
	assert_scalar(root, "f", "$");
	assert_false(at(root, "a")->secret);
}

/* An alias is a copy, and a copy is expanded once too. */
static void
test_aliases(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: &a\n  x: $${REEVE_T_NAME}\n  y: {z: \"$${REEVE_T_NAME}\"}\nb: *a\nc: {<<: *a}\n");

	assert_nothing_told(fixture_of(state));
	assert_scalar(root, "a/y/z", "${REEVE_T_NAME}");
	assert_scalar(root, "b/x", "${REEVE_T_NAME}");
	assert_scalar(root, "c/y/z", "${REEVE_T_NAME}");
}

static void
test_what_is_wrong(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_non_null(load_text(fixture, "a:\n  - x ${REEVE_T_UNSET} ${REEVE_T_UNSET2}\n"
					   "b: ${REEVE_T_NAME\nc: \"${not a name}\"\nd: ${}\ne: ${1A:-x}\n"
					   "f: ${NAME:?x}\n"
					   "g: ${file:/etc/hostname}\n"));
	assert_told(fixture,
	    "reeve.yaml:2:5: a[0]: the environment variable REEVE_T_UNSET is not set (${REEVE_T_UNSET:-default} gives "
	    "it a "
	    "default)\n"
	    "reeve.yaml:2:5: a[0]: the environment variable REEVE_T_UNSET2 is not set (${REEVE_T_UNSET2:-default} "
	    "gives it a "
	    "default)\n"
	    "reeve.yaml:3:4: b: a `${` has no `}` (`$${` is a plain `${`)\n"
	    "reeve.yaml:4:4: c: ${not a name}: expected NAME, NAME:-default or file:PATH between the braces (`$${` is "
	    "a plain "
	    "`${`)\n"
	    "reeve.yaml:5:4: d: ${}: expected NAME, NAME:-default or file:PATH between the braces (`$${` is a plain "
	    "`${`)\n"
	    "reeve.yaml:6:4: e: ${1A:-x}: expected NAME, NAME:-default or file:PATH between the braces (`$${` is a "
	    "plain "
	    "`${`)\n"
	    "reeve.yaml:7:4: f: ${NAME:?x}: expected NAME, NAME:-default or file:PATH between the braces (`$${` is a "
	    "plain "
	    "`${`)\n"
	    "reeve.yaml:8:4: g: ${file:/etc/hostname}: there are no files beside a configuration in memory\n");
	assert_true(at(conf_root(fixture->conf), "a/0")->broken);
	assert_true(at(conf_root(fixture->conf), "b")->broken);
}

static void
test_quotes_in_flow(void **state)
{
	assert_null(load_text(fixture_of(state), "a: 1\nb: {c: ${REEVE_T_NAME}}\n"));
	assert_told(fixture_of(state), "reeve.yaml:2:9: not valid YAML: did not find expected ',' or '}' "
				       "(a ${…} between [ ] or { } needs quotes)\n");
}

static void
test_defaults_go_only_so_deep(void **state)
{
	struct fixture *fixture = fixture_of(state);

	load_text(fixture, "a: ${A_:-${A_:-${A_:-${A_:-${A_:-${A_:-${A_:-${A_:-${A_:-${A_:-x}}}}}}}}}}\n");
	assert_told(fixture, "reeve.yaml:1:4: a: ${A_:-x}: defaults within defaults go too deep\n");
}

static void
test_files(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root;

	put_file("secrets/one", "hunter2\n");
	put_file("two", "a${REEVE_T_NAME}\r\n");
	put_file("three", "x\n\n");
	put_file("empty", "");
	root = load_file(fixture, "a: ${file:secrets/one}\nb: \"${file:./two}-${file:three}\"\nc: ${file:empty}\n");
	assert_nothing_told(fixture);
	assert_scalar(root, "a", "hunter2");
	assert_true(at(root, "a")->secret);
	assert_scalar(root, "b", "a${REEVE_T_NAME}-x\n");
	assert_int_equal(at(root, "c")->kind, CONF_NULL);
}

static void
test_bad_files(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *large = memory_zalloc((1 << 20) + 1);

	put_bytes("nul", SPAN_OF("a\0b"));
	put_bytes("large", span_make(large, (1 << 20) + 1));
	memory_free(large);
	load_file(fixture, "a: ${file:missing}\nb: ${file:nul}\nc: ${file:large}\nd: ${file:.}\ne: ${file:}\n");
	assert_told(fixture,
	    "reeve.yaml:1:4: a: ${file:missing}: cannot open missing: No such file or directory\n"
	    "reeve.yaml:2:4: b: ${file:nul}: the file holds a NUL byte\n"
	    "reeve.yaml:3:4: c: ${file:large}: cannot read large: it is larger than 1048576 bytes\n"
	    "reeve.yaml:4:4: d: ${file:.}: cannot read .: it is a directory\n"
	    "reeve.yaml:5:4: e: ${file:}: a path is missing after `file:`\n");
}

/* Seventeen times a mebibyte. */
static void
test_growth_is_bounded(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *large = memory_alloc(1 << 20);
	struct text yaml = { 0 };

	memset(large, 'x', 1 << 20);
	put_bytes("large", span_make(large, 1 << 20));
	memory_free(large);
	text_add_text(&yaml, "a: ");
	for (int i = 0; i < 17; i++)
		text_add_text(&yaml, "${file:large}");
	text_add_text(&yaml, "\nb: ${REEVE_T_NAME}\n");
	load_file(fixture, yaml.bytes);
	assert_told(fixture, "reeve.yaml:1:4: a: all ${…} together become more than 16777216 bytes\n");
	assert_true(at(conf_root(fixture->conf), "b")->broken);
	text_fini(&yaml);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VARIABLES(test_everywhere_in_scalars),
		WITH_VARIABLES(test_defaults),
		WITH_VARIABLES(test_secrets),
		WITH_VARIABLES(test_plain_ones_are_what_they_become),
		WITH_VARIABLES(test_literal),
		WITH_VARIABLES(test_aliases),
		WITH_VARIABLES(test_what_is_wrong),
		WITH_VARIABLES(test_quotes_in_flow),
		WITH_VARIABLES(test_defaults_go_only_so_deep),
		WITH_VARIABLES(test_files),
		WITH_VARIABLES(test_bad_files),
		WITH_VARIABLES(test_growth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
