/* rooms: base store */
#include "store/ticket_ring.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
ring_make(void **state)
{
	*state = ticket_ring_create(NULL);
	return *state == NULL;
}

static int
ring_drop(void **state)
{
	ticket_ring_free(*state);
	return 0;
}

static struct tls_ticket_key
newest(const struct ticket_ring *ring)
{
	struct tls_ticket_keys keys = ticket_ring_keys(ring);
	struct tls_ticket_key key = { 0 };

	assert_true(keys.newest(keys.owner, &key));
	return key;
}

static enum tls_ticket_age
find(const struct ticket_ring *ring, const struct tls_ticket_key *wanted)
{
	struct tls_ticket_keys keys = ticket_ring_keys(ring);
	struct tls_ticket_key key = { 0 };
	enum tls_ticket_age age = keys.find(keys.owner, wanted->name, &key);

	if (age != TLS_TICKET_UNKNOWN)
		assert_memory_equal(&key, wanted, sizeof(key));
	return age;
}

static void
test_keys_are_random(void **state)
{
	static const struct tls_ticket_key zero;
	struct ticket_ring *other = ticket_ring_create(NULL);
	struct tls_ticket_key a = newest(*state), b = newest(other);

	assert_memory_not_equal(a.name, zero.name, sizeof(a.name));
	assert_memory_not_equal(a.cipher, zero.cipher, sizeof(a.cipher));
	assert_memory_not_equal(a.mac, zero.mac, sizeof(a.mac));
	assert_memory_not_equal(a.name, b.name, sizeof(a.name));
	assert_memory_not_equal(a.cipher, b.cipher, sizeof(a.cipher));
	assert_memory_not_equal(a.mac, b.mac, sizeof(a.mac));
	ticket_ring_free(other);
}

static void
test_a_key_grows_old(void **state)
{
	struct ticket_ring *ring = *state;
	struct tls_ticket_key first = newest(ring), second, third;

	assert_int_equal(find(ring, &first), TLS_TICKET_CURRENT);
	assert_true(ticket_ring_rotate(ring, NULL));
	second = newest(ring);
	assert_memory_not_equal(&first, &second, sizeof(first));
	assert_int_equal(find(ring, &first), TLS_TICKET_OLD);
	assert_int_equal(find(ring, &second), TLS_TICKET_CURRENT);
	assert_true(ticket_ring_rotate(ring, NULL));
	third = newest(ring);
	assert_int_equal(find(ring, &first), TLS_TICKET_UNKNOWN);
	assert_int_equal(find(ring, &second), TLS_TICKET_OLD);
	assert_int_equal(find(ring, &third), TLS_TICKET_CURRENT);
}

static void
test_an_unknown_key(void **state)
{
	struct tls_ticket_key key = newest(*state);

	key.name[15] ^= 1;
	assert_int_equal(find(*state, &key), TLS_TICKET_UNKNOWN);
}

static void
test_other_processes_see_it(void **state)
{
	struct ticket_ring *ring = *state;
	struct tls_ticket_key before = newest(ring), after = { 0 };
	int to_child[2], from_child[2], status;
	pid_t pid;

	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char go;

		if (read(to_child[0], &go, 1) != 1)
			_exit(1);
		after = newest(ring);
		_exit(write(from_child[1], &after, sizeof(after)) != sizeof(after));
	}
	assert_true(ticket_ring_rotate(ring, NULL));
	assert_int_equal(write(to_child[1], "!", 1), 1);
	assert_int_equal(read(from_child[0], &after, sizeof(after)), sizeof(after));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_memory_not_equal(&before, &after, sizeof(after));
	assert_int_equal(find(ring, &after), TLS_TICKET_CURRENT);
	close(to_child[0]);
	close(to_child[1]);
	close(from_child[0]);
	close(from_child[1]);
}

/*
 * Each name is its key's: a mixture of two would show as a key that another look does not confirm. That there is none
 * at all may happen here, where the writer can be put to sleep in the middle.
 */
static void __attribute__((noreturn))
read_all_the_time(const struct ticket_ring *ring)
{
	struct tls_ticket_keys keys = ticket_ring_keys(ring);
	struct tls_ticket_key last = { 0 }, key, same;

	for (;;) {
		if (!keys.newest(keys.owner, &key))
			continue;
		if (keys.find(keys.owner, key.name, &same) != TLS_TICKET_UNKNOWN &&
		    memcmp(&key, &same, sizeof(key)) != 0)
			_exit(2);
		if (memcmp(key.name, last.name, sizeof(key.name)) == 0 && memcmp(&key, &last, sizeof(key)) != 0)
			_exit(3);
		last = key;
	}
}

static void
test_no_reader_sees_half_a_key(void **state)
{
	struct ticket_ring *ring = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		read_all_the_time(ring);
	for (int i = 0; i < 50000; i++)
		assert_true(ticket_ring_rotate(ring, NULL));
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* "dd": do not dump, proc(5). */
static void
test_is_kept_out_of_core_dumps(void **state)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long from, to, at = (unsigned long)(uintptr_t)*state;
	bool is_in_it = false, is_hidden = false;
	char line[4096];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_in_it = at >= from && at < to;
		else if (is_in_it && strncmp(line, "VmFlags:", 8) == 0)
			is_hidden = strstr(line, " dd") != NULL;
	}
	fclose(maps);
	assert_true(is_hidden);
}

static void
test_free_of_nothing(void **state)
{
	(void)state;
	ticket_ring_free(NULL);
}

#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, ring_make, ring_drop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RING(test_keys_are_random),
		WITH_RING(test_a_key_grows_old),
		WITH_RING(test_an_unknown_key),
		WITH_RING(test_other_processes_see_it),
		WITH_RING(test_no_reader_sees_half_a_key),
		WITH_RING(test_is_kept_out_of_core_dumps),
		cmocka_unit_test(test_free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
