/* rooms: base conf */
#include "upstreams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_markdown(void **state)
{
	struct text to = { 0 };

	option_document(&root_group, "", &to);
	assert_string_equal(to.bytes,
	    "| `upstreams` | map of names | — | Servers by name. |\n"
	    "| `upstreams.NAME.servers` | map or list of maps, or the value of `url` | required | The servers. |\n"
	    "| `upstreams.NAME.servers[].url` | text | required | Where \\| it is. |\n"
	    "| `upstreams.NAME.servers[].weight` | number, 1 to 100 | `1` | Its share. |\n"
	    "| `upstreams.NAME.servers[].backup` | true or false | `false` | Only when the others are down. |\n"
	    "| `upstreams.NAME.timeouts` | map | — | How long things may take. |\n"
	    "| `upstreams.NAME.timeouts.connect` | duration, 1ms to 1h | `2s` | To connect. |\n"
	    "| `upstreams.NAME.timeouts.idle` | duration | `50s` | How long a free socket is kept. |\n"
	    "| `upstreams.NAME.tls` | map | — | To servers that speak `https`. |\n"
	    "| `upstreams.NAME.tls.ca` | path | required | Who signs. |\n"
	    "| `upstreams.NAME.tls.cert` | path | — | Ours. |\n"
	    "| `upstreams.NAME.tls.key` | path | — | Its key. |\n"
	    "| `upstreams.NAME.protocol` | `http/1.1` or `h2` | `http/1.1` | The protocol. |\n"
	    "| `upstreams.NAME.retry-on` | text or list of texts | `[connect, reset]` | What is tried again. |\n"
	    "| `upstreams.NAME.attempts` | number up to 10 | `1` | Tries after the first. |\n"
	    "| `headers` | map of texts | — | Fields to set. |\n"
	    "| `greeting` | text | `hello: {client_ip}` | What to say. Use `\\n` - or not. |\n"
	    "| `state_dir` | path | — | Where state is kept. |\n"
	    "| `compress` | true or false | — | `true`: smaller. |\n");
	text_fini(&to);
}

static void
test_prefix(void **state)
{
	struct text to = { 0 };

	option_document(&timeouts_group, "limits.", &to);
	assert_string_equal(to.bytes, "| `limits.connect` | duration, 1ms to 1h | `2s` | To connect. |\n"
				      "| `limits.idle` | duration | `50s` | How long a free socket is kept. |\n");
	text_fini(&to);
}

static void
test_man(void **state)
{
	static const struct option_word words[] = { { "a-b", 0 }, { "c", 1 }, { "d", 2 }, { 0 } };
	static const struct option	rows[] = {
		     { .key = "mode", .kind = OPTION_KIND_CHOICE, .words = words, .def = "a-b",
		         .doc = ".dot `x-y` \\ end-of" },
		     { .key = "must", .kind = OPTION_KIND_SIZE, .min = "1K", .required = true },
		     { .key = "later", .kind = OPTION_KIND_REFUSED },
		     OPTION_END
	};
	static const struct option_group group = { .name = "x", .rows = rows };
	struct text to = { 0 };

	option_document_man(&group, "log.", &to);
	assert_string_equal(to.bytes,
	    ".It Ic \\&log.mode\n\\&\\fBa\\-b\\fR, \\fBc\\fR or \\fBd\\fR; default \\fBa\\-b\\fR.\n"
	    "\\&.dot \\fBx\\-y\\fR \\e end-of\n"
	    ".It Ic \\&log.must\n\\&size, at least 1K; required.\n");
	text_fini(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_man),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
