/* rooms: base ipc loop */
#include "ipc/log_pipe.h"

#include "base/fd.h"
#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void
stop(void *owner)
{
	loop_stop(owner);
}

static void
run_for(struct loop *loop, uint64_t ms)
{
	struct timer timer;

	timer_init(&timer, loop, stop, loop);
	timer_arm(&timer, ms);
	loop_run(loop);
	timer_fini(&timer);
}

static void
read_all(int fd, struct text *to)
{
	ssize_t count;

	while ((count = read(fd, text_reserve(to, 65536), 65536)) > 0)
		to->len += (size_t)count;
	text_add(to, (struct span){ 0 });
}

static void
test_lines_arrive(void **state)
{
	struct loop *loop = loop_create(NULL);
	struct text text = { 0 };
	struct log_pipe *pipe;
	int fds[2];

	assert_true(log_pipe_make(fds, NULL));
	pipe = log_pipe_open(loop, fds[1], NULL);
	log_write_line(LOG_INFO, SPAN_OF("one"));
	log_write_line(LOG_INFO, SPAN_OF("two"));
	read_all(fds[0], &text);
	assert_int_equal(text.len, 0);	/* they wait for company */
	run_for(loop, 50);
	read_all(fds[0], &text);
	assert_true(span_is(text_span(&text), "\none\ntwo\n"));
	text_clear(&text);
	log_write_line(LOG_FATAL, SPAN_OF("last words"));
	read_all(fds[0], &text);
	assert_true(span_is(text_span(&text), "last words\n"));
	text_clear(&text);
	log_write_line(LOG_INFO, SPAN_OF("at the end"));
	log_pipe_close(pipe);
	read_all(fds[0], &text);
	assert_true(span_is(text_span(&text), "at the end\n"));
	text_fini(&text);
	close(fds[0]);
	close(fds[1]);
	loop_free(loop);
}

static size_t
count_lines(struct span text, const char *start)
{
	size_t count = 0;
	struct span line;

	while (span_cut(&text, '\n', &line))
		count += span_starts_with(line, span_text(start));
	return count;
}

/* Nobody reads: it never blocks; then what was kept arrives whole, and the dropped lines are told exactly. */
static void
test_full(void **state)
{
	struct loop *loop = loop_create(NULL);
	struct text text = { 0 };
	uint64_t dropped = 0;
	struct log_pipe *pipe;
	char line[1000];
	char expected[64];
	int fds[2];

	assert_true(log_pipe_make(fds, NULL));
	pipe = log_pipe_open(loop, fds[1], &dropped);
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 3000; i++) {
		log_write_line(LOG_INFO, span_make(line, sizeof(line)));
		if (i % 100 == 0)
			run_for(loop, 1);
	}
	assert_true(dropped > 1000);
	for (unsigned i = 0; i < 20; i++) {
		read_all(fds[0], &text);
		run_for(loop, 2);
	}
	assert_int_equal(count_lines(text_span(&text), "xxx") + dropped, 3000);
	snprintf(expected, sizeof(expected), "\"lines\":%u}\n", (unsigned)dropped);
	assert_true(span_ends_with(text_span(&text), span_text(expected)));
	log_write_line(LOG_INFO, SPAN_OF("fine again"));
	run_for(loop, 20);
	read_all(fds[0], &text);
	assert_true(span_ends_with(text_span(&text), SPAN_OF("fine again\n")));
	log_pipe_close(pipe);
	text_fini(&text);
	close(fds[0]);
	close(fds[1]);
	loop_free(loop);
}

static void
count_turns(void *owner, uint64_t now_ms)
{
	++*(unsigned *)owner;
}

/* The reading end is gone for good: lines vanish, and the loop does not spin. */
static void
test_nobody_there(void **state)
{
	struct loop *loop = loop_create(NULL);
	unsigned turns = 0;
	struct log_pipe *pipe;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_true(log_pipe_make(fds, NULL));
	pipe = log_pipe_open(loop, fds[1], NULL);
	close(fds[0]);
	loop_on_turn(loop, count_turns, &turns);
	for (unsigned i = 0; i < 1000; i++)
		log_write_line(LOG_WARN, SPAN_OF("a line for nobody, but of some length all the same"));
	run_for(loop, 50);
	assert_true(turns < 10);
	log_pipe_close(pipe);
	close(fds[1]);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_arrive),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
