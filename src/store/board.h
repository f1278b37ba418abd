/*
 * board: how the servers behind are, for all workers to read. Written by the one worker that probes (slots.h, prober).
 *
 * Open addressing by a 64-bit key (upstream name and server address). Each row is a seqlock of its own; a reader that
 * does not find a row takes the server as up. Shared memory, made by the primary.
 */
#ifndef REEVE_STORE_BOARD_H
#define REEVE_STORE_BOARD_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { BOARD_ROWS = 4096 };
enum board_state { BOARD_UNKNOWN = 0, BOARD_UP, BOARD_DOWN };

struct board;

struct board		*board_create(struct err *err);
void			 board_free(struct board *board);

uint64_t		 board_key(struct span upstream, struct span server);
enum board_state	 board_get(const struct board *board, uint64_t key);

/* Grows with every change of any state, so that a reader who has seen this number need not look again. */
uint64_t		 board_version(const struct board *board);

/*
 * The prober's. generation marks rows that are still wanted; board_sweep() drops those of older ones. It never goes
 * back, not even when another worker becomes the prober: a monotonic time will do. Texts too long for a row are cut;
 * a full board takes no new rows.
 */
void			 board_set(struct board *board, uint64_t key, struct span upstream, struct span server,
    enum board_state state, struct span reason, uint64_t generation);
bool			 board_mark(struct board *board, uint64_t key, uint64_t generation);	/* false: no such row */
void			 board_sweep(struct board *board, uint64_t generation);

/*
 * A JSON array of {upstream, server, state, reason, since_ms}: state is "up", "down" or "unknown" (not probed);
 * since_ms is the wall clock (Unix time in ms) of the state's last change. A row that is being written all the time
 * is left out.
 */
void			 board_report(const struct board *board, struct text *to);

#endif
