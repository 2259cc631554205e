/*
 * A source under another name. What a lineage is named after (server_uuid, MariaDB's server_id) can be changed by an administrator; its
 * history cannot. So a server with another name than the lineage's is let in if its history is proved, before anything of it is stored:
 *
 * - The proving dump begins with a complete transaction that is held: it compares bytes before it appends any. If they differ, the fault says that this
 *   is another server.
 * - It begins at a file's start: the list of GTIDs there must be exactly what is held.
 * - Neither (nothing held, no GTIDs): refused; nothing could tell the servers apart.
 *
 * The lineage keeps its name, and fences go by that: a fenced source stays fenced whatever it calls itself. A name that was proved counts as long as
 * this history is received; the acknowledging dump must be answered by the very name that its proving dump was.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

static void take_alias(struct ingest *ing)
{
    memcpy(ing->alias, ing->stranger, sizeof ing->alias);
    ing->alias_proved = false;
}

static int prove_by_list(struct ingest *ing, const char *wanted, struct fault *f)
{
    const struct gtid_set *ours = store_gtid_appended(ing->opt.store);
    char file[BINLOG_NAME_MAX + 1];
    struct gtid_set list;
    struct fault why;
    gtid_set_init(&list);
    ing->any_source = true;
    int rc = dump_probe_list(ing, wanted, file, &list, &why);
    ing->any_source = false;
    if (rc != 0)
        rc = fault_set(f, FAULT_WRONG_SOURCE, "%.200s; what its %.100s begins with is not known: %.100s", f->message,
                       wanted, why.message);
    else if (gtid_set_is_empty(ours) || strcmp(file, wanted) != 0 || !gtid_set_contains_set(ours, &list) ||
             !gtid_set_contains_set(&list, ours))
        rc = fault_set(f, FAULT_WRONG_SOURCE, "%.200s, and its %.100s does not begin with what is held", f->message,
                       wanted);
    gtid_set_fini(&list);
    return rc;
}

/* Something that is held comes again first, though a place past 4 GiB is asked for from the file's start. */
static bool compares_first(const struct store_resume *r, const struct replica_start *start)
{
    return start->pos > BINLOG_MAGIC_LEN || (strcmp(start->file, r->file) == 0 && r->offset > BINLOG_MAGIC_LEN);
}

int recognise(struct ingest *ing, const struct replica_start *start, struct fault *f)
{
    struct store_resume r;
    store_resume_point(ing->opt.store, &r);
    if (r.empty)
        return LT_EPROTO;
    ing->identity.last_thread_id = 0; /* another server's number means nothing at this one */
    int rc = compares_first(&r, start) ? LT_OK : prove_by_list(ing, start->file, f);
    if (rc == 0)
        take_alias(ing);
    return rc;
}

void recognise_forget(struct ingest *ing)
{
    ing->alias[0] = '\0';
    ing->alias_proved = false;
    ing->proved_id[0] = '\0';
}

void recognise_undo(struct ingest *ing)
{
    if (!ing->alias_proved)
        ing->alias[0] = '\0';
}

void recognise_proved(struct ingest *ing, const struct session_info *info)
{
    memcpy(ing->proved_id, info->own_id, sizeof ing->proved_id);
    if (ing->alias_proved || strcmp(info->own_id, info->source_id) == 0)
        return;
    ing->alias_proved = true;
    log_notice("ingest", "the source calls itself %s now; its history is that of %s, as which it is known here",
               info->own_id, info->source_id);
}

int recognise_same(struct ingest *ing, const struct session_info *info, struct fault *f)
{
    if (strcmp(info->own_id, ing->proved_id) == 0)
        return LT_OK;
    return fault_set(f, FAULT_CONNECT, "%s was proved, now %s answers at %s:%u: proving again", ing->proved_id,
                     info->own_id, ing->target.host, ing->target.port);
}

/* What says something about the connection, the account or our disk, and nothing about whose history that is. */
static bool is_about_history(enum fault_code code)
{
    enum fault_retry retry = fault_retry(code);
    return retry == FAULT_RETRY_HISTORY ||
           (retry == FAULT_RETRY_SLOW && code != FAULT_TLS && code != FAULT_AUTH && code != FAULT_PRIVILEGE &&
            code != FAULT_SEMI_SYNC_MISSING && code != FAULT_SEMI_SYNC_OFF);
}

void recognise_failed(struct ingest *ing, struct fault *f)
{
    struct store_resume r;
    struct fault why = *f;
    if (ing->alias[0] == '\0' || ing->alias_proved)
        return;
    store_resume_point(ing->opt.store, &r);
    if (is_about_history(f->code))
        (void)fault_set(f, FAULT_WRONG_SOURCE, "this store belongs to source %s, the server at %s:%u is %s: %.300s",
                        r.source_id, ing->target.host, ing->target.port, ing->alias, why.message);
    ing->alias[0] = '\0';
}
