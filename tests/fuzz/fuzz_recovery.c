/*
 * Recovery of arbitrary bytes: input = a segment file behind its magic, taken as it is and with its checksums
 * put right. No crash, no hole, no byte that was not there; a second recovery changes nothing.
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
        check(vfs_sim_get_durable(sim, PATH, &left, &left_len) && left_len == end && end <= len &&
                  memcmp(left, file, end) == 0,
              "prefix");
        check(v.watermark <= end && v.durable == end && r.offset <= v.watermark && r.offset >= 4 && r.end == end,
              "numbers");
        check(!again || store_recovered(s)->cut_bytes == 0, "cut again");
    }
    store_view_fini(&v);
    store_close(s);
    return end;
}

/* The checksums put right, so that mutated events get past them. */
static void fix_checksums(uint8_t *file, size_t len)
{
    struct event_header h;
    bool crc = true; /* an FDE always has one */

    for (size_t at = BINLOG_MAGIC_LEN; len - at >= EVENT_HEADER_LEN && event_header_parse(file + at, len - at, &h) == 0;
         at += h.length) {
        struct event_fde fde;
        if (h.length > len - at)
            break;
        if (crc && h.length >= EVENT_HEADER_LEN + EVENT_CRC_LEN)
            event_crc_set(file + at, h.length);
        if (at == BINLOG_MAGIC_LEN)
            crc = event_fde_parse(file + at, h.length, &fde) == 0 && fde.checksum == CHECKSUM_CRC32;
    }
}

static void recover(const uint8_t *file, size_t len)
{
    struct vfs_sim *sim = vfs_sim_new(1);

    vfs_sim_put(sim, TEST_DIR "/format", "1\n", 2);
    vfs_sim_put(sim, PATH, file, len);
    uint64_t end = open_once(sim, file, len, false);
    check(open_once(sim, file, len, true) == end, "second open");
    check(vfs_sim_open_fds(sim) == 0, "descriptors");
    vfs_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t len = size + BINLOG_MAGIC_LEN;
    uint8_t *file = malloc(len);
    if (file == NULL)
        abort();
    memcpy(file, binlog_magic, BINLOG_MAGIC_LEN);
    if (size > 0)
        memcpy(file + BINLOG_MAGIC_LEN, data, size);
    recover(file, len);
    fix_checksums(file, len);
    recover(file, len);
    free(file);
    return 0;
}
