/* One object; docs/control.md and the command's table read it by these names. Durations are in ms, moments RFC 3339. */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/fd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
add_time(struct text *json, const char *key, uint64_t wall_ms)
{
	char time[24];

	text_json_key(json, key);
	if (wall_ms == 0) {
		text_json_text(json, NULL);
		return;
	}
	clock_format_rfc3339(time, wall_ms);
	text_json_span(json, span_make(time, sizeof(time)));
}

static void
add_number(struct text *json, const char *key, uint64_t number)
{
	text_json_key(json, key);
	text_json_number(json, number);
}

static void
add_text(struct text *json, const char *key, const char *value)
{
	text_json_key(json, key);
	text_json_text(json, value);
}

static void
add_rate(struct text *json, double rate)
{
	text_json_key(json, "requests_per_second");
	text_json_decimal(json, rate, 1);
}

/* -- parts --------------------------------------------------------------------------------------------------------- */

static const char *
state_text(const struct primary *primary)
{
	if (primary->state == PRIMARY_STARTING)
		return "starting";
	if (primary->state == PRIMARY_STOPPING)
		return "stopping";
	return primary->reload.state == RELOAD_IDLE || primary->reload.cause == RELOAD_SWAP ? "running" : "reloading";
}

static void
add_reload(const struct primary *primary, struct text *json)
{
	const struct reload *reload = &primary->reload;

	text_json_key(json, "reload");
	text_json_open(json, '{');
	add_text(json, "result", reload->last_result);
	add_time(json, "at", reload->last_ms);
	text_json_key(json, "message");
	text_json_span(json, text_span(&reload->last_message));
	text_json_close(json, '}');
}

static void
add_swap(const struct primary *primary, struct text *json)
{
	const struct swap *swap = &primary->swap;

	text_json_key(json, "certificate_swap");
	text_json_open(json, '{');
	add_text(json, "result", swap->last_result);
	add_time(json, "at", swap->last_ms);
	text_json_key(json, "message");
	text_json_span(json, text_span(&swap->last_message));
	add_number(json, "count", swap->count);
	text_json_close(json, '}');
}

