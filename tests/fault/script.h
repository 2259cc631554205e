/*
 * The scripted stream of the fault tests: a few files of valid events, fed to a store with random pieces and syncs, with a note of what the
 * store reported durable.
 *
 * Layer: tests/fault. Owns: the files' bytes (script_fini).
 */
#ifndef LT_TESTS_FAULT_SCRIPT_H
#define LT_TESTS_FAULT_SCRIPT_H

#include "store_test.h"

#define SCRIPT_FILES 3

struct script {
    struct binlog_gen gen[SCRIPT_FILES];
    const char *names[SCRIPT_FILES];
    unsigned lineage[SCRIPT_FILES];
    /* what the store said: file (-1 none), and how much of it */
    int file;
    uint64_t durable;
    uint64_t watermark;
};

uint64_t script_random(uint64_t *rng);
/* flavour: bit 0 MariaDB, bit 1 no checksums, bit 2 some large transactions, of which much is written before their sync, bit 3 the last file is
 * the first of a second lineage, under the first one's name. */
void script_init(struct script *sc, unsigned flavour, uint64_t seed);
void script_fini(struct script *sc);
/* Take what the store reports now. */
void script_note(struct script *sc, struct store *s);
/* Go on from where the store stands, until the end of the script or the first error, with at most max_events events. Notes after each sync. */
int script_run(struct script *sc, struct store *s, uint64_t *rng, unsigned max_events, struct lt_err *err);
/* After reopening: all that was reported is there byte for byte, and all that is there is the script's. */
bool script_check(const struct script *sc, struct store *s);
bool script_complete(const struct script *sc, struct store *s);

#endif
