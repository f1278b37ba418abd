/*
 * handlers: the list of all handlers. A route has exactly one.
 *
 * A new handler is one file and one row here. Names that a later version will know are refused by name until then.
 */
#ifndef REEVE_HANDLER_HANDLERS_H
#define REEVE_HANDLER_HANDLERS_H

#include "route/stage.h"

extern const struct handler_type handler_respond;
extern const struct handler_type handler_redirect;
extern const struct handler_type handler_files;
extern const struct handler_type handler_proxy;
extern const struct handler_type handler_health;

extern const struct handler_type *const handlers[];	/* NULL ends */
extern const char *const handlers_later[];		/* "not supported in this version"; NULL ends */

#endif
