/* rooms: base loop net conf */
/*
 * A listener's TLS against OpenSSL as the client, over a socket pair: which certificate, which protocol, who comes in,
 * and what a ticket opens.
 */
#include "net/tls_server.h"

#include "net/tls.h"
#include "pki.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

/* -- a server from a configuration --------------------------------------------------------------------------------- */

struct setup {
	struct conf			*conf;
	struct conf_problems		 problems;
	struct arena			 arena;
	struct tls_listen_options	 options;
	struct tls_server		*server;
	struct text			 told;
};

static const char *const both[] = { "h2", "http/1.1", NULL };

/* The ring of a test: one key, whose age is what the test says. */
static enum tls_ticket_age ring_age;
static bool ring_is_empty;

static bool
ring_newest(const void *owner, struct tls_ticket_key *key_out)
{
	memset(key_out, 7, sizeof(*key_out));
	return !ring_is_empty;
}

static enum tls_ticket_age
ring_find(const void *owner, const unsigned char name[16], struct tls_ticket_key *key_out)
{
	memset(key_out, 7, sizeof(*key_out));
	return memcmp(name, key_out->name, 16) == 0 ? ring_age : TLS_TICKET_UNKNOWN;
}

static const struct tls_ticket_keys ring = { .newest = ring_newest, .find = ring_find };

static void
setup_fini(struct setup *setup)
{
	tls_server_unref(setup->server);
	conf_free(setup->conf);
	conf_problems_fini(&setup->problems);
	arena_fini(&setup->arena);
	text_fini(&setup->told);
	*setup = (struct setup){ 0 };
}

static bool
setup_read(struct setup *setup, const char *yaml, const struct tls_server_place *place)
{
	struct option_reader reader;
	const struct conf_node *root;

	setup_fini(setup);
	conf_problems_init(&setup->problems);
	arena_init(&setup->arena, 1024);
	put_text("tls.yaml", yaml);
	setup->conf = conf_load("tls.yaml", &setup->problems);
	assert_non_null(setup->conf);
	root = conf_root(setup->conf);
	option_reader_init(&reader, setup->conf, &setup->arena, &setup->problems);
	if (option_read(&reader, &tls_listen_group, root, &setup->options))
		setup->server = tls_server_create(&setup->options, root, &reader, place);
	assert_string_equal(reader.path, "");
	conf_problems_sort(&setup->problems);
	conf_problems_format(&setup->problems, &setup->told);
	text_add_text(&setup->told, "");
	assert_int_equal(ERR_peek_error(), 0);
	return setup->server != NULL;
}

static void
setup_good(struct setup *setup, const char *yaml)
{
	const struct tls_server_place place = { .protocols = both, .tickets = &ring, .checks_dates = true };

	if (!setup_read(setup, yaml, &place))
		fail_msg("%s", setup->told.bytes);
	assert_string_equal(setup->told.bytes, "");
}

/* -- one handshake ------------------------------------------------------------------------------------------------- */

struct meeting {
	/* What the client says; zero: TLS 1.3, nothing else. */
	const char			*name;
	const char			*protocols;	/* as ALPN writes them */
	int				 version;
	const char			*ciphers;
	const char			*signatures;
	const char			*groups;
	const struct identity		*identity;
	SSL_SESSION			*session;	/* owned: tried, then the one that came */
	bool				 wants_staple;
	/* What came of it. */
	SSL_CTX				*context;
	SSL				*client;
	struct tls			*server;
	int				 fds[2];
	struct tls_client_identity	*seen;
	int				 alert;		/* the client was told */
};

static struct meeting *met;

static int
session_keep(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(met->session);
	met->session = session;
	return 1;
}

static void
alert_hear(const SSL *ssl, int where, int value)
{
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
		met->alert = value & 0xff;
}

