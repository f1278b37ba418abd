/*
 * crash: last words of a process that dies of its own mistake (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT): what
 * happened, where, and the way there, written to a descriptor; then the signal does what it always does, core included.
 *
 * Uses only what a signal handler may use, and a stack of its own. In a build with sanitizers it does nothing: they
 * report better.
 */
#ifndef REEVE_WORKER_CRASH_H
#define REEVE_WORKER_CRASH_H

/* fd stays the caller's; role is shown ("worker 3") and must stay valid. */
void	crash_report_to(int fd, const char *role);

#endif
