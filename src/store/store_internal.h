/*
 * What the store's verbs share. Not for other layers.
 *
 * Layer: store. Thread: all of struct store belongs to the writer but for what is marked shared.
 * Owns: see each field. Errors: verbs set `broken` through store_fail() and return the code.
 * Units: bytes.
 * Invariants: watermark (wm.trk.boundary) <= seg.durable <= seg.appended; seg.written + buf_len == seg.appended;
 *   bound.trk.boundary <= now.trk.offset <= seg.appended.
 *
 * Three states of the newest file's end: `now` after the last whole event appended, `bound` at the last boundary appended, `wm` at the
 * watermark (bound as of the last sync that returned 0). A repair goes back from now to wm by copying one struct.
 */
#ifndef LT_STORE_INTERNAL_H
#define LT_STORE_INTERNAL_H

#include <pthread.h>

#include "store/identity.h"
#include "store/reader.h"
#include "store/store.h"
#include "store/vfs_watch.h"

#define STORE_PAGE      4096u
#define STORE_BUF_BYTES (1024u * 1024u)
#define STORE_WRITE_BLOCK                                                                                              \
    (64u *                                                                                                             \
     1024u) /* a batch that outgrows the buffer is written up to multiples of this: the page cache is quicker then */
#define STORE_HEAD_BYTES TXN_HEAD_BYTES
#define STORE_UNSYNCED_MAX                                                                                             \
    (64u * 1024u * 1024u) /* default of unsynced_max: never more than this written and not synced */
#define STORE_LIST_MAX         EVENT_LIST_MAX
#define STORE_ROOM_BYTES       (32u * 1024u * 1024u) /* free space that lets a full store go on */
#define STORE_WRITE_BACK_BYTES (1024u * 1024u)       /* default of write_back_bytes */
#define STORE_PREWRITE_BYTES   (4u * 1024u * 1024u)  /* default of prewrite_bytes */

struct lineage { /* immutable once made; freed at close */
    unsigned number;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char *path;
};

/* One file. The writer appends to the list without a lock: it sets `readable`, then `sealed`, then `next` (release); others load in the
 * opposite order (acquire). Others walk under list_mutex, which the writer never takes: store_purge() moves the head on and frees nodes that
 * nobody stands on. */
struct seg_node {
    const struct lineage *lineage;
    char file[BINLOG_NAME_MAX + 1];
    _Atomic uint64_t readable; /* readers stop here: the watermark, or the size once sealed */
    atomic_bool sealed;
    atomic_bool aborted_tail;
    unsigned refs; /* readers that stand on it; under list_mutex */
    _Atomic(struct seg_node *) next;
};

struct tail_state {
    struct txn_tracker trk;
    bool rotated; /* the last event is a Rotate to next_file */
    char next_file[BINLOG_NAME_MAX + 1];
    uint32_t crc; /* of [4, here), kept for files without checksums */
};

struct page_image { /* bytes [off, off + len) of a file, len <= STORE_PAGE, off a multiple of STORE_PAGE */
    uint64_t off;
    uint32_t len;
    uint8_t bytes[STORE_PAGE];
};

struct sidecar {
    int fd; /* -1: none */
    uint64_t len;
    uint64_t covered; /* end of the last record's range */
};

struct forced_ends { /* ascending; of the newest file */
    int fd;          /* negative: not open */
    bool there;      /* the file is */
    uint64_t *ends;
    size_t count, cap;
    size_t written; /* of them on the disk and synced */
};

struct segment {           /* the newest file */
    struct seg_node *node; /* NULL: none */
    char *path;
    int fd;
    uint64_t size;     /* on disk, zeros ahead included */
    uint64_t written;  /* handed to pwrite */
    uint64_t appended; /* written + buffered; may end inside an event */
    uint64_t durable;
    uint64_t handed_on;  /* written and sent on to the disk ahead of the sync, up to here */
    uint64_t sync_batch; /* size of the last synced batch */
    uint64_t zeros_to;   /* being pre-written up to here */
    bool no_prewrite;    /* zeros could not be written ahead */
    bool cut_unsynced;   /* cut since the last sync: a power cut may bring the bytes back */
    bool in_event;
    struct event_header ev;
    uint64_t ev_got;
    uint32_t crc_run; /* of [4, appended); not kept for CRC32 files */
    struct sidecar side;
    struct forced_ends ends;
    struct page_image page;     /* the page being filled */
    struct page_image at_bound; /* the page `bound` ends in, once `page` has moved on */
    struct page_image at_wm;    /* the page the watermark ends in */
};

/* GTIDs on their way to the shared view. replace: the set takes the view's place (a Previous_gtids came) instead of being merged. */
struct gtid_delta {
    struct gtid_set set;
    bool replace;
};

