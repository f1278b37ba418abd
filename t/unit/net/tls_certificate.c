/* rooms: base loop net conf */
/* A pair is read, shown, and refused with a sentence that says which of the two is wrong. */
#include "net/tls_certificate.h"

#include "pki.h"

struct pair {
	struct text		cert;
	struct text		key;
	struct arena		arena;
	struct tls_certificate	certificate;
	struct err		err;
};

static bool
pair_read(struct pair *pair)
{
	tls_certificate_fini(&pair->certificate);
	arena_fini(&pair->arena);
	arena_init(&pair->arena, 1024);
	pair->err.text[0] = '\0';
	return tls_certificate_read(&pair->certificate, text_span(&pair->cert), text_span(&pair->key), &pair->arena,
	    &pair->err);
}

static void
pair_set(struct pair *pair, const struct identity *identity)
{
	pem_of(&pair->cert, identity);
	text_clear(&pair->key);
	pem_add_key(&pair->key, identity->key, NULL);
}

static void
pair_fini(struct pair *pair)
{
	tls_certificate_fini(&pair->certificate);
	arena_fini(&pair->arena);
	text_fini(&pair->cert);
	text_fini(&pair->key);
}

#define refused(pair, part) \
	do { \
		assert_false(pair_read(pair)); \
		if (!strstr((pair)->err.text, part)) \
			fail_msg("\"%s\" does not say \"%s\"", (pair)->err.text, part); \
		assert_null((pair)->certificate.leaf); \
		assert_int_equal(ERR_peek_error(), 0); \
	} while (0)

static void
shows_what_it_is(void **state)
{
	struct identity root = identity_make(&(struct wish){ .name = "A Root", .is_authority = true });
	struct identity leaf = identity_make(&(struct wish){ .name = "api.example.com", .issuer = &root,
	    .san = "DNS:api.example.com,DNS:*.example.com,IP:192.0.2.1,IP:2001:db8::1,URI:spiffe://x/y",
	    .serial = 0xabcdef, .until = 30 * DAY });
	struct pair pair = { 0 };
	const struct tls_certificate *shown = &pair.certificate;
	time_t now = time(NULL);

	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	assert_string_equal(shown->subject.at, "api.example.com");
	assert_string_equal(shown->names.at, "api.example.com, *.example.com, 192.0.2.1, 2001:db8::1");
	assert_string_equal(shown->issuer.at, "A Root");
	assert_string_equal(shown->serial.at, "ABCDEF");
	assert_int_equal(shown->fingerprint.len, 64);
	assert_string_equal(shown->kind, "ECDSA P-256");
	assert_false(shown->is_rsa);
	assert_in_range(shown->until_s, now + 30 * DAY - 60, now + 30 * DAY + 60);
	assert_in_range(shown->from_s, now - DAY - 60, now - DAY + 60);
	pair_fini(&pair);
	identity_fini(&leaf);
	identity_fini(&root);
}

static void
shows_something_without_a_common_name(void **state)
{
	struct identity leaf = identity_make(&(struct wish){ .san = "DNS:a.test,DNS:b.test" });
	struct identity old = identity_make(&(struct wish){ .name = "old.test" });
	struct pair pair = { 0 };

	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	assert_string_equal(pair.certificate.subject.at, "a.test");
	assert_string_equal(pair.certificate.names.at, "a.test, b.test");
	pair_set(&pair, &old);
	assert_true(pair_read(&pair));
	assert_string_equal(pair.certificate.names.at, "old.test");
	pair_fini(&pair);
	identity_fini(&leaf);
	identity_fini(&old);
}

/* One name with a comma in it must not look like two. */
static void
escapes_what_would_look_like_more(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	struct identity leaf = identity_make(&(struct wish){ .name = "x" });
	struct pair pair = { 0 };

	ASN1_STRING_set(text, "a.test, bank.test\r\n\0z", 21);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	assert_true(X509_add1_ext_i2d(leaf.certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND));
	assert_true(X509_sign(leaf.certificate, leaf.key, EVP_sha256()));
	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	assert_string_equal(pair.certificate.names.at, "a.test\\2C\\20bank.test\\0D\\0A\\00z");
	GENERAL_NAMES_free(names);
	pair_fini(&pair);
	identity_fini(&leaf);
}

