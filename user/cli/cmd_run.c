/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * `run`: starts a program under observation, watched before its first instruction.
 *
 * It ends with us.  What we are asked to end by it is asked too, and waited for; if we are killed, the
 * kernel sends it SIGTERM; and before it is watched it does not begin at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "commands.h"
#include "engine.h"
#include "log.h"

struct started {
	pid_t pid;
	int go_fd;     /* a byte lets the program start; closed without one, it ends */
	int failed_fd; /* readable: the errno of a failed exec */
};

static void child_main(char **args, const int go[2], const int failed[2], pid_t parent)
{
	sigset_t none;
	char byte;
	int err;

	close(go[1]);
	close(failed[0]);
	/* Who was killed before the first of these is seen to be gone by the second, though it had let us go. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || read(go[0], &byte, 1) != 1)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(args[0], args);
	err = errno;
	if (write(failed[1], &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static int start(char **args, struct started *started)
{
	pid_t parent = getpid();
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return -errno;
	}
	started->pid = fork();
	if (started->pid == 0)
		child_main(args, go, failed, parent);
	close(go[0]);
	close(failed[1]);
	started->go_fd = go[1];
	started->failed_fd = failed[0];
	return started->pid < 0 ? -errno : 0;
}

/* Lets it go. 0, or the errno that exec failed with. */
static int go(struct started *started)
{
	int err = 0;

	if (write(started->go_fd, "", 1) != 1)
		err = errno;
	close(started->go_fd);
	if (err)
		return err;
	if (read(started->failed_fd, &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(started->failed_fd);
	return err;
}

static int exit_code(int status, int code)
{
	if (code)
		return code;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * The watch is over and the program is not: lets it end in its own time.  Ctrl-C has reached it already, as
 * part of the terminal's process group; a second SIGTERM would make most servers quit at once.  A
 * signal to us from now on ends it for good.
 */
static void end_program(pid_t pid, int *status)
{
	sigset_t signals;
	int got;

	if (!engine_was_typed())
		kill(pid, engine_caught_signal() == SIGINT ? SIGINT : SIGTERM);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	while (waitpid(pid, status, WNOHANG) == 0) {
		if (sigwait(&signals, &got) == 0 && got != SIGCHLD)
			kill(pid, SIGKILL);
	}
}

int cmd_run(const struct opts *opts)
{
	struct engine *engine;
	struct started started = { -1, -1, -1 };
	int code, err, status = 0;
	bool has_ended;

	if (!opts->nr_args)
		return log_err(EXIT_USAGE, "run: which program? loophound run -- python3 app.py");
	code = engine_open(&engine, opts);
	if (code)
		return code;
	err = start(opts->args, &started);
	if (!err)
		err = engine_watch_pid(engine, started.pid, TARGETS_DESCENDANT);
	if (!err)
		err = -go(&started);
	if (err) {
		log_write(LOG_ERR, "run %s: %s", opts->args[0], strerror(-err));
		engine_free(engine);
		return EXIT_FAILED;
	}
	code = engine_run(engine, started.pid, &status);
	has_ended = engine_child_ended(engine);
	if (!has_ended)
		end_program(started.pid, &status);
	engine_free(engine);
	return has_ended ? exit_code(status, code) : code;
}
