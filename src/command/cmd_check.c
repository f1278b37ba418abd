/* The configuration goes the way that the trial child goes, but ends as text. */
#include "command/commands.h"
#include "command/output.h"
#include "command/places.h"
#include "primary/orders.h"
#include "site/site.h"

#include <stdio.h>

/* "3 errors, 1 warning" */
static void
counts_add(const struct conf_problems *problems, struct text *to)
{
	if (problems->errors)
		text_format(to, "%zu error%s", problems->errors, problems->errors == 1 ? "" : "s");
	if (problems->errors && problems->warnings)
		text_add_text(to, ", ");
	if (problems->warnings)
		text_format(to, "%zu warning%s", problems->warnings, problems->warnings == 1 ? "" : "s");
}

static void
count_add(struct text *to, size_t count, const char *one)
{
	text_format(to, "%zu %s%s", count, one, count == 1 ? "" : "s");
}

static void
valid_add(const struct site *site, const char *path, struct text *to)
{
	const struct site_options *options = site_options(site);
	const struct conf_node *routes = conf_get(conf_root(site_conf(site)), "routes");

	text_format(to, "%s is valid: ", path);
	count_add(to, routes ? routes->count : 0, "route");
	text_add_text(to, ", ");
	count_add(to, options->upstreams.count, "upstream");
	text_add_text(to, ", ");
	count_add(to, options->listen.count, "listener");
}

/* -- for people ---------------------------------------------------------------------------------------------------- */

/* conf_problems_format() has the words; colours make errors and warnings stand out. */
static void
problems_paint(const struct conf_problems *problems, bool has_colours, struct text *to)
{
	const struct conf_problem *problem = problems->first;
	struct text lines = { 0 };
	struct span rest, line;

	conf_problems_format(problems, &lines);
	rest = text_span(&lines);
	while (problem && span_cut(&rest, '\n', &line)) {
		output_paint(to, has_colours, problem->warning ? PAINT_YELLOW : PAINT_RED, line);
		text_add_byte(to, '\n');
		problem = problem->next;
	}
	text_fini(&lines);
}

static void
report_for_people(const struct site *site, const struct conf_problems *problems, const char *path, bool has_colours,
    struct text *to)
{
	problems_paint(problems, has_colours, to);
	if (site) {
		valid_add(site, path, to);
		text_add_text(to, problems->warnings ? "; " : "");
	}
	counts_add(problems, to);
	text_add_byte(to, '\n');
}

/* -- for programs -------------------------------------------------------------------------------------------------- */

static void
problem_json(const struct conf_problem *problem, struct text *to)
{
	text_json_open(to, '{');
	text_json_key(to, "level");
	text_json_text(to, problem->warning ? "warning" : "error");
	text_json_key(to, "file");
	text_json_text(to, problem->place.file);
	text_json_key(to, "line");
	text_json_number(to, problem->place.line);
	text_json_key(to, "column");
	text_json_number(to, problem->place.column);
	text_json_key(to, "path");
	text_json_text(to, problem->path);
	text_json_key(to, "message");
	text_json_text(to, problem->sentence);
	text_json_close(to, '}');
}

static void
report_json(const struct site *site, const struct conf_problems *problems, const char *path, struct text *to)
{
	text_json_open(to, '{');
	text_json_key(to, "file");
	text_json_text(to, path);
	text_json_key(to, "valid");
	text_json_bool(to, site != NULL);
	text_json_key(to, "problems");
	text_json_open(to, '[');
	for (const struct conf_problem *each = problems->first; each; each = each->next)
		problem_json(each, to);
	text_json_close(to, ']');
	text_json_close(to, '}');
	text_add_byte(to, '\n');
}

/* -- the command --------------------------------------------------------------------------------------------------- */

/* NULL: errors. */
static struct site *
site_load(const char *path, struct conf_problems *problems)
{
	struct conf *conf = conf_load(path, problems);
	struct site *site = conf ? site_build(conf, NULL, problems) : NULL;

	if (site && orders_check(site, problems) && problems->errors == 0)
		return site;
	site_unref(site);
	return NULL;
}

/* With --print stdout is the configuration's, and the report goes beside it. */
static bool
report_print(const struct command_line *line, const struct site *site, const struct conf_problems *problems,
    const char *path)
{
	bool is_print = command_line_has(line, FLAG_PRINT);
	FILE *report_to = is_print ? stderr : stdout;
	struct text report = { 0 }, tree = { 0 };
	bool is_done = true;

	if (command_line_has(line, FLAG_JSON))
		report_json(site, problems, path, &report);
	else
		report_for_people(site, problems, path, output_has_colours(report_to), &report);
	if (!is_print) {
		is_done = output_print(text_span(&report));
	} else {
		fwrite(report.bytes, 1, report.len, stderr);
		if (site)
			site_print(site, &tree);
		is_done = output_print(text_span(&tree));
	}
	text_fini(&report);
	text_fini(&tree);
	return is_done;
}

int
cmd_check(const struct command_line *line)
{
	struct conf_problems problems;
	struct err err;
	const char *path = config_place(line, &err);
	struct site *site;
	bool is_good;

	if (path == NULL)
		return output_fail(err.text);
	conf_problems_init(&problems);
	site = site_load(path, &problems);
	conf_problems_sort(&problems);
	is_good = report_print(line, site, &problems, path) && site;
	site_unref(site);
	conf_problems_fini(&problems);
	return is_good ? COMMAND_DONE : COMMAND_FAILED;
}
