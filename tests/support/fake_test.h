/*
 * What the tests of the fake primary share: a server with one file, a raw replica on it, reading up to a place.
 * Layer: tests. Thread: main.
 */
#ifndef LT_TESTS_FAKE_TEST_H
#define LT_TESTS_FAKE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/txn.h"
#include "cunit_main.h"
#include "fake_primary.h"
#include "raw_replica.h"

#define FILE1 "binlog.000001"

static inline struct raw_options options_for(struct fake_primary *fp)
{
    return (struct raw_options){.port = fake_port(fp),
                                .user = "repl",
                                .password = "secret",
                                .server_id = 77,
                                .semi_sync = true,
                                .heartbeat_ms = 100,
                                .uuid = "11111111-2222-3333-4444-555555555555"};
}

static inline struct fake_primary *start_with_file(const char *version)
{
    struct fake_primary *fp = fake_primary_start(&(struct fake_options){.version = version});
    fake_open_file(fp, FILE1);
    return fp;
}

static inline struct raw_replica *dump_with(const struct raw_options *opt, const char *file, uint64_t pos)
{
    struct lt_err err = {0};
    struct raw_replica *r = raw_open(opt, &err);
    CU_ASSERT_PTR_NOT_NULL(r);
    if (!r) {
        (void)fprintf(stderr, "%s\n", err.text);
        return NULL;
    }
    CU_ASSERT_EQUAL(raw_dump(r, file, pos), 0);
    return r;
}

static inline struct raw_replica *dump_from(struct fake_primary *fp, const char *file, uint64_t pos)
{
    struct raw_options opt = options_for(fp);
    return dump_with(&opt, file, pos);
}

/* Stored events up to `end`, checked and fed to the tracker; the last one into *ret. Returns how many, 0 on failure. */
static inline unsigned read_to(struct raw_replica *r, const struct fake_pos *end, struct raw_event *ret,
                               struct txn_tracker *t)
{
    unsigned n = 0;
    for (;;) {
        int code = raw_next(r, ret);
        if (code != 0) {
            (void)fprintf(stderr, "raw_next: %d %s\n", code, raw_error_text(r));
            return 0;
        }
        if (ret->artificial)
            continue;
        n++;
        CU_ASSERT(ret->crc_ok);
        if (t) {
            struct txn_step step;
            txn_feed(t, &ret->h, ret->data, ret->len, &step);
        }
        if (strcmp(ret->file, end->file) == 0 && ret->end >= end->pos)
            return n;
    }
}

#endif
