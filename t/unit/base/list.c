/* rooms: base */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct thing {
	int			number;
	struct list_node	node;
};

static int
number_of(struct list_node *node)
{
	return LIST_OWNER(node, struct thing, node)->number;
}

static void
test_order(void **state)
{
	struct list_node list;
	struct thing a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };

	list_init(&list);
	assert_true(list_is_empty(&list));
	assert_null(list_first(&list));
	assert_null(list_last(&list));
	list_add_last(&list, &b.node);
	list_add_last(&list, &c.node);
	list_add_first(&list, &a.node);
	assert_false(list_is_empty(&list));
	assert_int_equal(number_of(list_first(&list)), 1);
	assert_int_equal(number_of(list_first(&list)->next), 2);
	assert_int_equal(number_of(list_last(&list)), 3);
}

static void
test_remove_is_safe_twice_and_on_zero(void **state)
{
	struct list_node list;
	struct thing a = { 0 }, b = { 0 };

	list_init(&list);
	list_remove(&a.node);
	assert_false(list_holds(&a.node));
	list_add_last(&list, &a.node);
	list_add_last(&list, &b.node);
	assert_true(list_holds(&a.node));
	list_remove(&a.node);
	list_remove(&a.node);
	assert_false(list_holds(&a.node));
	assert_ptr_equal(list_first(&list), &b.node);
	assert_ptr_equal(list_last(&list), &b.node);
	list_remove(&b.node);
	assert_true(list_is_empty(&list));
	list_add_first(&list, &a.node);	/* a removed node may stand in a list again */
	assert_ptr_equal(list_last(&list), &a.node);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove_is_safe_twice_and_on_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
