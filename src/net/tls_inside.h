/*
 * tls_inside: what the files of tls.h share, and nobody else sees.
 */
#ifndef REEVE_NET_TLS_INSIDE_H
#define REEVE_NET_TLS_INSIDE_H

#include "net/tls.h"
#include "net/tls_bio.h"

#include <openssl/ssl.h>

/* Why a connection is broken; the first that is set says it. */
struct tls_reason {
	const char	*sentence;	/* a constant */
	unsigned long	 code;		/* of OpenSSL's error queue */
	int		 error;		/* errno */
};

struct tls {
	SSL			*ssl;		/* owned */
	struct tls_wire		 wire;
	char			*held;		/* owned; plaintext that waits for what follows (`more`); NULL: none */
	uint32_t		 held_len;
	uint32_t		 slow_left;	/* bytes that still leave in small records */
	uint32_t		 owed;		/* plaintext that left encrypted but was reported as not taken */
	uint64_t		 wrote_ms;	/* when bytes last left */
	uint64_t		 late_ms;	/* when handshake messages after the handshake began to be counted */
	struct tls_reason	 reason;
	enum stream_result	 end;		/* of what is read: STREAM_END, STREAM_BROKEN; STREAM_OK: none yet */
	uint8_t			 late_count;
	uint8_t			 wants;		/* enum watch_for, during the handshake */
	bool			 is_ready;	/* the handshake is done */
	bool			 is_end_told;
	bool			 is_deaf;	/* nothing can be written any more */
	bool			 is_shut;	/* close_notify was sent */
	bool			 is_kernel;	/* the kernel encrypts what is written */
	bool			 is_full;	/* the last read stopped because its room ended */
};

/* -- tls_why.c ----------------------------------------------------------------------------------------------------- */

/* What OpenSSL's answer of zero or less means: STREAM_AGAIN, STREAM_END, or STREAM_BROKEN with its reason kept. */
enum stream_result	tls_judge(struct tls *tls, int answer);

bool			tls_has_reason(const struct tls *tls);

/* OpenSSL's queue is of the process: what others left in it would be taken for this connection's. */
void			tls_queue_clear(void);

/* -- tls.c --------------------------------------------------------------------------------------------------------- */

/* The socket takes nothing any more. The peer may have said why: an alert tells more than "broken pipe". */
enum stream_result	tls_write_failed(struct tls *tls);

/* -- tls_kernel.c -------------------------------------------------------------------------------------------------- */

/* Before the handshake: prepares for the kernel to encrypt, where the context asks for it and the kernel offers it. */
void			tls_kernel_prepare(struct tls *tls);
void			tls_kernel_settle(struct tls *tls);	/* after it: sets is_kernel, or takes the usual path */

/* As tls_write() and tls_send_file(), when is_kernel. */
enum stream_result	tls_kernel_write(struct tls *tls, const struct iovec *pieces, unsigned count, bool more,
    size_t *count_out);
enum stream_result	tls_kernel_send_file(struct tls *tls, int fd, uint64_t *offset_io, uint64_t length,
    size_t *count_out);

#endif
