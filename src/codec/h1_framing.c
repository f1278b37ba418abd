/*
 * The two fields that frame a message are looked up by their bits: most messages have neither.
 */
#include "codec/h1_framing.h"
#include "http/byte_class.h"

enum { LENGTH_DIGITS_MAX = 19 };

static struct field *
field_of(struct fields *fields, enum field_name id)
{
	uint32_t i = 0;

	while (fields->items[i].id != id)
		i++;
	return &fields->items[i];
}

static enum h1_result
length_parse(struct field *field, struct h1_framing *framing, struct h1_refusal *refusal_out)
{
	struct span value = field->value;

	if (value.len == 0 || value.len > LENGTH_DIGITS_MAX || !span_to_number(value, UINT64_MAX, &framing->length))
		return h1_refuse(refusal_out, 400, "a Content-Length that is no plain number");
	while (value.len > 1 && value.at[0] == '0')
		value = span_skip(value, 1);
	field->value = value;
	framing->has_length = true;
	return H1_OK;
}

/* Every member of the list a token, "chunked" the last and only there: such a message could be understood by others. */
static bool
codings_are_well_formed(struct span value)
{
	struct span part, last = SPAN("");
	size_t chunked = 0;

	if (value.len == 0 || value.at[value.len - 1] == ',')
		return false;
	while (span_cut(&value, ',', &part)) {
		last = span_trim(part);
		if (!field_name_is_valid(last))
			return false;
		chunked += span_equal_nocase(last, SPAN_OF("chunked"));
	}
	return chunked == 1 && span_equal_nocase(last, SPAN_OF("chunked"));
}

static enum h1_result
coding_parse(struct span value, struct h1_framing *framing, struct h1_refusal *refusal_out)
{
	if (span_equal_nocase(value, SPAN_OF("chunked"))) {
		framing->is_chunked = true;
		return H1_OK;
	}
	if (codings_are_well_formed(value))
		return h1_refuse(refusal_out, 501, "a transfer coding that is not known");
	return h1_refuse(refusal_out, 400, "a Transfer-Encoding that is not chunked");
}

enum h1_result
h1_framing_parse(struct fields *fields, unsigned minor, struct h1_framing *framing_out, struct h1_refusal *refusal_out)
{
	bool has_length = fields_have(fields, FIELD_CONTENT_LENGTH);

	*framing_out = (struct h1_framing){ 0 };
	if (fields_have(fields, FIELD_TRANSFER_ENCODING)) {
		if (has_length)
			return h1_refuse(refusal_out, 400, "Content-Length together with Transfer-Encoding");
		if (minor == 0)
			return h1_refuse(refusal_out, 400, "Transfer-Encoding in an HTTP/1.0 message");
		return coding_parse(field_of(fields, FIELD_TRANSFER_ENCODING)->value, framing_out, refusal_out);
	}
	return has_length ? length_parse(field_of(fields, FIELD_CONTENT_LENGTH), framing_out, refusal_out) : H1_OK;
}

bool
h1_keep_alive(const struct fields *fields, unsigned minor)
{
	if (!fields_have(fields, FIELD_CONNECTION))
		return minor == 1;
	if (fields_have_token(fields, FIELD_CONNECTION, SPAN_OF("close")))
		return false;
	return minor == 1 || fields_have_token(fields, FIELD_CONNECTION, SPAN_OF("keep-alive"));
}
