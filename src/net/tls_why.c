/*
 * Reasons are kept as numbers, a few bytes a connection, and become a sentence when somebody asks. OpenSSL's own words
 * are good enough but for what people meet daily: alerts, certificates that are not verified, a peer that just leaves.
 */
#include "net/tls_inside.h"

#include "base/span.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

static const struct {
	int		 reason;
	const char	*sentence;
} sentences[] = {
	{ SSL_R_HTTP_REQUEST, "the client speaks HTTP without TLS" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "the client speaks HTTP without TLS" },
	{ SSL_R_WRONG_VERSION_NUMBER, "what the peer sent is not TLS" },
	{ SSL_R_NO_SHARED_CIPHER, "no shared cipher" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no shared protocol version" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client sent no certificate" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged on its way (bad record MAC)" },
};

bool
tls_has_reason(const struct tls *tls)
{
	return tls->reason.sentence || tls->reason.code != 0 || tls->reason.error != 0;
}

void
tls_queue_clear(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* The oldest of libssl: what came before it are details of libcrypto, what came after it follows from it. */
static unsigned long
queue_take(void)
{
	unsigned long first = 0, code;

	while ((code = ERR_get_error()) != 0) {
		if (first == 0 || (ERR_GET_LIB(first) != ERR_LIB_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL))
			first = code;
	}
	return first;
}

static void
reason_take(struct tls *tls)
{
	unsigned long code = queue_take();

	if (tls_has_reason(tls))
		return;
	tls->reason.code = code;
	if (code == 0)
		tls->reason.error = tls->wire.error;
}

/*
 * OpenSSL is told to take a FIN for a close_notify (tls.c), so that it does not send alerts to somebody who has left,
 * or forget his session. That it was none is seen by what was read last.
 */
static enum stream_result
judge_end(struct tls *tls)
{
	if (!tls->wire.has_ended)
		return STREAM_END;
	tls->reason.sentence = "the peer closed the connection without close_notify";
	return STREAM_BROKEN;
}

enum stream_result
tls_judge(struct tls *tls, int answer)
{
	switch (SSL_get_error(tls->ssl, answer)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return judge_end(tls);
	default:
		reason_take(tls);
		return STREAM_BROKEN;
	}
}

/* "tlsv13 alert certificate required", "tlsv1 unrecognized name": what stands behind the version, and "alert". */
static const char *
alert_words(unsigned long code)
{
	const char *words = ERR_reason_error_string(code), *at;

	if (words == NULL)
		return SSL_alert_desc_string_long(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET);
	if ((at = strstr(words, " alert ")) != NULL)
		return at + strlen(" alert ");
	return (at = strchr(words, ' ')) != NULL ? at + 1 : words;
}

static const char *
code_format(const struct tls *tls, unsigned long code, char *to, size_t room)
{
	int reason = ERR_GET_REASON(code);
	const char *words = ERR_reason_error_string(code);

	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
		snprintf(to, room, "the peer refused: %s", alert_words(code));
		return to;
	}
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		snprintf(to, room, "certificate verify failed: %s",
		    X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
		return to;
	}
	for (size_t i = 0; ERR_GET_LIB(code) == ERR_LIB_SSL && i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (sentences[i].reason == reason)
			return sentences[i].sentence;
	}
	if (words)
		return words;
	snprintf(to, room, "OpenSSL error %08lX", code);
	return to;
}

const char *
tls_why(const struct tls *tls)
{
	static char sentence[256];

	if (tls->reason.sentence)
		return tls->reason.sentence;
	if (tls->reason.code != 0)
		return code_format(tls, tls->reason.code, sentence, sizeof(sentence));
	if (tls->reason.error == ENOBUFS)
		return "the peer asks but does not read the answers";
	if (tls->reason.error == ECONNRESET && !tls->is_ready)
		return "the peer reset the connection during the handshake";
	if (tls->reason.error != 0)
		return strerror(tls->reason.error);
	return "the TLS connection failed";
}
