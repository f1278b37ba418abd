/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400

/* What the log was told since the last look. */
static struct text told;

struct house {
	struct primary		primary;
	struct edition		edition;
	struct certificates	certificates;
	struct certificate	items[2];
};

static void
hear(void *owner, enum log_level level, struct span line)
{
	text_add(&told, line);
	text_add_byte(&told, '\n');
}

static int
set_up(void **state)
{
	struct house *house = memory_zalloc(sizeof(*house));

	house->primary.loop = loop_create(NULL);
	house->primary.current = &house->edition;
	house->edition.certificates = &house->certificates;
	house->certificates.items = house->items;
	house->certificates.count = 1;
	for (size_t i = 0; i < 2; i++) {
		house->items[i] = (struct certificate){ .listener = ":443", .file = "/a.pem", .subject = "a.example",
			.names = "", .issuer = "", .kind = "", .fingerprint = "0a" };
	}
	list_init(&house->primary.expiry.told);
	log_to(hear, NULL);
	*state = house;
	return 0;
}

static int
tear_down(void **state)
{
	struct house *house = *state;

	expiry_stop(&house->primary);
	loop_free(house->primary.loop);
	memory_free(house);
	log_to(NULL, NULL);
	text_fini(&told);
	return 0;
}

/* As if that much were left of the first certificate; how many lines it was worth. */
static unsigned
look(struct house *house, int64_t left_s)
{
	unsigned lines = 0;

	text_clear(&told);
	text_add_text(&told, "");
	house->items[0].until_s = (int64_t)(clock_wall_ms() / 1000) + left_s;
	expiry_look(&house->primary);
	for (size_t i = 0; i < told.len; i++)
		lines += told.bytes[i] == '\n';
	return lines;
}

static void
test_each_step_once(void **state)
{
	struct house *house = *state;

	assert_int_equal(look(house, 90 * DAY), 0);
	assert_int_equal(look(house, 21 * DAY + 60), 0);
	assert_int_equal(look(house, 21 * DAY - 60), 1);
	assert_non_null(strstr(told.bytes, "\"level\":\"warn\""));
	assert_non_null(strstr(told.bytes, "\"days_left\":20"));
	assert_non_null(strstr(told.bytes, "\"file\":\"/a.pem\""));
	assert_int_equal(look(house, 20 * DAY), 0);
	assert_int_equal(look(house, 7 * DAY + 60), 0);
	assert_int_equal(look(house, 7 * DAY - 60), 1);
	assert_int_equal(look(house, 2 * DAY), 0);
	assert_int_equal(look(house, DAY - 60), 1);
	assert_non_null(strstr(told.bytes, "\"days_left\":0"));
	assert_int_equal(look(house, 60), 0);
	assert_int_equal(look(house, -60), 1);
	assert_non_null(strstr(told.bytes, "\"level\":\"error\""));
	assert_int_equal(look(house, -30 * DAY), 0);
}

/* A server that starts late in a certificate's life says what is, not all that was. */
static void
test_steps_that_were_missed(void **state)
{
	struct house *house = *state;

	assert_int_equal(look(house, 3 * DAY), 1);
	assert_non_null(strstr(told.bytes, "\"days_left\":3"));
	assert_int_equal(look(house, -DAY), 1);
}

/* Whatever the wall clock does, a step is not told twice in a day. */
static void
test_clock_that_goes_forth_and_back(void **state)
{
	struct house *house = *state;
	unsigned lines = 0;

	for (int i = 0; i < 100; i++) {
		lines += look(house, 90 * DAY);
		lines += look(house, 5 * DAY);
		lines += look(house, -365 * DAY);
	}
	assert_int_equal(lines, 2);
}

static void
test_one_at_two_listeners(void **state)
{
	struct house *house = *state;

	house->certificates.count = 2;
	house->items[1].until_s = (int64_t)(clock_wall_ms() / 1000) + 3 * DAY;
	assert_int_equal(look(house, 3 * DAY), 1);
	house->items[1].fingerprint = "0b";
	assert_int_equal(look(house, 3 * DAY), 1);
	assert_int_equal(look(house, 3 * DAY), 0);
}

/* What is not in use is forgotten. */
static void
test_gone_and_back(void **state)
{
	struct house *house = *state;

	assert_int_equal(look(house, 3 * DAY), 1);
	house->items[0].fingerprint = "0b";
	assert_int_equal(look(house, 90 * DAY), 0);
	house->items[0].fingerprint = "0a";
	assert_int_equal(look(house, 3 * DAY), 1);
	house->certificates.count = 0;
	assert_int_equal(look(house, 3 * DAY), 0);
	assert_true(list_is_empty(&house->primary.expiry.told));
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_HOUSE(test_each_step_once),
		IN_HOUSE(test_steps_that_were_missed),
		IN_HOUSE(test_clock_that_goes_forth_and_back),
		IN_HOUSE(test_one_at_two_listeners),
		IN_HOUSE(test_gone_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
