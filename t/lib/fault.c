/*
 * fault: calls that fail. A shared object for LD_PRELOAD that stands before libc's calls and, as often as it is told, moves
 * less than was asked, is interrupted, finds nothing ready, fails, is slow, or tells another time.
 *
 * What is wanted stands in a file of words that every process maps ($REEVE_FAULT), so that a test turns faults on and off
 * while they run and reads how many calls came through and how many were spoiled. The order of the words is
 * t/lib/Reeve/Fault.pm's, too.
 *
 * Only what a kernel may do is done: EAGAIN only where the caller does not block, nothing short on sockets that keep
 * records, and an EAGAIN for something that is ready is told again by a level-triggered poll.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call {
	CALL_READ, CALL_WRITE, CALL_ACCEPT, CALL_CONNECT, CALL_OPEN, CALL_FORK, CALL_MEMFD, CALL_PIPE, CALL_SOCKETPAIR,
	CALL_SOCKET, CALL_EVENTFD, CALL_EPOLL, CALL_MMAP, CALL_LISTEN, CALL_BIND, CALL_THREAD, CALL_CLOCK, CALL_RENAME,
	CALLS
};

enum { PATH_OFFSET = 1024, PATH_SIZE = 1024, FILE_SIZE = PATH_OFFSET + PATH_SIZE, VECTORS = 8, MILLION = 1000000 };

struct faults {
	_Atomic	uint64_t seed;
	_Atomic	uint64_t processes;	/* each draws its own numbers */
	_Atomic	uint64_t short_ppm;
	_Atomic	uint64_t eintr_ppm;
	_Atomic	uint64_t eagain_ppm;
	_Atomic int64_t	 clock_step_s;	/* of the time of day, while it runs */
	_Atomic	uint64_t slow_us;	/* each write to files below the path */
	_Atomic	uint64_t only_pid;	/* 0: everybody */
	_Atomic	uint64_t nth;		/* the n-th of the calls in nth_mask fails, once */
	_Atomic	uint64_t nth_mask;
	_Atomic	uint64_t nth_call;	/* which call that was, from 1 */
	_Atomic	uint64_t counted;	/* calls in nth_mask so far */
	_Atomic	uint64_t unused[4];
	struct {
		_Atomic	uint64_t calls;
		_Atomic	uint64_t spoiled;
		_Atomic	uint64_t ppm;
		_Atomic	uint64_t error;	/* 0: one of those usual for the call */
	} call[CALLS];
};
_Static_assert(sizeof(struct faults) <= PATH_OFFSET, "the path follows the words");

static const int usual_errors[CALLS][4] = {
	[CALL_ACCEPT]	  = { EMFILE, ENFILE, ECONNABORTED, EINTR },
	[CALL_CONNECT]	  = { ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT },
	[CALL_FORK]	  = { EAGAIN, ENOMEM },
	[CALL_OPEN]	  = { EMFILE, ENFILE },
	[CALL_MEMFD]	  = { EMFILE, ENOMEM },
	[CALL_PIPE]	  = { EMFILE, ENFILE },
	[CALL_SOCKETPAIR] = { EMFILE, ENFILE },
	[CALL_SOCKET]	  = { EMFILE, ENFILE, ENOBUFS },
	[CALL_EVENTFD]	  = { EMFILE },
	[CALL_EPOLL]	  = { EMFILE },
	[CALL_MMAP]	  = { ENOMEM },
	[CALL_LISTEN]	  = { EADDRINUSE },
	[CALL_BIND]	  = { EADDRINUSE },
	[CALL_THREAD]	  = { EAGAIN },
	[CALL_RENAME]	  = { ENOSPC, EACCES },
};

static struct faults *faults;
static uint64_t state;

/* The call behind ours. Resolved when first needed: the allocator calls before any constructor has run. */
#define NEXT(name) \
	static __typeof__(&name) next; \
	if (!next) \
		next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* -- chance -- */

static void
chance_begin(void)
{
	state = atomic_load(&faults->seed) + 0x9e3779b97f4a7c15u * (1 + atomic_fetch_add(&faults->processes, 1));
}

