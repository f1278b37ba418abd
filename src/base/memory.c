/*
 * The malloc family with one answer to failure: say so and abort. Nothing that could allocate again is called on the
 * way out, so the sentence does not go through log.h.
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
out_of_memory(void)
{
	static const char sentence[] = "{\"level\":\"fatal\",\"msg\":\"out of memory\"}\n";

	if (write(STDERR_FILENO, sentence, sizeof(sentence) - 1) < 0)
		abort();
	abort();
}

/* malloc(0) may return NULL, which would look like a failure. */
static size_t
at_least_one(size_t size)
{
	return size == 0 ? 1 : size;
}

void *
memory_alloc(size_t size)
{
	void *memory = malloc(at_least_one(size));

	if (memory == NULL)
		out_of_memory();
	return memory;
}

void *
memory_zalloc(size_t size)
{
	void *memory = calloc(1, at_least_one(size));

	if (memory == NULL)
		out_of_memory();
	return memory;
}

void *
memory_resize(void *old, size_t size)
{
	void *memory = realloc(old, at_least_one(size));

	if (memory == NULL)
		out_of_memory();
	return memory;
}

char *
memory_copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memory_alloc(size);

	memcpy(copy, text, size);
	return copy;
}

void
memory_free(void *old)
{
	free(old);
}
