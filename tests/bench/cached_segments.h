/*
 * Segments in the page cache, and the bare sendfile loop over them that serving is compared with.
 * Layer: tests/bench. Thread: one. Errors: end the program (proc_die).
 */
#ifndef LT_BENCH_CACHED_SEGMENTS_H
#define LT_BENCH_CACHED_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "binlog_gen.h"
#include "store/store.h"

/* A store that is made quickly: nothing here is about syncs. */
struct store *cached_new_store(const char *dir);
void cached_begin_segment(struct store *s, unsigned number);
void cached_feed(struct store *s, const struct binlog_gen *g, size_t from);
/* So many bytes of transactions with rows of that size. */
struct store *cached_fill(const char *dir, uint64_t bytes, size_t row, unsigned *ret_segments, uint64_t *ret_total);

/* Reads 256 KiB at a time and forgets, in a process of its own, which ends with the stream. */
void cached_sink(int fd);
double cached_bare_seconds(const char *dir, unsigned segments);

/* How long it took to be served all. */
typedef double (*cached_served)(void *arg);
/* In turn, so many times as LT_ROUNDS says, and prints both and the ratio. */
void cached_compare(const char *dir, unsigned segments, uint64_t total, cached_served served_seconds, void *arg,
                    double target);

#endif
