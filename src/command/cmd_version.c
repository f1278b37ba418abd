/* What a bug report wants to know: ourselves, the libraries as they are at run time, the kernel, the build. */
#include "command/commands.h"

#include "base/count.h"
#include "command/output.h"
#include "loop/exclusive.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yaml.h>
#include <zlib.h>

/* Not there in a build with sanitizers, which bring their own. */
int mallctl(const char *name, void *old, size_t *old_size, void *new_value, size_t new_size) __attribute__((weak));

/* -- libraries ----------------------------------------------------------------------------------------------------- */

static const char *
openssl_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

static const char *
nghttp2_run_version(void)
{
	return nghttp2_version(0)->version_str;
}

/* Without the commit it was made from ("5.3.0-0-g54ea…"). */
static const char *
jemalloc_version(void)
{
	static char short_version[32];
	const char *version = NULL;
	size_t size = sizeof(version);

	if (mallctl == NULL || mallctl("version", &version, &size, NULL, 0) != 0)
		return NULL;
	snprintf(short_version, sizeof(short_version), "%.*s", (int)strcspn(version, "-"), version);
	return short_version;
}

static const struct {
	const char	*name;
	const char	*(*version)(void);	/* NULL: not in use */
} libraries[] = {
	{ "libevent", event_get_version },
	{ "openssl", openssl_version },
	{ "nghttp2", nghttp2_run_version },
	{ "jemalloc", jemalloc_version },
	{ "libyaml", yaml_get_version_string },
	{ "zlib", zlibVersion },
};

/* -- kernel -------------------------------------------------------------------------------------------------------- */

static bool
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool
openat2_works(void)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };

	return close_if_open((int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)));
}

static bool
pidfd_works(void)
{
	return close_if_open((int)syscall(SYS_pidfd_open, getpid(), 0));
}

static bool
sealed_memfd_works(void)
{
	return close_if_open(memfd_create("reeve", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static const struct {
	const char	*name;
	bool		 (*works)(void);
} features[] = {
	{ "epollexclusive", exclusive_works },
	{ "openat2", openat2_works },
	{ "pidfd", pidfd_works },
	{ "sealed_memfd", sealed_memfd_works },
};

/* -- build --------------------------------------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

#ifdef __clang__
static const char compiler[] = "clang " __clang_version__;
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

/* -- both forms ---------------------------------------------------------------------------------------------------- */

static void
version_json(const struct utsname *kernel, struct text *to)
{
	text_json_open(to, '{');
	text_json_key(to, "version");
	text_json_text(to, REEVE_VERSION);
	text_json_key(to, "build");
	text_json_open(to, '{');
	text_json_key(to, "compiler");
	text_json_text(to, compiler);
	text_json_key(to, "sanitized");
	text_json_bool(to, is_sanitized);
	text_json_close(to, '}');
	text_json_key(to, "libraries");
	text_json_open(to, '{');
	for (size_t i = 0; i < COUNT(libraries); i++) {
		text_json_key(to, libraries[i].name);
		text_json_text(to, libraries[i].version());
	}
	text_json_close(to, '}');
	text_json_key(to, "kernel");
	text_json_open(to, '{');
	text_json_key(to, "release");
	text_json_text(to, kernel->release);
	for (size_t i = 0; i < COUNT(features); i++) {
		text_json_key(to, features[i].name);
		text_json_bool(to, features[i].works());
	}
	text_json_close(to, '}');
	text_json_close(to, '}');
	text_add_byte(to, '\n');
}

static void
version_text(const struct utsname *kernel, struct text *to)
{
	text_format(to, "reeve %s\n", REEVE_VERSION);
	text_format(to, "build      %s%s\n", compiler, is_sanitized ? ", sanitized (ASan, UBSan)" : "");
	text_add_text(to, "libraries ");
	for (size_t i = 0; i < COUNT(libraries); i++) {
		const char *version = libraries[i].version();

		if (version)
			text_format(to, "%s %s %s", i ? "," : "", libraries[i].name, version);
	}
	text_format(to, "\nkernel     %s\n", kernel->release);
	for (size_t i = 0; i < COUNT(features); i++)
		text_format(to, "           %-14s %s\n", features[i].name, features[i].works() ? "yes" : "no");
}

int
cmd_version(const struct command_line *line)
{
	struct utsname kernel = { .release = "" };
	struct text text = { 0 };
	int code;

	uname(&kernel);
	if (command_line_has(line, FLAG_JSON))
		version_json(&kernel, &text);
	else
		version_text(&kernel, &text);
	code = output_print(text_span(&text)) ? COMMAND_DONE : COMMAND_FAILED;
	text_fini(&text);
	return code;
}
