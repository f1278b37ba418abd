/*
 * An entrance is a listening socket of this worker. It comes with the birth or with LISTENERS, opens when a site that
 * names it is used, and closes when one that does not is. The struct stays until the end, because connections that came
 * through it point into it.
 */
#include "worker/inside.h"

#include "base/fd.h"
#include "base/memory.h"

#include <assert.h>

struct entrance {
	struct list_node		 node;
	uint64_t			 id;
	int				 fd;		/* owned until an acceptor has it; -1: no more */
	struct acceptor			*acceptor;
	struct downstream_listener	 listener;
	struct worker			*worker;
	bool				 is_wanted;	/* by the site that is being taken into use */
};

#define ENTRANCE(at) LIST_OWNER(at, struct entrance, node)
#define EACH_ENTRANCE(worker, at) \
	struct list_node *at = (worker)->entrances.next; \
	at != &(worker)->entrances; \
	at = at->next

static void
entrance_accept(void *owner, struct acceptor *acceptor, int fd, const struct address *peer)
{
	struct entrance *entrance = owner;

	downstream_accept(entrance->worker->downstream, fd, peer, &entrance->listener);
	if (share_is_exceeded(entrance->worker))
		acceptor_yield(acceptor);
}

/* The socket's own address, because one that was passed to us has none in the configuration. */
static struct downstream_listener
listener_of(int fd)
{
	union {
		struct sockaddr		any;
		struct sockaddr_storage	room;
	} own = { 0 };
	socklen_t size = sizeof(own);
	struct address address;

	if (getsockname(fd, &own.any, &size) != 0 || own.any.sa_family == AF_UNIX)
		return (struct downstream_listener){ .is_unix = true };
	address_from_sockaddr(&address, &own.any);
	return (struct downstream_listener){ .port = address_port(&address) };
}

void
entrance_add(struct worker *worker, uint64_t id, int fd)
{
	struct entrance *entrance = memory_zalloc(sizeof(*entrance));

	entrance->id = id;
	entrance->fd = fd;
	entrance->worker = worker;
	entrance->listener = listener_of(fd);
	list_add_last(&worker->entrances, &entrance->node);
}

static struct entrance *
entrance_find(struct worker *worker, uint64_t id)
{
	for (EACH_ENTRANCE(worker, at)) {
		if (ENTRANCE(at)->id == id && (ENTRANCE(at)->acceptor != NULL || ENTRANCE(at)->fd >= 0))
			return ENTRANCE(at);
	}
	return NULL;
}

static void
entrance_open(struct entrance *entrance)
{
	if (entrance->acceptor != NULL)
		return;
	entrance->acceptor = acceptor_open(entrance->worker->loop, entrance->fd, entrance_accept, entrance);
	entrance->fd = -1;
	if (entrance->worker->is_full)
		acceptor_pause(entrance->acceptor);
}

/* Who is in the queue already was told that the connection stands. */
static void
entrance_close(struct entrance *entrance)
{
	if (entrance->acceptor != NULL)
		acceptor_take_rest(entrance->acceptor);
	acceptor_close(entrance->acceptor);
	entrance->acceptor = NULL;
	fd_close(&entrance->fd);
}

/* For those who connect from now on; a connection that stands keeps what it began with. */
static void
entrance_configure(struct entrance *entrance, const struct listen_options *listen, struct tls_server *tls)
{
	struct tls_server *before = entrance->listener.tls;

	entrance->listener.proxy_protocol = listen->proxy_protocol;
	entrance->listener.http1 = listen_speaks(listen, "http/1.1");
	entrance->listener.h2c = listen_speaks(listen, "h2c");
	entrance->listener.tls = tls ? tls_server_ref(tls) : NULL;
	tls_server_unref(before);
}

void
entrances_use(struct worker *worker, const struct listener_ids *ids)
{
	const struct listen_options *listen = site_options(worker->site)->listen.items;

	assert(site_options(worker->site)->listen.count == ids->count);
	for (EACH_ENTRANCE(worker, at))
		ENTRANCE(at)->is_wanted = false;
	for (size_t i = 0; i < ids->count; i++) {
		struct entrance *entrance = entrance_find(worker, ids->items[i]);

		assert(entrance != NULL);
		entrance->is_wanted = true;
		entrance_configure(entrance, &listen[i], site_tls_server(worker->site, i));
		entrance_open(entrance);
	}
	for (EACH_ENTRANCE(worker, at)) {
		if (!ENTRANCE(at)->is_wanted)
			entrance_close(ENTRANCE(at));
	}
}

void
entrances_forget_unused(struct worker *worker)
{
	for (EACH_ENTRANCE(worker, at))
		fd_close(&ENTRANCE(at)->fd);
}

void
entrances_pause(struct worker *worker, bool is_full)
{
	for (EACH_ENTRANCE(worker, at)) {
		if (ENTRANCE(at)->acceptor == NULL)
			continue;
		if (is_full)
			acceptor_pause(ENTRANCE(at)->acceptor);
		else
			acceptor_resume(ENTRANCE(at)->acceptor);
	}
}

/* An exclusive wake that a dying worker took with it would leave its connection waiting for the next one. */
void
entrances_look(struct worker *worker)
{
	for (EACH_ENTRANCE(worker, at)) {
		if (ENTRANCE(at)->acceptor != NULL)
			acceptor_look(ENTRANCE(at)->acceptor);
	}
}

void
entrances_close(struct worker *worker)
{
	for (EACH_ENTRANCE(worker, at))
		entrance_close(ENTRANCE(at));
}

void
entrances_free(struct worker *worker)
{
	struct list_node *node;

	while ((node = list_first(&worker->entrances)) != NULL) {
		list_remove(node);
		acceptor_close(ENTRANCE(node)->acceptor);
		fd_close(&ENTRANCE(node)->fd);
		tls_server_unref(ENTRANCE(node)->listener.tls);
		memory_free(ENTRANCE(node));
	}
}
