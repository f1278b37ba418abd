/* One function writes the fields, one reads them, in the same order. */
#include "primary/orders.h"

#include "base/memory.h"
#include "ipc/pack.h"
#include "site/site.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_FILE_MODE 0640

static_assert((int)LOG_FORM_JSON == (int)LOG_FORMAT_JSON && (int)LOG_FORM_PRETTY == (int)LOG_FORMAT_PRETTY &&
    (int)LOG_FORM_AUTO == (int)LOG_FORMAT_AUTO, "the logger's forms are the configuration's formats");

/* -- in the trial child -------------------------------------------------------------------------------------------- */

static bool
problem_at(const struct site *site, struct conf_problems *problems, const char *key, const char *format,
    const char *value)
{
	const struct conf_node *node = conf_get(conf_root(site_conf(site)), key);
	struct conf_place place = node != NULL ? node->place : (struct conf_place){ 0 };

	conf_problems_add(problems, false, place, key, format, value);
	return false;
}

static bool
user_find(const struct site *site, struct conf_problems *problems, struct identity *identity)
{
	const char *name = site_options(site)->user.at;
	const struct passwd *user = getpwnam(name);
	int count = IDENTITY_GROUPS_MAX;

	if (user == NULL)
		return problem_at(site, problems, "user", "there is no user \"%s\" on this machine", name);
	identity->uid = user->pw_uid;
	identity->gid = user->pw_gid;
	if (getgrouplist(name, user->pw_gid, identity->groups, &count) < 0)
		count = IDENTITY_GROUPS_MAX;	/* the first of them */
	identity->group_count = (size_t)count;
	return true;
}

static bool
group_find(const struct site *site, struct conf_problems *problems, struct identity *identity)
{
	const char *name = site_options(site)->group.at;
	const struct group *group = getgrnam(name);

	if (group == NULL)
		return problem_at(site, problems, "group", "there is no group \"%s\" on this machine", name);
	identity->gid = group->gr_gid;
	return true;
}

/* Names are checked even when only root could become somebody else. */
static bool
identity_pack(const struct site *site, struct conf_problems *problems, struct text *packed)
{
	const struct site_options *options = site_options(site);
	struct identity identity = { .uid = geteuid(), .gid = getegid() };
	bool has_any = options->user.len > 0 || options->group.len > 0;

	if (options->user.len > 0 && !user_find(site, problems, &identity))
		return false;
	if (options->group.len > 0 && !group_find(site, problems, &identity))
		return false;
	pack_flag(packed, has_any && geteuid() == 0);
	pack_number(packed, identity.uid);
	pack_number(packed, identity.gid);
	pack_number(packed, identity.group_count);
	for (size_t i = 0; i < identity.group_count; i++)
		pack_number(packed, identity.groups[i]);
	return true;
}

bool
orders_check(const struct site *site, struct conf_problems *problems)
{
	struct text packed = { 0 };
	bool is_good = identity_pack(site, problems, &packed);

	text_fini(&packed);
	return is_good;
}

/* The logger could only complain where nobody reads it. */
static bool
log_check(const struct site *site, struct conf_problems *problems)
{
	const char *output = site_options(site)->log.output.at;
	const struct conf_node *log = conf_get(conf_root(site_conf(site)), "log");
	const struct conf_node *node = log == NULL ? NULL : conf_get(log, "output");
	struct conf_place place = node != NULL ? node->place : (struct conf_place){ 0 };
	int fd;

	if (output[0] != '/')
		return true;
	fd = open(output, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_FILE_MODE);
	if (fd >= 0 || errno == ENXIO) {	/* a FIFO that nobody reads yet */
		if (fd >= 0)
			close(fd);
		return true;
	}
	conf_problems_add(problems, false, place, "log.output", "cannot open %s: %s", output, strerror(errno));
	return false;
}

static void
protocols_pack(const struct listen_options *listen, struct text *packed)
{
	struct text protocols = { 0 };

	for (size_t i = 0; i < listen->protocols.count; i++) {
		if (i > 0)
			text_add_byte(&protocols, ' ');
		text_add(&protocols, listen->protocols.items[i]);
	}
	pack_span(packed, text_span(&protocols));
	text_fini(&protocols);
}

static void
listeners_pack(const struct site_options *options, struct text *packed)
{
	const struct listen_options *listen = options->listen.items;
	char text[128];

	pack_number(packed, options->listen.count);
	for (size_t i = 0; i < options->listen.count; i++) {
		pack_span(packed, span_make(text, endpoint_format(&listen[i].address, text)));
		pack_number(packed, listen[i].backlog);
		pack_flag(packed, listen[i].reuse_port);
		pack_flag(packed, listen[i].has_tls);
		protocols_pack(&listen[i], packed);
	}
}

