/* rooms: base loop conf http net codec request store downstream route policy handler upstream site */
/*
 * A configuration's text becomes a site that serves, explains and prints itself; or every mistake in it is told with
 * its place and path.
 */
#include "../fake_transport.h"

#include "base/log.h"
#include "site/site.h"
#include "store/slots.h"

#include <stdlib.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define LISTEN "listen: [\"127.0.0.1:8080\"]\n"

struct works {
	struct site		*site;
	struct conf_problems	 problems;
	struct text		 said;	/* the problems, as `reeve check` prints them */
};

static struct works
works_from(const char *yaml, const struct site_place *place)
{
	struct works works = { 0 };
	struct conf *conf;

	conf_problems_init(&works.problems);
	conf = conf_load_bytes("t.yaml", span_text(yaml), &works.problems);
	if (conf)
		works.site = site_build(conf, place, &works.problems);
	conf_problems_sort(&works.problems);
	text_add_text(&works.said, "");
	conf_problems_format(&works.problems, &works.said);
	return works;
}

static void
works_fini_problems(struct works *works)
{
	conf_problems_fini(&works->problems);
	text_fini(&works->said);
}

static void
works_fini(struct works *works)
{
	site_unref(works->site);
	works_fini_problems(works);
	assert_int_equal(site_count(), 0);
}

/* Nothing is wrong with it, not even a little. */
static struct works
works_fine(const char *yaml)
{
	struct works works = works_from(yaml, NULL);

	if (works.site == NULL || works.said.len > 0)
		fail_msg("%s", works.said.bytes);
	return works;
}

static void
serve_end(struct fake_exchange *fake)
{
	fake->request.guide->on_end(&fake->request);
	fake_end(fake);
}

static struct request *
serve(struct works *works, struct fake_exchange *fake, const char *method, const char *target)
{
	struct request *request = fake_begin(fake, method, target);

	site_serve(works->site, request);
	return request;
}

static void
answer_check(struct works *works, const char *method, const char *target, unsigned status, const char *content)
{
	struct fake_exchange fake;
	struct request *request = serve(works, &fake, method, target);

	assert_int_equal(request->response.status, status);
	assert_int_equal(fake.finishes, 1);
	if (content)
		assert_string_equal(fake_content(&fake), content);
	serve_end(&fake);
}

/* -- serving ------------------------------------------------------------------------------------------------------- */

static void
serves_the_first_that_fits(void **state)
{
	struct works works = works_fine(LISTEN "routes:\n"
	    "- {match: {path: \"/users/{id}\"}, respond: \"user {id}\"}\n"
	    "- {match: {path: /tree/*, method: POST}, respond: {status: 201, body: made}}\n"
	    "- {match: {path: /tree/*}, redirect: /other}\n"
	    "- {match: {path: /live}, health: live}\n");

	answer_check(&works, "GET", "/users/7", 200, "user 7");
	answer_check(&works, "POST", "/tree/x", 201, "made");
	answer_check(&works, "GET", "/tree/x", 308, NULL);
	answer_check(&works, "GET", "/live", 200, NULL);
	works_fini(&works);
}

/* No route: 404, in the shape of the defaults, whose policies stand around it. */
static void
answers_404_around_which_the_defaults_stand(void **state)
{
	struct works works = works_fine(LISTEN "defaults: {headers: {set: {X-House: reeve}}}\n"
	    "routes: [{match: {path: /a}, respond: a}]\n");
	struct fake_exchange fake;
	struct request *request = serve(&works, &fake, "GET", "/none");

	assert_int_equal(request->response.status, 404);
	assert_string_equal(fake_value(&fake, "x-house"), "reeve");
	assert_string_equal(fake_value(&fake, "content-type"), "application/problem+json");
	assert_non_null(strstr(fake_content(&fake), "404"));
	serve_end(&fake);
	works_fini(&works);
}

