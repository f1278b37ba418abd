/*
 * How many connections each client address has to this worker: a hash table with linear probing, seeded so that nobody
 * can choose addresses that collide. IPv6 counts by /64, since one client owns as many addresses there as it likes.
 */
#include "downstream/conn.h"

#include "base/hash.h"
#include "base/memory.h"

struct row {
	uint8_t		key[17];	/* family and address */
	uint32_t	count;		/* 0: free */
};

struct per_client {
	struct row	*rows;
	size_t		 room;	/* a power of two */
	size_t		 used;
	uint64_t	 seed;
};

struct per_client *
per_client_create(void)
{
	struct per_client *table = memory_zalloc(sizeof(*table));

	table->room = 256;
	table->rows = memory_zalloc(table->room * sizeof(struct row));
	random_bytes(&table->seed, sizeof(table->seed));
	return table;
}

void
per_client_free(struct per_client *table)
{
	if (table == NULL)
		return;
	memory_free(table->rows);
	memory_free(table);
}

static void
key_make(uint8_t key[17], const struct address *address)
{
	memset(key, 0, 17);
	key[0] = (uint8_t)address->any.sa_family;
	if (address->any.sa_family == AF_INET)
		memcpy(key + 1, &address->in4.sin_addr, 4);
	else if (address->any.sa_family == AF_INET6)
		memcpy(key + 1, &address->in6.sin6_addr, 8);
}

static size_t
home_of(const struct per_client *table, const uint8_t key[17])
{
	return hash_span(table->seed, span_make((const char *)key, 17)) & (table->room - 1);
}

static struct row *
row_find(struct per_client *table, const uint8_t key[17])
{
	size_t at = home_of(table, key);

	while (table->rows[at].count > 0 && memcmp(table->rows[at].key, key, 17) != 0)
		at = (at + 1) & (table->room - 1);
	return &table->rows[at];
}

static void
table_grow(struct per_client *table)
{
	struct row *old = table->rows;
	size_t old_room = table->room;

	table->room *= 2;
	table->rows = memory_zalloc(table->room * sizeof(struct row));
	for (size_t i = 0; i < old_room; i++)
		if (old[i].count > 0)
			*row_find(table, old[i].key) = old[i];
	memory_free(old);
}

unsigned
per_client_add(struct per_client *table, const struct address *address)
{
	uint8_t key[17];
	struct row *row;

	if (table->used * 2 >= table->room)
		table_grow(table);
	key_make(key, address);
	row = row_find(table, key);
	if (row->count == 0) {
		memcpy(row->key, key, 17);
		table->used++;
	}
	return ++row->count;
}

/* Closes the gap that a freed row leaves, so that probing never stops early. */
static void
gap_close(struct per_client *table, size_t gap)
{
	size_t mask = table->room - 1;

	for (size_t at = (gap + 1) & mask; table->rows[at].count > 0; at = (at + 1) & mask) {
		size_t home = home_of(table, table->rows[at].key);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		table->rows[gap] = table->rows[at];
		table->rows[at].count = 0;
		gap = at;
	}
}

void
per_client_remove(struct per_client *table, const struct address *address)
{
	uint8_t key[17];
	struct row *row;

	key_make(key, address);
	row = row_find(table, key);
	if (row->count == 0 || --row->count > 0)
		return;
	table->used--;
	gap_close(table, (size_t)(row - table->rows));
}
