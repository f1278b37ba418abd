/* rooms: base conf */
#include "fixture.h"

static const char *const yaml = "a: 1\nb: ['two', &x {c: ~, d: \"\", ü: '${REEVE_T_ENV:-z}'}]\nenv_file: env\n"
    "include: i.yaml\n"
				"e: {<<: *x, f: []}\nroutes: {r: 1}\n";

static void
load_rich(struct fixture *fixture)
{
	struct span contents;
	struct err err;

	setenv("REEVE_T_ENV", "from outside", 1);
	setenv("REEVE_T_OTHER", "not asked for", 1);
	put_file("env", "REEVE_T_FILE=from file\n");
	put_file("i.yaml", "routes:\n- r: 2\n");
	put_bytes("cert", SPAN_OF("a\0b\n"));
	put_file("empty", "");
	load_file(fixture, yaml);
	assert_nothing_told(fixture);
	assert_true(conf_file(fixture->conf, "cert", 10, &contents, &err));
	assert_true(conf_file_watched(fixture->conf, "empty", 10, &contents, &err));
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_ENV"), "from outside");
	assert_null(conf_environment(fixture->conf, "REEVE_T_UNSET"));
}

static void
assert_same_place(struct conf_place a, struct conf_place b)
{
	assert_int_equal(a.line, b.line);
	assert_int_equal(a.column, b.column);
	assert_string_equal(a.file ? a.file : "", b.file ? b.file : "");
}

static void
assert_same(const struct conf_node *a, const struct conf_node *b)
{
	const struct conf_node *left = a->first, *right = b->first;

	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->quoted, b->quoted);
	assert_int_equal(a->secret, b->secret);
	assert_int_equal(a->broken, b->broken);
	assert_true(span_equal(a->text, b->text));
	assert_true(span_equal(a->key, b->key));
	assert_int_equal(b->text.at[b->text.len], '\0');
	assert_int_equal(a->count, b->count);
	assert_same_place(a->place, b->place);
	assert_same_place(a->key_place, b->key_place);
	for (; left && right; left = left->next, right = right->next)
		assert_same(left, right);
	assert_null(left);
	assert_null(right);
}

static struct conf *
unpack(struct span packed)
{
	struct err err = { 0 };
	struct conf *conf = conf_unpack(packed, &err);

	if (conf == NULL)
		assert_string_equal(err.text, "the packed configuration is damaged or of another build");
	return conf;
}

static void
test_there_and_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 }, again = { 0 };
	struct conf *conf;

	load_rich(fixture);
	conf_pack(fixture->conf, &packed);
	conf = unpack(text_span(&packed));
	assert_non_null(conf);
	assert_same(conf_root(fixture->conf), conf_root(conf));
	assert_string_equal(conf_path(fixture->conf), conf_path(conf));
	conf_pack(conf, &again);
	assert_true(span_equal(text_span(&packed), text_span(&again)));
	conf_free(conf);
	text_fini(&packed);
	text_fini(&again);
}

/* Whatever has happened to files and environment since. */
static void
test_what_travels(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };
	struct span contents;
	struct conf *conf;
	struct err err;

	load_rich(fixture);
	conf_pack(fixture->conf, &packed);
	put_file("cert", "changed");
	setenv("REEVE_T_ENV", "changed", 1);
	conf = unpack(text_span(&packed));
	text_fini(&packed);
	assert_true(conf_file(conf, "cert", 10, &contents, &err));
	assert_true(span_equal(contents, SPAN_OF("a\0b\n")));
	assert_true(conf_file(conf, "empty", 10, &contents, &err));
	assert_int_equal(contents.len, 0);
	assert_false(conf_file(conf, "env", 100, &contents, &err));
	assert_string_equal(err.text, "env was not read when the configuration was loaded");
	assert_string_equal(conf_environment(conf, "REEVE_T_ENV"), "from outside");
	assert_string_equal(conf_environment(conf, "REEVE_T_FILE"), "from file");
	assert_null(conf_environment(conf, "REEVE_T_OTHER"));
	conf_free(conf);
}

