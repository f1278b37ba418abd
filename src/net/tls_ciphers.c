/* Each word of a list is tried by itself, so that the sentence can name the one that is wrong. */
#include "net/tls_ciphers.h"

#include "net/tls_pem.h"

#include <openssl/ssl.h>

enum { WORD_MAX = 128 };

const char tls_ciphers_default[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static struct span
word_cut(struct span *rest_io)
{
	size_t len = 0;
	struct span word;

	while (len < rest_io->len && strchr(":, ;", rest_io->at[len]) == NULL)
		len++;
	word = span_first(*rest_io, len);
	*rest_io = span_skip(*rest_io, len + 1);
	return word;
}

/* What only takes ciphers out, or orders them, may name any; @SECLEVEL and @STRENGTH are for the whole list. */
static bool
is_choosing(struct span word)
{
	return word.len > 0 && strchr("!-+@", word.at[0]) == NULL;
}

static bool
word_check(SSL_CTX *scratch, struct span word, struct err *err)
{
	char text[WORD_MAX];

	snprintf(text, sizeof(text), "%.*s", (int)span_first(word, sizeof(text) - 1).len, word.at);
	if (word.len < sizeof(text) && SSL_CTX_set_cipher_list(scratch, text))
		return true;
	if (span_starts_with(word, SPAN_OF("TLS_")))
		return err_set(err, "\"%s\" is of TLS 1.3, whose ciphers are always on: leave it out", text);
	return err_set(err, "\"%s\" names no cipher of TLS 1.2 that OpenSSL has here (`openssl ciphers -v ALL`)", text);
}

bool
tls_ciphers_check(struct span list, struct err *err)
{
	SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
	struct span rest = list;
	bool ok = scratch != NULL || err_set(err, "OpenSSL: %s", tls_reason());

	while (ok && rest.len > 0) {
		struct span word = word_cut(&rest);

		ok = !is_choosing(word) || word_check(scratch, word, err);
	}
	if (ok && (list.len == 0 || !SSL_CTX_set_cipher_list(scratch, list.at)))
		ok = err_set(err, "no cipher is left: %s", list.len > 0 ? tls_reason() : "the list is empty");
	SSL_CTX_free(scratch);
	tls_reason();
	return ok;
}
