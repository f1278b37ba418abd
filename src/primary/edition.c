/* Bundle and orders belong together; the listeners are opened by whoever takes the edition into use. */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/memory.h"
#include "ipc/bundle.h"

#include <fcntl.h>

static bool
edition_read(struct edition *edition, int bundle_fd, struct err *err)
{
	struct bundle bundle;

	if (!bundle_map(bundle_fd, &bundle, err))
		return false;
	edition->orders = orders_unpack(bundle.parts[BUNDLE_ORDERS], err);
	if (edition->orders != NULL)
		edition->certificates = certificates_unpack(bundle.parts[BUNDLE_CERTIFICATES], err);
	bundle_unmap(&bundle);
	return edition->certificates != NULL;
}

struct edition *
edition_create(struct primary *primary, int bundle_fd, struct err *err)
{
	struct edition *edition = memory_zalloc(sizeof(*edition));

	edition->bundle_fd = -1;
	if (edition_read(edition, bundle_fd, err)) {
		edition->bundle_fd = fcntl(bundle_fd, F_DUPFD_CLOEXEC, 0);
		if (edition->bundle_fd >= 0) {
			edition->generation = ++primary->generations;
			return edition;
		}
		err_set_errno(err, "cannot keep the configuration");
	}
	edition_free(edition);
	return NULL;
}

bool
edition_is_same(const struct edition *edition, int bundle_fd)
{
	struct bundle mine, other = { 0 };
	bool is_same;

	if (!bundle_map(edition->bundle_fd, &mine, NULL))
		return false;
	is_same = bundle_map(bundle_fd, &other, NULL) &&
	    span_equal(mine.parts[BUNDLE_CONF], other.parts[BUNDLE_CONF]) &&
	    span_equal(mine.parts[BUNDLE_ORDERS], other.parts[BUNDLE_ORDERS]);
	bundle_unmap(&mine);
	bundle_unmap(&other);
	return is_same;
}

void
edition_refresh(struct edition *edition, int bundle_fd)
{
	struct certificates *certificates;
	struct bundle bundle;

	if (!bundle_map(bundle_fd, &bundle, NULL))
		return;
	certificates = certificates_unpack(bundle.parts[BUNDLE_CERTIFICATES], NULL);
	bundle_unmap(&bundle);
	if (certificates == NULL)
		return;
	certificates_free(edition->certificates);
	edition->certificates = certificates;
}

void
edition_free(struct edition *edition)
{
	if (edition == NULL)
		return;
	listeners_close(&edition->listeners);
	certificates_free(edition->certificates);
	orders_free(edition->orders);
	fd_close(&edition->bundle_fd);
	memory_free(edition);
}
