/*
 * file_types: the media types of a site: the system's list when it has one, over the built-in table.
 */
#ifndef REEVE_HANDLER_FILE_TYPES_H
#define REEVE_HANDLER_FILE_TYPES_H

#include "http/media.h"
#include "route/stage.h"

/* Made by the first handler that asks, kept for the others of the same site. */
const struct media_types *file_types(const struct stage_builder *builder);

#endif
