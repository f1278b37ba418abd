/*
 * certificates: what the primary knows of the certificates of an edition, although it reads none: the files that they and
 * their like (keys, CAs) come from, as these were when they were read, and for people what stands in them.
 *
 * The trial child makes it of a site, as a part of the bundle.
 */
#ifndef REEVE_PRIMARY_CERTIFICATES_H
#define REEVE_PRIMARY_CERTIFICATES_H

#include "base/arena.h"
#include "base/err.h"
#include "primary/file_watch.h"

struct site;

/* One that a listener shows; nothing is NULL. */
struct certificate {
	const char	*listener;
	const char	*file;
	const char	*subject;
	const char	*names;		/* "a.example, b.example" */
	const char	*issuer;
	const char	*kind;
	const char	*fingerprint;
	int64_t		 until_s;	/* Unix time */
};

struct certificates {
	struct arena		 arena;	/* holds what is pointed to */
	struct watched_file	*files;	/* all that the configuration watches, those of upstreams too */
	size_t			 file_count;
	struct certificate	*items;	/* by listener, then in the configuration's order */
	size_t			 count;
};

/* What a site has, packed. Looks at the disk, and waits a moment when a file there was written just now. */
void			 certificates_make(const struct site *site, struct text *packed);

struct certificates	*certificates_unpack(struct span packed, struct err *err);
void			 certificates_free(struct certificates *certificates);	/* NULL is fine */

/* Whole days; 0 on the last one, negative when it has ended. */
int64_t			 certificate_days_left(const struct certificate *certificate, uint64_t wall_ms);

#endif
