/*
 * upstreams: a table with every way of nesting, for the tests of reading, printing and documenting.
 */
#ifndef REEVE_UNIT_CONF_UPSTREAMS_H
#define REEVE_UNIT_CONF_UPSTREAMS_H

#include "conf/option.h"

enum protocol { HTTP_1, HTTP_2 };

struct timeouts {
	uint64_t	connect;
	uint64_t	idle;
};

struct tls {
	struct span	ca;
	struct span	cert;
	struct span	key;
};

struct server {
	struct span	url;
	uint64_t	weight;
	bool		backup;
};

struct upstream {
	struct span		name;
	struct conf_records	servers;
	struct timeouts		timeouts;
	struct tls		tls;
	bool			has_tls;
	enum protocol		protocol;
	struct conf_texts	retry_on;
	uint64_t		attempts;
};

struct root {
	struct conf_records	upstreams;
	struct conf_pairs	headers;
	struct span		greeting;
	struct span		state_dir;
	bool			compress;
	bool			compress_given;
};

static const struct option timeout_rows[] = {
	OPTION_DURATION(struct timeouts, connect, .def = "2s", .min = "1ms", .max = "1h", .doc = "To connect."),
	OPTION_DURATION(struct timeouts, idle, .def = "50s", .doc = "How long a free socket is kept."),
	OPTION_END
};

static const struct option_group timeouts_group = {
	.name = "timeouts", .rows = timeout_rows, .size = sizeof(struct timeouts), .doc = "How long things may take.",
};

static const struct option tls_rows[] = {
	OPTION_PATH(struct tls, ca, .required = true, .doc = "Who signs."),
	OPTION_PATH(struct tls, cert, .doc = "Ours."),
	OPTION_PATH(struct tls, key, .doc = "Its key."),
	OPTION_END
};

static inline bool
tls_check(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct tls *tls = field;

	return (tls->cert.at == NULL) == (tls->key.at == NULL) ||
	       option_problem(reader, node, "cert and key come together");
}

static const struct option_group tls_group = {
	.name = "tls", .rows = tls_rows, .size = sizeof(struct tls), .check = tls_check,
};

static const struct option server_rows[] = {
	OPTION_TEXT(struct server, url, .required = true, .doc = "Where | it is."),
	OPTION_NUMBER(struct server, weight, .def = "1", .min = "1", .max = "100", .doc = "Its share."),
	OPTION_FLAG(struct server, backup, .def = "false", .doc = "Only when the others are down."),
	OPTION_END
};

static const struct option_group server_group = {
	.name = "server", .rows = server_rows, .size = sizeof(struct server), .short_key = "url",
};

static const struct option_word protocols[] = { { "http/1.1", HTTP_1 }, { "h2", HTTP_2 }, { 0 } };

static inline bool
attempts_parse(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const struct option number = { .key = "attempts", .kind = OPTION_KIND_NUMBER, .max = "10" };

	return option_read_value(reader, &number, node, field);
}

static const struct option upstream_rows[] = {
	OPTION_RECORDS(struct upstream, servers, .required = true, .min = "1", .group = &server_group,
	    .doc = "The servers."),
	OPTION_GROUP(struct upstream, timeouts, .group = &timeouts_group),
	OPTION_GROUP(struct upstream, tls, .group = &tls_group, .present = OPTION_PRESENT(struct upstream, has_tls),
	    .doc = "To servers that speak `https`."),
	OPTION_CHOICE(struct upstream, protocol, .words = protocols, .def = "http/1.1", .doc = "The protocol."),
	OPTION_TEXTS(struct upstream, retry_on, OPTION_AS("retry-on"), .def = "[connect, reset]",
	    .doc = "What is tried again."),
	OPTION_CUSTOM(struct upstream, attempts, .parse = attempts_parse, .def = "1", .type = "number up to 10",
	    .doc = "Tries after the first."),
	OPTION_REFUSED("slow_start"),
	OPTION_END
};

static const struct option_group upstream_group = {
	.name = "upstream", .rows = upstream_rows, .size = sizeof(struct upstream),
};

static const struct option root_rows[] = {
	OPTION_NAMED(struct root, upstreams, .group = &upstream_group, .doc = "Servers by name."),
	OPTION_PAIRS(struct root, headers, .doc = "Fields to set."),
	OPTION_TEXT(struct root, greeting, .def = "hello: {client_ip}", .doc = "What to say. Use `\\n` - or not."),
	OPTION_PATH(struct root, state_dir, .doc = "Where state is kept."),
	OPTION_FLAG(struct root, compress, .present = OPTION_PRESENT(struct root, compress_given),
	    .doc = "`true`: smaller."),
	OPTION_REFUSED("apps"),
	OPTION_END
};

__attribute__((unused)) static const struct option_group root_group = {
	.name = "root", .rows = root_rows, .size = sizeof(struct root),
};

#endif
