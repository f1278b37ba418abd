/* Cells are kept in one text, each ended by a newline, and printed when the widest of every column is known. */
#include "command/table.h"

#include <assert.h>

#define GAP 2
#define PLAIN 0x7f	/* no enum paint */

void
table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
	assert(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
	*table = (struct table){ .columns = columns, .column_count = column_count };
	for (size_t i = 0; i < column_count; i++)
		table->widths[i] = strlen(columns[i].title);
}

void
table_fini(struct table *table)
{
	text_fini(&table->cells);
	text_fini(&table->paints);
}

/* Characters of UTF-8, not bytes. */
static size_t
width_of(struct span cell)
{
	size_t width = 0;

	for (size_t i = 0; i < cell.len; i++)
		width += ((unsigned char)cell.at[i] & 0xc0) != 0x80;
	return width;
}

/* How many bytes at the start are one character that a terminal would obey: ASCII's, or U+0080 to U+009F in UTF-8. */
static size_t
control_length(struct span bytes)
{
	unsigned char first = (unsigned char)bytes.at[0];

	if (first < 0x20 || first == 0x7f)
		return 1;
	return first == 0xc2 && bytes.len > 1 && (unsigned char)bytes.at[1] < 0xa0 ? 2 : 0;
}

static void
cell_add(struct table *table, struct span cell, char paint)
{
	size_t column = table->cell_count++ % table->column_count;
	size_t width = width_of(cell);

	while (cell.len > 0) {
		size_t control = control_length(cell);

		text_add_byte(&table->cells, control > 0 ? '?' : cell.at[0]);
		cell = span_skip(cell, control > 0 ? control : 1);
	}
	text_add_byte(&table->cells, '\n');
	text_add_byte(&table->paints, paint);
	if (width > table->widths[column])
		table->widths[column] = width;
}

void
table_add(struct table *table, struct span cell)
{
	cell_add(table, cell, PLAIN);
}

void
table_add_painted(struct table *table, struct span cell, enum paint paint)
{
	cell_add(table, cell, (char)paint);
}

static void
spaces_add(struct text *to, size_t count)
{
	text_format(to, "%*s", (int)count, "");
}

/* The last column needs no spaces behind it. */
static void
cell_print(const struct table *table, size_t column, struct span cell, char paint, struct text *to)
{
	size_t free_width = table->widths[column] - width_of(cell);
	bool is_last = column + 1 == table->column_count;

	if (table->columns[column].is_number)
		spaces_add(to, free_width);
	if (paint == PLAIN)
		text_add(to, cell);
	else
		output_paint(to, table->has_colours, (enum paint)paint, cell);
	if (is_last)
		text_add_byte(to, '\n');
	else
		spaces_add(to, GAP + (table->columns[column].is_number ? 0 : free_width));
}

void
table_print(const struct table *table, struct text *to)
{
	struct span rest = text_span(&table->cells), cell;

	for (size_t i = 0; i < table->column_count; i++)
		cell_print(table, i, span_text(table->columns[i].title), PLAIN, to);
	for (size_t i = 0; i < table->cell_count && span_cut(&rest, '\n', &cell); i++)
		cell_print(table, i % table->column_count, cell, table->paints.bytes[i], to);
}
