/* rooms: base loop control */
#include "control/protocol.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool
parse(struct span line, struct arena *arena, struct control_question *question)
{
	struct err err = { "" };
	bool is_good = control_question_parse(line, arena, question, &err);

	assert_true(is_good == (err.text[0] == '\0'));
	return is_good;
}

static void
test_questions(void **state)
{
	struct control_question question;
	struct arena arena;

	arena_init(&arena, 1024);
	assert_true(parse(SPAN_OF("reeve/1 status"), &arena, &question));
	assert_true(span_is(question.verb, "status"));
	assert_int_equal(question.count, 0);
	assert_true(parse(SPAN_OF("reeve/1 app-scale api %34 two%20words%00  x"), &arena, &question) == false);
	assert_true(parse(SPAN_OF("reeve/1 app-scale api two%20words%00  x%25"), &arena, &question));
	assert_int_equal(question.count, 4);
	assert_true(span_is(question.words[0], "api"));
	assert_true(span_equal(question.words[1], SPAN_OF("two words\0")));
	assert_true(span_is(question.words[2], ""));
	assert_true(span_is(question.words[3], "x%"));
	arena_fini(&arena);
}

static void
test_bad_questions(void **state)
{
	static const struct span lines[] = {
		SPAN(""), SPAN("reeve/1"), SPAN("reeve/1 "), SPAN("reeve/1  status"), SPAN("reeve/2 status"),
		SPAN("REEVE/1 status"), SPAN(" reeve/1 status"), SPAN("reeve/1 Status"), SPAN("reeve/1 sta_tus"),
		SPAN("reeve/1 status\r"), SPAN("reeve/1 status\t"), SPAN("reeve/1 sta\0tus"), SPAN("reeve/1 status a\0"),
		SPAN("reeve/1 abcdefghijklmnopqrstuvwxyzabcdefg"), SPAN("reeve/1 x %"), SPAN("reeve/1 x %2"),
		SPAN("reeve/1 x %2g"), SPAN("reeve/1 x %0a"), SPAN("reeve/1 x %41"), SPAN("reeve/1 x \xff"),
		SPAN("reeve/1 x a\x7f"), SPAN("reeve/1 x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"),
		SPAN("GET / HTTP/1.1"), SPAN("{\"verb\":\"status\"}"),
	};
	struct control_question question;
	struct arena arena;

	arena_init(&arena, 1024);
	for (size_t i = 0; i < COUNT(lines); i++) {
		if (parse(lines[i], &arena, &question))
			fail_msg("taken as a question: %.*s", (int)lines[i].len, lines[i].at);
	}
	arena_fini(&arena);
}

static void
test_question_round_trip(void **state)
{
	char bytes[256];
	struct control_question out = { .verb = SPAN("a-verb"), .count = CONTROL_WORDS_MAX }, in;
	struct text line = { 0 };
	struct arena arena;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < CONTROL_WORDS_MAX; i++)
		out.words[i] = span_make(bytes + i * 16, i == 3 ? 0 : 16);
	control_question_format(&out, &line);
	assert_int_equal(span_find(text_span(&line), '\n'), line.len - 1);
	arena_init(&arena, 1024);
	assert_true(parse(span_make(line.bytes, line.len - 1), &arena, &in));
	assert_true(span_equal(in.verb, out.verb));
	assert_int_equal(in.count, out.count);
	for (size_t i = 0; i < CONTROL_WORDS_MAX; i++)
		assert_true(span_equal(in.words[i], out.words[i]));
	arena_fini(&arena);
	text_fini(&line);
}

static void
assert_answer(const char *bytes, enum control_answer_kind kind, const char *text, size_t used)
{
	struct control_answer answer;
	size_t got;

	assert_int_equal(control_answer_parse(span_text(bytes), &answer, &got), CONTROL_PARSED);
	assert_int_equal(answer.kind, kind);
	assert_true(span_is(answer.text, text));
	assert_int_equal(got, used);
}

static void
test_answers(void **state)
{
	assert_answer("progress half way\nok 0\n", CONTROL_PROGRESS, "half way", 18);
	assert_answer("progress \n", CONTROL_PROGRESS, "", 10);
	assert_answer("ok 0\n", CONTROL_OK, "", 5);
	assert_answer("ok 3\nabcdef", CONTROL_OK, "abc", 8);
	assert_answer("fail 4\na\nb\n", CONTROL_FAIL, "a\nb\n", 11);
}

static void
test_partial_and_bad_answers(void **state)
{
	static const char *const partial[] = { "", "o", "ok", "ok 12", "ok 12\n12345678901", "progress abc", "fail 1\n" };
	static const char *const bad[] = {
		"okay 1\nx", "ok\n", "ok \n", "ok 01\nx", "ok -1\n", "ok 1x\n", "ok 16777217\n", "ok 99999999999999999999\n",
		"\n", "HTTP/1.1 400 Bad Request\r\n", "Progress x\n", "ok  1\nx",
	};
	struct control_answer answer;
	char endless[2000];
	size_t used;

	for (size_t i = 0; i < COUNT(partial); i++)
		assert_int_equal(control_answer_parse(span_text(partial[i]), &answer, &used), CONTROL_MORE);
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (control_answer_parse(span_text(bad[i]), &answer, &used) != CONTROL_BAD)
			fail_msg("taken as an answer: %s", bad[i]);
	}
	memset(endless, 'x', sizeof(endless));
	assert_int_equal(control_answer_parse(span_make(endless, sizeof(endless)), &answer, &used), CONTROL_BAD);
}

/* What is formatted is parsed the same; what does not fit on a progress line is cut. */
static void
test_answer_round_trip(void **state)
{
	char bytes[2000];
	struct control_answer answer = { .kind = CONTROL_FAIL, .text = SPAN("no\nway\0") }, back;
	struct text text = { 0 };
	size_t used;

	control_answer_format(&answer, &text);
	assert_int_equal(control_answer_parse(text_span(&text), &back, &used), CONTROL_PARSED);
	assert_true(back.kind == answer.kind && span_equal(back.text, answer.text) && used == text.len);
	memset(bytes, '\n', sizeof(bytes));
	answer = (struct control_answer){ .kind = CONTROL_PROGRESS, .text = span_make(bytes, sizeof(bytes)) };
	text_clear(&text);
	control_answer_format(&answer, &text);
	assert_int_equal(text.len, CONTROL_PROGRESS_MAX);
	assert_int_equal(control_answer_parse(text_span(&text), &back, &used), CONTROL_PARSED);
	assert_int_equal(back.kind, CONTROL_PROGRESS);
	text_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_bad_questions),
		cmocka_unit_test(test_question_round_trip),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_partial_and_bad_answers),
		cmocka_unit_test(test_answer_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
