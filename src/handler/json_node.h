/*
 * json_node: a part of the configuration as JSON (RFC 8259).
 */
#ifndef REEVE_HANDLER_JSON_NODE_H
#define REEVE_HANDLER_JSON_NODE_H

#include "conf/tree.h"

/*
 * Plain scalars that are numbers, true, false or null keep that type; anything in quotes is a string. The result is
 * text for a template: braces of objects are doubled, those in strings are the user's placeholders.
 */
void	json_node_add(struct text *to, const struct conf_node *node);

#endif
