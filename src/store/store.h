/*
 * The binlog on disk: lineages of segment files, append, sync, the watermark, recovery. Decides nothing about ACKs and knows no socket.
 *
 * Layer: store. Thread: one writer (ingest) for every function above the line "any thread"; the rest is safe from any thread and
 *   never waits for the disk.
 * Owns: the files below DIR. Errors: as each function says; after any failed append, segment or sync call the store is `broken`:
 *   every further write call answers LT_ESYNC until store_repair() brought it back.
 * Units: offsets and sizes in bytes, 64 bits, offsets count from the start of the file as the source's positions do.
 * Invariants (checked by store_check in tests): watermark <= durable <= appended; the bytes below durable were covered by a
 *   sync that returned 0, with the file's directory entry; readers never see past the watermark.
 *
 *   DIR/lock  DIR/identity  DIR/format  DIR/reserve  DIR/age  DIR/lineages/0001-<source id>/<binlog name>[.crc]  DIR/consumers/
 */
#ifndef LT_STORE_STORE_H
#define LT_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hist.h"
#include "binlog/event.h"
#include "binlog/gtid.h"
#include "binlog/txn.h"
#include "store/vfs.h"

#define STORE_SOURCE_ID_MAX  63
#define STORE_SLOW_US        100000u
#define STORE_FORMAT_VERSION 1 /* DIR/format holds it; a newer one is refused */

struct store;

struct store_options {
    const char *dir;           /* created (one level) when missing */
    bool allow_unsafe_fs;      /* accept tmpfs and overlay */
    bool prewrite;             /* write zeros ahead of the data in CRC32 files so that a sync needs no metadata */
    uint64_t prewrite_bytes;   /* how far ahead; 0: default */
    uint64_t write_back_bytes; /* unsynced bytes that are sent on to the disk before the sync; 0: default */
    uint64_t
        unsynced_max; /* never more written and not synced, large events included; recovery reasons with it; 0: default */
    _Atomic uint64_t *progress; /* counts file calls: for those who watch an opening that takes long; may be NULL */
};

/* Lock, check the file system and the format, recover the newest segment, and be ready. LT_EBUSY: another daemon holds DIR;
 * LT_EUNSUPPORTED: unsafe file system or newer format; LT_ECORRUPT: damage that must not be cut. No source may be contacted before.
 * On a full disk the store may open broken: readable up to its watermark, for store_repair() to bring back when there is room. LT_EFULL: not
 * even that, because nothing could be made or synced. */
int store_open(const struct store_options *opt, const struct vfs *vfs, struct store **ret,
               struct lt_err *err) LT_MUST_CHECK;
/* Cut the active segment to its durable end, sync, release. NULL is fine. */
void store_close(struct store *s);
/* The calling thread is the writer from now on, first the one that opened: its file calls are those that store_stat_busy_since is about. */
void store_writer_is_here(struct store *s);

/* What recovery did, for the log: bytes cut, files removed, sealed files with damage (first one named). */
struct store_recovery {
    char file[BINLOG_NAME_MAX + 1];
    uint64_t cut_bytes;
    unsigned removed_files;
    bool sealed_damage;
    char damage[256];
    uint64_t scanned_bytes;
};
const struct store_recovery *store_recovered(const struct store *s);

/* A new history: sealed current segment, next lineage directory, synced. source_id: [A-Za-z0-9._-], at most STORE_SOURCE_ID_MAX. */
int store_lineage_begin(struct store *s, const char *source_id, struct lt_err *err) LT_MUST_CHECK;

/*
 * A new lineage of the same source that goes on exactly where what is held ends: its first file has another name than the present one's next, or
 * is later, and that nothing lies between is proved by the list it begins with. file and list are on the disk before the lineage is used, so that a restart
 * demands them as well. In an empty lineage: its record is written anew.
 */
int store_lineage_continue(struct store *s, const char *source_id, const char *file, const struct gtid_set *list,
                           struct lt_err *err) LT_MUST_CHECK;

/* How the present lineage goes on from the one before, if it does. */
struct store_seam {
    char file[BINLOG_NAME_MAX + 1]; /* its first file; "" = it does not */
    struct gtid_set list;           /* with which that file must begin */
};
/* NULL: the present lineage is a history of its own. */
const struct store_seam *store_seam(const struct store *s);

/*
 * GTIDs that the present lineage's source has executed and that no binlog had since the lineage began: a server made from a dump or by CLONE, a
 * domain that was deleted. Nothing of them is missing here, and a gap is none where it has only them. Kept in the lineage's folder, and carried on to the
 * next one. learn: adds to it; waits for the disk when that changes anything.
 */
