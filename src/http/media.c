/*
 * One table by extension, lower-cased, open addressing, filled once: the built-in rows first, the system's lines over
 * them.
 */
#include "http/media.h"

#include "base/count.h"
#include "base/hash.h"
#include "http/byte_class.h"

#include <assert.h>

enum { EXTENSION_MAX = 32 };

static const struct builtin {
	struct span	extension;
	struct span	type;
} builtins[] = {
	{ SPAN("html"),		SPAN("text/html") },
	{ SPAN("htm"),		SPAN("text/html") },
	{ SPAN("css"),		SPAN("text/css") },
	{ SPAN("js"),		SPAN("text/javascript") },
	{ SPAN("mjs"),		SPAN("text/javascript") },
	{ SPAN("txt"),		SPAN("text/plain") },
	{ SPAN("log"),		SPAN("text/plain") },
	{ SPAN("md"),		SPAN("text/markdown") },
	{ SPAN("csv"),		SPAN("text/csv") },
	{ SPAN("tsv"),		SPAN("text/tab-separated-values") },
	{ SPAN("ics"),		SPAN("text/calendar") },
	{ SPAN("vcf"),		SPAN("text/vcard") },
	{ SPAN("vtt"),		SPAN("text/vtt") },
	{ SPAN("json"),		SPAN("application/json") },
	{ SPAN("map"),		SPAN("application/json") },
	{ SPAN("jsonld"),	SPAN("application/ld+json") },
	{ SPAN("geojson"),	SPAN("application/geo+json") },
	{ SPAN("ndjson"),	SPAN("application/x-ndjson") },
	{ SPAN("webmanifest"),	SPAN("application/manifest+json") },
	{ SPAN("xml"),		SPAN("application/xml") },
	{ SPAN("xsl"),		SPAN("application/xml") },
	{ SPAN("xhtml"),	SPAN("application/xhtml+xml") },
	{ SPAN("atom"),		SPAN("application/atom+xml") },
	{ SPAN("rss"),		SPAN("application/rss+xml") },
	{ SPAN("yaml"),		SPAN("application/yaml") },
	{ SPAN("yml"),		SPAN("application/yaml") },
	{ SPAN("toml"),		SPAN("application/toml") },
	{ SPAN("sql"),		SPAN("application/sql") },
	{ SPAN("wasm"),		SPAN("application/wasm") },
	{ SPAN("pdf"),		SPAN("application/pdf") },
	{ SPAN("rtf"),		SPAN("application/rtf") },
	{ SPAN("ps"),		SPAN("application/postscript") },
	{ SPAN("epub"),		SPAN("application/epub+zip") },
	{ SPAN("doc"),		SPAN("application/msword") },
	{ SPAN("docx"),		SPAN("application/vnd.openxmlformats-officedocument.wordprocessingml.document") },
	{ SPAN("xls"),		SPAN("application/vnd.ms-excel") },
	{ SPAN("xlsx"),		SPAN("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") },
	{ SPAN("ppt"),		SPAN("application/vnd.ms-powerpoint") },
	{ SPAN("pptx"),		SPAN("application/vnd.openxmlformats-officedocument.presentationml.presentation") },
	{ SPAN("odt"),		SPAN("application/vnd.oasis.opendocument.text") },
	{ SPAN("ods"),		SPAN("application/vnd.oasis.opendocument.spreadsheet") },
	{ SPAN("odp"),		SPAN("application/vnd.oasis.opendocument.presentation") },
	{ SPAN("zip"),		SPAN("application/zip") },
	{ SPAN("gz"),		SPAN("application/gzip") },
	{ SPAN("tgz"),		SPAN("application/gzip") },
	{ SPAN("bz2"),		SPAN("application/x-bzip2") },
	{ SPAN("xz"),		SPAN("application/x-xz") },
	{ SPAN("zst"),		SPAN("application/zstd") },
	{ SPAN("7z"),		SPAN("application/x-7z-compressed") },
	{ SPAN("rar"),		SPAN("application/vnd.rar") },
	{ SPAN("tar"),		SPAN("application/x-tar") },
	{ SPAN("jar"),		SPAN("application/java-archive") },
	{ SPAN("deb"),		SPAN("application/vnd.debian.binary-package") },
	{ SPAN("apk"),		SPAN("application/vnd.android.package-archive") },
	{ SPAN("svg"),		SPAN("image/svg+xml") },
	{ SPAN("svgz"),		SPAN("image/svg+xml") },
	{ SPAN("png"),		SPAN("image/png") },
	{ SPAN("apng"),		SPAN("image/apng") },
	{ SPAN("jpg"),		SPAN("image/jpeg") },
	{ SPAN("jpeg"),		SPAN("image/jpeg") },
	{ SPAN("gif"),		SPAN("image/gif") },
	{ SPAN("webp"),		SPAN("image/webp") },
	{ SPAN("avif"),		SPAN("image/avif") },
	{ SPAN("jxl"),		SPAN("image/jxl") },
	{ SPAN("heic"),		SPAN("image/heic") },
	{ SPAN("ico"),		SPAN("image/vnd.microsoft.icon") },
	{ SPAN("bmp"),		SPAN("image/bmp") },
	{ SPAN("tif"),		SPAN("image/tiff") },
	{ SPAN("tiff"),		SPAN("image/tiff") },
	{ SPAN("woff"),		SPAN("font/woff") },
	{ SPAN("woff2"),	SPAN("font/woff2") },
	{ SPAN("ttf"),		SPAN("font/ttf") },
	{ SPAN("otf"),		SPAN("font/otf") },
	{ SPAN("eot"),		SPAN("application/vnd.ms-fontobject") },
	{ SPAN("mp3"),		SPAN("audio/mpeg") },
	{ SPAN("m4a"),		SPAN("audio/mp4") },
	{ SPAN("aac"),		SPAN("audio/aac") },
	{ SPAN("ogg"),		SPAN("audio/ogg") },
	{ SPAN("oga"),		SPAN("audio/ogg") },
	{ SPAN("opus"),		SPAN("audio/ogg") },
	{ SPAN("flac"),		SPAN("audio/flac") },
	{ SPAN("wav"),		SPAN("audio/wav") },
	{ SPAN("weba"),		SPAN("audio/webm") },
	{ SPAN("mp4"),		SPAN("video/mp4") },
	{ SPAN("m4v"),		SPAN("video/mp4") },
	{ SPAN("webm"),		SPAN("video/webm") },
	{ SPAN("ogv"),		SPAN("video/ogg") },
	{ SPAN("mov"),		SPAN("video/quicktime") },
	{ SPAN("mkv"),		SPAN("video/x-matroska") },
	{ SPAN("avi"),		SPAN("video/x-msvideo") },
	{ SPAN("m3u8"),		SPAN("application/vnd.apple.mpegurl") },
};

