/* rooms: base loop net conf */
/* What is wrong with a listener's TLS is said where it stands, naming the files; what is only unwise is a warning. */
#include "net/tls_server.h"

#include "pki.h"

static const struct tls_server_place checking = { .checks_dates = true };
static const struct tls_server_place first_start = { .checks_dates = true, .is_first_start = true };
static const struct tls_server_place working = { .checks_dates = false };

/* Every problem, a line each; true when there is a server. */
static bool
told(const char *yaml, const struct tls_server_place *place, struct text *told_out)
{
	struct tls_listen_options options = { 0 };
	struct tls_server *server = NULL;
	struct conf_problems problems;
	struct option_reader reader;
	struct arena arena;
	struct conf *conf;

	conf_problems_init(&problems);
	arena_init(&arena, 1024);
	put_text("tls.yaml", yaml);
	conf = conf_load("tls.yaml", &problems);
	assert_non_null(conf);
	option_reader_init(&reader, conf, &arena, &problems);
	if (option_read(&reader, &tls_listen_group, conf_root(conf), &options))
		server = tls_server_create(&options, conf_root(conf), &reader, place);
	assert_string_equal(reader.path, "");
	assert_int_equal(server == NULL, problems.errors > 0);
	conf_problems_sort(&problems);
	text_clear(told_out);
	text_add_text(told_out, "");
	conf_problems_format(&problems, told_out);
	tls_server_unref(server);
	conf_free(conf);
	conf_problems_fini(&problems);
	arena_fini(&arena);
	assert_int_equal(ERR_peek_error(), 0);
	return server != NULL;
}

/* The one line that is told contains each of these; NULL ends. */
static void
check_line(const char *yaml, const struct tls_server_place *place, bool works, const char *const *parts)
{
	struct text line = { 0 };

	if (told(yaml, place, &line) != works)
		fail_msg("%s: %s: %s", works ? "refused" : "taken", yaml, line.bytes);
	for (; *parts; parts++)
		if (!strstr(line.bytes, *parts))
			fail_msg("\"%s\" does not say \"%s\"", line.bytes, *parts);
	assert_int_equal(line.len > 0, span_find(text_span(&line), '\n') + 1 == line.len);
	text_fini(&line);
}

#define refused(yaml, ...) check_line(yaml, &checking, false, (const char *const[]){ __VA_ARGS__, NULL })
#define warned(yaml, ...) \
	check_line(yaml, &checking, true, (const char *const[]){ "warning: ", __VA_ARGS__, NULL })

static void
silent(const char *yaml, const struct tls_server_place *place)
{
	struct text line = { 0 };

	if (!told(yaml, place, &line) || line.len > 0)
		fail_msg("%s", line.bytes);
	text_fini(&line);
}

static void
made(const char *file, struct wish wish)
{
	struct identity identity = identity_make(&wish);

	put_identity(file, &identity, NULL);
	identity_fini(&identity);
}

#define A "certificates: [{cert: a.pem, key: a.key}]\n"

static void
keys_demand_each_other(void **state)
{
	made("a", (struct wish){ .name = "a.test" });
	silent(A, &checking);
	silent("certificates: {cert: a.pem, key: a.key}\n", &checking);
	refused("min_version: '1.2'\n", "certificates: required key is missing");
	refused("certificates: []\n", "tls.yaml:1:15: certificates: ");
	refused("certificates: [{cert: a.pem}]\n", "certificates[0].key: required key is missing");
	refused(A "client_ca: a.pem\n", "tls.yaml:2:12: client_ca: ", "`client_auth: require` (or request) is missing");
	refused(A "client_crl: a.pem\n", "tls.yaml:2:13: client_crl: ", "is missing");
	refused(A "client_auth: require\n", "tls.yaml:2:14: client_auth: client_ca is missing");
	refused(A "client_auth: request\n", "client_auth: client_ca is missing");
	refused(A "client_auth: maybe\n", "client_auth: ", "maybe");
	refused(A "min_version: '1.1'\n", "min_version: ", "1.1");
	refused(A "client_cert: x\n", "client_cert: unknown key (did you mean \"client_crl\"?)");
}