const struct gtid_set *store_unlogged(const struct store *s);
int store_unlogged_learn(struct store *s, const struct gtid_set *more, struct lt_err *err) LT_MUST_CHECK;

/*
 * Start the next file of the current lineage: seal the one before (cut to size, synced), create, write magic, sync file and
 * directory. LT_EGAP when the name exists already or is not after the newest.
 */
int store_segment_begin(struct store *s, const char *name, struct lt_err *err) LT_MUST_CHECK;

/*
 * Append one event in pieces: begin, bytes (any number of times, h->length in all), end. head/head_len in end: the first bytes
 * of the event, as txn_feed wants them. flagged: the source wants an ACK for this event, so its end counts as a boundary.
 * Bytes are buffered; nothing is durable before store_sync. abort drops the bytes of an event that is not ended.
 * The caller has checked the event (continuity, CRC) before end.
 */
int store_event_begin(struct store *s, const struct event_header *h, struct lt_err *err) LT_MUST_CHECK;
int store_event_bytes(struct store *s, const void *data, size_t len, struct lt_err *err) LT_MUST_CHECK;
int store_event_end(struct store *s, const uint8_t *head, size_t head_len, bool flagged, struct txn_step *ret_step,
                    struct lt_err *err) LT_MUST_CHECK;
int store_event_abort(struct store *s, struct lt_err *err) LT_MUST_CHECK;
/*
 * The source's word, come later than the bytes, that what is appended ends with a transaction where the events do not say so. With *ret_forced the end
 * is the watermark and synced when this returns; false: no transaction was open, nothing was done. LT_EINVAL inside of an event; else as store_sync.
 */
int store_force_boundary(struct store *s, bool *ret_forced, struct lt_err *err) LT_MUST_CHECK;

/* Write what is buffered, fdatasync (and the .crc of files without checksums), advance durable and watermark, publish. 0 with
 * nothing to do is fine. LT_ESYNC / LT_EFULL / LT_ESYS: nothing advanced; store is broken. */
int store_sync(struct store *s, struct lt_err *err) LT_MUST_CHECK;
/* The same, but the publication waits for store_publish_pending(), which the caller makes soon: nobody is woken before the ACK is out. */
int store_sync_unpublished(struct store *s, struct lt_err *err) LT_MUST_CHECK;

/* Push what a busy view could not take (a status reader held it) into it; call when idle. False: still busy, try again later. */
bool store_publish_pending(struct store *s);
/* For moments when nothing is due (the ACK sent, the socket drained): pre-writes one piece ahead of the data, some 100 us without a sync.
 * True: there is more to do; look whether something is due, then call again. Zeros that find no space are kept quiet. */
bool store_idle(struct store *s);

/*
 * After a failed append or sync: forget everything after the watermark: cut there, write the page that holds it again from
 * memory, sync, read it back with O_DIRECT, compare. 0: writable again, appended == durable == watermark. A code of store_only_lacks: the disk has
 * no room for that, the process no descriptor or memory; the store stays broken, readable up to the watermark: try again, after LT_EFULL when
 * store_has_room(). Anything else: durability is in doubt and the process must end with exit code 3.
 */
int store_repair(struct store *s, struct lt_err *err) LT_MUST_CHECK;
/* LT_EFULL, LT_ENOFILES, LT_ENOMEM: what lacks may come back, and nothing is in doubt. */
bool store_only_lacks(int rc);

/* Free space allows going on after LT_EFULL. */
bool store_has_room(struct store *s);

/* Where the newest stored file stands: what to ask a source for. */
struct store_resume {
    bool empty; /* no segment in the current lineage, or no lineage */
    bool have_lineage;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    unsigned lineage;               /* number, from 1 */
    char file[BINLOG_NAME_MAX + 1]; /* newest stored file */
    bool ended;                     /* it ends in a stored Rotate: next_file, offset 4 */
    char next_file[BINLOG_NAME_MAX + 1];
    uint64_t offset; /* start of its last complete transaction, or 4 */
    uint64_t end;    /* bytes held in it (whole events; may be past the watermark) */
    uint64_t watermark;
    struct gtid last_gtid; /* last complete transaction of the file, if any */
};
/* Of what is appended, synced or not. A stored Stop is no `ended`: only the source can name the next file then. */
void store_resume_point(const struct store *s, struct store_resume *ret);

