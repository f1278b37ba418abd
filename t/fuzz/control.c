/* rooms: base loop control */
/*
 * Any bytes as a question and as an answer over the control socket. What is taken is written again the same: there is one
 * way to say each thing.
 */
#include "control/protocol.h"
#include "fuzz.h"

static void
check_question(struct span line)
{
	struct control_question question;
	struct text again = { 0 };
	struct arena arena;
	struct err err;

	arena_init(&arena, 1024);
	if (control_question_parse(line, &arena, &question, &err)) {
		control_question_format(&question, &again);
		check(span_equal(span_make(again.bytes, again.len - 1), line));
		check(span_find(line, '\n') == line.len);
	}
	text_fini(&again);
	arena_fini(&arena);
}

static void
check_answer(struct span bytes)
{
	struct control_answer answer;
	struct text again = { 0 };
	size_t used;

	if (control_answer_parse(bytes, &answer, &used) == CONTROL_PARSED) {
		check(used <= bytes.len && answer.text.len <= used);
		control_answer_format(&answer, &again);
		check(span_equal(text_span(&again), span_first(bytes, used)));
	}
	text_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span given = span_make((const char *)bytes, size);

	check_question(given);
	check_answer(given);
	return 0;
}
