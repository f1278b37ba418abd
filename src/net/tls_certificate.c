/* The pair is taken apart, each part judged by itself, then both together; what people are shown is made last. */
#include "net/tls_certificate.h"

#include "base/count.h"
#include "net/tls_pem.h"
#include "net/tls_text.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum { RSA_BITS_MIN = 2048, SIGNATURE_BITS_MIN = 112 };

/* -- the key ------------------------------------------------------------------------------------------------------- */

/* What RFC 8446 §4.2.7 knows; others could be loaded, but no client would take them. */
static const char *
curve_of(const EVP_PKEY *key, char *name, size_t room)
{
	static const struct { const char *known, *shown; } curves[] = {
		{ "prime256v1",	"P-256" },
		{ "secp384r1",	"P-384" },
		{ "secp521r1",	"P-521" },
	};

	if (!EVP_PKEY_get_group_name(key, name, room, NULL))
		snprintf(name, room, "%s", "a curve of its own");
	for (size_t i = 0; i < COUNT(curves); i++)
		if (strcmp(curves[i].known, name) == 0)
			return curves[i].shown;
	return NULL;
}

static bool
rsa_check(struct tls_certificate *certificate, const char *family, struct arena *arena, struct err *err)
{
	int bits = EVP_PKEY_get_bits(certificate->key);

	certificate->is_rsa = true;
	certificate->kind = arena_format(arena, "%s %d", family, bits);
	return bits >= RSA_BITS_MIN ||
	    err_set(err, "the key is too small: RSA with %d bits, at least %d are needed", bits, RSA_BITS_MIN);
}

static bool
curve_check(struct tls_certificate *certificate, struct arena *arena, struct err *err)
{
	char name[64];
	const char *curve = curve_of(certificate->key, name, sizeof(name));

	if (curve == NULL)
		return err_set(err, "the key is of a kind that TLS does not use: ECDSA over %s; P-256, P-384 and P-521 "
		    "are good", name);
	certificate->kind = arena_format(arena, "ECDSA %s", curve);
	return true;
}

static bool
key_check(struct tls_certificate *certificate, struct arena *arena, struct err *err)
{
	const char *name;

	switch (EVP_PKEY_get_base_id(certificate->key)) {
	case EVP_PKEY_RSA:
		return rsa_check(certificate, "RSA", arena, err);
	case EVP_PKEY_RSA_PSS:
		return rsa_check(certificate, "RSA-PSS", arena, err);
	case EVP_PKEY_EC:
		return curve_check(certificate, arena, err);
	case EVP_PKEY_ED25519:
		certificate->kind = "Ed25519";
		return true;
	case EVP_PKEY_ED448:
		certificate->kind = "Ed448";
		return true;
	default:
		name = EVP_PKEY_get0_type_name(certificate->key);
		return err_set(err, "the key is of a kind that TLS does not use: %s; ECDSA and RSA are good",
		    name ? name : "unknown");
	}
}

/* -- together ------------------------------------------------------------------------------------------------------ */

static bool
belongs(const X509 *leaf, const EVP_PKEY *key)
{
	EVP_PKEY *its = X509_get0_pubkey(leaf);

	return its && EVP_PKEY_eq(its, key) == 1;
}

static bool
pair_check(const struct tls_certificate *certificate, struct err *err)
{
	const EVP_PKEY *of_leaf = X509_get0_pubkey(certificate->leaf);

	if (belongs(certificate->leaf, certificate->key))
		return true;
	for (int i = 0; i < sk_X509_num(certificate->chain); i++)
		if (belongs(sk_X509_value(certificate->chain, i), certificate->key))
			return err_set(err, "the key belongs to certificate %d of the file: that one must be the first",
			    i + 2);
	if (of_leaf && EVP_PKEY_get_base_id(of_leaf) != EVP_PKEY_get_base_id(certificate->key))
		return err_set(err, "the key is not the certificate's: the certificate is for %s, the key is %s",
		    EVP_PKEY_get0_type_name(of_leaf), EVP_PKEY_get0_type_name(certificate->key));
	return err_set(err, "the key is not the certificate's: it is the key of another certificate");
}

/* A root's own signature proves nothing and is not looked at by anybody. */
static bool
signature_check(X509 *certificate, int number, struct err *err)
{
	bool is_root = number > 1 && X509_self_signed(certificate, 0) == 1;
	int digest = NID_undef, bits = 0;

	if (is_root || !X509_get_signature_info(certificate, &digest, NULL, &bits, NULL) || bits >= SIGNATURE_BITS_MIN)
		return true;
	return err_set(err, "certificate %d of the file is signed with %s, which is broken and which clients refuse: "
	    "have it issued anew with SHA-256", number, digest == NID_undef ? "a weak digest" : OBJ_nid2sn(digest));
}

static bool
signatures_check(const struct tls_certificate *certificate, struct err *err)
{
	bool ok = signature_check(certificate->leaf, 1, err);

	for (int i = 0; ok && i < sk_X509_num(certificate->chain); i++)
		ok = signature_check(sk_X509_value(certificate->chain, i), i + 2, err);
	return ok;
}

static bool
certifies(X509 *issuer, X509 *subject)
{
	return X509_check_issued(issuer, subject) == X509_V_OK &&
	       X509_verify(subject, X509_get0_pubkey(issuer)) == 1;
}

