/*
 * Does a source's new file continue what is stored? Compares the GTID list at its start with the executed set of this store.
 * Layer: ingest. Pure. Thread: any. Errors: LT_EPROTO with a fault (gap, diverged).
 */
#ifndef LT_INGEST_CONTINUITY_H
#define LT_INGEST_CONTINUITY_H

#include "binlog/event.h"
#include "ingest/fault.h"

/*
 * An empty `ours` is continued by any list that can be read. Time: one walk through both sets, whatever their size.
 * event: a whole Previous_gtids or Gtid_list of `file`; ours: executed at the end of the file before. MySQL: the sets must be equal.
 * MariaDB: equal where both know a (domain, server_id); a domain that is missing there was deleted by FLUSH BINARY LOGS
 * DELETE_DOMAIN_ID, which is legal; one that is missing here is a gap. `last`: of the last transaction in the file before (kind GTID_NONE: not
 * known); its domain cannot have been deleted while that file was the source's newest, so a list without it is another history's.
 */
int continuity_check(const char *file, const uint8_t *event, const struct event_header *h, bool crc,
                     const struct gtid_set *ours, const struct gtid *last, struct fault *ret_fault) LT_MUST_CHECK;

/* The same, and nothing may differ: what is held must be the list, deleted domains included. */
int continuity_check_exact(const char *file, const uint8_t *event, const struct event_header *h, bool crc,
                           const struct gtid_set *ours, struct fault *ret_fault) LT_MUST_CHECK;

#endif