enum { BUILTINS = COUNT(builtins) };

struct entry {
	struct span	extension;	/* lower case; empty: no entry. arena or constant */
	struct span	value;		/* arena or constant */
};

struct media_types {
	struct entry	*entries;	/* arena; a power of two */
	size_t		 mask;
	struct arena	*arena;
};

static struct entry *
entry_of(const struct media_types *types, struct span extension)
{
	size_t cell = hash_span(0, extension) & types->mask;

	while (types->entries[cell].extension.len > 0 && !span_equal(types->entries[cell].extension, extension))
		cell = (cell + 1) & types->mask;
	return &types->entries[cell];
}

static struct span
value_of(struct media_types *types, struct span type)
{
	if (span_starts_with(type, SPAN_OF("text/")))
		return arena_join(types->arena, type, SPAN_OF("; charset=utf-8"));
	return type;
}

/* Lower-cased into `to`; false when no entry can be that long. */
static bool
extension_fold(struct span extension, char to[EXTENSION_MAX], struct span *folded_out)
{
	if (extension.len == 0 || extension.len > EXTENSION_MAX)
		return false;
	for (size_t i = 0; i < extension.len; i++)
		to[i] = byte_lower(extension.at[i]);
	*folded_out = span_make(to, extension.len);
	return true;
}

/* `value` is written out already and outlives the table. */
static void
types_set(struct media_types *types, struct span extension, struct span value)
{
	char folded[EXTENSION_MAX];
	struct entry *entry;

	if (!extension_fold(extension, folded, &extension))
		return;
	entry = entry_of(types, extension);
	if (entry->extension.len == 0)
		entry->extension = arena_copy(types->arena, extension);
	entry->value = value;
}

static bool
word_take(struct span *rest_io, struct span *word_out)
{
	*rest_io = span_trim(*rest_io);
	*word_out = span_first(*rest_io, bytes_while(*rest_io, BYTE_TARGET));
	*rest_io = span_skip(*rest_io, word_out->len);
	return word_out->len > 0;
}

static bool
type_is_valid(struct span type)
{
	size_t slash = span_find(type, '/');

	return bytes_while(type, BYTE_TOKEN) == slash && slash > 0 && slash + 1 < type.len &&
	    bytes_while(span_skip(type, slash + 1), BYTE_TOKEN) == type.len - slash - 1;
}

/* "text/css	css" sets each extension of the line; a comment, a malformed or an empty line sets none. */
static void
line_read(struct media_types *types, struct span line)
{
	struct span type, extension, value;

	line = span_first(line, span_find(line, '#'));
	if (!word_take(&line, &type) || !type_is_valid(type) || !word_take(&line, &extension))
		return;
	value = value_of(types, arena_copy(types->arena, type));
	do
		types_set(types, extension, value);
	while (word_take(&line, &extension));
}

/* How many extensions there are at most: every word that is not the first of its line, and then some. */
static size_t
words_count(struct span text)
{
	size_t count = 0;

	for (size_t i = 1; i < text.len; i++)
		count += byte_is(text.at[i], BYTE_TARGET) && !byte_is(text.at[i - 1], BYTE_TARGET);
	return count;
}

struct media_types *
media_types_create(struct arena *arena, struct span mime_types)
{
	struct media_types *types = arena_zalloc(arena, sizeof(*types));
	size_t size = 256, wanted = 2 * (BUILTINS + words_count(mime_types));
	struct span line;

	while (size < wanted)
		size *= 2;
	types->arena = arena;
	types->mask = size - 1;
	types->entries = arena_zalloc(arena, size * sizeof(*types->entries));
	for (size_t i = 0; i < BUILTINS; i++)
		types_set(types, builtins[i].extension, value_of(types, builtins[i].type));
	while (span_cut(&mime_types, '\n', &line))
		line_read(types, line);
	return types;
}

struct span
media_type_of(const struct media_types *types, struct span file_name)
{
	const struct span unknown = SPAN("application/octet-stream");
	struct span base = file_name, extension;
	size_t slash = span_find_last(file_name, '/'), dot;
	char folded[EXTENSION_MAX];
	const struct entry *entry;

	if (slash < file_name.len)
		base = span_skip(file_name, slash + 1);
	dot = span_find_last(base, '.');
	if (dot == base.len || !extension_fold(span_skip(base, dot + 1), folded, &extension))
		return unknown;
	entry = entry_of(types, extension);
	return entry->extension.len > 0 ? entry->value : unknown;
}