bool
orders_make(const struct site *site, struct conf_problems *problems, struct text *packed)
{
	const struct site_options *options = site_options(site);
	bool is_good = identity_pack(site, problems, packed);

	if (!log_check(site, problems) || !is_good)
		return false;
	pack_number(packed, options->workers == WORKERS_AUTO ? workers_auto() : options->workers);
	listeners_pack(options, packed);
	pack_span(packed, options->control);
	pack_span(packed, options->pid_file);
	pack_span(packed, options->state_dir);
	pack_number(packed, options->log.level);
	pack_number(packed, (uint64_t)options->log.format);
	pack_span(packed, options->log.output);
	pack_number(packed, options->shutdown.delay);
	pack_number(packed, options->shutdown.grace);
	pack_number(packed, options->shutdown.idle);
	pack_number(packed, options->watchdog.timeout);
	return true;
}

/* -- in the primary ------------------------------------------------------------------------------------------------ */

static void
identity_unpack(struct unpack *unpack, struct orders *orders)
{
	struct identity *identity = &orders->identity;

	orders->has_identity = unpack_flag(unpack);
	identity->uid = (uid_t)unpack_number(unpack);
	identity->gid = (gid_t)unpack_number(unpack);
	identity->group_count = (size_t)unpack_number(unpack);
	if (identity->group_count > IDENTITY_GROUPS_MAX)
		unpack->is_broken = true;
	for (size_t i = 0; !unpack->is_broken && i < identity->group_count; i++)
		identity->groups[i] = (gid_t)unpack_number(unpack);
}

static const char *
text_unpack(struct unpack *unpack, struct orders *orders)
{
	struct span span = unpack_span(unpack);

	return span.len == 0 ? NULL : arena_text(&orders->arena, span);
}

static void
listeners_unpack(struct unpack *unpack, struct orders *orders)
{
	uint64_t count = unpack_number(unpack);

	if (count > unpack->rest.len)
		unpack->is_broken = true;
	if (unpack->is_broken)
		return;
	orders->listener_count = (size_t)count;
	orders->listeners = arena_zalloc(&orders->arena, (size_t)count * sizeof(*orders->listeners));
	for (size_t i = 0; i < count; i++) {
		struct orders_listener *listener = &orders->listeners[i];

		if (!endpoint_parse(unpack_span(unpack), &listener->endpoint, NULL))
			unpack->is_broken = true;
		listener->backlog = (int)unpack_number(unpack);
		listener->reuse_port = unpack_flag(unpack);
		listener->has_tls = unpack_flag(unpack);
		listener->protocols = text_unpack(unpack, orders);
	}
}

static void
orders_read(struct unpack *unpack, struct orders *orders)
{
	identity_unpack(unpack, orders);
	orders->workers = (unsigned)unpack_number(unpack);
	listeners_unpack(unpack, orders);
	orders->control = text_unpack(unpack, orders);
	orders->pid_file = text_unpack(unpack, orders);
	orders->state_dir = text_unpack(unpack, orders);
	orders->log_level = (enum log_level)unpack_number(unpack);
	orders->log_form = (enum log_form)unpack_number(unpack);
	orders->log_output = text_unpack(unpack, orders);
	orders->delay_ms = unpack_number(unpack);
	orders->grace_ms = unpack_number(unpack);
	orders->idle_ms = unpack_number(unpack);
	orders->watchdog_ms = unpack_number(unpack);
}

static bool
orders_are_sane(const struct orders *orders)
{
	return orders->workers >= 1 && orders->listener_count >= 1 && orders->control != NULL &&
	    orders->state_dir != NULL && orders->log_output != NULL && orders->log_level <= LOG_SILENT &&
	    orders->log_form <= LOG_FORM_AUTO;
}

struct orders *
orders_unpack(struct span packed, struct err *err)
{
	struct orders *orders = memory_zalloc(sizeof(*orders));
	struct unpack unpack = unpack_begin(packed);

	arena_init(&orders->arena, 4096);
	orders_read(&unpack, orders);
	if (unpack_end(&unpack) && orders_are_sane(orders))
		return orders;
	err_set(err, "the trial child's orders are damaged");
	orders_free(orders);
	return NULL;
}

void
orders_free(struct orders *orders)
{
	if (orders == NULL)
		return;
	arena_fini(&orders->arena);
	memory_free(orders);
}
