/*
 * The key of a ticket comes from the ring that all workers share; OpenSSL does the sealing. The cipher is fetched once:
 * looking it up by name costs more than using it.
 */
#include "net/tls_ticket_seal.h"

#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <assert.h>

enum { TICKET_IV = 16 };

/* The process's, never freed. */
static EVP_CIPHER *cipher;
static int keys_index = -1;	/* of a context's keys */

static bool
mac_set(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/*
 * Without a key the ticket is sealed with one that nobody has: OpenSSL 3.0 has no way to send none in TLS 1.3, and a
 * ticket that cannot be opened costs its owner a full handshake and nothing else.
 */
static bool
seal(const struct tls_ticket_keys *keys, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *sealing,
    EVP_MAC_CTX *mac)
{
	struct tls_ticket_key key;
	bool ok;

	if (!keys->newest(keys->owner, &key))
		random_bytes(&key, sizeof(key));
	memcpy(name, key.name, sizeof(key.name));
	ok = RAND_bytes(iv, TICKET_IV) == 1 && EVP_EncryptInit_ex2(sealing, cipher, key.cipher, iv, NULL) == 1 &&
	    mac_set(mac, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return ok;
}

static enum tls_ticket_age
unseal(const struct tls_ticket_keys *keys, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *sealing, EVP_MAC_CTX *mac)
{
	struct tls_ticket_key key;
	enum tls_ticket_age age = keys->find(keys->owner, name, &key);

	if (age == TLS_TICKET_UNKNOWN)
		return age;
	if (EVP_DecryptInit_ex2(sealing, cipher, key.cipher, iv, NULL) != 1 || !mac_set(mac, &key))
		age = TLS_TICKET_UNKNOWN;
	OPENSSL_cleanse(&key, sizeof(key));
	return age;
}

/*
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3) tells the answers; 2 is "good, and send a new one". In TLS 1.3 that is always
 * so: a client uses a ticket once (RFC 8446 §C.4), and without a new one its next handshake would be a full one.
 */
static int
key_give(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *sealing, EVP_MAC_CTX *mac, int is_sealing)
{
	static const int answers[] = { [TLS_TICKET_UNKNOWN] = 0, [TLS_TICKET_CURRENT] = 1, [TLS_TICKET_OLD] = 2 };
	bool is_used_up = SSL_version(ssl) >= TLS1_3_VERSION;
	const struct tls_ticket_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);
	int answer;

	if (is_sealing)
		return seal(keys, name, iv, sealing, mac) ? 1 : -1;
	answer = answers[unseal(keys, name, iv, sealing, mac)];
	return answer == 1 && is_used_up ? 2 : answer;
}

bool
tls_tickets_apply(struct ssl_ctx_st *context, const struct tls_ticket_keys *keys)
{
	void *kept;

	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (keys_index < 0)
		keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (cipher == NULL || keys_index < 0)
		return false;
	assert(EVP_CIPHER_get_iv_length(cipher) == TICKET_IV);
	memcpy(&kept, &keys, sizeof(kept));	/* OpenSSL keeps it and does not look at it */
	return SSL_CTX_set_ex_data(context, keys_index, kept) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(context, key_give) == 1;
}
