/*
 * One broken pair must not keep others from being renewed: the groups of files that have changed are added to what is in
 * use one by one, and each that builds stays. The last site that could be built is the answer.
 */
#include "primary/trial_child.h"

#include "base/fd.h"
#include "base/memory.h"
#include "site/site.h"

struct choice {
	struct conf		*conf;		/* owned: what is in use */
	size_t			 count;		/* of watched files */
	size_t			*groups;	/* owned list: by file */
	bool			*is_changed;	/* owned list */
	bool			*is_kept;	/* owned list: as in use */
	struct site		*site;		/* ref: the best so far; NULL: none */
	struct conf_problems	 warnings;	/* its */
	struct text		*refused;	/* borrowed */
};

static bool
file_has_changed(const struct conf *conf, size_t index)
{
	struct span contents = conf_watched_contents(conf, index);
	struct text now = { 0 };
	bool is_same = file_read(conf_watched(conf, index), contents.len, &now, NULL) &&
	    span_equal(text_span(&now), contents);

	text_fini(&now);
	return !is_same;
}

static void
choice_init(struct choice *choice, struct conf *conf, struct text *refused)
{
	*choice = (struct choice){ .conf = conf, .refused = refused };
	while (conf_watched(conf, choice->count) != NULL)
		choice->count++;
	choice->groups = memory_zalloc((choice->count + 1) * sizeof(*choice->groups));
	choice->is_changed = memory_zalloc((choice->count + 1) * sizeof(*choice->is_changed));
	choice->is_kept = memory_zalloc((choice->count + 1) * sizeof(*choice->is_kept));
	conf_watched_group(conf, choice->groups);
	for (size_t i = 0; i < choice->count; i++) {
		choice->is_changed[i] = file_has_changed(conf, i);
		choice->is_kept[i] = true;
	}
	conf_problems_init(&choice->warnings);
}

static void
choice_fini(struct choice *choice)
{
	memory_free(choice->groups);
	memory_free(choice->is_changed);
	memory_free(choice->is_kept);
	conf_problems_fini(&choice->warnings);
	conf_free(choice->conf);
}

/* The changed ones, a line. */
static void
files_tell(const struct choice *choice, size_t group, bool all_used)
{
	const char *separator = "";

	for (size_t i = choice->count; i-- > 0;) {
		if (!choice->is_changed[i] || (all_used ? choice->is_kept[i] : choice->groups[i] != group))
			continue;
		text_format(choice->refused, "%s%s", separator, conf_watched(choice->conf, i));
		separator = ", ";
	}
	text_add_byte(choice->refused, '\n');
}

static void
first_problem_tell(const struct choice *choice, struct conf_problems *problems)
{
	struct text lines = { 0 };
	struct span rest, line;

	conf_problems_sort(problems);
	while (problems->first != NULL && problems->first->warning)
		problems->first = problems->first->next;
	conf_problems_format(problems, &lines);
	rest = text_span(&lines);
	if (span_cut(&rest, '\n', &line))
		text_add(choice->refused, line);
	text_add_byte(choice->refused, '\n');
	text_fini(&lines);
}

static bool
group_has_changed(const struct choice *choice, size_t group)
{
	for (size_t i = 0; i < choice->count; i++) {
		if (choice->groups[i] == group && choice->is_changed[i])
			return true;
	}
	return false;
}

static void
group_keep(struct choice *choice, size_t group, bool is_kept)
{
	for (size_t i = 0; i < choice->count; i++) {
		if (choice->groups[i] == group)
			choice->is_kept[i] = is_kept;
	}
}

static void
group_try(struct choice *choice, const struct trial_source *source, size_t group)
{
	const struct trial_source some = {
		.task = source->task,
		.in_use = source->in_use,
		.is_kept = choice->is_kept,
	};
	struct conf_problems problems;
	struct site *site;

	conf_problems_init(&problems);
	group_keep(choice, group, false);
	site = trial_site(&some, &problems);
	if (site != NULL) {
		site_unref(choice->site);
		choice->site = site;
		conf_problems_fini(&choice->warnings);
		choice->warnings = problems;
		return;
	}
	group_keep(choice, group, true);
	first_problem_tell(choice, &problems);
	files_tell(choice, group, false);
	conf_problems_fini(&problems);
}

/* A group has the number of one of its files. */
static void
groups_try(struct choice *choice, const struct trial_source *source)
{
	for (size_t group = choice->count; group-- > 0;) {
		if (group_has_changed(choice, group))
			group_try(choice, source, group);
	}
}

struct site *
trial_site_of_some(const struct trial_source *source, struct conf_problems *problems, struct text *refused)
{
	struct conf *conf = conf_unpack(source->in_use->parts[BUNDLE_CONF], NULL);
	struct text groups = { 0 };
	struct choice choice;

	if (conf == NULL)
		return NULL;
	choice_init(&choice, conf, &groups);
	groups_try(&choice, source);
	if (choice.site != NULL) {
		choice.refused = refused;
		files_tell(&choice, 0, true);
		text_add(refused, text_span(&groups));
		conf_problems_fini(problems);
		*problems = choice.warnings;
		conf_problems_init(&choice.warnings);
	}
	text_fini(&groups);
	choice_fini(&choice);
	return choice.site;
}
