/*
 * forbidden: functions that do not compile in reeve. The build includes this file before the first line of every source.
 *
 * strcpy, strcat, sprintf	write past the end when the text is longer than thought: base/text.h, snprintf
 * strtok			hidden state, and it writes into its input: base/span.h
 * atoi, atol, atoll		no errors, undefined when out of range: base/units.h
 * rand, srand			predictable: getrandom(2), or a generator that is seeded by it
 *
 * The system's headers that declare them come first, so that only our own use is refused.
 */
#ifndef REEVE_BASE_FORBIDDEN_H
#define REEVE_BASE_FORBIDDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll

/* OpenSSL's headers name parameters so: only calls are refused. clang wants that said at the first declaration. */
#ifndef __clang__
int	rand(void) __attribute__((error("predictable: getrandom(2)")));
void	srand(unsigned seed) __attribute__((error("predictable: getrandom(2)")));
#endif

#endif
