/*
 * A primary, logtailerd beside it, perhaps a proxy in between: what nearly every integration test starts with and checks at the end.
 * Layer: tests/integration. Thread: the test's main thread.
 */
#ifndef LT_INTEGRATION_RIG_H
#define LT_INTEGRATION_RIG_H

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binlogs.h"
#include "cunit_main.h"
#include "daemon.h"
#include "proxy.h"
#include "server.h"
#include "sql.h"
#include "writers.h"

/* For waits that end when the state is there: long enough for a busy machine under a sanitizer. */
enum { RIG_WAIT_MS = 90000 };

struct rig {
    struct server *srv;
    struct proxy *px; /* NULL: direct */
    struct daemon *dm;
    struct sql *root;
    struct sql *other;
};

/* mariadb or mysql, from argument 1 of the test program. */
extern enum server_flavor flavor;
int rig_main(int argc, char **argv, const char *suite, const struct test_case *cases, size_t n);

/* LT_FULL=1: the full count, else the small one. */
unsigned rig_rounds(unsigned small, unsigned full);

/* Server, then (use_proxy) a proxy, then the daemon in state streaming; so may be NULL. settings: the daemon's, ended by NULL, may be NULL. */
void rig_start(struct rig *r, const struct server_options *so, bool use_proxy, char *const *settings);
/* Only the server and its connections. */
void rig_start_server(struct rig *r, const struct server_options *so, bool use_proxy);
void rig_start_daemon(struct rig *r, char *const *settings);
void rig_end(struct rig *r);

/* Everything on the primary is in the store: equal bytes, readable by the flavour's own tool. Commits must not be waiting. */
void rig_check_identical(struct rig *r);
/* Every id a writer was told is OK is stored. */
void rig_check_oked(struct rig *r, struct writers *wr);
/* status's last_error.code, or "" */
bool rig_error_is(struct rig *r, const char *code);

/* Until the primary has so many dump threads: one that its client left lives on until the server notices, and may take a fault that is
 * meant for the other. */
bool rig_wait_dumps(struct rig *r, size_t n);
/* A number inside an object of status; -1 when it is not there. */
int64_t rig_status_number(struct rig *r, const char *object, const char *key);

/* A program's path out of the environment; ends the test when there is none. */
const char *rig_program(const char *variable);

#endif
