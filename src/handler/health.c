/*
 * health: what a load balancer asks. `live`: this process answers; `ready`: it also wants new requests, which ends with
 * the stop signal, `shutdown.delay` before the listeners close.
 */
#include "handler/handlers.h"

#include "request/response.h"

enum health_probe { HEALTH_LIVE, HEALTH_READY };

struct health {
	enum health_probe	probe;

	/* Built. */
	const uint64_t	*stopping;	/* borrowed: shared memory, outlives the site; NULL: never */
};

static bool
is_stopping(const struct health *health)
{
	return health->probe == HEALTH_READY && health->stopping &&
	    __atomic_load_n(health->stopping, __ATOMIC_RELAXED) != 0;
}

static void
health_start(const void *configured, struct request *request)
{
	const struct health *health = configured;
	struct fields *fields = &request->response.fields;

	if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
		fields_add(fields, FIELD_ALLOW, SPAN_OF("GET, HEAD"));
		response_fail(request, 405, NULL, NULL);
		return;
	}
	fields_add(fields, FIELD_CACHE_CONTROL, SPAN_OF("no-store"));
	if (is_stopping(health))
		response_send(request, 503, SPAN_OF("application/json"), SPAN_OF("{\"status\":\"stopping\"}\n"));
	else
		response_send(request, 200, SPAN_OF("application/json"), SPAN_OF("{\"status\":\"ok\"}\n"));
}

static bool
health_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct stage_builder *builder = reader->lent;
	struct health *health = field;

	(void)node;
	health->stopping = builder->stopping;
	return true;
}

static void
health_explain(const void *configured, struct text *to)
{
	const struct health *health = configured;

	text_add_text(to, health->probe == HEALTH_READY ? "health: ready" : "health: live");
}

static const struct option_word health_probes[] = { { "live", HEALTH_LIVE }, { "ready", HEALTH_READY }, { NULL, 0 } };

static const struct option health_options[] = {
	OPTION_CHOICE(struct health, probe, .words = health_probes, .required = true,
	    .doc = "`live`: always 200; `ready`: 503 from the stop signal on."),
	OPTION_END
};

static const struct option_group health_group = {
	.name = "health",
	.rows = health_options,
	.size = sizeof(struct health),
	.short_key = "probe",
};

const struct handler_type handler_health = {
	.key = "health",
	.group = &health_group,
	.build = health_build,
	.start = health_start,
	.explain = health_explain,
	.doc = "Answers the probes of a load balancer.",
};