/* Resident pages are the second number of statm, proc(5). */
static uint64_t
rss_bytes(pid_t pid)
{
	struct text text = { 0 };
	struct span rest, part;
	uint64_t pages = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (pid > 0 && file_read(path, 4096, &text, NULL)) {
		rest = text_span(&text);
		if (span_cut(&rest, ' ', &part) && span_cut(&rest, ' ', &part))
			(void)span_to_number(part, UINT32_MAX, &pages);
	}
	text_fini(&text);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
worker_state_format(const struct worker_child *worker, char to[16])
{
	const char *name = worker->is_leaving ? "DRAINING" : child_state_name(worker->child.state);
	size_t len = strlen(name) < 15 ? strlen(name) : 15;

	for (size_t i = 0; i < len; i++)
		to[i] = byte_lower(name[i]);
	to[len] = '\0';
}

static void
add_worker(const struct worker_child *worker, struct text *json)
{
	const struct slot *slot = worker_slot(worker);
	char state[16];

	worker_state_format(worker, state);
	text_json_open(json, '{');
	add_number(json, "slot", worker->slot);
	add_number(json, "pid", (uint64_t)worker->child.pid);
	add_text(json, "state", state);
	add_number(json, "uptime_ms", child_uptime_ms(&worker->child));
	add_number(json, "restarts", worker->child.restarts);
	add_number(json, "generation", worker->generation);
	add_number(json, "connections", slot_get(&slot->connections));
	add_number(json, "requests_active", slot_get(&slot->requests_active));
	add_number(json, "requests", slot_get(&slot->totals.requests));
	add_rate(json, worker->requests_per_second);
	add_number(json, "upstream_sockets", slot_get(&slot->upstream_sockets));
	add_number(json, "loop_lag_ms", slot_get(&slot->loop_lag_ms));
	add_number(json, "rss_bytes", rss_bytes(worker->child.pid));
	text_json_close(json, '}');
}

static void
add_workers(const struct primary *primary, struct text *json)
{
	text_json_key(json, "workers");
	text_json_open(json, '[');
	for (EACH_WORKER(primary, at))
		add_worker(WORKER(at), json);
	text_json_close(json, ']');
}

static void
add_protocols(const struct orders_listener *orders, struct text *json)
{
	struct span rest = span_text(orders->protocols), protocol;

	text_json_key(json, "tls");
	text_json_bool(json, orders->has_tls);
	text_json_key(json, "protocols");
	text_json_open(json, '[');
	while (span_cut(&rest, ' ', &protocol))
		text_json_span(json, protocol);
	text_json_close(json, ']');
}

static void
add_listeners(const struct primary *primary, struct text *json)
{
	static const struct listeners none;
	const struct listeners *listeners = primary->current == NULL ? &none : &primary->current->listeners;

	text_json_key(json, "listeners");
	text_json_open(json, '[');
	for (size_t i = 0; i < listeners->count; i++) {
		uint64_t waiting, room;
		char text[128];

		listener_queue(listeners->items[i], &waiting, &room);
		text_json_open(json, '{');
		text_json_key(json, "address");
		text_json_span(json, span_make(text, listener_format(listeners->items[i], text)));
		add_number(json, "queue", waiting);
		add_number(json, "backlog", room);
		add_protocols(&primary->current->orders->listeners[i], json);
		text_json_close(json, '}');
	}
	text_json_close(json, ']');
}

static void
add_names(struct text *json, const char *names)
{
	struct span rest = span_text(names), name;

	text_json_key(json, "names");
	text_json_open(json, '[');
	while (span_cut(&rest, ',', &name))
		text_json_span(json, name.len > 0 && name.at[0] == ' ' ? span_skip(name, 1) : name);
	text_json_close(json, ']');
}

static void
add_certificate(const struct certificate *certificate, uint64_t wall_ms, struct text *json)
{
	text_json_open(json, '{');
	add_text(json, "subject", certificate->subject);
	add_names(json, certificate->names);
	add_text(json, "issuer", certificate->issuer);
	add_text(json, "kind", certificate->kind);
	add_time(json, "not_after", (uint64_t)certificate->until_s * 1000);
	text_json_key(json, "days_left");
	text_json_signed(json, certificate_days_left(certificate, wall_ms));
	add_text(json, "listener", certificate->listener);
	add_text(json, "file", certificate->file);
	add_text(json, "fingerprint", certificate->fingerprint);
	text_json_close(json, '}');
}

static void
add_certificates(const struct primary *primary, struct text *json)
{
	const struct certificates *certificates = primary->current == NULL ? NULL : primary->current->certificates;
	uint64_t wall_ms = clock_wall_ms();

	text_json_key(json, "certificates");
	text_json_open(json, '[');
	for (size_t i = 0; certificates != NULL && i < certificates->count; i++)
		add_certificate(&certificates->items[i], wall_ms, json);
	text_json_close(json, ']');
}

static void
add_totals(const struct primary *primary, struct text *json)
{
	struct slot_totals totals = { 0 };

	if (primary->slots != NULL)
		slots_sum(primary->slots, &totals);
	text_json_key(json, "totals");
	text_json_open(json, '{');
	for (const struct slot_total_row *row = slot_total_rows; row->name != NULL; row++) {
		uint64_t value;

		memcpy(&value, (const char *)&totals + row->offset, sizeof(value));
		add_number(json, row->name, value);
	}
	text_json_close(json, '}');
	add_rate(json, primary->sample.requests_per_second);
	text_json_key(json, "log");
	text_json_open(json, '{');
	add_number(json, "dropped", totals.log_dropped);
	text_json_close(json, '}');
}

void
status_format(struct primary *primary, struct text *json)
{
	text_json_open(json, '{');
	add_text(json, "version", REEVE_VERSION);
	add_number(json, "pid", (uint64_t)getpid());
	add_text(json, "config", primary->config_path);
	add_time(json, "started", primary->started_wall_ms);
	add_number(json, "uptime_ms", loop_now_ms(primary->loop) - primary->started_ms);
	add_number(json, "generation", primary->current == NULL ? 0 : primary->current->generation);
	add_text(json, "state", state_text(primary));
	add_reload(primary, json);
	add_swap(primary, json);
	add_workers(primary, json);
	add_listeners(primary, json);
	add_certificates(primary, json);
	add_totals(primary, json);
	text_json_key(json, "upstreams");
	if (primary->board != NULL)
		board_report(primary->board, json);
	else
		text_add(json, SPAN_OF("[]"));
	text_json_close(json, '}');
}
