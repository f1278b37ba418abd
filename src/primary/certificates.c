/* In the trial child above, in the primary below. */
#include "primary/certificates.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "ipc/pack.h"
#include "site/site.h"

#include <string.h>
#include <unistd.h>

#define DAY_S 86400
#define TICK_NS ((int64_t)20 * 1000000)	/* files' times are no finer than the kernel's tick */

/* -- in the trial child -------------------------------------------------------------------------------------------- */

/* A file changed twice within a tick has one time for both. */
static void
tick_wait(const struct file_mark *mark)
{
	int64_t now_ns = (int64_t)clock_wall_ms() * 1000000;

	if (mark->modified_ns > now_ns - TICK_NS && mark->modified_ns <= now_ns + TICK_NS)
		usleep((useconds_t)(TICK_NS / 1000));
}

/*
 * The mark of exactly these contents: it is taken first, then the file is read again and compared. Not known when it has
 * changed meanwhile: the primary will see that it is not as it was.
 */
static struct file_mark
mark_of_contents(const char *path, struct span contents)
{
	struct file_mark mark = file_mark_of(path);
	struct text now = { 0 };

	tick_wait(&mark);
	mark = file_mark_of(path);
	if (!file_read(path, contents.len, &now, NULL) || !span_equal(text_span(&now), contents))
		mark = (struct file_mark){ 0 };
	text_fini(&now);
	return mark;
}

static void
files_pack(const struct conf *conf, struct text *packed)
{
	size_t count = 0;

	while (conf_watched(conf, count) != NULL)
		count++;
	pack_number(packed, count);
	while (count-- > 0) {
		const char *path = conf_watched(conf, count);
		struct file_mark mark = mark_of_contents(path, conf_watched_contents(conf, count));

		pack_span(packed, span_text(path));
		pack_number(packed, mark.device);
		pack_number(packed, mark.inode);
		pack_number(packed, mark.size);
		pack_number(packed, (uint64_t)mark.modified_ns);
	}
}

static void
certificate_pack(const struct listen_options *listen, const struct tls_certificate *certificate, size_t index,
    struct text *packed)
{
	const struct tls_pair_options *pairs = listen->tls.certificates.items;
	char address[128];

	pack_span(packed, span_make(address, endpoint_format(&listen->address, address)));
	pack_span(packed, index < listen->tls.certificates.count ? pairs[index].cert : (struct span){ 0 });
	pack_span(packed, certificate->subject);
	pack_span(packed, certificate->names);
	pack_span(packed, certificate->issuer);
	pack_span(packed, span_text(certificate->kind));
	pack_span(packed, certificate->fingerprint);
	pack_number(packed, (uint64_t)certificate->until_s);
}

static const struct tls_certificate *
listener_certificates(const struct site *site, size_t index, size_t *count_out)
{
	const struct tls_server *server = site_tls_server(site, index);

	*count_out = 0;
	return server == NULL ? NULL : tls_server_certificates(server, count_out);
}

void
certificates_make(const struct site *site, struct text *packed)
{
	const struct listen_options *listen = site_options(site)->listen.items;
	size_t listeners = site_options(site)->listen.count, count, total = 0;

	files_pack(site_conf(site), packed);
	for (size_t i = 0; i < listeners; i++) {
		(void)listener_certificates(site, i, &count);
		total += count;
	}
	pack_number(packed, total);
	for (size_t i = 0; i < listeners; i++) {
		const struct tls_certificate *certificates = listener_certificates(site, i, &count);

		for (size_t j = 0; j < count; j++)
			certificate_pack(&listen[i], &certificates[j], j, packed);
	}
}

/* -- in the primary ------------------------------------------------------------------------------------------------ */

/* Never more than there are bytes for. */
static size_t
count_unpack(struct unpack *unpack)
{
	uint64_t count = unpack_number(unpack);

	if (count > unpack->rest.len)
		unpack->is_broken = true;
	return unpack->is_broken ? 0 : (size_t)count;
}

static const char *
text_unpack(struct unpack *unpack, struct arena *arena)
{
	return arena_text(arena, unpack_span(unpack));
}

static void
files_unpack(struct unpack *unpack, struct certificates *certificates)
{
	size_t count = count_unpack(unpack);

	certificates->files = arena_zalloc(&certificates->arena, (count + 1) * sizeof(*certificates->files));
	certificates->file_count = count;
	for (size_t i = 0; i < count; i++) {
		struct watched_file *file = &certificates->files[i];

		file->path = text_unpack(unpack, &certificates->arena);
		file->mark.device = unpack_number(unpack);
		file->mark.inode = unpack_number(unpack);
		file->mark.size = unpack_number(unpack);
		file->mark.modified_ns = (int64_t)unpack_number(unpack);
	}
}

static void
items_unpack(struct unpack *unpack, struct certificates *certificates)
{
	struct arena *arena = &certificates->arena;
	size_t count = count_unpack(unpack);

	certificates->items = arena_zalloc(arena, (count + 1) * sizeof(*certificates->items));
	certificates->count = count;
	for (size_t i = 0; i < count; i++) {
		struct certificate *certificate = &certificates->items[i];

		certificate->listener = text_unpack(unpack, arena);
		certificate->file = text_unpack(unpack, arena);
		certificate->subject = text_unpack(unpack, arena);
		certificate->names = text_unpack(unpack, arena);
		certificate->issuer = text_unpack(unpack, arena);
		certificate->kind = text_unpack(unpack, arena);
		certificate->fingerprint = text_unpack(unpack, arena);
		certificate->until_s = (int64_t)unpack_number(unpack);
	}
}

struct certificates *
certificates_unpack(struct span packed, struct err *err)
{
	struct certificates *certificates = memory_zalloc(sizeof(*certificates));
	struct unpack unpack = unpack_begin(packed);

	arena_init(&certificates->arena, 4096);
	files_unpack(&unpack, certificates);
	items_unpack(&unpack, certificates);
	if (unpack_end(&unpack))
		return certificates;
	err_set(err, "what the trial child says of certificates is damaged");
	certificates_free(certificates);
	return NULL;
}

void
certificates_free(struct certificates *certificates)
{
	if (certificates == NULL)
		return;
	arena_fini(&certificates->arena);
	memory_free(certificates);
}

int64_t
certificate_days_left(const struct certificate *certificate, uint64_t wall_ms)
{
	int64_t left_s = certificate->until_s - (int64_t)(wall_ms / 1000);

	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}
