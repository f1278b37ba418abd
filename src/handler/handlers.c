/* The order is that of the reference. */
#include "handler/handlers.h"

const struct handler_type *const handlers[] = {
	&handler_respond,
	&handler_redirect,
	&handler_files,
	&handler_proxy,
	&handler_health,
	NULL,
};

const char *const handlers_later[] = {
	"pubsub",
	"websocket",
	"module",
	"metrics",
	"dashboard",
	NULL,
};
