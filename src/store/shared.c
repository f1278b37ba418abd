/* An anonymous shared mapping: it has no name in any file system that could outlive us or be opened by others. */
#include "store/shared.h"

#include <sys/mman.h>

void *
shared_create(size_t size, struct err *err)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED)
		return memory;
	err_set_errno(err, "cannot make memory that the workers share");
	return NULL;
}

void
shared_free(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}
