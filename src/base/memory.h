/*
 * memory: malloc that never returns NULL.
 *
 * What a peer may make us allocate is bounded before we ask, so a failing allocation means that the machine is out of
 * memory; the process then says so and aborts, and its parent replaces it. A request never sees NULL.
 */
#ifndef REEVE_BASE_MEMORY_H
#define REEVE_BASE_MEMORY_H

#include <stddef.h>

void	*memory_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void	*memory_zalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));	/* zeroed */
void	*memory_resize(void *old, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char	*memory_copy_text(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
void	 memory_free(void *old);	/* NULL is fine */

#endif