static void
answers_what_was_refused(void **state)
{
	struct works works = works_fine(LISTEN "routes: [{respond: a}]\n");
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");

	request->target = request->path = request->host = request->method_name = SPAN_OF("");
	site_refuse(works.site, request, 431, "the head is too large");
	assert_int_equal(request->response.status, 431);
	assert_string_equal(request->why, "the head is too large");
	assert_non_null(strstr(fake_content(&fake), "431"));
	assert_null(strstr(fake_content(&fake), "the head is too large"));	/* for the log only */
	serve_end(&fake);
	works_fini(&works);
}

static void
folds_the_defaults_into_routes(void **state)
{
	struct works works = works_fine(LISTEN "defaults: {headers: {set: {X-A: default}}, body: {max_size: 10}}\n"
	    "routes:\n"
	    "- {match: {path: /same}, respond: x}\n"
	    "- {match: {path: /own}, headers: {set: {X-B: own}}, respond: x}\n"
	    "- {match: {path: /off}, headers: off, body: off, respond: x}\n");
	static const struct { const char *target, *a, *b; uint64_t body_max; } rows[] = {
		{ "/same", "default", "", 10 },
		{ "/own", "", "own", 10 },	/* replaced as a whole */
		{ "/off", "", "", UINT64_MAX },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_exchange fake;
		struct request *request = serve(&works, &fake, "GET", rows[i].target);

		assert_string_equal(fake_value(&fake, "x-a"), rows[i].a);
		assert_string_equal(fake_value(&fake, "x-b"), rows[i].b);
		assert_true(request->body_max == rows[i].body_max);
		serve_end(&fake);
	}
	works_fini(&works);
}

static void
refuses_when_the_loop_is_late(void **state)
{
	struct slot slot = { .loop_lag_ms = 50 };
	const struct site_place place = { .slot = &slot };
	struct works works = works_from(LISTEN "limits: {loop_lag: 100ms}\nroutes: [{respond: a}]\n", &place);
	struct fake_exchange fake;

	assert_non_null(works.site);
	answer_check(&works, "GET", "/", 200, "a");
	slot.loop_lag_ms = 101;
	serve(&works, &fake, "GET", "/");
	assert_int_equal(fake.request.response.status, 503);
	assert_string_equal(fake_value(&fake, "retry-after"), "1");
	serve_end(&fake);
	slot.loop_lag_ms = 0;
	answer_check(&works, "GET", "/", 200, "a");
	works_fini(&works);
}

/* A request keeps the site it began with; the last who holds it frees it. */
static void
lives_as_long_as_its_requests(void **state)
{
	struct works works = works_fine(LISTEN "routes: [{respond: a}]\n");
	struct fake_exchange fake;

	assert_int_equal(site_count(), 1);
	serve(&works, &fake, "GET", "/");
	assert_ptr_equal(site_ref(works.site), works.site);
	site_unref(works.site);
	site_unref(works.site);
	works.site = NULL;
	assert_int_equal(site_count(), 1);
	serve_end(&fake);
	assert_int_equal(site_count(), 0);
	site_unref(NULL);
	works_fini(&works);
}

/* -- problems ------------------------------------------------------------------------------------------------------ */

