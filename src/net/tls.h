/*
 * tls: TLS on one connection, either side of it (RFC 8446, RFC 5246), in the verbs of net/stream.h.
 *
 * OpenSSL reads from the socket through a BIO of ours. What it writes is gathered in one buffer of the process and
 * leaves in one system call a verb, however many records it is; only what the socket does not take stays with the
 * connection. An idle connection holds no buffers (SSL_MODE_RELEASE_BUFFERS).
 *
 * Records grow: the first TLS_SLOW_BYTES after the handshake, or after a second of silence, leave in records of
 * TLS_SLOW_RECORD bytes, so that the peer can begin to work before a round trip more; then in full ones of 16K.
 *
 * Write semantics: when a verb says that fewer bytes were taken than given, the next one must begin with the rest, as
 * SSL_write() wants it. What was encrypted but not taken by the socket is bounded by one verb's TLS_VERB_MAX bytes.
 */
#ifndef REEVE_NET_TLS_H
#define REEVE_NET_TLS_H

#include "net/stream.h"

#include "base/span.h"

enum {
	TLS_SLOW_BYTES = 16 * 1024,
	TLS_SLOW_RECORD = 4 * 1024,
	TLS_VERB_MAX = 64 * 1024,
};

struct ssl_ctx_st;
struct ssl_st;

enum tls_side { TLS_SERVER, TLS_CLIENT };

/* Takes a reference to the context; the descriptor stays the stream's. */
struct tls		*tls_create(struct ssl_ctx_st *context, int fd, enum tls_side side);
void			 tls_free(struct tls *tls);		/* NULL is fine; says nothing to the peer */
struct ssl_st		*tls_ssl(const struct tls *tls);	/* for the files of this room that know OpenSSL */

/*
 * Bytes of the connection's beginning that were read already, by whoever looked what it speaks or took a PROXY header
 * off: copied, and given to OpenSSL before the socket is read. Before the first verb.
 */
void			 tls_give(struct tls *tls, struct span bytes);

/* Behind the verbs of stream.h, which say what they promise. */
enum stream_result	 tls_handshake(struct tls *tls);
unsigned		 tls_wants(const struct tls *tls);
void			 tls_flush(struct tls *tls);
enum stream_result	 tls_read(struct tls *tls, char *to, size_t room, size_t *count_out);
enum stream_result	 tls_write(struct tls *tls, const struct iovec *pieces, unsigned count, bool more,
    size_t *count_out);
enum stream_result	 tls_send_file(struct tls *tls, int fd, uint64_t *offset_io, uint64_t length,
    size_t *count_out);
bool			 tls_has_input(const struct tls *tls);
void			 tls_shutdown(struct tls *tls);	/* close_notify, once, and only on a sound connection */
const char		*tls_why(const struct tls *tls);

/* What was agreed on. Texts are OpenSSL's or static: valid while tls lives. All empty until the handshake is done. */
struct tls_facts {
	const char	*version;	/* "TLSv1.3" */
	const char	*cipher;	/* "TLS_AES_128_GCM_SHA256" */
	struct span	 protocol;	/* ALPN; empty when none was agreed on */
	struct span	 server_name;	/* SNI as the client sent it; empty without */
	bool		 is_resumed;
	bool		 is_kernel;	/* the kernel encrypts (kTLS): sendfile(2) works */
};

void	tls_facts(const struct tls *tls, struct tls_facts *facts_out);

/*
 * The first bytes of a connection that should speak TLS: is it HTTP in the clear? A TLS record of a handshake begins
 * with 22 (RFC 8446 §5.1), a request with a letter.
 */
bool	tls_looks_like_http(struct span bytes);

#endif
