/*
 * h2_question: one GET over an HTTP/2 session of its own, in memory, up to the head of the answer: for probes.
 *
 *	h2_question_init() ──▶ send what lies in `out` ──▶ h2_question_take(what came) ──▶ MORE: send `out`, read on
 */
#ifndef REEVE_UPSTREAM_H2_QUESTION_H
#define REEVE_UPSTREAM_H2_QUESTION_H

#include "codec/h2_client.h"

enum h2_question_result {
	H2_QUESTION_MORE,	/* no final head yet */
	H2_QUESTION_ANSWERED,	/* question->status */
	H2_QUESTION_BAD,	/* question->why */
};

struct h2_question {
	struct text		 out;		/* to be sent now; the asker clears it */
	unsigned		 status;	/* 0: none yet */
	const char		*why;		/* a sentence; lives as long as the question */
	struct h2_client	*client;	/* owned */
	struct h2_client_stream	 stream;
	struct arena		 arena;
};

void			h2_question_init(struct h2_question *question, struct span scheme, struct span authority,
    struct span path, struct span user_agent);
enum h2_question_result	h2_question_take(struct h2_question *question, struct span bytes);
void			h2_question_fini(struct h2_question *question);	/* safe on zeroed memory */

#endif
