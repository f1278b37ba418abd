/*
 * What makes a pair useless is an error; what clients may stumble over is a warning. Both name the files, because the
 * place in the configuration does not tell which of many it is.
 */
#include "net/tls_pair.h"

#include "base/clock.h"
#include "net/tls_pem.h"
#include "net/tls_text.h"

#include <openssl/x509v3.h>

enum { PEM_FILE_MAX = 1 << 20, STAPLE_FILE_MAX = 64 << 10 };

#define DAY_S ((int64_t)24 * 3600)
#define ENDS_SOON_S (7 * DAY_S)

static bool
file_read(const struct tls_pair_reading *reading, const char *key, struct span path, size_t max,
    struct span *contents_out)
{
	struct err err;

	return conf_file_watched(reading->reader->conf, path.at, max, contents_out, &err) ||
	    option_problem_at(reading->reader, reading->node, key, "%s", err.text);
}

static int64_t
now_s(void)
{
	return (int64_t)(clock_wall_ms() / 1000);
}

/* "2026-11-20 15:54 UTC" */
static const char *
date_of(int64_t time_s, char *to, size_t room)
{
	char stamp[24];

	clock_format_rfc3339(stamp, time_s > 0 ? (uint64_t)time_s * 1000 : 0);
	snprintf(to, room, "%.10s %.5s UTC", stamp, stamp + 11);
	return to;
}

/* -- dates --------------------------------------------------------------------------------------------------------- */

/* At the first start anything is better than no service at all. */
static bool
refuse_date(const struct tls_pair_reading *reading, const char *sentence)
{
	if (!reading->place->is_first_start)
		return option_problem_at(reading->reader, reading->node, "cert", "%s", sentence);
	option_warning_at(reading->reader, reading->node, "cert", "%s", sentence);
	return true;
}

static void
soon_warn(const struct tls_pair_reading *reading, const struct tls_certificate *certificate, int64_t left_s)
{
	char date[40], left[40];

	if (left_s >= ENDS_SOON_S)
		return;
	if (left_s < DAY_S)
		snprintf(left, sizeof(left), "within a day");
	else
		snprintf(left, sizeof(left), "in %d day%s", (int)(left_s / DAY_S), left_s < 2 * DAY_S ? "" : "s");
	option_warning_at(reading->reader, reading->node, "cert", "the certificate of %s ends %s, %s: renew it (%s)",
	    certificate->subject.at, left, date_of(certificate->until_s, date, sizeof(date)),
	    reading->options->cert.at);
}

static bool
dates_check(const struct tls_pair_reading *reading, const struct tls_certificate *certificate)
{
	int64_t now = now_s();
	struct err err;
	char date[40];

	if (certificate->until_s <= now) {
		err_set(&err, "the certificate of %s has expired, %s: put a new one into %s", certificate->subject.at,
		    date_of(certificate->until_s, date, sizeof(date)), reading->options->cert.at);
		return refuse_date(reading, err.text);
	}
	if (certificate->from_s > now) {
		err_set(&err, "the certificate of %s is not valid before %s: is the clock right, and %s the file you "
		    "mean?", certificate->subject.at, date_of(certificate->from_s, date, sizeof(date)),
		    reading->options->cert.at);
		return refuse_date(reading, err.text);
	}
	soon_warn(reading, certificate, certificate->until_s - now);
	return true;
}

/* -- what clients may stumble over --------------------------------------------------------------------------------- */

static void
chain_warn(const struct tls_pair_reading *reading, const struct tls_certificate *certificate)
{
	int64_t now = now_s();
	struct err err;

	if (!tls_certificate_is_chained(certificate, &err))
		option_warning_at(reading->reader, reading->node, "cert", "%s: %s", reading->options->cert.at,
		    err.text);
	for (int i = 0; i < sk_X509_num(certificate->chain); i++) {
		if (tls_time(X509_get0_notAfter(sk_X509_value(certificate->chain, i))) > now)
			continue;
		option_warning_at(reading->reader, reading->node, "cert", "%s: certificate %d of the file has expired: "
		    "get the chain anew from who issued the first", reading->options->cert.at, i + 2);
	}
}

