/*
 * table: rows of short texts in columns that line up, for people at a terminal.
 */
#ifndef REEVE_COMMAND_TABLE_H
#define REEVE_COMMAND_TABLE_H

#include "command/output.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table_column {
	const char	*title;
	bool		 is_number;	/* stands at the right */
};

struct table {
	const struct table_column	*columns;			/* borrowed */
	size_t				 column_count;
	size_t				 widths[TABLE_COLUMNS_MAX];	/* in characters */
	struct text			 cells;				/* each ended by a newline */
	struct text			 paints;			/* a byte each: enum paint, or PLAIN */
	size_t				 cell_count;
	bool				 has_colours;			/* the caller's */
};

void	table_init(struct table *table, const struct table_column *columns, size_t column_count);
void	table_fini(struct table *table);

/* The next cell, row by row. Control characters become '?'. */
void	table_add(struct table *table, struct span cell);
void	table_add_painted(struct table *table, struct span cell, enum paint paint);
void	table_print(const struct table *table, struct text *to);	/* the titles, then the rows */

#endif
