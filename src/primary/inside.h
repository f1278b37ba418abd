/*
 * inside: what the files of this room share; not for other rooms.
 *
 *	primary.c	primary_run(): what must be there before the first step, and what is put away at the end
 *	start.c		from nothing to RUNNING
 *	edition.c	one accepted configuration: bundle, orders, listeners
 *	workers.c	who should be there, who is, and what they are told
 *	death.c		what an end of a worker means: log, crash report, roll-back
 *	logs.c		log pipes and the logger
 *	reload.c	trial, PREPARE, COMMIT
 *	rollback.c	workers that keep dying, and back again
 *	trial*.c	the child that reads a configuration, and the primary's side of it
 *	swap.c		new contents of certificate files, in use without a reload of the configuration
 *	expiry.c	certificates that come to their end
 *	stop.c		from RUNNING to nothing
 *	watchdog.c	workers that do not turn their loop
 *	sample.c	rates, once a second
 *	tickets.c	keys of TLS session tickets, in time
 *	status.c	all of it as JSON
 *	verbs.c		signals and the control socket: who may ask for what
 */
#ifndef REEVE_PRIMARY_INSIDE_H
#define REEVE_PRIMARY_INSIDE_H

#include "control/server.h"
#include "ipc/channel.h"
#include "ipc/log_pipe.h"
#include "loop/loop.h"
#include "primary/certificates.h"
#include "primary/file_watch.h"
#include "primary/listeners.h"
#include "primary/orders.h"
#include "primary/trial.h"
#include "store/board.h"
#include "store/slots.h"
#include "store/ticket_ring.h"
#include "supervise/child.h"

struct primary;

enum primary_state { PRIMARY_STARTING, PRIMARY_RUNNING, PRIMARY_STOPPING };

/* -- editions ------------------------------------------------------------------------------------------------------ */

/*
 * One accepted configuration with the contents of its files. The primary has the one in use, a coming one, and up to two
 * to go back to (rollback.c).
 */
struct edition {
	uint64_t		 generation;
	int			 bundle_fd;	/* owned */
	struct orders		*orders;	/* owned */
	struct certificates	*certificates;	/* owned */
	struct listeners	 listeners;	/* only of those in use or coming */
};

/* bundle_fd is duplicated. */
struct edition	*edition_create(struct primary *primary, int bundle_fd, struct err *err);
/* Whether workers would make the same of both; then the files' marks may be taken over. */
bool		 edition_is_same(const struct edition *edition, int bundle_fd);
void		 edition_refresh(struct edition *edition, int bundle_fd);
void		 edition_free(struct edition *edition);	/* NULL is fine */

/* -- workers ------------------------------------------------------------------------------------------------------- */

/*
 * A worker has a slot (its number, its own while it lives) and a seat (0 … workers-1: which one of the wanted workers
 * it is, and which socket of a reuse_port listener it has). While a seat's worker is replaced, two have that seat.
 */
struct worker_child {
	struct list_node	 node;			/* primary->workers */
	struct primary		*primary;		/* borrowed */
	struct child		 child;
	unsigned		 slot;
	unsigned		 seat;
	struct channel		*channel;		/* owned; NULL: no process */
	int			 crash_fd;		/* owned: memfd for its crash report */
	uint64_t		 generation;		/* of the edition it uses or was born with */
	uint64_t		 identity_version;	/* as whom it was born */
	bool			 awaits_ready;		/* PREPARE has been sent, the answer is to come */
	bool			 awaits_use;		/* COMMIT has been sent, the answer is to come */
	bool			 is_leaving;		/* told to drain: does not count any more */
	char			 why[256];		/* FAILED, of its last try */

	uint64_t	sampled_requests;
	double		requests_per_second;
	struct later	later;	/* frees */
};

#define EACH_WORKER(primary, at) \
	struct list_node *at = (primary)->workers.next, *at##_next = at->next; \
	at != &(primary)->workers; \
	at = at##_next, at##_next = at->next
#define WORKER(at) LIST_OWNER(at, struct worker_child, node)

/* Makes the workers what the edition in use wants: starts who is missing, replaces and ends others. */
void		 workers_adjust(struct primary *primary);
void		 workers_stop(struct primary *primary, uint64_t grace_ms, uint64_t idle_ms);	/* all; again: sooner */
unsigned	 workers_count(const struct primary *primary);	/* processes, and those that wait to become one */
struct slot	*worker_slot(const struct worker_child *worker);
void		 worker_send_number(struct worker_child *worker, enum ipc_type type, uint64_t number);

