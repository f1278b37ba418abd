/* rooms: base http */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_urls(void **state)
{
	static const struct {
		const char		*url;
		struct uri_server	 server;
	} rows[] = {
		{ "http://127.0.0.1:3000", { .host = SPAN("127.0.0.1"), .port = 3000 } },
		{ "http://a", { .host = SPAN("a"), .port = 80 } },
		{ "HTTP://a/", { .host = SPAN("a"), .port = 80 } },
		{ "https://a.example", { .tls = true, .host = SPAN("a.example"), .port = 443 } },
		{ "https://a:8443/v1/x/", { .tls = true, .host = SPAN("a"), .port = 8443, .path = SPAN("/v1/x") } },
		{ "http://[::1]:80", { .host = SPAN("::1"), .port = 80 } },
		{ "srv+http://_x._tcp.a", { .srv = true, .host = SPAN("_x._tcp.a") } },
		{ "srv+https://a/p", { .srv = true, .tls = true, .host = SPAN("a"), .path = SPAN("/p") } },
		{ "unix:/run/a.sock", { .is_unix = true, .host = SPAN("/run/a.sock") } },
		{ "unix:///run/a.sock", { .is_unix = true, .host = SPAN("/run/a.sock") } },
		{ "UNIX:/A", { .is_unix = true, .host = SPAN("/A") } },
	};
	struct uri_server server;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!uri_server_parse(span_text(rows[i].url), &server, &err))
			fail_msg("%s: %s", rows[i].url, err.text);
		assert_int_equal(server.tls, rows[i].server.tls);
		assert_int_equal(server.srv, rows[i].server.srv);
		assert_int_equal(server.is_unix, rows[i].server.is_unix);
		assert_true(span_equal(server.host, rows[i].server.host));
		assert_int_equal(server.port, rows[i].server.port);
		assert_true(span_equal(server.path, rows[i].server.path));
	}
}

static void
test_refused_with_a_reason(void **state)
{
	static const struct {
		const char	*url;
		const char	*says;
	} rows[] = {
		{ "", "no server URL" },
		{ "127.0.0.1:3000", "no server URL" },
		{ "ftp://a", "no server URL" },
		{ "http:/a", "no server URL" },
		{ "http://", "host:port" },
		{ "http:///x", "host:port" },
		{ "http://a:0", "host:port" },
		{ "http://a:99999", "host:port" },
		{ "http://::1", "host:port" },
		{ "http://a b", "host:port" },
		{ "http://u:p@a", "no user" },
		{ "http://a/x?y", "no query" },
		{ "http://a?y", "no query" },
		{ "http://a#y", "no query" },
		{ "http://a/%41", "no query" },
		{ "srv+http://a:80", "no port" },
		{ "unix:", "absolute path" },
		{ "unix:run/a.sock", "absolute path" },
	};
	struct uri_server server;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(uri_server_parse(span_text(rows[i].url), &server, &err));
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].url, err.text);
	}
}

static void
test_a_unix_path_has_an_end(void **state)
{
	char url[5 + 108];
	struct uri_server server;
	struct err err;

	memset(url, 'a', sizeof(url));
	memcpy(url, "unix:/", 6);
	assert_true(uri_server_parse(span_make(url, 5 + 107), &server, &err));
	assert_int_equal(server.host.len, 107);
	assert_false(uri_server_parse(span_make(url, 5 + 108), &server, &err));
	assert_non_null(strstr(err.text, "107"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_refused_with_a_reason),
		cmocka_unit_test(test_a_unix_path_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
