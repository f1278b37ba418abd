/* The SSL object knows its struct tls_session by one of its ex_data slots; OpenSSL's callbacks find it there. */
#include "net/tls_session.h"

#include <assert.h>

#include <openssl/ssl.h>

static int
slot_number(void)
{
	static int number = -1;

	if (number < 0)
		number = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	assert(number >= 0);
	return number;
}

void
tls_session_fini(struct tls_session *session)
{
	SSL_SESSION_free(session->session);
	session->session = NULL;
}

/* 1: the reference is ours. */
static int
on_new_session(SSL *ssl, SSL_SESSION *made)
{
	struct tls_session *session = SSL_get_ex_data(ssl, slot_number());

	if (session == NULL || !SSL_SESSION_is_resumable(made))
		return 0;
	tls_session_fini(session);
	session->session = made;
	return 1;
}

static void
on_event(const SSL *ssl, int where, int value)
{
	struct tls_session *session;

	if ((where & SSL_CB_ALERT) == 0 || value >> 8 != SSL3_AL_FATAL)
		return;
	session = SSL_get_ex_data(ssl, slot_number());
	if (session != NULL)
		tls_session_fini(session);
}

void
tls_session_setup(SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
	SSL_CTX_set_info_callback(context, on_event);
}

static bool
is_usable(const struct tls_session *session)
{
	const X509 *certificate;

	if (session->session == NULL || !SSL_SESSION_is_resumable(session->session))
		return false;
	certificate = SSL_SESSION_get0_peer(session->session);
	return certificate != NULL && X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

void
tls_session_attach(SSL *ssl, struct tls_session *session)
{
	SSL_SESSION *copy;

	SSL_set_ex_data(ssl, slot_number(), session);
	if (!is_usable(session)) {
		tls_session_fini(session);
		return;
	}
	copy = SSL_SESSION_dup(session->session);
	if (copy != NULL)
		SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}
