/*
 * Where the source's binlog files ended when they were last seen, and the bytes between two places in them. Pure: no clock, no I/O.
 *
 * Layer: ops/watch. Thread: one at a time. Owns: nothing. Errors: none. Units: bytes.
 */
#ifndef LT_OPS_LAG_FILES_H
#define LT_OPS_LAG_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define LAG_FILES 128

/* The newest LAG_FILES of one history. */
struct lag_files {
    unsigned count;
    struct {
        uint64_t number;
        uint64_t end;
    } file[LAG_FILES]; /* ascending */
};
void lag_note_end(struct lag_files *files, uint64_t number, uint64_t end);
/* Bytes from one place to a later one; false when a file in between was never seen. An earlier place: 0. */
bool lag_bytes_between(const struct lag_files *files, uint64_t from_number, uint64_t from_offset, uint64_t to_number,
                       uint64_t to_offset, uint64_t *ret_bytes);

#endif
