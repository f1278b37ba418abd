/* rooms: base loop conf net */
#include "net/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct answer {
	struct loop	*loop;
	unsigned	 times;
	size_t		 count;
	struct address	 first;
	const char	*why;
};

static void
take(void *owner, const struct address *addresses, size_t count, const char *why)
{
	struct answer *answer = owner;

	answer->times++;
	answer->count = count;
	answer->why = why;
	if (count > 0)
		answer->first = addresses[0];
	loop_stop(answer->loop);
}

static void
ask(const char *host, struct answer *answer)
{
	struct loop *loop = loop_create(NULL);
	struct resolver *resolver = resolver_create(loop, NULL);

	*answer = (struct answer){ .loop = loop };
	assert_non_null(resolver_ask(resolver, span_text(host), 81, take, answer));
	assert_int_equal(answer->times, 0);	/* never from inside */
	loop_run(loop);
	assert_int_equal(answer->times, 1);
	resolver_free(resolver);
	loop_free(loop);
}

static void
test_numeric(void **state)
{
	struct answer answer;
	char text[ADDRESS_TEXT_MAX];

	ask("192.0.2.7", &answer);
	assert_int_equal(answer.count, 1);
	address_format(&answer.first, text);
	assert_string_equal(text, "192.0.2.7:81");
	ask("2001:db8::1", &answer);
	address_format(&answer.first, text);
	assert_string_equal(text, "[2001:db8::1]:81");
}

static void
test_localhost(void **state)
{
	static const char *const names[] = { "localhost", "LocalHost", "a.localhost" };

	for (int i = 0; i < 3; i++) {
		struct answer answer;
		char text[ADDRESS_TEXT_MAX];

		ask(names[i], &answer);
		assert_true(answer.count >= 1);
		address_format_host(&answer.first, text);
		assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
	}
}

static void
test_names_that_cannot_be(void **state)
{
	char big[300];
	struct answer answer;

	ask("a.invalid", &answer);
	assert_int_equal(answer.count, 0);
	assert_string_equal(answer.why, "no such name");
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ask(big, &answer);
	assert_int_equal(answer.count, 0);
	ask("", &answer);
	assert_int_equal(answer.count, 0);
	assert_non_null(answer.why);
}

static void
stop(void *owner)
{
	loop_stop(owner);
}

static void
test_cancelled(void **state)
{
	struct loop *loop = loop_create(NULL);
	struct resolver *resolver = resolver_create(loop, NULL);
	struct answer answer = { .loop = loop };
	struct timer timer;

	resolver_cancel(resolver_ask(resolver, SPAN_OF("127.0.0.1"), 1, take, &answer));
	resolver_cancel(NULL);
	timer_init(&timer, loop, stop, loop);
	timer_arm(&timer, 20);
	loop_run(loop);
	assert_int_equal(answer.times, 0);
	timer_fini(&timer);
	resolver_free(resolver);
	loop_free(loop);
}

/* With questions that nobody has answered yet. */
static void
test_freed_in_the_middle(void **state)
{
	struct loop *loop = loop_create(NULL);
	struct resolver *resolver = resolver_create(loop, NULL);
	struct answer answer = { .loop = loop };

	resolver_ask(resolver, SPAN_OF("no-such-host-of-reeve.test"), 1, take, &answer);
	resolver_ask(resolver, SPAN_OF("127.0.0.1"), 1, take, &answer);
	resolver_free(resolver);
	loop_free(loop);
	assert_int_equal(answer.times, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_localhost),
		cmocka_unit_test(test_names_that_cannot_be),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_freed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
