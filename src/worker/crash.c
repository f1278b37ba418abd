/*
 * backtrace() is not formally safe in a handler; calling it once beforehand loads what it needs. Should it hang all the
 * same, the alarm ends the process.
 */
#include "worker/crash.h"

#include "base/clock.h"
#include "base/count.h"

#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_MAX 64
#define STACK_SIZE 65536
#define LIMIT_S 2

static struct {
	int		 fd;
	const char	*role;
	uint64_t	 started_ms;
	char		 stack[STACK_SIZE];
} crash = { .fd = -1 };

#ifndef __SANITIZE_ADDRESS__

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static void
say(const char *text)
{
	size_t len = strlen(text);

	if (write(crash.fd, text, len) != (ssize_t)len)
		return;	/* nobody is left to hear of it */
}

static void
say_number(uint64_t number, unsigned base)
{
	char digits[32];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	say(at);
}

static void
say_field(const char *name, uint64_t number, unsigned base)
{
	say(name);
	say(base == 16 ? ": 0x" : ": ");
	say_number(number, base);
	say("\n");
}

static const char *
signal_text(int number)
{
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGFPE:
		return "SIGFPE";
	case SIGILL:
		return "SIGILL";
	default:
		return "SIGABRT";
	}
}

/* SA_RESETHAND: the signal that is raised at the end, and any fault in here, has its default action. */
static void
crash_heard(int number, siginfo_t *what, void *machine)
{
	void *frames[FRAMES_MAX];
	int count;

	(void)machine;
	alarm(LIMIT_S);
	say("reeve " REEVE_VERSION " ");
	say(crash.role);
	say(" crashed: ");
	say(signal_text(number));
	say("\n");
	say_field("pid", (uint64_t)getpid(), 10);
	say_field("code", (uint64_t)(unsigned)what->si_code, 10);
	if (what->si_code > 0)
		say_field("address", (uint64_t)(uintptr_t)what->si_addr, 16);
	else
		say_field("sent by pid", (uint64_t)what->si_pid, 10);
	say_field("uptime_ms", clock_ms() - crash.started_ms, 10);
	say("backtrace:\n");
	count = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, count, crash.fd);
	raise(number);
}

void
crash_report_to(int fd, const char *role)
{
	struct sigaction action = { .sa_sigaction = crash_heard, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };
	stack_t stack = { .ss_sp = crash.stack, .ss_size = sizeof(crash.stack) };
	void *frame[1];

	crash.fd = fd;
	crash.role = role;
	crash.started_ms = clock_ms();
	(void)backtrace(frame, 1);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < COUNT(fatal_signals); i++)
		sigaction(fatal_signals[i], &action, NULL);
}

#else

void
crash_report_to(int fd, const char *role)
{
	crash.fd = fd;
	crash.role = role;
}

#endif
