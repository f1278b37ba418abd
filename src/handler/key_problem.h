/*
 * key_problem: what is wrong with one key of a handler that was read already.
 */
#ifndef REEVE_HANDLER_KEY_PROBLEM_H
#define REEVE_HANDLER_KEY_PROBLEM_H

#include "conf/option.h"

/* Reports under the key's own path; at the handler itself when a short value stands for the key. Always false. */
bool	key_problem(struct option_reader *reader, const struct conf_node *node, const char *key, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

#endif