static void
tells_every_mistake_with_its_path(void **state)
{
	static const struct { const char *yaml, *told; } rows[] = {
		{ "routes: [{respond: a}]\n", "listen: required" },
		{ LISTEN, "routes: required" },
		{ LISTEN "routes: {a: b}\n", "t.yaml:2:9: routes: " },
		{ LISTEN "routes: [a]\n", "t.yaml:2:10: routes[0]: a route is a map" },
		{ LISTEN "routes: [{match: {path: /a}}]\n",
		  "routes[0]: a route needs a handler: one of respond, redirect" },
		{ LISTEN "routes: [{respond: a, redirect: /b}]\n",
		  "routes[0]: a route has one handler: respond and redirect" },
		{ LISTEN "routes: [{respnd: a}]\n", "routes[0].respnd: " },
		{ LISTEN "routes: [{respnd: a}]\n", "did you mean \"respond\"?" },
		{ LISTEN "routes: [{respond: a, cors: {}}]\n", "routes[0].cors: not supported in this version" },
		{ LISTEN "routes: [{dashboard: {}}]\n", "routes[0].dashboard: not supported in this version" },
		{ LISTEN "routes: [{respond: a, match: {path: x}}]\n", "routes[0].match.path: a path begins with /" },
		{ LISTEN "routes: [{respond: a}, {respond: {status: 99}}]\n",
		  "t.yaml:2:43: routes[1].respond.status: " },
		{ LISTEN "routes: [{respond: \"{id}\"}]\n", "routes[0].respond: unknown placeholder {id}" },
		{ LISTEN "routes: [{respond: a, headers: {set: {\"a b\": c}}}]\n", "routes[0].headers.set.a b: " },
		{ LISTEN "routes: [{proxy: nobody}]\n", "routes[0].proxy: " },
		{ LISTEN "defaults: [a]\nroutes: [{respond: a}]\n", "t.yaml:2:11: defaults: defaults is a map" },
		{ LISTEN "defaults: {respond: a}\nroutes: [{respond: a}]\n", "t.yaml:2:12: defaults.respond: " },
		{ LISTEN "defaults: {match: {}}\nroutes: [{respond: a}]\n", "defaults.match: " },
		{ LISTEN "defaults: {csrf: {}}\nroutes: [{respond: a}]\n",
		  "defaults.csrf: not supported in this version" },
		{ LISTEN "defaults: {body: {max_size: x}}\nroutes: [{respond: a}]\n",
		  "t.yaml:2:29: defaults.body.max_size: " },
		{ LISTEN "apps: {}\nroutes: [{respond: a}]\n", "apps: not supported in this version" },
		{ LISTEN "rootes: []\nroutes: [{respond: a}]\n", "did you mean \"routes\"?" },
		{ LISTEN "workers: 0\nroutes: [{respond: a}]\n", "workers: " },
		{ LISTEN "limits: {http2: {window: 1}}\nroutes: [{respond: a}]\n", "limits.http2.window: " },
		{ LISTEN "trusted_proxies: [x]\nroutes: [{respond: a}]\n", "trusted_proxies[0]: expected a network" },
		{ "listen: []\nroutes: [{respond: a}]\n", "listen needs at least one address" },
		{ "listen: [\"x\"]\nroutes: [{respond: a}]\n", "listen[0]" },
		{ "listen: [{address: \":80\", tls: {}}]\nroutes: [{respond: a}]\n", "listen[0].tls.certificates: required key" },
		{ "listen: [{address: \":80\", protocols: [h2]}]\nroutes: [{respond: a}]\n", "h2 needs tls" },
		{ "listen: [{address: \"unix:/x\", reuse_port: true}]\nroutes: [{respond: a}]\n",
		  "reuse_port needs an internet" },
		{ "listen: [\":80\", \":80\"]\nroutes: [{respond: a}]\n", "listed twice" },
		{ LISTEN "upstreams: {u: {servers: []}}\nroutes: [{proxy: u}]\n", "upstreams.u.servers" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct works works = works_from(rows[i].yaml, NULL);

		if (works.site || strstr(works.said.bytes, rows[i].told) == NULL)
			fail_msg("%s\n%s\nis not in\n%s", rows[i].yaml, rows[i].told, works.said.bytes);
		works_fini(&works);
	}
}

static size_t
lines_of(const struct text *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->len; i++)
		lines += text->bytes[i] == '\n';
	return lines;
}

static void
tells_all_mistakes_at_once(void **state)
{
	struct works works = works_from("listen: [\"x\"]\nworkers: many\nlimits: {header_size: 1}\n"
	    "defaults: {body: {max_size: x}}\nupstreams: {u: {server: a}}\nroutes:\n- {respond: {status: 1}}\n"
	    "- {match: {path: x, host: \"a b\"}, redirect: /x}\n- {respond: b, redirect: c}\n", NULL);
	static const char *const told[] = { ":1:", ":2:", ":3:", ":4:", ":5:", ":7:", ":8:", ":9:" };

	assert_null(works.site);
	for (size_t i = 0; i < COUNT(told); i++)
		if (strstr(works.said.bytes, told[i]) == NULL)
			fail_msg("line %s is missing in\n%s", told[i], works.said.bytes);
	works_fini(&works);
}

