/* A loop of its own, in which all names of an upstream are asked at the same time. */
#include "upstream/name_check.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/resolver.h"
#include "upstream/server.h"

enum { CHECK_MS = 2000 };

struct question {
	struct round	*round;
	const char	*why;	/* NULL: resolved */
	bool		 is_asked;
};

struct round {
	struct loop	*loop;
	size_t		 open;
	struct question	*questions;	/* one a server */
};

void
name_check_init(struct name_check *check)
{
	check->left_ms = CHECK_MS;
}

static void
question_answered(void *owner, const struct address *addresses, size_t count, const char *why)
{
	struct question *question = owner;

	(void)addresses;
	question->why = count > 0 ? NULL : why;
	if (--question->round->open == 0)
		loop_stop(question->round->loop);
}

static void
round_over(void *owner)
{
	struct round *round = owner;

	loop_stop(round->loop);
}

static void
round_ask(struct round *round, struct resolver *resolver, const struct upstream_options *options)
{
	const struct server_options *servers = options->servers.items;

	for (size_t i = 0; i < options->servers.count; i++) {
		const struct uri_server *url = &servers[i].url.parsed;

		if (!server_url_is_name(&servers[i].url))
			continue;
		round->questions[i] = (struct question){ round, "no name server answered in time", true };
		round->open++;
		resolver_ask(resolver, url->host, url->port, question_answered, &round->questions[i]);
	}
}

static void
round_run(struct round *round, const struct upstream_options *options, uint64_t wait_ms)
{
	struct resolver *resolver = resolver_create(round->loop, NULL);
	struct timer timer;

	if (resolver == NULL)
		return;
	timer_init(&timer, round->loop, round_over, round);
	timer_arm(&timer, wait_ms);
	round_ask(round, resolver, options);
	if (round->open > 0)
		loop_run(round->loop);
	timer_fini(&timer);
	resolver_free(resolver);
}

static void
round_warn(const struct round *round, struct option_reader *reader, const struct conf_node *servers,
    const struct upstream_options *options)
{
	const struct conf_node *item = servers && servers->kind == CONF_LIST ? servers->first : NULL;
	const struct server_options *each = options->servers.items;

	for (size_t i = 0; i < options->servers.count; i++) {
		if (round->questions[i].is_asked && round->questions[i].why != NULL)
			option_warning(reader, item ? item : servers,
			    "%.*s does not resolve now (%s): requests get 503 until it does",
			    (int)each[i].url.parsed.host.len, each[i].url.parsed.host.at, round->questions[i].why);
		item = item ? item->next : NULL;
	}
}

void
name_check(struct name_check *check, struct option_reader *reader, const struct conf_node *servers,
    const struct upstream_options *options)
{
	struct round round = { .loop = NULL };
	uint64_t began_ms = clock_ms(), took_ms;
	bool has_names = false;

	for (size_t i = 0; i < options->servers.count; i++)
		has_names |= server_url_is_name(&((const struct server_options *)options->servers.items)[i].url);
	if (!has_names || check->left_ms == 0)
		return;
	round.loop = loop_create(NULL);
	if (round.loop == NULL)
		return;
	round.questions = memory_zalloc(options->servers.count * sizeof(*round.questions));
	round_run(&round, options, check->left_ms);
	loop_free(round.loop);
	round_warn(&round, reader, servers, options);
	memory_free(round.questions);
	took_ms = clock_ms() - began_ms;
	check->left_ms = took_ms < check->left_ms ? check->left_ms - took_ms : 0;
}
