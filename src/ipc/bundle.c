/* One header, then the parts one after the other, each ended by a NUL that is not counted; then the seals. */
#include "ipc/bundle.h"

#include "base/fd.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct bundle_header {
	char		magic[16];
	uint64_t	count;
	uint64_t	lengths[BUNDLE_PARTS_MAX];
};

static const char magic[16] = "reeve-bundle-1";

static bool
bundle_write(int fd, const struct span *parts, unsigned count)
{
	struct bundle_header header = { .count = count };

	memcpy(header.magic, magic, sizeof(magic));
	for (unsigned i = 0; i < count; i++)
		header.lengths[i] = parts[i].len;
	if (!fd_write_all(fd, span_make((const char *)&header, sizeof(header))))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!fd_write_all(fd, parts[i]) || !fd_write_all(fd, span_make("", 1)))
			return false;
	}
	return true;
}

int
bundle_create(const struct span *parts, unsigned count, struct err *err)
{
	int fd = memfd_create("reeve-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(count <= BUNDLE_PARTS_MAX);
	if (fd >= 0 && bundle_write(fd, parts, count) && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	err_set_errno(err, "cannot make a bundle of the configuration in memory");
	fd_close(&fd);
	return -1;
}

/* The lengths come from a process that may have been broken. */
static bool
bundle_find_parts(struct bundle *bundle)
{
	const struct bundle_header *header = bundle->mapping;
	const char *at = (const char *)bundle->mapping + sizeof(*header);
	size_t left = bundle->size - sizeof(*header);

	if (memcmp(header->magic, magic, sizeof(magic)) != 0 || header->count > BUNDLE_PARTS_MAX)
		return false;
	bundle->count = (unsigned)header->count;
	for (unsigned i = 0; i < bundle->count; i++) {
		if (header->lengths[i] >= left)
			return false;
		bundle->parts[i] = span_make(at, (size_t)header->lengths[i]);
		at += header->lengths[i] + 1;
		left -= (size_t)header->lengths[i] + 1;
	}
	return left == 0;
}

bool
bundle_map(int fd, struct bundle *bundle_out, struct err *err)
{
	struct bundle bundle = { 0 };
	struct stat status;

	if (fstat(fd, &status) != 0 || (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS ||
	    status.st_size < (off_t)sizeof(struct bundle_header))
		return err_set(err, "this is no sealed bundle");
	bundle.size = (size_t)status.st_size;
	bundle.mapping = mmap(NULL, bundle.size, PROT_READ, MAP_SHARED, fd, 0);
	if (bundle.mapping == MAP_FAILED)
		return err_set_errno(err, "cannot map the bundle");
	(void)madvise(bundle.mapping, bundle.size, MADV_DONTDUMP);
	if (!bundle_find_parts(&bundle)) {
		bundle_unmap(&bundle);
		return err_set(err, "the bundle is damaged");
	}
	*bundle_out = bundle;
	return true;
}

void
bundle_unmap(struct bundle *bundle)
{
	if (bundle->mapping != NULL)
		munmap(bundle->mapping, bundle->size);
	*bundle = (struct bundle){ 0 };
}
