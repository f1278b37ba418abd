/*
 * keys: the keys a route or `defaults` may have, made from the lists of policies and handlers.
 */
#ifndef REEVE_SITE_KEYS_H
#define REEVE_SITE_KEYS_H

#include "conf/option.h"

/* Reports unknown keys, and those of later versions, at each child. whole: `match` and handlers are keys, too. */
bool		 route_keys_check(struct option_reader *reader, const struct conf_node *node, bool whole);

/* "respond, redirect, files, proxy, health" */
const char	*route_keys_handlers(void);

#endif
