/*
 * A route's keys are known by the lists alone; what is no key is told with the nearest that is.
 */
#include "site/keys.h"

#include "handler/handlers.h"
#include "policy/policies.h"

enum { KEYS_MAX = 64 };

struct keys {
	const char	*names[KEYS_MAX];
	size_t		 count;
};

static void
keys_add(struct keys *keys, const char *name)
{
	if (keys->count < KEYS_MAX)
		keys->names[keys->count++] = name;
}

static bool
is_among(struct span key, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (span_is(key, names[i]))
			return true;
	return false;
}

static void
keys_gather(struct keys *keys, bool whole)
{
	for (size_t i = 0; policies[i]; i++)
		keys_add(keys, policies[i]->key);
	if (!whole)
		return;
	keys_add(keys, "match");
	for (size_t i = 0; handlers[i]; i++)
		keys_add(keys, handlers[i]->key);
}

static bool
key_check(struct option_reader *reader, const struct conf_node *child, const struct keys *keys, bool whole)
{
	for (size_t i = 0; i < keys->count; i++)
		if (span_is(child->key, keys->names[i]))
			return true;
	if (is_among(child->key, policies_later) || (whole && is_among(child->key, handlers_later))) {
		option_enter(reader, child->key.at);
		option_problem(reader, child, "not supported in this version");
		option_leave(reader);
		return false;
	}
	return option_problem_unknown(reader, child, keys->names, keys->count);
}

bool
route_keys_check(struct option_reader *reader, const struct conf_node *node, bool whole)
{
	struct keys keys = { .count = 0 };
	bool ok = true;

	keys_gather(&keys, whole);
	for (const struct conf_node *child = node->first; child; child = child->next)
		ok = key_check(reader, child, &keys, whole) && ok;
	return ok;
}

const char *
route_keys_handlers(void)
{
	static char list[256];
	size_t len = 0;

	if (list[0] != '\0')
		return list;
	for (size_t i = 0; handlers[i]; i++) {
		struct span key = span_text(handlers[i]->key);

		if (len + key.len + 3 > sizeof(list))
			break;
		if (i > 0) {
			memcpy(list + len, ", ", 2);
			len += 2;
		}
		memcpy(list + len, key.at, key.len);
		len += key.len;
	}
	return list;
}
