/* rooms: base loop net conf */
/* What is read: records in any pieces, what waits inside, and how it ends. */
#include "tls_pair.h"

static void
reads_many_records_at_once(void **state)
{
	struct pair pair;
	char bytes[100];
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	for (unsigned i = 0; i < 3; i++)
		peer_says(&pair, made.bytes + 40 * i, 40);
	wait_bytes(&pair, 3 * (40 + 22));
	calls.receives = 0;
	assert_int_equal(stream_read(&pair.stream, bytes, 60, &count), STREAM_OK);
	assert_int_equal(count, 60);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes + 60, 40, &count), STREAM_OK);
	assert_int_equal(count, 40);
	assert_memory_equal(bytes, made.bytes, 100);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_OK);
	assert_int_equal(count, 20);
	assert_memory_equal(bytes, made.bytes + 100, 20);
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(calls.receives, 1);
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_AGAIN);
	assert_int_equal(calls.receives, 2);
	pair_close(&pair);
}

/* A record that has come whole fills the room exactly; of the next only a part is there: that is not input. */
static void
waits_for_whole_records(void **state)
{
	BIO *out = BIO_new(BIO_s_mem());
	struct pair pair;
	char bytes[100], *sealed;
	size_t count, length;

	pair_ready(&pair, TLS_SERVER);
	SSL_set0_wbio(pair.peer, out);
	assert_int_equal(SSL_write_ex(pair.peer, made.bytes, 50, &count), 1);
	assert_int_equal(SSL_write_ex(pair.peer, made.bytes, 50, &count), 1);
	length = (size_t)BIO_get_mem_data(out, &sealed);
	assert_int_equal(write(pair.other, sealed, length - 10), length - 10);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_OK);
	assert_int_equal(count, 50);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_AGAIN);
		assert_int_equal(count, 0);
		assert_false(stream_has_input(&pair.stream));
	}
	assert_int_equal(write(pair.other, sealed + length - 10, 10), 10);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_OK);
	assert_int_equal(count, 50);
	assert_false(stream_has_input(&pair.stream));
	pair_close(&pair);
}

/* The first request may come in the same packet as the end of the handshake: no readiness tells of it. */
static void
has_what_came_with_the_handshake(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), 1);
	assert_int_equal(SSL_write_ex(pair.peer, "GET", 3, &count), 1);
	wait_bytes(&pair, 80 + 3 + 22);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_OK);
	assert_true(stream_has_input(&pair.stream));
	assert_reads(&pair, "GET");
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_AGAIN);
	pair_close(&pair);
}

static void
reads_a_lot(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	size_t said = 0, heard = 0, count;

	for (unsigned moody = 0; moody < 2; moody++) {
		pair_ready(&pair, TLS_SERVER);
		SSL_set_mode(pair.peer, SSL_MODE_ENABLE_PARTIAL_WRITE);
		calls.is_moody = moody;
		said = heard = 0;
		while (heard < PLENTY) {
			size_t room = 1 + (heard * 7) % 40000;

			if (said < PLENTY && SSL_write_ex(pair.peer, made.bytes + said, PLENTY - said, &count))
				said += count;
			if (room > PLENTY - heard)
				room = PLENTY - heard;
			if (stream_read(&pair.stream, got + heard, room, &count) == STREAM_AGAIN)
				assert_false(stream_has_input(&pair.stream));
			heard += count;
		}
		assert_memory_equal(got, made.bytes, PLENTY);
		pair_close(&pair);
	}
	memory_free(got);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

static void
hears_the_end(void **state)
{
	struct pair pair;
	char bytes[10];
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "last", 4);
	SSL_shutdown(pair.peer);
	wait_bytes(&pair, 4 + 22 + 2 + 22);
	/* No FIN: after this nothing makes the socket readable again. */
	assert_int_equal(stream_read(&pair.stream, bytes, 4, &count), STREAM_OK);
	assert_int_equal(count, 4);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	assert_int_equal(count, 0);
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	/* He is done, we are not. */
	says(&pair, "answer", false);
	pair_close(&pair);
	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "last", 4);
	SSL_shutdown(pair.peer);
	wait_bytes(&pair, 4 + 22 + 2 + 22);
	assert_reads(&pair, "last");
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	pair_close(&pair);
}

static void
hears_that_it_was_cut(void **state)
{
	struct pair pair;
	char bytes[10];
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "half", 4);
	shutdown(pair.other, SHUT_WR);
	assert_reads(&pair, "half");
	assert_int_equal(reads(&pair, bytes, 10, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer closed the connection without close_notify");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ bytes, 1 }, 1, false, &count), STREAM_BROKEN);
	calls.sends = 0;
	pair_close(&pair);
	assert_int_equal(calls.sends, 0);
}

static void
notices_damage(void **state)
{
	static const unsigned char record[] = { 23, 3, 3, 0, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40 };
	struct pair pair;
	char bytes[10];
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	assert_int_equal(write(pair.other, record, sizeof(record)), sizeof(record));
	assert_int_equal(reads(&pair, bytes, 10, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "a record was damaged on its way (bad record MAC)");
	/* He is told. */
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, bytes, 1, &count), 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	ERR_clear_error();
	pair_close(&pair);
}

static void
says_the_end(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	says(&pair, "last", true);
	calls.sends = 0;
	stream_shutdown(&pair.stream);
	assert_heard(&pair, "last");
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, &byte, 1, &count), 0);
	assert_true(SSL_get_shutdown(pair.peer) & SSL_RECEIVED_SHUTDOWN);
	peer_says(&pair, "and I?", 6);
	assert_reads(&pair, "and I?");
	calls.sends = 0;
	pair_close(&pair);
	assert_int_equal(calls.sends, 0);
}

/* Errors that others left in OpenSSL's queue are not this connection's. */
static void
minds_its_own_errors(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_AGAIN);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
	says(&pair, "hello", false);
	assert_heard(&pair, "hello");
	pair_close(&pair);
}

static void
bounds_late_handshakes(void **state)
{
	struct pair pair;
	char bytes[64];
	size_t count;
	enum stream_result result = STREAM_OK;

	pair_ready(&pair, TLS_SERVER);
	for (unsigned i = 0; i < 10; i++) {
		SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED);
		peer_says(&pair, "fresh", 5);
		assert_reads(&pair, "fresh");
		says(&pair, "fresh", false);
		assert_heard(&pair, "fresh");
	}
	for (unsigned i = 0; i < 100 && result == STREAM_OK; i++) {
		SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED);
		peer_says(&pair, "x", 1);
		result = reads(&pair, bytes, sizeof(bytes), &count);
	}
	assert_int_equal(result, STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer sends key updates or handshakes without end");
	pair_close(&pair);
}

static void
does_not_negotiate_again(void **state)
{
	struct pair pair;
	char bytes[64];
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	assert_int_equal(SSL_renegotiate(pair.peer), 1);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_AGAIN);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	pair_close(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_many_records_at_once),
		cmocka_unit_test(waits_for_whole_records),
		cmocka_unit_test(has_what_came_with_the_handshake),
		cmocka_unit_test(reads_a_lot),
		cmocka_unit_test(hears_the_end),
		cmocka_unit_test(hears_that_it_was_cut),
		cmocka_unit_test(notices_damage),
		cmocka_unit_test(says_the_end),
		cmocka_unit_test(minds_its_own_errors),
		cmocka_unit_test(bounds_late_handshakes),
		cmocka_unit_test(does_not_negotiate_again),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
