/* One way through for all questions, so that waiting, failing and exit codes are the same for every command. */
#include "command/ask.h"

#include "base/units.h"
#include "command/output.h"
#include "command/places.h"
#include "control/client.h"

static bool
timeout_read(const struct command_line *line, const struct question *question, uint64_t *ms_out, struct err *err)
{
	const char *given = command_line_value(line, FLAG_TIMEOUT);

	*ms_out = question->timeout_ms;
	if (given == NULL || duration_parse(span_text(given), ms_out))
		return true;
	return err_set(err, "--timeout %s is no duration (such as 500ms, 10s or 5m)", given);
}

static bool
put(struct control_client *client, const struct question *question, const struct control_patience *patience,
    struct text *answer_out, struct err *err)
{
	if (control_client_ask(client, span_text(question->verb), patience, answer_out, err))
		return !question->until_end || control_client_wait_end(client, patience, err);
	/* It may end faster than it answers. */
	return question->until_end && answer_out->len == 0 &&
	       control_client_wait_end(client, &(struct control_patience){ .timeout_ms = 1000 }, err);
}

/* A refusal may have many lines: the answer has them all, the sentence only as much as fits. */
static void
failure_print(const struct text *answer, const struct err *err)
{
	if (answer->len > 0)
		fprintf(stderr, "%s%s", answer->bytes, answer->bytes[answer->len - 1] == '\n' ? "" : "\n");
	else
		output_fail(err->text);
}

bool
ask(const struct command_line *line, const struct question *question, struct text *answer_out, int *code_out)
{
	struct waiting waiting = { .what = question->what };
	struct control_patience patience = { .on_wait = waiting_show, .owner = &waiting };
	struct control_client *client = NULL;
	struct text path = { 0 };
	struct err err;
	bool is_done;

	*code_out = COMMAND_MISUSED;
	if (!timeout_read(line, question, &patience.timeout_ms, &err)) {
		output_fail(err.text);
		return false;
	}
	*code_out = COMMAND_FAILED;
	if (control_place(line, &path, &err))
		client = control_client_open(path.bytes, &err);
	is_done = client && put(client, question, &patience, answer_out, &err);
	waiting_end(&waiting);
	if (!is_done)
		failure_print(answer_out, &err);
	control_client_close(client);
	text_fini(&path);
	return is_done;
}

int
ask_and_print(const struct command_line *line, const struct question *question)
{
	struct text answer = { 0 };
	int code;

	if (ask(line, question, &answer, &code)) {
		if (answer.len == 0 || answer.bytes[answer.len - 1] != '\n')
			text_add_byte(&answer, '\n');
		code = output_print(text_span(&answer)) ? COMMAND_DONE : COMMAND_FAILED;
	}
	text_fini(&answer);
	return code;
}
