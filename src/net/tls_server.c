/*
 * A context for each set of certificates that stand for some name; all of them are the same otherwise, because OpenSSL
 * takes over little when a connection moves from one to another (the certificates and the session id, no option, no
 * rule about clients).
 */
#include "net/tls_server.h"

#include "base/memory.h"
#include "net/tls.h"
#include "net/tls_ciphers.h"
#include "net/tls_pair.h"
#include "net/tls_pem.h"
#include "net/tls_server_inside.h"
#include "net/tls_ticket_seal.h"

#include <assert.h>
#include <stdlib.h>

enum {
	ARENA_BLOCK = 4096,
	/*
	 * One ticket: an HTTP/2 client needs one connection, and every resumed handshake brings the next ticket. A
	 * second would cost time in each full handshake, which is when time is scarce.
	 */
	TICKETS = 1,
	TICKET_LIFETIME_S = 24 * 3600,	/* no longer than the ring keeps a key */
	SECURITY_LEVEL = 2,		/* 112 bits, whatever the system's default is; `ciphers` may say @SECLEVEL */
};

#define GROUPS "X25519:P-256:P-384"

/*
 * Our order of ciphers counts, but ChaCha20 is for who puts it first: he has no AES in hardware. Clients made with
 * OpenSSL ask for AES-256 with SHA-384 first, whose every derivation costs twice as much: a tenth of a resumed
 * handshake.
 */
#define OPTIONS (SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | \
	SSL_OP_PRIORITIZE_CHACHA)
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

static int server_index = -1;	/* of the server that a connection belongs to */

/* While it is being built. */
struct server_building {
	struct tls_server		*server;
	const struct tls_listen_options	*options;
	const struct conf_node		*node;
	struct option_reader		*reader;
	const struct tls_server_place	*place;
};

/* -- contexts ------------------------------------------------------------------------------------------------------ */

static bool
versions_set(SSL_CTX *context, const struct tls_listen_options *options)
{
	const char *ciphers = options->ciphers.len > 0 ? options->ciphers.at : tls_ciphers_default;
	int oldest = options->min_version == TLS_MIN_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	return SSL_CTX_set_min_proto_version(context, oldest) &&
	    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) && SSL_CTX_set1_groups_list(context, GROUPS) &&
	    SSL_CTX_set_cipher_list(context, ciphers) && SSL_CTX_set_ciphersuites(context, CIPHERS_1_3);
}

static bool
tickets_set(SSL_CTX *context, const struct tls_server *server)
{
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, TICKET_LIFETIME_S);
	if (server->tickets)
		return SSL_CTX_set_num_tickets(context, TICKETS) && tls_tickets_apply(context, server->tickets);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	return SSL_CTX_set_num_tickets(context, 0) == 1;
}

static bool
context_settle(const struct server_building *building, SSL_CTX *context)
{
	const struct tls_server *server = building->server;

	SSL_CTX_set_options(context, OPTIONS | (building->options->kernel ? SSL_OP_ENABLE_KTLS : 0));
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);	/* tls_create() sets the others */
	tls_hello_apply(server, context);
	return versions_set(context, building->options) && tickets_set(context, server) &&
	    tls_client_rules_apply(&server->rules, context);
}

static bool
certificates_set(const struct tls_server *server, SSL_CTX *context, const struct tls_set *set)
{
	for (unsigned i = 0; i < TLS_KEY_KINDS; i++) {
		const struct tls_certificate *certificate;

		if (set->of_kind[i] == 0)
			continue;
		certificate = &server->certificates[set->of_kind[i] - 1];
		if (!SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key, certificate->chain, 1))
			return false;
	}
	return true;
}

/* The first certificate of a set, in the order of the configuration. */
static uint32_t
set_first(const struct tls_set *set)
{
	uint32_t first = UINT32_MAX;

	for (unsigned i = 0; i < TLS_KEY_KINDS; i++)
		if (set->of_kind[i] > 0 && set->of_kind[i] - 1 < first)
			first = set->of_kind[i] - 1;
	assert(first != UINT32_MAX);
	return first;
}

