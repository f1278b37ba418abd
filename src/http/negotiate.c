/*
 * The most specific member that fits decides (RFC 9110 §12.5.1), so each member is scored by how closely it fits.
 */
#include "http/negotiate.h"
#include "http/byte_class.h"

enum { QUALITY_MAX = 1000 };

enum fit { FITS_NOT, FITS_ANY, FITS_TYPE, FITS_EXACTLY };

/* Takes the part before the next separator that is not in a quoted string. */
static bool
cut_unquoted(struct span *rest_io, char separator, struct span *part_out)
{
	struct span rest = *rest_io;
	bool quoted = false;
	size_t i;

	if (rest.len == 0)
		return false;
	for (i = 0; i < rest.len && (quoted || rest.at[i] != separator); i++) {
		if (rest.at[i] == '"')
			quoted = !quoted;
		else if (quoted && rest.at[i] == '\\')
			i++;
	}
	*part_out = span_first(rest, i);
	*rest_io = span_skip(rest, i + 1);
	return true;
}

/* "1", "0.5", "0.123": at most three digits after the point (§12.4.2). */
static bool
quality_parse(struct span value, unsigned *quality_out)
{
	unsigned quality, scale = 100;

	if (value.len < 1 || value.len > 5 || value.at[0] < '0' || value.at[0] > '1' ||
	    (value.len > 1 && value.at[1] != '.'))
		return false;
	quality = value.at[0] == '1' ? QUALITY_MAX : 0;
	for (size_t i = 2; i < value.len; i++, scale /= 10) {
		if (!byte_is(value.at[i], BYTE_DIGIT))
			return false;
		quality += scale * hex_value(value.at[i]);
	}
	*quality_out = quality;
	return quality <= QUALITY_MAX;
}

/* Splits "text/html;level=1;q=0.5"; a member whose weight is malformed is left out. Other parameters do not count. */
static bool
member_parse(struct span member, struct span *name_out, unsigned *quality_out)
{
	struct span parameter;

	*quality_out = QUALITY_MAX;
	if (!cut_unquoted(&member, ';', name_out))
		return false;
	*name_out = span_trim(*name_out);
	while (cut_unquoted(&member, ';', &parameter)) {
		parameter = span_trim(parameter);
		if (span_equal_nocase(span_first(parameter, 2), SPAN_OF("q=")) &&
		    !quality_parse(span_skip(parameter, 2), quality_out))
			return false;
	}
	return name_out->len > 0;
}

static enum fit
range_fit(struct span range, struct span type)
{
	size_t slash = span_find(range, '/');

	if (span_equal_nocase(range, type))
		return FITS_EXACTLY;
	if (!span_is(span_skip(range, slash), "/*"))
		return FITS_NOT;
	range = span_first(range, slash);
	if (span_is(range, "*"))
		return FITS_ANY;
	return span_equal_nocase(range, span_first(type, span_find(type, '/'))) ? FITS_TYPE : FITS_NOT;
}

unsigned
accept_quality(struct span accept, struct span media_type)
{
	struct span type = span_trim(span_first(media_type, span_find(media_type, ';')));
	struct span member, range;
	enum fit fit, best = FITS_NOT;
	unsigned quality, best_quality = 0;
	bool said_something = false;

	while (cut_unquoted(&accept, ',', &member)) {
		if (!member_parse(member, &range, &quality))
			continue;
		said_something = true;
		fit = range_fit(range, type);
		if (fit > best || (fit == best && fit != FITS_NOT && quality > best_quality)) {
			best = fit;
			best_quality = quality;
		}
	}
	return said_something ? best_quality : QUALITY_MAX;
}

/* RFC 9110 §8.4.1.3: x-gzip is gzip. */
static bool
codings_equal(struct span a, struct span b)
{
	if (span_equal_nocase(a, SPAN_OF("x-gzip")))
		a = SPAN_OF("gzip");
	return span_equal_nocase(a, b);
}

unsigned
accept_encoding_quality(struct span accept_encoding, struct span coding)
{
	bool is_identity = span_equal_nocase(coding, SPAN_OF("identity"));
	unsigned quality, any = is_identity ? QUALITY_MAX : 0;
	struct span member, name;

	while (cut_unquoted(&accept_encoding, ',', &member)) {
		if (!member_parse(member, &name, &quality))
			continue;
		if (codings_equal(name, coding))
			return quality;
		if (span_is(name, "*") && (!is_identity || quality == 0))
			any = quality;
	}
	return any;
}
