/*
 * The two phases of a reload, seen from a worker: a second site is built beside the one in use; COMMIT makes it the one
 * that new requests take, ABORT forgets it. Requests in flight hold a reference to theirs.
 */
#include "worker/inside.h"

#include "base/memory.h"
#include "ipc/bundle.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_KEPT 64	/* for what is no connection: listeners, logs, resolver, epoll */

/* -- a site from a bundle ------------------------------------------------------------------------------------------ */

static struct site *
site_from_conf(struct worker *worker, struct conf *conf, struct err *err)
{
	struct site_place place = {
		   .loop = worker->loop,
		   .world = worker->world,
		   .slots = worker->birth->slots,
		   .slot = worker->slot,
		   .tickets = &worker->tickets,
	};
	struct conf_problems problems;
	struct text text = { 0 };
	struct site *site;

	conf_problems_init(&problems);
	site = site_build(conf, &place, &problems);
	if (site == NULL) {
		conf_problems_format(&problems, &text);
		err_set(err, "%.*s", (int)text.len, text.bytes);
	}
	text_fini(&text);
	conf_problems_fini(&problems);
	return site;
}

struct site *
site_from_bundle(struct worker *worker, int bundle_fd, struct err *err)
{
	struct bundle bundle;
	struct conf *conf;

	if (!bundle_map(bundle_fd, &bundle, err))
		return NULL;
	conf = conf_unpack(bundle.parts[BUNDLE_CONF], err);
	bundle_unmap(&bundle);
	return conf == NULL ? NULL : site_from_conf(worker, conf, err);
}

/* -- in use -------------------------------------------------------------------------------------------------------- */

/*
 * Computed, not discovered: each connection may need a second descriptor, to an upstream or for a file, so half of what
 * this process may open is for clients.
 */
static uint64_t
connections_possible(void)
{
	struct rlimit files;
	uint64_t kept = DESCRIPTORS_KEPT;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	if (files.rlim_cur / 4 < kept)
		kept = files.rlim_cur / 4;
	return (files.rlim_cur - kept) / 2 > 0 ? (files.rlim_cur - kept) / 2 : 1;
}

static void
worker_configure(struct worker *worker)
{
	const struct site_options *options = site_options(worker->site);
	struct downstream_settings settings = {
		.limits = &worker->limits,
		.trusted_proxies = &options->trusted_proxies,
	};
	uint64_t possible = connections_possible();

	worker->limits = options->limits;
	if (worker->limits.connections > possible)
		worker->limits.connections = possible;
	downstream_configure(worker->downstream, &settings);
	log_set_level(options->log.level);
	pulse_configure(worker);
}

/* Takes the caller's reference. */
void
worker_use(struct worker *worker, struct site *site, uint64_t generation, const struct listener_ids *ids)
{
	struct site *before = worker->site;

	worker->site = site;
	worker->generation = generation;
	worker_configure(worker);
	slot_set(&worker->slot->generation, generation);
	entrances_use(worker, ids);
	site_start(site);
	site_unref(before);
}

void
worker_say(struct worker *worker, enum ipc_type type, uint64_t generation)
{
	struct text payload = { 0 };

	if (worker->channel == NULL)
		return;
	pack_number(&payload, generation);
	channel_send(worker->channel, type, text_span(&payload), NULL, 0);
	text_fini(&payload);
}

/* -- messages ------------------------------------------------------------------------------------------------------ */

void
worker_forget_next(struct worker *worker)
{
	site_unref(worker->next);
	worker->next = NULL;
	memory_free(worker->next_listeners.items);
	worker->next_listeners = (struct listener_ids){ 0 };
}

static struct listener_ids
ids_unpack(struct unpack *unpack)
{
	struct listener_ids ids = { .count = unpack->rest.len / sizeof(uint64_t) };

	ids.items = memory_alloc((ids.count + 1) * sizeof(*ids.items));
	for (size_t i = 0; i < ids.count; i++)
		ids.items[i] = unpack_number(unpack);
	return ids;
}

void
worker_add_listeners(struct worker *worker, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);

	for (unsigned i = 0; i < message->fd_count; i++)
		entrance_add(worker, unpack_number(&unpack), ipc_take_fd(message, i));
}

static void
worker_failed(struct worker *worker, uint64_t generation, const struct err *err)
{
	struct text payload = { 0 };

	pack_number(&payload, generation);
	pack_span(&payload, span_text(err->text));
	channel_send(worker->channel, IPC_FAILED, text_span(&payload), NULL, 0);
	text_fini(&payload);
}

void
worker_prepare(struct worker *worker, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	struct err err = { "" };
	int bundle_fd = ipc_take_fd(message, 0);

	worker_forget_next(worker);
	worker->next_generation = unpack_number(&unpack);
	worker->next_listeners = ids_unpack(&unpack);
	worker->next = site_from_bundle(worker, bundle_fd, &err);
	if (bundle_fd >= 0)
		close(bundle_fd);
	if (worker->next != NULL) {
		worker_say(worker, IPC_READY, worker->next_generation);
		return;
	}
	worker_failed(worker, worker->next_generation, &err);
	worker_forget_next(worker);
	entrances_forget_unused(worker);
}

void
worker_commit(struct worker *worker, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	struct site *site = worker->next;

	if (site == NULL || unpack_number(&unpack) != worker->next_generation)
		return;
	worker->next = NULL;
	if (worker->is_draining)
		site_unref(site);
	else
		worker_use(worker, site, worker->next_generation, &worker->next_listeners);
	worker_forget_next(worker);
	entrances_forget_unused(worker);
	worker_say(worker, IPC_IN_USE, worker->generation);
}

void
worker_abort(struct worker *worker, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);

	if (unpack_number(&unpack) != worker->next_generation)
		return;
	worker_forget_next(worker);
	entrances_forget_unused(worker);
}
