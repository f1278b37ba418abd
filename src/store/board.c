/*
 * One mapping of rows that all processes share. A row's key says whose it is; its sequence number is odd while the
 * prober writes. A prober that dies in the middle leaves an odd number behind: readers give up after a few looks, and
 * the next prober's write makes it even again.
 */
#include "store/board.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/hash.h"
#include "store/shared.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

enum { UPSTREAM_MAX = 64, SERVER_MAX = 128, REASON_MAX = 96 };
enum { KEY_FREE = 0, KEY_GONE = 1, KEYS_TAKEN = 2 };	/* GONE: free, but a search goes on behind it */
enum { READ_TRIES = 64 };

struct board_facts {
	uint64_t	generation;
	uint64_t	since_ms;	/* wall clock */
	uint32_t	state;
	uint16_t	upstream_len;
	uint16_t	server_len;
	uint16_t	reason_len;
	char		upstream[UPSTREAM_MAX];
	char		server[SERVER_MAX];
	char		reason[REASON_MAX];
};

struct board_row {
	uint64_t		key;
	uint64_t		sequence;
	struct board_facts	facts;
} __attribute__((aligned(64)));

struct board {
	uint64_t		version __attribute__((aligned(64)));
	struct board_row	rows[BOARD_ROWS];
};

static_assert((BOARD_ROWS & (BOARD_ROWS - 1)) == 0, "positions are masked");

static const char *const state_names[] = {
	[BOARD_UNKNOWN]	= "unknown",
	[BOARD_UP]	= "up",
	[BOARD_DOWN]	= "down",
};
static_assert(COUNT(state_names) == BOARD_DOWN + 1, "every state has a name");

struct board *
board_create(struct err *err)
{
	return shared_create(sizeof(struct board), err);
}

void
board_free(struct board *board)
{
	shared_free(board, sizeof(*board));
}

uint64_t
board_key(struct span upstream, struct span server)
{
	uint64_t key = hash_mix(hash_span(0, upstream), hash_span(0, server));

	return key < KEYS_TAKEN ? key + KEYS_TAKEN : key;
}

/* -- finding ------------------------------------------------------------------------------------------------------- */

static uint64_t
row_key(const struct board_row *row)
{
	return __atomic_load_n(&row->key, __ATOMIC_ACQUIRE);
}

static const struct board_row *
row_find(const struct board *board, uint64_t key)
{
	for (uint64_t i = 0; i < BOARD_ROWS; i++) {
		const struct board_row *row = &board->rows[(key + i) & (BOARD_ROWS - 1)];
		uint64_t there = row_key(row);

		if (there == key)
			return row;
		if (there == KEY_FREE)
			return NULL;
	}
	return NULL;
}