/* In the trial of a certificate swap: the watched from the disk, everything else from the pack. */
static void
test_read_again_when_unpacked(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };
	struct span contents;
	struct conf *conf;
	struct err err;

	load_rich(fixture);
	conf_pack(fixture->conf, &packed);
	put_file("cert", "changed");
	put_file("empty", "changed");
	put_file("late", "late");
	conf = unpack(text_span(&packed));
	text_clear(&packed);
	assert_true(conf_file_watched(conf, "empty", 10, &contents, &err));
	assert_int_equal(contents.len, 0);
	assert_false(conf_file_watched(conf, "late", 10, &contents, &err));
	conf_read_again(conf);
	assert_true(conf_file_watched(conf, "empty", 10, &contents, &err));
	assert_span(contents, "changed");
	assert_true(conf_file_watched(conf, "late", 10, &contents, &err));
	assert_span(contents, "late");
	assert_true(conf_file(conf, "cert", 10, &contents, &err));
	assert_true(span_equal(contents, SPAN_OF("a\0b\n")));
	assert_false(conf_file(conf, "env", 100, &contents, &err));
	conf_pack(conf, &packed);
	conf_free(conf);
	conf = unpack(text_span(&packed));
	text_fini(&packed);
	put_file("empty", "and again");
	assert_true(conf_file_watched(conf, "empty", 10, &contents, &err));
	assert_span(contents, "changed");
	assert_string_equal(conf_watched(conf, 0), "late");
	assert_string_equal(conf_watched(conf, 1), "empty");
	assert_null(conf_watched(conf, 2));
	conf_free(conf);
}

/* In memory of exactly that size, so that reading past the end is seen. */
static bool
unpacks(struct span bytes)
{
	char *copy = memory_alloc(bytes.len ? bytes.len : 1);
	struct conf *conf;

	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	conf = unpack(span_make(copy, bytes.len));
	memory_free(copy);
	conf_free(conf);
	return conf != NULL;
}

static void
test_every_truncation(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };

	load_rich(fixture);
	conf_pack(fixture->conf, &packed);
	for (size_t len = 0; len < packed.len; len++)
		assert_false(unpacks(span_make(packed.bytes, len)));
	assert_true(unpacks(text_span(&packed)));
	text_add_byte(&packed, '\0');
	assert_false(unpacks(text_span(&packed)));
	text_fini(&packed);
}

/* Any answer will do, but no crash, and no memory that the bytes do not pay for. */
static void
test_every_damaged_byte(void **state)
{
	static const unsigned char damages[] = { 0xff, 0x80, 0x01 };
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };

	load_rich(fixture);
	conf_pack(fixture->conf, &packed);
	for (size_t i = 0; i < packed.len; i++) {
		for (size_t j = 0; j < COUNT(damages); j++) {
			packed.bytes[i] = (char)(packed.bytes[i] ^ damages[j]);
			(void)unpacks(text_span(&packed));
			packed.bytes[i] = (char)(packed.bytes[i] ^ damages[j]);
		}
	}
	packed.bytes[0] ^= 1;
	assert_false(unpacks(text_span(&packed)));
	text_fini(&packed);
}

static void
test_broken_stays_broken(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };
	struct conf *conf;

	load_text(fixture, "a: ${REEVE_T_UNSET}\n");
	conf_pack(fixture->conf, &packed);
	conf = unpack(text_span(&packed));
	assert_true(at(conf_root(conf), "a")->broken);
	conf_free(conf);
	text_fini(&packed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_there_and_back),
		IN_FIXTURE(test_what_travels),
		IN_FIXTURE(test_read_again_when_unpacked),
		IN_FIXTURE(test_every_truncation),
		IN_FIXTURE(test_every_damaged_byte),
		IN_FIXTURE(test_broken_stays_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
