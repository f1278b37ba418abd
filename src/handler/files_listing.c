/*
 * A directory as a page, or as JSON for programs: names that could be fetched, sorted, at most so many.
 */
#include "handler/files.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/put.h"
#include "http/byte_class.h"
#include "http/negotiate.h"
#include "request/response.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES_MAX 10000

struct listed {
	struct span	name;		/* arena */
	bool		is_directory;
	uint64_t	size;
	uint64_t	modified_ms;	/* Unix */
};

struct listing {
	struct listed	*items;		/* owned */
	size_t		 count;
	size_t		 room;
	bool		 is_cut;	/* there are more names than we list */
};

/* -- reading ------------------------------------------------------------------------------------------------------ */

static void
listing_add(struct listing *listing, struct span name, const struct stat *status)
{
	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 64;
		listing->items = memory_resize(listing->items, listing->room * sizeof(*listing->items));
	}
	listing->items[listing->count++] = (struct listed){
		.name = name,
		.is_directory = S_ISDIR(status->st_mode),
		.size = (uint64_t)status->st_size,
		.modified_ms = status->st_mtim.tv_sec > 0 ? (uint64_t)status->st_mtim.tv_sec * 1000 : 0,
	};
}

/* A symbolic link is what files_open() would find behind it: nothing outside is told of. */
static bool
name_look(const struct files *files, int directory, const char *path, const char *name, struct stat *status)
{
	char whole[PATH_MAX];
	enum files_result result;
	int fd;

	if (fstatat(directory, name, status, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!S_ISLNK(status->st_mode))
		return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
	if (!files->follow_symlinks || (size_t)snprintf(whole, sizeof(whole), "%s%s", path, name) >= sizeof(whole))
		return false;
	result = files_open(files->root, whole, O_PATH, &fd, status);
	fd_close(&fd);
	return result == FILES_FOUND || result == FILES_DIRECTORY;
}

static void
listing_read(const struct files *files, DIR *directory, const char *path, struct listing *listing, struct arena *arena)
{
	struct dirent *at;

	while ((at = readdir(directory)) != NULL) {
		struct span name = span_text(at->d_name);
		struct stat status;

		if (span_is(name, ".") || span_is(name, ".."))
			continue;
		if (!files->hidden && at->d_name[0] == '.')
			continue;
		if (listing->count == NAMES_MAX) {
			listing->is_cut = true;
			return;
		}
		if (name_look(files, dirfd(directory), path, at->d_name, &status))
			listing_add(listing, arena_copy(arena, name), &status);
	}
}

/* Directories first. */
static int
listed_compare(const void *left, const void *right)
{
	const struct listed *a = left, *b = right;

	if (a->is_directory != b->is_directory)
		return a->is_directory ? -1 : 1;
	return span_compare(a->name, b->name);
}

/* -- writing ------------------------------------------------------------------------------------------------------ */

/* As a segment of a relative reference. "./" before it, so that "a:b" is no scheme (RFC 3986 §4.2). */
static void
reference_add(struct text *to, const struct listed *listed)
{
	text_add(to, SPAN_OF("./"));
	for (size_t i = 0; i < listed->name.len; i++) {
		char code[3];

		if (byte_is(listed->name.at[i], BYTE_UNRESERVED))
			text_add_byte(to, listed->name.at[i]);
		else
			text_add(to, span_between(code, put_percent_code(code, (unsigned char)listed->name.at[i])));
	}
	if (listed->is_directory)
		text_add_byte(to, '/');
}

/* "2026-11-20T15:54:01Z" */
static void
time_add(struct text *to, uint64_t unix_ms)
{
	char full[24];

	clock_format_rfc3339(full, unix_ms);
	text_add(to, span_make(full, 19));
	text_add_byte(to, 'Z');
}

static void
html_row(struct text *to, const struct listed *listed)
{
	text_add(to, SPAN_OF("<tr><td><a href=\""));
	reference_add(to, listed);
	text_add(to, SPAN_OF("\">"));
	text_html(to, listed->name);
	text_add(to, listed->is_directory ? SPAN_OF("/</a><td><td>") : SPAN_OF("</a><td>"));
	if (!listed->is_directory) {
		text_add_number(to, listed->size);
		text_add(to, SPAN_OF("<td>"));
	}
	time_add(to, listed->modified_ms);
	text_add_byte(to, '\n');
}

static void
listing_html(struct text *to, const struct listing *listing, struct span path)
{
	text_add(to, SPAN_OF("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>"));
	text_html(to, path);
	text_add(to, SPAN_OF("</title>\n<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em}td{padding:0 2em 0 0}"
			     "td:nth-child(2){text-align:right}</style>\n<h1>"));
	text_html(to, path);
	text_add(to, SPAN_OF("</h1>\n<table>\n"));
	if (!span_is(path, "/"))
		text_add(to, SPAN_OF("<tr><td><a href=\"../\">../</a><td><td>\n"));
	for (size_t i = 0; i < listing->count; i++)
		html_row(to, &listing->items[i]);
	text_add(to, SPAN_OF("</table>\n"));
	if (listing->is_cut)
		text_format(to, "<p>Only %d names are shown.</p>\n", NAMES_MAX);
	text_add(to, SPAN_OF("</html>\n"));
}

static void
listing_json(struct text *to, const struct listing *listing)
{
	text_add_byte(to, '[');
	for (size_t i = 0; i < listing->count; i++) {
		const struct listed *listed = &listing->items[i];

		text_json_open(to, '{');
		text_json_key(to, "name");
		text_json_span(to, listed->name);
		text_json_key(to, "type");
		text_json_text(to, listed->is_directory ? "directory" : "file");
		if (!listed->is_directory) {
			text_json_key(to, "size");
			text_json_number(to, listed->size);
		}
		text_json_key(to, "modified");
		text_add_byte(to, '"');
		time_add(to, listed->modified_ms);
		text_add_byte(to, '"');
		text_json_close(to, '}');
	}
	text_add(to, SPAN_OF("]\n"));
}

static bool
client_prefers_json(struct request *request)
{
	struct span accept = fields_joined(&request->fields, FIELD_ACCEPT, request->arena);

	return accept.len > 0 &&
	    accept_quality(accept, SPAN_OF("application/json")) > accept_quality(accept, SPAN_OF("text/html"));
}

static void
listing_answer(const struct files *files, struct request *request, const struct listing *listing)
{
	bool is_json = client_prefers_json(request);
	struct text content = { 0 };

	if (is_json)
		listing_json(&content, listing);
	else
		listing_html(&content, listing, request->path);
	fields_set(&request->response.fields, FIELD_VARY, SPAN_OF("Accept"));
	if (files->cache_control.len > 0)
		fields_set(&request->response.fields, FIELD_CACHE_CONTROL, files->cache_control);
	response_send(request, 200, is_json ? SPAN_OF("application/json") : SPAN_OF("text/html; charset=utf-8"),
	    text_span(&content));
	text_fini(&content);
}

enum files_result
files_listing_send(const struct files *files, struct request *request, const char *name)
{
	struct listing listing = { 0 };
	struct stat status;
	enum files_result result;
	DIR *directory;
	int fd;

	if (!files_root_refresh(files->root))
		return FILES_MISSING;
	result = files_open(files->root, name, O_RDONLY | O_DIRECTORY, &fd, &status);
	if (result != FILES_DIRECTORY)
		return result;
	directory = fdopendir(fd);
	if (directory == NULL) {
		fd_close(&fd);
		return FILES_FAILED;
	}
	listing_read(files, directory, name, &listing, request->arena);
	closedir(directory);
	if (listing.count > 0)
		qsort(listing.items, listing.count, sizeof(*listing.items), listed_compare);
	listing_answer(files, request, &listing);
	memory_free(listing.items);
	return FILES_FOUND;
}
