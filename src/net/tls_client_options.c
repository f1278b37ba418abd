/* The rows of `upstreams.NAME.tls`, and what can be said of them without opening a file. */
#include "net/tls_client.h"

#include "base/address.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

static bool
is_label(struct span label)
{
	for (size_t i = 0; i < label.len; i++) {
		char byte = byte_lower(label.at[i]);

		if (!(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') && byte != '-' && byte != '_')
			return false;
	}
	return label.len > 0 && label.len <= LABEL_MAX_BYTES;
}

/* RFC 6066 §3: SNI has no addresses, and no dot at the end. */
static bool
is_server_name(struct span name)
{
	struct address address;
	struct span rest = name, label;

	if (name.len > NAME_MAX_BYTES || span_ends_with(name, SPAN_OF(".")) ||
	    address_parse_host(name, 0, &address))
		return false;
	while (span_cut(&rest, '.', &label)) {
		if (!is_label(label))
			return false;
	}
	return name.len > 0;
}

static bool
server_name_option(struct option_reader *reader, const struct conf_node *node, void *field)
{
	if (node->kind != CONF_SCALAR || !is_server_name(node->text))
		return option_problem(reader, node, "expected a host name such as api.example.com (no address, no "
		    "port, no wildcard), got %s", option_shown(reader, node));
	*(struct span *)field = span_make(arena_text(reader->arena, node->text), node->text.len);
	return true;
}

static bool
tls_client_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	const struct tls_client_options *options = record;

	if (options->cert.len > 0 && options->key.len == 0)
		return option_problem(reader, node, "`cert` without `key`: a client certificate needs both");
	if (options->key.len > 0 && options->cert.len == 0)
		return option_problem(reader, node, "`key` without `cert`: a client certificate needs both");
	if (!options->verify)
		option_warning_at(reader, node, "verify", "the servers' certificates are not verified: anybody between "
		    "can read and change what is sent (`ca` would name whom to trust)");
	if (!options->verify && conf_get(node, "ca") != NULL)
		option_warning_at(reader, node, "ca", "has no effect with `verify: false`");
	return true;
}

static const struct option tls_client_options[] = {
	OPTION_FLAG(struct tls_client_options, verify, .def = "true",
	    .doc = "The server must show a certificate that somebody we trust has signed, that is valid today and that "
	    "names it. `false` is for tests."),
	OPTION_PATH(struct tls_client_options, ca,
	    .doc = "Whom to trust instead of the system's roots: certificates in PEM, of authorities (roots, or those "
	    "in the middle of a chain, without their issuer) or of the servers themselves. Read again when it "
	    "changes."),
	OPTION_CUSTOM(struct tls_client_options, server_name, .parse = server_name_option, .type = "host name",
	    .doc = "The name that is asked for (SNI) and that the certificate must have among its alternative names; a "
	    "common name alone does not count. Otherwise the host of the server's URL."),
	OPTION_PATH(struct tls_client_options, cert,
	    .doc = "Our certificate, for servers that want one: PEM, its chain after it. Read again when it changes."),
	OPTION_PATH(struct tls_client_options, key, .doc = "Its private key: PEM, not encrypted."),
	OPTION_END
};

const struct option_group tls_client_group = {
	.name = "tls", .rows = tls_client_options, .size = sizeof(struct tls_client_options),
	.check = tls_client_check,
};
