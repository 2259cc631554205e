/*
 * logtailerd beside the fake primary: what the tests of odd sources start with and check at the end.
 * Layer: tests/integration. Thread: the test's main thread; the fake primary has its own.
 */
#ifndef LT_INTEGRATION_FAKE_RIG_H
#define LT_INTEGRATION_FAKE_RIG_H

#include "fake_primary.h"
#include "rig.h"

#define FAKE_FILE1 "binlog.000001"

struct fake_rig {
    struct rig rig; /* its daemon only */
    struct fake_primary *fp;
};

/* A primary with one file and one transaction in it, logtailerd in state streaming, all of it acknowledged where opt has semi-sync.
 * opt and settings may be NULL. */
void fake_rig_start(struct fake_rig *r, const struct fake_options *opt, char *const *settings);
/* Only the primary, with an empty first file. */
void fake_rig_start_primary(struct fake_rig *r, const struct fake_options *opt);
/* Start logtailerd, or stop it in order and start it again. */
void fake_rig_start_daemon(struct fake_rig *r, char *const *settings);
/* With a store and a wrapper of the test's choice, as in daemon.h. */
void fake_rig_start_daemon_on(struct fake_rig *r, const char *dir, char *const *wrapper, char *const *settings);
void fake_rig_restart_daemon(struct fake_rig *r);
/* New settings for the running daemon, which takes them. */
void fake_rig_reload(struct fake_rig *r, char *const *settings);
/* Stops both, and checks that no client spoke out of turn on a dump connection. */
void fake_rig_end(struct fake_rig *r);

bool fake_rig_wait_state(struct fake_rig *r, const char *state);
bool fake_rig_wait_error(struct fake_rig *r, const char *code);
/* Everything is stored, to the primary's end, and every file is equal. */
bool fake_rig_identical(struct fake_rig *r);
/* A small transaction, flagged; true when its ACK has come. */
bool fake_rig_commit(struct fake_rig *r);
/* Bytes of an event of any kind, for fake_append and FAKE_ACT_FOREIGN_EVENT: not in an open transaction. */
struct fake_pos fake_rig_append_raw(struct fake_rig *r, uint8_t type, uint16_t flags, size_t body_len, bool ack);

#endif
