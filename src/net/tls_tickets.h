/*
 * tls_tickets: where the keys of session tickets come from (RFC 5077, RFC 8446 §4.6.1).
 *
 * The keys stand in memory that all workers share (store/ticket_ring.h); this room only asks. A ticket made by any
 * worker, before or after a reload or a worker's death, is good in every other. A key is 80 secret bytes: whoever
 * copies one wipes the copy.
 */
#ifndef REEVE_NET_TLS_TICKETS_H
#define REEVE_NET_TLS_TICKETS_H

#include <stdbool.h>

struct tls_ticket_key {
	unsigned char	name[16];	/* public: stands in the ticket */
	unsigned char	cipher[32];	/* AES-256-CBC */
	unsigned char	mac[32];	/* HMAC-SHA256 */
};

enum tls_ticket_age {
	TLS_TICKET_UNKNOWN,	/* no such key, or not any more: a full handshake */
	TLS_TICKET_CURRENT,
	TLS_TICKET_OLD,		/* good, but the client gets a new ticket */
};

struct tls_ticket_keys {
	bool			 (*newest)(const void *owner, struct tls_ticket_key *key_out);
	enum tls_ticket_age	 (*find)(const void *owner, const unsigned char name[16],
	    struct tls_ticket_key *key_out);
	const void		*owner;	/* borrowed: outlives every context */
};

#endif
