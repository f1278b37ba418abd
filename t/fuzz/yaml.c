/* rooms: base conf */
/*
 * A configuration from bytes, the whole way: parsed, packed and unpacked, read by rows, printed and read again. The
 * same bytes also stand for a packed configuration, which they seldom are.
 */
#include "conf/option.h"

#include "../unit/conf/upstreams.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void
must(bool is_so)
{
	if (!is_so)
		abort();
}

static bool
holds(const struct text *text, const char *part)
{
	return text->len > 0 && memmem(text->bytes, text->len, part, strlen(part)) != NULL;
}

static void
try_pack(const struct conf *conf)
{
	struct text once = { 0 }, again = { 0 };
	struct conf *unpacked;

	conf_pack(conf, &once);
	unpacked = conf_unpack(text_span(&once), NULL);
	must(unpacked != NULL);
	conf_pack(unpacked, &again);
	must(span_equal(text_span(&once), text_span(&again)));
	conf_free(unpacked);
	text_fini(&once);
	text_fini(&again);
}

/* Returns whether the rows were content. */
static bool
try_read(struct conf *conf, struct conf_problems *problems)
{
	struct option_reader reader;
	struct root root = { 0 };
	struct arena arena;
	bool is_good;

	arena_init(&arena, 4096);
	option_reader_init(&reader, conf, &arena, problems);
	is_good = option_read(&reader, &root_group, conf_root(conf), &root);
	must(is_good || problems->errors > 0);
	arena_fini(&arena);
	return is_good;
}

/* What is printed is right again, but for the masks where secrets were. */
static void
try_print(const struct conf *conf)
{
	struct text to = { 0 };
	struct conf_problems problems;
	struct conf *again;

	option_print(&root_group, conf_root(conf), 0, &to);
	conf_problems_init(&problems);
	again = conf_load_bytes("printed.yaml", text_span(&to), &problems);
	must(again != NULL && problems.errors == 0);
	if (!holds(&to, "******"))
		must(try_read(again, &problems));
	conf_free(again);
	conf_problems_fini(&problems);
	text_fini(&to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct span input = span_make((const char *)bytes, count);
	struct text lines = { 0 };
	struct conf_problems problems;
	struct conf *conf;

	conf_free(conf_unpack(input, NULL));
	conf_problems_init(&problems);
	conf = conf_load_bytes("fuzz.yaml", input, &problems);
	must(conf != NULL || problems.errors > 0);
	if (conf) {
		try_pack(conf);
		if (try_read(conf, &problems) && problems.errors == 0)
			try_print(conf);
	}
	conf_problems_sort(&problems);
	conf_problems_format(&problems, &lines);
	text_fini(&lines);
	conf_free(conf);
	conf_problems_fini(&problems);
	return 0;
}
