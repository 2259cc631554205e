/*
 * How long ago each segment ended, by a clock that nobody can set: DIR/age.
 *
 * What a binlog says of its own age anybody who may write there can choose (SET TIMESTAMP), the source's clock and our own may jump by years, a
 * file's mtime is one of them. So age is elapsed time that was seen to elapse: while the machine is up, by the kernel's uptime (suspended time
 * included, no clock that can be set). Across a boot, or on another machine, only what our wall clock and the same source's clock both say has
 * passed, the smaller of the two; until the source can be asked, nothing. What is not known makes segments younger, so they are kept for longer,
 * never for ever: without a ledger (lost, damaged, an older version) everything counts as stored just now.
 *
 * Layer: store. Thread: one at a time per ledger; load and save wait for the disk. Pure but for those two and age_read_uptime.
 * Owns: its marks (age_fini). Errors: LT_ENOTFOUND, LT_ECORRUPT (load: the ledger is then as after age_init), LT_ENOMEM, those of file calls.
 * Units: microseconds. Invariants: clock_us never goes back; marks ascend by place and by clock_us.
 */
#ifndef LT_STORE_AGE_H
#define LT_STORE_AGE_H

#include "store/purge.h"
#include "store/reader.h"

#define AGE_BOOT_ID_MAX 63
#define AGE_MARKS_MAX   512u

struct age_uptime {
    char boot_id[AGE_BOOT_ID_MAX + 1]; /* of this boot of this machine; "" not known */
    uint64_t us;                       /* since that boot */
};

/* The clocks at one moment. */
struct age_reading {
    struct age_uptime up;
    int64_t wall_us;                         /* ours, since the epoch */
    int64_t source_us;                       /* the source's, asked just now; 0: not known */
    char source_id[STORE_SOURCE_ID_MAX + 1]; /* whose */
};

/* All up to this file had ended by then. bytes and source_id tell it from another file of that name. */
struct age_mark {
    uint64_t clock_us;
    struct store_place upto;
    uint64_t bytes;
    char source_id[STORE_SOURCE_ID_MAX + 1];
};

struct age_ledger {
    uint64_t clock_us;    /* elapsed so far */
    struct age_uptime up; /* as of that */
    /* The last moment at which both wall clocks were known. */
    struct {
        uint64_t clock_us;
        int64_t wall_us;
        int64_t source_us; /* 0: there was none */
        char source_id[STORE_SOURCE_ID_MAX + 1];
    } both;
    bool unsure; /* since then time may have passed that no uptime counted */
    struct age_mark *marks;
    size_t count;
    bool changed; /* marks: since the last save */
};

void age_init(struct age_ledger *a);
void age_fini(struct age_ledger *a);

/* The kernel's; what cannot be had is left empty. */
void age_read_uptime(struct age_uptime *ret);
/* Time has passed until then. */
void age_advance(struct age_ledger *a, const struct age_reading *now);
/* All of the list but its last have ended by now. grain_us: ages may be too small by so much, which bounds the number of marks. Marks that the list
 * does not bear out go. Without memory: as if they ended later. */
void age_note(struct age_ledger *a, const struct store_segment_info *list, size_t n, uint64_t grain_us);
/* The newest file that ended at least so long ago; lineage 0: none. */
struct store_place age_older_than(const struct age_ledger *a, uint64_t age_us);

char *age_format(const struct age_ledger *a); /* malloc'd; NULL when out of memory */
/* text is spoilt. ret: initialised, as after age_init on failure. */
int age_parse(char *text, struct age_ledger *ret) LT_MUST_CHECK;
int age_load(struct store *s, struct age_ledger *ret, struct lt_err *err) LT_MUST_CHECK;
int age_save(struct store *s, struct age_ledger *a, struct lt_err *err) LT_MUST_CHECK;

#endif
