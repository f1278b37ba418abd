/*
 * Each verb lets OpenSSL work on the process's BIO (tls_bio.c) and then sends what has gathered. The end of what is
 * read is kept until it has been told, because bytes before it may fill a verb's room.
 */
#include "net/tls.h"

#include "base/clock.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "net/tls_inside.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

/*
 * Handshake messages after the handshake: tickets, key updates, attempts to negotiate again. Each costs us derivations
 * or an answer; honest peers send a few at the start and then one in millions of records (RFC 8446 §5.5).
 */
enum { LATE_MESSAGES_MAX = 32, LATE_MESSAGES_MS = 60 * 1000 };

enum { HELLO_MAX = 24 * 1024, HELLO_AND_CHAIN_MAX = 160 * 1024 };	/* bytes of a client's handshake */

/* -- life ---------------------------------------------------------------------------------------------------------- */

struct tls *
tls_create(struct ssl_ctx_st *context, int fd, enum tls_side side)
{
	struct tls *tls = memory_zalloc(sizeof(*tls));

	tls_wire_init(&tls->wire, fd);
	tls->slow_left = TLS_SLOW_BYTES;
	tls->wants = WATCH_READ;
	tls->ssl = SSL_new(context);
	if (tls->ssl == NULL)
		abort();	/* only without memory: base/memory.h */
	SSL_set_mode(tls->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_options(tls->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_set_read_ahead(tls->ssl, 1);
	SSL_set0_rbio(tls->ssl, tls_bio_ref());
	SSL_set0_wbio(tls->ssl, tls_bio_ref());
	tls_kernel_prepare(tls);
	if (side == TLS_SERVER)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

/* OpenSSL would take a connection that nobody shut down for an attack, and forget its session. */
void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	tls_wire_fini(&tls->wire);
	memory_free(tls->held);
	memory_free(tls);
}

void
tls_give(struct tls *tls, struct span bytes)
{
	tls_wire_give(&tls->wire, bytes.at, bytes.len);
}

struct ssl_st *
tls_ssl(const struct tls *tls)
{
	return tls->ssl;
}

static void
verb_begin(struct tls *tls)
{
	tls_queue_clear();
	tls_wire_begin(&tls->wire);
}

/* Perhaps only a part of a record. */
static bool
has_more_inside(const struct tls *tls)
{
	return tls->wire.early || SSL_has_pending(tls->ssl);
}

/* -- handshake ----------------------------------------------------------------------------------------------------- */

static void
late_message_count(int is_written, int version, int type, const void *bytes, size_t length, SSL *ssl, void *owner)
{
	struct tls *tls = owner;
	uint64_t now_ms;

	(void)version;
	(void)bytes;
	(void)length;
	(void)ssl;
	if (is_written || type != SSL3_RT_HANDSHAKE)
		return;
	now_ms = clock_ms();
	if (now_ms - tls->late_ms >= LATE_MESSAGES_MS) {
		tls->late_ms = now_ms;
		tls->late_count = 0;
	}
	if (++tls->late_count <= LATE_MESSAGES_MAX)
		return;
	tls->late_count = LATE_MESSAGES_MAX;
	tls->reason.sentence = "the peer sends key updates or handshakes without end";
	tls->wire.may_receive = false;
}

/*
 * What is said last can wait for the first write when nobody waits for it: the tickets of a server of TLS 1.3, and
 * whatever a client says last, since its request follows.
 */
static bool
last_words_may_wait(const struct tls *tls)
{
	return !SSL_is_server(tls->ssl) || SSL_version(tls->ssl) >= TLS1_3_VERSION;
}

static enum stream_result
handshake_finish(struct tls *tls)
{
	bool may_wait = last_words_may_wait(tls);

	tls->is_ready = true;
	tls->is_full = has_more_inside(tls);
	SSL_set_msg_callback(tls->ssl, late_message_count);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	tls_kernel_settle(tls);
	if (may_wait ? !tls_wire_keep(&tls->wire) : !tls_wire_send(&tls->wire))
		return tls_write_failed(tls);
	tls->wants = WATCH_READ;
	if (may_wait || tls_wire_waiting(&tls->wire) == 0)
		return STREAM_OK;
	tls->wants = WATCH_WRITE;
	return STREAM_AGAIN;
}

/* The last flight of a handshake, which a full socket has left with us. */
static enum stream_result
handshake_flush(struct tls *tls)
{
	if (tls->wants == WATCH_READ)
		return STREAM_OK;
	if (!tls_wire_send(&tls->wire))
		return tls_write_failed(tls);
	if (tls_wire_waiting(&tls->wire) > 0)
		return STREAM_AGAIN;
	tls->wants = WATCH_READ;
	return STREAM_OK;
}

static enum stream_result
handshake_fail(struct tls *tls)
{
	bool has_left = tls->reason.code == 0 && tls->reason.error == 0;

	if (has_left)
		tls->reason.sentence = "the peer closed the connection during the handshake";
	tls->end = has_left ? STREAM_END : STREAM_BROKEN;
	tls->is_end_told = true;
	tls->is_deaf = true;
	return tls->end;
}

/* A client speaks first; and whoever gave us the first bytes has just emptied the socket. */
static bool
expects_input(const struct tls *tls)
{
	return !tls->wire.early && (!SSL_in_before(tls->ssl) || SSL_is_server(tls->ssl));
}

/*
 * RFC 8446 lets a ClientHello have 128K, in records of a byte each: 40 ms of work for nothing. Nobody needs more than a
 * few; who has a certificate to show may need it for its chain.
 */
static bool
is_too_long(const struct tls *tls)
{
	uint64_t most = SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE ? HELLO_MAX : HELLO_AND_CHAIN_MAX;

	return SSL_is_server(tls->ssl) && tls->wire.received > most;
}

static enum stream_result
handshake_refuse(struct tls *tls, const char *sentence)
{
	tls->reason.sentence = sentence;
	tls->end = STREAM_BROKEN;
	tls->is_end_told = true;
	tls->is_deaf = true;
	return tls->end;
}

enum stream_result
tls_handshake(struct tls *tls)
{
	enum stream_result result;
	int answer;

	if (tls->end != STREAM_OK)
		return tls->end;
	verb_begin(tls);
	if (tls->is_ready)
		return handshake_flush(tls);
	tls_wire_listen(&tls->wire, expects_input(tls));
	answer = SSL_do_handshake(tls->ssl);
	if (answer == 1)
		return handshake_finish(tls);
	result = tls_judge(tls, answer);
	if (!tls_wire_send(&tls->wire) && result == STREAM_AGAIN)
		return tls_write_failed(tls);
	if (result != STREAM_AGAIN)
		return handshake_fail(tls);
	if (is_too_long(tls))
		return handshake_refuse(tls, "the client's side of it is too long");
	tls->wants = tls_wire_waiting(&tls->wire) > 0 || SSL_want_write(tls->ssl) ? WATCH_READ | WATCH_WRITE
										  : WATCH_READ;
	return STREAM_AGAIN;
}

unsigned
tls_wants(const struct tls *tls)
{
	return tls->wants;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static enum stream_result
read_some(struct tls *tls, char *to, size_t room, size_t *count_out)
{
	size_t count;

	*count_out = 0;
	do {
		if (!SSL_read_ex(tls->ssl, to + *count_out, room - *count_out, &count))
			return tls_judge(tls, 0);
		*count_out += count;
		if (tls->reason.sentence)
			return STREAM_BROKEN;
	} while (*count_out < room && has_more_inside(tls));
	return *count_out < room ? STREAM_AGAIN : STREAM_OK;
}

/* Reading makes us write, too: alerts, and answers to key updates. */
static bool
read_answer(struct tls *tls)
{
	return !tls_wire_has_written() || tls_wire_send(&tls->wire);
}

enum stream_result
tls_read(struct tls *tls, char *to, size_t room, size_t *count_out)
{
	enum stream_result result;

	*count_out = 0;
	if (tls->end != STREAM_OK) {
		tls->is_end_told = true;
		return tls->end;
	}
	assert(tls->is_ready && room > 0);
	verb_begin(tls);
	tls_wire_listen(&tls->wire, !tls->is_full);	/* readiness tells of what is not inside yet */
	result = read_some(tls, to, room, count_out);
	if (!read_answer(tls))
		tls->is_deaf = true;
	tls->is_full = result == STREAM_OK && has_more_inside(tls);
	if (result == STREAM_AGAIN && tls->reason.sentence)
		result = STREAM_BROKEN;
	if (result == STREAM_END || result == STREAM_BROKEN) {
		tls->end = result;
		tls->is_deaf |= result == STREAM_BROKEN;
		tls->is_end_told = *count_out == 0;
	}
	return *count_out > 0 ? STREAM_OK : result;
}

bool
tls_has_input(const struct tls *tls)
{
	return tls->end != STREAM_OK ? !tls->is_end_told : tls->is_full;
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

enum stream_result
tls_write_failed(struct tls *tls)
{
	char byte;

	tls->is_deaf = true;
	if (tls_wire_has_written())
		tls_wire_send(&tls->wire);	/* an alert that says what we did not like */
	if (tls->end != STREAM_OK || tls_has_reason(tls))
		return STREAM_BROKEN;
	verb_begin(tls);
	tls_wire_listen(&tls->wire, true);
	if (SSL_peek(tls->ssl, &byte, 1) <= 0 && tls_judge(tls, 0) == STREAM_BROKEN)
		tls->end = STREAM_BROKEN;
	tls_wire_keep(&tls->wire);
	if (!tls_has_reason(tls))
		tls->reason.error = tls->wire.error;
	return STREAM_BROKEN;
}

void
tls_shutdown(struct tls *tls)
{
	if (!tls->is_ready || tls->is_deaf || tls->is_shut || tls->end == STREAM_BROKEN)
		return;
	tls_flush(tls);	/* what was held back for more */
	if (tls->is_deaf)
		return;
	verb_begin(tls);
	tls->is_shut = true;
	tls->is_deaf = true;
	if (SSL_shutdown(tls->ssl) < 0)
		tls_queue_clear();
	tls_wire_send(&tls->wire);
}

/* -- facts --------------------------------------------------------------------------------------------------------- */

void
tls_facts(const struct tls *tls, struct tls_facts *facts_out)
{
	const unsigned char *protocol = NULL;
	unsigned length = 0;

	*facts_out = (struct tls_facts){ .version = "", .cipher = "" };
	if (!tls->is_ready)
		return;
	SSL_get0_alpn_selected(tls->ssl, &protocol, &length);
	facts_out->version = SSL_get_version(tls->ssl);
	facts_out->cipher = SSL_get_cipher_name(tls->ssl);
	facts_out->protocol = span_make((const char *)protocol, length);
	facts_out->server_name = span_text(SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
	facts_out->is_resumed = SSL_session_reused(tls->ssl);
	facts_out->is_kernel = tls->is_kernel;
}

bool
tls_looks_like_http(struct span bytes)
{
	return bytes.len > 0 && byte_lower(bytes.at[0]) >= 'a' && byte_lower(bytes.at[0]) <= 'z';
}
