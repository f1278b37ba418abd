/* The store of authorities is made once and shared by all contexts of the listener. */
#include "net/tls_client_auth.h"

#include "net/tls_pem.h"
#include "net/tls_text.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { AUTHORITIES_FILE_MAX = 16 << 20, CRL_FILE_MAX = 64 << 20, CLIENT_CHAIN_DEPTH = 10 };

/* While the files are read. */
struct rules_reading {
	struct tls_client_rules		*rules;
	const struct tls_listen_options	*options;
	const struct conf_node		*node;
	struct option_reader		*reader;
	const struct tls_server_place	*place;
	EVP_MD_CTX			*digest;
	STACK_OF(X509)			*authorities;
	STACK_OF(X509_CRL)		*lists;
};

/* What identifies the rules to session tickets: each part with its length before it. */
static bool
digest_add(const struct rules_reading *reading, struct span part)
{
	uint64_t len = part.len;

	return EVP_DigestUpdate(reading->digest, &len, sizeof(len)) &&
	       EVP_DigestUpdate(reading->digest, part.len > 0 ? part.at : "", part.len);
}

static bool
refuse(const struct rules_reading *reading, const char *key, const char *sentence)
{
	return option_problem_at(reading->reader, reading->node, key, "%s", sentence);
}

/* "CN=clients,O=Example" */
static const char *
name_shown(const X509 *authority, struct text *to)
{
	tls_text_name(X509_get_subject_name(authority), to);
	return to->len > 0 ? to->bytes : "without a name";
}

/* -- authorities --------------------------------------------------------------------------------------------------- */

static void
authority_judge(const struct rules_reading *reading, X509 *authority, int number)
{
	const char *path = reading->options->client_ca.at, *shown;
	struct text name = { 0 };

	if (!reading->place->checks_dates)
		return;
	shown = name_shown(authority, &name);
	if (X509_check_ca(authority) == 0)
		option_warning_at(reading->reader, reading->node, "client_ca", "certificate %d of %s (%s) is no "
		    "authority: it lets in only its own holder", number, path, shown);
	if (X509_cmp_current_time(X509_get0_notAfter(authority)) < 0)
		option_warning_at(reading->reader, reading->node, "client_ca", "certificate %d of %s (%s) has expired: "
		    "no client that it has certified gets in", number, path, shown);
	text_fini(&name);
}

static bool
authority_add(const struct rules_reading *reading, X509 *authority, int number)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(authority));

	authority_judge(reading, authority, number);
	if (name == NULL || sk_X509_NAME_push(reading->rules->names, name) <= 0) {
		X509_NAME_free(name);
		return refuse(reading, "client_ca", tls_reason());
	}
	return X509_STORE_add_cert(reading->rules->store, authority) == 1 ||
	       refuse(reading, "client_ca", tls_reason());
}

static bool
authorities_read(struct rules_reading *reading)
{
	struct span contents;
	struct err err;
	bool ok;

	if (!conf_file_watched(reading->reader->conf, reading->options->client_ca.at, AUTHORITIES_FILE_MAX, &contents,
	    &err))
		return refuse(reading, "client_ca", err.text);
	reading->authorities = tls_pem_certificates(contents, &err);
	if (reading->authorities == NULL)
		return option_problem_at(reading->reader, reading->node, "client_ca", "%s: %s",
		    reading->options->client_ca.at, err.text);
	ok = digest_add(reading, contents);
	for (int i = 0; ok && i < sk_X509_num(reading->authorities); i++)
		ok = authority_add(reading, sk_X509_value(reading->authorities, i), i + 1);
	return ok;
}

/* -- what they have revoked ---------------------------------------------------------------------------------------- */

static bool
has_signed(X509 *authority, X509_CRL *list)
{
	return X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(list)) == 0 &&
	       X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;
}

static void
list_judge(const struct rules_reading *reading, X509_CRL *list, int number)
{
	const ASN1_TIME *until = X509_CRL_get0_nextUpdate(list);
	const char *path = reading->options->client_crl.at;
	bool is_known = false;

	for (int i = 0; i < sk_X509_num(reading->authorities); i++)
		is_known |= has_signed(sk_X509_value(reading->authorities, i), list);
	tls_reason();
	if (!is_known)
		option_warning_at(reading->reader, reading->node, "client_crl", "revocation list %d of %s was issued "
		    "by none of client_ca", number, path);
	if (until && X509_cmp_current_time(until) < 0)
		option_warning_at(reading->reader, reading->node, "client_crl", "revocation list %d of %s has expired: "
		    "clients of its authority are refused until there is a new one", number, path);
}

/* One that only certifies other authorities of the file needs none: no client is directly its. */
static bool
needs_list(const struct rules_reading *reading, X509 *authority)
{
	for (int i = 0; i < sk_X509_num(reading->authorities); i++) {
		X509 *other = sk_X509_value(reading->authorities, i);

		if (other != authority && X509_check_issued(authority, other) == X509_V_OK)
			return false;
	}
	for (int i = 0; i < sk_X509_CRL_num(reading->lists); i++)
		if (has_signed(authority, sk_X509_CRL_value(reading->lists, i)))
			return false;
	return X509_check_ca(authority) != 0;
}

static void
lists_judge(const struct rules_reading *reading)
{
	for (int i = 0; i < sk_X509_CRL_num(reading->lists); i++)
		list_judge(reading, sk_X509_CRL_value(reading->lists, i), i + 1);
	for (int i = 0; i < sk_X509_num(reading->authorities); i++) {
		X509 *authority = sk_X509_value(reading->authorities, i);
		struct text name = { 0 };

		if (!needs_list(reading, authority))
			continue;
		option_warning_at(reading->reader, reading->node, "client_crl", "%s has no revocation list of the "
		    "authority %s: every client that it has certified is refused", reading->options->client_crl.at,
		    name_shown(authority, &name));
		text_fini(&name);
	}
	tls_reason();
}

