/*
 * status: the parts that `reeve status` prints its report with. Not the report itself, which the primary makes.
 */
#ifndef REEVE_COMMAND_STATUS_H
#define REEVE_COMMAND_STATUS_H

#include "base/json.h"
#include "base/text.h"

enum status_shape {
	AS_TEXT,
	AS_NUMBER,
	AS_NUMBER_IF_ANY,	/* the column is left out when all rows have 0 */
	AS_DURATION,		/* of so many ms */
	AS_AGE,			/* since that moment, in ms of the wall clock */
	AS_SIZE,
};

void	status_value_add(struct json_value value, enum status_shape shape, struct text *to);

/* Nothing when it is not there. */
void	status_member_add(struct json_value object, const char *key, enum status_shape shape, struct text *to);

/* The table of certificates, a row each however many listeners have it; nothing without any. */
void	status_certificates_print(struct json_value status, struct text *to);

#endif
