/*
 * destination: where log lines end: descriptor 1 or 2 as we got it, or a file of our own, opened to append.
 *
 * For the writer's thread only: a file may block as long as its disk pleases. All else (a pipe or terminal that others
 * share, so its flags are not ours to change) is asked first whether it takes bytes and given at most PIPE_BUF at once;
 * a socket (the journal's) can be asked not to wait for each write, and gets more.
 */
#ifndef REEVE_LOGGER_DESTINATION_H
#define REEVE_LOGGER_DESTINATION_H

#include "base/err.h"
#include "base/span.h"

enum destination_result {
	DESTINATION_OK = 0,	/* some bytes are written */
	DESTINATION_AGAIN,	/* it takes none now; poll for POLLOUT */
	DESTINATION_FAILED,
};

struct destination {
	int	 fd;
	bool	 is_file;	/* regular: poll(2) says nothing about it */
	bool	 is_socket;
	char	*path;		/* owned; NULL: fd is 1 or 2 and stays open */
};

/* output: "stderr", "stdout" or a path. On failure nothing is opened. */
bool			destination_open(struct destination *destination, const char *output, struct err *err);
void			destination_close(struct destination *destination);	/* safe on zeroed memory */

/* How many bytes destination_write() can use at once. */
size_t			destination_batch(const struct destination *destination);

enum destination_result	destination_write(struct destination *destination, struct span bytes, size_t *written_out,
    struct err *err);

/* Whether people look at it: then lines are for people when the format is `auto`. */
bool			output_is_terminal(const char *output);

#endif
