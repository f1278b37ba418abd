/*
 * err: why something at start-up, in a configuration or on the control socket failed, as a sentence for a person.
 *
 * Functions that can fail in many ways take a `struct err *` last and return false. The sentence says what is wrong,
 * where, and what to do, without a final full stop: "cannot bind 0.0.0.0:80: Permission denied (ports below 1024 need
 * root or CAP_NET_BIND_SERVICE)".
 */
#ifndef REEVE_BASE_ERR_H
#define REEVE_BASE_ERR_H

#include <stdbool.h>

struct err {
	char	text[1024];
};

/* Always false, so that a function can `return err_set(err, …)`. err may be NULL. */
bool	err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As err_set(), followed by ": " and strerror(errno). */
bool	err_set_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "format: " before what the error says already. */
bool	err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
