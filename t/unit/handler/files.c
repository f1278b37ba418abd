/* rooms: base loop conf ipc http net codec request store route upstream handler */
#include "handler/files.h"

#include "base/fd.h"
#include "base/log.h"
#include "handler/handlers.h"
#include "loop/loop.h"

#include "../stage_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define LARGE 100000u

static struct stage_fixture fixture;
static struct loop *loop;
static char base[64];
static char root[80];
static struct text log_lines;
static struct files *files;

/* -- a directory to serve ----------------------------------------------------------------------------------------- */

static const char *
path_of(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static void
put(const char *name, const char *content)
{
	struct err err;

	assert_true(file_write(path_of(name), span_text(content), 0644, &err));
}

/* Old enough to be kept: its times are those of a minute ago. Only the kernel sets the change time, so we wait. */
static void
settle(void)
{
	nanosleep(&(struct timespec){ 0, 70 * 1000000 }, NULL);
}

static char *
large_content(void)
{
	static char bytes[LARGE + 1];

	for (unsigned i = 0; i < LARGE; i++)
		bytes[i] = (char)('a' + i % 26);
	return bytes;
}

static void
keep_line(void *owner, enum log_level level, struct span line)
{
	(void)owner;
	(void)level;
	text_add(&log_lines, line);
	text_add_byte(&log_lines, '\n');
}

static int
set_up(void **state)
{
	static const char *const directories[] = {
		"root", "root/sub", "root/list", "root/list/zdir", "root/.well-known", "root/.git", "outside",
	};
	struct err err;

	(void)state;
	field_names_init();
	log_to(keep_line, NULL);
	fixture_init(&fixture);
	loop = loop_create(&err);
	assert_non_null(loop);
	snprintf(base, sizeof(base), "/tmp/reeve-files-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(root, sizeof(root), "%s/root", base);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		assert_int_equal(mkdir(path_of(directories[i]), 0755), 0);
	put("root/index.html", "<h1>home</h1>");
	put("root/a.txt", "hello");
	put("root/sub/index.html", "sub");
	put("root/large.bin", large_content());
	put("root/.well-known/x", "known");
	put("root/.git/config", "secret");
	put("root/.env", "secret");
	put("root/a b.txt", "space");
	put("root/list/b<&>.txt", "b");
	put("root/list/a.txt", "a");
	put("root/list/.hid", "h");
	put("outside/secret.txt", "secret");
	settle();
	return 0;
}

static void
clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	assert_int_equal(system(command), 0);
}

/* more: further keys in flow style, "listing: true". */
static void
build(const char *more)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), "files: {root: %s%s%s}\n", root, *more ? ", " : "", more);
	fixture.builder.loop = loop;
	files = fixture_handler(&fixture, yaml, &handler_files);
	if (files == NULL)
		fail_msg("%s", fixture.text.bytes);
}

static void
let_go(void)
{
	if (files)
		handler_files.fini(files);
	files = NULL;
	assert_int_equal(files_cache_load().entries, 0);
	assert_int_equal(files_cache_load().bytes, 0);
}

static int
tear_down(void **state)
{
	(void)state;
	let_go();
	fixture_fini(&fixture);
	loop_free(loop);
	clean();
	text_fini(&log_lines);
	log_to(NULL, NULL);
	return 0;
}

static struct request *
serve(struct fake_exchange *fake)
{
	handler_files.start(files, &fake->request);
	return &fake->request;
}

/* GET; the status. The content must be `content` unless that is NULL. */
static unsigned
get(const char *target, const char *content)
{
	struct fake_exchange fake;
	unsigned status;

	fake_begin(&fake, "GET", target);
	status = serve(&fake)->response.status;
	assert_int_equal(fake.finishes, 1);
	if (content && strcmp(fake_content(&fake), content) != 0)
		fail_msg("%s: not the content we expect, but %.100s", target, fake_content(&fake));
	fake_end(&fake);
	return status;
}

