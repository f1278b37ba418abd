/*
 * primary: the process that never serves. It owns the listening sockets, the bundle, the shared memory and the log
 * pipes, keeps workers and logger alive, and answers signals and the control socket.
 *
 *	STARTING ──▶ RUNNING ──▶ STOPPING ──▶ gone
 *	              ▲    │
 *	              └────┴ a reload: trial, PREPARE, COMMIT (reload.c)
 *
 * It parses no YAML and no HTTP and resolves no names: a trial child reads the configuration and hands it over as a
 * sealed bundle (trial.h).
 */
#ifndef REEVE_PRIMARY_PRIMARY_H
#define REEVE_PRIMARY_PRIMARY_H

/*
 * Runs until it is told to stop. control_override replaces the configuration's `control`; NULL: no.
 * Exit code: 0 stopped as asked, 1 failed (the reason is on stderr or in the log).
 */
int	primary_run(const char *config_path, const char *control_override);

#endif
