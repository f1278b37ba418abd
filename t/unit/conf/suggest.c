/* rooms: base conf */
#include "conf/problem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const names[] = { "connect", "response", "idle", "url", "max_size", "max_age", "min_version", "path",
	"on", "of", "non_idempotent" };

static const struct {
	const char	*wrong;
	const char	*meant;	/* NULL: nothing is near */
} rows[] = {
	{ "conect", "connect" }, { "connetc", "connect" }, { "Connect", "connect" }, { "conncet", "connect" },
	{ "idel", "idle" }, { "ur", "url" }, { "ul", "url" }, { "max-size", "max_size" }, { "maxsize", "max_size" },
	{ "min", "min_version" }, { "resp", "response" }, { "non_idempotnet", "non_idempotent" }, { "pat", "path" },
	{ "max", NULL },	/* two begin so */
	{ "", NULL }, { "o", NULL }, { "x", NULL }, { "port", NULL }, { "certificates", NULL }, { "xy", NULL },
};

static void
test_nearest(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *found = conf_suggest(span_text(rows[i].wrong), names, COUNT(names));

		if (rows[i].meant == NULL && found)
			fail_msg("%s: %s", rows[i].wrong, found);
		if (rows[i].meant && (found == NULL || strcmp(found, rows[i].meant) != 0))
			fail_msg("%s: %s", rows[i].wrong, found ? found : "nothing");
	}
}

/* The first in the table's order when two are equally near. */
static void
test_equally_near(void **state)
{
	static const char *const pair[] = { "cart", "card" };

	assert_string_equal(conf_suggest(span_text("carx"), pair, COUNT(pair)), "cart");
	assert_null(conf_suggest(span_text("carx"), pair, 0));
}

static void
test_long_ones_are_left(void **state)
{
	char name[200], wrong[200];
	const char *table[] = { name };

	memset(name, 'a', sizeof(name));
	memset(wrong, 'a', sizeof(wrong));
	name[64] = '\0';
	assert_string_equal(conf_suggest(span_make(wrong, 63), table, 1), name);
	assert_null(conf_suggest(span_make(wrong, 65), table, 1));
	name[64] = 'a';
	name[65] = '\0';
	assert_null(conf_suggest(span_make(wrong, 64), table, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_equally_near),
		cmocka_unit_test(test_long_ones_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
