/*
 * What an HTTP/2 connection may make us wait for: one timeout of the connection, which stands for the first of these that
 * holds: a socket that does not take, the client's preface, a header block without an end, idleness; and one for each
 * stream whose content gets no window.
 */
#include "downstream/h2_exchange.h"

enum { PROGRESS_MIN = 1024 /* bytes a stream must move within send_timeout, or all that waits */ };

static enum h2_timing
timing_of(const struct h2 *h2)
{
	if (h2->out.len > 0)
		return H2_TIMING_SEND;
	if (!h2->settled)
		return H2_TIMING_PREFACE;
	if (h2->in_block)
		return H2_TIMING_HEAD;
	return h2->open == 0 ? H2_TIMING_IDLE : H2_TIMING_NONE;
}

static struct timeout_class *
class_of(const struct downstream *downstream, enum h2_timing timing)
{
	switch (timing) {
	case H2_TIMING_PREFACE:
	case H2_TIMING_HEAD:
		return downstream->header_timeout;
	case H2_TIMING_SEND:
		return downstream->send_timeout;
	case H2_TIMING_IDLE:
		return downstream->keepalive_timeout;
	case H2_TIMING_NONE:
		break;
	}
	return NULL;
}

/* A timeout goes on as long as what it stands for does. */
void
h2_time_conn(struct h2 *h2, bool moved)
{
	enum h2_timing timing = timing_of(h2);
	bool is_anew = timing != h2->timing || (timing == H2_TIMING_SEND && moved) ||
	    (timing == H2_TIMING_IDLE && h2->served) || (timing == H2_TIMING_HEAD && h2->blocks != h2->block_timed);

	if (!is_anew)
		return;
	h2->timing = (uint8_t)timing;
	h2->block_timed = h2->blocks;
	h2->served = false;
	if (timing == H2_TIMING_NONE)
		timeout_disarm(&h2->conn->timeout);
	else
		timeout_arm(&h2->conn->timeout, class_of(h2->conn->downstream, timing));
}

/* Streams whose client gives them no window, or a few bytes of it at a time. */
void
h2_time_streams(struct h2 *h2)
{
	struct list_node *node;

	if (h2->sending == 0)
		return;
	for (node = h2->exchanges.next; node != &h2->exchanges; node = node->next) {
		struct h2_exchange *exchange = LIST_OWNER(node, struct h2_exchange, node);

		if (!exchange->is_sending || (timeout_is_armed(&exchange->send_timeout) &&
		    exchange->content_out - exchange->progress < PROGRESS_MIN))
			continue;
		exchange->progress = exchange->content_out;
		timeout_arm(&exchange->send_timeout, h2->conn->downstream->send_timeout);
	}
}
