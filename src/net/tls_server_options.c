/* The rows of `listen[].tls`, and what they demand of each other. */
#include "net/tls_server.h"

#include "net/tls_ciphers.h"

static const struct option pair_options[] = {
	OPTION_PATH(struct tls_pair_options, cert, .required = true,
	    .doc = "The certificate in PEM, then those that lead to the authority that clients know, in that order."),
	OPTION_PATH(struct tls_pair_options, key, .required = true,
	    .doc = "Its private key in PEM, unencrypted: ECDSA (P-256, P-384, P-521), Ed25519, or RSA with at least "
	    "2048 bits. May be the same file. Read before privileges are given up; workers never open it."),
	OPTION_PATH(struct tls_pair_options, ocsp,
	    .doc = "An OCSP response in DER, kept fresh by whoever writes the file: stapled while it is within its "
	    "dates and says that the certificate is good."),
	OPTION_END
};

static const struct option_group pair_group = {
	.name = "certificate", .rows = pair_options, .size = sizeof(struct tls_pair_options),
	.doc = "A certificate and its key. The files are watched: what changes takes effect without a reload.",
};

static const struct option_word version_words[] = {
	{ "1.2",	TLS_MIN_1_2 },
	{ "1.3",	TLS_MIN_1_3 },
	{ NULL, 0 },
};

static const struct option_word auth_words[] = {
	{ "off",	TLS_CLIENT_OFF },
	{ "request",	TLS_CLIENT_REQUEST },
	{ "require",	TLS_CLIENT_REQUIRE },
	{ NULL, 0 },
};

static const struct option tls_options[] = {
	OPTION_RECORDS(struct tls_listen_options, certificates, .group = &pair_group, .required = true, .min = "1",
	    .max = "10000", .doc = "Picked by the name that the client asks for (SNI): exact names, then wildcards, "
	    "then the first of the list. ECDSA and RSA for one name may stand side by side."),
	OPTION_CHOICE(struct tls_listen_options, min_version, .words = version_words, .def = "1.2",
	    .doc = "The oldest version of TLS that is spoken."),
	OPTION_TEXT(struct tls_listen_options, ciphers,
	    .doc = "Ciphers of TLS 1.2 in OpenSSL's syntax. Default: Mozilla intermediate, which is ECDHE with AES-GCM "
	    "or ChaCha20-Poly1305, in this order, and ChaCha20 first for clients that want it. Suites with DHE are "
	    "never used, those of TLS 1.3 are always on."),
	OPTION_CHOICE(struct tls_listen_options, client_auth, .words = auth_words, .def = "off",
	    .doc = "`request`: clients may show a certificate; one that is not good counts as none. `require`: no "
	    "connection without a good one."),
	OPTION_PATH(struct tls_listen_options, client_ca,
	    .doc = "PEM: the authorities that certify clients. Each is trusted by itself. Needed with `client_auth`."),
	OPTION_PATH(struct tls_listen_options, client_crl,
	    .doc = "PEM: what they have revoked. Every client's authority needs a list that is within its dates; "
	    "without one its clients are refused."),
	OPTION_FLAG(struct tls_listen_options, kernel, .def = "false",
	    .doc = "Lets the kernel encrypt what is sent where it has TLS (kTLS, the module `tls`): files then leave "
	    "by sendfile(2). Without it, as if this were not set."),
	OPTION_END
};

static bool
ciphers_check(struct option_reader *reader, const struct conf_node *node, const struct tls_listen_options *options)
{
	struct err err;

	if (conf_get(node, "ciphers") == NULL)
		return true;
	if (!tls_ciphers_check(options->ciphers, &err))
		return option_problem_at(reader, node, "ciphers", "%s", err.text);
	if (options->min_version == TLS_MIN_1_3)
		option_warning_at(reader, node, "ciphers", "no effect with `min_version: \"1.3\"`: it is about TLS "
		    "1.2");
	return true;
}

static bool
unasked_refuse(struct option_reader *reader, const struct conf_node *node, const char *key)
{
	return option_problem_at(reader, node, key, "no client is asked for a certificate: `client_auth: require` (or "
	    "request) is missing");
}

static bool
tls_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	const struct tls_listen_options *options = record;
	bool ok = ciphers_check(reader, node, options);

	if (options->client_auth == TLS_CLIENT_OFF && options->client_ca.len > 0)
		ok = unasked_refuse(reader, node, "client_ca");
	if (options->client_auth == TLS_CLIENT_OFF && options->client_crl.len > 0)
		ok = unasked_refuse(reader, node, "client_crl");
	if (options->client_auth != TLS_CLIENT_OFF && options->client_ca.len == 0)
		ok = option_problem_at(reader, node, "client_auth", "client_ca is missing: whose certificates are "
		    "good?");
	return ok;
}

const struct option_group tls_listen_group = {
	.name = "tls", .rows = tls_options, .size = sizeof(struct tls_listen_options), .check = tls_check,
	.doc = "TLS on this address. 1.2 and 1.3, X25519, P-256 and P-384; no renegotiation, no compression, no early "
	"data; sessions are resumed by ticket.",
};