static void
client_make(struct meeting *meeting)
{
	int version = meeting->version ? meeting->version : TLS1_3_VERSION;

	meeting->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(meeting->context, version);
	SSL_CTX_set_max_proto_version(meeting->context, version);
	SSL_CTX_set_session_cache_mode(meeting->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(meeting->context, session_keep);
	if (meeting->ciphers)
		assert_true(SSL_CTX_set_cipher_list(meeting->context, meeting->ciphers));
	if (meeting->signatures)
		assert_true(SSL_CTX_set1_sigalgs_list(meeting->context, meeting->signatures));
	if (meeting->groups)
		assert_true(SSL_CTX_set1_groups_list(meeting->context, meeting->groups));
	if (meeting->identity)
		assert_true(SSL_CTX_use_cert_and_key(meeting->context, meeting->identity->certificate,
		    meeting->identity->key, NULL, 1));
	meeting->client = SSL_new(meeting->context);
	SSL_set_info_callback(meeting->client, alert_hear);
	if (meeting->name)
		SSL_set_tlsext_host_name(meeting->client, meeting->name);
	if (meeting->protocols)
		SSL_set_alpn_protos(meeting->client, (const unsigned char *)meeting->protocols,
		    (unsigned)strlen(meeting->protocols));
	if (meeting->wants_staple)
		SSL_set_tlsext_status_type(meeting->client, TLSEXT_STATUSTYPE_ocsp);
	if (meeting->session)
		SSL_set_session(meeting->client, meeting->session);
	SSL_set_fd(meeting->client, meeting->fds[1]);
	SSL_set_connect_state(meeting->client);
}

static void
meeting_end(struct meeting *meeting)
{
	SSL_set_shutdown(meeting->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(meeting->client);
	SSL_CTX_free(meeting->context);
	tls_free(meeting->server);
	close(meeting->fds[0]);
	close(meeting->fds[1]);
	memory_free(meeting->seen);
	meeting->seen = NULL;
	ERR_clear_error();
}

/* Both take their steps until neither has more to say. */
static bool
steps_take(struct meeting *meeting)
{
	enum stream_result ours = STREAM_AGAIN;
	int theirs = 0;
	char byte;

	for (int i = 0; i < 20 && ours != STREAM_BROKEN && ours != STREAM_END; i++) {
		theirs = SSL_do_handshake(meeting->client);
		if (ours != STREAM_OK)
			ours = tls_handshake(meeting->server);
		tls_flush(meeting->server);
	}
	SSL_read(meeting->client, &byte, 1);	/* tickets, or the alert */
	return theirs == 1 && ours == STREAM_OK && meeting->alert == 0;
}

/* meeting_end() when looked at. */
static bool
meet(const struct setup *setup, struct meeting *meeting)
{
	bool ok;

	met = meeting;
	meeting->alert = 0;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, meeting->fds), 0);
	client_make(meeting);
	meeting->server = tls_server_accept(setup->server, meeting->fds[0]);
	ok = steps_take(meeting);
	meeting->seen = ok ? tls_client_identity_create(meeting->server) : NULL;
	return ok;
}

static const char *
common_name(const struct meeting *meeting)
{
	static char name[128];
	X509 *shown = SSL_get0_peer_certificate(meeting->client);

	name[0] = '\0';
	if (shown)
		X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof(name));
	return name;
}

static void
meeting_forget(struct meeting *meeting)
{
	SSL_SESSION_free(meeting->session);
	meeting->session = NULL;
}

/* The certificate that is shown to who asks for that name. */
static void
assert_shown(const struct setup *setup, const char *name, const char *expected)
{
	struct meeting meeting = { .name = name };

	assert_true(meet(setup, &meeting));
	if (strcmp(common_name(&meeting), expected) != 0)
		fail_msg("%s was shown %s, not %s", name ? name : "(no name)", common_name(&meeting), expected);
	meeting_end(&meeting);
	meeting_forget(&meeting);
}

/* -- names --------------------------------------------------------------------------------------------------------- */

static void
made(const char *file, struct wish wish)
{
	struct identity identity = identity_make(&wish);

	put_identity(file, &identity, NULL);
	identity_fini(&identity);
}

static void
picks_by_name(void **state)
{
	struct setup setup = { 0 };

	made("first", (struct wish){ .name = "first", .san = "DNS:first.test,DNS:shared.example.test" });
	made("wild", (struct wish){ .name = "wild", .san = "DNS:*.example.test,DNS:*.Deep.example.test" });
	made("api", (struct wish){ .name = "api", .san = "DNS:API.example.test" });
	made("plain", (struct wish){ .name = "plain.test" });
	setup_good(&setup, "certificates:\n- {cert: first.pem, key: first.key}\n- {cert: wild.pem, key: wild.key}\n"
	    "- {cert: api.pem, key: api.key}\n- {cert: plain.pem, key: plain.key}\n");
	assert_shown(&setup, "api.example.test", "api");
	assert_shown(&setup, "Api.Example.TEST", "api");
	assert_shown(&setup, "api.example.test.", "api");
	assert_shown(&setup, "www.example.test.", "wild");
	assert_shown(&setup, ".", "first");
	assert_shown(&setup, "www.example.test", "wild");
	assert_shown(&setup, "WWW.example.test", "wild");
	assert_shown(&setup, "x.deep.example.test", "wild");
	assert_shown(&setup, "shared.example.test", "first");
	assert_shown(&setup, "plain.test", "plain.test");
	assert_shown(&setup, "a.b.example.test", "first");
	assert_shown(&setup, "example.test", "first");
	assert_shown(&setup, "unknown.test", "first");
	assert_shown(&setup, "localhost", "first");
	assert_shown(&setup, NULL, "first");
	setup_fini(&setup);
}