static SSL_CTX *
context_make(const struct server_building *building, const struct tls_set *set)
{
	struct tls_server *server = building->server;
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	struct tls_context *context;

	if (ssl == NULL || !context_settle(building, ssl) || !certificates_set(server, ssl, set)) {
		option_problem(building->reader, building->node, "OpenSSL does not take these certificates: %s",
		    tls_reason());
		SSL_CTX_free(ssl);
		return NULL;
	}
	context = arena_zalloc(&server->arena, sizeof(*context));
	*context = (struct tls_context){ .ssl = ssl, .set = *set, .next = server->by_first[set_first(set)] };
	server->by_first[set_first(set)] = context;
	return ssl;
}

static SSL_CTX *
context_of(const struct server_building *building, const struct tls_set *set)
{
	const struct tls_context *context = building->server->by_first[set_first(set)];

	while (context && !tls_set_equal(&context->set, set))
		context = context->next;
	return context ? context->ssl : context_make(building, set);
}

/* For who asks for no name, or for one that nobody has: as if it had asked for the first name of the first. */
static SSL_CTX *
fallback_make(const struct server_building *building)
{
	const struct tls_server *server = building->server;
	struct span rest = server->certificates[0].names, first;
	struct tls_set alone = { 0 };
	const struct tls_name *name;

	if (span_cut(&rest, ',', &first) && (name = tls_names_find(&server->names, span_trim(first))) != NULL)
		return name->context;
	alone.of_kind[tls_key_kind(&server->certificates[0])] = 1;
	return context_of(building, &alone);
}

static bool
contexts_make(const struct server_building *building)
{
	struct tls_server *server = building->server;

	for (size_t i = 0; i < server->names.room; i++) {
		struct tls_name *name = &server->names.rows[i];

		if (name->name.len > 0 && (name->context = context_of(building, &name->set)) == NULL)
			return false;
	}
	server->fallback = fallback_make(building);
	return server->fallback != NULL;
}

/* -- building ------------------------------------------------------------------------------------------------------ */

/* `certificates` may be a list, or one map. */
static const struct conf_node *
pair_node(const struct server_building *building, size_t index)
{
	return conf_item(conf_get(building->node, "certificates"), index);
}

static void
pair_enter(const struct server_building *building, size_t index)
{
	const struct conf_node *node = conf_get(building->node, "certificates");

	option_enter(building->reader, "certificates");
	if (node && node->kind == CONF_LIST)
		option_enter_index(building->reader, index);
}

static void
pair_leave(const struct server_building *building)
{
	const struct conf_node *node = conf_get(building->node, "certificates");

	if (node && node->kind == CONF_LIST)
		option_leave(building->reader);
	option_leave(building->reader);
}

static bool
pairs_read(const struct server_building *building)
{
	const struct tls_pair_options *pairs = building->options->certificates.items;
	struct tls_server *server = building->server;
	bool ok = true;

	server->count = building->options->certificates.count;
	server->certificates = arena_zalloc(&server->arena, server->count * sizeof(*server->certificates));
	server->staples = arena_zalloc(&server->arena, server->count * sizeof(*server->staples));
	server->by_first = arena_zalloc(&server->arena, server->count * sizeof(struct tls_context *));
	for (size_t i = 0; i < server->count; i++) {
		const struct tls_pair_reading reading = {
			.options = &pairs[i], .node = pair_node(building, i), .reader = building->reader,
			.place = building->place, .arena = &server->arena,
		};

		pair_enter(building, i);
		ok = tls_pair_read(&reading, &server->certificates[i], &server->staples[i]) && ok;
		pair_leave(building);
	}
	return ok;
}

