/*
 * body_hold: all of a request's content is read before its route goes on, and given to the handler from memory.
 *
 *	client ─▶ transport ─▶ held bytes ─(all there)─▶ chain goes on ─▶ handler wants content ─▶ held bytes
 *
 * So a slow client keeps no upstream busy, and content can be looked at before anything acts on it. request->body_max
 * bounds what is held.
 */
#ifndef REEVE_POLICY_BODY_HOLD_H
#define REEVE_POLICY_BODY_HOLD_H

#include "route/stage.h"

/* Begins reading. The chain is resumed, or 400 answered when the content must be JSON and is not. */
enum stage_result	body_hold(struct request *request, bool must_be_json);

/* At the request's end, held or not. */
void			body_hold_end(struct request *request);

#endif
