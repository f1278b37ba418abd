/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/certificates.h"

#include "base/memory.h"
#include "ipc/pack.h"
#include "site/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY ((int64_t)86400)

static void
pack_sample(struct text *packed)
{
	static const char *const texts[] = {
		"0.0.0.0:443", "/tls/a.pem", "a.example", "a.example, *.b.example", "An issuer", "ECDSA P-256", "00ff",
	};

	pack_number(packed, 2);
	for (uint64_t i = 0; i < 2; i++) {
		pack_span(packed, i == 0 ? SPAN_OF("/tls/a.pem") : SPAN_OF("/tls/a.key"));
		for (uint64_t j = 1; j <= 4; j++)
			pack_number(packed, 10 * i + j);
	}
	pack_number(packed, 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		pack_span(packed, span_text(texts[i]));
	pack_number(packed, 1234567890);
}

static void
test_unpack(void **state)
{
	const struct file_mark second = { .device = 11, .inode = 12, .size = 13, .modified_ns = 14 };
	struct certificates *certificates;
	struct text packed = { 0 };

	pack_sample(&packed);
	certificates = certificates_unpack(text_span(&packed), NULL);
	assert_non_null(certificates);
	assert_int_equal(certificates->file_count, 2);
	assert_string_equal(certificates->files[0].path, "/tls/a.pem");
	assert_string_equal(certificates->files[1].path, "/tls/a.key");
	assert_true(file_mark_equal(&certificates->files[1].mark, &second));
	assert_int_equal(certificates->count, 1);
	assert_string_equal(certificates->items[0].listener, "0.0.0.0:443");
	assert_string_equal(certificates->items[0].file, "/tls/a.pem");
	assert_string_equal(certificates->items[0].subject, "a.example");
	assert_string_equal(certificates->items[0].names, "a.example, *.b.example");
	assert_string_equal(certificates->items[0].issuer, "An issuer");
	assert_string_equal(certificates->items[0].kind, "ECDSA P-256");
	assert_string_equal(certificates->items[0].fingerprint, "00ff");
	assert_int_equal(certificates->items[0].until_s, 1234567890);
	certificates_free(certificates);
	certificates_free(NULL);
	text_fini(&packed);
}

/* In memory of exactly that size, so that reading past the end is seen. */
static bool
unpacks(struct span bytes, struct err *err)
{
	char *copy = memory_alloc(bytes.len + 1);
	struct certificates *certificates;

	memcpy(copy, bytes.at, bytes.len);
	copy = memory_resize(copy, bytes.len > 0 ? bytes.len : 1);
	certificates = certificates_unpack(span_make(copy, bytes.len), err);
	memory_free(copy);
	certificates_free(certificates);
	return certificates != NULL;
}

static void
test_damaged(void **state)
{
	struct text packed = { 0 };

	pack_sample(&packed);
	for (size_t len = 0; len < packed.len; len++) {
		struct err err = { "" };

		assert_false(unpacks(span_make(packed.bytes, len), &err));
		assert_true(err.text[0] != '\0');
	}
	assert_true(unpacks(text_span(&packed), NULL));
	for (size_t i = 0; i < packed.len; i++) {	/* any damage: refused or read, never more than that */
		packed.bytes[i] ^= (char)0xff;
		(void)unpacks(text_span(&packed), NULL);
		packed.bytes[i] ^= (char)0xff;
	}
	text_add_byte(&packed, 0);
	assert_false(unpacks(text_span(&packed), NULL));
	text_fini(&packed);
}

static void
test_site_without_tls(void **state)
{
	struct certificates *certificates;
	struct conf_problems problems;
	struct text packed = { 0 };
	struct conf *conf;
	struct site *site;

	conf_problems_init(&problems);
	conf = conf_load_bytes("test.yaml", SPAN_OF("listen: [{address: ':1'}]\nroutes: [{respond: x}]\n"), &problems);
	site = site_build(conf, NULL, &problems);
	assert_non_null(site);
	certificates_make(site, &packed);
	certificates = certificates_unpack(text_span(&packed), NULL);
	assert_non_null(certificates);
	assert_int_equal(certificates->file_count, 0);
	assert_int_equal(certificates->count, 0);
	certificates_free(certificates);
	site_unref(site);
	conf_problems_fini(&problems);
	text_fini(&packed);
}

static void
test_days_left(void **state)
{
	static const struct {
		int64_t	left_s;
		int64_t	days;
	} rows[] = {
		{ 21 * DAY, 21 }, { 21 * DAY - 1, 20 }, { DAY, 1 }, { DAY - 1, 0 }, { 0, 0 }, { -1, -1 }, { -DAY, -1 },
		{ -DAY - 1, -2 }, { 100000 * DAY, 100000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct certificate certificate = { .until_s = 1800000000 + rows[i].left_s };

		assert_int_equal(certificate_days_left(&certificate, (uint64_t)1800000000 * 1000), rows[i].days);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unpack),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_site_without_tls),
		cmocka_unit_test(test_days_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
