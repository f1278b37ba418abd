/*
 * One sentence in a fixed room, cut off where it ends. Every sentence is formatted aside first, because its arguments
 * may point into the one that is being replaced.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What does not fit is dropped. */
static void
sentence_join(struct err *err, const char *a, const char *b)
{
	size_t room = sizeof(err->text) - 1;
	size_t a_len = strnlen(a, room);
	size_t b_len = strnlen(b, room - a_len);

	memcpy(err->text, a, a_len);
	memcpy(err->text + a_len, b, b_len);
	err->text[a_len + b_len] = '\0';
}

bool
err_set(struct err *err, const char *format, ...)
{
	struct err aside;
	va_list list;

	if (err == NULL)
		return false;
	va_start(list, format);
	vsnprintf(aside.text, sizeof(aside.text), format, list);
	va_end(list);
	*err = aside;
	return false;
}

bool
err_set_errno(struct err *err, const char *format, ...)
{
	int number = errno;
	struct err aside, reason;
	va_list list;

	if (err == NULL)
		return false;
	va_start(list, format);
	vsnprintf(aside.text, sizeof(aside.text), format, list);
	va_end(list);
	snprintf(reason.text, sizeof(reason.text), ": %s", strerror(number));
	sentence_join(err, aside.text, reason.text);
	errno = number;
	return false;
}

bool
err_prefix(struct err *err, const char *format, ...)
{
	struct err aside, old;
	va_list list;

	if (err == NULL)
		return false;
	va_start(list, format);
	vsnprintf(aside.text, sizeof(aside.text), format, list);
	va_end(list);
	old = *err;
	sentence_join(&aside, aside.text, ": ");
	sentence_join(err, aside.text, old.text);
	return false;
}
