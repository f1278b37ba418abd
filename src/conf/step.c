/* Problems found while loading: the path is put together only when there is something to say. */
#include "conf/loading.h"

#define PATH_MAX_BYTES 512

/* From the root down, so the chain is walked upwards first. */
static void
step_format(const struct conf_step *step, struct text *to)
{
	if (step == NULL)
		return;
	step_format(step->up, to);
	if (to->len > PATH_MAX_BYTES)
		return;
	if (step->key.at == NULL) {
		text_format(to, "[%zu]", step->index);
		return;
	}
	if (to->len > 0)
		text_add_byte(to, '.');
	text_add(to, span_first(step->key, PATH_MAX_BYTES));
}

static void
say(struct conf_loader *loader, struct conf_place place, const struct conf_step *step, const char *format, va_list list)
{
	struct text path = { 0 }, sentence = { 0 };

	text_add_text(&path, "");
	step_format(step, &path);
	text_format_list(&sentence, format, list);
	conf_problems_add(loader->problems, false, place, path.bytes, "%s", sentence.bytes);
	text_fini(&path);
	text_fini(&sentence);
}

bool
conf_say(struct conf_loader *loader, struct conf_place place, const struct conf_step *step, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(loader, place, step, format, list);
	va_end(list);
	return false;
}

bool
conf_break(struct conf_loader *loader, struct conf_node *node, const struct conf_step *step, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(loader, node->place, step, format, list);
	va_end(list);
	node->broken = true;
	return false;
}