/* -- finding ------------------------------------------------------------------------------------------------------ */

static void
files_and_indexes_are_found(void **state)
{
	(void)state;
	build("");
	assert_int_equal(get("/a.txt", "hello"), 200);
	assert_int_equal(get("/a.txt", "hello"), 200);	/* from the cache */
	assert_int_equal(get("/a%20b.txt", "space"), 200);
	assert_int_equal(get("/", "<h1>home</h1>"), 200);
	assert_int_equal(get("/sub/", "sub"), 200);
	assert_int_equal(get("/large.bin", large_content()), 200);
	assert_int_equal(get("/nothing", ""), 404);
	assert_int_equal(get("/a.txt/", ""), 404);
	assert_int_equal(get("/a.txt/b", ""), 404);
	assert_int_equal(get("/list/", ""), 404);	/* no index, no listing */
}

static void
names_that_start_with_a_dot_are_not_there(void **state)
{
	(void)state;
	build("");
	assert_int_equal(get("/.env", ""), 404);
	assert_int_equal(get("/.git/config", ""), 404);
	assert_int_equal(get("/.git/", ""), 404);
	assert_int_equal(get("/.well-known/x", "known"), 200);
	assert_int_equal(get("/sub/.well-known/x", ""), 404);
	let_go();
	build("hidden: true");
	assert_int_equal(get("/.env", "secret"), 200);
	assert_int_equal(get("/.git/config", "secret"), 200);
}

static void
nothing_outside_is_reached(void **state)
{
	(void)state;
	assert_int_equal(symlink("../outside/secret.txt", path_of("root/link.txt")), 0);
	assert_int_equal(symlink("../outside", path_of("root/linkdir")), 0);
	assert_int_equal(symlink(path_of("outside/secret.txt"), path_of("root/absolute.txt")), 0);
	assert_int_equal(symlink("a.txt", path_of("root/inside.txt")), 0);
	assert_int_equal(symlink("sub", path_of("root/insidedir")), 0);
	assert_int_equal(symlink("/proc/self/root", path_of("root/magic")), 0);
	for (unsigned follows = 0; follows < 2; follows++) {
		build(follows ? "follow_symlinks: true, listing: true" : "follow_symlinks: false, listing: true");
		assert_int_equal(get("/link.txt", ""), 404);
		assert_int_equal(get("/linkdir/secret.txt", ""), 404);
		assert_int_equal(get("/linkdir", ""), 404);
		assert_int_equal(get("/linkdir/", ""), 404);
		assert_int_equal(get("/absolute.txt", ""), 404);
		assert_int_equal(get("/magic/etc/passwd", ""), 404);
		assert_int_equal(get("//etc/passwd", ""), 404);
		assert_int_equal(get("/..%2foutside%2fsecret.txt", ""), 404);
		assert_int_equal(get("/a.txt%00", ""), 404);
		assert_int_equal(get("/inside.txt", follows ? "hello" : ""), follows ? 200 : 404);
		assert_int_equal(get("/insidedir/", follows ? "sub" : ""), follows ? 200 : 404);
		let_go();
	}
}

static void
only_regular_files_are_opened(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path_of("root/fifo"), 0644), 0);
	build("");
	assert_int_equal(get("/fifo", ""), 404);	/* and does not wait for a writer */
}

static void
what_we_may_not_read_is_forbidden(void **state)
{
	bool is_root = geteuid() == 0;	/* who may read everything */

	(void)state;
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(chmod(path_of("root/a.txt"), 0), 0);
	build("");
	assert_int_equal(is_root ? seteuid(65534) : 0, 0);
	assert_int_equal(get("/a.txt", ""), 403);
	assert_int_equal(get("/index.html", NULL), 200);
	assert_int_equal(is_root ? seteuid(0) : 0, 0);
}