/* A subject of one common name, of any type and bytes. */
static struct identity
identity_called(int type, const char *name, int length)
{
	struct identity leaf = identity_make(&(struct wish){ .san = "IP:192.0.2.1" });
	X509_NAME *subject = X509_NAME_new();
	X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING,
	    (const unsigned char *)"x", 1);

	assert_true(X509_NAME_ENTRY_set_data(entry, type, (const unsigned char *)name, length));
	assert_true(X509_NAME_add_entry(subject, entry, -1, 0));
	assert_true(X509_set_subject_name(leaf.certificate, subject));
	assert_true(X509_sign(leaf.certificate, leaf.key, EVP_sha256()));
	X509_NAME_ENTRY_free(entry);
	X509_NAME_free(subject);
	return leaf;
}

/* `reeve status` and warnings show it to people. */
static void
shows_no_terminal_what_it_would_obey(void **state)
{
	enum { UTF8 = V_ASN1_UTF8STRING, T61 = V_ASN1_T61STRING, BMP = V_ASN1_BMPSTRING };
	static const struct { int type; const char *name; int length; const char *shown; } names[] = {
		{ UTF8, "B\xc3\xbc" "cher \xe2\x82\xac", 11, "B\xc3\xbc" "cher \xe2\x82\xac" },
		{ UTF8, "a\x1b[2Jb", 6, "a\\1B[2Jb" },
		{ UTF8, "a\xc2\x9b" "2Jb", 6, "a\\C2\\9B2Jb" },		/* CSI in one character */
		{ T61, "a\x9b" "2Jb", 5, "a\\C2\\9B2Jb" },			/* ... in one byte */
		{ BMP, "\0a\0\x9b\0b", 6, "a\\C2\\9Bb" },
		{ UTF8, "a\xe2\x80\xae" "moc.b", 9, "a\\E2\\80\\AEmoc.b" },	/* turns right to left */
		{ UTF8, "a\xe2\x80\x8b" "b", 5, "a\\E2\\80\\8Bb" },		/* no width */
		{ UTF8, "", 0, "192.0.2.1" },				/* then the first of its names */
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		struct identity leaf = identity_called(names[i].type, names[i].name, names[i].length);
		struct pair pair = { 0 };

		pair_set(&pair, &leaf);
		assert_true(pair_read(&pair));
		assert_string_equal(pair.certificate.subject.at, names[i].shown);
		pair_fini(&pair);
		identity_fini(&leaf);
	}
}

static void
knows_kinds_of_keys(void **state)
{
	const struct { EVP_PKEY *key; const char *kind; bool is_rsa; } rows[] = {
		{ ec_key("P-384"), "ECDSA P-384", false },
		{ ec_key("P-521"), "ECDSA P-521", false },
		{ rsa_key(2048), "RSA 2048", true },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "Ed25519", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .key = rows[i].key });
		struct pair pair = { 0 };

		pair_set(&pair, &leaf);
		assert_true(pair_read(&pair));
		assert_string_equal(pair.certificate.kind, rows[i].kind);
		assert_int_equal(pair.certificate.is_rsa, rows[i].is_rsa);
		pair_fini(&pair);
		identity_fini(&leaf);
	}
}

static void
takes_both_from_one_file(void **state)
{
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test" });
	struct pair pair = { 0 };

	for (int key_first = 0; key_first < 2; key_first++) {
		text_clear(&pair.cert);
		if (key_first)
			pem_add_key(&pair.cert, leaf.key, NULL);
		pem_add_certificate(&pair.cert, &leaf);
		if (!key_first)
			pem_add_key(&pair.cert, leaf.key, NULL);
		text_clear(&pair.key);
		text_add(&pair.key, text_span(&pair.cert));
		assert_true(pair_read(&pair));
	}
	pair_fini(&pair);
	identity_fini(&leaf);
}