/* A client whose first key share is of no use says hello twice (RFC 8446 §4.1.4): name, protocol and ticket hold. */
static void
picks_by_name_after_a_retry(void **state)
{
	struct meeting meeting = { .name = "b.test", .protocols = "\x8http/1.1", .groups = "P-521:P-384" };
	struct setup setup = { 0 };
	struct tls_facts facts;

	made("a", (struct wish){ .name = "a.test" });
	made("b", (struct wish){ .name = "b.test" });
	setup_good(&setup, "certificates:\n- {cert: a.pem, key: a.key}\n- {cert: b.pem, key: b.key}\n");
	ring_age = TLS_TICKET_CURRENT;
	for (int i = 0; i < 2; i++) {
		assert_true(meet(&setup, &meeting));
		assert_string_equal(common_name(&meeting), "b.test");
		assert_int_equal(SSL_session_reused(meeting.client), i);
		tls_facts(meeting.server, &facts);
		assert_true(span_is(facts.protocol, "http/1.1"));
		meeting_end(&meeting);
	}
	meeting_forget(&meeting);
	setup_fini(&setup);
}

static void
has_two_kinds_side_by_side(void **state)
{
	static const struct { const char *name, *signatures, *expected; } rows[] = {
		{ "a.test", "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", "ec" },
		{ "a.test", "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "ec" },	/* the cheaper one */
		{ "a.test", "rsa_pss_rsae_sha256", "rsa" },
		{ "a.test", "ecdsa_secp256r1_sha256", "ec" },
		{ NULL, "rsa_pss_rsae_sha256", "rsa" },
		{ "www.a.test", "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", "ec" },
		{ "only.test", "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "rsa" },
	};
	struct setup setup = { 0 };
	size_t count;

	made("ec", (struct wish){ .name = "ec", .san = "DNS:a.test,DNS:www.a.test" });
	made("rsa", (struct wish){ .name = "rsa", .san = "DNS:a.test,DNS:only.test", .key = rsa_key(2048) });
	setup_good(&setup, "certificates:\n- {cert: ec.pem, key: ec.key}\n- {cert: rsa.pem, key: rsa.key}\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct meeting meeting = { .name = rows[i].name, .signatures = rows[i].signatures };

		assert_true(meet(&setup, &meeting));
		assert_string_equal(common_name(&meeting), rows[i].expected);
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	assert_string_equal(tls_server_certificates(setup.server, &count)[1].kind, "RSA 2048");
	assert_int_equal(count, 2);
	setup_fini(&setup);
}

static void
sends_the_chain_and_nothing_else(void **state)
{
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity middle = identity_make(&(struct wish){ .name = "M", .is_authority = true, .issuer = &root });
	struct identity leaf = identity_make(&(struct wish){ .name = "a.test", .issuer = &middle });
	struct meeting meeting = { 0 };
	struct setup setup = { 0 };

	put_identity("leaf", &leaf, &middle);
	put_identity("bare", &leaf, NULL);
	put_identity("root", &root, NULL);
	setup_good(&setup, "certificates: {cert: leaf.pem, key: leaf.key}\n");
	assert_true(meet(&setup, &meeting));
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(meeting.client)), 2);
	meeting_end(&meeting);
	meeting_forget(&meeting);
	/* The authorities of clients do not complete it. */
	put_identity("middle", &middle, NULL);
	setup_good(&setup, "certificates: {cert: bare.pem, key: bare.key}\nclient_auth: request\n"
	    "client_ca: middle.pem\n");
	assert_true(meet(&setup, &meeting));
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(meeting.client)), 1);
	meeting_end(&meeting);
	meeting_forget(&meeting);
	setup_fini(&setup);
	identity_fini(&root);
	identity_fini(&middle);
	identity_fini(&leaf);
}

/* -- versions, ciphers, protocols ---------------------------------------------------------------------------------- */

