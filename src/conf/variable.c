/*
 * Variables: the process's environment, and under it the lines of env_file.
 *
 * A line is NAME=VALUE, perhaps after `export`. In "…" the escapes \n \r \t \" \\ \$ count, in '…' nothing does, and
 * without quotes the value ends before " #". Later lines and later files win over earlier ones.
 */
#include "conf/loading.h"

#include "base/fd.h"

#include <assert.h>
#include <stdlib.h>

struct env_line {
	struct conf_loader	*loader;
	const struct conf_step	*step;
	struct conf_place	 place;
	struct span		 rest;	/* not yet read */
	struct text		*value;
};

static const struct conf_variable *
variable_find(const struct conf_variable *first, const char *name)
{
	while (first && strcmp(first->name, name) != 0)
		first = first->next;
	return first;
}

const char *
conf_variable_find(const struct conf_environment *environment, const char *name)
{
	const struct conf_variable *known;
	const char *value = environment->is_sealed ? NULL : getenv(name);

	if (value)
		return value;
	known = environment->is_sealed ? variable_find(environment->asked, name) : NULL;
	if (known == NULL)
		known = variable_find(environment->from_files, name);
	return known ? known->value : NULL;
}

static void
variable_add(struct arena *arena, struct conf_variable **list, struct span name, struct span value)
{
	struct conf_variable *variable = arena_zalloc(arena, sizeof(*variable));

	variable->name = arena_text(arena, name);
	variable->value = arena_text(arena, value);
	variable->next = *list;
	*list = variable;
}

/* The answer is kept, so that it stays what it was and travels in the pack. */
const char *
conf_environment(const struct conf *conf, const char *name)
{
	struct conf_environment *environment = conf->environment;
	const struct conf_variable *asked = variable_find(environment->asked, name);
	const char *value;

	if (asked)
		return asked->value;
	value = conf_variable_find(environment, name);
	if (value == NULL || environment->is_sealed)
		return value;
	variable_add(conf->arena, &environment->asked, span_text(name), span_text(value));
	return environment->asked->value;
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

static bool
is_name_byte(char byte, bool is_first)
{
	return (byte_lower(byte) >= 'a' && byte_lower(byte) <= 'z') || byte == '_' ||
	       (!is_first && byte >= '0' && byte <= '9');
}

bool
conf_variable_name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_name_byte(name.at[i], i == 0))
			return false;
	}
	return name.len > 0;
}

static void
add_escaped(struct text *to, char byte)
{
	static const char escapes[] = "n\nr\rt\t\"\"\\\\$$";

	for (const char *each = escapes; *each; each += 2) {
		if (*each == byte) {
			text_add_byte(to, each[1]);
			return;
		}
	}
	text_add_byte(to, '\\');
	text_add_byte(to, byte);
}

/* After the opening quote; what follows the closing one is the rest. */
static bool
quoted_read(struct env_line *line, char quote)
{
	size_t i;

	for (i = 0; i < line->rest.len && line->rest.at[i] != quote; i++) {
		if (quote == '"' && line->rest.at[i] == '\\' && i + 1 < line->rest.len)
			add_escaped(line->value, line->rest.at[++i]);
		else
			text_add_byte(line->value, line->rest.at[i]);
	}
	if (i == line->rest.len)
		return conf_say(line->loader, line->place, line->step, "the quote is not closed in this line");
	line->rest = span_trim(span_skip(line->rest, i + 1));
	if (line->rest.len > 0 && line->rest.at[0] != '#')
		return conf_say(line->loader, line->place, line->step, "text after the closing quote");
	return true;
}

static bool
is_comment_at(struct span text, size_t at)
{
	return text.at[at] == '#' && (at == 0 || text.at[at - 1] == ' ' || text.at[at - 1] == '\t');
}

static void
plain_read(struct env_line *line)
{
	size_t end = 0;

	while (end < line->rest.len && !is_comment_at(line->rest, end))
		end++;
	text_add(line->value, span_trim(span_first(line->rest, end)));
}

static bool
value_read(struct env_line *line)
{
	char quote = line->rest.len > 0 ? line->rest.at[0] : '\0';

	if (quote == '"' || quote == '\'') {
		line->rest = span_skip(line->rest, 1);
		return quoted_read(line, quote);
	}
	plain_read(line);
	return true;
}

static struct span
without_export(struct span line)
{
	static const struct span word = SPAN("export");
	struct span rest = span_skip(line, word.len);

	if (!span_starts_with(line, word) || rest.len == 0 || (rest.at[0] != ' ' && rest.at[0] != '\t'))
		return line;
	return span_trim(rest);
}

static void
line_read(struct env_line *line)
{
	struct arena *arena = line->loader->conf->arena;
	struct span name, text = span_trim(line->rest);
	size_t equals;

	if (text.len == 0 || text.at[0] == '#')
		return;
	text = without_export(text);
	equals = span_find(text, '=');
	name = span_trim(span_first(text, equals));
	if (equals == text.len || !conf_variable_name_is_valid(name)) {
		conf_say(line->loader, line->place, line->step, "expected NAME=VALUE");
		return;
	}
	line->rest = span_trim(span_skip(text, equals + 1));
	text_clear(line->value);
	if (value_read(line))
		variable_add(arena, &line->loader->conf->environment->from_files, name, text_span(line->value));
}

/* -- files --------------------------------------------------------------------------------------------------------- */

static void
lines_read(struct conf_loader *loader, const char *name, struct span bytes, const struct conf_step *step)
{
	struct text value = { 0 };
	struct env_line line = { .loader = loader, .step = step, .place = { name, 0, 1 }, .value = &value };

	while (span_cut(&bytes, '\n', &line.rest)) {
		line.place.line++;
		if (line.rest.len > 0 && line.rest.at[line.rest.len - 1] == '\r')
			line.rest.len--;
		if (span_find(line.rest, '\0') < line.rest.len)
			conf_say(loader, line.place, step, "a NUL byte");
		else
			line_read(&line);
	}
	text_fini(&value);
}

static void
file_read_lines(struct conf_loader *loader, struct conf_node *named, const struct conf_step *step)
{
	const char *name = conf_beside(loader->conf->arena, named->place.file, named->text);
	struct text bytes = { 0 };
	struct err err;

	if (named->broken)
		return;
	if (named->kind != CONF_SCALAR || named->text.len == 0)
		conf_break(loader, named, step, "expected a path, or a list of them");
	else if (loader->is_in_memory)
		conf_break(loader, named, step, "there are no files beside a configuration in memory");
	else if (!file_read(name, CONF_VALUE_MAX, &bytes, &err))
		conf_break(loader, named, step, "%s", err.text);
	else
		lines_read(loader, conf_name_add(loader->conf, name), text_span(&bytes), step);
	text_fini(&bytes);
}

void
conf_variables_read(struct conf_loader *loader, struct conf_node *named, const struct conf_step *step)
{
	size_t index = 0;

	if (named->kind != CONF_LIST) {
		file_read_lines(loader, named, step);
		return;
	}
	for (struct conf_node *child = named->first; child; child = child->next, index++)
		file_read_lines(loader, child, &(struct conf_step){ .up = step, .index = index });
}
