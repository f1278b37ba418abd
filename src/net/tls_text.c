/*
 * OpenSSL prints names; here it is made sure that what it prints stays what it is, also on a terminal and to the eye:
 * no control character of either range, nothing that turns the direction of what follows, nothing without width.
 */
#include "net/tls_text.h"

#include "base/count.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <time.h>

enum { IP4_BYTES = 4, IP6_BYTES = 16 };

static void
escape_add(struct text *to, char byte)
{
	text_format(to, "\\%02X", (unsigned char)byte);
}

static void
escaped_add(struct text *to, const ASN1_STRING *from)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(from);
	int count = ASN1_STRING_length(from);

	for (int i = 0; i < count; i++) {
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f || strchr(",\\\"", bytes[i]))
			escape_add(to, (char)bytes[i]);
		else
			text_add_byte(to, (char)bytes[i]);
	}
}

/* -- UTF-8 --------------------------------------------------------------------------------------------------------- */

/* The length of the character at the start, 0: it is none. OpenSSL writes no overlong ones. */
static size_t
character_read(struct span bytes, uint32_t *code_out)
{
	unsigned char lead = (unsigned char)bytes.at[0];
	size_t length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
	uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);

	if (length == 0 || length > bytes.len)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)bytes.at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((unsigned char)bytes.at[i] & 0x3f);
	}
	*code_out = code;
	return length;
}

/* What a terminal obeys (C1: U+009B is ESC [), and what hides or moves other characters. */
static bool
is_shown(uint32_t code)
{
	static const struct { uint32_t first, last; } hidden[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < COUNT(hidden); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

/* What is no character that may be shown is escaped byte by byte. */
static void
shown_add(struct text *to, struct span bytes)
{
	while (bytes.len > 0) {
		uint32_t code = 0;
		size_t length = character_read(bytes, &code);
		bool is_good = length > 0 && is_shown(code);

		if (length == 0)
			length = 1;
		for (size_t i = 0; i < length; i++) {
			if (is_good)
				text_add_byte(to, bytes.at[i]);
			else
				escape_add(to, bytes.at[i]);
		}
		bytes = span_skip(bytes, length);
	}
}

/* -- alternatives -------------------------------------------------------------------------------------------------- */

static bool
is_address(const GENERAL_NAME *name)
{
	int count = name->type == GEN_IPADD ? ASN1_STRING_length(name->d.iPAddress) : 0;

	return count == IP4_BYTES || count == IP6_BYTES;
}

static void
address_add(struct text *to, const ASN1_OCTET_STRING *from)
{
	int family = ASN1_STRING_length(from) == IP4_BYTES ? AF_INET : AF_INET6;
	char shown[INET6_ADDRSTRLEN];

	if (inet_ntop(family, ASN1_STRING_get0_data(from), shown, sizeof(shown)))
		text_add_text(to, shown);
}

static unsigned
kind_of(const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		return TLS_ALTERNATIVE_DNS;
	case GEN_URI:
		return TLS_ALTERNATIVE_URI;
	case GEN_EMAIL:
		return TLS_ALTERNATIVE_EMAIL;
	case GEN_IPADD:
		return is_address(name) ? TLS_ALTERNATIVE_ADDRESS : 0;
	default:
		return 0;
	}
}

unsigned
tls_text_alternatives(const struct x509_st *certificate, unsigned kinds, struct text *to)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if ((kind_of(name) & kinds) == 0)
			continue;
		if (count++ > 0)
			text_add_text(to, ", ");
		if (name->type == GEN_IPADD)
			address_add(to, name->d.iPAddress);
		else
			escaped_add(to, name->d.ia5);
	}
	GENERAL_NAMES_free(names);
	return count;
}

/* -- names --------------------------------------------------------------------------------------------------------- */

static void
bio_take(BIO *bio, struct text *to)
{
	char *bytes = NULL;
	long count = BIO_get_mem_data(bio, &bytes);

	if (count > 0)
		shown_add(to, span_make(bytes, (size_t)count));
	BIO_free(bio);
}

void
tls_text_name(const struct X509_name_st *name, struct text *to)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	bio_take(bio, to);
}

bool
tls_text_common_name(const struct X509_name_st *name, struct text *to)
{
	int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	size_t before;
	BIO *bio;

	if (index < 0 || (bio = BIO_new(BIO_s_mem())) == NULL)
		return false;
	ASN1_STRING_print_ex(bio, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)),
	    ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_ESC_CTRL);
	before = to->len;
	bio_take(bio, to);
	return to->len > before;
}

void
tls_text_fingerprint(const struct x509_st *certificate, struct text *to)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned count = 0;

	if (!X509_digest(certificate, EVP_sha256(), digest, &count))
		return;
	for (unsigned i = 0; i < count; i++)
		text_format(to, "%02x", digest[i]);
}

void
tls_text_serial(const struct x509_st *certificate, struct text *to)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *digits = number ? BN_bn2hex(number) : NULL;

	if (digits)
		text_add_text(to, digits);
	OPENSSL_free(digits);
	BN_free(number);
}

int64_t
tls_time(const struct asn1_string_st *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}
