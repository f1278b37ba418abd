/* Bundle and orders belong together; the listeners are opened by whoever takes the edition into use. */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/memory.h"
#include "ipc/bundle.h"

#include <fcntl.h>

struct edition *
edition_create(struct primary *primary, int bundle_fd, struct err *err)
{
	struct bundle bundle;
	struct orders *orders;
	struct edition *edition;

	if (!bundle_map(bundle_fd, &bundle, err))
		return NULL;
	orders = orders_unpack(bundle.parts[BUNDLE_ORDERS], err);
	bundle_unmap(&bundle);
	if (orders == NULL)
		return NULL;
	edition = memory_zalloc(sizeof(*edition));
	edition->orders = orders;
	edition->generation = ++primary->generations;
	edition->bundle_fd = fcntl(bundle_fd, F_DUPFD_CLOEXEC, 0);
	if (edition->bundle_fd >= 0)
		return edition;
	err_set_errno(err, "cannot keep the configuration");
	edition_free(edition);
	return NULL;
}

void
edition_free(struct edition *edition)
{
	if (edition == NULL)
		return;
	listeners_close(&edition->listeners);
	orders_free(edition->orders);
	fd_close(&edition->bundle_fd);
	memory_free(edition);
}