/* The key's row, or one that it may take; NULL when the board is full. */
static struct board_row *
row_for(struct board *board, uint64_t key)
{
	struct board_row *spare = NULL;

	for (uint64_t i = 0; i < BOARD_ROWS; i++) {
		struct board_row *row = &board->rows[(key + i) & (BOARD_ROWS - 1)];
		uint64_t there = row_key(row);

		if (there == key)
			return row;
		if (there < KEYS_TAKEN && spare == NULL)
			spare = row;
		if (there == KEY_FREE)
			break;
	}
	return spare;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* False when a writer never let go. */
static bool
row_read(const struct board_row *row, struct board_facts *facts_out)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t before = __atomic_load_n(&row->sequence, __ATOMIC_ACQUIRE);

		if (before & 1)
			continue;
		*facts_out = row->facts;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&row->sequence, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

enum board_state
board_get(const struct board *board, uint64_t key)
{
	const struct board_row *row = row_find(board, key);
	struct board_facts facts;

	if (row == NULL || !row_read(row, &facts) || row_key(row) != key || facts.state > BOARD_DOWN)
		return BOARD_UNKNOWN;
	return (enum board_state)facts.state;
}

uint64_t
board_version(const struct board *board)
{
	return __atomic_load_n(&board->version, __ATOMIC_ACQUIRE);
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void
version_grow(struct board *board)
{
	__atomic_add_fetch(&board->version, 1, __ATOMIC_RELEASE);
}

static uint16_t
text_put(char *to, size_t room, struct span from)
{
	struct span cut = span_first(from, room);

	if (cut.len > 0)
		memcpy(to, cut.at, cut.len);
	return (uint16_t)cut.len;
}

static void
row_write(struct board_row *row, const struct board_facts *facts)
{
	uint64_t sequence = __atomic_load_n(&row->sequence, __ATOMIC_RELAXED) | 1;

	__atomic_store_n(&row->sequence, sequence, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	row->facts = *facts;
	__atomic_store_n(&row->sequence, sequence + 1, __ATOMIC_RELEASE);
}

void
board_set(struct board *board, uint64_t key, struct span upstream, struct span server, enum board_state state,
    struct span reason, uint64_t generation)
{
	struct board_row *row = row_for(board, key);
	struct board_facts facts = { .generation = generation, .state = (uint32_t)state };
	bool is_new, is_change;

	assert(key >= KEYS_TAKEN);
	if (row == NULL)
		return;
	is_new = row_key(row) != key;
	is_change = is_new || row->facts.state != (uint32_t)state;
	facts.since_ms = is_change ? clock_wall_ms() : row->facts.since_ms;
	facts.upstream_len = text_put(facts.upstream, sizeof(facts.upstream), upstream);
	facts.server_len = text_put(facts.server, sizeof(facts.server), server);
	facts.reason_len = text_put(facts.reason, sizeof(facts.reason), reason);
	row_write(row, &facts);
	if (is_new)
		__atomic_store_n(&row->key, key, __ATOMIC_RELEASE);
	if (is_change)
		version_grow(board);
}

bool
board_mark(struct board *board, uint64_t key, uint64_t generation)
{
	struct board_row *row = row_for(board, key);
	struct board_facts facts;

	if (row == NULL || row_key(row) != key)
		return false;
	facts = row->facts;
	facts.generation = generation;
	row_write(row, &facts);
	return true;
}

/* Backwards, so that a row in front of a free one becomes free itself and searches stay short. */
void
board_sweep(struct board *board, uint64_t generation)
{
	bool is_change = false;

	for (size_t i = BOARD_ROWS; i-- > 0;) {
		struct board_row *row = &board->rows[i];
		uint64_t key = row_key(row);

		if (key >= KEYS_TAKEN && row->facts.generation < generation) {
			__atomic_store_n(&row->key, KEY_GONE, __ATOMIC_RELEASE);
			key = KEY_GONE;
			is_change = true;
		}
		if (key == KEY_GONE && row_key(&board->rows[(i + 1) & (BOARD_ROWS - 1)]) == KEY_FREE)
			__atomic_store_n(&row->key, KEY_FREE, __ATOMIC_RELEASE);
	}
	if (is_change)
		version_grow(board);
}

/* -- telling ------------------------------------------------------------------------------------------------------- */

static void
row_report(const struct board_row *row, struct text *to)
{
	struct board_facts facts;

	if (row_key(row) < KEYS_TAKEN || !row_read(row, &facts) || facts.state > BOARD_DOWN)
		return;
	text_json_open(to, '{');
	text_json_key(to, "upstream");
	text_json_span(to, span_first(span_make(facts.upstream, sizeof(facts.upstream)), facts.upstream_len));
	text_json_key(to, "server");
	text_json_span(to, span_first(span_make(facts.server, sizeof(facts.server)), facts.server_len));
	text_json_key(to, "state");
	text_json_text(to, state_names[facts.state]);
	text_json_key(to, "reason");
	text_json_span(to, span_first(span_make(facts.reason, sizeof(facts.reason)), facts.reason_len));
	text_json_key(to, "since_ms");
	text_json_number(to, facts.since_ms);
	text_json_close(to, '}');
}

void
board_report(const struct board *board, struct text *to)
{
	text_json_open(to, '[');
	for (size_t i = 0; i < BOARD_ROWS; i++)
		row_report(&board->rows[i], to);
	text_json_close(to, ']');
}