/* What is wrong with the defaults is told there, not again at every route that has them. */
static void
tells_mistakes_of_the_defaults_once(void **state)
{
	struct works works = works_from(LISTEN "defaults: {body: {max_size: x}, headers: {set: {X: \"{nope}\"}}}\n"
	    "routes: [{respond: a}, {match: {path: /b}, respond: b}, {match: {path: /c}, respond: c}]\n", NULL);

	assert_null(works.site);
	if (lines_of(&works.said) != 2)
		fail_msg("%s", works.said.bytes);
	works_fini(&works);
}

static void
warns_of_what_is_useless(void **state)
{
	struct works works = works_from(LISTEN "upstreams:\n  used: {servers: [\"http://127.0.0.1:1\"]}\n"
	    "  idle: {servers: [\"http://127.0.0.1:2\"]}\n"
	    "routes:\n- {match: {path: /a/*}, proxy: used}\n- {match: {path: /a/b}, respond: never}\n"
	    "- {match: {path: /c, host: [x, y]}, respond: c}\n- {match: {path: /c, host: x}, respond: never}\n", NULL);

	assert_non_null(works.site);
	assert_int_equal(works.problems.warnings, 3);
	assert_non_null(strstr(works.said.bytes, "upstreams.idle: warning: no route uses it"));
	assert_non_null(strstr(works.said.bytes, "t.yaml:7:3: routes[1]: warning: never reached: routes[0] at line 6"));
	assert_non_null(strstr(works.said.bytes, "routes[3]: warning: never reached: routes[2] at line 8"));
	works_fini(&works);
}

/* -- for people ---------------------------------------------------------------------------------------------------- */

static const char explained[] = LISTEN "routes:\n- {match: {path: /a, method: POST}, respond: a}\n"
    "- {match: {path: \"/{x}\"}, request_id: off, respond: {status: 404, body: no}}\n";

static void
explains_who_serves_and_why_not_the_others(void **state)
{
	struct works works = works_fine(explained);
	struct fake_exchange fake;
	struct text text = { 0 };

	assert_true(site_explain(works.site, fake_begin(&fake, "GET", "/a"), &text));
	assert_non_null(strstr(text.bytes, "routes[0]  "));
	assert_non_null(strstr(text.bytes, "t.yaml:3  no: method GET does not fit POST\n"));
	assert_non_null(strstr(text.bytes, "t.yaml:4  serves it\n"));
	assert_non_null(strstr(text.bytes, "respond with 404"));
	assert_non_null(strstr(text.bytes, "{x}  a\n"));
	assert_null(strstr(text.bytes, "request_id"));
	fake_end(&fake);
	text_clear(&text);
	assert_false(site_explain(works.site, fake_begin(&fake, "GET", "/a/b"), &text));
	assert_non_null(strstr(text.bytes, "No route serves it: 404.\n"));
	fake_end(&fake);
	text_fini(&text);
	works_fini(&works);
}

