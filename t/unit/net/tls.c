/* rooms: base loop net conf */
/* Handshakes of both sides: what is agreed on, what is refused and why, and how often the kernel is asked. */
#include "tls_pair.h"

static void
shakes_as_server(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_tlsext_host_name(pair.peer, "test.example");
	SSL_set_alpn_protos(pair.peer, (const unsigned char *)"\x08http/1.1", 9);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "");
	assert_int_equal(facts.protocol.len, 0);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_string_equal(facts.cipher, "TLS_AES_256_GCM_SHA384");
	assert_true(span_is(facts.protocol, "http/1.1"));
	assert_true(span_is(facts.server_name, "test.example"));
	assert_false(facts.is_resumed);
	assert_false(facts.is_kernel);
	peer_says(&pair, "hello", 5);
	assert_reads(&pair, "hello");
	assert_int_equal(says(&pair, "hello yourself", false), 14);
	assert_heard(&pair, "hello yourself");
	pair_close(&pair);
}

static void
shakes_as_client(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	pair_ready(&pair, TLS_CLIENT);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_int_equal(facts.protocol.len, 0);
	assert_int_equal(facts.server_name.len, 0);
	assert_int_equal(says(&pair, "GET", false), 3);
	assert_heard(&pair, "GET");
	peer_says(&pair, "200", 3);
	assert_reads(&pair, "200");
	pair_close(&pair);
}

static void
shakes_tls12(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	for (enum tls_side side = TLS_SERVER; side <= TLS_CLIENT; side++) {
		pair_open(&pair, side, side == TLS_SERVER ? made.server : made.client,
		    side == TLS_SERVER ? made.client : made.server);
		SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
		assert_int_equal(pair_shake(&pair), STREAM_OK);
		tls_facts(pair.stream.tls, &facts);
		assert_string_equal(facts.version, "TLSv1.2");
		assert_string_equal(facts.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
		assert_int_equal(says(&pair, "hello", false), 5);
		assert_heard(&pair, "hello");
		peer_says(&pair, "hello", 5);
		assert_reads(&pair, "hello");
		pair_close(&pair);
	}
}

/* A flight is one system call each way, and tickets share the answer's. */
static void
shakes_in_few_calls(void **state)
{
	struct pair pair;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ);
	assert_int_equal(calls.receives, 1);
	assert_int_equal(calls.sends, 1);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), 1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_OK);
	assert_int_equal(calls.receives, 2);
	assert_int_equal(calls.sends, 1);
	assert_false(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	says(&pair, "answer", false);
	assert_int_equal(calls.sends, 2);
	assert_heard(&pair, "answer");
	assert_true(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	pair_close(&pair);
}

/* As a client: what it says last leaves with its first request, or when it is told to. */
static void
asks_in_few_calls(void **state)
{
	for (unsigned flushes = 0; flushes < 2; flushes++) {
		struct pair pair;

		pair_open(&pair, TLS_CLIENT, made.client, made.server);
		assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
		wait_for(pair.other, POLLIN);
		assert_int_equal(SSL_do_handshake(pair.peer), -1);
		wait_input(&pair);
		assert_int_equal(stream_handshake(&pair.stream), STREAM_OK);
		assert_int_equal(stream_wants(&pair.stream), WATCH_READ);
		assert_int_equal(calls.sends, 1);
		if (flushes)
			stream_flush(&pair.stream);
		else
			says(&pair, "request", false);
		assert_int_equal(calls.sends, 2);
		wait_for(pair.other, POLLIN);
		assert_int_equal(SSL_do_handshake(pair.peer), 1);
		if (!flushes)
			assert_heard(&pair, "request");
		pair_close(&pair);
	}
}

static void
flushes_tickets(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	assert_int_equal(recv(pair.other, &byte, 1, MSG_PEEK), -1);
	stream_flush(&pair.stream);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, &byte, 1, &count), 0);
	assert_true(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	calls.sends = 0;
	stream_flush(&pair.stream);
	assert_int_equal(calls.sends, 0);
	pair_close(&pair);
}