/* As `openssl ecparam -genkey` and `openssl genrsa -traditional` write them. */
static void
takes_keys_in_their_older_forms(void **state)
{
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test" });
	struct pair pair = { 0 };
	BIO *bio = BIO_new(BIO_s_mem());

	pair_set(&pair, &leaf);
	text_clear(&pair.key);
	text_add_text(&pair.key, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
	assert_true(PEM_write_bio_PrivateKey_traditional(bio, leaf.key, NULL, NULL, 0, NULL, NULL));
	bio_add(bio, &pair.key);
	assert_non_null(strstr(pair.key.bytes, "BEGIN EC PRIVATE KEY"));
	assert_true(pair_read(&pair));
	pair_fini(&pair);
	identity_fini(&leaf);
}

static void
refuses_what_is_no_pair(void **state)
{
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test" });
	struct identity other = identity_make(&(struct wish){ .name = "b.test" });
	struct pair pair = { 0 };

	refused(&pair, "the certificate is not good: the file has no certificate");
	refused(&pair, "it is empty");
	pair_set(&pair, &leaf);
	pem_add_key(&pair.key, other.key, NULL);
	assert_true(pair_read(&pair));	/* the first counts */
	text_clear(&pair.key);
	refused(&pair, "the key is not good: the file has no private key");
	pem_add_key(&pair.key, other.key, NULL);
	refused(&pair, "it is the key of another certificate");
	text_clear(&pair.key);
	pem_add_key(&pair.key, rsa_key(2048), NULL);
	refused(&pair, "the certificate is for EC, the key is RSA");
	text_clear(&pair.key);
	pem_add_key(&pair.key, leaf.key, "a phrase");
	refused(&pair, "encrypted");
	refused(&pair, "openssl pkey");
	text_clear(&pair.key);
	pem_add_certificate(&pair.key, &leaf);
	refused(&pair, "holds a certificate: are the two files mixed up?");
	text_clear(&pair.cert);
	pem_add_key(&pair.cert, leaf.key, NULL);
	refused(&pair, "holds a private key: are the two files mixed up?");
	text_clear(&pair.cert);
	text_add(&pair.cert, span_make("0\x82\x01\x02garbage", 11));
	refused(&pair, "looks like DER");
	pair_fini(&pair);
	identity_fini(&leaf);
	identity_fini(&other);
}

static void
refuses_broken_pem(void **state)
{
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test" });
	struct pair pair = { 0 };

	pair_set(&pair, &leaf);
	text_add_text(&pair.cert, "-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n");
	refused(&pair, "certificate 2 of the file is broken");
	pair_set(&pair, &leaf);
	pair.cert.len -= 60;
	refused(&pair, "certificate 1 of the file is broken");
	pair_set(&pair, &leaf);
	pair.key.len -= 60;
	refused(&pair, "the private key is broken");
	pair_fini(&pair);
	identity_fini(&leaf);
}

static void
refuses_what_is_too_weak(void **state)
{
	struct identity small = identity_make(&(struct wish){ .name = "a.test", .key = rsa_key(1024) });
	struct identity odd = identity_make(&(struct wish){ .name = "a.test", .key = ec_key("secp256k1") });
	struct identity sha1 = identity_make(&(struct wish){ .name = "a.test", .digest = EVP_sha1() });
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true, .digest = EVP_sha1() });
	struct identity weak = identity_make(&(struct wish){ .name = "I", .is_authority = true, .issuer = &root,
	    .digest = EVP_sha1() });
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &weak });
	struct pair pair = { 0 };

	pair_set(&pair, &small);
	refused(&pair, "RSA with 1024 bits, at least 2048");
	pair_set(&pair, &odd);
	refused(&pair, "secp256k1");
	pair_set(&pair, &sha1);
	refused(&pair, "certificate 1 of the file is signed with SHA1");
	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	pem_of(&pair.cert, &leaf, &weak);
	refused(&pair, "certificate 2 of the file is signed with SHA1");
	pem_of(&pair.cert, &leaf, &root);	/* nobody looks at a root's own signature */
	assert_true(pair_read(&pair));
	pair_fini(&pair);
	identity_fini(&small);
	identity_fini(&odd);
	identity_fini(&sha1);
	identity_fini(&root);
	identity_fini(&weak);
	identity_fini(&leaf);
}

