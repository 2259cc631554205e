/*
 * A GTID set among a command's words, as people have it: @FILE or - (standard input) for one that is larger than a command line, over
 * several words where it has blanks, with line ends (also as the two characters of mysql -BN). It becomes one word of one line.
 *
 * Layer: ctl. Thread: main. Owns: the word it made (set_words_fini). Errors: of reading the file; LT_ENOMEM.
 */
#ifndef LT_CTL_SET_WORDS_H
#define LT_CTL_SET_WORDS_H

#include "ctl/arguments.h"

/* Only for commands whose arguments begin with SET; what stands behind it there stays behind it. *ret_owned: to be freed after args' last use. */
int set_words_gather(struct arguments *args, char **ret_owned, struct lt_err *err) LT_MUST_CHECK;

#endif
