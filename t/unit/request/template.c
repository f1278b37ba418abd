/* rooms: base http request */
/* Templates: what they are parsed into, what each placeholder stands for, and every mistake named. */
#include "../fake_transport.h"

#include "request/template.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *
environment(const void *owner, const char *name)
{
	return strcmp(name, "HOME") == 0 ? "/root" : strcmp(name, "EMPTY") == 0 ? "" :
	    strcmp(name, "BRACES") == 0 ? "{path}" : NULL;
}

static const struct span captures[] = { SPAN("id"), SPAN("host") };
static const struct template_names names = { captures, COUNT(captures), environment, NULL };

static struct request *
request_make(struct fake_exchange *fake)
{
	struct request *request = fake_begin(fake, "PATCH", "/a/b?x=1&y=a%20b+c&x=2&e=&n");

	request->request_id = SPAN_OF("r-1");
	request->scheme = SPAN_OF("https");
	request->response.status = 418;
	request->captures[0] = SPAN_OF("7");
	request->captures[1] = SPAN_OF("captured");
	fake_field(fake, "User-Agent", "cmocka");
	fake_field(fake, "X-Two", "one");
	fake_field(fake, "X-Two", "two");
	fake_field(fake, "Cookie", "a=1; b = 2;c=; =x; bare; a=3");
	fake_field(fake, "Cookie", "late=\"q\"");
	return request;
}

static void
fills_every_placeholder(void **state)
{
	static const struct { const char *from, *filled; } rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "{client_ip}", "192.0.2.1" },
		{ "{method} {scheme}", "PATCH https" },
		{ "{path}", "/a/b" },
		{ "{query}", "x=1&y=a%20b+c&x=2&e=&n" },
		{ "{uri}", "/a/b?x=1&y=a%20b+c&x=2&e=&n" },
		{ "{request_id}{status}", "r-1418" },
		{ "{header.user-agent}|{header.USER-AGENT}", "cmocka|cmocka" },
		{ "{header.X-Two}", "one" },
		{ "[{header.X-None}]", "[]" },
		{ "{cookie.a},{cookie.c},{cookie.late},{cookie.none},{cookie.bare}", "1,,\"q\",," },
		{ "{query.x},{query.y},{query.e},{query.n},{query.z}", "1,a b c,,," },
		{ "{id}", "7" },
		{ "{host}", "captured" },		/* the route's own names come first */
		{ "{env.HOME}/{id}", "/root/7" },
		{ "{env.HOME}", "/root" },
		{ "{env.EMPTY}", "" },
		{ "a{env.EMPTY}b", "ab" },
		{ "{env.BRACES}", "{path}" },		/* text, not a template again */
		{ "{{}}", "{}" },
		{ "{{path}}", "{path}" },
		{ "{{{path}}}", "{/a/b}" },
		{ "}}{{", "}{" },
		{ "a{{b", "a{b" },
		{ "{path}{path}{path}", "/a/b/a/b/a/b" },
	};
	struct arena arena;
	struct fake_exchange fake;
	struct request *request = request_make(&fake);

	arena_init(&arena, 512);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct template template;
		struct err err;
		char *from = arena_text(&arena, span_text(rows[i].from));

		if (!template_parse(span_text(from), &names, &arena, &template, &err))
			fail_msg("%s: %s", rows[i].from, err.text);
		memset(from, 'z', strlen(from));	/* it has copied what it keeps */
		if (!span_is(template_fill(&template, request), rows[i].filled))
			fail_msg("%s", rows[i].from);
		assert_int_equal(template_is_empty(&template), strlen(rows[i].filled) == 0 &&
		    strchr(rows[i].from, '[') == NULL);
	}
	arena_fini(&arena);
	fake_end(&fake);
}

static void
tells_of_tls(void **state)
{
	static const struct client_tls tls = {
		.version = SPAN("TLSv1.3"), .cipher = SPAN("TLS_AES_128_GCM_SHA256"), .server_name = SPAN("a.test"),
		.subject = SPAN("CN=billing,O=Example"), .san = SPAN("b.test, spiffe://x/b"),
		.fingerprint = SPAN("00ff"),
	};
	static const struct client_tls with_ampersand = { .subject = SPAN("CN=x&as=root#") };
	static const struct client_tls without_certificate = { .version = SPAN("TLSv1.2") };
	static const char from[] = "{tls.version}|{tls.cipher}|{tls.server_name}|"
				   "{tls.subject}|{tls.san}|{tls.fingerprint}";
	struct template template;
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	struct arena arena;
	struct err err;

	arena_init(&arena, 512);
	assert_true(template_parse(span_text(from), NULL, &arena, &template, &err));
	assert_true(span_is(template_fill(&template, request), "|||||"));
	fake.client.tls = &without_certificate;
	assert_true(span_is(template_fill(&template, request), "TLSv1.2|||||"));
	fake.client.tls = &tls;
	assert_true(span_is(template_fill(&template, request), "TLSv1.3|TLS_AES_128_GCM_SHA256|a.test|"
	    "CN=billing,O=Example|b.test, spiffe://x/b|00ff"));
	assert_true(template_parse(SPAN_OF("/in?who={tls.subject}&as=guest"), NULL, &arena, &template, &err));
	template.is_uri = true;	/* a subject with '&' in it is no further parameter */
	fake.client.tls = &with_ampersand;
	assert_true(span_is(template_fill(&template, request), "/in?who=CN%3Dx%26as%3Droot%23&as=guest"));
	fake_end(&fake);
	arena_fini(&arena);
}