static void
judges_chains(void **state)
{
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity middle = identity_make(&(struct wish){ .name = "M", .is_authority = true, .issuer = &root });
	struct identity lower = identity_make(&(struct wish){ .name = "L", .is_authority = true, .issuer = &middle });
	struct identity alien = identity_make(&(struct wish){ .name = "M", .is_authority = true });
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &lower });
	struct pair pair = { 0 };
	struct err err;

	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	assert_true(tls_certificate_is_chained(&pair.certificate, &err));
	pem_of(&pair.cert, &leaf, &lower, &middle, &root);
	assert_true(pair_read(&pair));
	assert_true(tls_certificate_is_chained(&pair.certificate, &err));
	pem_of(&pair.cert, &leaf, &middle, &lower);
	assert_true(pair_read(&pair));
	assert_false(tls_certificate_is_chained(&pair.certificate, &err));
	assert_non_null(strstr(err.text, "wrong order: certificate 3 should stand behind certificate 1"));
	pem_of(&pair.cert, &leaf, &lower, &alien);	/* of the same name, with another key */
	assert_true(pair_read(&pair));
	assert_false(tls_certificate_is_chained(&pair.certificate, &err));
	assert_non_null(strstr(err.text, "certificate 3 of the file did not certify"));
	pem_of(&pair.cert, &lower, &leaf);
	refused(&pair, "belongs to certificate 2 of the file: that one must be the first");
	pair_fini(&pair);
	identity_fini(&root);
	identity_fini(&middle);
	identity_fini(&lower);
	identity_fini(&alien);
	identity_fini(&leaf);
}

static void
is_good_for_hosts(void **state)
{
	static const struct { const char *host; bool is_good; } rows[] = {
		{ "a.test", true }, { "A.TEST", true }, { "www.a.test", true }, { "WWW.a.test", true },
		{ "x.www.a.test", false }, { ".a.test", false }, { "b.test", false }, { "", false }, { "test", false },
		{ "192.0.2.1", true }, { "192.0.2.2", false }, { "2001:db8::1", true }, { "2001:DB8:0::1", true },
		{ "the common name", false },
	};
	struct identity leaf = identity_make(&(struct wish){ .name = "the common name",
	    .san = "DNS:a.test,DNS:*.a.test,IP:192.0.2.1,IP:2001:db8::1" });
	struct pair pair = { 0 };

	pair_set(&pair, &leaf);
	assert_true(pair_read(&pair));
	for (size_t i = 0; i < COUNT(rows); i++)
		if (tls_certificate_names(&pair.certificate, span_text(rows[i].host)) != rows[i].is_good)
			fail_msg("%s", rows[i].host);
	assert_false(tls_certificate_names(&pair.certificate, span_make("a.test\0.b", 9)));
	pair_fini(&pair);
	identity_fini(&leaf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_it_is),
		cmocka_unit_test(shows_something_without_a_common_name),
		cmocka_unit_test(escapes_what_would_look_like_more),
		cmocka_unit_test(shows_no_terminal_what_it_would_obey),
		cmocka_unit_test(knows_kinds_of_keys),
		cmocka_unit_test(takes_both_from_one_file),
		cmocka_unit_test(takes_keys_in_their_older_forms),
		cmocka_unit_test(refuses_what_is_no_pair),
		cmocka_unit_test(refuses_broken_pem),
		cmocka_unit_test(refuses_what_is_too_weak),
		cmocka_unit_test(judges_chains),
		cmocka_unit_test(is_good_for_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
