/*
 * tls_bio: what lies between OpenSSL and the sockets: one BIO for all connections of the process, and one buffer in
 * which a verb's ciphertext gathers.
 *
 *	tls_wire_begin()		the BIO serves this connection until the next one begins
 *	SSL_read(), SSL_write() …	read: recv(2), once a verb; write: into the buffer
 *	tls_wire_send() or _keep()	one send(2) of all that has gathered; what is not taken stays in `rest`
 *
 * Every verb that let OpenSSL write ends with one of the two. A process has one thread that speaks TLS.
 */
#ifndef REEVE_NET_TLS_BIO_H
#define REEVE_NET_TLS_BIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bio_st;
struct tls_early;

/* One connection's end of it. */
struct tls_wire {
	char			*rest;		/* owned; ciphertext that the socket has not taken; NULL: none */
	struct tls_early	*early;		/* owned; read before the wire was there; NULL: none is left */
	uint64_t		 received;	/* bytes given to OpenSSL */
	uint32_t		 rest_len;
	uint32_t		 rest_sent;	/* of rest_len */
	int			 fd;		/* borrowed */
	int			 error;		/* the errno that ended it; 0: none */
	bool			 may_receive;	/* recv(2) may be called, once */
	bool			 has_ended;	/* the peer's FIN was read */
};

struct bio_st	*tls_bio_ref(void);	/* the process's BIO; each reference is given back with BIO_free() */

void		 tls_wire_init(struct tls_wire *wire, int fd);
void		 tls_wire_fini(struct tls_wire *wire);
void		 tls_wire_begin(struct tls_wire *wire);
/* copied; are read first */
void		 tls_wire_give(struct tls_wire *wire, const char *bytes, size_t length);
void		 tls_wire_listen(struct tls_wire *wire, bool may_receive);	/* for this verb, once */
bool		 tls_wire_has_written(void);	/* since tls_wire_begin(), and it has not been sent or kept */
size_t		 tls_wire_waiting(const struct tls_wire *wire);			/* bytes of `rest` */

/* `rest` and what has gathered. False: the connection is broken, `error` says why. */
bool		 tls_wire_send(struct tls_wire *wire);

/* Puts what has gathered into `rest` without a system call. False: `rest` would become too long. */
bool		 tls_wire_keep(struct tls_wire *wire);

#endif
