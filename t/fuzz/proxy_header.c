/* rooms: base loop conf net */
/*
 * Any bytes as a PROXY header: judged the same however much follows, waited for no longer than its bounds, and no piece
 * of what is refused or taken is judged otherwise.
 */
#include "net/proxy_header.h"
#include "fuzz.h"

enum { LONGEST = 16 + 2048 };

struct judged {
	enum proxy_header_result	result;
	struct address			source;
	size_t				used;
};

static struct judged
judge(struct span bytes)
{
	struct span copy = fuzz_copy(bytes);
	struct judged judged = { .source.any.sa_family = AF_UNSPEC };

	judged.result = proxy_header_parse(copy, &judged.source, &judged.used);
	fuzz_release(copy);
	return judged;
}

static void
source_check(const struct judged *judged)
{
	char text[ADDRESS_TEXT_MAX];
	struct address again;
	size_t length;

	if (!address_is_set(&judged->source))
		return;
	check(judged->source.any.sa_family == AF_INET || judged->source.any.sa_family == AF_INET6);
	length = address_format_host(&judged->source, text);
	check(address_parse_host(span_make(text, length), address_port(&judged->source), &again));
	check(address_equal(&again, &judged->source));
}

static void
pieces_check(struct span bytes, const struct judged *whole)
{
	bool decided = false;

	for (size_t length = 0; length < bytes.len; length++) {
		struct judged piece = judge(span_first(bytes, length));

		check(!decided || piece.result != PROXY_HEADER_AGAIN);
		decided = piece.result != PROXY_HEADER_AGAIN;
		if (decided)
			check(piece.result == whole->result);
		if (piece.result == PROXY_HEADER_OK)
			check(piece.used == whole->used && address_equal(&piece.source, &whole->source));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span all = span_make((const char *)bytes, size);
	struct judged whole = judge(all);

	if (whole.result == PROXY_HEADER_AGAIN)
		check(size < LONGEST);
	if (whole.result == PROXY_HEADER_OK) {
		check(whole.used >= 15 && whole.used <= LONGEST && whole.used <= size);
		source_check(&whole);
	}
	pieces_check(span_first(all, 300), &whole);
	return 0;
}
