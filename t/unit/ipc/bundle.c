/* rooms: base ipc loop */
#include "ipc/bundle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_parts(void **state)
{
	struct span parts[] = { SPAN("orders"), { NULL, 0 }, SPAN("a\0b") };
	struct bundle bundle;
	struct err err;
	int fd = bundle_create(parts, 3, &err);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(bundle_map(fd, &bundle, &err));
	close(fd);
	assert_int_equal(bundle.count, 3);
	assert_true(span_is(bundle.parts[0], "orders"));
	assert_int_equal(bundle.parts[0].at[6], '\0');
	assert_int_equal(bundle.parts[1].len, 0);
	assert_true(span_equal(bundle.parts[2], SPAN_OF("a\0b")));
	assert_int_equal(bundle.parts[3].len, 0);
	bundle_unmap(&bundle);
	bundle_unmap(&bundle);
}

static void
test_sealed(void **state)
{
	struct span part = SPAN("x");
	int fd = bundle_create(&part, 1, NULL);

	assert_true(pwrite(fd, "y", 1, 0) < 0);
	assert_true(ftruncate(fd, 0) < 0);
	assert_true(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	close(fd);
}

static void
refuse(const void *bytes, size_t count, bool is_sealed)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct bundle bundle;
	struct err err = { "" };

	assert_true(write(fd, bytes, count) == (ssize_t)count);
	if (is_sealed)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	assert_false(bundle_map(fd, &bundle, &err));
	assert_true(err.text[0] != '\0');
	close(fd);
}

static void
test_refused(void **state)
{
	struct span parts[] = { SPAN("one"), SPAN("two") };
	int fd = bundle_create(parts, 2, NULL);
	char good[512];
	ssize_t size = pread(fd, good, sizeof(good), 0);
	uint64_t huge = UINT64_MAX;

	close(fd);
	refuse(good, (size_t)size, false);
	refuse(good, (size_t)size - 1, true);
	refuse(good, 20, true);
	refuse("", 0, true);
	memcpy(good + 24, &huge, sizeof(huge));	/* the first part's length */
	refuse(good, (size_t)size, true);
	memcpy(good + 16, &huge, sizeof(huge));	/* how many parts */
	refuse(good, (size_t)size, true);
	good[0] = 'X';
	refuse(good, (size_t)size, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
