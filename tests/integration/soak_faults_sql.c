/* What an operator does at the primary. */
#include "soak.h"

enum { TRIM_BYTES = 128 << 20 };

void soak_fault_flush(struct soak *s)
{
    for (unsigned i = soak_between(s, 1, 8); i > 0; i--) {
        sql_must(soak_primary(s)->root, "FLUSH BINARY LOGS");
        proc_sleep_ms(soak_between(s, 0, 50));
    }
}

static void purge_server(struct soak_side *side)
{
    struct sql_rows *rows =
        sql_rows(side->root, flavor == SERVER_MYSQL ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
    if (rows == NULL || rows->rows != 1)
        proc_die("the server does not tell its position: %s", sql_error(side->root));
    sql_must(side->root, "PURGE BINARY LOGS TO '%s'", rows->cells[0]);
    sql_rows_free(rows);
}

/* All but the newest two of the files, by logtailerd's own command. */
static void purge_store(struct soak *s)
{
    struct proc_args names = binlogs_segments(s->dm->dir, NULL);
    if (names.n > 2) {
        struct soak_removal *removal = soak_removal_begin(s);
        json_t *answer = pair_command(s->dm, "purge %s", names.v[names.n - 2]);
        if (pair_error(answer)[0] != '\0')
            soak_fail(s, "purge %s: %s", names.v[names.n - 2], pair_error(answer));
        json_decref(answer);
        soak_removal_end(s, removal);
    }
    proc_args_fini(&names);
}

/* Only what logtailerd and the replica hold. */
void soak_fault_purge(struct soak *s)
{
    sql_must(soak_primary(s)->root, "FLUSH BINARY LOGS");
    soak_replica_catch_up(s);
    if (!daemon_wait_caught_up(s->dm, soak_primary(s)->root, RIG_WAIT_MS))
        soak_fail(s, "not caught up");
    purge_server(soak_primary(s));
    purge_server(soak_replica(s));
    purge_store(s);
}

void soak_trim(struct soak *s)
{
    if (rig_status_number(&(struct rig){.dm = s->dm}, "store", "bytes") < TRIM_BYTES)
        return;
    soak_fault_purge(s);
    sql_must(soak_primary(s)->root, "TRUNCATE TABLE t.w");
}

/* To the other value, and often back. */
void soak_fault_checksum(struct soak *s)
{
    struct sql *root = soak_primary(s)->root;
    char *now = sql_value(root, "SELECT @@global.binlog_checksum");
    bool none = now != NULL && strcmp(now, "NONE") == 0;
    for (unsigned i = soak_between(s, 1, 3); i > 0; i--) {
        none = !none;
        sql_must(root, "SET GLOBAL binlog_checksum=%s", none ? "NONE" : "CRC32");
        proc_sleep_ms(soak_between(s, 0, 500));
    }
    free(now);
}

void soak_fault_semi_sync_off(struct soak *s)
{
    sql_semi_set(soak_primary(s)->root, "enabled", "0");
    proc_sleep_ms(soak_between(s, 50, 1500));
    sql_semi_set(soak_primary(s)->root, "enabled", "1");
}

/* Ours and the replica's, which comes back too. */
void soak_fault_kill_dump(struct soak *s)
{
    enum { ID = 0, COMMAND = 4 };
    struct sql_rows *rows = sql_rows(soak_primary(s)->root, "SHOW PROCESSLIST");
    for (size_t i = 0; rows != NULL && i < rows->rows; i++) {
        char **row = rows->cells + i * rows->columns;
        if (row[COMMAND] != NULL && strncmp(row[COMMAND], "Binlog Dump", strlen("Binlog Dump")) == 0)
            (void)sql_exec(soak_primary(s)->root, "KILL %s", row[ID]); /* it may be gone by now */
    }
    sql_rows_free(rows);
}
