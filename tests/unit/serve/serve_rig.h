/*
 * A store on a real folder, fed by hand, and a server over it: what every test of the serve layer starts with.
 * Layer: tests/unit/serve. Thread: the test's. Use inside CUnit cases only.
 */
#ifndef LT_UNIT_SERVE_RIG_H
#define LT_UNIT_SERVE_RIG_H

#include "binlog_gen.h"
#include "cunit_main.h"
#include "fake_primary.h"
#include "serve/serve.h"
#include "store/reader.h"
#include "tail_raw.h"

#define RIG_SOURCE  "source-1"
#define RIG_FILE    "mysql-bin.000001"
#define RIG_FILE2   "mysql-bin.000002"
#define RIG_WAIT_MS 20000

struct serve_rig {
    char dir[64];
    struct store *store;
    struct serve *serve;
    struct serve_options opt;
    struct binlog_gen gen; /* the newest file as fed */
    size_t fed;
    unsigned file; /* number of the newest */
};

/* Store with a lineage and its first file (format description and list fed and synced), server with these options (may be NULL). */
void serve_rig_start(struct serve_rig *r, bool mariadb, const struct serve_options *opt);
/* Only the store, empty. */
void serve_rig_store(struct serve_rig *r, bool mariadb);
bool serve_rig_serve(struct serve_rig *r, const struct serve_options *opt);
void serve_rig_end(struct serve_rig *r);
/* Feed what gen has more than was fed, and sync. */
void serve_rig_sync(struct serve_rig *r);
/* n transactions of so many bytes each, synced. */
void serve_rig_txns(struct serve_rig *r, unsigned n, size_t bytes);
/* A Rotate, then the next file with its list. */
void serve_rig_rotate(struct serve_rig *r);
/* Another history; its first file is RIG_FILE again. */
void serve_rig_lineage(struct serve_rig *r, const char *source);
/* Its port, connected, with a Hello behind it. */
struct tail_raw *serve_rig_hello(struct serve_rig *r);
struct tail_raw *serve_rig_subscribe(struct serve_rig *r, const struct tail_start *start);
/* Write a text file into the rig's folder; its path stays until the next call. */
const char *serve_rig_file(struct serve_rig *r, const char *name, const char *text);

/* Another line of a users file. */
void serve_rig_user(char *text, size_t cap, const char *user, const char *salt, const char *secret);
/* A CA and a certificate of it, in a folder of the rig's. */
void serve_rig_certs(struct serve_rig *r, const char *sub, const char *cn, struct fake_certs *ret);

#define RIG_EARLIEST    ((struct tail_start){.start = LOGTAILER__TAIL__START_KIND__START_EARLIEST})
#define RIG_ERROR(name) LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

#endif