static void
refuses_ciphers_that_do_not_exist(void **state)
{
	made("a", (struct wish){ .name = "a.test" });
	silent(A "ciphers: ECDHE-ECDSA-AES128-GCM-SHA256\n", &checking);
	silent(A "ciphers: 'ECDHE+AESGCM:!RC4:-SHA1:@STRENGTH'\n", &checking);
	silent(A "ciphers: 'HIGH:!aNULL:!NONSENSE'\n", &checking);
	refused(A "ciphers: ''\n", "ciphers: no cipher is left");
	refused(A "ciphers: ECDHE-ECDSA-AES128-GCM-SHA255\n", "tls.yaml:2:10: ciphers: ",
	    "\"ECDHE-ECDSA-AES128-GCM-SHA255\" names no cipher");
	refused(A "ciphers: ECDHE-ECDSA-AES128-GCM-SHA256:NONSENSE\n", "\"NONSENSE\" names no cipher");
	refused(A "ciphers: TLS_AES_128_GCM_SHA256\n", "of TLS 1.3, whose ciphers are always on");
	refused(A "ciphers: 'ECDHE:!ECDHE'\n", "no cipher is left");
	warned(A "min_version: '1.3'\nciphers: ECDHE\n", "tls.yaml:3:10: ciphers: ", "no effect with `min_version");
}

static void
names_the_files_of_a_bad_pair(void **state)
{
	struct text locked = { 0 };
	struct identity a = identity_make(&(struct wish){ .name = "a.test" });

	put_identity("a", &a, NULL);
	made("b", (struct wish){ .name = "b.test" });
	made("small", (struct wish){ .name = "a.test", .key = rsa_key(1024) });
	made("sha1", (struct wish){ .name = "a.test", .digest = EVP_sha1() });
	pem_add_key(&locked, a.key, "phrase");
	put("locked.key", text_span(&locked));
	refused("certificates:\n- {cert: b.pem, key: b.key}\n- {cert: a.pem, key: b.key}\n",
	    "tls.yaml:3:3: certificates[1]: ", "/a.pem", "/b.key", "it is the key of another certificate");
	refused("certificates: {cert: a.pem, key: locked.key}\n", "certificates: ", "/locked.key", "encrypted");
	refused("certificates: [{cert: small.pem, key: small.key}]\n", "1024 bits");
	refused("certificates: [{cert: sha1.pem, key: sha1.key}]\n", "SHA1");
	refused("certificates: [{cert: gone.pem, key: a.key}]\n", "certificates[0].cert: ", "/gone.pem",
	    "No such file");
	refused("certificates: [{cert: a.pem, key: gone.key}]\n", "certificates[0].key: ", "/gone.key");
	refused("certificates: [{cert: a.key, key: a.pem}]\n", "mixed up");
	refused("certificates: [{cert: a.pem, key: a.key, ocsp: a.pem}]\n", "certificates[0].ocsp: ", "/a.pem",
	    "no OCSP response");
	text_fini(&locked);
	identity_fini(&a);
}

/* Whatever is wrong with a key, its bytes are never quoted. */
static void
never_quotes_a_key(void **state)
{
	static const char secret[] = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc2VjcmV0c2VjcmV0";
	struct text line = { 0 }, file = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	for (int broken = 0; broken < 3; broken++) {
		text_clear(&file);
		text_format(&file, "%s%s\n%s", broken == 0 ? "" : "-----BEGIN PRIVATE KEY-----\n", secret,
		    broken == 2 ? "-----END PRIVATE KEY-----\n" : "");
		put("x.key", text_span(&file));
		assert_false(told("certificates: {cert: a.pem, key: x.key}\n", &checking, &line));
		assert_null(strstr(line.bytes, "MIGH"));
		assert_null(strstr(line.bytes, "c2VjcmV0"));
		assert_false(told("certificates: {cert: x.key, key: a.key}\n", &checking, &line));
		assert_null(strstr(line.bytes, "MIGH"));
	}
	text_fini(&line);
	text_fini(&file);
}

