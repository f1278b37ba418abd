/* rooms: base loop net conf */
/* What is written: its records, what the socket does not take, heads that wait for their content, files. */
#include "tls_pair.h"

#include <openssl/kdf.h>

/* The lengths of the records that the peer has read. */
static struct {
	size_t		lengths[400];
	unsigned	count;
} records;

static void
record_note(int is_written, int version, int type, const void *bytes, size_t length, SSL *ssl, void *owner)
{
	const unsigned char *head = bytes;

	(void)version;
	(void)length;
	(void)ssl;
	(void)owner;
	if (is_written || type != SSL3_RT_HEADER || head[0] != 23 || records.count == 400)
		return;
	records.lengths[records.count++] = ((size_t)head[3] << 8 | head[4]) - 17;	/* TLS 1.3: type and tag */
}

static void
peer_hears_all(struct pair *pair, char *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		size_t count = peer_hears(pair, to + done, length - done);

		assert_true(count > 0);
		done += count;
	}
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void
gathers_pieces(void **state)
{
	struct iovec pieces[] = {
		{ made.bytes, 10 }, { made.bytes, 0 }, { made.bytes + 10, 200 }, { made.bytes + 210, 5 },
	};
	struct pair pair;
	char bytes[300];
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	assert_int_equal(stream_write(&pair.stream, pieces, 4, false, &count), STREAM_OK);
	assert_int_equal(count, 215);
	assert_int_equal(calls.sends, 1);
	assert_int_equal(peer_hears(&pair, bytes, sizeof(bytes)), 215);
	assert_memory_equal(bytes, made.bytes, 215);
	assert_int_equal(stream_write(&pair.stream, NULL, 0, false, &count), STREAM_OK);
	assert_int_equal(calls.sends, 1);
	pair_close(&pair);
}

static void
holds_a_head_for_its_content(void **state)
{
	struct pair pair;
	char bytes[300];

	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	assert_int_equal(says(&pair, "head ", true), 5);
	assert_int_equal(says(&pair, "more ", true), 5);
	assert_int_equal(calls.sends, 0);
	assert_int_equal(says(&pair, "content", false), 7);
	assert_int_equal(calls.sends, 1);
	assert_heard(&pair, "head more content");
	/* One that is too long to be held leaves at once. */
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 5000 }, 1, true, &(size_t){ 0 }),
	    STREAM_OK);
	assert_int_equal(calls.sends, 2);
	for (size_t left = 5000, count; left > 0; left -= count)
		assert_true((count = peer_hears(&pair, bytes, sizeof(bytes))) > 0);
	says(&pair, "forgotten", true);
	stream_flush(&pair.stream);
	assert_heard(&pair, "forgotten");
	pair_close(&pair);
}

static void
lets_records_grow(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	records.count = 0;
	SSL_set_msg_callback(pair.peer, record_note);
	calls.sends = 0;
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, PLENTY }, 1, false, &count),
	    STREAM_OK);
	assert_int_equal(count, TLS_VERB_MAX);
	assert_int_equal(calls.sends, 1);
	peer_hears_all(&pair, got, count);
	assert_memory_equal(got, made.bytes, count);
	assert_int_equal(records.count, 7);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(records.lengths[i], TLS_SLOW_RECORD);
	for (unsigned i = 4; i < 7; i++)
		assert_int_equal(records.lengths[i], RECORD);
	records.count = 0;
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, RECORD }, 1, false, &count),
	    STREAM_OK);
	peer_hears_all(&pair, got, count);
	assert_int_equal(records.count, 1);
	memory_free(got);
	pair_close(&pair);
}

/* RFC 6066 §4: a peer with little memory. */
static void
obeys_short_records(void **state)
{
	struct pair pair;
	char *got = memory_alloc(TLS_VERB_MAX);
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_tlsext_max_fragment_length(pair.peer, TLSEXT_max_fragment_length_512);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, PLENTY }, 1, false, &count),
	    STREAM_OK);
	assert_int_equal(count, TLS_VERB_MAX);
	records.count = 0;
	SSL_set_msg_callback(pair.peer, record_note);
	peer_hears_all(&pair, got, count);
	assert_memory_equal(got, made.bytes, count);
	assert_int_equal(records.count, TLS_VERB_MAX / 512);
	memory_free(got);
	pair_close(&pair);
}

