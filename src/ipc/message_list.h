/*
 * message_list: everything that our own processes say to each other over channels, one row each.
 *
 * A row: NAME, what it says. The payload (pack.h, in this order) and the descriptors stand in the sentence. Both ends
 * are always the same build, so there are no versions and unknown types are a mistake of ours.
 */
#ifndef REEVE_IPC_MESSAGE_LIST_H
#define REEVE_IPC_MESSAGE_LIST_H

#define IPC_MESSAGES(M) \
	/* trial → primary: its only message, then it exits */ \
	M(TRIAL_ACCEPTED,	"the configuration is good. No payload. fd: bundle (bundle.h names its parts)") \
	M(TRIAL_REFUSED,	"the configuration is bad. No payload. fd: bundle of one part: problems, a line each") \
	M(TRIAL_FAILED,		"no bundle can be made of it. The payload is why") \
	/* primary → worker */ \
	M(LISTENERS,		"sockets for the PREPARE that follows: number id, for each; fds: one for each") \
	M(PREPARE,		"build it beside the other: number generation, number id a listener; fd: bundle") \
	M(COMMIT,		"new requests take the prepared one: number generation") \
	M(ABORT,		"forget the prepared one: number generation") \
	M(DRAIN,		"stop accepting, finish, exit: number grace ms, number idle ms; again: sooner") \
	M(LOOK,			"a worker died that may have been woken for a connection: look yourself. No payload") \
	/* worker → primary */ \
	M(READY,		"built: number generation. The first: serving, too") \
	M(FAILED,		"cannot be built: number generation, span why") \
	M(IN_USE,		"after COMMIT: number generation") \
	/* primary → logger */ \
	M(LOG_SOURCE,		"read this from now on: span name, unique; fd: a pipe's read end") \
	M(LOG_DESTINATION,	"write there from now on: number enum log_form, span \"stderr\", \"stdout\" or path") \
	M(LOG_REOPEN,		"open the destination anew, then answer LOG_REOPENED. No payload") \
	M(LOG_STOP,		"write all that is in the pipes now, then exit. No payload") \
	/* logger → primary */ \
	M(LOG_REOPENED,		"one for each LOG_REOPEN, in order: flag done, span why not (late when the disk hangs)")

#define IPC_ENUM(name, doc) IPC_##name,
enum ipc_type {
	IPC_MESSAGES(IPC_ENUM)
	IPC_TYPES
};
#undef IPC_ENUM

/* How LOG_DESTINATION wants lines written. */
enum log_form { LOG_FORM_JSON, LOG_FORM_PRETTY, LOG_FORM_AUTO };	/* AUTO: pretty when it is a terminal */

#endif