static void
speaks_what_it_should(void **state)
{
	static const struct { const char *more; int version; const char *ciphers; bool ok; } rows[] = {
		{ "", TLS1_2_VERSION, NULL, true },
		{ "", TLS1_3_VERSION, NULL, true },
		{ "", TLS1_1_VERSION, "ALL:@SECLEVEL=0", false },
		{ "", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false },
		{ "", TLS1_2_VERSION, "AES128-GCM-SHA256", false },
		{ "", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true },
		{ "min_version: '1.3'\n", TLS1_2_VERSION, NULL, false },
		{ "min_version: '1.3'\n", TLS1_3_VERSION, NULL, true },
		{ "min_version: 1.3\n", TLS1_3_VERSION, NULL, true },
		{ "ciphers: ECDHE-ECDSA-AES256-GCM-SHA384\n", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", false },
		{ "ciphers: ECDHE-ECDSA-AES256-GCM-SHA384\n", TLS1_2_VERSION, NULL, true },
	};
	struct setup setup = { 0 };
	struct text yaml = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct meeting meeting = { .version = rows[i].version, .ciphers = rows[i].ciphers };

		text_clear(&yaml);
		text_format(&yaml, "certificates: {cert: a.pem, key: a.key}\n%s", rows[i].more);
		setup_good(&setup, yaml.bytes);
		if (meet(&setup, &meeting) != rows[i].ok)
			fail_msg("row %zu", i);
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	text_fini(&yaml);
	setup_fini(&setup);
}

static void
prefers_short_keys_but_chacha_where_it_is_wanted(void **state)
{
	static const struct { const char *asked, *expected; } orders[] = {
		{ "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
		    "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384" },
	};
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct meeting meeting = { .version = TLS1_2_VERSION, .ciphers = orders[i].asked };
		struct tls_facts facts;

		assert_true(meet(&setup, &meeting));
		tls_facts(meeting.server, &facts);
		assert_string_equal(facts.cipher, orders[i].expected);
		assert_null(SSL_get_current_compression(meeting.client));
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
}

static void
agrees_on_a_protocol(void **state)
{
	static const struct { const char *offer, *expected; int alert; } rows[] = {
		{ "\x8http/1.1\x2h2", "h2", 0 },
		{ "\x8http/1.1", "http/1.1", 0 },
		{ "\x2h2", "h2", 0 },
		{ "\x6spdy/3\x8http/1.1", "http/1.1", 0 },
		{ NULL, "", 0 },
		{ "\x6spdy/3", "", SSL_AD_NO_APPLICATION_PROTOCOL },
		{ "\x3h2x", "", SSL_AD_NO_APPLICATION_PROTOCOL },
	};
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			struct meeting meeting = { .protocols = rows[i].offer, .version = version };
			struct tls_facts facts;

			assert_int_equal(meet(&setup, &meeting), rows[i].alert == 0);
			assert_int_equal(meeting.alert, rows[i].alert);
			tls_facts(meeting.server, &facts);
			assert_true(span_is(facts.protocol, rows[i].expected));
			meeting_end(&meeting);
			meeting_forget(&meeting);
		}
	}
	setup_fini(&setup);
}

/* RFC 9113 §9.2.2: a cipher that it prohibits, which only `ciphers` can allow, takes HTTP/2 off the table. */
static void
speaks_http1_under_ciphers_that_http2_prohibits(void **state)
{
	static const struct { const char *cipher, *offer, *expected; bool ok; } rows[] = {
		{ "ECDHE-ECDSA-AES128-GCM-SHA256", "\x2h2\x8http/1.1", "h2", true },
		{ "ECDHE-ECDSA-AES128-SHA256", "\x2h2\x8http/1.1", "http/1.1", true },
		{ "ECDHE-ECDSA-AES128-SHA256", "\x2h2", "", false },
		{ "AES128-GCM-SHA256", "\x2h2\x8http/1.1", "http/1.1", true },
	};
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	made("r", (struct wish){ .name = "r.test", .key = rsa_key(2048) });
	setup_good(&setup, "certificates: [{cert: a.pem, key: a.key}, {cert: r.pem, key: r.key}]\n"
	    "ciphers: ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256\n");
	ring_age = TLS_TICKET_CURRENT;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct meeting meeting = { .version = TLS1_2_VERSION, .ciphers = rows[i].cipher,
			.protocols = rows[i].offer, .name = rows[i].cipher[0] == 'A' ? "r.test" : "a.test" };
		struct tls_facts facts;

		for (int resumed = 0; resumed < 2; resumed++) {
			assert_int_equal(meet(&setup, &meeting), rows[i].ok);
			assert_int_equal(SSL_session_reused(meeting.client), resumed && rows[i].ok);
			tls_facts(meeting.server, &facts);
			assert_true(span_is(facts.protocol, rows[i].expected));
			meeting_end(&meeting);
		}
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
}

/* -- tickets ------------------------------------------------------------------------------------------------------- */

static bool
is_resumed(const struct setup *setup, struct meeting *meeting)
{
	bool resumed;

	assert_true(meet(setup, meeting));
	resumed = SSL_session_reused(meeting->client);
	meeting_end(meeting);
	return resumed;
}

