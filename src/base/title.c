/*
 * Arguments and environment lie one after the other, each ended by a NUL. The copies are never freed: whoever kept a
 * pointer from getenv() before may still use it.
 */
#include "base/title.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static struct {
	char	*at;
	size_t	 room;
	char	**environment;	/* owned: the moved one */
} title;

/* How far the strings go on without a gap from `end`. */
static char *
strings_move(char **strings, char *end)
{
	for (; *strings != NULL; strings++) {
		if (*strings == end)
			end += strlen(*strings) + 1;
		*strings = memory_copy_text(*strings);
	}
	return end;
}

static char **
environment_copy(void)
{
	size_t count = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = memory_alloc((count + 1) * sizeof(*copy));
	memcpy(copy, environ, (count + 1) * sizeof(*copy));
	return copy;
}

void
title_init(int argc, char **argv)
{
	char *end;

	if (argc < 1 || title.at != NULL)
		return;
	title.at = argv[0];
	title.environment = environment_copy();
	environ = title.environment;
	end = strings_move(argv, argv[0]);
	end = strings_move(environ, end);
	title.room = (size_t)(end - title.at);
}

/* The rest is zeroed: the kernel shows up to the first NUL when the last byte is one. */
void
title_set(const char *format, ...)
{
	va_list list;

	if (title.room < 2)
		return;
	memset(title.at, '\0', title.room);
	va_start(list, format);
	vsnprintf(title.at, title.room - 1, format, list);
	va_end(list);
}