/* Whatever the socket takes: bytes arrive once and in order, and what waits with us is bounded. */
static void
push_all(struct pair *pair, char *got, unsigned pieces_count, bool hears)
{
	size_t said = 0, heard = 0, count, cut;
	enum stream_result result;

	while (heard < PLENTY) {
		struct iovec pieces[2] = { { made.bytes + said, PLENTY - said } };

		cut = pieces_count == 2 ? (said * 5) % 3000 : 0;
		if (cut > 0 && cut < PLENTY - said) {
			pieces[0].iov_len = cut;
			pieces[1] = (struct iovec){ made.bytes + said + cut, PLENTY - said - cut };
		} else {
			pieces_count = 1;
		}
		if (said < PLENTY) {
			result = stream_write(&pair->stream, pieces, pieces_count, false, &count);
			assert_true(result == STREAM_OK ? count > 0 : result == STREAM_AGAIN && count == 0);
			said += count;
			assert_true(said <= PLENTY);
		}
		if ((hears || said == PLENTY || result == STREAM_AGAIN) &&
		    SSL_read_ex(pair->peer, got + heard, PLENTY - heard, &count))
			heard += count;
	}
	assert_int_equal(said, PLENTY);
	assert_memory_equal(got, made.bytes, PLENTY);
}

static void
waits_for_a_slow_peer(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	const int small = 4096;

	for (unsigned way = 0; way < 6; way++) {
		memset(got, 0, PLENTY);
		pair_ready(&pair, TLS_SERVER);
		calls.is_moody = way & 1;
		if (way >= 2)
			setsockopt(pair.stream.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		if (way >= 4)
			calls.send_most = 1000;
		push_all(&pair, got, 1 + (way & 1), way & 2);
		pair_close(&pair);
	}
	memory_free(got);
}

/* The one byte that is owed may be all that is left. */
static void
pays_what_it_owes(void **state)
{
	struct pair pair;
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	calls.is_full = true;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 1 }, 1, false, &count),
		    STREAM_AGAIN);
		assert_int_equal(count, 0);
	}
	calls.is_full = false;
	assert_int_equal(says(&pair, "a", false), 1);
	calls.is_full = true;
	assert_int_equal(says(&pair, "bcd", false), 2);
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 0 }, 1, false, &count), STREAM_OK);
	assert_int_equal(says(&pair, "def", true), 2);
	calls.is_full = false;
	assert_int_equal(says(&pair, "f", false), 1);
	pair_close(&pair);
}

/* -- files --------------------------------------------------------------------------------------------------------- */

static int
file_make(size_t length)
{
	int fd = memfd_create("content", MFD_CLOEXEC);

	assert_int_equal(write(fd, made.bytes, length), length);
	return fd;
}

static void
sends_a_file(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	int file = file_make(PLENTY);
	uint64_t offset;
	size_t heard, count;
	enum stream_result result;

	for (unsigned moody = 0; moody < 2; moody++) {
		pair_ready(&pair, TLS_SERVER);
		calls.is_moody = moody;
		assert_int_equal(says(&pair, "head", true), 4);
		offset = 1000;
		heard = 0;
		while (heard < PLENTY - 1000 + 4) {
			uint64_t before = offset;

			if (offset < PLENTY) {
				result = stream_send_file(&pair.stream, file, &offset, PLENTY - offset, &count);
				assert_true(result == STREAM_OK || result == STREAM_AGAIN);
				assert_int_equal(offset, before + count);
				assert_true(offset <= PLENTY);
			}
			if (SSL_read_ex(pair.peer, got + heard, PLENTY - heard, &count))
				heard += count;
		}
		assert_memory_equal(got, "head", 4);
		assert_memory_equal(got + 4, made.bytes + 1000, PLENTY - 1000);
		pair_close(&pair);
	}
	close(file);
	memory_free(got);
}

static void
shares_a_record_with_the_head(void **state)
{
	struct pair pair;
	int file = file_make(100);
	char bytes[300];
	uint64_t offset = 0;
	size_t count;

	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	says(&pair, "head", true);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_OK);
	assert_int_equal(count, 100);
	assert_int_equal(calls.sends, 1);
	assert_int_equal(peer_hears(&pair, bytes, sizeof(bytes)), 104);
	/* It is shorter than was thought. */
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_END);
	assert_int_equal(count, 0);
	offset = 60;
	calls.is_full = true;
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_OK);
	assert_int_equal(count, 39);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 61, &count), STREAM_AGAIN);
	calls.is_full = false;
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 61, &count), STREAM_OK);
	assert_int_equal(offset, 100);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 60, &count), STREAM_END);
	assert_int_equal(stream_send_file(&pair.stream, -1, &offset, 60, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Bad file descriptor");
	close(file);
	pair_close(&pair);
}

/* Asked for, and not offered by every kernel: it works either way. */
static void
tries_the_kernel(void **state)
{
	struct pair pair;
	int file = file_make(PLENTY);
	char *got = memory_alloc(PLENTY);
	uint64_t offset = 0;
	size_t heard = 0, count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	stream_reset(&pair.stream);
	SSL_free(pair.peer);
	close(pair.other);
	SSL_CTX_set_options(made.server, SSL_OP_ENABLE_KTLS);
	pair_ready(&pair, TLS_SERVER);
	while (heard < PLENTY) {
		if (offset < PLENTY)
			stream_send_file(&pair.stream, file, &offset, PLENTY - offset, &count);
		if (SSL_read_ex(pair.peer, got + heard, PLENTY - heard, &count))
			heard += count;
	}
	assert_memory_equal(got, made.bytes, PLENTY);
	SSL_CTX_clear_options(made.server, SSL_OP_ENABLE_KTLS);
	pair_close(&pair);
	memory_free(got);
	close(file);
}

/* -- a peer as no library would be --------------------------------------------------------------------------------- */

static unsigned char client_secret[32];

/* "CLIENT_TRAFFIC_SECRET_0 <client random> <secret>" */
static void
secret_note(const SSL *ssl, const char *line)
{
	const char *at = strrchr(line, ' ');

	(void)ssl;
	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) != 0)
		return;
	for (size_t i = 0; i < sizeof(client_secret); i++)
		assert_int_equal(sscanf(at + 1 + 2 * i, "%2hhx", &client_secret[i]), 1);
}

