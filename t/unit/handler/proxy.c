/* rooms: base loop conf http net codec request route store upstream handler */
#include "../stage_fixture.h"

#include "handler/handlers.h"
#include "handler/proxy_parts.h"
#include "upstream/upstreams.h"

struct proxy_fixture {
	struct stage_fixture	 stage;
	struct upstreams	*upstreams;
	struct proxy		*proxy;	/* NULL: refused, stage.text says why */
};

/* `yaml`: what stands behind `proxy:`. The upstream "api" is there; nothing is ever sent. */
static void
proxy_open(struct proxy_fixture *fixture, const char *yaml)
{
	static const char upstreams[] = "servers: [\"http://10.0.0.1:3000\"]\n";
	struct stage_fixture *stage = &fixture->stage;
	struct upstream_options *options;
	struct conf_records declared;
	char text[1024];

	field_names_init();
	fixture_init(stage);
	options = arena_zalloc(&stage->arena, sizeof(*options));
	stage->conf = conf_load_bytes("u.yaml", span_text(upstreams), &stage->problems);
	option_reader_init(&stage->reader, stage->conf, &stage->arena, &stage->problems);
	assert_true(option_read(&stage->reader, &upstream_group, conf_root(stage->conf), options));
	options->name = SPAN_OF("api");
	declared = (struct conf_records){ options, 1 };
	fixture->upstreams = upstreams_create(&stage->reader, &declared, NULL);
	stage->builder.upstreams = fixture->upstreams;
	snprintf(text, sizeof(text), "proxy: %s\n", yaml);
	fixture->proxy = fixture_build(stage, text, "proxy", handler_proxy.group, handler_proxy.build);
}

static void
proxy_close(struct proxy_fixture *fixture)
{
	upstreams_free(fixture->upstreams);
	fixture_fini(&fixture->stage);
}

/* -- targets ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char	*yaml;
	const char	*target;	/* the client's, its path in normal form */
	const char	*sent;		/* NULL: cannot be sent */
} targets[] = {
	{ "api", "/", "/" },
	{ "api", "/a/b?c=d", "/a/b?c=d" },
	{ "api", "/a?", "/a?" },
	{ "api", "*", "*" },
	{ "{to: api, strip_prefix: /v1}", "/v1/a?b", "/a?b" },
	{ "{to: api, strip_prefix: /v1}", "/v1", "/" },
	{ "{to: api, strip_prefix: /v1}", "/v1?b", "/?b" },
	{ "{to: api, strip_prefix: /v1/}", "/v1/a", "/a" },
	{ "{to: api, strip_prefix: /v1}", "/v10/a", "/v10/a" },
	{ "{to: api, strip_prefix: /v1}", "/other", "/other" },
	{ "{to: api, strip_prefix: /v1}", "/v1//a", "//a" },
	{ "{to: api, path: \"/x{path}\"}", "/a?b", "/x/a?b" },
	{ "{to: api, path: \"{path}/y\"}", "/a%2Fb", "/a%2Fb/y" },
	{ "{to: api, path: /fixed}", "/a?b", "/fixed?b" },
	{ "{to: api, path: \"/q?from={client_ip}\"}", "/a?b", "/q?from=192.0.2.1" },
	{ "{to: api, path: \"/q?\"}", "/a?b", "/q?" },
	{ "{to: api, path: \"/x{uri}\"}", "/a?b", "/x/a?b" },
	{ "{to: api, path: \"/f/{query.name}\"}", "/a?name=b", "/f/b?name=b" },
	{ "{to: api, path: \"/f/{query.name}\"}", "/a?name=b%20c%0d%0aX:%20y",
	    "/f/b%20c%0D%0AX:%20y?name=b%20c%0d%0aX:%20y" },
	{ "{to: api, path: \"/f/{query.name}\"}", "/a?name=x%3Fy%23z", "/f/x%3Fy%23z?name=x%3Fy%23z" },
	{ "{to: api, path: \"/f/{query.name}\"}", "/a?name=100%25", "/f/100%25?name=100%25" },
	{ "{to: api, path: \"/f?x={query.name}\"}", "/a?name=b%20c%23d", "/f?x=b%20c%23d" },
	{ "{to: api, path: \"/f?x={query.name}\"}", "/a?name=b%26admin%3D1%2B", "/f?x=b%26admin%3D1%2B" },
	{ "{to: api, path: \"/f/g/{query.name}\"}", "/a?name=../../h", NULL },
	{ "{to: api, path: \"/f/g/{query.name}\"}", "/a?name=.%252E/h", NULL },
	{ "{to: api, path: \"/f/g/{query.name}\"}", "/a?name=./h", NULL },
	{ "{to: api, path: \"/f/g/{query.name}\"}", "/a?name=...", "/f/g/...?name=..." },
	{ "{to: api, path: \"/f/{query.name}\"}", "/a?name=../../..", NULL },
	{ "{to: api, path: \"{query.name}\"}", "/a?name=b", "/b?name=b" },
};

