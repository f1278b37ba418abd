/* rooms: base loop conf http request route policy */
#include "policy/errors.h"

#include "base/fd.h"
#include "base/json.h"
#include "policy/policies.h"

#include "../stage_fixture.h"

static struct stage_fixture fixture;
static char directory[] = "/tmp/reeve-errors-XXXXXX";

static int
set_up(void **state)
{
	(void)state;
	field_names_init();
	fixture_init(&fixture);
	return mkdtemp(directory) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_fini(&fixture);
	return rmdir(directory);
}

static void
the_default_is_problem_json(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_errors);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	struct json_value problem, member;
	struct text text = { 0 };
	uint64_t number;

	(void)state;
	request->request_id = SPAN_OF("id-1");
	assert_true(json_parse(policy_errors.error_content(policy, request, 404, "No \"such\" page."), &problem));
	assert_string_equal(fake_value(&fake, "Content-Type"), "application/problem+json");
	assert_true(json_get(problem, "status", &member) && json_number(member, &number));
	assert_int_equal(number, 404);
	assert_true(json_get(problem, "type", &member) && span_is(member.raw, "\"about:blank\""));
	assert_true(json_get(problem, "title", &member) && span_is(member.raw, "\"Not Found\""));
	assert_true(json_get(problem, "request_id", &member) && span_is(member.raw, "\"id-1\""));
	assert_true(json_get(problem, "detail", &member));
	json_string_add(member, &text);
	assert_string_equal(text.bytes, "No \"such\" page.");
	text_fini(&text);
	fake_end(&fake);
}

static void
without_detail_and_id_there_are_no_such_members(void **state)
{
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	struct json_value problem, member;

	(void)state;
	assert_true(json_parse(errors_default_content(request, 400, NULL), &problem));
	assert_false(json_get(problem, "detail", &member));
	assert_false(json_get(problem, "request_id", &member));
	fake_end(&fake);
}

static void
html_is_for_those_who_prefer_it(void **state)
{
	static const struct {
		const char	*accept;
		bool		 is_html;
	} cases[] = {
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true },
		{ "text/html", true },
		{ "*/*", false },
		{ "", false },
		{ "application/json", false },
		{ "application/json, text/html", false },
		{ "application/problem+json;q=0.1, text/html;q=0.2", true },
		{ "text/*;q=0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_exchange fake;
		struct request *request = fake_begin(&fake, "GET", "/");
		struct span content;

		fake_field(&fake, "Accept", cases[i].accept);
		request->request_id = SPAN_OF("<id>");
		content = errors_default_content(request, 403, "<&>");
		assert_string_equal(fake_value(&fake, "Content-Type"),
		    cases[i].is_html ? "text/html; charset=utf-8" : "application/problem+json");
		if (cases[i].is_html) {
			const char *page = arena_text(&fake.arena, content);

			assert_non_null(strstr(page, "<h1>403 Forbidden</h1>"));
			assert_non_null(strstr(page, "<p>&lt;&amp;&gt;</p>"));
			assert_non_null(strstr(page, "&lt;id&gt;"));
		}
		fake_end(&fake);
	}
}

static void
format_html_is_always_html(void **state)
{
	void *policy = fixture_policy(&fixture, "errors: html\n", &policy_errors);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");

	(void)state;
	policy_errors.error_content(policy, request, 500, NULL);
	assert_string_equal(fake_value(&fake, "Content-Type"), "text/html; charset=utf-8");
	fake_end(&fake);
}

static const char *
content_of(const void *policy, unsigned status, char type_out[64])
{
	static char copy[256];
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	struct span content = policy_errors.error_content(policy, request, status, NULL);

	snprintf(copy, sizeof(copy), "%.*s", (int)content.len, content.at);
	snprintf(type_out, 64, "%s", fake_value(&fake, "Content-Type"));
	fake_end(&fake);
	return copy;
}

static void
own_pages_answer_their_status_and_class(void **state)
{
	char yaml[256], page[64], class_page[64], type[64];
	struct err err;
	void *policy;

	(void)state;
	snprintf(page, sizeof(page), "%s/404.html", directory);
	snprintf(class_page, sizeof(class_page), "%s/4xx.json", directory);
	assert_true(file_write(page, SPAN_OF("gone"), 0600, &err));
	assert_true(file_write(class_page, SPAN_OF("{}"), 0600, &err));
	snprintf(yaml, sizeof(yaml), "errors: {404: %s, 4xx: %s}\n", page, class_page);
	policy = fixture_policy(&fixture, yaml, &policy_errors);
	unlink(page);
	unlink(class_page);
	assert_string_equal(content_of(policy, 404, type), "gone");
	assert_string_equal(type, "text/html; charset=utf-8");
	assert_string_equal(content_of(policy, 403, type), "{}");
	assert_string_equal(type, "application/json");
	content_of(policy, 503, type);
	assert_string_equal(type, "application/problem+json");
}

static void
wrong_configurations_are_refused(void **state)
{
	(void)state;
	fixture_refuses(&fixture, fixture_policy(&fixture, "errors: {404: /nowhere/404.html}\n", &policy_errors),
	    "errors.404: ");
	fixture_refuses(&fixture, fixture_policy(&fixture, "errors: xml\n", &policy_errors), "errors: ");
	fixture_refuses(&fixture, fixture_policy(&fixture, "errors: {999: /x}\n", &policy_errors), "unknown key");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_problem_json),
		cmocka_unit_test(without_detail_and_id_there_are_no_such_members),
		cmocka_unit_test(html_is_for_those_who_prefer_it),
		cmocka_unit_test(format_html_is_always_html),
		cmocka_unit_test(own_pages_answer_their_status_and_class),
		cmocka_unit_test(wrong_configurations_are_refused),
	};

	return cmocka_run_group_tests_name("policy/errors", tests, set_up, tear_down);
}
