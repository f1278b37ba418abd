/*
 * Problems are kept as a list in the order found and copied into an arena of their own, file names too, so that they
 * can be told after the configuration they are about is gone.
 */
#include "conf/problem.h"

#include "base/memory.h"

#include <stdlib.h>

#define ARENA_BLOCK 4096

void
conf_problems_init(struct conf_problems *problems)
{
	*problems = (struct conf_problems){ 0 };
	arena_init(&problems->arena, ARENA_BLOCK);
}

void
conf_problems_fini(struct conf_problems *problems)
{
	arena_fini(&problems->arena);
	*problems = (struct conf_problems){ 0 };
}

/* Most problems stand in the file of the one before. */
static const char *
file_keep(struct conf_problems *problems, const char *file)
{
	const char *known = problems->last ? problems->last->place.file : NULL;

	if (file == NULL || (known && strcmp(known, file) == 0))
		return file ? known : NULL;
	return arena_text(&problems->arena, span_text(file));
}

static void
problem_count(struct conf_problems *problems, const struct conf_problem *problem)
{
	if (problem->warning)
		problems->warnings++;
	else
		problems->errors++;
}

void
conf_problems_add(struct conf_problems *problems, bool warning, struct conf_place place, const char *path,
    const char *format, ...)
{
	struct conf_problem *problem = arena_zalloc(&problems->arena, sizeof(*problem));
	struct text sentence = { 0 };
	va_list list;

	va_start(list, format);
	text_format_list(&sentence, format, list);
	va_end(list);
	problem->place = place;
	problem->place.file = file_keep(problems, place.file);
	problem->path = arena_text(&problems->arena, span_text(path));
	problem->sentence = arena_text(&problems->arena, text_span(&sentence));
	problem->warning = warning;
	text_fini(&sentence);
	if (problems->last)
		problems->last->next = problem;
	else
		problems->first = problem;
	problems->last = problem;
	problem_count(problems, problem);
}

/* -- order --------------------------------------------------------------------------------------------------------- */

struct ranked {
	struct conf_problem	*problem;
	size_t			 rank;	/* as found: decides between equals */
};

static int
number_compare(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int
place_compare(const struct conf_place *a, const struct conf_place *b)
{
	int files = strcmp(a->file ? a->file : "", b->file ? b->file : "");

	if (files != 0)
		return files;
	if (a->line != b->line)
		return number_compare(a->line, b->line);
	return number_compare(a->column, b->column);
}

static int
ranked_compare(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;
	int places = place_compare(&left->problem->place, &right->problem->place);

	return places != 0 ? places : number_compare(left->rank, right->rank);
}

static const char *
last_key(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* An alias leads to one mistake by many paths; what is the same then is the place, the sentence and the last key. */
static bool
problem_is_double(const struct conf_problem *problem, const struct conf_problem *other)
{
	return place_compare(&problem->place, &other->place) == 0 && problem->warning == other->warning &&
	       strcmp(problem->sentence, other->sentence) == 0 &&
	       strcmp(last_key(problem->path), last_key(other->path)) == 0;
}

/* Doubles stand at the same place, so only the run of problems there is searched. */
static bool
was_told(const struct ranked *all, size_t index)
{
	for (size_t i = index; i-- > 0 && place_compare(&all[i].problem->place, &all[index].problem->place) == 0;) {
		if (problem_is_double(all[i].problem, all[index].problem))
			return true;
	}
	return false;
}

static void
problems_relink(struct conf_problems *problems, const struct ranked *all, size_t count)
{
	struct conf_problem **end = &problems->first;

	problems->last = NULL;
	problems->errors = problems->warnings = 0;
	for (size_t i = 0; i < count; i++) {
		if (was_told(all, i))
			continue;
		*end = problems->last = all[i].problem;
		end = &all[i].problem->next;
		problem_count(problems, all[i].problem);
	}
	*end = NULL;
}

void
conf_problems_sort(struct conf_problems *problems)
{
	size_t count = problems->errors + problems->warnings;
	struct ranked *all;
	size_t i = 0;

	if (count == 0)
		return;
	all = memory_zalloc(count * sizeof(*all));
	for (struct conf_problem *each = problems->first; each; each = each->next, i++)
		all[i] = (struct ranked){ each, i };
	qsort(all, count, sizeof(*all), ranked_compare);
	problems_relink(problems, all, count);
	memory_free(all);
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* A newline in a key or a value must not make two lines of one problem. */
static void
add_one_line(struct text *to, const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			text_format(to, "\\x%02x", byte);
		else
			text_add_byte(to, *text);
	}
}

static void
problem_format(const struct conf_problem *problem, struct text *to)
{
	if (problem->place.file) {
		add_one_line(to, problem->place.file);
		if (problem->place.line)
			text_format(to, ":%u:%u", problem->place.line, problem->place.column);
		text_add_text(to, ": ");
	}
	if (problem->path[0]) {
		add_one_line(to, problem->path);
		text_add_text(to, ": ");
	}
	if (problem->warning)
		text_add_text(to, "warning: ");
	add_one_line(to, problem->sentence);
	text_add_byte(to, '\n');
}

void
conf_problems_format(const struct conf_problems *problems, struct text *to)
{
	for (const struct conf_problem *each = problems->first; each; each = each->next)
		problem_format(each, to);
}