static void
looks_at_dates_when_it_should(void **state)
{
#define OLD "certificates: {cert: old.pem, key: old.key}\n"
#define YOUNG "certificates: {cert: young.pem, key: young.key}\n"
	made("old", (struct wish){ .name = "old.test", .from = -9 * DAY, .until = -3600 });
	made("young", (struct wish){ .name = "young.test", .from = 3600 });
	made("soon", (struct wish){ .name = "soon.test", .until = 3 * DAY + 600 });
	made("today", (struct wish){ .name = "today.test", .until = 3600 });
	refused(OLD, "tls.yaml:1:22: certificates.cert: ", "old.test has expired", "/old.pem");
	refused(YOUNG, "young.test is not valid before", "is the clock right");
	check_line(OLD, &first_start, true, (const char *const[]){ "warning: ", "has expired", NULL });
	check_line(YOUNG, &first_start, true, (const char *const[]){ "warning: ", "not valid before", NULL });
	silent(OLD, &working);
	silent(YOUNG, &working);
	warned("certificates: {cert: soon.pem, key: soon.key}\n", "soon.test ends in 3 days");
	warned("certificates: {cert: today.pem, key: today.key}\n", "today.test ends within a day");
	silent("certificates: {cert: soon.pem, key: soon.key}\n", &working);
}

static void
warns_of_what_clients_stumble_over(void **state)
{
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity gone = identity_make(&(struct wish){ .name = "G", .is_authority = true, .issuer = &root,
	    .until = -60 });
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &root });
	struct identity below = identity_make(&(struct wish){ .name = "a.test", .issuer = &gone });

	put_identity("foreign", &leaf, &gone);
	put_identity("expired", &below, &gone);
	made("client", (struct wish){ .name = "a.test", .is_for_clients = true });
	made("noname", (struct wish){ 0 });
	made("must", (struct wish){ .name = "a.test", .is_must_staple = true });
	made("b", (struct wish){ .name = "b.test", .san = "DNS:b.test,DNS:A.test" });
	made("a", (struct wish){ .name = "a.test" });
	warned("certificates: {cert: expired.pem, key: expired.key}\n", "certificate 2 of the file has expired");
	warned("certificates: {cert: client.pem, key: client.key}\n", "not issued for servers");
	warned("certificates: {cert: noname.pem, key: noname.key}\n", "has no name");
	warned("certificates: {cert: must.pem, key: must.key}\n", "must-staple");
	warned("certificates:\n- {cert: a.pem, key: a.key}\n- {cert: b.pem, key: b.key}\n",
	    "tls.yaml:3:3: certificates[1]: ", "a.test is a name of certificates[0], too");
	identity_fini(&leaf);
	leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &root });
	identity_fini(&gone);
	gone = identity_make(&(struct wish){ .name = "G", .is_authority = true });
	put_identity("foreign", &leaf, &gone);
	warned("certificates: {cert: foreign.pem, key: foreign.key}\n", "/foreign.pem",
	    "certificate 2 of the file did not certify the one before it");
	identity_fini(&root);
	identity_fini(&gone);
	identity_fini(&leaf);
	identity_fini(&below);
}

