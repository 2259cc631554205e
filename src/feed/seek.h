/*
 * Where a GTID subscription begins, and whose notation its set has.
 *
 * Layer: feed. Thread: any. Borrows: files and sets. Errors: LT_ENOTFOUND (the lineage has no file), those of files.h.
 */
#ifndef LT_FEED_SEEK_H
#define LT_FEED_SEEK_H

#include "feed/walk.h"

/* The last file of the lineage (0: the oldest) that begins with nothing but what `held` holds, its first when none does: where a GTID
 * subscription begins there. */
int seek_gtids(struct feed_files *fs, unsigned lineage, const struct gtid_set *held, struct store_segment_info *ret,
               struct lt_err *err) LT_MUST_CHECK;
/* The list that a file begins with. LT_ENOTFOUND: it has none. *ret is initialised in any case. */
int seek_list(struct feed_files *fs, unsigned lineage, const char *file, struct gtid_set *ret,
              struct lt_err *err) LT_MUST_CHECK;
/*
 * Where a MariaDB replica begins that names one GTID for each domain: in the newest lineage that goes back so far, the last file before which none of the
 * GTIDs lies but as its domain's last. Those are marked as reached. LT_ENOTFOUND: not even the oldest file goes back so far.
 */
int seek_after(struct feed_files *fs, struct walk_after *after, size_t count, struct store_segment_info *ret,
               struct lt_err *err) LT_MUST_CHECK;
/* newest may be NULL. GTID_NONE: nothing tells yet. */
enum gtid_kind seek_flavor(struct feed_files *fs, struct feed_file *newest);

#endif
