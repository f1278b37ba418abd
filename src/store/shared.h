/*
 * shared: zeroed memory that this process and all it forks see alike. Pages that nobody touches cost nothing.
 */
#ifndef REEVE_STORE_SHARED_H
#define REEVE_STORE_SHARED_H

#include "base/err.h"

#include <stddef.h>

void	*shared_create(size_t size, struct err *err);
void	 shared_free(void *memory, size_t size);	/* in this process only; NULL is fine */

#endif
