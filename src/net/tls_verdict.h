/*
 * tls_verdict: what is wrong with a server's certificate, in words that lead to the mistake. Internal to the room.
 */
#ifndef REEVE_NET_TLS_VERDICT_H
#define REEVE_NET_TLS_VERDICT_H

struct ssl_ctx_st;
struct ssl_st;

/* The context verifies its peers, and keeps the words. */
void		 tls_verdict_setup(struct ssl_ctx_st *context);

/* "certificate verify failed: hostname mismatch, it is for a.example; host b.example"; NULL: that was not it. */
const char	*tls_verdict(const struct ssl_st *ssl);

#endif