static SSL_SESSION *
session_of(SSL_CTX *server, SSL_CTX *client)
{
	SSL_SESSION *session;
	struct pair pair;

	pair_open(&pair, TLS_SERVER, server, client);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	session = SSL_get1_session(pair.peer);
	SSL_set_shutdown(pair.peer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	pair_close(&pair);
	return session;
}

static void
resumes(void **state)
{
	struct pair pair;
	struct tls_facts facts;
	SSL_SESSION *session = session_of(made.server, made.client);

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_session(pair.peer, session);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	tls_facts(pair.stream.tls, &facts);
	assert_true(facts.is_resumed);
	pair_close(&pair);
	SSL_SESSION_free(session);
}

/* As a client: a connection that was cut off says nothing against its session. */
static void
keeps_sessions_of_cut_connections(void **state)
{
	struct pair pair;
	SSL_SESSION *session;
	char byte;
	size_t count;

	pair_ready(&pair, TLS_CLIENT);
	peer_says(&pair, "x", 1);
	assert_reads(&pair, "x");
	session = SSL_get1_session(tls_ssl(pair.stream.tls));
	shutdown(pair.other, SHUT_WR);
	assert_int_equal(reads(&pair, &byte, 1, &count), STREAM_BROKEN);
	pair_close(&pair);
	assert_true(SSL_SESSION_is_resumable(session));
	SSL_SESSION_free(session);
}

static void
assert_refuses(struct pair *pair, enum stream_result expected, const char *why)
{
	assert_int_equal(pair_shake(pair), expected);
	assert_string_equal(stream_why(&pair->stream), why);
	assert_false(stream_has_input(&pair->stream));
	assert_int_equal(stream_handshake(&pair->stream), expected);
	pair_close(pair);
}

static void
refuses_certificates(void **state)
{
	SSL_CTX *expired = server_context(&made.expired), *trusting = client_context(&made.expired);
	SSL_CTX *strange = client_context(NULL);
	struct pair pair;

	pair_open(&pair, TLS_CLIENT, trusting, expired);
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: certificate has expired");
	pair_open(&pair, TLS_CLIENT, strange, made.server);
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: self-signed certificate");
	pair_open(&pair, TLS_CLIENT, made.client, made.server);
	SSL_set1_host(tls_ssl(pair.stream.tls), "other.example");
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: hostname mismatch");
	/* The other way round: what the client thinks of ours comes as an alert. */
	pair_open(&pair, TLS_SERVER, made.server, strange);
	assert_refuses(&pair, STREAM_BROKEN, "the peer refused: unknown ca");
	SSL_CTX_free(expired);
	SSL_CTX_free(trusting);
	SSL_CTX_free(strange);
}

/* In TLS 1.3 a client is done before its certificate was judged: the refusal meets its first read, or write. */
static void
is_refused_after_the_handshake(void **state)
{
	SSL_CTX *demanding = server_context(&made.good);
	struct pair pair;
	char byte;
	size_t count;

	SSL_CTX_set_verify(demanding, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	for (unsigned writes = 0; writes < 2; writes++) {
		pair_open(&pair, TLS_CLIENT, made.client, demanding);
		assert_int_equal(SSL_do_handshake(pair.peer), -1);
		while (stream_handshake(&pair.stream) == STREAM_AGAIN)
			SSL_do_handshake(pair.peer);
		stream_flush(&pair.stream);
		wait_for(pair.other, POLLIN);
		assert_int_equal(SSL_do_handshake(pair.peer), -1);
		wait_input(&pair);
		calls.error = writes ? EPIPE : 0;
		if (writes)
			assert_int_equal(stream_write(&pair.stream, &(struct iovec){ &byte, 1 }, 1, false, &count),
			    STREAM_BROKEN);
		else
			assert_int_equal(reads(&pair, &byte, 1, &count), STREAM_BROKEN);
		assert_string_equal(stream_why(&pair.stream), "the peer refused: certificate required");
		assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_BROKEN);
		assert_string_equal(stream_why(&pair.stream), "the peer refused: certificate required");
		pair_close(&pair);
	}
	SSL_CTX_free(demanding);
}

static void
finds_nothing_in_common(void **state)
{
	struct pair pair;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	SSL_set_cipher_list(pair.peer, "ECDHE-RSA-AES128-GCM-SHA256");
	assert_refuses(&pair, STREAM_BROKEN, "no shared cipher");
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_min_proto_version(tls_ssl(pair.stream.tls), TLS1_3_VERSION);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	assert_refuses(&pair, STREAM_BROKEN, "no shared protocol version");
	pair_open(&pair, TLS_CLIENT, made.client, made.server);
	SSL_set_min_proto_version(pair.peer, TLS1_3_VERSION);
	SSL_set_max_proto_version(tls_ssl(pair.stream.tls), TLS1_2_VERSION);
	assert_refuses(&pair, STREAM_BROKEN, "the peer refused: protocol version");
}

/* A peer that sends these bytes, then perhaps FIN. */
static void
assert_shakes_off(const char *bytes, bool ends, enum stream_result expected, const char *why)
{
	struct pair pair;
	enum stream_result result;

	pair_open(&pair, TLS_SERVER, made.server, NULL);
	assert_int_equal(write(pair.other, bytes, strlen(bytes)), strlen(bytes));
	if (ends)
		shutdown(pair.other, SHUT_WR);
	do {
		wait_input(&pair);
	} while ((result = stream_handshake(&pair.stream)) == STREAM_AGAIN && ends);
	assert_int_equal(result, expected);
	if (result != STREAM_AGAIN)
		assert_string_equal(stream_why(&pair.stream), why);
	pair_close(&pair);
}

static void
refuses_what_is_not_tls(void **state)
{
	assert_shakes_off("GET / HTTP/1.1\r\n\r\n", false, STREAM_BROKEN, "the client speaks HTTP without TLS");
	assert_shakes_off("CONNECT a:1 HTTP/1.1\r\n\r\n", false, STREAM_BROKEN, "the client speaks HTTP without TLS");
	assert_shakes_off("SSH-2.0-OpenSSH_9.2\r\n", false, STREAM_BROKEN, "what the peer sent is not TLS");
	assert_shakes_off("", true, STREAM_END, "the peer closed the connection during the handshake");
	assert_shakes_off("\x16\x03\x01\x01", true, STREAM_END, "the peer closed the connection during the handshake");
	assert_shakes_off("\x16\x03\x01\x01", false, STREAM_AGAIN, NULL);
	assert_true(tls_looks_like_http(SPAN_OF("GET / HTTP/1.1")));
	assert_true(tls_looks_like_http(SPAN_OF("g")));
	assert_false(tls_looks_like_http(SPAN_OF("\x16\x03\x01")));
	assert_false(tls_looks_like_http(SPAN_OF("")));
}

static void
notices_resets(void **state)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct pair pair;
	char byte;
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, NULL);
	setsockopt(pair.other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(pair.other);
	pair.other = -1;
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer reset the connection during the handshake");
	pair_close(&pair);
	pair_ready(&pair, TLS_SERVER);
	setsockopt(pair.other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(pair.other);
	pair.other = -1;
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Connection reset by peer");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ &byte, 1 }, 1, false, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Connection reset by peer");
	pair_close(&pair);
}

