/*
 * fixture: a directory of its own to be in, files in it, and what a configuration was said to be wrong about.
 */
#ifndef REEVE_UNIT_CONF_FIXTURE_H
#define REEVE_UNIT_CONF_FIXTURE_H

#include "base/fd.h"
#include "base/memory.h"
#include "conf/option.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct fixture {
	struct conf		*conf;
	struct conf_problems	 problems;
	struct arena		 arena;
	struct text		 told;
	char			 directory[64];
};

static struct fixture *
fixture_of(void **state)
{
	return *state;
}

static int
fixture_start(void **state)
{
	struct fixture *fixture = memory_zalloc(sizeof(*fixture));

	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/reeve-conf-XXXXXX");
	if (mkdtemp(fixture->directory) == NULL || chdir(fixture->directory) != 0)
		return -1;
	conf_problems_init(&fixture->problems);
	arena_init(&fixture->arena, 4096);
	*state = fixture;
	return 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int
fixture_end(void **state)
{
	struct fixture *fixture = *state;

	conf_free(fixture->conf);
	conf_problems_fini(&fixture->problems);
	arena_fini(&fixture->arena);
	text_fini(&fixture->told);
	if (chdir("/") == 0)
		nftw(fixture->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	memory_free(fixture);
	return 0;
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_start, fixture_end)

__attribute__((unused)) static void
put_bytes(const char *path, struct span bytes)
{
	struct text directory = { 0 };
	struct err err;

	text_add(&directory, span_first(span_text(path), span_find_last(span_text(path), '/')));
	if (directory.len < strlen(path))
		assert_true(directory_make(directory.bytes, 0755, &err));
	assert_true(file_write(path, bytes, 0644, &err));
	text_fini(&directory);
}

__attribute__((unused)) static void
put_file(const char *path, const char *contents)
{
	put_bytes(path, span_text(contents));
}

static void
fixture_forget(struct fixture *fixture)
{
	conf_free(fixture->conf);
	fixture->conf = NULL;
	conf_problems_fini(&fixture->problems);
	conf_problems_init(&fixture->problems);
}

/* reeve.yaml with these contents; NULL when there is no tree. */
__attribute__((unused)) static const struct conf_node *
load_file(struct fixture *fixture, const char *contents)
{
	fixture_forget(fixture);
	put_file("reeve.yaml", contents);
	fixture->conf = conf_load("reeve.yaml", &fixture->problems);
	return fixture->conf ? conf_root(fixture->conf) : NULL;
}

__attribute__((unused)) static const struct conf_node *
load_bytes(struct fixture *fixture, struct span bytes)
{
	fixture_forget(fixture);
	fixture->conf = conf_load_bytes("reeve.yaml", bytes, &fixture->problems);
	return fixture->conf ? conf_root(fixture->conf) : NULL;
}

__attribute__((unused)) static const struct conf_node *
load_text(struct fixture *fixture, const char *contents)
{
	return load_bytes(fixture, span_text(contents));
}

__attribute__((unused)) static const char *
told(struct fixture *fixture)
{
	text_clear(&fixture->told);
	text_add_text(&fixture->told, "");
	conf_problems_sort(&fixture->problems);
	conf_problems_format(&fixture->problems, &fixture->told);
	return fixture->told.bytes;
}

/* Everything that was wrong, in order. */
#define assert_told(fixture, lines) assert_string_equal(told(fixture), lines)
#define assert_nothing_told(fixture) assert_told(fixture, "")

#define assert_span(span, expected) assert_string_equal((span).at ? (span).at : "(none)", expected)

/* A scalar at a path of keys, each ended by a slash when more follow: "a/b". */
__attribute__((unused)) static const struct conf_node *
at(const struct conf_node *node, const char *path)
{
	struct span rest = span_text(path), key;

	while (node && span_cut(&rest, '/', &key)) {
		const struct conf_node *child = node->first;
		uint64_t index;

		if (node->kind == CONF_LIST && span_to_number(key, 1000, &index)) {
			while (child && index-- > 0)
				child = child->next;
		} else {
			while (child && !span_equal(child->key, key))
				child = child->next;
		}
		node = child;
	}
	return node;
}

#define assert_scalar(root, path, expected) \
	do { \
		const struct conf_node *found_ = at(root, path); \
		assert_non_null(found_); \
		assert_int_equal(found_->kind, CONF_SCALAR); \
		assert_string_equal(found_->text.at, expected); \
		assert_int_equal(found_->text.len, strlen(expected)); \
	} while (0)

#endif
