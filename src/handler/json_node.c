/* YAML's core schema as far as JSON can say it: a plain scalar that is no JSON number, truth value or null is text. */
#include "handler/json_node.h"

#include "base/count.h"

static size_t
digits_at(struct span text, size_t at)
{
	size_t count = 0;

	while (at + count < text.len && text.at[at + count] >= '0' && text.at[at + count] <= '9')
		count++;
	return count;
}

/* RFC 8259 §6: [-] (0 | 1-9…) [.…] [e[±]…]. Anything else (007, .5, 0x1f) would not be JSON. */
static bool
is_number(struct span text)
{
	size_t at = text.len > 0 && text.at[0] == '-';
	size_t count = digits_at(text, at);

	if (count == 0 || (count > 1 && text.at[at] == '0'))
		return false;
	at += count;
	if (at < text.len && text.at[at] == '.') {
		count = digits_at(text, at + 1);
		if (count == 0)
			return false;
		at += 1 + count;
	}
	if (at < text.len && (text.at[at] | 0x20) == 'e') {
		at++;
		at += at < text.len && (text.at[at] == '-' || text.at[at] == '+');
		count = digits_at(text, at);
		if (count == 0)
			return false;
		at += count;
	}
	return at == text.len;
}

static void
scalar_add(struct text *to, const struct conf_node *node)
{
	static const struct {
		const char	*yaml;
		const char	*json;
	} words[] = {
		{ "true", "true" }, { "True", "true" }, { "TRUE", "true" },
		{ "false", "false" }, { "False", "false" }, { "FALSE", "false" },
		{ "null", "null" }, { "Null", "null" }, { "NULL", "null" }, { "~", "null" }, { "", "null" },
	};

	if (node->quoted) {
		text_json_string(to, node->text);
		return;
	}
	for (size_t i = 0; i < COUNT(words); i++) {
		if (span_is(node->text, words[i].yaml)) {
			text_add_text(to, words[i].json);
			return;
		}
	}
	if (is_number(node->text))
		text_add(to, node->text);
	else
		text_json_string(to, node->text);
}

/* A name is never a placeholder. */
static void
key_add(struct text *to, struct span key)
{
	struct text quoted = { 0 };

	text_json_string(&quoted, key);
	for (size_t i = 0; i < quoted.len; i++) {
		if (quoted.bytes[i] == '{' || quoted.bytes[i] == '}')
			text_add_byte(to, quoted.bytes[i]);
		text_add_byte(to, quoted.bytes[i]);
	}
	text_fini(&quoted);
}

static void
children_add(struct text *to, const struct conf_node *node, bool has_keys)
{
	for (const struct conf_node *child = node->first; child; child = child->next) {
		if (child != node->first)
			text_add_byte(to, ',');
		if (has_keys) {
			key_add(to, child->key);
			text_add_byte(to, ':');
		}
		json_node_add(to, child);	/* as deep as conf_load() lets a tree be */
	}
}

void
json_node_add(struct text *to, const struct conf_node *node)
{
	switch (node->kind) {
	case CONF_NULL:
		text_add_text(to, "null");
		break;
	case CONF_SCALAR:
		scalar_add(to, node);
		break;
	case CONF_LIST:
		text_add_byte(to, '[');
		children_add(to, node, false);
		text_add_byte(to, ']');
		break;
	case CONF_MAP:
		text_add_text(to, "{{");
		children_add(to, node, true);
		text_add_text(to, "}}");
		break;
	}
}
