/*
 * manual: the pages that are made from tables: reeve(1), reeve.yaml(5) and docs/messages.md.
 */
#ifndef REEVE_COMMAND_MANUAL_H
#define REEVE_COMMAND_MANUAL_H

#include "base/text.h"

/* page: "reeve" or "reeve.yaml". False: there is no such page. */
bool	manual_format(const char *page, struct text *mdoc);

void	messages_format(struct text *markdown);

#endif
