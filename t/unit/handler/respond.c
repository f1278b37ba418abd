/* rooms: base loop conf ipc http net codec request store route upstream handler */
#include "handler/handlers.h"

#include "base/fd.h"

#include "../stage_fixture.h"

static struct stage_fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	field_names_init();
	fixture_init(&fixture);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_fini(&fixture);
	return 0;
}

static struct request *
ask(struct fake_exchange *fake, const char *yaml, const char *method, const char *target)
{
	void *respond = fixture_handler(&fixture, yaml, &handler_respond);
	struct request *request = fake_begin(fake, method, target);

	assert_non_null(respond);
	handler_respond.start(respond, request);
	assert_int_equal(fake->finishes, 1);
	return request;
}

static void
text_is_plain_text(void **state)
{
	struct fake_exchange fake;

	(void)state;
	assert_int_equal(ask(&fake, "respond: Hello, World\n", "GET", "/")->response.status, 200);
	assert_string_equal(fake_content(&fake), "Hello, World");
	assert_string_equal(fake_value(&fake, "Content-Type"), "text/plain; charset=utf-8");
	assert_int_equal(fake.request.response.content_length, 12);
	fake_end(&fake);
}

static void
json_strings_are_templates_and_what_fills_them_is_escaped(void **state)
{
	struct fake_exchange fake;

	(void)state;
	ask(&fake, "respond: {json: {say: \"{query.q}!\", n: 1, \"{odd}\": [\"{{brace}}\"]}}\n", "GET", "/?q=%22a%5C%0A");
	assert_string_equal(fake_content(&fake), "{\"say\":\"\\\"a\\\\\\n!\",\"n\":1,\"{odd}\":[\"{brace}\"]}\n");
	assert_string_equal(fake_value(&fake, "Content-Type"), "application/json");
	fake_end(&fake);
}

static void
head_says_the_length_and_sends_nothing(void **state)
{
	struct fake_exchange fake;
	struct request *request = ask(&fake, "respond: Hello, World\n", "HEAD", "/");

	(void)state;
	assert_true(request->response.has_length);
	assert_int_equal(request->response.content_length, 12);
	assert_string_equal(fake_content(&fake), "");
	fake_end(&fake);
}

static void
templates_are_filled(void **state)
{
	static const char yaml[] = "respond:\n  status: 201\n  body: 'hi {query.name}'\n  content_type: text/html\n"
				   "  headers: {X-Method: '{method}', X-Bad: '{query.bad}'}\n";
	struct fake_exchange fake;

	(void)state;
	assert_int_equal(ask(&fake, yaml, "GET", "/?name=ann&bad=%0d%0aA:b")->response.status, 201);
	assert_string_equal(fake_content(&fake), "hi ann");
	assert_string_equal(fake_value(&fake, "Content-Type"), "text/html");
	assert_string_equal(fake_value(&fake, "X-Method"), "GET");
	assert_int_equal(fake.request.response.fields.count, 2);
	fake_end(&fake);
}

static void
json_keeps_types(void **state)
{
	static const char yaml[] =
	    "respond:\n  json:\n    ok: true\n    no: False\n    none: ~\n    empty:\n    n: 1\n    neg: -1.5e3\n"
	    "    text: '1'\n    zero: 007\n    hex: 0x1f\n    dot: .5\n    word: yes\n    quote: 'a\"b'\n"
	    "    list: [1, {a: b}, []]\n";
	struct fake_exchange fake;

	(void)state;
	ask(&fake, yaml, "GET", "/");
	assert_string_equal(fake_content(&fake),
	    "{\"ok\":true,\"no\":false,\"none\":null,\"empty\":null,\"n\":1,\"neg\":-1.5e3,\"text\":\"1\","
	    "\"zero\":\"007\",\"hex\":\"0x1f\",\"dot\":\".5\",\"word\":\"yes\",\"quote\":\"a\\\"b\","
	    "\"list\":[1,{\"a\":\"b\"},[]]}\n");
	assert_string_equal(fake_value(&fake, "Content-Type"), "application/json");
	fake_end(&fake);
}

static void
a_file_is_read_once(void **state)
{
	char path[] = "/tmp/reeve-respond-XXXXXX.svg", yaml[128];
	int fd = mkstemps(path, 4);
	struct fake_exchange fake;
	void *respond;

	(void)state;
	assert_true(fd >= 0 && fd_write_all(fd, SPAN_OF("<svg/>")));
	close(fd);
	snprintf(yaml, sizeof(yaml), "respond: {file: %s}\n", path);
	respond = fixture_handler(&fixture, yaml, &handler_respond);
	unlink(path);
	assert_non_null(respond);
	handler_respond.start(respond, fake_begin(&fake, "GET", "/"));
	assert_string_equal(fake_content(&fake), "<svg/>");
	assert_string_equal(fake_value(&fake, "Content-Type"), "image/svg+xml");
	fake_end(&fake);
}

static void
a_status_alone_has_no_content(void **state)
{
	struct fake_exchange fake;

	(void)state;
	assert_int_equal(ask(&fake, "respond: {status: 204}\n", "GET", "/")->response.status, 204);
	assert_string_equal(fake_content(&fake), "");
	assert_int_equal(fake.request.response.fields.count, 0);
	fake_end(&fake);
}

static void
contradictions_are_refused(void **state)
{
	static const struct {
		const char	*yaml;
		const char	*sentence;
	} cases[] = {
		{ "respond: {body: a, json: b}\n", "only one of" },
		{ "respond: {json: a, file: /x}\n", "only one of" },
		{ "respond: {status: 204, body: a}\n", "no content" },
		{ "respond: {status: 100}\n", "respond.status" },
		{ "respond: {status: 600}\n", "respond.status" },
		{ "respond: {file: /nowhere/at-all}\n", "respond.file: " },
		{ "respond: '{nonsense}'\n", "unknown placeholder" },
		{ "respond: [a]\n", "respond: " },
		{ "respond: {bdy: a}\n", "did you mean \"body\"" },
		{ "respond: {headers: {Content-Length: 5}}\n", "belongs to the connection" },
		{ "respond: {headers: {connection: close}}\n", "belongs to the connection" },
		{ "respond: {headers: {Content-Type: a/b}}\n", "content_type" },
		{ "respond: {content_type: \"a\\nb\"}\n", "media type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fixture_refuses(&fixture, fixture_handler(&fixture, cases[i].yaml, &handler_respond),
		    cases[i].sentence);
}

static void
it_explains_itself(void **state)
{
	struct text text = { 0 };

	(void)state;
	handler_respond.explain(fixture_handler(&fixture, "respond: hello\n", &handler_respond), &text);
	assert_string_equal(text.bytes, "respond with 200 and 5 bytes");
	text_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_plain_text),
		cmocka_unit_test(json_strings_are_templates_and_what_fills_them_is_escaped),
		cmocka_unit_test(head_says_the_length_and_sends_nothing),
		cmocka_unit_test(templates_are_filled),
		cmocka_unit_test(json_keeps_types),
		cmocka_unit_test(a_file_is_read_once),
		cmocka_unit_test(a_status_alone_has_no_content),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(it_explains_itself),
	};

	return cmocka_run_group_tests_name("handler/respond", tests, set_up, tear_down);
}