/* splitmix64. Threads may draw the same number: no harm. */
static uint64_t
chance_draw(void)
{
	uint64_t draw = state += 0x9e3779b97f4a7c15u;
	draw = (draw ^ (draw >> 30)) * 0xbf58476d1ce4e5b9u;
	draw = (draw ^ (draw >> 27)) * 0x94d049bb133111ebu;
	return draw ^ (draw >> 31);
}

static bool
chance_hits(uint64_t ppm)
{
	return ppm && chance_draw() % MILLION < ppm;
}

__attribute__((constructor)) static void
faults_map(void)
{
	const char *path = getenv("REEVE_FAULT");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	if (fd < 0)
		return;
	void *map = (void *)syscall(SYS_mmap, NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	faults = map;
	chance_begin();
	pthread_atfork(NULL, NULL, chance_begin);
}

static bool
is_meant(void)
{
	uint64_t only = atomic_load(&faults->only_pid);
	return !only || only == (uint64_t)getpid();
}

/* Counts the call; true when it shall fail, errno is set then. */
static bool
call_fails(enum call call)
{
	if (!faults || !is_meant())
		return false;
	atomic_fetch_add(&faults->call[call].calls, 1);
	bool fails = chance_hits(atomic_load(&faults->call[call].ppm));
	if (atomic_load(&faults->nth_mask) & 1u << call) {
		uint64_t number = 1 + atomic_fetch_add(&faults->counted, 1);
		if (number == atomic_load(&faults->nth)) {
			atomic_store(&faults->nth_call, call + 1);
			fails = true;
		}
	}
	if (!fails)
		return false;
	atomic_fetch_add(&faults->call[call].spoiled, 1);
	int choices = 1;
	while (choices < 4 && usual_errors[call][choices])
		choices++;
	int wanted = (int)atomic_load(&faults->call[call].error);
	errno = wanted ? wanted : usual_errors[call][chance_draw() % (uint64_t)choices];
	return true;
}

/* -- reading and writing -- */

struct target {
	bool	stream;	/* bytes, not records: may move fewer */
	bool	nonblocking;
};

/*
 * What may be spoiled: sockets and pipes, and of regular files what is written to them. Not the one byte by which a signal
 * handler wakes a loop: a pipe with room takes it at once, and libevent relies on that.
 */
static bool
target_of(int fd, int flags, size_t length, bool writing, struct target *target_out)
{
	struct stat file;
	int type = SOCK_STREAM;
	socklen_t size = sizeof(type);
	if (fstat(fd, &file))
		return false;
	if (S_ISSOCK(file.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size))
		return false;
	if (!S_ISSOCK(file.st_mode) && !S_ISFIFO(file.st_mode) && !(writing && S_ISREG(file.st_mode)))
		return false;
	if (S_ISFIFO(file.st_mode) && writing && length == 1)
		return false;
	target_out->stream = type == SOCK_STREAM;
	target_out->nonblocking = !S_ISREG(file.st_mode) && ((flags & MSG_DONTWAIT) || (fcntl(fd, F_GETFL) & O_NONBLOCK));
	return true;
}

static void
be_slow(int fd)
{
	uint64_t slow_us = atomic_load(&faults->slow_us);
	if (!slow_us)
		return;
	char link[32] = "/proc/self/fd/", path[PATH_SIZE];
	char digits[12], *at = digits + sizeof(digits);
	const char *wanted = (const char *)faults + PATH_OFFSET;
	*--at = '\0';
	do
		*--at = (char)('0' + fd % 10);
	while (fd /= 10);
	memcpy(link + strlen(link), at, (size_t)(digits + sizeof(digits) - at));
	ssize_t length = readlink(link, path, sizeof(path));
	if (length < (ssize_t)strnlen(wanted, PATH_SIZE) || memcmp(path, wanted, strnlen(wanted, PATH_SIZE)) != 0)
		return;
	struct timespec pause = { (time_t)(slow_us / MILLION), (long)(slow_us % MILLION) * 1000 };
	atomic_fetch_add(&faults->call[CALL_WRITE].spoiled, 1);
	nanosleep(&pause, NULL);
}

/* 0 and how much may be moved of the length; or -1 and errno. */
static int
move(enum call call, int fd, int flags, size_t length, size_t *most_out)
{
	struct target target;
	*most_out = length;
	if (!faults || !is_meant())
		return 0;
	int before = errno;
	if (call_fails(call)) {
		int error = errno;
		(void)shutdown(fd, SHUT_RDWR);	/* a connection that fails once is over */
		errno = error;
		return -1;
	}
	if (call == CALL_WRITE)
		be_slow(fd);
	if (!target_of(fd, flags, length, call == CALL_WRITE, &target)) {
		errno = before;
		return 0;
	}
	errno = before;
	int error = 0;
	if (chance_hits(atomic_load(&faults->eintr_ppm)))
		error = EINTR;
	else if (target.nonblocking && chance_hits(atomic_load(&faults->eagain_ppm)))
		error = EAGAIN;
	else if (target.stream && length > 1 && !(flags & MSG_PEEK) && chance_hits(atomic_load(&faults->short_ppm))) {
		/* mostly a few bytes, now and then any number */
		uint64_t end = chance_draw() % 4 ? 17 : length;
		*most_out = 1 + chance_draw() % (end < length ? end : length - 1);
		atomic_fetch_add(&faults->call[call].spoiled, 1);
	}
	if (!error)
		return 0;
	atomic_fetch_add(&faults->call[call].spoiled, 1);
	errno = error;
	return -1;
}

static size_t
vectors_size(const struct iovec *from, size_t count)
{
	size_t size = 0;
	for (size_t at = 0; at < count; at++)
		size += from[at].iov_len;
	return size;
}

/* The first bytes of the vectors; *count_inout is how many of them are left. */
static const struct iovec *
vectors_cut(const struct iovec *from, size_t *count_inout, size_t most, struct iovec cut[VECTORS])
{
	size_t used = 0;
	for (; used < *count_inout && used < VECTORS && most; used++) {
		cut[used] = from[used];
		if (cut[used].iov_len > most)
			cut[used].iov_len = most;
		most -= cut[used].iov_len;
	}
	*count_inout = used;
	return cut;
}

ssize_t
read(int fd, void *to, size_t length)
{
	NEXT(read);
	return move(CALL_READ, fd, 0, length, &length) ? -1 : next(fd, to, length);
}

ssize_t __read_chk(int fd, void *to, size_t length, size_t size);
ssize_t
__read_chk(int fd, void *to, size_t length, size_t size)
{
	NEXT(__read_chk);
	return move(CALL_READ, fd, 0, length, &length) ? -1 : next(fd, to, length, size);
}

ssize_t
recv(int fd, void *to, size_t length, int flags)
{
	NEXT(recv);
	return move(CALL_READ, fd, flags, length, &length) ? -1 : next(fd, to, length, flags);
}

ssize_t __recv_chk(int fd, void *to, size_t length, size_t size, int flags);
ssize_t
__recv_chk(int fd, void *to, size_t length, size_t size, int flags)
{
	NEXT(__recv_chk);
	return move(CALL_READ, fd, flags, length, &length) ? -1 : next(fd, to, length, size, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	NEXT(recvmsg);
	struct iovec cut[VECTORS];
	size_t whole = vectors_size(message->msg_iov, message->msg_iovlen), most;
	if (move(CALL_READ, fd, flags, whole, &most))
		return -1;
	if (most == whole)
		return next(fd, message, flags);
	struct iovec *iov = message->msg_iov;
	size_t count = message->msg_iovlen;
	(void)vectors_cut(iov, &message->msg_iovlen, most, cut);
	message->msg_iov = cut;
	ssize_t got = next(fd, message, flags);
	message->msg_iov = iov;
	message->msg_iovlen = count;
	return got;
}

ssize_t
write(int fd, const void *from, size_t length)
{
	NEXT(write);
	return move(CALL_WRITE, fd, 0, length, &length) ? -1 : next(fd, from, length);
}

ssize_t
send(int fd, const void *from, size_t length, int flags)
{
	NEXT(send);
	return move(CALL_WRITE, fd, flags, length, &length) ? -1 : next(fd, from, length, flags);
}

ssize_t
writev(int fd, const struct iovec *from, int count)
{
	NEXT(writev);
	struct iovec cut[VECTORS];
	size_t whole = vectors_size(from, (size_t)count), most, left = (size_t)count;
	if (move(CALL_WRITE, fd, 0, whole, &most))
		return -1;
	if (most < whole)
		from = vectors_cut(from, &left, most, cut);
	return next(fd, from, (int)left);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(sendmsg);
	struct iovec cut[VECTORS];
	struct msghdr shorter = *message;
	size_t whole = vectors_size(message->msg_iov, message->msg_iovlen), most;
	if (move(CALL_WRITE, fd, flags, whole, &most))
		return -1;
	if (most == whole)
		return next(fd, message, flags);
	(void)vectors_cut(message->msg_iov, &shorter.msg_iovlen, most, cut);
	shorter.msg_iov = cut;
	return next(fd, &shorter, flags);
}

ssize_t
sendfile(int to, int from, off_t *offset, size_t length)
{
	NEXT(sendfile);
	return move(CALL_WRITE, to, 0, length, &length) ? -1 : next(to, from, offset, length);
}

/* -- descriptors, processes, memory -- */

int
accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	NEXT(accept4);
	return call_fails(CALL_ACCEPT) ? -1 : next(fd, address, size, flags);
}

int
connect(int fd, const struct sockaddr *address, socklen_t size)
{
	NEXT(connect);
	return call_fails(CALL_CONNECT) ? -1 : next(fd, address, size);
}

int
open(const char *path, int flags, ...)
{
	NEXT(open);
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	return call_fails(CALL_OPEN) ? -1 : next(path, flags, mode);
}

/* openat2 has no function of its own. A call with fewer arguments leaves the others to chance, as the real one does. */
long
syscall(long number, ...)
{
	NEXT(syscall);
	va_list more;
	long word[6];
	va_start(more, number);
	for (int at = 0; at < 6; at++)
		word[at] = va_arg(more, long);
	va_end(more);
	if (number == SYS_openat2 && call_fails(CALL_OPEN))
		return -1;
	return next(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}

pid_t
fork(void)
{
	NEXT(fork);
	return call_fails(CALL_FORK) ? -1 : next();
}

int
memfd_create(const char *name, unsigned flags)
{
	NEXT(memfd_create);
	return call_fails(CALL_MEMFD) ? -1 : next(name, flags);
}

int
pipe2(int fds[2], int flags)
{
	NEXT(pipe2);
	return call_fails(CALL_PIPE) ? -1 : next(fds, flags);
}

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	NEXT(socketpair);
	return call_fails(CALL_SOCKETPAIR) ? -1 : next(domain, type, protocol, fds);
}

int
socket(int domain, int type, int protocol)
{
	NEXT(socket);
	return call_fails(CALL_SOCKET) ? -1 : next(domain, type, protocol);
}

int
eventfd(unsigned value, int flags)
{
	NEXT(eventfd);
	return call_fails(CALL_EVENTFD) ? -1 : next(value, flags);
}

int
epoll_create1(int flags)
{
	NEXT(epoll_create1);
	return call_fails(CALL_EPOLL) ? -1 : next(flags);
}

/* Only what is shared: private memory is the allocator's. */
void *
mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
	NEXT(mmap);
	return (flags & MAP_SHARED) && call_fails(CALL_MMAP) ? MAP_FAILED : next(at, length, protection, flags, fd, offset);
}

