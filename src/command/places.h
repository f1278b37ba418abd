/*
 * places: which configuration file and which control socket a command means.
 */
#ifndef REEVE_COMMAND_PLACES_H
#define REEVE_COMMAND_PLACES_H

#include "command/command_line.h"

/* -c FILE, else ./reeve.yaml, else /etc/reeve/reeve.yaml. NULL: none is there; the sentence names both. */
const char	*config_place(const struct command_line *line, struct err *err);

/*
 * --control PATH, else the `control` key of the configuration, else the default place. The configuration needs not be
 * good otherwise: the reeve that runs may have been started from a better one. False: it cannot be read at all.
 */
bool		 control_place(const struct command_line *line, struct text *path_out, struct err *err);

#endif
