/*
 * The commands: what each needs, how its answer is shown, and which answers are a "no".
 *
 * Layer: ctl. Thread: main. Owns: nothing (the table is constant). Errors: none.
 */
#ifndef LT_CTL_COMMANDS_H
#define LT_CTL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/show.h"

/* The exit codes of logtailerctl; a lag check has its own (lag_check.h). */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_NO = 1,          /* the answer is no: NO-GO, behind, different, time over */
    EXIT_BAD_USAGE = 2,   /* of logtailerctl, or arguments that logtailerd does not take */
    EXIT_REFUSED = 3,     /* by logtailerd, which says why */
    EXIT_NOT_REACHED = 4, /* nobody there, silent, or not understood: nothing is known, and nothing was ordered */
    EXIT_UNKNOWN = 5,     /* an order went out, and its outcome is not known */
};

struct command {
    const char *name;
    const char *arguments;
    const char *help;
    double timeout_s; /* for the answer, without --timeout */
    show_fn show;
    bool (*is_no)(const json_t *answer); /* also asked about refusals; NULL: never */
    bool looks; /* it changes nothing; all others are orders (order.h), also those not known here */
};

extern const struct command commands[];
extern const size_t n_commands;

/* NULL: not known here, which does not mean that logtailerd does not know it. */
const struct command *command_find(const char *name);
void command_print(FILE *out, const struct command *command);
void commands_print(FILE *out);

#endif