static const char *const printed[] = {
	LISTEN "routes: []\n",
	explained,
	LISTEN "routes: [{respond: \"a: b # {path} \\\"quoted\\\" \\n line\"}]\n",
	"workers: 3\nuser: nobody\n"
	"listen: [{address: \"[::1]:81\", proxy_protocol: true, backlog: 9}, \"unix:/tmp/x.sock\"]\n"
	"trusted_proxies: [10.0.0.0/8, \"::1\", unix]\ncontrol: /run/c.sock\nstate_dir: /var/x\n"
	"limits: {header_size: 16K, header_timeout: 2500ms}\nshutdown: {grace: 1m}\n"
	"log: {level: warn, redact: [authorization, x-key], sample: 5%}\n"
	"defaults: {headers: {set: {X-A: \"{client_ip}\"}, remove: [Server]}, body: {max_size: 2M},\n"
	"  allow: [10.0.0.0/8]}\n"
	"upstreams:\n  api: {servers: [\"http://127.0.0.1:1\", {url: \"http://127.0.0.1:2\", weight: 3}],\n"
	"    balance: hash, hash_key: \"{client_ip}\"}\n"
	"routes:\n- {match: {path: [/a/*, \"/{b}/c\"], host: \"*.example.com\", method: [GET, POST],\n"
	"    header: {X-K: \"*\"}, query: {q: v}, client: 192.0.2.0/24, scheme: http},\n"
	"    log: {fields: {b: \"{b}\"}}, proxy: {to: api, strip_prefix: /a}}\n"
	"- {match: {path: /off}, headers: off, allow: off, body: off, redirect: {to: \"/x{{}}\", status: 302}}\n"
	"- {errors: {format: html}, respond: {json: {a: [1, null, \"2\", true], b: {c: ~}}, headers: {X: y}}}\n",
};

static struct works
works_printed(struct works *works, struct text *text)
{
	struct works again;

	text_clear(text);
	site_print(works->site, text);
	again = works_from(text->bytes, NULL);
	if (again.site == NULL)
		fail_msg("%s%s", text->bytes, again.said.bytes);
	site_unref(works->site);
	works->site = NULL;
	works_fini_problems(works);
	return again;
}

/* What is printed is a configuration, and says the same: printed again, it does not change any more. */
static void
prints_what_it_would_read(void **state)
{
	for (size_t i = 0; i < COUNT(printed); i++) {
		struct works works = works_from(printed[i], NULL);
		struct text first = { 0 }, second = { 0 };

		if (works.site == NULL)
			fail_msg("%s", works.said.bytes);
		works = works_printed(&works, &first);	/* marks what is default, which then is said */
		works = works_printed(&works, &first);
		works = works_printed(&works, &second);
		for (size_t at = 0; at <= first.len; at++)
			if (first.bytes[at] != second.bytes[at])
				fail_msg("%.300s\n--- is printed again as\n%.300s", first.bytes + at,
				    second.bytes + at);
		works_fini(&works);
		text_fini(&first);
		text_fini(&second);
	}
}

/* The printed one serves alike. */
static void
serves_what_it_printed(void **state)
{
	struct works works = works_fine(LISTEN "defaults: {headers: {set: {X-A: default}}}\nroutes:\n"
	    "- {match: {path: \"/u/{id}\"}, respond: {status: 202, body: \"{{{id}}} {query.q}\"}}\n"
	    "- {match: {path: /off}, headers: off, respond: off}\n");
	struct text text = { 0 };
	struct fake_exchange fake;

	works = works_printed(&works, &text);
	answer_check(&works, "GET", "/u/7?q=x", 202, "{7} x");
	answer_check(&works, "GET", "/off", 200, "off");
	serve(&works, &fake, "GET", "/u/1");
	assert_string_equal(fake_value(&fake, "x-a"), "default");
	serve_end(&fake);
	serve(&works, &fake, "GET", "/off");
	assert_string_equal(fake_value(&fake, "x-a"), "");
	serve_end(&fake);
	text_fini(&text);
	works_fini(&works);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_the_first_that_fits),
		cmocka_unit_test(answers_404_around_which_the_defaults_stand),
		cmocka_unit_test(answers_what_was_refused),
		cmocka_unit_test(folds_the_defaults_into_routes),
		cmocka_unit_test(refuses_when_the_loop_is_late),
		cmocka_unit_test(lives_as_long_as_its_requests),
		cmocka_unit_test(tells_every_mistake_with_its_path),
		cmocka_unit_test(tells_all_mistakes_at_once),
		cmocka_unit_test(tells_mistakes_of_the_defaults_once),
		cmocka_unit_test(warns_of_what_is_useless),
		cmocka_unit_test(explains_who_serves_and_why_not_the_others),
		cmocka_unit_test(prints_what_it_would_read),
		cmocka_unit_test(serves_what_it_printed),
	};

	field_names_init();
	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
