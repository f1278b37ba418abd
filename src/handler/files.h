/*
 * files: what the files of the `files` handler share; nobody else includes it.
 *
 *	files.c          options; from a request to a name beneath the root, to a file, a directory or an error
 *	files_open.c     beneath the root and nowhere else
 *	files_cache.c    kept open between requests
 *	files_send.c     the answer: preconditions, ranges, content
 *	files_parts.c    several ranges in one answer
 *	files_listing.c  a directory as a page
 */
#ifndef REEVE_HANDLER_FILES_H
#define REEVE_HANDLER_FILES_H

#include "handler/files_cache.h"
#include "http/media.h"
#include "route/stage.h"

enum { FILES_CODINGS_MAX = 3 };

/* A content coding that stands beside the file under another name. */
struct files_coding {
	struct span	name;		/* "br" */
	struct span	extension;	/* ".br" */
};

struct files_codings {
	const struct files_coding	*items[FILES_CODINGS_MAX];	/* static; the first is preferred */
	size_t				 count;
};

struct files {
	struct span		root_path;
	struct span		strip_prefix;
	struct conf_texts	index;
	struct span		fallback;
	struct files_codings	precompressed;
	struct span		cache_control;
	bool			listing;
	bool			hidden;
	bool			follow_symlinks;

	/* Built. */
	struct files_root		*root;	/* arena; it changes when the path leads elsewhere */
	const struct media_types	*types;
	/* of this handler in the process, from 1: file_entry.type_owner */
	uint64_t			 number;
};

/* What of a file is sent. */
struct files_choice {
	struct file_entry		*entry;		/* ref */
	const struct files_coding	*coding;	/* NULL: the file as it is */
	struct span			 type;
};

/* Answers with the file; takes the reference. */
void			files_send(const struct files *files, struct request *request,
    const struct files_choice *choice);

/* Answers with a listing of the directory, or says why not and leaves the request alone. name: NUL-terminated. */
enum files_result	files_listing_send(const struct files *files, struct request *request, const char *name);

/* Whether a part of the name starts with a dot; "/.well-known" (RFC 8615) at the root does not count. */
bool			files_name_is_hidden(struct span name);

#endif
