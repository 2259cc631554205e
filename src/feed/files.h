/*
 * Stored files as consumers share them: one descriptor however many read, the format description, and an index of places where no
 * transaction is open (one for each block of 256 KiB), filled by whoever walks past.
 *
 * Layer: feed. Thread: any; a mutex for the list and one for each file, never held over a read.
 * Owns: descriptors. A file nobody uses is kept open for FILES_KEEP_US, so that those who come back find its index; then it goes. However many
 *   files there are, at most FILES_UNUSED_MAX are kept so, and at most max_open are open but for those that must be.
 * Errors: LT_ENOTFOUND (never here, or purged), LT_EAGAIN (no format description yet), LT_EBUSY (max_open), LT_ECORRUPT, LT_ESYS, LT_ENOMEM.
 */
#ifndef LT_FEED_FILES_H
#define LT_FEED_FILES_H

#include <pthread.h>

#include "store/reader.h"

#define FILES_BLOCK_SHIFT 18
#define FILES_KEEP_US     5000000u
#define FILES_FDE_MAX     EVENT_WHOLE_MAX
#define FILES_UNUSED_MAX  16u

struct feed_file {
    struct feed_files *home;
    struct feed_file *next;
    uint64_t id; /* of this opening; never used twice */
    struct store_reader *reader;
    struct store_segment_info info; /* lineage, source and name; the rest as of opening */
    unsigned refs;
    uint64_t unused_us;
    pthread_mutex_t lock; /* guards what follows; fde never changes once set */
    uint8_t *fde;
    size_t fde_len;
    struct event_fde parsed;
    uint32_t *blocks; /* offset in the block + 1 of a boundary; 0: none known */
    size_t n_blocks;
};

struct feed_files {
    struct store *store;
    pthread_mutex_t lock;
    struct feed_file *first;
    uint64_t next_id;
    unsigned open;
    unsigned unused;   /* of them */
    unsigned max_open; /* 0: no limit */
};

/* A thread's look, which ends within its turn, and what takes the place of a file that goes: these are few, and always let in. */
enum files_need { FILES_IF_ROOM, FILES_MUST };

void files_init(struct feed_files *fs, struct store *store);
void files_set_max_open(struct feed_files *fs, unsigned max_open);
void files_fini(struct feed_files *fs); /* nothing is in use any more */
int files_get(struct feed_files *fs, unsigned lineage, const char *name, enum files_need need, struct feed_file **ret,
              struct lt_err *err) LT_MUST_CHECK;
/* Nobody but the caller reads it. */
bool files_is_sole(struct feed_file *f);
struct feed_file *files_ref(struct feed_file *f);
void files_put(struct feed_file *f); /* NULL is fine */
void files_trim(struct feed_files *fs, uint64_t now_us);

/* Readable end now. */
uint64_t file_end(const struct feed_file *f, bool *ret_sealed);
int file_descriptor(const struct feed_file *f);
/* Bytes stay valid as long as the file is held. */
int file_fde(struct feed_file *f, const uint8_t **ret, size_t *ret_len, struct event_fde *ret_parsed,
             struct lt_err *err) LT_MUST_CHECK;
void file_note_boundary(struct feed_file *f, uint64_t off);
/* The last known boundary at or before off; 4 when there is none. */
uint64_t file_boundary_before(struct feed_file *f, uint64_t off);

#endif
