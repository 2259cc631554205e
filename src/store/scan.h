/*
 * Walks the events of a stored file, with the same tracker and the same rules for GTID sets as the append path.
 *
 * Layer: store, private. Thread: writer, in recovery. Borrows: vfs, fd, gtids. Owns: its window (scan_fini).
 * Errors: LT_ESYS, LT_ENOMEM. The first event that is not whole and valid is not an error but the end: now.trk.offset.
 */
#ifndef LT_STORE_SCAN_H
#define LT_STORE_SCAN_H

#include "store/store_internal.h"

struct scan {
    const struct vfs *vfs;
    int fd;
    uint64_t limit;                 /* nothing at or after it is looked at */
    struct gtid_set *gtids;         /* NULL: not wanted */
    const struct forced_ends *ends; /* NULL: none */
    struct tail_state now;
    struct tail_state bound;
    bool list_seen;     /* a list event gave the set its base */
    bool ended;         /* no further valid event */
    uint64_t completed; /* transactions */
    uint8_t *window;
    uint64_t window_off;
    size_t window_len;
};

int scan_init(struct scan *sc, const struct vfs *vfs, int fd, uint64_t limit, struct gtid_set *gtids,
              struct lt_err *err) LT_MUST_CHECK;
void scan_fini(struct scan *sc);
/* One event; sets `ended` when there is none. */
int scan_step(struct scan *sc, struct lt_err *err) LT_MUST_CHECK;
int scan_all(struct scan *sc, struct lt_err *err) LT_MUST_CHECK;
/* A sealed file that is open at fd, with the ends that only NAME.ends tells: all of it, or (to_list_only) until it is known whether it has a list. What was
 * found is in sc, which needs no scan_fini. */
int scan_with_ends(struct store *s, const struct lineage *lin, const char *file, int fd, bool to_list_only,
                   struct gtid_set *gtids, struct scan *sc, struct lt_err *err) LT_MUST_CHECK;
/* End of the last byte in [from, size) that is not zero; from when there is none. */
int scan_data_end(const struct vfs *vfs, int fd, uint64_t from, uint64_t size, uint64_t *ret,
                  struct lt_err *err) LT_MUST_CHECK;
/* CRC-32 of [from, to), continued from crc. LT_ECORRUPT when the file is shorter. */
int scan_crc(const struct vfs *vfs, int fd, uint64_t from, uint64_t to, uint32_t *crc,
             struct lt_err *err) LT_MUST_CHECK;

#endif