static void
names_too_long_are_not_there(void **state)
{
	static char target[8000];

	(void)state;
	build("");
	memset(target, 'a', sizeof(target) - 1);
	target[0] = '/';
	assert_int_equal(get(target, ""), 404);
	target[300] = '\0';
	assert_int_equal(get(target, ""), 404);
}

static void
only_reading_methods_are_answered(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	fake_begin(&fake, "POST", "/a.txt");
	assert_int_equal(serve(&fake)->response.status, 405);
	assert_string_equal(fake_value(&fake, "Allow"), "GET, HEAD");
	fake_end(&fake);
}

static void
directories_get_their_slash(void **state)
{
	static const struct {
		const char	*target;
		const char	*location;
	} cases[] = {
		{ "/sub", "/sub/" },
		{ "/sub?a=b&c", "/sub/?a=b&c" },
	};

	(void)state;
	build("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_exchange fake;

		fake_begin(&fake, "GET", cases[i].target);
		assert_int_equal(serve(&fake)->response.status, 301);
		assert_string_equal(fake_value(&fake, "Location"), cases[i].location);
		fake_end(&fake);
	}
}

static void
a_prefix_is_stripped_by_segments(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("strip_prefix: /static");
	assert_int_equal(get("/static/a.txt", "hello"), 200);
	assert_int_equal(get("/static/", "<h1>home</h1>"), 200);
	assert_int_equal(get("/statica.txt", ""), 404);
	fake_begin(&fake, "GET", "/static");
	assert_int_equal(serve(&fake)->response.status, 301);
	assert_string_equal(fake_value(&fake, "Location"), "/static/");
	fake_end(&fake);
}

static void
a_fallback_answers_for_what_is_not_there(void **state)
{
	(void)state;
	build("fallback: /index.html");
	assert_int_equal(get("/users/7", "<h1>home</h1>"), 200);
	assert_int_equal(get("/list/", "<h1>home</h1>"), 200);
	assert_int_equal(get("/.env", ""), 404);
	let_go();
	build("fallback: /missing.html");
	assert_int_equal(get("/users/7", ""), 404);
}

/* -- the answer --------------------------------------------------------------------------------------------------- */

static void
the_head_describes_the_file(void **state)
{
	struct fake_exchange fake;
	const char *etag;

	(void)state;
	build("cache_control: 'max-age=60'");
	fake_begin(&fake, "GET", "/index.html");
	serve(&fake);
	etag = fake_value(&fake, "ETag");
	assert_true(strlen(etag) > 8 && etag[0] == '"' && etag[strlen(etag) - 1] == '"');
	assert_int_equal(strlen(fake_value(&fake, "Last-Modified")), 29);
	assert_string_equal(fake_value(&fake, "Content-Type"), "text/html; charset=utf-8");
	assert_string_equal(fake_value(&fake, "Accept-Ranges"), "bytes");
	assert_string_equal(fake_value(&fake, "Cache-Control"), "max-age=60");
	assert_string_equal(fake_value(&fake, "Vary"), "");
	fake_end(&fake);
}

static void
head_sends_no_content(void **state)
{
	static const char *const targets[] = { "/a.txt", "/large.bin" };
	static const uint64_t lengths[] = { 5, LARGE };

	(void)state;
	build("");
	for (unsigned i = 0; i < 2; i++) {
		struct fake_exchange fake;

		fake_begin(&fake, "HEAD", targets[i]);
		fake_field(&fake, "Range", "bytes=0-1");	/* counts for GET only */
		assert_int_equal(serve(&fake)->response.status, 200);
		assert_int_equal(fake.request.response.content_length, lengths[i]);
		assert_int_equal(fake.content.len, 0);
		assert_int_equal(fake.files, 0);
		assert_int_equal(fake.finishes, 1);
		fake_end(&fake);
	}
}

static char *
etag_of(const char *target)
{
	static char etag[64];
	struct fake_exchange fake;

	fake_begin(&fake, "GET", target);
	serve(&fake);
	snprintf(etag, sizeof(etag), "%s", fake_value(&fake, "ETag"));
	fake_end(&fake);
	return etag;
}