static void
judges_the_authorities_of_clients(void **state)
{
#define ASK A "client_auth: require\nclient_ca: ca.pem\n"
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity other = identity_make(&(struct wish){ .name = "O", .is_authority = true });
	struct text pem = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	put_identity("ca", &root, NULL);
	silent(ASK, &checking);
	put_crl("crl.pem", &root, (const long[]){ 5, 0 }, DAY);
	silent(ASK "client_crl: crl.pem\n", &checking);
	put_crl("crl.pem", &root, (const long[]){ 5, 0 }, -DAY);
	warned(ASK "client_crl: crl.pem\n", "tls.yaml:4:13: client_crl: ", "revocation list 1 of", "/crl.pem",
	    "has expired");
	silent(ASK "client_crl: crl.pem\n", &working);
	pem_of(&pem, &root, &other);
	put("ca.pem", text_span(&pem));
	put_crl("crl.pem", &root, (const long[]){ 5, 0 }, DAY);
	warned(ASK "client_crl: crl.pem\n", "no revocation list of the authority CN=O");
	refused(ASK "client_crl: a.pem\n", "client_crl: ", "/a.pem", "no revocation list in PEM form");
	refused(ASK "client_crl: gone.pem\n", "client_crl: ", "/gone.pem");
	put_text("ca.pem", "nothing\n");
	refused(ASK, "tls.yaml:3:12: client_ca: ", "/ca.pem", "no certificate in PEM form");
	made("ca", (struct wish){ .name = "only.me", .is_for_clients = true });
	warned(ASK, "client_ca: ", "is no authority");
	made("ca", (struct wish){ .name = "over", .is_authority = true, .until = -60 });
	warned(ASK, "client_ca: ", "has expired");
	text_fini(&pem);
	identity_fini(&root);
	identity_fini(&other);
}

static void
judges_staples(void **state)
{
#define STAPLED "certificates: {cert: leaf.pem, key: leaf.key, ocsp: x.ocsp}\n"
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &root });
	struct identity other = identity_make(&(struct wish){ .name = "a.test", .issuer = &root });
	const unsigned char refusal[] = { 0x30, 3, 0x0a, 1, OCSP_RESPONSE_STATUS_TRYLATER };

	for (int with_issuer = 0; with_issuer < 2; with_issuer++) {
		put_identity("leaf", &leaf, with_issuer ? &root : NULL);
		put_ocsp("x.ocsp", &leaf, &root, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY);
		silent(STAPLED, &checking);
		put_ocsp("x.ocsp", &leaf, &root, V_OCSP_CERTSTATUS_GOOD, -9 * DAY, -DAY);
		warned(STAPLED, "certificates.ocsp: ", "/x.ocsp is out of date since", "it is not stapled");
		put_ocsp("x.ocsp", &leaf, &root, V_OCSP_CERTSTATUS_GOOD, DAY, 2 * DAY);
		warned(STAPLED, "is not valid before");
		put_ocsp("x.ocsp", &leaf, &root, V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY);
		warned(STAPLED, "does not say that the certificate is good");
		silent(STAPLED, &working);
		put_ocsp("x.ocsp", &other, &root, V_OCSP_CERTSTATUS_GOOD, -DAY, DAY);
		refused(STAPLED, "/x.ocsp: the OCSP response is about another certificate");
		put("x.ocsp", span_make((const char *)refusal, sizeof(refusal)));
		refused(STAPLED, "gave no answer but \"trylater\"");
		put_text("x.ocsp", "");
		refused(STAPLED, "no OCSP response in DER form");
	}
	identity_fini(&root);
	identity_fini(&leaf);
	identity_fini(&other);
}

static void
tells_everything_in_one_run(void **state)
{
	struct text lines = { 0 };
	size_t count = 0;

	made("a", (struct wish){ .name = "a.test" });
	made("b", (struct wish){ .name = "b.test" });
	assert_false(told("certificates:\n- {cert: a.pem, key: b.key}\n- {cert: gone.pem, key: gone.key}\n"
	    "client_auth: require\nclient_ca: gone.ca\n", &checking, &lines));
	for (size_t i = 0; i < lines.len; i++)
		count += lines.bytes[i] == '\n';
	assert_int_equal(count, 4);
	text_fini(&lines);
}

static int
begin(void **state)
{
	directory_enter();
	return 0;
}

static int
end(void **state)
{
	directory_leave();
	return 0;
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(keys_demand_each_other),
		IN_DIRECTORY(refuses_ciphers_that_do_not_exist),
		IN_DIRECTORY(names_the_files_of_a_bad_pair),
		IN_DIRECTORY(never_quotes_a_key),
		IN_DIRECTORY(looks_at_dates_when_it_should),
		IN_DIRECTORY(warns_of_what_clients_stumble_over),
		IN_DIRECTORY(judges_the_authorities_of_clients),
		IN_DIRECTORY(judges_staples),
		IN_DIRECTORY(tells_everything_in_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
