/* What the listeners of a site speak TLS with; their sockets are the primary's. */
#include "site/parts.h"

enum { PROTOCOLS_MAX = 4 };

/* `listen` may be a list, or one address. */
static const struct conf_node *
listen_node(const struct site *site, size_t index)
{
	return conf_item(conf_get(conf_root(site->conf), "listen"), index);
}

static struct tls_server *
server_build(const struct site *site, size_t index, struct option_reader *reader, const struct site_place *place)
{
	const struct listen_options *listen = (const struct listen_options *)site->options.listen.items + index;
	const char *protocols[PROTOCOLS_MAX] = { NULL };
	const struct tls_server_place around = {
		.protocols = protocols,
		.tickets = place ? place->tickets : NULL,
		.checks_dates = place == NULL || place->loop == NULL,
		.is_first_start = place && place->is_first_start,
	};
	struct tls_server *server;

	for (size_t i = 0; i < listen->protocols.count && i + 1 < PROTOCOLS_MAX; i++)
		protocols[i] = listen->protocols.items[i].at;
	option_enter(reader, "listen");
	option_enter_index(reader, index);
	option_enter(reader, "tls");
	server = tls_server_create(&listen->tls, conf_get(listen_node(site, index), "tls"), reader, &around);
	option_leave(reader);
	option_leave(reader);
	option_leave(reader);
	return server;
}

bool
listeners_build(struct site *site, struct option_reader *reader, const struct site_place *place)
{
	const struct listen_options *listen = site->options.listen.items;
	size_t count = site->options.listen.count;
	bool ok = true;

	site->tls_servers = arena_zalloc(site->arena, (count + 1) * sizeof(struct tls_server *));
	for (size_t i = 0; i < count; i++) {
		if (!listen[i].has_tls)
			continue;
		site->tls_servers[i] = server_build(site, i, reader, place);
		ok = site->tls_servers[i] != NULL && ok;
	}
	return ok;
}

void
listeners_free(struct site *site)
{
	for (size_t i = 0; site->tls_servers && i < site->options.listen.count; i++)
		tls_server_unref(site->tls_servers[i]);
}

struct tls_server *
site_tls_server(const struct site *site, size_t listen_index)
{
	return site->tls_servers[listen_index];
}
