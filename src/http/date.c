/*
 * Calendar arithmetic without the time zones and locales of libc.
 *
 * A year is counted from 1 March, so that the leap day is its last; 400 such years are an era of 146097 days.
 */
#include "http/date.h"
#include "base/clock.h"
#include "http/byte_class.h"

#include <assert.h>

enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 /* from 0000-03-01 */, SECONDS_PER_DAY = 86400 };

static const int64_t last_second = 253402300799;	/* 9999-12-31T23:59:59Z: four digits of year */

static const char month_names[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};
static const struct span day_names[7] = {
	SPAN("Sunday"), SPAN("Monday"), SPAN("Tuesday"), SPAN("Wednesday"), SPAN("Thursday"), SPAN("Friday"),
	SPAN("Saturday")
};

struct moment {
	unsigned	year, month, day;	/* month and day from 1 */
	unsigned	hour, minute, second;
};

static int64_t
days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned march_year = month > 2 ? year : year - 1;
	unsigned era = march_year / 400;
	unsigned year_of_era = march_year % 400;
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
	    DAYS_TO_1970;
}

static struct moment
moment_of(int64_t unix_seconds)
{
	uint64_t days = (uint64_t)(unix_seconds / SECONDS_PER_DAY) + DAYS_TO_1970;
	unsigned second = (unsigned)(unix_seconds % SECONDS_PER_DAY);
	unsigned day_of_era = (unsigned)(days % DAYS_PER_ERA);
	unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned march_month = (5 * day_of_year + 2) / 153;
	unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct moment){
		.year = (unsigned)(days / DAYS_PER_ERA) * 400 + year_of_era + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * march_month + 2) / 5 + 1,
		.hour = second / 3600, .minute = second / 60 % 60, .second = second % 60,
	};
}

static unsigned
month_length(unsigned year, unsigned month)
{
	static const unsigned char lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : lengths[month - 1];
}

static char *
put_digits(char *to, unsigned number, unsigned digits)
{
	unsigned i;

	for (i = digits; i > 0; i--, number /= 10)
		to[i - 1] = (char)('0' + number % 10);
	return to + digits;
}

static char *
put_bytes(char *to, const char *bytes, size_t count)
{
	memcpy(to, bytes, count);
	return to + count;
}

void
http_date_format(char to[HTTP_DATE_LENGTH], int64_t unix_seconds)
{
	int64_t seconds = unix_seconds < 0 ? 0 : unix_seconds > last_second ? last_second : unix_seconds;
	struct moment moment = moment_of(seconds);
	char *at = to;

	at = put_bytes(at, day_names[(seconds / SECONDS_PER_DAY + 4) % 7].at, 3);	/* day 0 was a Thursday */
	at = put_bytes(at, ", ", 2);
	at = put_digits(at, moment.day, 2);
	*at++ = ' ';
	at = put_bytes(at, month_names[moment.month - 1], 3);
	*at++ = ' ';
	at = put_digits(at, moment.year, 4);
	*at++ = ' ';
	at = put_digits(at, moment.hour, 2);
	*at++ = ':';
	at = put_digits(at, moment.minute, 2);
	*at++ = ':';
	at = put_digits(at, moment.second, 2);
	at = put_bytes(at, " GMT", 4);
	assert(at == to + HTTP_DATE_LENGTH);
}

/* Each take_… step moves *rest_io past what it read, or returns false. */
static bool
take_text(struct span *rest_io, struct span text)
{
	if (!span_starts_with(*rest_io, text))
		return false;
	*rest_io = span_skip(*rest_io, text.len);
	return true;
}

static bool
take_digits(struct span *rest_io, unsigned digits, unsigned *number_out)
{
	uint64_t number;

	if (rest_io->len < digits || !span_to_number(span_first(*rest_io, digits), 9999, &number))
		return false;
	*number_out = (unsigned)number;
	*rest_io = span_skip(*rest_io, digits);
	return true;
}

