/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/file_watch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LOOK_MS = 200, QUIET_MS = 100, SETTLED_MS = LOOK_MS + 50, LIMIT_MS = 10000 };

struct house {
	struct loop		*loop;
	struct file_watch	*watch;
	struct timer		 limit;
	unsigned		 told;
	uint64_t		 told_at_ms;
	char			 directory[64];
	char			 cert[100];
	char			 key[100];
};

static void
hear(void *owner)
{
	struct house *house = owner;

	house->told++;
	house->told_at_ms = clock_ms();
	loop_stop(house->loop);
}

static void
too_long(void *owner)
{
	loop_stop(((struct house *)owner)->loop);
}

static void
put(const char *path, const char *contents)
{
	FILE *file = fopen(path, "w");	/* in place: file_write() renames */

	assert_non_null(file);
	assert_true(fputs(contents, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
set_up(void **state)
{
	struct house *house = memory_zalloc(sizeof(*house));

	snprintf(house->directory, sizeof(house->directory), "/tmp/reeve-watch-XXXXXX");
	if (mkdtemp(house->directory) == NULL)
		return -1;
	snprintf(house->cert, sizeof(house->cert), "%s/cert.pem", house->directory);
	snprintf(house->key, sizeof(house->key), "%s/key.pem", house->directory);
	put(house->cert, "cert");
	put(house->key, "key");
	house->loop = loop_create(NULL);
	house->watch = file_watch_create(house->loop, (struct file_watch_pace){ LOOK_MS, QUIET_MS }, hear, house);
	timer_init(&house->limit, house->loop, too_long, house);
	*state = house;
	return 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int
tear_down(void **state)
{
	struct house *house = *state;

	file_watch_free(house->watch);
	timer_fini(&house->limit);
	loop_free(house->loop);
	nftw(house->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	memory_free(house);
	return 0;
}

static void
use_both(struct house *house)
{
	const struct watched_file files[] = {
		{ house->cert, file_mark_of(house->cert) },
		{ house->key, file_mark_of(house->key) },
	};

	file_watch_use(house->watch, files, 2);
}

/* Until it is told, at most that long. */
static void
run(struct house *house, uint64_t limit_ms)
{
	timer_arm(&house->limit, limit_ms);
	loop_run(house->loop);
}

static void
assert_told_once(struct house *house)
{
	house->told = 0;
	run(house, LIMIT_MS);
	assert_int_equal(house->told, 1);
	file_watch_take_up(house->watch);
	run(house, SETTLED_MS);
	assert_int_equal(house->told, 1);
}

static void
test_marks(void **state)
{
	struct house *house = *state;
	struct file_mark first = file_mark_of(house->cert), none = file_mark_of("/nowhere/at/all"), now;
	static const struct file_mark zero;

	assert_true(file_mark_equal(&none, &zero));
	assert_false(file_mark_equal(&first, &zero));
	now = file_mark_of(house->cert);
	assert_true(file_mark_equal(&first, &now));
	put(house->cert, "longer than before");
	now = file_mark_of(house->cert);
	assert_false(file_mark_equal(&first, &now));
}

static void
test_nothing_happens(void **state)
{
	struct house *house = *state;

	use_both(house);
	run(house, SETTLED_MS);
	assert_int_equal(house->told, 0);
	file_watch_use(house->watch, NULL, 0);
	put(house->cert, "other");
	run(house, SETTLED_MS);
	assert_int_equal(house->told, 0);
}

static void
test_rewritten_in_place(void **state)
{
	struct house *house = *state;

	use_both(house);
	put(house->cert, "other");
	assert_told_once(house);
	put(house->key, "other");
	assert_told_once(house);
}

static void
test_renamed_over(void **state)
{
	struct house *house = *state;

	use_both(house);
	assert_true(file_write(house->key, SPAN_OF("new"), 0600, NULL));
	assert_told_once(house);
}

static void
test_gone_and_back(void **state)
{
	struct house *house = *state;

	use_both(house);
	assert_int_equal(unlink(house->cert), 0);
	assert_told_once(house);
	put(house->cert, "back");
	assert_told_once(house);
}

/* As certbot has it: the path is a link into an archive. */
static void
test_link_switched(void **state)
{
	struct house *house = *state;
	char other[100], link[100], new_link[100];

	snprintf(other, sizeof(other), "%s/other.pem", house->directory);
	snprintf(link, sizeof(link), "%s/link.pem", house->directory);
	snprintf(new_link, sizeof(new_link), "%s/link.new", house->directory);
	put(other, "cert");
	assert_int_equal(symlink("cert.pem", link), 0);
	file_watch_use(house->watch, &(struct watched_file){ link, file_mark_of(link) }, 1);
	assert_int_equal(symlink("other.pem", new_link), 0);
	assert_int_equal(rename(new_link, link), 0);
	assert_told_once(house);
}

/* As Kubernetes has it: a link on the way. In another directory nothing hints at it: only the look that comes anyway. */
static void
test_directory_switched(void **state)
{
	struct house *house = *state;
	char one[100], two[100], current[100], coming[100], path[128], two_path[128];

	snprintf(one, sizeof(one), "%s/one", house->directory);
	snprintf(two, sizeof(two), "%s/two", house->directory);
	snprintf(current, sizeof(current), "%s/current", house->directory);
	snprintf(coming, sizeof(coming), "%s/coming", house->directory);
	snprintf(path, sizeof(path), "%s/cert.pem", current);
	snprintf(two_path, sizeof(two_path), "%s/cert.pem", two);
	assert_int_equal(mkdir(one, 0700), 0);
	assert_int_equal(mkdir(two, 0700), 0);
	assert_int_equal(symlink("one", current), 0);
	put(path, "1");
	put(two_path, "2");
	file_watch_use(house->watch, &(struct watched_file){ path, file_mark_of(path) }, 1);
	assert_int_equal(symlink("two", coming), 0);
	assert_int_equal(rename(coming, current), 0);
	assert_told_once(house);
	put(two_path, "3");	/* that is where the hints come from now */
	assert_told_once(house);
}

/* What changed before anybody looked is told, too. */
static void
test_mark_of_another_state(void **state)
{
	struct house *house = *state;

	file_watch_use(house->watch, &(struct watched_file){ .path = house->cert }, 1);
	assert_told_once(house);
}

static void
change_cert(void *owner)
{
	put(((struct house *)owner)->cert, "other");
}

/* A certificate and its key are two files: one that follows the other soon is waited for. */
static void
test_quiet_is_waited_for(void **state)
{
	struct house *house = *state;
	struct timer timer;
	uint64_t start_ms = clock_ms();

	use_both(house);
	put(house->key, "other");
	timer_init(&timer, house->loop, change_cert, house);
	timer_arm(&timer, QUIET_MS / 2);
	assert_told_once(house);
	assert_true(house->told_at_ms - start_ms >= QUIET_MS + QUIET_MS / 2 - 10);
	timer_fini(&timer);
}

/* Whoever is busy does not take it up: it is told again. */
static void
test_told_until_taken_up(void **state)
{
	struct house *house = *state;

	use_both(house);
	put(house->key, "other");
	run(house, LIMIT_MS);
	assert_int_equal(house->told, 1);
	run(house, LIMIT_MS);
	assert_int_equal(house->told, 2);
	assert_told_once(house);
}

/* Changed and changed back, as far as can be seen, before anybody was told. */
static void
test_taken_back(void **state)
{
	struct house *house = *state;
	char saved[100];

	snprintf(saved, sizeof(saved), "%s/saved", house->directory);
	use_both(house);
	assert_int_equal(rename(house->cert, saved), 0);
	run(house, QUIET_MS / 2);
	assert_int_equal(rename(saved, house->cert), 0);
	run(house, SETTLED_MS);
	assert_int_equal(house->told, 0);
}

static void
test_list(void **state)
{
	struct house *house = *state;
	const struct watched_file files[] = {
		{ house->cert, file_mark_of(house->cert) },
		{ house->key, file_mark_of(house->key) },
	};
	struct text list = { 0 };
	char expected[250];

	file_watch_list(files, 2, &list);
	assert_int_equal(list.len, 0);
	put(house->key, "other");
	file_watch_list(files, 2, &list);
	assert_string_equal(list.bytes, house->key);
	text_clear(&list);
	assert_int_equal(unlink(house->cert), 0);
	file_watch_list(files, 2, &list);
	snprintf(expected, sizeof(expected), "%s, %s", house->cert, house->key);
	assert_string_equal(list.bytes, expected);
	text_fini(&list);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_HOUSE(test_marks),
		IN_HOUSE(test_nothing_happens),
		IN_HOUSE(test_rewritten_in_place),
		IN_HOUSE(test_renamed_over),
		IN_HOUSE(test_gone_and_back),
		IN_HOUSE(test_link_switched),
		IN_HOUSE(test_directory_switched),
		IN_HOUSE(test_mark_of_another_state),
		IN_HOUSE(test_quiet_is_waited_for),
		IN_HOUSE(test_told_until_taken_up),
		IN_HOUSE(test_taken_back),
		IN_HOUSE(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
