/* A response may speak of many certificates: the one that is ours is found by the id that its issuer gives it. */
#include "net/tls_staple.h"

#include "net/tls_pem.h"
#include "net/tls_text.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

enum { FEATURE_STATUS_REQUEST = 5 };

static X509 *
issuer_find(const struct tls_certificate *certificate)
{
	for (int i = 0; i < sk_X509_num(certificate->chain); i++) {
		X509 *candidate = sk_X509_value(certificate->chain, i);

		if (X509_check_issued(candidate, certificate->leaf) == X509_V_OK)
			return candidate;
	}
	return X509_check_issued(certificate->leaf, certificate->leaf) == X509_V_OK ? certificate->leaf : NULL;
}

/* Without the issuer's certificate at hand the serial number has to do. */
static bool
is_about(OCSP_SINGLERESP *single, const struct tls_certificate *certificate)
{
	OCSP_CERTID *known = NULL;
	/* The accessor wants a writable one and does not write. */
	OCSP_CERTID *id = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(single));
	ASN1_OBJECT *digest = NULL;
	ASN1_INTEGER *serial = NULL;
	X509 *issuer = issuer_find(certificate);
	bool is_ours = false;

	if (id && OCSP_id_get0_info(NULL, &digest, NULL, &serial, id)) {
		const EVP_MD *method = EVP_get_digestbyobj(digest);

		if (issuer && method)
			known = OCSP_cert_to_id(method, certificate->leaf, issuer);
		is_ours = known ? OCSP_id_cmp(known, id) == 0
		    : ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate->leaf)) == 0;
	}
	OCSP_CERTID_free(known);
	OCSP_CERTID_free(id);
	return is_ours;
}

static bool
single_take(struct tls_staple *staple, OCSP_SINGLERESP *single)
{
	ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;

	staple->is_good = OCSP_single_get0_status(single, NULL, NULL, &from, &until) == V_OCSP_CERTSTATUS_GOOD;
	staple->from_s = from ? tls_time(from) : 0;
	staple->until_s = until ? tls_time(until) : INT64_MAX;
	return true;
}

static bool
basic_take(struct tls_staple *staple, OCSP_RESPONSE *response, const struct tls_certificate *certificate,
    struct err *err)
{
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	int count = basic ? OCSP_resp_count(basic) : 0;
	bool is_found = false;

	for (int i = 0; i < count && !is_found; i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		is_found = is_about(single, certificate) && single_take(staple, single);
	}
	OCSP_BASICRESP_free(basic);
	return is_found || err_set(err, "the OCSP response is about another certificate");
}

bool
tls_staple_read(struct tls_staple *staple_out, struct span der, const struct tls_certificate *certificate,
    struct err *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	bool ok;
	int status;

	*staple_out = (struct tls_staple){ .der = der };
	if (response == NULL || at != (const unsigned char *)der.at + der.len) {
		ok = err_set(err, "the file is no OCSP response in DER form");
	} else if ((status = OCSP_response_status(response)) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		ok = err_set(err, "the OCSP responder gave no answer but \"%s\"", OCSP_response_status_str(status));
	} else {
		ok = basic_take(staple_out, response, certificate, err);
	}
	OCSP_RESPONSE_free(response);
	tls_reason();
	return ok;
}

bool
tls_staple_is_fresh(const struct tls_staple *staple, int64_t now_s)
{
	return staple->der.len > 0 && staple->is_good && staple->from_s <= now_s && now_s < staple->until_s;
}

bool
tls_staple_is_demanded(const struct tls_certificate *certificate)
{
	TLS_FEATURE *features = X509_get_ext_d2i(certificate->leaf, NID_tlsfeature, NULL, NULL);
	bool is_demanded = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		is_demanded |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == FEATURE_STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return is_demanded;
}
