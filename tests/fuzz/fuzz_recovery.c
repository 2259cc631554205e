/*
 * Recovery of arbitrary bytes: input = a segment file behind its magic. No crash, no hole, no byte that was not there; a second recovery changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_test.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define PATH TEST_LINEAGE "/" TEST_FILE

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "recovery: %s\n", what);
    abort();
}

/* What is left is a prefix of what was there, and the numbers agree. */
static uint64_t open_once(struct vfs_sim *sim, const uint8_t *file, size_t len, bool again)
{
    struct store *s;
    struct lt_err err;
    struct store_view v;
    struct store_resume r;
    const uint8_t *left;
    size_t left_len;

    int rc = test_open(vfs_sim_vfs(sim), false, &s, &err);
    if (rc < 0) {
        check(rc == LT_ECORRUPT && !again, err.text);
        return 0;
    }
    check(store_view_get(s, &v) == 0, "view");
    store_resume_point(s, &r);
    uint64_t end = store_appended(s);
    if (!r.empty) {
        check(vfs_sim_get_durable(sim, PATH, &left, &left_len) && left_len == end && end <= len && memcmp(left, file, end) == 0, "prefix");
        check(v.watermark <= end && v.durable == end && r.offset <= v.watermark && r.offset >= 4 && r.end == end, "numbers");
        check(!again || store_recovered(s)->cut_bytes == 0, "cut again");
    }
    store_view_fini(&v);
    store_close(s);
    return end;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    uint8_t *file = malloc(size + BINLOG_MAGIC_LEN);
    if (file == NULL)
        abort();
    memcpy(file, binlog_magic, BINLOG_MAGIC_LEN);
    if (size > 0)
        memcpy(file + BINLOG_MAGIC_LEN, data, size);
    vfs_sim_put(sim, TEST_DIR "/format", "1\n", 2);
    vfs_sim_put(sim, PATH, file, size + BINLOG_MAGIC_LEN);
    uint64_t end = open_once(sim, file, size + BINLOG_MAGIC_LEN, false);
    check(open_once(sim, file, size + BINLOG_MAGIC_LEN, true) == end, "second open");
    check(vfs_sim_open_fds(sim) == 0, "descriptors");
    free(file);
    vfs_sim_free(sim);
    return 0;
}
