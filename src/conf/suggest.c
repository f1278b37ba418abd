/*
 * Edit distance where a swap of two neighbours counts as one slip (optimal string alignment), and case and dashes count
 * nothing. Names are short, so three rows on the stack do.
 */
#include "conf/problem.h"

#define LONGEST 64
#define SHORTEST_START 3	/* "max" may stand for "max_size" */

struct nearest {
	const char	*name;
	size_t		 distance;
	size_t		 count;	/* names at that distance */
};

static char
letter(char byte)
{
	return byte == '-' ? '_' : byte_lower(byte);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* rows[0] is the row before rows[1], which is the row before rows[2]: the one to fill. */
static void
row_fill(size_t rows[3][LONGEST + 1], struct span a, struct span b, size_t i)
{
	rows[2][0] = i;
	for (size_t j = 1; j <= b.len; j++) {
		bool is_same = letter(a.at[i - 1]) == letter(b.at[j - 1]);

		rows[2][j] = least(rows[1][j - 1] + !is_same, least(rows[1][j], rows[2][j - 1]) + 1);
		if (i > 1 && j > 1 && letter(a.at[i - 1]) == letter(b.at[j - 2]) &&
		    letter(a.at[i - 2]) == letter(b.at[j - 1]))
			rows[2][j] = least(rows[2][j], rows[0][j - 2] + 1);
	}
}

static size_t
edit_distance(struct span a, struct span b)
{
	size_t rows[3][LONGEST + 1];

	for (size_t j = 0; j <= b.len; j++)
		rows[1][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		row_fill(rows, a, b, i);
		memcpy(rows[0], rows[1], sizeof(rows[0]));
		memcpy(rows[1], rows[2], sizeof(rows[1]));
	}
	return rows[1][b.len];
}

/* In a word of two letters every slip makes another word. */
static size_t
slips_allowed(size_t length)
{
	return length < 3 ? 0 : length < 6 ? 1 : length < 10 ? 2 : 3;
}

static bool
starts_alike(struct span name, struct span start)
{
	return start.len >= SHORTEST_START && start.len < name.len &&
	       edit_distance(span_first(name, start.len), start) == 0;
}

static void
nearest_note(struct nearest *nearest, const char *name, size_t distance)
{
	if (nearest->name && distance > nearest->distance)
		return;
	nearest->count = nearest->name && distance == nearest->distance ? nearest->count + 1 : 1;
	if (nearest->count > 1)
		return;
	nearest->name = name;
	nearest->distance = distance;
}

const char *
conf_suggest(struct span wrong, const char *const *names, size_t count)
{
	struct nearest by_slip = { 0 }, by_start = { 0 };

	if (wrong.len == 0 || wrong.len > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct span name = span_text(names[i]);
		size_t longer = name.len > wrong.len ? name.len : wrong.len;
		size_t distance;

		if (name.len > LONGEST)
			continue;
		distance = edit_distance(wrong, name);
		if (distance <= slips_allowed(longer) && distance < longer)
			nearest_note(&by_slip, names[i], distance);
		if (starts_alike(name, wrong))
			nearest_note(&by_start, names[i], 0);
	}
	if (by_slip.name)
		return by_slip.name;
	return by_start.count == 1 ? by_start.name : NULL;
}
