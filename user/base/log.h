/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Everything that is not a result goes to standard error through here; one line a call, no newline. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "util.h"

/* LOG_NOTE is always shown: what a command says that has no other output. */
enum log_level { LOG_NOTE = 0, LOG_ERR = 1, LOG_WARN = 2, LOG_INFO = 3, LOG_DEBUG = 4 };

void log_set_level(enum log_level level); /* default: LOG_WARN */
enum log_level log_get_level(void);
/* From now on: each line a JSON object of the schema of all other lines, or text. */
void log_set_json(bool is_json);
/*
 * From now on no message waits for who reads standard error, and what anybody shares with us is left as it is: what
 * there is no room for is lost, and its number said by the next that there is room for.  For whoever watches.
 */
void log_never_wait(void);
void log_write(enum log_level level, const char *fmt, ...) printf_like(2, 3);
/* The same of a process. */
void log_about(enum log_level level, pid_t pid, const char *fmt, ...) printf_like(3, 4);

#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
/* Logs and returns err, so that the level that decides can say "return log_err(err, ...)". */
#define log_err(err, ...)                        \
	({                                       \
		int err_ = (err);                \
		log_write(LOG_ERR, __VA_ARGS__); \
		err_;                            \
	})

#endif