/* death.c: called when a worker's process has ended; it still has its slot. */
void		 worker_death(struct worker_child *worker, const struct child_end *end);

/* -- logs ---------------------------------------------------------------------------------------------------------- */

struct log_line {
	int	fds[2];	/* owned: read end, write end; both stay open so that a logger's death loses nothing */
};

struct reopen_call {
	struct list_node	 node;
	struct control_call	*call;	/* NULL: a signal, or answered already */
	struct timer		 limit;
};

struct logs {
	struct child		 logger;
	struct channel		*channel;	/* NULL: no logger now */
	struct log_line		 own;
	struct log_line		*lines;		/* owned: by slot; fds 0: not made yet */
	struct log_pipe		*pipe;		/* the primary's own records */
	struct list_node	 reopens;	/* struct reopen_call: asked, not answered */
	bool			 is_open;
};

bool	logs_open(struct primary *primary, struct err *err);
void	logs_configure(struct primary *primary);	/* destination and level of the edition in use */
int	logs_write_end(struct primary *primary, unsigned slot);	/* the pipe of a worker; -1: cannot be made */
void	logs_reopen(struct primary *primary, struct control_call *call);	/* call may be NULL */
void	logs_stop(struct primary *primary);	/* on the logger's end primary_gone() is called */
void	logs_close(struct primary *primary);

/* -- reload -------------------------------------------------------------------------------------------------------- */

enum reload_state { RELOAD_IDLE, RELOAD_TRYING, RELOAD_PREPARING, RELOAD_COMMITTING };

/* What the steps are taken for. */
enum reload_cause {
	RELOAD_ASKED,	/* somebody wants the configuration read anew */
	RELOAD_SWAP,	/* certificate files have changed */
	RELOAD_BACK,	/* workers keep dying */
};

struct calls {
	struct control_call	**items;	/* owned list; the calls wait for an answer */
	size_t			 count;
};

struct reload {
	enum reload_state	 state;
	enum reload_cause	 cause;
	struct trial		*trial;
	struct edition		*next;		/* owned */
	struct control_server	*next_control;	/* owned; NULL: the one we have stays */
	bool			 is_pending;	/* asked for once more when this one is done */
	struct calls		 calls;		/* to be told of this one */
	struct calls		 pending_calls;
	struct timer		 timer;
	struct text		 warnings;
	const char		*last_result;	/* "none", "ok", "failed", "rolled_back" */
	struct text		 last_message;
	uint64_t		 last_ms;	/* wall clock */
};