static void
shared_warn(void *owner, uint32_t first, uint32_t second, struct span name)
{
	const struct server_building *building = owner;

	if (!building->place->checks_dates)
		return;
	pair_enter(building, second);
	option_warning(building->reader, pair_node(building, second), "%.*s is a name of certificates[%u], too, whose "
	    "key is of the same kind: this one is never used for it", (int)name.len, name.at, first);
	pair_leave(building);
}

static struct span
protocols_write(struct tls_server *server, const char *const *protocols, const char *but)
{
	struct text wire = { 0 };
	struct span written;

	for (size_t i = 0; protocols && protocols[i]; i++) {
		if (strcmp(protocols[i], but) == 0)
			continue;
		text_add_byte(&wire, (char)strlen(protocols[i]));
		text_add_text(&wire, protocols[i]);
	}
	written = arena_copy(&server->arena, text_span(&wire));
	text_fini(&wire);
	return written;
}

static void
server_release(void *parent, void *owner, CRYPTO_EX_DATA *all, int index, long argument, void *more)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)argument;
	(void)more;
	tls_server_unref(owner);
}

static bool
digest_make(struct tls_server *server)
{
	server->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	server->digesting = EVP_MD_CTX_new();
	if (server_index < 0)
		server_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, server_release);
	return server->digest && server->digesting && server_index >= 0;
}

static bool
server_fill(struct server_building *building)
{
	struct tls_server *server = building->server;
	bool ok;

	if (!digest_make(server))
		return option_problem(building->reader, building->node, "OpenSSL: %s", tls_reason());
	ok = pairs_read(building);
	ok = tls_client_rules_read(&server->rules, building->options, building->node, building->reader,
	    building->place) && ok;
	if (!ok)
		return false;
	server->protocols = protocols_write(server, building->place->protocols, "");
	server->protocols_but_h2 = protocols_write(server, building->place->protocols, "h2");
	tls_names_fill(&server->names, server->certificates, server->count, &server->arena, shared_warn, building);
	return contexts_make(building);
}

struct tls_server *
tls_server_create(const struct tls_listen_options *options, const struct conf_node *node,
    struct option_reader *reader, const struct tls_server_place *place)
{
	struct tls_server *server = memory_zalloc(sizeof(*server));
	struct server_building building = {
		.server = server, .options = options, .node = node, .reader = reader, .place = place,
	};

	server->references = 1;
	server->tickets = place->tickets;
	arena_init(&server->arena, ARENA_BLOCK);
	if (server_fill(&building))
		return server;
	tls_server_unref(server);
	return NULL;
}

/* -- its life ------------------------------------------------------------------------------------------------------ */

struct tls_server *
tls_server_ref(struct tls_server *server)
{
	server->references++;
	return server;
}

void
tls_server_unref(struct tls_server *server)
{
	if (server == NULL || --server->references > 0)
		return;
	for (size_t i = 0; server->by_first && i < server->count; i++)
		for (struct tls_context *context = server->by_first[i]; context; context = context->next)
			SSL_CTX_free(context->ssl);
	for (size_t i = 0; server->certificates && i < server->count; i++)
		tls_certificate_fini(&server->certificates[i]);
	tls_client_rules_fini(&server->rules);
	EVP_MD_CTX_free(server->digesting);
	EVP_MD_free(server->digest);
	arena_fini(&server->arena);
	memory_free(server);
}

struct tls_server *
tls_server_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, server_index);
}

struct tls *
tls_server_accept(struct tls_server *server, int fd)
{
	struct tls *tls = tls_create(server->fallback, fd, TLS_SERVER);

	if (!SSL_set_ex_data(tls_ssl(tls), server_index, server))
		abort();	/* only without memory: base/memory.h */
	tls_server_ref(server);
	return tls;
}

const struct tls_certificate *
tls_server_certificates(const struct tls_server *server, size_t *count_out)
{
	*count_out = server->count;
	return server->certificates;
}