struct store_held {
    struct gtid_set gtids;
    struct store_end end;
    struct store_seam seam; /* of the lineage that this was held before */
};

struct store {
    const struct vfs *vfs; /* &watch.vfs */
    struct vfs_watch watch;
    struct store_options opt;
    char *dir;
    char *lineages_dir;
    int lock_fd;
    bool broken;
    bool fatal;     /* broken in a way that only a restart heals */
    char *creating; /* path of a file half made when the store broke; store_repair removes it */
    struct store_recovery recovery;

    struct lineage *lineage; /* current, NULL: none */
    struct lineage **lineages;
    size_t lineage_count;
    unsigned lineage_top;             /* highest number used or tried */
    _Atomic(struct seg_node *) head;  /* shared: the oldest file */
    _Atomic(struct seg_node *) first; /* shared: the oldest node; before head are those of removed files */
    struct seg_node *tail;
    pthread_mutex_t list_mutex;        /* shared: among those who read or shorten the list */
    _Atomic uint64_t removed_segments; /* shared: by store_purge, since store_open */
    _Atomic uint64_t removed_bytes;
    uint64_t sealed_bytes; /* of all files but the newest, removed ones included */
    uint64_t segments;     /* removed ones included */
    uint64_t aborted;

    struct segment seg;
    struct tail_state now, bound, wm;
    uint8_t *buf; /* bytes [seg.written, seg.appended); STORE_BUF_BYTES and a block to round up */
    size_t buf_len;
    uint8_t *list_event; /* a Previous_gtids or Gtid_list being collected, or NULL */

    struct store_held before;            /* of the lineages before the present one */
    bool before_fresh;                   /* not in the view yet */
    struct gtid_set unlogged;            /* see store_unlogged() */
    struct gtid_set gtids;               /* all at `now` */
    struct gtid_delta fresh;             /* completed since the last sync */
    struct gtid_delta synced;            /* durable, not yet in the view */
    char last_file[BINLOG_NAME_MAX + 1]; /* last complete durable transaction in a file before the newest */
    uint64_t last_start, last_end;
    struct gtid last_gtid;

    pthread_mutex_t view_mutex; /* shared: guards view; the writer only ever tries it */
    struct store_view view; /* gtid_held: of the lineages before the present one; a copy of the view gets the union */
    _Atomic bool view_pending; /* shared */
    struct {
        store_watermark_fn fn;
        void *arg;
    } on_watermark[STORE_WATERMARK_MAX]; /* those that are there come first */
    unsigned n_on_watermark;

    _Atomic uint64_t stat_received; /* shared, all three */
    _Atomic uint64_t stat_synced;
    struct hist stat_sync_us;
};

/* ---- errors and small tools: store_util.c */
int store_sys_err(struct lt_err *err, int rc, const char *fmt, ...) LT_PRINTF(3, 4); /* rc: -errno */
/* The same of a sync that failed: LT_ESYNC, but for what only lacks. Whoever ends by it must not be started again by itself. */
int store_sync_err(struct lt_err *err, int rc, const char *fmt, ...) LT_PRINTF(3, 4);
int store_sys_code(int rc);                /* of a -errno: LT_EFULL, LT_ENOFILES, LT_ENOMEM, LT_ESYS */
int store_fail(struct store *s, int code); /* mark broken; returns code */
int store_check_usable(const struct store *s, struct lt_err *err);
char *store_path(const char *dir, const char *name, const char *suffix);
int store_fsync_dir(const struct vfs *vfs, const char *dir, struct lt_err *err);
int store_mkdir(const struct vfs *vfs, const char *path, struct lt_err *err); /* existing is fine */
/* Several file calls that the watchdog takes for one. */
void store_busy_begin(struct store *s);
void store_busy_end(struct store *s);

/* ---- small state files: statefile.c. write replaces atomically and durably. read: malloc'd, NUL-terminated; LT_ENOTFOUND. */
int statefile_write(const struct vfs *vfs, const char *dir, const char *name, const void *data, size_t len,
                    struct lt_err *err);
int statefile_read(const struct vfs *vfs, const char *dir, const char *name, size_t max, char **ret_data,
                   size_t *ret_len, struct lt_err *err);

/* ---- page images: store_page.c. An image that ends at `end` is the page that holds the byte before it. */
/* Continue the image of the page being filled with data at off. When a page is left that holds the byte before `keep`, it is copied to
 * *kept, cut to end there. keep <= off. */
void page_append(struct page_image *p, uint64_t off, const uint8_t *data, size_t len, uint64_t keep,
                 struct page_image *kept);
bool page_holds_end(const struct page_image *p, uint64_t end);
void page_copy_to(struct page_image *dst, const struct page_image *src, uint64_t end); /* src must hold end */
/* Read it from the file. */
int page_load(const struct vfs *vfs, int fd, uint64_t end, struct page_image *ret);