static void
has_no_question_mark_without_query(void **state)
{
	struct arena arena;
	struct fake_exchange fake;
	struct template template;
	struct err err;

	arena_init(&arena, 512);
	assert_true(template_parse(SPAN_OF("{uri} {host}"), NULL, &arena, &template, &err));
	assert_true(span_is(template_fill(&template, fake_begin(&fake, "GET", "/a")), "/a example.com"));
	fake_end(&fake);
	assert_true(span_is(template_fill(&template, fake_begin(&fake, "GET", "/a?")), "/a? example.com"));
	fake_end(&fake);
	arena_fini(&arena);
}

/* A text without placeholders costs nothing to fill. */
static void
fills_plain_text_without_a_copy(void **state)
{
	struct arena arena;
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	struct template template;
	struct err err;

	arena_init(&arena, 512);
	assert_true(template_parse(SPAN_OF("a {{b}} {env.HOME}"), &names, &arena, &template, &err));
	template_fill(&template, request);
	assert_true(template_parse(SPAN_OF("plain"), &names, &arena, &template, &err));
	fake.arena.used = 0;
	assert_true(span_is(template_fill(&template, request), "plain"));
	assert_int_equal(fake.arena.used, 0);
	fake_end(&fake);
	arena_fini(&arena);
}

static void
refuses_and_names_the_mistake(void **state)
{
	static const struct { const char *from, *why; } rows[] = {
		{ "{nothing}", "unknown placeholder {nothing}" },
		{ "{nothing}", "{client_ip}" },
		{ "{nothing}", "{id}" },
		{ "{}", "unknown placeholder {}" },
		{ "{ path}", "unknown placeholder { path}" },
		{ "{Path}", "unknown placeholder" },
		{ "{header.}", "unknown placeholder" },
		{ "{header}", "unknown placeholder" },
		{ "{query.}", "unknown placeholder" },
		{ "{path.x}", "unknown placeholder" },
		{ "{tls.nothing}", "unknown placeholder {tls.nothing}" },
		{ "{tls.subject_}", "{tls.fingerprint}" },
		{ "{tls.}", "unknown placeholder {tls.}" },
		{ "{tls}", "unknown placeholder {tls}" },
		{ "{jwt.sub}", "not supported in this version" },
		{ "{env.NONE}", "the environment has no NONE" },
		{ "{path", "a brace without its pair" },
		{ "path}", "a brace without its pair" },
		{ "{path}}", "a brace without its pair" },
		{ "{{path}", "a brace without its pair" },
		{ "a{", "a brace without its pair" },
		{ "}", "a brace without its pair" },
	};
	struct arena arena;

	arena_init(&arena, 512);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct template template;
		struct err err;

		assert_false(template_parse(span_text(rows[i].from), &names, &arena, &template, &err));
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].from, err.text);
	}
	arena_fini(&arena);
}

/* Without names there are no captures and no environment. */
static void
knows_only_what_is_lent(void **state)
{
	struct arena arena;
	struct template template;
	struct err err;

	arena_init(&arena, 512);
	assert_false(template_parse(SPAN_OF("{id}"), NULL, &arena, &template, &err));
	assert_false(template_parse(SPAN_OF("{env.HOME}"), NULL, &arena, &template, &err));
	arena_fini(&arena);
}

static void
lists_its_names(void **state)
{
	struct arena arena;
	struct template template;
	struct err err;

	arena_init(&arena, 512);
	for (size_t i = 0; template_placeholder_names[i]; i++) {
		const char *name = template_placeholder_names[i];
		const char *from = arena_format(&arena, "{%s}", strcmp(name, "env.NAME") == 0 ? "env.HOME" : name);

		assert_true(template_parse(span_text(from), &names, &arena, &template, &err));
	}
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_every_placeholder),
		cmocka_unit_test(tells_of_tls),
		cmocka_unit_test(has_no_question_mark_without_query),
		cmocka_unit_test(fills_plain_text_without_a_copy),
		cmocka_unit_test(refuses_and_names_the_mistake),
		cmocka_unit_test(knows_only_what_is_lent),
		cmocka_unit_test(lists_its_names),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
