/* From addresses to peers: those that stay are left alone, the others come and go. */
#include "upstream/server.h"

#include "base/log.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

bool
server_url_is_name(const struct server_url *url)
{
	struct address address;

	/* No host: the URL was refused, which is told already. */
	if (url->parsed.is_unix || url->parsed.host.len == 0)
		return false;
	return !address_parse_host(url->parsed.host, url->parsed.port, &address);
}

bool
upstream_is_resolving(const struct upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++) {
		const struct server *server = &upstream->servers[i];

		if (server->is_name && !server->is_answered && server->query != NULL)
			return true;
	}
	return false;
}

/* "http://host:3000/" → "host:3000" */
static struct span
authority_of(const struct server_url *url)
{
	struct span rest = url->text;
	size_t colon = span_find(rest, ':');

	if (url->parsed.is_unix)
		return SPAN_OF("localhost");
	rest = span_skip(rest, colon + 3);
	return span_first(rest, span_find(rest, '/'));
}

/* -- peers --------------------------------------------------------------------------------------------------------- */

static void
peer_add(struct server *server, const struct agent_address *address)
{
	upstream_add_peer(server->upstream, peer_create(server->upstream, server, address));
}

static bool
is_among(const struct address *address, const struct address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (address_equal(address, &addresses[i]))
			return true;
	}
	return false;
}

static void
lost_remove(struct server *server, const struct address *addresses, size_t count)
{
	struct upstream *upstream = server->upstream;

	for (size_t i = upstream->peer_count; i-- > 0;) {
		const struct peer *peer = upstream->peers[i];

		if (peer->server == server && !is_among(&peer->agent->address.address, addresses, count))
			upstream_remove_peer(upstream, i);
	}
}

static bool
has_peer(const struct server *server, const struct address *address)
{
	for (size_t i = 0; i < server->upstream->peer_count; i++) {
		const struct peer *peer = server->upstream->peers[i];

		if (peer->server == server && address_equal(&peer->agent->address.address, address))
			return true;
	}
	return false;
}

/* A late comer starts slowly; those of the first answer were there from the beginning. */
static void
found_add(struct server *server, const struct address *addresses, size_t count)
{
	struct upstream *upstream = server->upstream;
	bool is_late = server->is_answered;

	for (size_t i = 0; i < count; i++) {
		struct agent_address address = { .address = addresses[i] };

		if (has_peer(server, &addresses[i]))
			continue;
		peer_add(server, &address);
		if (is_late)
			upstream->peers[upstream->peer_count - 1]->ramp_from_ms = loop_now_ms(upstream->world->loop);
	}
}

static void
addresses_apply(struct server *server, const struct address *addresses, size_t count)
{
	if (count > SERVER_ADDRESSES_MAX)
		count = SERVER_ADDRESSES_MAX;
	lost_remove(server, addresses, count);
	found_add(server, addresses, count);
	server->is_answered = true;
}

/* -- names --------------------------------------------------------------------------------------------------------- */

static void
failure_tell(struct server *server, const char *why)
{
	if (!server->is_failing)
		log_say(MSG_UPSTREAM_UNRESOLVED, log_span("upstream", server->upstream->options->name),
		    log_span("server", server->options->url.text), log_text("reason", why));
	server->is_failing = true;
}

static void
server_answered(void *owner, const struct address *addresses, size_t count, const char *why)
{
	struct server *server = owner;
	const struct uri_server *url = &server->options->url.parsed;
	struct upstream *upstream = server->upstream;

	server->query = NULL;
	if (count > 0) {
		world_name_keep(upstream->world, url->host, url->port, addresses, count);
		addresses_apply(server, addresses, count);
		server->is_failing = false;
	} else {
		failure_tell(server, why);
		server->is_answered = true;
	}
	upstream_has_room(upstream);
}

void
server_resolve(struct server *server)
{
	const struct uri_server *url = &server->options->url.parsed;
	struct resolver *resolver;

	if (!server->is_name || server->query != NULL)
		return;
	resolver = world_resolver(server->upstream->world);
	if (resolver != NULL)
		server->query = resolver_ask(resolver, url->host, url->port, server_answered, server);
}

void
server_stop(struct server *server)
{
	resolver_cancel(server->query);
	server->query = NULL;
}

static void
name_init(struct server *server)
{
	const struct uri_server *url = &server->options->url.parsed;
	struct address addresses[SERVER_ADDRESSES_MAX];
	size_t count;

	if (world_name_recall(server->upstream->world, url->host, url->port, addresses, SERVER_ADDRESSES_MAX, &count))
		addresses_apply(server, addresses, count);
	server_resolve(server);
}

void
server_init(struct server *server, struct upstream *upstream, const struct server_options *options)
{
	const struct uri_server *url = &options->url.parsed;
	struct agent_address address = { .path = "" };

	*server = (struct server){ .options = options, .upstream = upstream };
	server->authority = authority_of(&options->url);
	server->is_name = server_url_is_name(&options->url);
	if (upstream->world == NULL)
		return;
	if (url->is_unix) {
		address.address.any.sa_family = AF_UNIX;
		memcpy(address.path, url->host.at, url->host.len < sizeof(address.path) ? url->host.len : 0);
		peer_add(server, &address);
	} else if (address_parse_host(url->host, url->port, &address.address)) {
		peer_add(server, &address);
	} else {
		name_init(server);
	}
}
