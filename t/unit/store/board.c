/* rooms: base loop conf net store */
#include "store/board.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct span nobody = { "", 0 };

static int
board_make(void **state)
{
	*state = board_create(NULL);
	return *state == NULL;
}

static int
board_drop(void **state)
{
	board_free(*state);
	return 0;
}

static uint64_t
set(struct board *board, const char *upstream, const char *server, enum board_state state, const char *reason,
    uint64_t generation)
{
	uint64_t key = board_key(span_text(upstream), span_text(server));

	board_set(board, key, span_text(upstream), span_text(server), state, span_text(reason), generation);
	return key;
}

static void
test_absent_is_unknown(void **state)
{
	struct board *board = *state;

	assert_int_equal(board_get(board, board_key(SPAN_OF("api"), SPAN_OF("127.0.0.1:1"))), BOARD_UNKNOWN);
	assert_int_equal(board_version(board), 0);
}

static void
test_keys_tell_names_apart(void **state)
{
	assert_true(board_key(SPAN_OF("a"), SPAN_OF("b")) != board_key(SPAN_OF("b"), SPAN_OF("a")));
	assert_true(board_key(SPAN_OF("ab"), SPAN_OF("c")) != board_key(SPAN_OF("a"), SPAN_OF("bc")));
	assert_true(board_key(nobody, nobody) >= 2);
}

static void
test_set_and_change(void **state)
{
	struct board *board = *state;
	uint64_t key = set(board, "api", "127.0.0.1:1", BOARD_UP, "200", 1);
	uint64_t version = board_version(board);

	assert_int_equal(board_get(board, key), BOARD_UP);
	assert_true(version > 0);
	set(board, "api", "127.0.0.1:1", BOARD_UP, "204", 1);
	assert_int_equal(board_version(board), version);
	set(board, "api", "127.0.0.1:1", BOARD_DOWN, "connection refused", 1);
	assert_int_equal(board_get(board, key), BOARD_DOWN);
	assert_true(board_version(board) > version);
}

static void
test_report(void **state)
{
	struct board *board = *state;
	struct text text = { 0 };
	uint64_t before = clock_wall_ms();
	unsigned long long since;
	const char *at;

	board_report(board, &text);
	assert_string_equal(text.bytes, "[]");
	text_clear(&text);
	set(board, "api", "127.0.0.1:1", BOARD_DOWN, "status \"500\"", 1);
	board_report(board, &text);
	assert_non_null(strstr(text.bytes, "{\"upstream\":\"api\",\"server\":\"127.0.0.1:1\",\"state\":\"down\","
	    "\"reason\":\"status \\\"500\\\"\",\"since_ms\":"));
	at = strstr(text.bytes, "since_ms\":");
	since = strtoull(at + strlen("since_ms\":"), NULL, 10);
	assert_true(since >= before && since <= clock_wall_ms());
	text_fini(&text);
}

/* since_ms stays while the state does. */
static void
test_since_is_of_the_state(void **state)
{
	struct board *board = *state;
	struct text first = { 0 }, second = { 0 };

	set(board, "api", "a", BOARD_UP, "", 1);
	board_report(board, &first);
	usleep(3000);
	set(board, "api", "a", BOARD_UP, "", 2);
	board_report(board, &second);
	assert_string_equal(first.bytes, second.bytes);
	text_fini(&first);
	text_fini(&second);
}

static void
test_sweep_drops_the_old_only(void **state)
{
	struct board *board = *state;
	uint64_t old = set(board, "api", "old", BOARD_DOWN, "", 1);
	uint64_t kept = set(board, "api", "kept", BOARD_DOWN, "", 1);
	uint64_t version;

	set(board, "api", "kept", BOARD_DOWN, "", 2);
	version = board_version(board);
	board_sweep(board, 2);
	assert_int_equal(board_get(board, old), BOARD_UNKNOWN);
	assert_int_equal(board_get(board, kept), BOARD_DOWN);
	assert_true(board_version(board) > version);
}

static void
test_full_takes_no_more_and_recovers(void **state)
{
	struct board *board = *state;
	char name[32];
	uint64_t key;

	for (int i = 0; i < BOARD_ROWS; i++) {
		snprintf(name, sizeof(name), "server-%d", i);
		key = set(board, "api", name, BOARD_DOWN, "", 1);
		assert_int_equal(board_get(board, key), BOARD_DOWN);
	}
	key = set(board, "api", "one too many", BOARD_DOWN, "", 1);
	assert_int_equal(board_get(board, key), BOARD_UNKNOWN);
	for (int i = 0; i < BOARD_ROWS; i += 2) {
		snprintf(name, sizeof(name), "server-%d", i);
		set(board, "api", name, BOARD_DOWN, "", 2);
	}
	board_sweep(board, 2);
	for (int i = 0; i < BOARD_ROWS; i++) {
		snprintf(name, sizeof(name), "server-%d", i);
		assert_int_equal(board_get(board, board_key(SPAN_OF("api"), span_text(name))),
		    i % 2 == 0 ? BOARD_DOWN : BOARD_UNKNOWN);
	}
	key = set(board, "api", "one too many", BOARD_DOWN, "", 2);
	assert_int_equal(board_get(board, key), BOARD_DOWN);
}

static void
test_long_texts_are_cut(void **state)
{
	struct board *board = *state;
	char big[1000];
	struct text text = { 0 };
	struct span all;
	uint64_t key;

	memset(big, 'x', sizeof(big));
	all = span_make(big, sizeof(big));
	key = board_key(all, all);
	board_set(board, key, all, all, BOARD_UP, all, 1);
	assert_int_equal(board_get(board, key), BOARD_UP);
	board_report(board, &text);
	assert_true(text.len < 500);
	assert_int_equal(text.bytes[text.len - 1], ']');
	text_fini(&text);
}

static void
test_other_processes_see_it(void **state)
{
	struct board *board = *state;
	uint64_t key = board_key(SPAN_OF("api"), SPAN_OF("a"));
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		set(board, "api", "a", BOARD_DOWN, "said the child", 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(board_get(board, key), BOARD_DOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_absent_is_unknown, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_keys_tell_names_apart, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_set_and_change, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_report, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_since_is_of_the_state, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_sweep_drops_the_old_only, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_full_takes_no_more_and_recovers, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_long_texts_are_cut, board_make, board_drop),
		cmocka_unit_test_setup_teardown(test_other_processes_see_it, board_make, board_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
