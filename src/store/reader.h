/*
 * Reads what is durable, never past the watermark, from any thread, without disturbing the writer.
 *
 * Layer: store. Thread: each reader belongs to one thread, but for the functions that take it const; store_list from any. Owns: its descriptor, so a purged file stays readable.
 * Errors: LT_ENOTFOUND (no such lineage or file, purged), LT_EINVAL (offset past the watermark or below 4), LT_EOS (at the watermark: ask again later), LT_ESYS.
 */
#ifndef LT_STORE_READER_H
#define LT_STORE_READER_H

#include "store/store.h"

struct store_segment_info {
    unsigned lineage;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char file[BINLOG_NAME_MAX + 1];
    uint64_t bytes; /* readable bytes: up to the watermark for the newest */
    bool sealed;
    bool aborted_tail; /* ended inside an unfinished transaction */
};
/* malloc'd array, oldest first; caller frees. */
int store_list(struct store *s, struct store_segment_info **ret, size_t *ret_count) LT_MUST_CHECK;

/* The oldest file that can be read, without a walk. LT_ENOTFOUND while the store is empty. */
int store_oldest(struct store *s, struct store_segment_info *ret) LT_MUST_CHECK;

struct store_reader;
int store_reader_open(struct store *s, unsigned lineage, const char *file, uint64_t offset, struct store_reader **ret,
                      struct lt_err *err) LT_MUST_CHECK;
void store_reader_close(struct store_reader *r);
/* Up to cap bytes from the reader's offset; moves on. *ret_len > 0 on 0. At the end of a sealed file LT_EOS and *ret_sealed true. */
int store_reader_read(struct store_reader *r, void *buf, size_t cap, size_t *ret_len, bool *ret_sealed,
                      struct lt_err *err) LT_MUST_CHECK;
/* Descriptor and the readable range now, for sendfile; [offset, *ret_end). */
int store_reader_fd(const struct store_reader *r, uint64_t *ret_offset, uint64_t *ret_end, bool *ret_sealed);
/* The reader's file as it is now, and the one after it (LT_EOS: none yet). */
void store_reader_info(const struct store_reader *r, struct store_segment_info *ret);
int store_reader_next_info(const struct store_reader *r, struct store_segment_info *ret) LT_MUST_CHECK;
/* Bytes at any offset below the readable end, the reader's place does not move. All of them, or LT_ECORRUPT. */
int store_reader_pread(const struct store_reader *r, void *buf, size_t len, uint64_t off,
                       struct lt_err *err) LT_MUST_CHECK;
void store_reader_advance(struct store_reader *r, uint64_t len);
/* Name of the file after the reader's (same lineage, then the next lineage's first). LT_EOS when none yet. */
int store_reader_next(struct store_reader *r, struct lt_err *err) LT_MUST_CHECK;

#endif
