/*
 * The declared upstreams in their order, then one for each URL that a route names. In a worker each is alive from its
 * making: names are asked for while the site is still being prepared, so that they are known when it is put to use.
 */
#include "upstream/upstreams.h"

#include "base/memory.h"
#include "upstream/name_check.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

struct upstreams {
	struct option_reader	*reader;	/* borrowed, while the site is being built */
	struct upstream_world	*world;		/* borrowed; NULL: checking only */
	struct name_check	 check;		/* when checking */
	struct upstream		**items;	/* owned */
	size_t			 count;
	size_t			 declared;
};

static void
upstreams_add(struct upstreams *upstreams, struct upstream *upstream)
{
	upstreams->items = memory_resize(upstreams->items, (upstreams->count + 1) * sizeof(*upstreams->items));
	upstreams->items[upstreams->count++] = upstream;
}

/* -- TLS ----------------------------------------------------------------------------------------------------------- */

/* Without what its servers need to be spoken to it has no peers: whoever builds the site refuses it. */
static void
upstreams_make(struct upstreams *upstreams, const struct upstream_options *options, const struct conf_node *tls_node)
{
	static const char *const http1[] = { "http/1.1", NULL }, *const h2[] = { "h2", NULL };
	struct tls_client *tls = NULL;
	bool needs_tls = upstream_has_tls(options);

	if (needs_tls)
		tls = tls_client_create(&options->tls, tls_node, upstreams->reader,
		    options->protocol == UPSTREAM_H2 ? h2 : http1);
	upstreams_add(upstreams, upstream_create(options, needs_tls && tls == NULL ? NULL : upstreams->world, tls));
	tls_client_unref(tls);
}

/* -- those of `upstreams:` ----------------------------------------------------------------------------------------- */

static const struct conf_node *
node_of(const struct option_reader *reader, const char *name, const char *key)
{
	const struct conf_node *all = reader->conf ? conf_get(conf_root(reader->conf), "upstreams") : NULL;

	return all ? conf_get(conf_get(all, name), key) : NULL;
}

static void
declared_add(struct upstreams *upstreams, const struct upstream_options *options)
{
	struct option_reader *reader = upstreams->reader;

	option_enter(reader, options->name.at);
	option_enter(reader, "tls");
	upstreams_make(upstreams, options, node_of(reader, options->name.at, "tls"));
	option_leave(reader);
	option_leave(reader);
}

static void
declared_check(struct upstreams *upstreams, const struct upstream_options *options)
{
	struct option_reader *reader = upstreams->reader;

	option_enter(reader, options->name.at);
	option_enter(reader, "servers");
	name_check(&upstreams->check, reader, node_of(reader, options->name.at, "servers"), options);
	option_leave(reader);
	option_leave(reader);
}

struct upstreams *
upstreams_create(struct option_reader *reader, const struct conf_records *declared, struct upstream_world *world)
{
	struct upstreams *upstreams = memory_zalloc(sizeof(*upstreams));
	const struct upstream_options *options = declared->items;

	upstreams->reader = reader;
	upstreams->world = world;
	name_check_init(&upstreams->check);
	for (size_t i = 0; i < declared->count; i++) {
		declared_add(upstreams, &options[i]);
		if (world == NULL)
			declared_check(upstreams, &options[i]);
	}
	upstreams->declared = upstreams->count;
	return upstreams;
}

void
upstreams_free(struct upstreams *upstreams)
{
	if (upstreams == NULL)
		return;
	if (upstreams->world != NULL && upstreams->world->current == upstreams)
		upstreams->world->current = NULL;
	for (size_t i = 0; i < upstreams->count; i++)
		upstream_free(upstreams->items[i]);
	memory_free(upstreams->items);
	memory_free(upstreams);
}

static struct upstream *
item_find(const struct upstreams *upstreams, struct span name)
{
	for (size_t i = 0; i < upstreams->count; i++) {
		if (span_equal(upstreams->items[i]->options->name, name))
			return upstreams->items[i];
	}
	return NULL;
}

/* The site before stops probing and resolving; what its peers went through is not forgotten. */
void
upstreams_start(struct upstreams *upstreams)
{
	struct upstreams *before = upstreams->world->current;

	upstreams->reader = NULL;
	for (size_t i = 0; before != NULL && i < before->count; i++)
		upstream_stop(before->items[i]);
	upstreams->world->current = upstreams;
	for (size_t i = 0; i < upstreams->count; i++)
		upstream_start(upstreams->items[i],
		    before ? item_find(before, upstreams->items[i]->options->name) : NULL);
	timer_arm(&upstreams->world->tick, 0);
}

struct upstream *
upstreams_find(struct upstreams *upstreams, struct span name)
{
	struct upstream *upstream = item_find(upstreams, name);

	if (upstream != NULL)
		upstream->is_used = true;
	return upstream;
}

/* As an entry with that one server and nothing else. */
static const struct upstream_options *
options_for_url(struct option_reader *reader, struct span url, struct err *err)
{
	struct upstream_options *options = arena_zalloc(reader->arena, sizeof(*options));
	struct server_options *server = arena_zalloc(reader->arena, sizeof(*server));
	char *text = arena_text(reader->arena, url);

	if (!option_read(reader, &upstream_group, NULL, options)) {
		err_set(err, "the defaults of an upstream are refused");
		return NULL;
	}
	options->name = span_make(text, url.len);
	if (!server_url_parse(options->name, &server->url, err))
		return NULL;
	server->weight = 1;
	options->servers = (struct conf_records){ .items = server, .count = 1 };
	return options;
}

struct upstream *
upstreams_for_url(struct upstreams *upstreams, struct span url, struct err *err)
{
	struct upstream *upstream = upstreams_find(upstreams, url);
	const struct upstream_options *options;

	if (upstream != NULL)
		return upstream;
	options = options_for_url(upstreams->reader, url, err);
	if (options == NULL)
		return NULL;
	if (upstreams->world == NULL)
		name_check(&upstreams->check, upstreams->reader, NULL, options);
	upstreams_make(upstreams, options, NULL);
	upstream = upstreams->items[upstreams->count - 1];
	upstream->is_used = true;
	return upstream;
}

size_t
upstreams_count(const struct upstreams *upstreams)
{
	return upstreams->declared;
}

const char *
upstreams_name(const struct upstreams *upstreams, size_t index)
{
	return upstreams->items[index]->options->name.at;
}

bool
upstreams_is_used(const struct upstreams *upstreams, size_t index)
{
	return upstreams->items[index]->is_used;
}

size_t
upstreams_count_all(const struct upstreams *upstreams)
{
	return upstreams->count;
}

struct upstream *
upstreams_at(const struct upstreams *upstreams, size_t index)
{
	return upstreams->items[index];
}