/* ---- segments and lineages: store_segment.c */
void segment_init(struct segment *seg);
void segment_release(struct store *s); /* close descriptors, forget */
struct lineage *store_add_lineage(struct store *s, unsigned number, const char *source_id);
struct seg_node *store_add_node(struct store *s, const struct lineage *lin, const char *file, uint64_t bytes,
                                bool sealed);
void store_link_node(struct store *s, struct seg_node *node);
int segment_cut(struct store *s, uint64_t size, struct lt_err *err); /* ftruncate when longer */

void store_node_info(const struct seg_node *node, struct store_segment_info *ret); /* any thread: store_view.c */

/* ---- append: store_append.c */
int store_flush(struct store *s, struct lt_err *err);
void tail_note_event(struct tail_state *t, const struct event_header *h, const uint8_t *head, size_t head_len);
bool tail_has_crc(const struct tail_state *t);

/* ---- sync and publication: store_sync.c */
int gtid_set_apply(struct gtid_set *dst, const struct gtid_set *delta); /* delta is later than dst */
void gtid_delta_clear(struct gtid_delta *d);
void store_publish(struct store *s);
int store_sync_data(struct store *s, struct lt_err *err); /* the disk half of store_sync */

/* ---- files without checksums: crc_sidecar.c */
#define SIDECAR_SUFFIX ".crc"
int sidecar_sync(struct store *s,
                 struct lt_err *err); /* record [4, appended), synced; makes the file when there is none */
/* The file anew with one record for [4, end), atomically; end == 4: no record. Leaves it open in *side. */
int sidecar_rebuild(const struct vfs *vfs, const struct lineage *lin, const char *file, uint64_t end, uint32_t crc,
                    struct sidecar *side, struct lt_err *err);
/* The file as it is, cut to so many records, of which the last ends at `end`: for a disk without room. Only where side->fd < 0. */
int sidecar_reuse(const struct vfs *vfs, const struct lineage *lin, const char *file, size_t records, uint64_t end,
                  struct sidecar *side, struct lt_err *err);
int sidecar_remove(const struct vfs *vfs, const struct lineage *lin, const char *file, struct lt_err *err);
struct sidecar_record {
    uint64_t end;
    uint32_t crc;
};
/* All whole records up to the first bad one; LT_ENOTFOUND without a file. malloc'd. *ret_whole: no more than one torn record follows them. */
int sidecar_load(const struct vfs *vfs, const struct lineage *lin, const char *file, struct sidecar_record **ret,
                 size_t *ret_count, bool *ret_whole, struct lt_err *err);

/* ---- ends of transactions that only an ACK flag told: forced_ends.c */
#define ENDS_SUFFIX ".ends"
int forced_ends_note(struct forced_ends *e, uint64_t end); /* in memory; LT_ENOMEM */
bool forced_ends_has(const struct forced_ends *e, uint64_t end);
/* What was noted and is not on the disk yet: written and synced. Makes the file when there is none. */
int forced_ends_sync(const struct vfs *vfs, const struct lineage *lin, const char *file, struct forced_ends *e,
                     struct lt_err *err);
/* Empty where there is no file. for_writing: left open, and synced before it is read. */
int forced_ends_load(const struct vfs *vfs, const struct lineage *lin, const char *file, bool for_writing,
                     struct forced_ends *e, struct lt_err *err);
/* Forget those behind end; on the disk too, synced. Needs no space. */
int forced_ends_cut(const struct vfs *vfs, const struct lineage *lin, const char *file, struct forced_ends *e,
                    uint64_t end, struct lt_err *err);
void forced_ends_fini(const struct vfs *vfs, struct forced_ends *e);

/* ---- what the lineages before hold: store_held.c */
int store_held_union(struct gtid_set *held, const struct gtid_set *newer); /* of two flavours: the newer alone */
int store_held_now(const struct store *s, struct store_held *ret);         /* all that is held; ret: initialised */
int store_held_write(struct store *s, const struct lineage *lin, const struct store_held *h, struct lt_err *err);
int store_held_load(struct store *s, struct lt_err *err); /* at open, after recovery */

void store_held_fini(struct store_held *h);

/* ---- what no binlog of the source ever had: store_unlogged.c */
int store_unlogged_carry(const struct store *s, const struct lineage *lin, struct lt_err *err); /* to a new lineage */
int store_unlogged_load(struct store *s, struct lt_err *err);                                   /* at open */

/* ---- recovery: scan.c, store_recover.c */
/* Leaves the store broken where the newest file could not be settled because the disk is full: store_repair() does the rest. */
int store_recover(struct store *s, struct lt_err *err);

/* ---- pre-writing: store_prewrite.c */

#endif
