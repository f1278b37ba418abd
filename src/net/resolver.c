/*
 * evdns asks the name servers of /etc/resolv.conf; /etc/hosts is read here, because what evdns keeps of it is only seen
 * by its getaddrinfo(), which cannot be given up in the middle. Both files are looked at again when they have changed.
 *
 *	numeric? ── no ─▶ in /etc/hosts? ── no ─▶ A and AAAA ─▶ both answered ──▶ end of the turn ─▶ on_answer
 *	   └── yes ──────────────┴── yes ─────────────────────────────────────────────────▲
 *
 * evdns calls from outside of our turns and sometimes from inside resolver_ask(): answers wait for a turn's end.
 */
#include "net/resolver.h"

#include "base/fd.h"
#include "base/memory.h"

#include <event2/dns.h>
#include <event2/event.h>

#include <assert.h>
#include <ifaddrs.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS "/etc/hosts"

enum { ADDRESSES_MAX = 64, HOST_MAX = 255, HOSTS_MAX_BYTES = 1 << 20 };

/* Which content of a file we know. */
struct file_stamp {
	struct timespec	changed;
	off_t		size;
	ino_t		inode;
};

struct resolver {
	struct loop		*loop;		/* borrowed */
	struct evdns_base	*dns;		/* owned; NULL until a name server is asked */
	struct list_node	 queries;	/* struct resolver_query, owned */
	struct file_stamp	 resolv_conf;
	bool			 has_ipv6;
};

/* Asked of evdns: A, AAAA. Both point to the query, which lives until neither is open. */
struct resolver_query {
	struct list_node	 node;		/* in resolver->queries */
	struct later		 later;
	struct resolver		*resolver;	/* borrowed */
	resolver_fn		*on_answer;	/* NULL: cancelled */
	void			*owner;		/* borrowed */
	unsigned		 open;		/* questions without an answer */
	uint16_t		 port;
	const char		*why;		/* a constant */
	size_t			 count;
	struct address		 addresses[ADDRESSES_MAX];
};

/* -- the machine --------------------------------------------------------------------------------------------------- */

static struct file_stamp
stamp_of(const char *path)
{
	struct file_stamp stamp = { 0 };
	struct stat status;

	if (stat(path, &status) == 0)
		stamp = (struct file_stamp){ status.st_mtim, status.st_size, status.st_ino };
	return stamp;
}

static bool
stamp_equal(struct file_stamp a, struct file_stamp b)
{
	return a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec && a.size == b.size &&
	    a.inode == b.inode;
}

/* An IPv6 address that reaches beyond this machine and its link; without one AAAA answers are of no use. */
static bool
machine_has_ipv6(void)
{
	struct ifaddrs *all;
	bool has = false;

	if (getifaddrs(&all) != 0)
		return true;
	for (const struct ifaddrs *one = all; one != NULL && !has; one = one->ifa_next) {
		struct sockaddr_in6 in6;

		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&in6, one->ifa_addr, sizeof(in6));
		has = !IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) && !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
	}
	freeifaddrs(all);
	return has;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

static void
query_free(struct resolver_query *query)
{
	list_remove(&query->node);
	loop_later_cancel(&query->later);
	memory_free(query);
}

static void
query_answer(struct later *later)
{
	struct resolver_query *query = LIST_OWNER(later, struct resolver_query, later);

	if (query->on_answer != NULL)
		query->on_answer(query->owner, query->addresses, query->count,
		    query->count > 0 ? NULL : query->why);
	query_free(query);
}

static void
query_close(struct resolver_query *query)
{
	if (query->open == 0)
		loop_later(query->resolver->loop, &query->later);
}

static void
query_add(struct resolver_query *query, const struct address *address)
{
	for (size_t i = 0; i < query->count; i++) {
		if (address_equal(&query->addresses[i], address))
			return;
	}
	if (query->count < ADDRESSES_MAX)
		query->addresses[query->count++] = *address;
}