/* Whether the connection brought a ticket that is not the one it began with. */
static bool
is_ticket_new(const struct setup *setup, struct meeting *meeting)
{
	const unsigned char *before, *after;
	SSL_SESSION *first = meeting->session;
	size_t before_len, after_len;
	SSL_SESSION *now;
	bool is_new;

	SSL_SESSION_up_ref(first);
	SSL_SESSION_get0_ticket(first, &before, &before_len);
	assert_true(meet(setup, meeting));
	assert_true(SSL_session_reused(meeting->client));
	now = meeting->version == TLS1_2_VERSION ? SSL_get_session(meeting->client) : meeting->session;
	SSL_SESSION_get0_ticket(now, &after, &after_len);
	is_new = !span_equal(span_make((const char *)before, before_len), span_make((const char *)after, after_len));
	meeting_end(meeting);
	SSL_SESSION_free(first);
	return is_new;
}

static void
resumes_by_ticket(void **state)
{
	struct setup setup = { 0 }, reloaded = { 0 };

	made("a", (struct wish){ .name = "a.test", .san = "DNS:a.test,DNS:b.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	made("b", (struct wish){ .name = "a.test", .san = "DNS:a.test,DNS:b.test" });
	setup_good(&reloaded, "certificates: {cert: b.pem, key: b.key}\n");
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .name = "a.test", .version = version };
		struct tls_facts facts;

		ring_age = TLS_TICKET_CURRENT;
		assert_false(is_resumed(&setup, &meeting));
		assert_non_null(meeting.session);
		assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(meeting.session), 12 * 3600, 24 * 3600);
		assert_true(is_resumed(&setup, &meeting));
		/* Another certificate, another server: the same names and rules. */
		assert_true(is_resumed(&reloaded, &meeting));
		/* Under an older key it still opens, and brings a new one. */
		ring_age = TLS_TICKET_OLD;
		assert_true(is_ticket_new(&setup, &meeting));
		ring_age = TLS_TICKET_UNKNOWN;
		assert_false(is_resumed(&setup, &meeting));
		/* The name is told on a resumed connection as well. */
		ring_age = TLS_TICKET_CURRENT;
		assert_true(meet(&setup, &meeting));
		assert_true(SSL_session_reused(meeting.client));
		tls_facts(meeting.server, &facts);
		assert_true(facts.is_resumed);
		assert_true(span_is(facts.server_name, "a.test"));
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
	setup_fini(&reloaded);
}

static void
binds_tickets_to_the_name(void **state)
{
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test", .san = "DNS:a.test,DNS:b.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	ring_age = TLS_TICKET_CURRENT;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .name = "a.test", .version = version };

		assert_false(is_resumed(&setup, &meeting));
		meeting.name = "A.Test";
		assert_true(is_resumed(&setup, &meeting));
		meeting.name = "b.test";
		assert_false(is_resumed(&setup, &meeting));
		meeting.name = NULL;
		assert_false(is_resumed(&setup, &meeting));
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
}

/* A ring without a key costs resumption, never a connection. */
static void
serves_without_ticket_keys(void **state)
{
	const struct tls_server_place no_ring = { .protocols = both };
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	ring_is_empty = true;
	ring_age = TLS_TICKET_CURRENT;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .version = version };

		assert_false(is_resumed(&setup, &meeting));
		assert_false(is_resumed(&setup, &meeting));
		meeting_forget(&meeting);
	}
	ring_is_empty = false;
	assert_true(setup_read(&setup, "certificates: {cert: a.pem, key: a.key}\n", &no_ring));
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .version = version };

		assert_false(is_resumed(&setup, &meeting));
		assert_false(is_resumed(&setup, &meeting));
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
}

/* -- clients' certificates ----------------------------------------------------------------------------------------- */

struct clients {
	struct identity	authority;
	struct identity	good;
	struct identity	stranger;	/* signed by itself */
	struct identity	late;
	struct identity	server;		/* certified, but as a server */
	struct identity	revoked;
};

static struct clients
clients_make(void)
{
	struct clients made = { .authority = identity_make(&(struct wish){ .name = "CA", .is_authority = true }) };

	made.good = identity_make(&(struct wish){ .name = "billing", .issuer = &made.authority, .is_for_clients = true,
	    .san = "DNS:billing.example.com,URI:spiffe://example/billing,email:b@example.com,IP:192.0.2.7" });
	made.stranger = identity_make(&(struct wish){ .name = "stranger", .is_for_clients = true });
	made.late = identity_make(&(struct wish){ .name = "late", .issuer = &made.authority, .is_for_clients = true,
	    .from = -9 * DAY, .until = -DAY });
	made.server = identity_make(&(struct wish){ .name = "server", .issuer = &made.authority });
	made.revoked = identity_make(&(struct wish){ .name = "revoked", .issuer = &made.authority,
	    .is_for_clients = true, .serial = 77 });
	put_identity("ca", &made.authority, NULL);
	return made;
}