static unsigned
get_with(struct fake_exchange *fake, const char *target, const char *name, const char *value)
{
	fake_begin(fake, "GET", target);
	fake_field(fake, name, value);
	return serve(fake)->response.status;
}

static void
preconditions_are_heard(void **state)
{
	struct fake_exchange fake;
	const char *etag;

	(void)state;
	build("precompressed: br, cache_control: no-cache");
	etag = etag_of("/a.txt");
	assert_int_equal(get_with(&fake, "/a.txt", "If-None-Match", etag), 304);
	assert_string_equal(fake_value(&fake, "ETag"), etag);
	assert_string_equal(fake_value(&fake, "Vary"), "Accept-Encoding");
	assert_string_equal(fake_value(&fake, "Cache-Control"), "no-cache");
	assert_string_equal(fake_value(&fake, "Content-Type"), "");
	assert_int_equal(fake.content.len, 0);
	fake_end(&fake);
	assert_int_equal(get_with(&fake, "/large.bin", "If-None-Match", "\"other\""), 200);
	assert_int_equal(fake.content.len, LARGE);
	fake_end(&fake);
	assert_int_equal(get_with(&fake, "/a.txt", "If-Match", "\"other\""), 412);
	assert_string_equal(fake_value(&fake, "ETag"), "");
	fake_end(&fake);
	assert_int_equal(get_with(&fake, "/a.txt", "If-Modified-Since", "Tue, 19 Jan 2038 03:14:07 GMT"), 304);
	fake_end(&fake);
}

static void
one_range_is_a_part_of_the_file(void **state)
{
	static const struct {
		const char	*target;
		const char	*range;
		const char	*content;
		const char	*content_range;
	} cases[] = {
		{ "/a.txt", "bytes=1-3", "ell", "bytes 1-3/5" },
		{ "/a.txt", "bytes=-2", "lo", "bytes 3-4/5" },
		{ "/a.txt", "bytes=4-99", "o", "bytes 4-4/5" },
		{ "/large.bin", "bytes=26-29", "abcd", "bytes 26-29/100000" },
	};

	(void)state;
	build("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_exchange fake;

		assert_int_equal(get_with(&fake, cases[i].target, "Range", cases[i].range), 206);
		assert_string_equal(fake_content(&fake), cases[i].content);
		assert_string_equal(fake_value(&fake, "Content-Range"), cases[i].content_range);
		assert_int_equal(fake.request.response.content_length, strlen(cases[i].content));
		fake_end(&fake);
	}
}

static void
a_range_past_the_end_is_unsatisfiable(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	assert_int_equal(get_with(&fake, "/a.txt", "Range", "bytes=5-"), 416);
	assert_string_equal(fake_value(&fake, "Content-Range"), "bytes */5");
	assert_string_equal(fake_value(&fake, "ETag"), "");
	fake_end(&fake);
}

static void
if_range_with_another_tag_gives_the_whole(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	fake_begin(&fake, "GET", "/a.txt");
	fake_field(&fake, "Range", "bytes=1-3");
	fake_field(&fake, "If-Range", "\"other\"");
	assert_int_equal(serve(&fake)->response.status, 200);
	assert_string_equal(fake_content(&fake), "hello");
	fake_end(&fake);
}