static void
usage_warn(const struct tls_pair_reading *reading, const struct tls_certificate *certificate)
{
	const char *path = reading->options->cert.at;

	if (X509_check_purpose(certificate->leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		option_warning_at(reading->reader, reading->node, "cert", "%s: the certificate was not issued for "
		    "servers (its key usage): clients will refuse it", path);
	if (certificate->names.len == 0)
		option_warning_at(reading->reader, reading->node, "cert", "%s: the certificate has no name: no client "
		    "will take it", path);
}

/* -- the staple ---------------------------------------------------------------------------------------------------- */

static void
staple_warn(const struct tls_pair_reading *reading, const struct tls_staple *staple,
    const struct tls_certificate *certificate)
{
	const char *path = reading->options->ocsp.at;
	int64_t now = now_s();
	struct err err;
	char date[40];

	if (staple->der.len == 0) {
		if (tls_staple_is_demanded(certificate))
			option_warning_at(reading->reader, reading->node, "cert", "the certificate makes clients "
			    "insist on an OCSP response (must-staple): `ocsp` should name one");
		return;
	}
	if (tls_staple_is_fresh(staple, now))
		return;
	if (!staple->is_good)
		err_set(&err, "%s does not say that the certificate is good (revoked, or unknown to its issuer): it is "
		    "not stapled", path);
	else if (staple->from_s > now)
		err_set(&err, "%s is not valid before %s: it is not stapled yet", path,
		    date_of(staple->from_s, date, sizeof(date)));
	else
		err_set(&err, "%s is out of date since %s: it is not stapled", path,
		    date_of(staple->until_s, date, sizeof(date)));
	option_warning_at(reading->reader, reading->node, "ocsp", "%s", err.text);
}

static bool
staple_read(const struct tls_pair_reading *reading, const struct tls_certificate *certificate,
    struct tls_staple *staple_out)
{
	struct span der;
	struct err err;

	*staple_out = (struct tls_staple){ 0 };
	if (reading->options->ocsp.len == 0)
		return true;
	if (!file_read(reading, "ocsp", reading->options->ocsp, STAPLE_FILE_MAX, &der))
		return false;
	return tls_staple_read(staple_out, arena_copy(reading->arena, der), certificate, &err) ||
	    option_problem_at(reading->reader, reading->node, "ocsp", "%s: %s", reading->options->ocsp.at, err.text);
}

/* -- public -------------------------------------------------------------------------------------------------------- */

static bool
certificate_read(const struct tls_pair_reading *reading, struct tls_certificate *certificate_out)
{
	const struct tls_pair_options *options = reading->options;
	struct span cert, key;
	struct err why;
	bool ok = file_read(reading, "cert", options->cert, PEM_FILE_MAX, &cert);

	ok = file_read(reading, "key", options->key, PEM_FILE_MAX, &key) && ok;
	if (!ok || tls_certificate_read(certificate_out, cert, key, reading->arena, &why))
		return ok;
	return option_problem(reading->reader, reading->node, "%s (cert %s, key %s)", why.text, options->cert.at,
	    options->key.at);
}

bool
tls_pair_read(const struct tls_pair_reading *reading, struct tls_certificate *certificate_out,
    struct tls_staple *staple_out)
{
	bool ok = certificate_read(reading, certificate_out);

	if (!ok)
		return false;
	ok = staple_read(reading, certificate_out, staple_out);
	if (reading->place->checks_dates) {
		ok = dates_check(reading, certificate_out) && ok;
		usage_warn(reading, certificate_out);
		chain_warn(reading, certificate_out);
		if (ok)
			staple_warn(reading, staple_out, certificate_out);
	}
	if (!ok)
		tls_certificate_fini(certificate_out);
	tls_reason();
	return ok;
}
