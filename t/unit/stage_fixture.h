/*
 * stage_fixture: policies and handlers built from a line of YAML, as site/ builds them.
 */
#ifndef REEVE_T_UNIT_STAGE_FIXTURE_H
#define REEVE_T_UNIT_STAGE_FIXTURE_H

#include "fake_transport.h"
#include "route/stage.h"

#include <stdio.h>
#include <stdlib.h>

struct stage_fixture {
	struct conf		*conf;
	struct arena		 arena;
	struct conf_problems	 problems;
	struct option_reader	 reader;
	struct stage_builder	 builder;
	struct text		 text;	/* the problems as `reeve check` prints them */
};

static inline void
fixture_init(struct stage_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	arena_init(&fixture->arena, 4096);
	conf_problems_init(&fixture->problems);
}

static inline void
fixture_fini(struct stage_fixture *fixture)
{
	conf_problems_fini(&fixture->problems);
	conf_free(fixture->conf);
	arena_fini(&fixture->arena);
	text_fini(&fixture->text);
}

static inline void
fixture_problems(struct stage_fixture *fixture)
{
	text_clear(&fixture->text);
	conf_problems_format(&fixture->problems, &fixture->text);
}

/* yaml: a map with the stage's key, "respond: hello". NULL: with its defaults. NULL and fixture->text when refused. */
static inline void *
fixture_build(struct stage_fixture *fixture, const char *yaml, const char *key, const struct option_group *group,
    option_parse *build)
{
	const struct conf_node *node = NULL;
	void *record;
	bool is_fine;

	conf_free(fixture->conf);
	fixture->conf = conf_load_bytes("t.yaml", span_text(yaml ? yaml : "x: y\n"), &fixture->problems);
	assert_non_null(fixture->conf);
	option_reader_init(&fixture->reader, fixture->conf, &fixture->arena, &fixture->problems);
	fixture->builder.reader = &fixture->reader;
	fixture->builder.conf = fixture->conf;
	fixture->builder.arena = &fixture->arena;
	fixture->reader.lent = &fixture->builder;
	if (yaml)
		node = conf_get(conf_root(fixture->conf), key);
	assert_true(yaml == NULL || node != NULL);
	record = arena_zalloc(&fixture->arena, group->size + 1);
	option_enter(&fixture->reader, key);
	is_fine = option_read(&fixture->reader, group, node, record) &&
	    (build == NULL || build(&fixture->reader, node, record));
	option_leave(&fixture->reader);
	fixture_problems(fixture);
	assert_int_equal(is_fine, fixture->problems.errors == 0);
	return is_fine ? record : NULL;
}

static inline void *
fixture_policy(struct stage_fixture *fixture, const char *yaml, const struct policy_type *type)
{
	return fixture_build(fixture, yaml, type->key, type->group, type->build);
}

static inline void *
fixture_handler(struct stage_fixture *fixture, const char *yaml, const struct handler_type *type)
{
	return fixture_build(fixture, yaml, type->key, type->group, type->build);
}

/* Built, refused with a sentence that holds `sentence`. */
static inline void
fixture_refuses(struct stage_fixture *fixture, void *built, const char *sentence)
{
	assert_null(built);
	if (strstr(fixture->text.bytes ? fixture->text.bytes : "", sentence) == NULL)
		fail_msg("\"%s\" is not in: %s", sentence, fixture->text.bytes);
	conf_problems_fini(&fixture->problems);
	conf_problems_init(&fixture->problems);
}

#endif