/* To a client that keeps up, and to one that reads slowly. */
static void
several_ranges_come_as_parts(void **state)
{
	(void)state;
	build("");
	for (unsigned i = 0; i < 2; i++) {
		struct fake_exchange fake;
		const char *type, *boundary;
		char expected[512];

		fake_begin(&fake, "GET", "/large.bin");
		fake_field(&fake, "Range", "bytes=0-0, 2-3");
		fake.is_slow = i == 1;
		assert_int_equal(serve(&fake)->response.status, 206);
		for (unsigned turns = 0; fake.finishes == 0 && turns < 10; turns++)
			fake_drain(&fake);
		assert_int_equal(fake.finishes, 1);
		type = fake_value(&fake, "Content-Type");
		boundary = strstr(type, "boundary=");
		assert_true(strncmp(type, "multipart/byteranges; ", 22) == 0 && boundary);
		boundary += 9;
		snprintf(expected, sizeof(expected),
		    "\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
		    "Content-Range: bytes 0-0/100000\r\n\r\na"
		    "\r\n--%s\r\nContent-Type: application/octet-stream\r\n"
		    "Content-Range: bytes 2-3/100000\r\n\r\ncd\r\n--%s--\r\n", boundary, boundary, boundary);
		assert_string_equal(fake_content(&fake), expected);
		assert_int_equal(fake.request.response.content_length, strlen(expected));
		fake_end(&fake);
	}
}

static void
several_ranges_of_a_small_file_come_from_memory(void **state)
{
	static char content[4001];
	struct fake_exchange fake;

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		content[i] = (char)('a' + i % 26);
	put("root/small.txt", content);
	build("");
	assert_int_equal(get_with(&fake, "/small.txt", "Range", "bytes=0-1,-2"), 206);
	assert_int_equal(fake.files, 0);
	assert_int_equal(fake.content.len, fake.request.response.content_length);
	assert_non_null(strstr(fake_content(&fake), "bytes 0-1/4000\r\n\r\nab\r\n--"));
	assert_non_null(strstr(fake_content(&fake), "bytes 3998-3999/4000\r\n\r\n"));
	fake_end(&fake);
}

static void
more_than_16_ranges_are_ignored(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	assert_int_equal(get_with(&fake, "/large.bin", "Range",
	    "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,32-32"), 200);
	fake_end(&fake);
}

static void
a_slow_client_gets_all_and_one_that_leaves_costs_nothing(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	fake_begin(&fake, "GET", "/large.bin");
	fake.is_slow = true;
	serve(&fake);
	assert_int_equal(fake.finishes, 0);
	fake_drain(&fake);
	assert_int_equal(fake.finishes, 1);
	assert_int_equal(strcmp(fake_content(&fake), large_content()), 0);
	fake_end(&fake);

	fake_begin(&fake, "GET", "/large.bin");
	fake.is_slow = true;
	serve(&fake);
	fake.request.events->on_gone(&fake.request);
	fake_end(&fake);
}

static void
a_file_being_sent_outlives_its_route(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("");
	fake_begin(&fake, "GET", "/large.bin");
	fake.is_slow = true;
	serve(&fake);
	let_go();
	fake_drain(&fake);
	assert_int_equal(fake.finishes, 1);
	fake_end(&fake);
}

/* -- siblings ----------------------------------------------------------------------------------------------------- */

static void
the_best_sibling_is_sent(void **state)
{
	static const struct {
		const char	*accept;
		const char	*content;
		const char	*coding;
	} cases[] = {
		{ "gzip, br", "BR", "br" },
		{ "gzip", "GZ", "gzip" },
		{ "gzip;q=1, br;q=0.5", "GZ", "gzip" },
		{ "br;q=0, gzip", "GZ", "gzip" },
		{ "zstd", "hello", "" },	/* there is none */
		{ "deflate", "hello", "" },
		{ "", "hello", "" },
	};

	(void)state;
	put("root/a.txt.br", "BR");
	put("root/a.txt.gz", "GZ");
	build("precompressed: [br, gzip, zstd]");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_exchange fake;

		assert_int_equal(get_with(&fake, "/a.txt", "Accept-Encoding", cases[i].accept), 200);
		assert_string_equal(fake_content(&fake), cases[i].content);
		assert_string_equal(fake_value(&fake, "Content-Encoding"), cases[i].coding);
		assert_string_equal(fake_value(&fake, "Content-Type"), "text/plain; charset=utf-8");
		assert_string_equal(fake_value(&fake, "Vary"), "Accept-Encoding");
		fake_end(&fake);
	}
}