static void
test_targets(void **state)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct proxy_fixture fixture;
		struct fake_exchange fake;
		struct span sent;
		bool is_possible;

		proxy_open(&fixture, targets[i].yaml);
		assert_non_null(fixture.proxy);
		is_possible = proxy_target(fixture.proxy, fake_begin(&fake, "GET", targets[i].target), &sent);
		assert_int_equal(is_possible, targets[i].sent != NULL);
		if (is_possible)
			assert_string_equal(arena_text(&fake.arena, sent), targets[i].sent);
		fake_end(&fake);
		proxy_close(&fixture);
	}
}

/* -- fields ------------------------------------------------------------------------------------------------------- */

static const char *
value_of(struct fake_exchange *fake, const struct fields *fields, const char *name)
{
	const struct field *field = fields_find_named(fields, span_text(name));

	return field ? arena_text(&fake->arena, field->value) : "none";
}

static unsigned
count_of(const struct fields *fields, const char *name)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < fields->count; i++)
		count += span_equal_nocase(fields->items[i].name, span_text(name));
	return count;
}

/* A client that is nobody in particular, and tells tales. */
static void
tell_tales(struct fake_exchange *fake)
{
	fake_begin(fake, "GET", "/");
	fake_field(fake, "Host", "example.com");
	fake_field(fake, "X-Forwarded-For", "10.9.9.9");
	fake_field(fake, "X-Forwarded-Proto", "https");
	fake_field(fake, "X-Forwarded-Host", "evil.test");
	fake_field(fake, "X-Forwarded-Port", "443");
	fake_field(fake, "X-Forwarded-Server", "s");
	fake_field(fake, "X_Forwarded_For", "10.9.9.9");
	fake_field(fake, "x-real_ip", "10.9.9.9");
	fake_field(fake, "X-Real-IP", "10.9.9.9");
	fake_field(fake, "Forwarded", "for=10.9.9.9");
	fake_field(fake, "Via", "1.0 other");
	fake_field(fake, "Transfer_Encoding", "chunked");
	fake_field(fake, "content_length", "5");
	fake_field(fake, "X_Request-Id", "x");
	fake_field(fake, "X-Kept", "1");
}

