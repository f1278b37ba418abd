/* Strict on both sides: one way to write everything, so whatever was understood is also what was meant. */
#include "control/protocol.h"

#include "base/count.h"

#include <assert.h>

#define VERB_MAX 32

static const struct span greeting = SPAN("reeve/1 ");

static const struct span kinds[] = {
	[CONTROL_PROGRESS] = SPAN("progress "),
	[CONTROL_OK] = SPAN("ok "),
	[CONTROL_FAIL] = SPAN("fail "),
};
static_assert(COUNT(kinds) == CONTROL_FAIL + 1, "every kind of answer has a word");

/* -- questions ----------------------------------------------------------------------------------------------------- */

static bool
verb_is_valid(struct span verb)
{
	if (verb.len == 0 || verb.len > VERB_MAX)
		return false;
	for (size_t i = 0; i < verb.len; i++) {
		if ((verb.at[i] < 'a' || verb.at[i] > 'z') && verb.at[i] != '-')
			return false;
	}
	return true;
}

static int
hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static bool
byte_is_plain(char byte)
{
	return byte > 0x20 && byte < 0x7f && byte != '%';
}

/* One way to write each word: what is plain must not be escaped, hex digits are in upper case. */
static bool
word_decode(struct span from, struct arena *arena, struct span *word_out)
{
	char *to = arena_alloc(arena, from.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < from.len; i++) {
		int high, low;

		if (byte_is_plain(from.at[i])) {
			to[len++] = from.at[i];
			continue;
		}
		if (from.at[i] != '%' || from.len - i < 3)
			return false;
		high = hex_digit(from.at[i + 1]);
		low = hex_digit(from.at[i + 2]);
		if (high < 0 || low < 0 || byte_is_plain((char)(high << 4 | low)))
			return false;
		to[len++] = (char)(high << 4 | low);
		i += 2;
	}
	to[len] = '\0';
	*word_out = span_make(to, len);
	return true;
}

/* After the verb: every word has a space before it, so the empty word can be said, too. */
static bool
words_parse(struct span rest, struct arena *arena, struct control_question *question, struct err *err)
{
	while (rest.len > 0) {
		size_t len;

		if (question->count == CONTROL_WORDS_MAX)
			return err_set(err, "the question has more than %d words", CONTROL_WORDS_MAX);
		rest = span_skip(rest, 1);
		len = span_find(rest, ' ');
		if (!word_decode(span_first(rest, len), arena, &question->words[question->count]))
			return err_set(err, "word %zu of the question is not well written", question->count + 1);
		question->count++;
		rest = span_skip(rest, len);
	}
	return true;
}

bool
control_question_parse(struct span line, struct arena *arena, struct control_question *question_out, struct err *err)
{
	*question_out = (struct control_question){ .count = 0 };
	if (!span_starts_with(line, greeting))
		return err_set(err, "the question does not begin with \"reeve/1 \"");
	line = span_skip(line, greeting.len);
	question_out->verb = span_first(line, span_find(line, ' '));
	if (!verb_is_valid(question_out->verb))
		return err_set(err, "the question has no verb");
	return words_parse(span_skip(line, question_out->verb.len), arena, question_out, err);
}

void
control_question_format(const struct control_question *question, struct text *to)
{
	assert(verb_is_valid(question->verb) && question->count <= CONTROL_WORDS_MAX);
	text_add(to, greeting);
	text_add(to, question->verb);
	for (size_t i = 0; i < question->count; i++) {
		struct span word = question->words[i];

		text_add_byte(to, ' ');
		for (size_t at = 0; at < word.len; at++) {
			if (byte_is_plain(word.at[at]))
				text_add_byte(to, word.at[at]);
			else
				text_format(to, "%%%02X", (unsigned char)word.at[at]);
		}
	}
	text_add_byte(to, '\n');
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

/* A short enough piece of a head, or of a progress line, so that an endless one is noticed. */
static enum control_parse
incomplete(struct span bytes)
{
	return bytes.len < CONTROL_PROGRESS_MAX ? CONTROL_MORE : CONTROL_BAD;
}

static enum control_parse
framed_parse(struct span bytes, size_t head, struct span digits, struct control_answer *answer, size_t *used_out)
{
	uint64_t len;

	if ((digits.len > 1 && digits.at[0] == '0') || !span_to_number(digits, CONTROL_ANSWER_MAX, &len))
		return CONTROL_BAD;
	if (bytes.len - head < len)
		return CONTROL_MORE;
	answer->text = span_make(bytes.at + head, (size_t)len);
	*used_out = head + (size_t)len;
	return CONTROL_PARSED;
}

enum control_parse
control_answer_parse(struct span bytes, struct control_answer *answer_out, size_t *used_out)
{
	struct span line = span_first(bytes, span_find(bytes, '\n'));

	if (line.len == bytes.len || line.len >= CONTROL_PROGRESS_MAX)
		return incomplete(line);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!span_starts_with(line, kinds[i]))
			continue;
		answer_out->kind = (enum control_answer_kind)i;
		answer_out->text = span_skip(line, kinds[i].len);
		*used_out = line.len + 1;
		if (i == CONTROL_PROGRESS)
			return CONTROL_PARSED;
		return framed_parse(bytes, line.len + 1, answer_out->text, answer_out, used_out);
	}
	return CONTROL_BAD;
}

static void
progress_add(struct span text, struct text *to)
{
	text = span_first(text, CONTROL_PROGRESS_MAX - kinds[CONTROL_PROGRESS].len - 1);
	for (size_t i = 0; i < text.len; i++)
		text_add_byte(to, text.at[i] == '\n' ? ' ' : text.at[i]);
	text_add_byte(to, '\n');
}

void
control_answer_format(const struct control_answer *answer, struct text *to)
{
	text_add(to, kinds[answer->kind]);
	if (answer->kind == CONTROL_PROGRESS) {
		progress_add(answer->text, to);
		return;
	}
	assert(answer->text.len <= CONTROL_ANSWER_MAX);
	text_format(to, "%zu\n", answer->text.len);
	text_add(to, answer->text);
}