static void
a_sibling_has_its_own_tag_and_needs_its_file(void **state)
{
	struct fake_exchange fake;
	char plain[64];

	(void)state;
	put("root/a.txt.gz", "GZ");
	put("root/lonely.txt.gz", "GZ");
	build("precompressed: gzip");
	snprintf(plain, sizeof(plain), "%s", etag_of("/a.txt"));
	get_with(&fake, "/a.txt", "Accept-Encoding", "gzip");
	assert_string_not_equal(fake_value(&fake, "ETag"), plain);
	fake_end(&fake);
	assert_int_equal(get_with(&fake, "/lonely.txt", "Accept-Encoding", "gzip"), 404);
	fake_end(&fake);
	assert_int_equal(unlink(path_of("root/a.txt.gz")), 0);
	get_with(&fake, "/a.txt", "Accept-Encoding", "gzip");
	assert_string_equal(fake_content(&fake), "hello");
	fake_end(&fake);
}

/* -- what changes ------------------------------------------------------------------------------------------------- */

static void
a_changed_file_is_seen_at_once(void **state)
{
	char etag[64];

	(void)state;
	build("");
	assert_int_equal(get("/a.txt", "hello"), 200);
	snprintf(etag, sizeof(etag), "%s", etag_of("/a.txt"));
	for (unsigned i = 0; i < 50; i++) {
		char content[8];
		int fd = open(path_of("root/a.txt"), O_WRONLY | O_TRUNC);

		snprintf(content, sizeof(content), "v%04u", i);	/* the same length each time, within one clock tick */
		assert_int_equal(write(fd, content, 5), 5);
		close(fd);
		assert_int_equal(get("/a.txt", content), 200);
	}
	assert_string_not_equal(etag_of("/a.txt"), etag);
	put("root/new.txt", "replaced");
	assert_int_equal(rename(path_of("root/new.txt"), path_of("root/a.txt")), 0);
	assert_int_equal(get("/a.txt", "replaced"), 200);
	assert_int_equal(unlink(path_of("root/a.txt")), 0);
	assert_int_equal(get("/a.txt", ""), 404);
	put("root/a.txt", "back");
	assert_int_equal(get("/a.txt", "back"), 200);
}

static void
a_link_put_in_the_place_of_a_file_is_seen(void **state)
{
	(void)state;
	build("");
	assert_int_equal(get("/a.txt", "hello"), 200);
	assert_int_equal(unlink(path_of("root/a.txt")), 0);
	assert_int_equal(symlink("../outside/secret.txt", path_of("root/a.txt")), 0);
	assert_int_equal(get("/a.txt", ""), 404);
}

static void
a_directory_replaced_by_a_link_outside_serves_nothing_new(void **state)
{
	(void)state;
	build("");
	assert_int_equal(get("/sub/index.html", "sub"), 200);
	assert_int_equal(rename(path_of("root/sub"), path_of("outside/sub")), 0);
	assert_int_equal(symlink("../outside/sub", path_of("root/sub")), 0);
	put("outside/sub/index.html", "changed outside");
	assert_int_equal(get("/sub/index.html", ""), 404);
}

/* The very file, moved outside and linked: seen as soon as the way there is walked again. */
static void
a_moved_directory_is_forgotten_within_a_second(void **state)
{
	(void)state;
	build("");
	assert_int_equal(get("/sub/index.html", "sub"), 200);
	assert_int_equal(rename(path_of("root/sub"), path_of("outside/sub")), 0);
	assert_int_equal(symlink("../outside/sub", path_of("root/sub")), 0);
	nanosleep(&(struct timespec){ 1, 50 * 1000000 }, NULL);
	assert_int_equal(get("/sub/index.html", ""), 404);
}

