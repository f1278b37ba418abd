/* The system's list is read as any file that the configuration names, so it travels in the bundle. */
#include "handler/file_types.h"

#define SYSTEM_LIST "/etc/mime.types"
#define SYSTEM_LIST_MAX ((size_t)4 << 20)	/* bytes */

static struct media_types *
types_load(const struct stage_builder *builder)
{
	struct span contents = { NULL, 0 };
	struct err err;

	if (!conf_file(builder->conf, SYSTEM_LIST, SYSTEM_LIST_MAX, &contents, &err))
		contents = span_make(NULL, 0);	/* a small system has none, and needs none */
	return media_types_create(builder->arena, contents);
}

const struct media_types *
file_types(const struct stage_builder *builder)
{
	if (builder->media == NULL)
		return types_load(builder);
	if (*builder->media == NULL)
		*builder->media = types_load(builder);
	return *builder->media;
}
