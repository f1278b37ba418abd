/*
 * problem: everything that is wrong with a configuration, gathered so that one run tells all of it.
 *
 *	reeve.yaml:12:5: upstreams.api.timeouts.conect: unknown key (did you mean "connect"?)
 */
#ifndef REEVE_CONF_PROBLEM_H
#define REEVE_CONF_PROBLEM_H

#include "base/arena.h"
#include "base/text.h"

struct conf_place {
	const char	*file;		/* as given or included; borrowed from the conf; NULL: no place */
	uint32_t	 line;		/* from 1 */
	uint32_t	 column;	/* from 1, in characters */
};

struct conf_problem {
	struct conf_problem	*next;
	struct conf_place	 place;
	const char		*path;		/* "routes[3].match.path"; "" for the file as a whole */
	const char		*sentence;	/* without the full stop */
	bool			 warning;
};

struct conf_problems {
	struct arena		 arena;
	struct conf_problem	*first;	/* in the order found until conf_problems_sort() */
	struct conf_problem	*last;
	size_t			 errors;
	size_t			 warnings;
};

void		 conf_problems_init(struct conf_problems *problems);
void		 conf_problems_fini(struct conf_problems *problems);
void		 conf_problems_add(struct conf_problems *problems, bool warning, struct conf_place place,
    const char *path, const char *format, ...) __attribute__((format(printf, 5, 6)));
void		 conf_problems_sort(struct conf_problems *problems);	/* by file, line, column; doubles removed */

/* One line each: "file:line:column: path: sentence", warnings with "warning: " before the sentence. */
void		 conf_problems_format(const struct conf_problems *problems, struct text *to);

/* The nearest of `count` names by edit distance, NULL when none is near. For "did you mean". */
const char	*conf_suggest(struct span wrong, const char *const *names, size_t count);

#endif