/* -- /etc/hosts ---------------------------------------------------------------------------------------------------- */

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool
word_cut(struct span *rest_io, struct span *word_out)
{
	size_t from = 0, to;

	while (from < rest_io->len && is_blank(rest_io->at[from]))
		from++;
	to = from;
	while (to < rest_io->len && !is_blank(rest_io->at[to]))
		to++;
	*word_out = span_make(rest_io->at + from, to - from);
	*rest_io = span_skip(*rest_io, to);
	return word_out->len > 0;
}

/* "127.0.0.1  localhost other  # comment" */
static void
hosts_line_take(struct resolver_query *query, struct span line, struct span host)
{
	struct address address;
	struct span word;

	line = span_first(line, span_find(line, '#'));
	if (!word_cut(&line, &word) || !address_parse_host(word, query->port, &address))
		return;
	while (word_cut(&line, &word)) {
		if (span_equal_nocase(word, host)) {
			query_add(query, &address);
			return;
		}
	}
}

/* "localhost" itself, or anything that ends in ".localhost". */
static bool
is_under(struct span host, struct span domain)
{
	struct span end = host.len > domain.len ? span_skip(host, host.len - domain.len) : host;

	return span_equal_nocase(end, domain) && (end.len == host.len || end.at[-1] == '.');
}

static void
hosts_look(struct resolver_query *query, struct span host)
{
	struct text hosts = { 0 };
	struct span rest, line;

	if (file_read(HOSTS, HOSTS_MAX_BYTES, &hosts, NULL)) {
		rest = text_span(&hosts);
		while (span_cut(&rest, '\n', &line))
			hosts_line_take(query, line, host);
	}
	text_fini(&hosts);
	/* RFC 6761 §6.3: whatever the files say. */
	if (query->count == 0 && is_under(host, SPAN_OF("localhost"))) {
		struct address address;

		if (address_parse_host(SPAN_OF("127.0.0.1"), query->port, &address))
			query_add(query, &address);
	}
}

/* -- name servers -------------------------------------------------------------------------------------------------- */

static void
dns_configure(struct resolver *resolver)
{
	evdns_base_resolv_conf_parse(resolver->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, RESOLV_CONF);
	evdns_base_set_option(resolver->dns, "timeout:", "2");
	evdns_base_set_option(resolver->dns, "attempts:", "2");
	evdns_base_set_option(resolver->dns, "randomize-case:", "0");	/* some name servers do not give it back */
}

/* Questions that are open when the file changes are asked of the new servers. */
static bool
dns_prepare(struct resolver *resolver)
{
	struct file_stamp stamp = stamp_of(RESOLV_CONF);

	if (resolver->dns == NULL) {
		resolver->dns = evdns_base_new(loop_base(resolver->loop), 0);
		if (resolver->dns == NULL)
			return false;
		dns_configure(resolver);
	} else if (!stamp_equal(stamp, resolver->resolv_conf)) {
		evdns_base_clear_nameservers_and_suspend(resolver->dns);
		evdns_base_search_clear(resolver->dns);
		dns_configure(resolver);
		evdns_base_resume(resolver->dns);
	}
	resolver->resolv_conf = stamp;
	return evdns_base_count_nameservers(resolver->dns) > 0;
}

static const char *
why_of(int result)
{
	switch (result) {
	case DNS_ERR_NONE:
	case DNS_ERR_NODATA:
		return "the name has no address";
	case DNS_ERR_NOTEXIST:
		return "no such name";
	case DNS_ERR_TIMEOUT:
		return "no name server answered in time";
	case DNS_ERR_REFUSED:
		return "the name server refused to answer";
	case DNS_ERR_SERVERFAILED:
		return "the name server failed";
	default:
		return "the name server's answer cannot be used";
	}
}

static void
take_ipv4(struct resolver_query *query, int count, const void *bytes)
{
	for (int i = 0; i < count; i++) {
		struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(query->port) };
		struct address address;

		memcpy(&in4.sin_addr, (const char *)bytes + 4 * (size_t)i, 4);
		address_from_sockaddr(&address, (const struct sockaddr *)&in4);
		query_add(query, &address);
	}
}