int
listen(int fd, int backlog)
{
	NEXT(listen);
	return call_fails(CALL_LISTEN) ? -1 : next(fd, backlog);
}

int
bind(int fd, const struct sockaddr *address, socklen_t size)
{
	NEXT(bind);
	return call_fails(CALL_BIND) ? -1 : next(fd, address, size);
}

int
pthread_create(pthread_t *thread_out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	NEXT(pthread_create);
	return call_fails(CALL_THREAD) ? errno : next(thread_out, attributes, run, argument);
}

int
rename(const char *from, const char *to)
{
	NEXT(rename);
	return call_fails(CALL_RENAME) ? -1 : next(from, to);
}

/* -- the time of day -- */

int
clock_gettime(clockid_t clock, struct timespec *now_out)
{
	NEXT(clock_gettime);
	int result = next(clock, now_out);
	if (result || !faults || clock != CLOCK_REALTIME || !is_meant())
		return result;
	atomic_fetch_add(&faults->call[CALL_CLOCK].calls, 1);
	now_out->tv_sec += atomic_load(&faults->clock_step_s);
	return 0;
}

int
gettimeofday(struct timeval *restrict now_out, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now))
		return -1;
	now_out->tv_sec = now.tv_sec;
	now_out->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *now_out)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now_out)
		*now_out = now.tv_sec;
	return now.tv_sec;
}
