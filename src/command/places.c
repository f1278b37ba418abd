/* A command finds the running reeve as reeve itself found its socket: by the configuration, else the default. */
#include "command/places.h"

#include "base/count.h"
#include "conf/option.h"
#include "site/options.h"

#include <unistd.h>

static const char *const config_defaults[] = { "./reeve.yaml", "/etc/reeve/reeve.yaml" };

/* NULL: none is there. */
static const char *
config_default(void)
{
	for (size_t i = 0; i < COUNT(config_defaults); i++) {
		if (access(config_defaults[i], F_OK) == 0)
			return config_defaults[i];
	}
	return NULL;
}

const char *
config_place(const struct command_line *line, struct err *err)
{
	const char *given = command_line_value(line, FLAG_CONFIG);
	const char *path = given ? given : config_default();

	if (path == NULL)
		err_set(err, "no configuration: neither %s nor %s is there (name one with -c FILE)", config_defaults[0],
		    config_defaults[1]);
	return path;
}

/* As the table of top-level keys would read it. */
static bool
control_read(struct conf *conf, struct conf_problems *problems, struct text *path_out)
{
	static const struct option row = { .key = "control", .kind = OPTION_KIND_PATH };
	const struct conf_node *node = conf_get(conf_root(conf), "control");
	struct option_reader reader;
	struct arena arena;
	struct span path = { 0 };
	bool is_read;

	if (node == NULL)
		return false;
	arena_init(&arena, 1024);
	option_reader_init(&reader, conf, &arena, problems);
	is_read = option_read_value(&reader, &row, node, &path) && path.len > 0;
	if (is_read)
		text_add(path_out, path);
	arena_fini(&arena);
	return is_read;
}

static void
say_unreadable(const struct conf_problems *problems, const char *config, struct err *err)
{
	const struct conf_problem *first = problems->first;

	if (first && first->place.line)
		err_set(err, "cannot tell the control socket from %s:%u:%u: %s (name it with --control PATH)",
		    first->place.file ? first->place.file : config, first->place.line, first->place.column,
		    first->sentence);
	else
		err_set(err, "cannot tell the control socket: %s (name it with --control PATH)",
		    first ? first->sentence : "the configuration cannot be read");
}

static void
control_default(struct text *path_out)
{
	char path[108];

	control_path_default(path);
	text_add_text(path_out, path);
}

static bool
control_of_config(const char *config, struct text *path_out, struct err *err)
{
	struct conf_problems problems;
	struct conf *conf;

	conf_problems_init(&problems);
	conf = conf_load(config, &problems);
	if (conf == NULL)
		say_unreadable(&problems, config, err);
	else if (!control_read(conf, &problems, path_out))
		control_default(path_out);
	conf_free(conf);
	conf_problems_fini(&problems);
	return conf != NULL;
}

bool
control_place(const struct command_line *line, struct text *path_out, struct err *err)
{
	const char *given = command_line_value(line, FLAG_CONTROL);
	const char *config = command_line_value(line, FLAG_CONFIG);

	if (config == NULL && given == NULL)
		config = config_default();
	if (given)
		text_add_text(path_out, given);
	else if (config)
		return control_of_config(config, path_out, err);
	else
		control_default(path_out);
	return true;
}
