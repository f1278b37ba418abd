/*
 * units: durations, sizes and percents as people write them ("250ms", "64K", "20%"), and as people like to read them.
 *
 * docs/configuration.md tells them to users. A bare number is no duration. Sizes are powers of 1024.
 */
#ifndef REEVE_BASE_UNITS_H
#define REEVE_BASE_UNITS_H

#include "base/span.h"
#include "base/text.h"

bool	duration_parse(struct span from, uint64_t *ms_out);	/* ms s m h d; at most 10 years */
bool	size_parse(struct span from, uint64_t *bytes_out);	/* 512 64K 10M 1G (also k m g, KB MB GB, B) */
bool	percent_parse(struct span from, uint32_t *percent_out);	/* 0% to 100%, whole numbers */

/* For people, two significant parts: "3d 4h", "12.4M". */
void	duration_format_short(struct text *to, uint64_t ms);
void	size_format_short(struct text *to, uint64_t bytes);

#endif