static void
a_swapped_root_is_seen_at_once(void **state)
{
	(void)state;
	assert_int_equal(rename(root, path_of("v1")), 0);
	assert_int_equal(mkdir(path_of("v2"), 0755), 0);
	put("v2/a.txt", "second");
	assert_int_equal(symlink("v1", root), 0);
	build("");
	assert_int_equal(get("/a.txt", "hello"), 200);
	assert_int_equal(get("/large.bin", NULL), 200);
	assert_int_equal(symlink("v2", path_of("next")), 0);
	assert_int_equal(rename(path_of("next"), root), 0);
	assert_int_equal(get("/a.txt", "second"), 200);
	assert_int_equal(get("/large.bin", ""), 404);
}

static void
a_missing_root_is_an_error_when_checking_only(void **state)
{
	char yaml[256];

	(void)state;
	snprintf(yaml, sizeof(yaml), "files: %s/nowhere\n", base);
	fixture.builder.loop = NULL;
	fixture_refuses(&fixture, fixture_handler(&fixture, yaml, &handler_files), "files: cannot open directory");
	fixture.builder.loop = loop;
	files = fixture_handler(&fixture, yaml, &handler_files);
	assert_non_null(files);
	assert_non_null(strstr(log_lines.bytes, "the root of a files route cannot be opened"));
	assert_int_equal(get("/a.txt", ""), 404);
	assert_int_equal(mkdir(path_of("nowhere"), 0755), 0);
	put("nowhere/a.txt", "there");
	assert_int_equal(get("/a.txt", "there"), 200);
	assert_non_null(strstr(log_lines.bytes, "is there again"));
}

/* -- the cache ---------------------------------------------------------------------------------------------------- */

static void
the_cache_is_bounded(void **state)
{
	char name[64];

	(void)state;
	build("");
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "root/n%u.txt", i);
		put(name, "x");
	}
	settle();
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "/n%u.txt", i);
		assert_int_equal(get(name, "x"), 200);
	}
	assert_true(files_cache_load().entries <= 512);
	assert_true(files_cache_load().entries > 0);
	assert_true(fd_count() < 64);	/* small files at rest hold no descriptor */
}

static void
two_routes_with_one_root_do_not_mix_their_types(void **state)
{
	struct files *first;
	struct fake_exchange fake;

	(void)state;
	build("");
	first = files;
	build("");
	for (unsigned i = 0; i < 2; i++) {
		handler_files.start(i ? first : files, fake_begin(&fake, "GET", "/a.txt"));
		assert_string_equal(fake_value(&fake, "Content-Type"), "text/plain; charset=utf-8");
		fake_end(&fake);
	}
	handler_files.fini(first);
	assert_int_equal(get("/a.txt", "hello"), 200);
}

/* -- listings ----------------------------------------------------------------------------------------------------- */

static void
a_listing_is_escaped_and_sorted(void **state)
{
	struct fake_exchange fake;
	const char *page, *directory, *a, *b;

	(void)state;
	assert_int_equal(symlink("../../outside", path_of("root/list/link")), 0);
	assert_int_equal(mkfifo(path_of("root/list/fifo"), 0644), 0);
	build("listing: true");
	fake_begin(&fake, "GET", "/list/");
	assert_int_equal(serve(&fake)->response.status, 200);
	assert_string_equal(fake_value(&fake, "Content-Type"), "text/html; charset=utf-8");
	page = fake_content(&fake);
	directory = strstr(page, "<a href=\"./zdir/\">zdir/</a>");
	a = strstr(page, "<a href=\"./a.txt\">a.txt</a>");
	b = strstr(page, "<a href=\"./b%3C%26%3E.txt\">b&lt;&amp;&gt;.txt</a>");
	assert_true(directory && a && b && directory < a && a < b);
	assert_null(strstr(page, ".hid"));
	assert_null(strstr(page, "link"));
	assert_null(strstr(page, "fifo"));
	fake_end(&fake);
	assert_int_equal(get("/sub/", "sub"), 200);	/* an index goes first */
	assert_int_equal(get("/none/", ""), 404);
	assert_int_equal(get("/.git/", ""), 404);
}

