/*
 * protocol: what is said over the control socket, as bytes. One question, one answer, then the server closes.
 *
 *	reeve/1 VERB WORD…⏎			at most CONTROL_LINE_MAX bytes; %XX stands for what a word may not hold
 *	progress TEXT⏎				any number of times
 *	ok LENGTH⏎ and LENGTH bytes, or fail LENGTH⏎ and LENGTH bytes
 *
 * Bytes only: no socket, no clock. docs/control.md tells the same for other programs.
 */
#ifndef REEVE_CONTROL_PROTOCOL_H
#define REEVE_CONTROL_PROTOCOL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

enum {
	CONTROL_LINE_MAX = 65536,	/* of a question, newline included */
	CONTROL_WORDS_MAX = 16,		/* after the verb */
	CONTROL_PROGRESS_MAX = 1024,	/* of a progress line, newline included */
	CONTROL_ANSWER_MAX = 16 << 20,	/* of an answer's bytes */
};

/* -- questions ----------------------------------------------------------------------------------------------------- */

struct control_question {
	struct span	verb;				/* lower case letters and '-', at most 32 */
	struct span	words[CONTROL_WORDS_MAX];	/* any bytes, also none */
	size_t		count;
};

/* line: without its newline. Decoded words go to the arena. */
bool	control_question_parse(struct span line, struct arena *arena, struct control_question *question_out,
    struct err *err);
void	control_question_format(const struct control_question *question, struct text *to);	/* with its newline */

/* -- answers ------------------------------------------------------------------------------------------------------- */

enum control_answer_kind { CONTROL_PROGRESS, CONTROL_OK, CONTROL_FAIL };

struct control_answer {
	enum control_answer_kind	kind;
	struct span			text;
};

enum control_parse { CONTROL_PARSED, CONTROL_MORE, CONTROL_BAD };

/* The piece at the start of `bytes`; its text points into them. */
enum control_parse	control_answer_parse(struct span bytes, struct control_answer *answer_out, size_t *used_out);

/* A progress text is cut to one line of the length allowed. */
void			control_answer_format(const struct control_answer *answer, struct text *to);

#endif
