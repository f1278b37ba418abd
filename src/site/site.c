/*
 * A site is built in the order of its parts: options, upstreams, routes. Building reports every problem it can find
 * before it gives up.
 */
#include "site/site.h"

#include "site/parts.h"

#include "base/memory.h"
#include "request/response.h"
#include "store/slots.h"
#include "upstream/upstreams.h"

enum { SITE_ARENA_BLOCK = 16 * 1024 };

static unsigned alive;

static const char *
environment_of(const void *owner, const char *name)
{
	return conf_environment(owner, name);
}

static void
upstreams_warn_unused(const struct site *site, struct option_reader *reader)
{
	const struct conf_node *declared = conf_get(conf_root(site->conf), "upstreams");

	for (size_t i = 0; i < upstreams_count(site->upstreams); i++) {
		const char *name = upstreams_name(site->upstreams, i);

		if (upstreams_is_used(site->upstreams, i))
			continue;
		option_enter(reader, "upstreams");
		option_enter(reader, name);
		option_warning(reader, conf_get(declared, name), "no route uses it");
		option_leave(reader);
		option_leave(reader);
	}
}

static bool
parts_build(struct site *site, struct stage_builder *builder, const struct site_place *place)
{
	struct option_reader *reader = builder->reader;
	bool ok = option_read(reader, &site_group, conf_root(site->conf), &site->options);

	if (ok)
		ok = listeners_build(site, reader, place);

	site->access_log = (struct access_log_options){
		.access = site->options.log.access,
		.redact = site->options.log.redact,
		.sample = site->options.log.sample,
	};
	option_enter(reader, "upstreams");
	site->upstreams = upstreams_create(reader, &site->options.upstreams, place ? place->world : NULL);
	option_leave(reader);
	builder->upstreams = site->upstreams;
	ok = routes_build(site, reader, builder) && ok;
	/* Comparing every route with every earlier one takes its time: the trial does it, no worker's loop waits. */
	if (builder->loop == NULL && ok && site->upstreams && reader->problems->errors == 0) {
		routes_warn_hidden(site, reader);
		upstreams_warn_unused(site, reader);
	}
	return ok && site->upstreams;
}

struct site *
site_build(struct conf *conf, const struct site_place *place, struct conf_problems *problems)
{
	struct site *site = memory_zalloc(sizeof(*site));
	struct option_reader reader;
	struct stage_builder builder = {
		.reader = &reader,
		.conf = conf,
		.names = { .env = environment_of, .env_owner = conf },
		.access_log = &site->access_log,
		.media = &site->media,
		.loop = place ? place->loop : NULL,
	};
	size_t errors = problems->errors;

	alive++;
	site->refs = 1;
	site->conf = conf;
	site->arena = arena_create(SITE_ARENA_BLOCK);
	if (place) {
		site->slot = place->slot;
		site->slots = place->slots;
		builder.stopping = place->slots ? &place->slots->notice.stopping : NULL;
	}
	builder.arena = site->arena;
	option_reader_init(&reader, conf, site->arena, problems);
	reader.lent = &builder;
	if (parts_build(site, &builder, place) && problems->errors == errors)
		return site;
	site_unref(site);
	return NULL;
}

struct site *
site_ref(struct site *site)
{
	site->refs++;
	return site;
}

void
site_unref(struct site *site)
{
	if (site == NULL || --site->refs > 0)
		return;
	routes_free(site);
	listeners_free(site);
	upstreams_free(site->upstreams);
	arena_free(site->arena);
	conf_free(site->conf);
	memory_free(site);
	alive--;
}

unsigned
site_count(void)
{
	return alive;
}

const struct site_options *
site_options(const struct site *site)
{
	return &site->options;
}

const struct conf *
site_conf(const struct site *site)
{
	return site->conf;
}

void
site_start(struct site *site)
{
	upstreams_start(site->upstreams);
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

static void
site_request_end(struct request *request)
{
	struct site *site;

	memcpy(&site, &request->site, sizeof(site));	/* the request sees it as const; its end is ours */
	route_end(request);
	site_unref(site);
}

static const struct request_guide site_guide = {
	.on_response = route_back,
	.error_content = route_error_content,
	.on_end = site_request_end,
};

static void
site_take(struct site *site, struct request *request)
{
	request->site = site_ref(site);
	request->guide = &site_guide;
}

static bool
loop_is_late(const struct site *site)
{
	uint64_t limit = site->options.limits.loop_lag;

	return limit > 0 && site->slot && slot_get(&site->slot->loop_lag_ms) > limit;
}

void
site_serve(struct site *site, struct request *request)
{
	const struct route *route = route_find(&site->table, request);

	site_take(site, request);
	if (loop_is_late(site)) {
		fields_add(&request->response.fields, FIELD_RETRY_AFTER, SPAN_OF("1"));
		route_refuse(request, site->nowhere, 503, "the event loop is late (limits.loop_lag)");
		return;
	}
	route_walk(request, route ? route : site->nowhere);
}

void
site_refuse(struct site *site, struct request *request, unsigned status, const char *why)
{
	site_take(site, request);
	route_refuse(request, site->nowhere, status, why);
}