static void
take_ipv6(struct resolver_query *query, int count, const void *bytes)
{
	for (int i = 0; i < count; i++) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(query->port) };
		struct address address;

		memcpy(&in6.sin6_addr, (const char *)bytes + 16 * (size_t)i, 16);
		address_from_sockaddr(&address, (const struct sockaddr *)&in6);
		query_add(query, &address);
	}
}

static void
dns_answered(int result, char type, int count, int ttl, void *bytes, void *owner)
{
	struct resolver_query *query = owner;

	(void)ttl;
	query->open--;
	if (result == DNS_ERR_NONE && type == DNS_IPv4_A)
		take_ipv4(query, count, bytes);
	else if (result == DNS_ERR_NONE && type == DNS_IPv6_AAAA)
		take_ipv6(query, count, bytes);
	/* "no address" of one family says less than what went wrong with the other */
	if (query->why == NULL || result != DNS_ERR_NODATA)
		query->why = why_of(result);
	query_close(query);
}

/* `open` is counted up before each call, because the answer may come from inside it. */
static void
dns_ask(struct resolver_query *query, const char *host)
{
	struct resolver *resolver = query->resolver;

	if (!dns_prepare(resolver)) {
		query->why = "no name server is configured";
		return;
	}
	query->open = 1 + (resolver->has_ipv6 ? 1 : 0);
	if (evdns_base_resolve_ipv4(resolver->dns, host, 0, dns_answered, query) == NULL) {
		query->open--;
		query->why = "the name cannot be asked for";
	}
	if (resolver->has_ipv6 && evdns_base_resolve_ipv6(resolver->dns, host, 0, dns_answered, query) == NULL)
		query->open--;
}

/* -- the resolver -------------------------------------------------------------------------------------------------- */

struct resolver *
resolver_create(struct loop *loop, struct err *err)
{
	struct resolver *resolver = memory_zalloc(sizeof(*resolver));

	(void)err;	/* whatever is missing is said by the answers, and may be there later */
	resolver->loop = loop;
	resolver->has_ipv6 = machine_has_ipv6();
	list_init(&resolver->queries);
	return resolver;
}

void
resolver_free(struct resolver *resolver)
{
	struct list_node *node;

	if (resolver == NULL)
		return;
	if (resolver->dns != NULL)
		evdns_base_free(resolver->dns, 0);
	while ((node = list_first(&resolver->queries)) != NULL)
		query_free(LIST_OWNER(node, struct resolver_query, node));
	memory_free(resolver);
}

struct resolver_query *
resolver_ask(struct resolver *resolver, struct span host, uint16_t port, resolver_fn *on_answer, void *owner)
{
	struct resolver_query *query = memory_zalloc(sizeof(*query));
	struct address numeric;
	char name[HOST_MAX + 1];

	assert(on_answer != NULL);
	query->resolver = resolver;
	query->on_answer = on_answer;
	query->owner = owner;
	query->port = port;
	query->later.run = query_answer;
	list_add_last(&resolver->queries, &query->node);
	if (address_parse_host(host, port, &numeric))
		query_add(query, &numeric);
	else
		hosts_look(query, host);
	if (query->count == 0 && is_under(host, SPAN_OF("invalid"))) {
		query->why = "no such name";	/* RFC 6761 §6.4: nobody needs to be asked */
	} else if (query->count == 0 && host.len >= 1 && host.len <= HOST_MAX) {
		memcpy(name, host.at, host.len);
		name[host.len] = '\0';
		dns_ask(query, name);
	} else if (query->count == 0) {
		query->why = "a name has 1 to 255 bytes";
	}
	query_close(query);
	return query;
}

/* Its questions stay open; their answers are dropped. */
void
resolver_cancel(struct resolver_query *query)
{
	if (query != NULL)
		query->on_answer = NULL;
}