/* HKDF-Expand-Label (RFC 8446 §7.1) */
static void
secret_expand(const char *label, unsigned char *out, size_t length)
{
	char info[32];
	int info_len = snprintf(info, sizeof(info), "%c%c%ctls13 %s%c", 0, (char)length, (char)(6 + strlen(label)),
	    label, 0);
	EVP_PKEY_CTX *expand = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

	assert_int_equal(EVP_PKEY_derive_init(expand), 1);
	EVP_PKEY_CTX_set_hkdf_mode(expand, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY);
	EVP_PKEY_CTX_set_hkdf_md(expand, EVP_sha256());
	EVP_PKEY_CTX_set1_hkdf_key(expand, client_secret, sizeof(client_secret));
	EVP_PKEY_CTX_add1_hkdf_info(expand, (const unsigned char *)info, info_len);
	assert_int_equal(EVP_PKEY_derive(expand, out, &length), 1);
	EVP_PKEY_CTX_free(expand);
}

/* The client's first record, with whatever is in it; the last byte of `content` is its type. */
static void
peer_seals(struct pair *pair, const unsigned char *content, int length)
{
	unsigned char key[16], iv[12], record[5 + 64 + 16] = { 23, 3, 3, 0, (unsigned char)(length + 16) };
	EVP_CIPHER_CTX *seal = EVP_CIPHER_CTX_new();
	int count;

	secret_expand("key", key, sizeof(key));
	secret_expand("iv", iv, sizeof(iv));
	assert_int_equal(EVP_EncryptInit_ex(seal, EVP_aes_128_gcm(), NULL, key, iv), 1);
	assert_int_equal(EVP_EncryptUpdate(seal, NULL, &count, record, 5), 1);
	assert_int_equal(EVP_EncryptUpdate(seal, record + 5, &count, content, length), 1);
	assert_int_equal(EVP_EncryptFinal_ex(seal, record + 5 + count, &count), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(seal, EVP_CTRL_AEAD_GET_TAG, 16, record + 5 + length), 1);
	EVP_CIPHER_CTX_free(seal);
	assert_int_equal(write(pair->other, record, (size_t)(5 + length + 16)), 5 + length + 16);
	wait_input(pair);
}

/*
 * A KeyUpdate without its last byte: OpenSSL will not write before it has read the rest. Waiting for a socket that is
 * writable all the time would be a loop.
 */
static void
does_not_wait_for_half_a_message(void **state)
{
	static const unsigned char half[] = { SSL3_MT_KEY_UPDATE, 0, 0, 1, 22 };
	struct pair pair;
	char byte = 'x';
	size_t count;

	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_ciphersuites(pair.peer, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_keylog_callback(made.client, secret_note);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	SSL_CTX_set_keylog_callback(made.client, NULL);
	peer_seals(&pair, half, sizeof(half));
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_AGAIN);
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ &byte, 1 }, 1, false, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer stopped in the middle of a handshake message");
	pair_close(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gathers_pieces),
		cmocka_unit_test(holds_a_head_for_its_content),
		cmocka_unit_test(lets_records_grow),
		cmocka_unit_test(obeys_short_records),
		cmocka_unit_test(waits_for_a_slow_peer),
		cmocka_unit_test(pays_what_it_owes),
		cmocka_unit_test(sends_a_file),
		cmocka_unit_test(shares_a_record_with_the_head),
		cmocka_unit_test(tries_the_kernel),
		cmocka_unit_test(does_not_wait_for_half_a_message),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
