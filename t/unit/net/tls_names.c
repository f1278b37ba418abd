/* rooms: base loop net conf */
/* Exact names, wildcards of one label, and what fits neither; also when there are very many. */
#include "net/tls_names.h"

#include "pki.h"

enum { MANY = 2000 };

static struct tls_certificate
named(const char *names, EVP_PKEY *key)
{
	return (struct tls_certificate){ .names = span_text(names), .key = key };
}

static unsigned
first_of(const struct tls_names *names, const char *host, enum tls_key_kind kind)
{
	const struct tls_name *found = tls_names_find(names, span_text(host));

	return found ? found->set.of_kind[kind] : 0;
}

static void
finds_exact_then_wildcard(void **state)
{
	static const struct { const char *host; unsigned expected; } rows[] = {
		{ "a.test", 1 }, { "A.TEST", 1 }, { "b.test", 2 }, { "www.a.test", 2 }, { "mail.a.test", 3 },
		{ "x.www.a.test", 0 }, { "*.a.test", 2 }, { "", 0 }, { ".", 0 }, { ".a.test", 0 }, { "a", 0 },
		{ "a.", 0 }, { "test", 0 }, { "www.a.test.", 0 }, { "192.0.2.1", 1 },
	};
	EVP_PKEY *key = ec_key("P-256");
	const struct tls_certificate certificates[] = {
		named("a.test, 192.0.2.1", key), named("b.test, *.A.test", key), named("mail.a.test", key),
	};
	struct tls_names names;
	struct arena arena;

	arena_init(&arena, 1024);
	tls_names_fill(&names, certificates, COUNT(certificates), &arena, NULL, NULL);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (first_of(&names, rows[i].host, TLS_KEY_EC) != rows[i].expected)
			fail_msg("%s: %u", rows[i].host, first_of(&names, rows[i].host, TLS_KEY_EC));
	arena_fini(&arena);
	EVP_PKEY_free(key);
}

/* The wildcard's star must not write before the first byte, nor a long name behind the last. */
static void
bears_any_length(void **state)
{
	EVP_PKEY *key = ec_key("P-256");
	const struct tls_certificate certificate = named("*.test", key);
	char host[TLS_NAME_MAX + 2];
	struct tls_names names;
	struct arena arena;

	arena_init(&arena, 1024);
	tls_names_fill(&names, &certificate, 1, &arena, NULL, NULL);
	for (size_t len = 0; len < sizeof(host); len++) {
		char *exact = memory_alloc(len + (len == 0));
		const struct tls_name *found;

		memset(exact, 'x', len);
		if (len > 5)
			memcpy(exact + len - 5, ".test", 5);
		found = tls_names_find(&names, span_make(exact, len));
		assert_int_equal(found != NULL, len > 5 && len <= TLS_NAME_MAX);
		memory_free(exact);
	}
	arena_fini(&arena);
	EVP_PKEY_free(key);
}

struct shared {
	unsigned	count;
	uint32_t	first;
	uint32_t	second;
};

static void
shared_count(void *owner, uint32_t first, uint32_t second, struct span name)
{
	struct shared *shared = owner;

	shared->count++;
	shared->first = first;
	shared->second = second;
	assert_true(span_is(name, "a.test"));
}

static void
keeps_kinds_apart(void **state)
{
	EVP_PKEY *ec = ec_key("P-256"), *rsa = rsa_key(2048);
	const struct tls_certificate certificates[] = {
		named("x.test", ec), named("a.test, a.test", ec), named("a.test, b.test", rsa), named("A.test", rsa),
	};
	struct shared shared = { 0 };
	struct tls_names names;
	struct arena arena;

	arena_init(&arena, 1024);
	tls_names_fill(&names, certificates, COUNT(certificates), &arena, shared_count, &shared);
	assert_int_equal(first_of(&names, "a.test", TLS_KEY_EC), 2);
	assert_int_equal(first_of(&names, "a.test", TLS_KEY_RSA), 3);
	assert_int_equal(first_of(&names, "b.test", TLS_KEY_EC), 0);
	assert_int_equal(first_of(&names, "b.test", TLS_KEY_RSA), 3);
	assert_int_equal(shared.count, 1);
	assert_int_equal(shared.first, 2);
	assert_int_equal(shared.second, 3);
	arena_fini(&arena);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
}

static void
holds_many(void **state)
{
	struct tls_certificate *certificates = memory_zalloc(MANY * sizeof(*certificates));
	EVP_PKEY *key = ec_key("P-256");
	struct tls_names names;
	struct arena arena;
	char host[64];

	arena_init(&arena, 1024);
	for (unsigned i = 0; i < MANY; i++)
		certificates[i] = named(arena_format(&arena, "n%u.test, *.w%u.test", i, i), key);
	tls_names_fill(&names, certificates, MANY, &arena, NULL, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(host, sizeof(host), "n%u.test", i);
		assert_int_equal(first_of(&names, host, TLS_KEY_EC), i + 1);
		snprintf(host, sizeof(host), "any.w%u.test", i);
		assert_int_equal(first_of(&names, host, TLS_KEY_EC), i + 1);
		snprintf(host, sizeof(host), "m%u.test", i);
		assert_int_equal(first_of(&names, host, TLS_KEY_EC), 0);
	}
	/* No names at all are fine, too. */
	certificates[0].names = span_text("");
	tls_names_fill(&names, certificates, 1, &arena, NULL, NULL);
	assert_null(tls_names_find(&names, span_text("n1.test")));
	arena_fini(&arena);
	memory_free(certificates);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_exact_then_wildcard),
		cmocka_unit_test(bears_any_length),
		cmocka_unit_test(keeps_kinds_apart),
		cmocka_unit_test(holds_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