static void
a_listing_can_be_json(void **state)
{
	struct fake_exchange fake;

	(void)state;
	build("listing: true");
	assert_int_equal(get_with(&fake, "/list/", "Accept", "application/json"), 200);
	assert_string_equal(fake_value(&fake, "Content-Type"), "application/json");
	assert_non_null(strstr(fake_content(&fake), "[{\"name\":\"zdir\",\"type\":\"directory\",\"modified\":\"20"));
	assert_non_null(strstr(fake_content(&fake),
	    "{\"name\":\"a.txt\",\"type\":\"file\",\"size\":1,\"modified\":\"20"));
	fake_end(&fake);
}

/* -- configuration ------------------------------------------------------------------------------------------------ */

static void
wrong_configurations_are_refused(void **state)
{
	static const struct {
		const char	*more;
		const char	*sentence;
	} cases[] = {
		{ "precompressed: [lzma]", "expected br, gzip or zstd" },
		{ "precompressed: [br, br]", "twice" },
		{ "fallback: index.html", "start with a slash" },
		{ "fallback: /x/", "must be a file" },
		{ "strip_prefix: x", "start with a slash" },
		{ "index: [a/b]", "no file name" },
		{ "cache_control: \"a\\nb\"", "no valid field value" },
		{ "lsting: true", "did you mean \"listing\"" },
	};
	char yaml[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(yaml, sizeof(yaml), "files: {root: %s, %s}\n", root, cases[i].more);
		fixture_refuses(&fixture, fixture_handler(&fixture, yaml, &handler_files), cases[i].sentence);
	}
	fixture_refuses(&fixture, fixture_handler(&fixture, "files: {}\n", &handler_files), "root: required");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(files_and_indexes_are_found),
		TEST(names_that_start_with_a_dot_are_not_there),
		TEST(nothing_outside_is_reached),
		TEST(only_regular_files_are_opened),
		TEST(what_we_may_not_read_is_forbidden),
		TEST(names_too_long_are_not_there),
		TEST(only_reading_methods_are_answered),
		TEST(directories_get_their_slash),
		TEST(a_prefix_is_stripped_by_segments),
		TEST(a_fallback_answers_for_what_is_not_there),
		TEST(the_head_describes_the_file),
		TEST(head_sends_no_content),
		TEST(preconditions_are_heard),
		TEST(one_range_is_a_part_of_the_file),
		TEST(a_range_past_the_end_is_unsatisfiable),
		TEST(if_range_with_another_tag_gives_the_whole),
		TEST(several_ranges_come_as_parts),
		TEST(several_ranges_of_a_small_file_come_from_memory),
		TEST(more_than_16_ranges_are_ignored),
		TEST(a_slow_client_gets_all_and_one_that_leaves_costs_nothing),
		TEST(a_file_being_sent_outlives_its_route),
		TEST(the_best_sibling_is_sent),
		TEST(a_sibling_has_its_own_tag_and_needs_its_file),
		TEST(a_changed_file_is_seen_at_once),
		TEST(a_link_put_in_the_place_of_a_file_is_seen),
		TEST(a_directory_replaced_by_a_link_outside_serves_nothing_new),
		TEST(a_moved_directory_is_forgotten_within_a_second),
		TEST(a_swapped_root_is_seen_at_once),
		TEST(a_missing_root_is_an_error_when_checking_only),
		TEST(the_cache_is_bounded),
		TEST(two_routes_with_one_root_do_not_mix_their_types),
		TEST(a_listing_is_escaped_and_sorted),
		TEST(a_listing_can_be_json),
		TEST(wrong_configurations_are_refused),
	};
#undef TEST

	return cmocka_run_group_tests_name("handler/files", tests, NULL, NULL);
}