bool
tls_certificate_is_chained(const struct tls_certificate *certificate, struct err *err)
{
	int count = sk_X509_num(certificate->chain);
	X509 *before = certificate->leaf;
	bool ok = true;

	for (int i = 0; ok && i < count; i++) {
		X509 *next = sk_X509_value(certificate->chain, i);

		ok = certifies(next, before);
		for (int j = i + 1; !ok && j < count; j++)
			if (certifies(sk_X509_value(certificate->chain, j), before))
				return err_set(err, "the chain is in the wrong order: certificate %d should stand "
				    "behind certificate %d; some clients will not find their way", j + 2, i + 1);
		if (!ok)
			err_set(err, "certificate %d of the file did not certify the one before it: it does not belong "
			    "into this chain", i + 2);
		before = next;
	}
	tls_reason();
	return ok;
}

/* -- what people are shown ----------------------------------------------------------------------------------------- */

static struct span
text_move(struct text *text, struct arena *arena)
{
	struct span kept = span_make(arena_text(arena, text_span(text)), text->len);

	text_fini(text);
	return kept;
}

/* A certificate without DNS names is good for its common name, says X509_check_host(3). */
static struct span
names_of(const X509 *leaf, struct arena *arena)
{
	struct text names = { 0 }, common = { 0 }, dns = { 0 };

	tls_text_alternatives(leaf, TLS_ALTERNATIVE_DNS | TLS_ALTERNATIVE_ADDRESS, &names);
	if (tls_text_alternatives(leaf, TLS_ALTERNATIVE_DNS, &dns) == 0 &&
	    tls_text_common_name(X509_get_subject_name(leaf), &common) && strpbrk(common.bytes, " ,\\") == NULL)
		text_format(&names, "%s%s", names.len > 0 ? ", " : "", common.bytes);
	text_fini(&common);
	text_fini(&dns);
	return text_move(&names, arena);
}

static struct span
subject_of(const X509 *leaf, struct span names, struct arena *arena)
{
	struct text subject = { 0 };
	struct span first;

	if (tls_text_common_name(X509_get_subject_name(leaf), &subject) && subject.len > 0)
		return text_move(&subject, arena);
	text_fini(&subject);
	if (span_cut(&names, ',', &first))
		return span_make(arena_text(arena, first), first.len);
	tls_text_name(X509_get_subject_name(leaf), &subject);
	return text_move(&subject, arena);
}

static struct span
issuer_of(const X509 *leaf, struct arena *arena)
{
	struct text issuer = { 0 };

	if (!tls_text_common_name(X509_get_issuer_name(leaf), &issuer))
		tls_text_name(X509_get_issuer_name(leaf), &issuer);
	return text_move(&issuer, arena);
}

static void
facts_fill(struct tls_certificate *certificate, struct arena *arena)
{
	const X509 *leaf = certificate->leaf;
	struct text text = { 0 };

	certificate->names = names_of(leaf, arena);
	certificate->subject = subject_of(leaf, certificate->names, arena);
	certificate->issuer = issuer_of(leaf, arena);
	tls_text_serial(leaf, &text);
	certificate->serial = text_move(&text, arena);
	tls_text_fingerprint(leaf, &text);
	certificate->fingerprint = text_move(&text, arena);
	certificate->from_s = tls_time(X509_get0_notBefore(leaf));
	certificate->until_s = tls_time(X509_get0_notAfter(leaf));
}

/* -- public -------------------------------------------------------------------------------------------------------- */

static bool
parts_read(struct tls_certificate *certificate, struct span cert, struct span key, struct err *err)
{
	struct err why;

	certificate->chain = tls_pem_certificates(cert, &why);
	if (certificate->chain == NULL)
		return err_set(err, "the certificate is not good: %s", why.text);
	certificate->leaf = sk_X509_shift(certificate->chain);
	certificate->key = tls_pem_key(key, &why);
	if (certificate->key == NULL)
		return err_set(err, "the key is not good: %s", why.text);
	return true;
}

bool
tls_certificate_read(struct tls_certificate *certificate_out, struct span cert, struct span key, struct arena *arena,
    struct err *err)
{
	bool ok;

	*certificate_out = (struct tls_certificate){ 0 };
	ok = parts_read(certificate_out, cert, key, err) && pair_check(certificate_out, err) &&
	    key_check(certificate_out, arena, err) && signatures_check(certificate_out, err);
	if (ok)
		facts_fill(certificate_out, arena);
	else
		tls_certificate_fini(certificate_out);
	tls_reason();
	return ok;
}

void
tls_certificate_fini(struct tls_certificate *certificate)
{
	X509_free(certificate->leaf);
	sk_X509_pop_free(certificate->chain, X509_free);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct tls_certificate){ 0 };
}

bool
tls_certificate_names(const struct tls_certificate *certificate, struct span host)
{
	char address[64];

	if (host.len == 0 || host.at[0] == '.')	/* OpenSSL would take that for "anything below" */
		return false;
	if (X509_check_host(certificate->leaf, host.at, host.len, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
		return true;
	if (host.len >= sizeof(address))
		return false;
	memcpy(address, host.at, host.len);
	address[host.len] = '\0';
	return X509_check_ip_asc(certificate->leaf, address, 0) == 1;
}
