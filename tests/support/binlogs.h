/*
 * The oracle: are a store's segments the primary's binlogs, does the server's own tool read them, is every confirmed row in them?
 * It reads files only, and does not start or stop anything but mysqlbinlog and mariadb-binlog.
 *
 * Layer: tests/support. Thread: any.
 * Errors: a check that fails returns false and says on stderr which file and where; files that cannot be read end the test.
 * Exact means exact, but for bit 0 at offset 21: a file that a MariaDB crash left open is marked in use there, at the primary only
 *   until its recovery, or in our copy only; and what of an unfinished event stands at the end of a file in whose write a MariaDB server was killed.
 */
#ifndef LT_SUPPORT_BINLOGS_H
#define LT_SUPPORT_BINLOGS_H

#include "server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The segments of one lineage folder (the newest when lineage is NULL) in order, as names; files of other kinds (NAME.crc) are not
 * in it. Ended by NULL. */
struct proc_args binlogs_segments(const char *store_dir, const char *lineage);
/* The lineage folders, in order. Ended by NULL. */
struct proc_args binlogs_lineages(const char *store_dir);
/* Path of one segment in the newest lineage. The caller frees. */
char *binlogs_segment_path(const char *store_dir, const char *name);

/* Compare the first `bytes` of two files (UINT64_MAX: all, and the lengths). */
bool binlogs_same(const char *ours, const char *theirs, uint64_t bytes);
/* Every segment of the newest lineage but the last against the primary's file of that name, the last up to `offset` (0: the last is
 * not compared). *ret_compared (may be NULL): how many were compared whole. Files that the primary has purged are passed over. */
bool binlogs_compare(const struct server *srv, const char *store_dir, uint64_t offset, size_t *ret_compared);

/* mysqlbinlog or mariadb-binlog reads the first `bytes` of the file (UINT64_MAX: the whole file, by name) and exits 0. With text, its
 * verbose output must contain it. */
bool binlogs_readable(enum server_flavor flavor, const char *path, uint64_t bytes, const char *text);
/* All segments of the newest lineage but the last whole, the last up to `offset`. */
bool binlogs_all_readable(enum server_flavor flavor, const char *store_dir, uint64_t offset);

/* The ids whose "id=<n>;" text is in the segments of the newest lineage, the last one up to `offset` (UINT64_MAX: to its end), in
 * ascending order without repeats. The caller frees. */
uint64_t *binlogs_stored_ids(const char *store_dir, uint64_t offset, size_t *ret_n);
/* The ids in the first `bytes` of one file (UINT64_MAX: all), as they come. The caller frees. */
uint64_t *binlogs_file_ids(const char *path, uint64_t bytes, size_t *ret_n);
/* How many of these ids (ascending) are not in the store; tells the first few on stderr. */
size_t binlogs_missing_ids(const char *store_dir, uint64_t offset, const uint64_t *ids, size_t n);

#endif
