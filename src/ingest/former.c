/*
 * A change of our server_id, and ACKs that the one before has given.
 *
 * MySQL with rpl_semi_sync_source_wait_for_replica_count above 1 keeps the newest position of each server_id and counts ids; those of replicas that
 * are gone stay. A commit that the former id acknowledged and that still waits for a second acknowledger would be confirmed by our asking for its
 * position under the new id, with one copy there is. So after such a change nothing is acknowledged until no commit waits that the former
 * id may have acknowledged: the source has executed all that was held at the start (with AFTER_SYNC a commit that waits is not executed), or
 * nothing waits at all.
 * Failure: commits that wait for us alone are told as an error with its cure, and looked at again.
 */
#include <inttypes.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

static bool past_what_was_held(const struct ingest *ing, const struct session_info *info)
{
    return info->gtid_mode_on && !info->waiting.after_commit && !gtid_set_is_empty(&ing->held_at_start) &&
           gtid_set_contains_set(&ing->proved_by, &ing->held_at_start);
}

static int look(struct ingest *ing, const struct session_info *info, uint64_t *ret_waiting, struct fault *f)
{
    struct source *conn = NULL;
    struct session_info again;
    struct gtid_set executed;
    gtid_set_init(&executed);
    int rc = ingest_connect(ing, &conn, &again, f);
    if (rc == 0)
        rc = dump_check_identity(ing, &again, f);
    if (rc == 0)
        rc = session_waiting_commits(conn, ret_waiting, f);
    if (rc == 0 && *ret_waiting > 0 && info->gtid_mode_on) {
        rc = session_executed(conn, &again, &executed, f);
        if (rc == 0 && !gtid_set_contains_set(&executed, &ing->proved_by))
            rc = fault_set(f, FAULT_CONNECT, "%s lost transactions since its history was proved: proving it again",
                           again.source_id);
        if (rc == 0) {
            gtid_set_fini(&ing->proved_by);
            ing->proved_by = executed;
            gtid_set_init(&executed);
        }
    }
    gtid_set_fini(&executed);
    ingest_disconnect(ing, conn);
    return rc;
}

static int forget(struct ingest *ing, struct fault *f)
{
    struct lt_err err;
    log_notice("ingest",
               "commits that server_id %" PRIu32 " may have acknowledged are through: acknowledging as %" PRIu32,
               ing->identity.former, ing->identity.server_id);
    uint32_t former = ing->identity.former;
    ing->identity.former = 0;
    int rc = identity_save(ing->opt.store, &ing->identity, &err);
    if (rc != 0) {
        ing->identity.former = former;
        return fault_set(f, fault_of_store_error(rc, err.sys_errno), "%s", err.text);
    }
    gtid_set_clear(&ing->held_at_start);
    return LT_OK;
}

int former_settle(struct ingest *ing, const struct session_info *info, struct fault *f)
{
    uint64_t waiting = 0;
    if (ing->identity.former == 0 || info->mariadb)
        return LT_OK;
    int rc = look(ing, info, &waiting, f);
    if (rc != 0)
        return rc;
    if (waiting == 0 || past_what_was_held(ing, info))
        return forget(ing, f);
    if (info->waiting.wait_count <= 1)
        return LT_OK; /* one ACK is all that any of them needs */
    if (ing->identity.former == IDENTITY_FORMER_UNKNOWN)
        return fault_set(f, FAULT_COUNTED_TWICE,
                         "%" PRIu64 " commits wait that this store may have acknowledged before DIR/identity was lost: "
                         "an ACK under a new server_id would count as another copy's",
                         waiting);
    return fault_set(f, FAULT_COUNTED_TWICE,
                     "%" PRIu64 " commits wait that this store may have acknowledged as server_id %" PRIu32
                     ": an ACK as %" PRIu32 " would count as another copy's",
                     waiting, ing->identity.former, ing->identity.server_id);
}
