/*
 * SipHash-1-3 (Aumasson and Bernstein: one round a word, three at the end) keyed by the seed, and xoshiro256**
 * (Blackman and Vigna) for numbers that need only be spread well.
 */
#include "base/hash.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

struct sip {
	uint64_t	a, b, c, d;
};

static uint64_t
rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void
sip_round(struct sip *sip)
{
	sip->a += sip->b;
	sip->b = rotate(sip->b, 13) ^ sip->a;
	sip->a = rotate(sip->a, 32);
	sip->c += sip->d;
	sip->d = rotate(sip->d, 16) ^ sip->c;
	sip->a += sip->d;
	sip->d = rotate(sip->d, 21) ^ sip->a;
	sip->c += sip->b;
	sip->b = rotate(sip->b, 17) ^ sip->c;
	sip->c = rotate(sip->c, 32);
}

static inline void
sip_word(struct sip *sip, uint64_t word)
{
	sip->d ^= word;
	sip_round(sip);
	sip->a ^= word;
}

static inline uint64_t
word_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

/* The seed is both halves of the key; the start values are the algorithm's ("somepseudorandomlygeneratedbytes"). */
uint64_t
hash_span(uint64_t seed, struct span bytes)
{
	struct sip sip = {
		seed ^ UINT64_C(0x736f6d6570736575),
		seed ^ UINT64_C(0x646f72616e646f6d),
		seed ^ UINT64_C(0x6c7967656e657261),
		seed ^ UINT64_C(0x7465646279746573),
	};
	uint64_t last = (uint64_t)bytes.len << 56;
	size_t whole = bytes.len & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&sip, word_at(bytes.at + i));
	for (size_t i = whole; i < bytes.len; i++)
		last |= (uint64_t)(unsigned char)bytes.at[i] << (8 * (i - whole));
	sip_word(&sip, last);
	sip.c ^= 0xff;
	sip_round(&sip);
	sip_round(&sip);
	sip_round(&sip);
	return sip.a ^ sip.b ^ sip.c ^ sip.d;
}

/* Not symmetric: the order of the two counts. */
uint64_t
hash_mix(uint64_t a, uint64_t b)
{
	uint64_t mixed = rotate(a, 23) ^ (b + UINT64_C(0x9e3779b97f4a7c15));

	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return mixed ^ mixed >> 32;
}

void
random_bytes(void *to, size_t count)
{
	char *at = to;

	while (count > 0) {
		ssize_t got = getrandom(at, count, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();	/* no kernel that we run on lacks it, and guessable ids are worse than none */
		at += got;
		count -= (size_t)got;
	}
}

/* Per process: a forked child must not repeat its parent's numbers, so it starts with is_seeded false. */
static struct {
	uint64_t	words[4];
	bool		is_seeded;
	bool		hears_forks;
} generator;

static void
generator_forget(void)
{
	generator.is_seeded = false;
}

static void
generator_seed(void)
{
	if (!generator.hears_forks)
		generator.hears_forks = pthread_atfork(NULL, NULL, generator_forget) == 0;
	random_bytes(generator.words, sizeof(generator.words));
	generator.words[0] |= 1;	/* all zero would stay so for ever */
	generator.is_seeded = true;
}

uint64_t
random_number(void)
{
	uint64_t *words = generator.words;
	uint64_t result, moved;

	if (!generator.is_seeded)
		generator_seed();
	result = rotate(words[1] * 5, 7) * 9;
	moved = words[1] << 17;
	words[2] ^= words[0];
	words[3] ^= words[1];
	words[1] ^= words[2];
	words[0] ^= words[3];
	words[2] ^= moved;
	words[3] = rotate(words[3], 45);
	return result;
}

/* The high half of the 128-bit product; its bias is bound / 2^64. */
uint64_t
random_below(uint64_t bound)
{
	assert(bound > 0);
	return (uint64_t)((unsigned __int128)random_number() * bound >> 64);
}
