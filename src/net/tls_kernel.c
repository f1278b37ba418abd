/*
 * Where the kernel has TLS (the "tls" upper layer of TCP) and the context asks for it (SSL_OP_ENABLE_KTLS), OpenSSL
 * does the handshake and hands the kernel the keys of what we send. From then on bytes are written as to a plain
 * socket, and sendfile(2) works: the kernel makes the records. For that OpenSSL has to write to the socket by itself,
 * through a BIO of its own; it goes on reading through ours.
 *
 *	no such kernel, or a cipher that it does not know ──▶ the usual path, as if nobody had asked
 */
#include "net/tls_inside.h"

#include "net/plain.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* On a connected socket; it changes nothing there until keys follow. */
static bool
kernel_offers(int fd)
{
	static bool is_missing;

	if (is_missing)
		return false;
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 || errno == EEXIST)
		return true;
	is_missing = errno == ENOENT;
	return false;
}

void
tls_kernel_prepare(struct tls *tls)
{
	BIO *bio;

	if (!(SSL_get_options(tls->ssl) & SSL_OP_ENABLE_KTLS))
		return;
	if (kernel_offers(tls->wire.fd) && (bio = BIO_new_socket(tls->wire.fd, BIO_NOCLOSE)) != NULL)
		SSL_set0_wbio(tls->ssl, bio);
	else
		SSL_clear_options(tls->ssl, SSL_OP_ENABLE_KTLS);
}

void
tls_kernel_settle(struct tls *tls)
{
	BIO *bio = SSL_get_wbio(tls->ssl);

	if (bio == SSL_get_rbio(tls->ssl))
		return;
	tls->is_kernel = BIO_get_ktls_send(bio);
	if (!tls->is_kernel)
		SSL_set0_wbio(tls->ssl, tls_bio_ref());
}

static enum stream_result
result_of(struct tls *tls, enum stream_result result)
{
	if (result != STREAM_BROKEN)
		return result;
	tls->wire.error = errno;
	return tls_write_failed(tls);
}

enum stream_result
tls_kernel_write(struct tls *tls, const struct iovec *pieces, unsigned count, bool more, size_t *count_out)
{
	return result_of(tls, plain_write(tls->wire.fd, pieces, count, more, count_out));
}

enum stream_result
tls_kernel_send_file(struct tls *tls, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	return result_of(tls, plain_send_file(tls->wire.fd, fd, offset_io, length, count_out));
}