static void
clients_fini(struct clients *clients)
{
	identity_fini(&clients->authority);
	identity_fini(&clients->good);
	identity_fini(&clients->stranger);
	identity_fini(&clients->late);
	identity_fini(&clients->server);
	identity_fini(&clients->revoked);
}

static bool
is_over(const struct identity *identity)
{
	return identity && X509_cmp_current_time(X509_get0_notAfter(identity->certificate)) < 0;
}

/* name NULL: no identity is seen. */
static void
assert_let_in(const struct setup *setup, const struct identity *identity, bool in, const char *name)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .name = "a.test", .version = version, .identity = identity };

		assert_int_equal(meet(setup, &meeting), in);
		if (name == NULL)
			assert_null(meeting.seen);
		else
			assert_string_equal(meeting.seen->subject.at, name);
		meeting_end(&meeting);
		/* What was seen the first time is seen with the ticket, no more and no less. */
		if (in) {
			assert_true(meet(setup, &meeting));
			assert_int_equal(SSL_session_reused(meeting.client), !is_over(identity));
			if (name == NULL)
				assert_null(meeting.seen);
			else
				assert_string_equal(meeting.seen->subject.at, name);
			meeting_end(&meeting);
		}
		meeting_forget(&meeting);
	}
}

#define REQUIRE "certificates: {cert: a.pem, key: a.key}\nclient_auth: require\nclient_ca: ca.pem\n"
#define REQUEST "certificates: {cert: a.pem, key: a.key}\nclient_auth: request\nclient_ca: ca.pem\n"

static void
asks_clients_who_they_are(void **state)
{
	struct clients clients = clients_make();
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	ring_age = TLS_TICKET_CURRENT;
	setup_good(&setup, REQUIRE);
	assert_let_in(&setup, &clients.good, true, "CN=billing");
	assert_let_in(&setup, NULL, false, NULL);
	assert_let_in(&setup, &clients.stranger, false, NULL);
	assert_let_in(&setup, &clients.late, false, NULL);
	assert_let_in(&setup, &clients.server, false, NULL);
	setup_good(&setup, REQUEST);
	assert_let_in(&setup, &clients.good, true, "CN=billing");
	assert_let_in(&setup, NULL, true, NULL);
	assert_let_in(&setup, &clients.stranger, true, NULL);
	assert_let_in(&setup, &clients.late, true, NULL);
	assert_let_in(&setup, &clients.server, true, NULL);
	/* Nobody asks: nothing is seen. */
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	assert_let_in(&setup, &clients.good, true, NULL);
	setup_fini(&setup);
	clients_fini(&clients);
}

/* Also when the connection moves to the context of another certificate. */
static void
asks_under_every_name(void **state)
{
	struct clients clients = clients_make();
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "first.test" });
	made("b", (struct wish){ .name = "a.test" });
	setup_good(&setup, "certificates:\n- {cert: a.pem, key: a.key}\n- {cert: b.pem, key: b.key}\n"
	    "client_auth: require\nclient_ca: ca.pem\n");
	assert_let_in(&setup, &clients.good, true, "CN=billing");
	assert_let_in(&setup, NULL, false, NULL);
	assert_let_in(&setup, &clients.stranger, false, NULL);
	setup_fini(&setup);
	clients_fini(&clients);
}

static void
shows_who_the_client_is(void **state)
{
	struct clients clients = clients_make();
	struct meeting meeting = { .identity = &clients.good };
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	setup_good(&setup, REQUIRE);
	assert_true(meet(&setup, &meeting));
	assert_string_equal(meeting.seen->subject.at, "CN=billing");
	assert_string_equal(meeting.seen->san.at, "billing.example.com, spiffe://example/billing, b@example.com, "
	    "192.0.2.7");
	assert_int_equal(meeting.seen->fingerprint.len, 64);
	assert_int_equal(strlen(meeting.seen->fingerprint.at), 64);
	/* The client is told which authorities count. */
	assert_int_equal(sk_X509_NAME_num(SSL_get_client_CA_list(meeting.client)), 1);
	meeting_end(&meeting);
	meeting_forget(&meeting);
	setup_fini(&setup);
	clients_fini(&clients);
}