static void
test_a_stranger_is_not_believed(void **state)
{
	static const char *const gone[] = { "X-Forwarded-Port", "X-Forwarded-Server", "X_Forwarded_For", "x-real_ip",
	    "X-Real-IP", "Transfer_Encoding", "content_length", "X_Request-Id" };
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "api");
	tell_tales(&fake);
	proxy_fields(fixture.proxy, &fake.request, &fields);
	assert_string_equal(value_of(&fake, &fields, "Host"), "example.com");
	assert_int_equal(count_of(&fields, "Host"), 1);
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-For"), "192.0.2.1");
	assert_int_equal(count_of(&fields, "X-Forwarded-For"), 1);
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-Proto"), "http");
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-Host"), "example.com");
	assert_string_equal(value_of(&fake, &fields, "Forwarded"), "for=192.0.2.1;host=example.com;proto=http");
	assert_int_equal(count_of(&fields, "Forwarded"), 1);
	assert_string_equal(value_of(&fake, &fields, "Via"), "1.0 other, 1.1 reeve");
	assert_string_equal(value_of(&fake, &fields, "X-Kept"), "1");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_int_equal(count_of(&fields, gone[i]), 0);
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_a_trusted_proxy_is_believed(void **state)
{
	static const struct client_tls tls;
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "api");
	tell_tales(&fake);
	fake.client.is_trusted = true;
	fake.client.tls = &tls;
	fake.client.ip = SPAN_OF("2001:db8::1");
	fake.request.scheme = SPAN_OF("https");	/* as downstream has taken it over */
	fake.request.forwarded_host = SPAN_OF("shop.test");
	fake.request.authority = SPAN_OF("inner.test:8443");
	fake.request.minor = 2;
	proxy_fields(fixture.proxy, &fake.request, &fields);
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-For"), "10.9.9.9, 2001:db8::1");
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-Proto"), "https");
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-Host"), "shop.test");
	assert_string_equal(value_of(&fake, &fields, "X-Forwarded-Port"), "443");
	assert_string_equal(value_of(&fake, &fields, "X-Real-IP"), "10.9.9.9");
	assert_string_equal(value_of(&fake, &fields, "Forwarded"),
	    "for=10.9.9.9, for=\"[2001:db8::1]\";host=\"inner.test:8443\";proto=https");
	assert_string_equal(value_of(&fake, &fields, "Via"), "1.0 other, 2.0 reeve");
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_a_client_on_a_unix_socket(void **state)
{
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "api");
	tell_tales(&fake);
	fake.client.ip = SPAN_OF("unix");
	fake.request.authority = SPAN_OF("");
	proxy_fields(fixture.proxy, &fake.request, &fields);
	assert_string_equal(value_of(&fake, &fields, "Host"), "10.0.0.1:3000");
	assert_int_equal(count_of(&fields, "X-Forwarded-For"), 0);
	assert_string_equal(value_of(&fake, &fields, "Forwarded"), "for=unknown;proto=http");
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_fields_of_one_hop(void **state)
{
	static const char *const hop[] = { "Connection", "X-Mine", "Keep-Alive", "Upgrade", "Transfer-Encoding",
	    "Content-Length", "Expect", "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings" };
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "api");
	fake_begin(&fake, "GET", "/");
	for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		fake_field(&fake, hop[i], i == 0 ? "close, X-Mine, Accept" : "x");
	fake_field(&fake, "Accept", "*/*");
	fake_field(&fake, "TE", "gzip, trailers");
	fake.request.request_id = SPAN_OF("id-1");
	fake_field(&fake, "X-Request-Id", "theirs");
	proxy_fields(fixture.proxy, &fake.request, &fields);
	for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		assert_int_equal(count_of(&fields, hop[i]), 0);
	assert_string_equal(value_of(&fake, &fields, "TE"), "trailers");
	assert_string_equal(value_of(&fake, &fields, "X-Request-Id"), "id-1");
	assert_int_equal(count_of(&fields, "X-Request-Id"), 1);
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_configured_fields(void **state)
{
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "{to: api, set_headers: {X-Two: \"{method}!\", Host: inner, X-Bad: \"{query.bad}\", "
	    "X-Gone: \"\","
	    " Via: mine}, remove_headers: [x-three, User-Agent, X-Forwarded-For]}");
	assert_non_null(fixture.proxy);
	fake_begin(&fake, "GET", "/?bad=a%0d%0aX-Evil:%201");
	fake_field(&fake, "X-Two", "a");
	fake_field(&fake, "x-two", "b");
	fake_field(&fake, "X-Three", "c");
	fake_field(&fake, "User-Agent", "d");
	fake_field(&fake, "X-Bad", "e");
	fake_field(&fake, "X-Gone", "f");
	proxy_fields(fixture.proxy, &fake.request, &fields);
	assert_int_equal(count_of(&fields, "X-Two"), 1);
	assert_string_equal(value_of(&fake, &fields, "X-Two"), "GET!");
	assert_string_equal(value_of(&fake, &fields, "Host"), "inner");
	assert_int_equal(count_of(&fields, "X-Three"), 0);
	assert_int_equal(count_of(&fields, "User-Agent"), 0);
	assert_int_equal(count_of(&fields, "X-Forwarded-For"), 0);
	assert_int_equal(count_of(&fields, "X-Bad"), 0);	/* a line end in it: not sent at all */
	assert_int_equal(count_of(&fields, "X-Gone"), 0);
	assert_string_equal(value_of(&fake, &fields, "Via"), "mine");
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_twins_and_hosts(void **state)
{
	static const char *const gone[] = { "x_user", "X_Secret", "X-Secret" };
	struct proxy_fixture fixture;
	struct fake_exchange fake;
	struct fields fields;

	proxy_open(&fixture, "{to: api, set_headers: {X-User: nobody, Host: \"{query.host}\"}, "
	    "remove_headers: [X-Secret]}");
	fake_begin(&fake, "GET", "/?host=a%20b");
	fake.request.authority = SPAN_OF("example.com");
	fake_field(&fake, "x_user", "root");
	fake_field(&fake, "X_Secret", "1");
	fake_field(&fake, "X_Kept", "1");
	proxy_fields(fixture.proxy, &fake.request, &fields);
	assert_string_equal(value_of(&fake, &fields, "X-User"), "nobody");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_int_equal(count_of(&fields, gone[i]), 0);
	assert_int_equal(count_of(&fields, "X_Kept"), 1);
	assert_string_equal(value_of(&fake, &fields, "Host"), "example.com");	/* "a b" is no authority */
	fake_end(&fake);
	proxy_close(&fixture);
}

