/*
 * media: media types by file name extension: a built-in table, over it the lines of the system's mime.types.
 */
#ifndef REEVE_HTTP_MEDIA_H
#define REEVE_HTTP_MEDIA_H

#include "base/arena.h"

struct media_types;

/* mime_types: the contents of /etc/mime.types ("text/css css"), may be empty. In the arena. */
struct media_types	*media_types_create(struct arena *arena, struct span mime_types);

/*
 * "text/html; charset=utf-8" for text types; "application/octet-stream" when unknown. By the last extension, any
 * case.
 */
struct span		 media_type_of(const struct media_types *types, struct span file_name);

#endif