/* A flight that the socket takes in bits; in TLS 1.2 a full handshake ends with one of ours. */
static void
shakes_through_a_narrow_socket(void **state)
{
	struct pair pair;

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_open(&pair, TLS_SERVER, made.server, made.client);
		SSL_set_max_proto_version(pair.peer, version);
		calls.send_most = 7;
		assert_int_equal(pair_shake(&pair), STREAM_OK);
		pair_close(&pair);
	}
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	calls.is_full = true;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ | WATCH_WRITE);
	calls.is_full = false;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	pair_close(&pair);
}

/* Bytes in any pieces, EAGAIN and EINTR at any place. */
static void
shakes_in_any_mood(void **state)
{
	struct pair pair;

	for (uint32_t seed = 0; seed < 40; seed++) {
		enum tls_side side = seed & 1 ? TLS_CLIENT : TLS_SERVER;

		pair_open(&pair, side, side == TLS_SERVER ? made.server : made.client,
		    side == TLS_SERVER ? made.client : made.server);
		SSL_set_max_proto_version(pair.peer, seed & 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		calls.is_moody = true;
		calls.chance = seed * 7919;
		assert_int_equal(pair_shake(&pair), STREAM_OK);
		pair_close(&pair);
	}
}

/* Whoever wants to see how a connection begins has to read its beginning. */
static void
takes_what_was_read_before(void **state)
{
	struct pair pair;
	char bytes[2000];
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	count = (size_t)recv(pair.stream.fd, bytes, sizeof(bytes), 0);
	assert_false(tls_looks_like_http(span_make(bytes, count)));
	tls_give(pair.stream.tls, span_make(bytes, count));
	calls.receives = 0;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(calls.receives, 0);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	pair_close(&pair);
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	tls_give(pair.stream.tls, span_make(bytes, 20));
	tls_give(pair.stream.tls, span_make(bytes, 0));
	pair_close(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shakes_as_server),
		cmocka_unit_test(shakes_as_client),
		cmocka_unit_test(shakes_tls12),
		cmocka_unit_test(shakes_in_few_calls),
		cmocka_unit_test(asks_in_few_calls),
		cmocka_unit_test(flushes_tickets),
		cmocka_unit_test(resumes),
		cmocka_unit_test(keeps_sessions_of_cut_connections),
		cmocka_unit_test(refuses_certificates),
		cmocka_unit_test(is_refused_after_the_handshake),
		cmocka_unit_test(finds_nothing_in_common),
		cmocka_unit_test(refuses_what_is_not_tls),
		cmocka_unit_test(notices_resets),
		cmocka_unit_test(shakes_through_a_narrow_socket),
		cmocka_unit_test(shakes_in_any_mood),
		cmocka_unit_test(takes_what_was_read_before),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