static bool
take_month(struct span *rest_io, unsigned *month_out)
{
	for (unsigned i = 0; i < 12; i++) {
		if (take_text(rest_io, span_make(month_names[i], 3))) {
			*month_out = i + 1;
			return true;
		}
	}
	return false;
}

static bool
take_day_name(struct span *rest_io, bool whole)
{
	for (unsigned i = 0; i < 7; i++) {
		if (take_text(rest_io, whole ? day_names[i] : span_first(day_names[i], 3)))
			return true;
	}
	return false;
}

static bool
take_clock(struct span *rest_io, struct moment *moment)
{
	return take_digits(rest_io, 2, &moment->hour) && take_text(rest_io, SPAN_OF(":")) &&
	    take_digits(rest_io, 2, &moment->minute) && take_text(rest_io, SPAN_OF(":")) &&
	    take_digits(rest_io, 2, &moment->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
read_imf_fixdate(struct span rest, struct moment *moment)
{
	return take_day_name(&rest, false) && take_text(&rest, SPAN_OF(", ")) && take_digits(&rest, 2, &moment->day) &&
	    take_text(&rest, SPAN_OF(" ")) && take_month(&rest, &moment->month) && take_text(&rest, SPAN_OF(" ")) &&
	    take_digits(&rest, 4, &moment->year) && take_text(&rest, SPAN_OF(" ")) && take_clock(&rest, moment) &&
	    span_is(rest, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool
read_rfc850(struct span rest, struct moment *moment)
{
	unsigned this_year, year;

	if (!(take_day_name(&rest, true) && take_text(&rest, SPAN_OF(", ")) && take_digits(&rest, 2, &moment->day) &&
	    take_text(&rest, SPAN_OF("-")) && take_month(&rest, &moment->month) && take_text(&rest, SPAN_OF("-")) &&
	    take_digits(&rest, 2, &year) && take_text(&rest, SPAN_OF(" ")) && take_clock(&rest, moment) &&
	    span_is(rest, " GMT")))
		return false;
	this_year = moment_of((int64_t)(clock_wall_ms() / 1000)).year;
	moment->year = this_year - this_year % 100 + year;
	if (moment->year > this_year + 50)	/* RFC 9110 §5.6.7: more than 50 years ahead means the past */
		moment->year -= 100;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool
read_asctime(struct span rest, struct moment *moment)
{
	if (!take_day_name(&rest, false) || !take_text(&rest, SPAN_OF(" ")) || !take_month(&rest, &moment->month) ||
	    !take_text(&rest, SPAN_OF(" ")))
		return false;
	if (!take_digits(&rest, take_text(&rest, SPAN_OF(" ")) ? 1 : 2, &moment->day))
		return false;
	return take_text(&rest, SPAN_OF(" ")) && take_clock(&rest, moment) && take_text(&rest, SPAN_OF(" ")) &&
	    take_digits(&rest, 4, &moment->year) && rest.len == 0;
}

static bool
moment_is_valid(const struct moment *moment)
{
	return moment->day >= 1 && moment->day <= month_length(moment->year, moment->month) && moment->hour < 24 &&
	    moment->minute < 60 && moment->second <= 60 && moment->year >= 1;
}

bool
http_date_parse(struct span from, int64_t *unix_seconds_out)
{
	struct moment moment = { 0 };

	if (!read_imf_fixdate(from, &moment) && !read_rfc850(from, &moment) && !read_asctime(from, &moment))
		return false;
	if (!moment_is_valid(&moment))
		return false;
	*unix_seconds_out = days_of(moment.year, moment.month, moment.day) * SECONDS_PER_DAY +
	    moment.hour * 3600 + moment.minute * 60 + moment.second;
	return true;
}

struct span
http_date_at(uint64_t wall_ms)
{
	static char text[HTTP_DATE_LENGTH];
	static uint64_t made_for = UINT64_MAX;

	if (wall_ms / 1000 != made_for) {
		made_for = wall_ms / 1000;
		http_date_format(text, (int64_t)made_for);
	}
	return span_make(text, sizeof(text));
}
