/*
 * The command line of logtailerctl.
 *
 * Layer: ctl. Thread: main. Borrows: argv, for all texts. Errors: LT_EINVAL with a text.
 */
#ifndef LT_CTL_ARGUMENTS_H
#define LT_CTL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ctl/lag_check.h"

#define WORDS_MAX 32

struct arguments {
    const char *socket;
    const char *dir;
    bool json;
    bool watch;
    bool help;
    bool version;
    uint64_t interval_us; /* 0: not given */
    uint64_t timeout_us;  /* 0: not given */
    struct lag_limits limits;
    const char *words[WORDS_MAX]; /* the command and what goes to logtailerd with it */
    size_t n_words;
};

/* Our options may stand before and behind the command; every other word behind it is the command's. "--" ends ours. */
int arguments_parse(int argc, char *const *argv, struct arguments *ret, struct lt_err *err) LT_MUST_CHECK;

/*
 * Which socket: --socket, --dir, $LOGTAILER_SOCKET, else the only one under root (/var/lib/logtailer) that is there.
 * LT_EINVAL: none or several; the text lists them. Into path, of cap bytes.
 */
int arguments_socket(const struct arguments *args, const char *root, char *path, size_t cap,
                     struct lt_err *err) LT_MUST_CHECK;

#endif
