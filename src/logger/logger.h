/*
 * logger: the process that reads every log pipe and writes, drops and counts. A slow disk stops here.
 *
 *	pipes ──▶ source ──▶ lines ──▶ record ──▶ spool (8 MiB) ──▶ writer, a thread ──▶ destination
 *	                 the loop: never waits                         waits for disk or reader
 *
 * Who may talk to it: the primary only, over the channel (ipc/message_list.h, LOG_…). Until the first LOG_DESTINATION
 * lines go to stderr as JSON. When the primary is gone it reads until every pipe has ended, then ends too; signals that
 * mean "stop" or "reload" are the primary's business and ignored.
 */
#ifndef REEVE_LOGGER_LOGGER_H
#define REEVE_LOGGER_LOGGER_H

/*
 * The life of the logger, in a process of its own that has no descriptors but 0, 1, 2 and channel_fd. Exits with 0
 * after LOG_STOP (2 s later at most, whatever the destination does) or the primary's end, with 1 when it cannot even
 * begin.
 */
void	logger_main(int channel_fd) __attribute__((noreturn));

#endif
