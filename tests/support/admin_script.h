/*
 * An admin socket that answers what a test wrote down, for programs that ask one. No logtailerd is behind it.
 *
 * Layer: tests/support. Thread: start and stop from the test; one thread of its own, one client at a time, others wait in the queue.
 * Owns: the socket file and the thread, until admin_script_stop. Borrows: the rules. Errors: what cannot be set up ends the test.
 */
#ifndef LT_SUPPORT_ADMIN_SCRIPT_H
#define LT_SUPPORT_ADMIN_SCRIPT_H

#include <stddef.h>

enum admin_manner {
    ADMIN_ANSWERS, /* in two pieces, with a line end */
    ADMIN_HANGS,   /* reads, and is silent */
    ADMIN_CLOSES,  /* reads, and closes */
};

struct admin_rule {
    const char *line; /* the whole line, or its beginning when it ends in '*'; also without its "order ID " */
    const char *answer;
    enum admin_manner manner;
    char *(*make)(unsigned nth); /* instead of answer; nth counts from 0; the result is freed */
};

struct admin_script;

/* A line that no rule knows gets the unknown_command of logtailerd. */
struct admin_script *admin_script_start(const char *path, const struct admin_rule *rules, size_t n);
void admin_script_stop(struct admin_script *script);
/* The last line that came, as the rules saw it; "" for none. Valid until the next comes. */
const char *admin_script_last(struct admin_script *script);

#endif
