/*
 * Runs logtailerctl as an operator does, through a shell, and keeps what it says.
 *
 * Layer: tests/support. Environment: LT_CTL; meson sets it. Thread: one. Owns: the output, until ctl_forget.
 */
#ifndef LT_SUPPORT_CTL_RUN_H
#define LT_SUPPORT_CTL_RUN_H

#include <stdbool.h>

struct ctl_run {
    char *where;  /* "--dir DIR" or "--socket PATH"; of the caller */
    char *folder; /* where the output goes; of the caller */
    char *output; /* of the last run, stdout and stderr */
};

/* The exit code. */
int ctl_run(struct ctl_run *c, const char *words);
/* The last run said so; what it said goes to stderr where it did not. */
bool ctl_said(const struct ctl_run *c, const char *text);
void ctl_forget(struct ctl_run *c);

#endif