/* A ticket never opens a door that asks for more, or for others. */
static void
binds_tickets_to_the_rules(void **state)
{
	struct clients clients = clients_make();
	struct identity other = identity_make(&(struct wish){ .name = "CA", .is_authority = true });
	struct setup open = { 0 }, asking = { 0 }, closed = { 0 }, elsewhere = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	put_identity("other", &other, NULL);
	ring_age = TLS_TICKET_CURRENT;
	setup_good(&open, "certificates: {cert: a.pem, key: a.key}\n");
	setup_good(&asking, REQUEST);
	setup_good(&closed, REQUIRE);
	setup_good(&elsewhere, "certificates: {cert: a.pem, key: a.key}\nclient_auth: require\nclient_ca: other.pem\n");
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct meeting meeting = { .name = "a.test", .version = version };

		assert_false(is_resumed(&open, &meeting));
		assert_true(is_resumed(&open, &meeting));
		assert_false(meet(&closed, &meeting));
		meeting_end(&meeting);
		meeting_forget(&meeting);
		assert_false(is_resumed(&asking, &meeting));
		assert_false(meet(&closed, &meeting));
		meeting_end(&meeting);
		meeting_forget(&meeting);
		meeting.identity = &clients.good;
		assert_false(is_resumed(&closed, &meeting));
		assert_true(is_resumed(&closed, &meeting));
		assert_false(meet(&elsewhere, &meeting));
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	setup_fini(&open);
	setup_fini(&asking);
	setup_fini(&closed);
	setup_fini(&elsewhere);
	identity_fini(&other);
	clients_fini(&clients);
}

/* The ticket is good for a day; whom it remembers only for two seconds more. */
static void
forgets_clients_whose_time_is_over(void **state)
{
	struct clients clients = clients_make();
	struct identity brief = identity_make(&(struct wish){ .name = "brief", .issuer = &clients.authority,
	    .is_for_clients = true, .until = 2 });
	struct meeting meeting = { .identity = &brief };
	time_t end = time(NULL) + 10;
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	ring_age = TLS_TICKET_CURRENT;
	setup_good(&setup, REQUEST);
	assert_true(meet(&setup, &meeting));
	assert_non_null(meeting.seen);
	meeting_end(&meeting);
	while (X509_cmp_current_time(X509_get0_notAfter(brief.certificate)) > 0 && time(NULL) < end)
		usleep(50 * 1000);
	assert_true(meet(&setup, &meeting));
	assert_false(SSL_session_reused(meeting.client));
	assert_null(meeting.seen);
	meeting_end(&meeting);
	meeting_forget(&meeting);
	setup_fini(&setup);
	identity_fini(&brief);
	clients_fini(&clients);
}

#define WITH_CRL REQUIRE "client_crl: crl.pem\n"

static void
refuses_the_revoked(void **state)
{
	const struct tls_server_place place = { .tickets = &ring };
	struct clients clients = clients_make();
	struct identity other = identity_make(&(struct wish){ .name = "other", .is_authority = true });
	struct setup setup = { 0 }, later = { 0 };
	struct meeting meeting = { .name = "a.test", .identity = &clients.good };

	made("a", (struct wish){ .name = "a.test" });
	ring_age = TLS_TICKET_CURRENT;
	put_crl("crl.pem", &clients.authority, (const long[]){ 77, 0 }, 7 * DAY);
	setup_good(&setup, WITH_CRL);
	assert_let_in(&setup, &clients.good, true, "CN=billing");
	assert_let_in(&setup, &clients.revoked, false, NULL);
	/* With a newer list tickets are worth nothing. */
	assert_false(is_resumed(&setup, &meeting));
	put_crl("crl.pem", &clients.authority, (const long[]){ 77, 78, 0 }, 7 * DAY);
	setup_good(&later, WITH_CRL);
	assert_false(is_resumed(&later, &meeting));
	meeting_forget(&meeting);
	/* One that is out of date says nothing about today: nobody gets in. */
	put_crl("crl.pem", &clients.authority, (const long[]){ 77, 0 }, -DAY);
	assert_true(setup_read(&setup, WITH_CRL, &place));
	assert_let_in(&setup, &clients.good, false, NULL);
	/* Neither with that of another authority. */
	put_crl("crl.pem", &other, (const long[]){ 77, 0 }, 7 * DAY);
	assert_true(setup_read(&setup, WITH_CRL, &place));
	assert_let_in(&setup, &clients.good, false, NULL);
	setup_fini(&setup);
	setup_fini(&later);
	identity_fini(&other);
	clients_fini(&clients);
}

/* An authority in between may be the anchor; the root above it needs no list then, nor a place in the file. */
static void
takes_any_authority_for_an_anchor(void **state)
{
	struct clients clients = clients_make();
	struct identity middle = identity_make(&(struct wish){ .name = "M", .is_authority = true,
	    .issuer = &clients.authority });
	struct identity below = identity_make(&(struct wish){ .name = "below", .is_for_clients = true,
	    .issuer = &middle });
	struct setup setup = { 0 };
	struct text both_of = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	ring_age = TLS_TICKET_CURRENT;
	put_identity("ca", &middle, NULL);
	put_crl("crl.pem", &middle, (const long[]){ 5, 0 }, 7 * DAY);
	setup_good(&setup, WITH_CRL);
	assert_let_in(&setup, &below, true, "CN=below");
	assert_let_in(&setup, &clients.good, false, NULL);
	pem_of(&both_of, &clients.authority, &middle);
	put("ca.pem", text_span(&both_of));
	setup_good(&setup, WITH_CRL);
	assert_let_in(&setup, &below, true, "CN=below");
	text_fini(&both_of);
	setup_fini(&setup);
	identity_fini(&middle);
	identity_fini(&below);
	clients_fini(&clients);
}