/* Bytes of the newest file compared with data at off; both must lie inside [4, appended end): 0 equal, LT_EDIVERGED with
 * *ret_diff_off the first difference, or LT_ESYS/LT_ECORRUPT. Reads through the page cache. */
int store_compare(struct store *s, uint64_t off, const void *data, size_t len, uint64_t *ret_diff_off,
                  struct lt_err *err) LT_MUST_CHECK;
/* The FDE of the newest file as stored; malloc'd copy. LT_ENOTFOUND when the file has none yet. */
int store_read_fde(struct store *s, uint8_t **ret_event, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;

/* The header of the event that begins at off in the newest file: LT_EINVAL when no whole event is stored there. */
int store_event_at(struct store *s, uint64_t off, struct event_header *ret, struct lt_err *err) LT_MUST_CHECK;

/* Appended (not necessarily durable) end of the newest file, and the tracker that judged it. */
uint64_t store_appended(const struct store *s);
const struct txn_tracker *store_tracker(const struct store *s);
/* Bytes appended since the last sync that succeeded. */
uint64_t store_unsynced(const struct store *s);
/* Durable end of the newest file (>= watermark). */
uint64_t store_durable(const struct store *s);
/* All transactions appended whole so far (executed set at the appended end). */
const struct gtid_set *store_gtid_appended(const struct store *s);
bool store_is_broken(const struct store *s);

/* ------------------------------------------------------------------ any thread ------------------------------------------------- */

/* The end of a log: file and watermark, and its last complete transaction, which may be of an older file or lineage. */
struct store_end {
    unsigned lineage; /* 0: none */
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char file[BINLOG_NAME_MAX + 1]; /* "": none */
    uint64_t offset;
    unsigned last_lineage;
    char last_file[BINLOG_NAME_MAX + 1]; /* "": no transaction */
    uint64_t last_start, last_end;
    struct gtid last_gtid;
};

/* One consistent picture as of the last publication (after a sync, a change of file or lineage). */
struct store_view {
    unsigned lineage;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char file[BINLOG_NAME_MAX + 1]; /* "" while empty */
    uint64_t watermark;             /* durable end of the last event not inside an open transaction */
    uint64_t durable;               /* synced end */
    struct gtid_set gtid_executed;  /* at the watermark; caller frees with store_view_fini */
    struct gtid last_gtid;          /* last complete durable transaction */
    char last_file[BINLOG_NAME_MAX + 1];
    uint64_t last_start;
    uint64_t last_end;
    uint64_t segments;
    uint64_t bytes;
    uint64_t aborted; /* unfinished transactions ended by a change of file, since store_open */
    /* What is held, the lineages before included, also where their segments were removed since: all that is above speaks of the present
     * lineage alone, and that is empty at first. For whoever compares this store with another: these. */
    struct gtid_set gtid_held; /* freed with store_view_fini */
    struct store_end held;     /* of the newest lineage that has a file */
    bool continues;            /* the present lineage goes on exactly where the ones before end (store_seam) */
};
int store_view_get(struct store *s, struct store_view *ret) LT_MUST_CHECK;
void store_view_fini(struct store_view *v);
/* No sync returned whose news are not in the view yet. Meaningful while no sync runs. */
bool store_view_is_current(const struct store *s);

/* Bytes handed to store_event_bytes since start, without those that were dropped again; and how many of them were synced. Their difference is
 * what has come and is not durable. */
uint64_t store_stat_received(const struct store *s);
uint64_t store_stat_synced(const struct store *s);
const struct hist *store_stat_sync_us(const struct store *s);
/* clock_mono_us() at which the file call that the writer is in began, whichever it is (of a sync the first one's); 0: it is in none. For the
 * watchdog. */
uint64_t store_stat_busy_since(const struct store *s);
/* How many of the writer's file calls (or syncs) took longer than STORE_SLOW_US. */
uint64_t store_stat_slow(const struct store *s);
/* File system's free bytes; may block on a hung file system, so: ops thread only. */
int store_fs_info(struct store *s, struct vfs_fs_info *ret);

/* Called after each publication, on the writer's thread, must not block: wakes the threads of one listener. */
typedef void (*store_watermark_fn)(void *arg);
#define STORE_WATERMARK_MAX 4
/* Both while nothing is written. At most STORE_WATERMARK_MAX at one time; off takes away what was given with this arg. */
void store_on_watermark(struct store *s, store_watermark_fn fn, void *arg);
void store_off_watermark(struct store *s, const void *arg);

#endif