static void
test_circles(void **state)
{
	struct proxy_fixture fixture;
	struct fake_exchange fake;

	proxy_open(&fixture, "api");
	fake_begin(&fake, "GET", "/");
	assert_int_equal(proxy_hops(&fake.request), 0);
	fake_field(&fake, "Via", "1.1 reeve, 1.1 vegur, 2.0 reeve");
	fake_field(&fake, "Via", "1.1 reeve");
	assert_int_equal(proxy_hops(&fake.request), 3);
	for (int i = 0; i < 7; i++)
		fake_field(&fake, "Via", "1.1 reeve");
	handler_proxy.start(fixture.proxy, &fake.request);
	assert_int_equal(fake.request.response.status, 508);
	assert_int_equal(fake.finishes, 1);
	fake_end(&fake);
	proxy_close(&fixture);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static const struct {
	const char	*yaml;
	const char	*problem;
} wrongs[] = {
	{ "apo", "t.yaml:1:8: proxy: there is no upstream \"apo\" (did you mean \"api\"?)" },
	{ "{to: something}", "t.yaml:1:13: proxy.to: there is no upstream \"something\", and it is no URL" },
	{ "\"ftp://x\"", "t.yaml:1:8: proxy: " },
	{ "\"srv+https://x\"", "srv+http:// is not supported in this version" },
	{ "{websocket: true}", "proxy.to: required key is missing" },
	{ "{to: api, strip_prefix: v1}", "proxy.strip_prefix: a path prefix starts with /" },
	{ "{to: api, strip_prefix: /v1, path: /x}", "strip_prefix and path exclude each other" },
	{ "{to: api, path: x}", "proxy.path: a path starts with /" },
	{ "{to: api, set_headers: {Connection: close}}", "Connection frames the message and cannot be set" },
	{ "{to: api, set_headers: {Transfer-Encoding: chunked}}", "cannot be set" },
	{ "{to: api, remove_headers: [Host]}", "every HTTP/1.1 request has a Host" },
	{ "{to: api, remove_headers: [\"a b\"]}", "\"a b\" is no field name" },
	{ "{to: api, timeouts: {response: 5}}", "proxy.timeouts.response: " },
};

static void
test_wrongs(void **state)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct proxy_fixture fixture;

		proxy_open(&fixture, wrongs[i].yaml);
		if (fixture.proxy != NULL || strstr(fixture.stage.text.bytes, wrongs[i].problem) == NULL) {
			print_message("%s\n", fixture.proxy ? "taken" : fixture.stage.text.bytes);
			fail_msg("not said: %s", wrongs[i].problem);
		}
		proxy_close(&fixture);
	}
}

static void
test_explain(void **state)
{
	struct proxy_fixture fixture;
	struct text text = { 0 };

	proxy_open(&fixture, "{to: \"http://127.0.0.1:3000\", strip_prefix: /v1, websocket: true}");
	assert_non_null(fixture.proxy);
	handler_proxy.explain(fixture.proxy, &text);
	assert_string_equal(text.bytes, "proxy to http://127.0.0.1:3000 without the prefix /v1, upgrades allowed");
	text_fini(&text);
	proxy_close(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_a_stranger_is_not_believed),
		cmocka_unit_test(test_a_trusted_proxy_is_believed),
		cmocka_unit_test(test_a_client_on_a_unix_socket),
		cmocka_unit_test(test_fields_of_one_hop),
		cmocka_unit_test(test_configured_fields),
		cmocka_unit_test(test_twins_and_hosts),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_wrongs),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
