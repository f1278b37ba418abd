/* Open addressing in a table that is at most half full and never changes once it is filled. */
#include "net/tls_names.h"

#include "base/hash.h"

#include <openssl/evp.h>

#include <assert.h>

enum tls_key_kind
tls_key_kind(const struct tls_certificate *certificate)
{
	switch (EVP_PKEY_get_base_id(certificate->key)) {
	case EVP_PKEY_RSA:
		return TLS_KEY_RSA;
	case EVP_PKEY_RSA_PSS:
		return TLS_KEY_RSA_PSS;
	case EVP_PKEY_ED25519:
		return TLS_KEY_ED25519;
	case EVP_PKEY_ED448:
		return TLS_KEY_ED448;
	default:
		return TLS_KEY_EC;
	}
}

bool
tls_set_equal(const struct tls_set *a, const struct tls_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct tls_name *
row_of(const struct tls_names *names, struct span name, uint64_t hash)
{
	size_t at = hash & (names->room - 1);

	while (names->rows[at].name.len > 0 &&
	    (names->rows[at].hash != hash || !span_equal(names->rows[at].name, name)))
		at = (at + 1) & (names->room - 1);
	return &names->rows[at];
}

/* -- filling ------------------------------------------------------------------------------------------------------- */

static size_t
count_names(const struct tls_certificate *certificates, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		struct span rest = certificates[i].names, name;

		while (span_cut(&rest, ',', &name))
			total++;
	}
	return total;
}

static void
table_make(struct tls_names *names, size_t total, struct arena *arena)
{
	names->room = 2;
	while (names->room < total * 2)
		names->room *= 2;
	names->rows = arena_zalloc(arena, names->room * sizeof(*names->rows));
	random_bytes(&names->seed, sizeof(names->seed));
}

/* Returns which certificate has the name already, plus one. */
static uint32_t
name_add(struct tls_names *names, struct span name, enum tls_key_kind kind, uint32_t index)
{
	uint64_t hash = hash_span(names->seed, name);
	struct tls_name *row = row_of(names, name, hash);
	uint32_t *member = &row->set.of_kind[kind];

	row->name = name;
	row->hash = hash;
	if (*member == 0)
		*member = index + 1;
	return *member == index + 1 ? 0 : *member;
}

void
tls_names_fill(struct tls_names *names, const struct tls_certificate *certificates, size_t count, struct arena *arena,
    tls_name_shared *shared, void *owner)
{
	*names = (struct tls_names){ 0 };
	table_make(names, count_names(certificates, count), arena);
	for (uint32_t i = 0; i < count; i++) {
		enum tls_key_kind kind = tls_key_kind(&certificates[i]);
		struct span rest = certificates[i].names, name;

		while (span_cut(&rest, ',', &name)) {
			uint32_t first;

			name = arena_lower_case(arena, span_trim(name));
			if (name.len == 0)
				continue;
			first = name_add(names, name, kind, i);
			if (first > 0 && shared)
				shared(owner, first - 1, i, name);
		}
	}
}

/* -- finding ------------------------------------------------------------------------------------------------------- */

static const struct tls_name *
look(const struct tls_names *names, struct span name)
{
	const struct tls_name *row = row_of(names, name, hash_span(names->seed, name));

	return row->name.len > 0 ? row : NULL;
}

/* The wildcard is written into the host's own bytes: "www.example.com" becomes "ww*.example.com", from its star on. */
const struct tls_name *
tls_names_find(const struct tls_names *names, struct span host)
{
	char lower[TLS_NAME_MAX];
	const struct tls_name *row;
	size_t dot;

	assert(names->room > 0);
	if (host.len == 0 || host.len > sizeof(lower))
		return NULL;
	for (size_t i = 0; i < host.len; i++)
		lower[i] = byte_lower(host.at[i]);
	row = look(names, span_make(lower, host.len));
	dot = span_find(host, '.');
	if (row || dot == 0 || dot == host.len)
		return row;
	lower[dot - 1] = '*';
	return look(names, span_between(lower + dot - 1, lower + host.len));
}
