/* The path a person reads has the key only when he wrote it. */
#include "handler/key_problem.h"

#include "base/text.h"

bool
key_problem(struct option_reader *reader, const struct conf_node *node, const char *key, const char *format, ...)
{
	const struct conf_node *value = conf_get(node, key);
	struct text sentence = { 0 };
	va_list list;

	va_start(list, format);
	text_format_list(&sentence, format, list);
	va_end(list);
	if (value)
		option_enter(reader, key);
	option_problem(reader, value ? value : node, "%s", sentence.bytes);
	if (value)
		option_leave(reader);
	text_fini(&sentence);
	return false;
}