static bool
lists_read(struct rules_reading *reading)
{
	struct span contents;
	struct err err;
	bool ok;

	if (!conf_file_watched(reading->reader->conf, reading->options->client_crl.at, CRL_FILE_MAX, &contents, &err))
		return refuse(reading, "client_crl", err.text);
	reading->lists = tls_pem_crls(contents, &err);
	if (reading->lists == NULL)
		return option_problem_at(reading->reader, reading->node, "client_crl", "%s: %s",
		    reading->options->client_crl.at, err.text);
	ok = digest_add(reading, contents);
	for (int i = 0; ok && i < sk_X509_CRL_num(reading->lists); i++)
		ok = X509_STORE_add_crl(reading->rules->store, sk_X509_CRL_value(reading->lists, i)) == 1 ||
		    refuse(reading, "client_crl", tls_reason());
	X509_STORE_set_flags(reading->rules->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	if (reading->place->checks_dates)
		lists_judge(reading);
	return ok;
}

/* -- public -------------------------------------------------------------------------------------------------------- */

static bool
rules_fill(struct rules_reading *reading)
{
	struct tls_client_rules *rules = reading->rules;
	char mode = (char)rules->mode;

	reading->digest = EVP_MD_CTX_new();
	if (!reading->digest || !EVP_DigestInit_ex(reading->digest, EVP_sha256(), NULL) ||
	    !digest_add(reading, span_make(&mode, 1)))
		return refuse(reading, "client_auth", tls_reason());
	if (rules->mode != TLS_CLIENT_OFF) {
		rules->store = X509_STORE_new();
		rules->names = sk_X509_NAME_new_null();
		if (rules->store == NULL || rules->names == NULL)
			return refuse(reading, "client_ca", tls_reason());
		X509_STORE_set_flags(rules->store, X509_V_FLAG_PARTIAL_CHAIN);
		if (!authorities_read(reading) || (reading->options->client_crl.len > 0 && !lists_read(reading)))
			return false;
	}
	return EVP_DigestFinal_ex(reading->digest, rules->digest, NULL) ||
	       refuse(reading, "client_auth", tls_reason());
}

bool
tls_client_rules_read(struct tls_client_rules *rules_out, const struct tls_listen_options *options,
    const struct conf_node *node, struct option_reader *reader, const struct tls_server_place *place)
{
	struct rules_reading reading = {
		.rules = rules_out, .options = options, .node = node, .reader = reader, .place = place,
	};
	bool ok;

	*rules_out = (struct tls_client_rules){ .mode = (enum tls_client_auth)options->client_auth };
	ok = rules_fill(&reading);
	EVP_MD_CTX_free(reading.digest);
	sk_X509_pop_free(reading.authorities, X509_free);
	sk_X509_CRL_pop_free(reading.lists, X509_CRL_free);
	if (!ok)
		tls_client_rules_fini(rules_out);
	return ok;
}

void
tls_client_rules_fini(struct tls_client_rules *rules)
{
	X509_STORE_free(rules->store);
	sk_X509_NAME_pop_free(rules->names, X509_NAME_free);
	*rules = (struct tls_client_rules){ 0 };
}

/* -- at the handshake ---------------------------------------------------------------------------------------------- */

/* Only the client's own issuer must have a list; those between it and the anchor are held against what is there. */
static int
judgement_mend(int is_good, X509_STORE_CTX *chain)
{
	if (is_good || X509_STORE_CTX_get_error(chain) != X509_V_ERR_UNABLE_TO_GET_CRL ||
	    X509_STORE_CTX_get_error_depth(chain) == 0)
		return is_good;
	X509_STORE_CTX_set_error(chain, X509_V_OK);
	return 1;
}

/* `request`: the error stays with the session, so that a resumed one has no identity either. */
static int
chain_judge_kindly(X509_STORE_CTX *chain, void *owner)
{
	(void)owner;
	if (X509_verify_cert(chain) <= 0 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
		X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
	return 1;
}

/* A ticket is good for a day, the certificate that it remembers perhaps not. */
static SSL_TICKET_RETURN
ticket_judge(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len, SSL_TICKET_STATUS status,
    void *owner)
{
	X509 *client = session ? SSL_SESSION_get0_peer(session) : NULL;

	(void)ssl;
	(void)name;
	(void)name_len;
	(void)owner;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (client && X509_cmp_current_time(X509_get0_notAfter(client)) <= 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

bool
tls_client_rules_apply(const struct tls_client_rules *rules, struct ssl_ctx_st *context)
{
	STACK_OF(X509_NAME) *names;
	int mode = SSL_VERIFY_PEER;

	if (rules->mode == TLS_CLIENT_OFF)
		return true;
	names = SSL_dup_CA_list(rules->names);
	if (names == NULL || !SSL_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT))
		return false;
	if (rules->mode == TLS_CLIENT_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	else
		SSL_CTX_set_cert_verify_callback(context, chain_judge_kindly, NULL);
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set1_cert_store(context, rules->store);
	SSL_CTX_set_verify(context, mode, judgement_mend);
	SSL_CTX_set_verify_depth(context, CLIENT_CHAIN_DEPTH);
	return SSL_CTX_set_session_ticket_cb(context, NULL, ticket_judge, NULL) == 1;
}
