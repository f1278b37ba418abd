/*
 * One page that all processes share, written by the primary alone. Its sequence number is odd while it writes; should
 * it die just then, readers find no key after a few looks, and their clients make full handshakes.
 */
#include "store/ticket_ring.h"

#include "store/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { NEXT, CURRENT, PREVIOUS, KEYS };
enum { READ_TRIES = 1024 };	/* a write takes less than a microsecond */

struct ticket_ring {
	uint64_t		sequence __attribute__((aligned(64)));
	struct tls_ticket_key	keys[KEYS];
};

/* -- the primary's ------------------------------------------------------------------------------------------------- */

static bool
random_fill(void *to, size_t len, struct err *err)
{
	unsigned char *at = to;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno != EINTR)
			return err_set_errno(err, "cannot get random bytes for the keys of TLS session tickets");
		if (got < 0)
			continue;
		at += got;
		len -= (size_t)got;
	}
	return true;
}

/* Neither in a core dump nor, where the limits allow it, in the swap space. */
static bool
memory_hide(struct ticket_ring *ring, struct err *err)
{
	(void)mlock(ring, sizeof(*ring));
	if (madvise(ring, sizeof(*ring), MADV_DONTDUMP) == 0)
		return true;
	return err_set_errno(err, "cannot keep the keys of TLS session tickets out of core dumps");
}

struct ticket_ring *
ticket_ring_create(struct err *err)
{
	struct ticket_ring *ring = shared_create(sizeof(*ring), err);

	if (ring == NULL)
		return NULL;
	if (memory_hide(ring, err) && random_fill(ring->keys, sizeof(ring->keys), err))
		return ring;
	ticket_ring_free(ring);
	return NULL;
}

/* Other processes go on with theirs: not wiped. */
void
ticket_ring_free(struct ticket_ring *ring)
{
	shared_free(ring, sizeof(*ring));
}

bool
ticket_ring_rotate(struct ticket_ring *ring, struct err *err)
{
	uint64_t sequence = __atomic_load_n(&ring->sequence, __ATOMIC_RELAXED) | 1;
	struct tls_ticket_key fresh;

	if (!random_fill(&fresh, sizeof(fresh), err))
		return false;
	__atomic_store_n(&ring->sequence, sequence, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ring->keys[PREVIOUS] = ring->keys[CURRENT];
	ring->keys[CURRENT] = ring->keys[NEXT];
	ring->keys[NEXT] = fresh;
	__atomic_store_n(&ring->sequence, sequence + 1, __ATOMIC_RELEASE);
	explicit_bzero(&fresh, sizeof(fresh));
	return true;
}

/* -- the worker's -------------------------------------------------------------------------------------------------- */

/* A copy that is whole; the caller wipes it. False: a writer never let go. */
static bool
ring_read(const struct ticket_ring *ring, struct tls_ticket_key keys_out[KEYS])
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t before = __atomic_load_n(&ring->sequence, __ATOMIC_ACQUIRE);

		if (before & 1)
			continue;
		memcpy(keys_out, ring->keys, sizeof(ring->keys));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&ring->sequence, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

static bool
ring_newest(const void *owner, struct tls_ticket_key *key_out)
{
	struct tls_ticket_key keys[KEYS];
	bool is_read = ring_read(owner, keys);

	if (is_read)
		*key_out = keys[CURRENT];
	explicit_bzero(keys, sizeof(keys));
	return is_read;
}

/* The name is public, so that comparing it may take as long as it takes. */
static enum tls_ticket_age
ring_find(const void *owner, const unsigned char name[16], struct tls_ticket_key *key_out)
{
	enum tls_ticket_age age = TLS_TICKET_UNKNOWN;
	struct tls_ticket_key keys[KEYS];

	if (ring_read(owner, keys)) {
		for (int i = 0; i < KEYS && age == TLS_TICKET_UNKNOWN; i++) {
			if (memcmp(keys[i].name, name, sizeof(keys[i].name)) != 0)
				continue;
			*key_out = keys[i];
			age = i == PREVIOUS ? TLS_TICKET_OLD : TLS_TICKET_CURRENT;
		}
	}
	explicit_bzero(keys, sizeof(keys));
	return age;
}

struct tls_ticket_keys
ticket_ring_keys(const struct ticket_ring *ring)
{
	return (struct tls_ticket_keys){ .newest = ring_newest, .find = ring_find, .owner = ring };
}