/* -- staples ------------------------------------------------------------------------------------------------------- */

static void
staples_only_what_is_fresh(void **state)
{
	const struct tls_server_place place = { 0 };
	const struct { int status; long from, until; bool is_sent; } rows[] = {
		{ V_OCSP_CERTSTATUS_GOOD, -DAY, DAY, true },
		{ V_OCSP_CERTSTATUS_GOOD, -3 * DAY, -DAY, false },
		{ V_OCSP_CERTSTATUS_GOOD, DAY, 3 * DAY, false },
		{ V_OCSP_CERTSTATUS_REVOKED, -DAY, DAY, false },
		{ V_OCSP_CERTSTATUS_UNKNOWN, -DAY, DAY, false },
	};
	struct identity root = identity_make(&(struct wish){ .name = "R", .is_authority = true });
	struct identity leaf = identity_make(&(struct wish){ .name = "b.test", .issuer = &root });
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	put_identity("leaf", &leaf, &root);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct meeting meeting = { .name = "b.test", .wants_staple = true };
		const unsigned char *staple;

		put_ocsp("leaf.ocsp", &leaf, &root, rows[i].status, rows[i].from, rows[i].until);
		assert_true(setup_read(&setup, "certificates:\n- {cert: a.pem, key: a.key}\n"
		    "- {cert: leaf.pem, key: leaf.key, ocsp: leaf.ocsp}\n", &place));
		assert_true(meet(&setup, &meeting));
		assert_int_equal(SSL_get_tlsext_status_ocsp_resp(meeting.client, &staple) > 0, rows[i].is_sent);
		meeting_end(&meeting);
		/* Not with the certificate of another name. */
		meeting_forget(&meeting);
		meeting.name = "a.test";
		assert_true(meet(&setup, &meeting));
		assert_false(SSL_get_tlsext_status_ocsp_resp(meeting.client, &staple) > 0);
		meeting_end(&meeting);
		meeting_forget(&meeting);
	}
	setup_fini(&setup);
	identity_fini(&root);
	identity_fini(&leaf);
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void
lives_as_long_as_its_connections(void **state)
{
	struct meeting meeting = { .name = "a.test" };
	struct setup setup = { 0 };

	made("a", (struct wish){ .name = "a.test" });
	setup_good(&setup, "certificates: {cert: a.pem, key: a.key}\n");
	met = &meeting;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, meeting.fds), 0);
	client_make(&meeting);
	meeting.server = tls_server_accept(setup.server, meeting.fds[0]);
	setup_fini(&setup);
	assert_true(steps_take(&meeting));
	meeting_end(&meeting);
	meeting_forget(&meeting);
}

static int
begin(void **state)
{
	directory_enter();
	ring_age = TLS_TICKET_CURRENT;
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
		IN_DIRECTORY(picks_by_name),
		IN_DIRECTORY(picks_by_name_after_a_retry),
		IN_DIRECTORY(has_two_kinds_side_by_side),
		IN_DIRECTORY(sends_the_chain_and_nothing_else),
		IN_DIRECTORY(speaks_what_it_should),
		IN_DIRECTORY(prefers_short_keys_but_chacha_where_it_is_wanted),
		IN_DIRECTORY(agrees_on_a_protocol),
		IN_DIRECTORY(speaks_http1_under_ciphers_that_http2_prohibits),
		IN_DIRECTORY(resumes_by_ticket),
		IN_DIRECTORY(binds_tickets_to_the_name),
		IN_DIRECTORY(serves_without_ticket_keys),
		IN_DIRECTORY(asks_clients_who_they_are),
		IN_DIRECTORY(asks_under_every_name),
		IN_DIRECTORY(shows_who_the_client_is),
		IN_DIRECTORY(binds_tickets_to_the_rules),
		IN_DIRECTORY(forgets_clients_whose_time_is_over),
		IN_DIRECTORY(refuses_the_revoked),
		IN_DIRECTORY(takes_any_authority_for_an_anchor),
		IN_DIRECTORY(staples_only_what_is_fresh),
		IN_DIRECTORY(lives_as_long_as_its_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
