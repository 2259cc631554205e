/*
 * What the store's tests share: a store on a simulated file system, opened with one call.
 *
 * Layer: tests/support. Use inside CUnit cases only.
 */
#ifndef LT_SUPPORT_STORE_TEST_H
#define LT_SUPPORT_STORE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlog_gen.h"
#include "store/reader.h"
#include "store/store.h"
#include "vfs_record.h"
#include "vfs_sim.h"

#define TEST_DIR     "/db"
#define TEST_SOURCE  "source-1"
#define TEST_LINEAGE TEST_DIR "/lineages/0001-" TEST_SOURCE
#define TEST_FILE    "mysql-bin.000001"
#define TEST_FILE2   "mysql-bin.000002"

/* unsynced_max: 0 for the default; little makes small events what events of hundreds of MiB are: synced in their middle. */
static inline int test_open_max(const struct vfs *vfs, bool prewrite, uint64_t unsynced_max, struct store **ret,
                                struct lt_err *err)
{
    struct store_options opt = {.dir = TEST_DIR,
                                .prewrite = prewrite,
                                .prewrite_bytes = prewrite ? 256 * 1024 : 0,
                                .write_back_bytes = 128 * 1024,
                                .unsynced_max = unsynced_max};

    memset(err, 0, sizeof *err);
    *ret = NULL;
    return store_open(&opt, vfs, ret, err);
}

static inline int test_open(const struct vfs *vfs, bool prewrite, struct store **ret, struct lt_err *err)
{
    return test_open_max(vfs, prewrite, 0, ret, err);
}

/* A store with a lineage and an empty file; NULL on failure. */
static inline struct store *test_begin(const struct vfs *vfs, bool prewrite)
{
    struct store *s;
    struct lt_err err;

    if (test_open(vfs, prewrite, &s, &err) < 0)
        return NULL;
    if (store_lineage_begin(s, TEST_SOURCE, &err) < 0 || store_segment_begin(s, TEST_FILE, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        store_close(s);
        return NULL;
    }
    return s;
}

static inline bool test_feed(struct store *s, const struct binlog_gen *g, size_t from, size_t to)
{
    size_t end;

    return gen_feed(s, g->data, to, from, 4096, false, &end) == 0 && end == to;
}

static inline bool test_file_is(struct vfs_sim *sim, const char *path, const void *data, size_t len)
{
    const uint8_t *have;
    size_t have_len;

    return vfs_sim_get(sim, path, &have, &have_len) && have_len == len && (len == 0 || memcmp(have, data, len) == 0);
}

#endif