void	reload_init(struct primary *primary);
void	reload_next(struct primary *primary);					/* what waits for its turn; idle only */
void	reload_fail(struct primary *primary, struct span why);
void	reload_fail_text(struct primary *primary, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool	reload_open(struct primary *primary, int bundle_fd, struct err *err);	/* the coming edition */
void	reload_prepare(struct primary *primary);
void	reload_request(struct primary *primary, struct control_call *call);	/* call may be NULL: a signal */
void	reload_worker_started(struct worker_child *worker);	/* while another edition may be being prepared */
void	reload_worker_ready(struct worker_child *worker, uint64_t generation);
void	reload_worker_failed(struct worker_child *worker, uint64_t generation, const char *why);
void	reload_worker_in_use(struct worker_child *worker);
void	reload_worker_ended(struct worker_child *worker);
void	reload_cancel(struct primary *primary, const char *why);
void	reload_say_warnings(struct span lines);

void	calls_add(struct calls *calls, struct control_call *call);	/* NULL is passed over */
void	calls_reply(struct calls *calls, bool ok, struct span text);	/* to all; then there are none */

/* -- going back ---------------------------------------------------------------------------------------------------- */

/* What came into use lately, and until when (monotonic) deaths of workers count against it. */
struct probation {
	struct edition	*before;	/* owned: where to go back to; NULL: nowhere */
	uint64_t	 until_ms;
};

/* rollback.c tells how the two go together. */
struct rollback {
	struct probation	reload;			/* of what somebody asked for */
	struct probation	swap;			/* of new certificates */
	bool			was_reload_unproven;	/* when the swap came into use */
	bool			is_due;			/* as soon as what is going on is done */
	bool			is_of_swap;		/* the one that is going on */
	uint64_t		deaths_ms[3];		/* when the last ones were, monotonic */
};

void	rollback_commit(struct primary *primary, struct edition *next);	/* it is in use now; takes it */
bool	rollback_begin(struct primary *primary);			/* false: there is nothing to go back to */
void	rollback_tidy(struct primary *primary);				/* gives up what is not needed any more */
void	rollback_worker_crashed(struct worker_child *worker);		/* by a mistake, not by a signal from outside */
void	rollback_fini(struct primary *primary);

/* -- certificates -------------------------------------------------------------------------------------------------- */

struct swap {
	struct file_watch	*watch;
	struct timer		 again;			/* after a failure that says nothing about the files */
	bool			 is_due;		/* as soon as nothing else is going on */
	bool			 is_refusal_told;	/* of the state of files that is there */
	bool			 is_failure_told;
	struct text		 files;			/* that have changed and can be used, as far as is known */
	struct text		 refused;		/* why others cannot; empty: there are none */
	const char		*last_result;		/* "none", "ok", "partly", "refused", "rolled_back" */
	struct text		 last_message;
	uint64_t		 last_ms;		/* wall clock */
	uint64_t		 count;			/* those that came into use */
};

void	swap_start(struct primary *primary);
void	swap_stop(struct primary *primary);
void	swap_watch(struct primary *primary);	/* the files of the edition in use */
void	swap_begin(struct primary *primary);	/* nothing else is going on */
void	swap_done(struct primary *primary);
void	swap_failed(struct primary *primary, struct span why, bool is_refused);
void	swap_rolled_back(struct primary *primary);

struct expiry {
	struct list_node	told;	/* struct expiry_told, owned */
	struct timer		timer;
};

void	expiry_start(struct primary *primary);
void	expiry_stop(struct primary *primary);
void	expiry_look(struct primary *primary);	/* at the certificates of the edition in use */

/* -- the primary --------------------------------------------------------------------------------------------------- */

struct sample {
	struct timer	timer;
	uint64_t	at_ms;
	uint64_t	requests;
	double		requests_per_second;
};

struct watchdog {
	struct timer	timer;
	uint64_t	due_ms;		/* when the timer should fire */
	uint64_t	quiet_ms;	/* monotonic: until then nobody is accused, because the machine slept */
};

enum { PRIMARY_SIGNALS = 6 };

struct primary {
	struct loop		*loop;
	struct family		*family;
	const char		*config_path;		/* borrowed */
	const char		*control_override;	/* borrowed; NULL: none */
	enum primary_state	 state;
	int			 exit_code;
	uint64_t		 started_ms;		/* monotonic */
	uint64_t		 started_wall_ms;

	struct loop_signal	*signals[PRIMARY_SIGNALS];
	struct slots		*slots;
	struct board		*board;
	struct ticket_ring	*ticket_ring;
	struct timer		 ticket_timer;	/* rotates its keys */
	struct control_server	*control;
	char			*pid_file;	/* owned: the one that was written */

	uint64_t		 generations;	/* handed out */
	struct edition		*current;	/* owned */
	struct rollback		 rollback;
	uint64_t		 identity_version;
	struct list_node	 workers;	/* struct worker_child, owned */
	struct logs		 logs;
	struct trial		*first_trial;
	struct reload		 reload;
	struct swap		 swap;
	struct expiry		 expiry;
	struct watchdog		 watchdog;
	struct sample		 sample;

	struct timer	stop_timer;		/* shutdown.delay */
	bool		is_stopping_now;	/* no grace */
	bool		is_draining;		/* workers were told to end */
	bool		is_last_act;		/* only the logger is left */
	struct calls	stop_calls;
};

/* start.c */
void	primary_start(struct primary *primary);
void	primary_worker_ready(struct primary *primary);
void	primary_worker_not_started(struct worker_child *worker, const char *why);

/* stop.c */
void	primary_stop(struct primary *primary, bool at_once, struct control_call *call);	/* call may be NULL */
void	primary_worker_gone(struct primary *primary);
void	primary_gone(struct primary *primary);

/* verbs.c */
extern const struct control_verbs primary_verbs;
void	signals_open(struct primary *primary);
void	signals_close(struct primary *primary);

/* watchdog.c, sample.c, tickets.c, status.c, pid_file.c */
void	watchdog_start(struct primary *primary);
void	watchdog_stop(struct primary *primary);
void	sample_start(struct primary *primary);
void	sample_stop(struct primary *primary);
void	tickets_start(struct primary *primary);
void	tickets_stop(struct primary *primary);
void	status_format(struct primary *primary, struct text *json);
bool	pid_file_use(struct primary *primary, struct err *err);	/* as the edition in use wants it */
void	pid_file_remove(struct primary *primary);

#endif
