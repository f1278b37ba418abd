/*
 * messages: every sentence that reeve's processes write into the log, one row each.
 *
 * A row: NAME, level, the sentence. What varies goes into the record's fields, so that a sentence can be searched for
 * and counted. Rows of one room stand together; docs/messages.md is made from here.
 */
#ifndef REEVE_BASE_MESSAGES_H
#define REEVE_BASE_MESSAGES_H

#define MESSAGES(M) \
	/* loop */ \
	M(LOOP_BROKEN,			FATAL,	"the event loop cannot poll") \
	M(WATCH_FAILED,			ERROR,	"a descriptor cannot be watched") \
	M(LIBEVENT,			WARN,	"libevent warns") \
	/* primary */ \
	M(STARTED,			INFO,	"started") \
	M(LISTENING,			INFO,	"listening") \
	M(STOPPING,			INFO,	"stopping: finishing what is in flight") \
	M(STOPPED,			INFO,	"stopped") \
	M(RELOADING,			DEBUG,	"reading the configuration anew") \
	M(RELOAD_PARTLY,		ERROR,	"configuration reloaded, but a part of it is not in effect") \
	M(RELOADED,			INFO,	"configuration reloaded") \
	M(RELOAD_FAILED,		ERROR,	"configuration not reloaded: the old one stays in use") \
	M(CONFIG_WARNING,		WARN,	"configuration warning") \
	M(WORKER_READY,			DEBUG,	"worker is ready") \
	M(WORKER_DIED,			ERROR,	"worker died: replacing it") \
	M(WORKER_RESPAWN_DELAYED,	WARN,	"workers keep dying: waiting before the next start") \
	M(WORKER_ENDED,			DEBUG,	"worker has ended as asked") \
	M(WORKER_ENDED_BADLY,		WARN,	"worker had to be killed, or failed, while it was ending") \
	M(CRASH_REPORT_LOST,		ERROR,	"crash report cannot be written") \
	M(LOGGER_DIED,			ERROR,	"logger died: replacing it") \
	M(UPGRADE_REFUSED,		WARN,	"SIGUSR2: upgrade is not supported in this version") \
	M(START_FAILED,			FATAL,	"cannot start") \
	M(WORKER_HUNG,			ERROR,	"worker does not turn its loop: aborting it") \
	M(ROLLED_BACK,			ERROR,	"workers keep dying with the new configuration: back to the one before") \
	M(CERTIFICATES_SWAPPED,		INFO,	"certificate files have changed: the new ones are in use") \
	M(CERTIFICATES_REFUSED,		ERROR,	"certificate files have changed, but cannot be used: the old ones stay in use") \
	M(CERTIFICATES_SAME,		INFO,	"certificate files are again what is in use") \
	M(CERTIFICATE_EXPIRES,		WARN,	"a certificate comes to its end: renew it") \
	M(CERTIFICATE_HAS_EXPIRED,	ERROR,	"a certificate has come to its end: clients refuse it") \
	M(TICKET_KEYS_KEPT,		ERROR,	"the keys of TLS session tickets cannot be renewed: the old ones stay in use") \
	M(EXCLUSIVE_UNAVAILABLE,	WARN,	"EPOLLEXCLUSIVE is not in effect: accepting works, but wakes more workers than needed") \
	/* supervise */ \
	M(CHILD_MOVED,			TRACE,	"child process changes its state") \
	M(CHILD_NOT_STARTED,		ERROR,	"child process cannot be started") \
	/* logger */ \
	M(LOG_DROPPED,			WARN,	"log lines were dropped because their destination did not keep up") \
	M(LOG_REOPENED,			INFO,	"log files reopened") \
	M(LOG_WRITE_FAILED,		ERROR,	"log destination cannot be written") \
	/* worker */ \
	M(PRIMARY_GONE,			ERROR,	"the primary is gone: finishing what is in flight, then ending") \
	M(ACCEPT_PAUSED,		WARN,	"accepting is paused") \
	M(ACCEPT_RESUMED,		INFO,	"accepting again") \
	M(IMPOSSIBLE_MOVE,		ERROR,	"a state was asked to move where it cannot: a defect of reeve") \
	M(LOOP_LATE,			WARN,	"the event loop is late") \
	/* clients */ \
	M(TLS_HANDSHAKE_FAILED,		DEBUG,	"TLS handshake with a client failed") \
	M(H2_ABUSE,			WARN,	"HTTP/2 connection ended: the client abuses the protocol") \
	/* requests */ \
	M(REQUEST,			INFO,	"request") \
	/* files */ \
	M(FILES_ROOT_MISSING,		WARN,	"the root of a files route cannot be opened: answering 404") \
	M(FILES_ROOT_BACK,		INFO,	"the root of a files route is there again") \
	/* upstreams */ \
	M(UPSTREAM_FAILED,		WARN,	"upstream failed") \
	M(UPSTREAM_DOWN,		WARN,	"upstream server is down") \
	M(UPSTREAM_UP,			INFO,	"upstream server is up") \
	M(UPSTREAM_EJECTED,		WARN,	"upstream server ejected: it fails too often") \
	M(UPSTREAM_BACK,		INFO,	"upstream server is back: a request succeeded") \
	M(UPSTREAM_UNRESOLVED,		WARN,	"upstream server's name does not resolve") \
	M(UPSTREAM_BREAKER,		DEBUG,	"circuit breaker moves")

#define MESSAGE_ENUM(name, level, text) MSG_##name,
enum message {
	MESSAGES(MESSAGE_ENUM)
	MESSAGE_COUNT
};
#undef MESSAGE_ENUM

#endif
