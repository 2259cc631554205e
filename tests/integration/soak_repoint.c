/*
 * To the replica and later back, by the runbook: fence, wait until the replica has all, promote, repoint, the old primary follows the new one,
 * release its id.
 */
#include "soak.h"

enum { REPLICA_WAIT_S = 120 };

/*
 * A crash of its source stops a replica for good: the reader by an event that was torn (a start goes on behind it), a MariaDB's applier by what its relay
 * log got of one ("could not parse relay log event entry"; with GTIDs a stop and a start of both throws relay logs away).
 */
void soak_replica_catch_up(struct soak *s)
{
    const char *what = flavor == SERVER_MYSQL ? "REPLICA" : "SLAVE";
    uint64_t end = proc_now_ms() + REPLICA_WAIT_S * 1000ULL;
    struct sql *root = soak_replica(s)->root;
    for (int tries = 1; !pair_wait_caught_up(root, soak_primary(s)->root, 2); tries++) {
        if (tries % 5 == 0)
            (void)sql_exec(root, "STOP %s", what);
        (void)sql_exec(root, "START %s", what);
        if (proc_now_ms() >= end)
            server_die("the soak's replica does not catch up", soak_replica(s)->srv->log);
    }
}

/* Semi-sync as it will be at the next start too. A replica need not sync. */
static void set_role(struct soak_side *side, bool primary)
{
    const char *name = flavor == SERVER_MYSQL ? "rpl-semi-sync-source-enabled" : "rpl-semi-sync-master-enabled";
    proc_args_add(&side->srv->args, "--%s=%d", name, primary);
    sql_must(side->root, "SET GLOBAL sync_binlog=%d", primary);
    sql_must(side->root, "SET GLOBAL innodb_flush_log_at_trx_commit=%d", primary);
}

void soak_make_replica(struct soak *s)
{
    struct soak_side *side = soak_replica(s);
    sql_semi_set(side->root, "enabled", "0");
    set_role(side, false);
    if (flavor == SERVER_MARIADB) {
        char *pos = sql_value(side->root, "SELECT @@global.gtid_binlog_pos");
        sql_must(side->root, "SET GLOBAL gtid_slave_pos='%s'", pos != NULL ? pos : "");
        free(pos);
    }
    pair_replicate(side->root, soak_primary(s)->srv);
}

static char *source_id(const struct daemon *dm)
{
    json_t *status = pair_command(dm, "status");
    char *id = proc_fmt("%s", pair_text(json_object_get(status, "source"), "id"));
    json_decref(status);
    return id;
}

static size_t sessions_over_tcp(struct sql *root)
{
    enum { USER = 1, HOST = 2 };
    struct sql_rows *rows = sql_rows(root, "SHOW PROCESSLIST");
    size_t n = 0;
    for (size_t i = 0; rows != NULL && i < rows->rows; i++) {
        char **row = rows->cells + i * rows->columns;
        n += row[USER] != NULL && strcmp(row[USER], "root") == 0 && row[HOST] != NULL && strchr(row[HOST], ':') != NULL;
    }
    sql_rows_free(rows);
    return n;
}

/* What a client left may still be carried out. */
static void wait_writers_gone(struct soak *s)
{
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    while (sessions_over_tcp(soak_primary(s)->root) > 0) {
        if (proc_now_ms() >= end)
            server_die("sessions of the writers do not end", soak_primary(s)->srv->log);
        proc_sleep_ms(10);
    }
}

/* In half of the cases under the writers: their commits wait for ever behind the fence, are given up, and are released as no one's. */
static void fence_and_empty(struct soak *s)
{
    bool under_writers = soak_random(s, 2) == 0;
    if (!under_writers)
        soak_stop_writers(s, SOAK_RECOVER_MS);
    json_decref(pair_fence(s->dm));
    if (under_writers)
        soak_stop_writers(s, soak_between(s, 0, 1000));
    sql_semi_set(soak_primary(s)->root, "enabled", "0");
    wait_writers_gone(s);
    soak_replica_catch_up(s);
}

static void order(struct soak *s, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
static void order(struct soak *s, const char *fmt, ...)
{
    va_list ap;
    char *line = NULL;
    va_start(ap, fmt);
    if (vasprintf(&line, fmt, ap) < 0)
        proc_die("out of memory");
    va_end(ap);
    json_t *answer = pair_command(s->dm, "%s", line);
    char *text = json_dumps(answer, 0);
    if (answer == NULL || pair_error(answer)[0] != '\0')
        soak_fail(s, "%s: %s", line, text != NULL ? text : "no answer");
    free(text);
    json_decref(answer);
    free(line);
}

void soak_fault_repoint(struct soak *s)
{
    char *old_id = source_id(s->dm);
    fence_and_empty(s);
    pair_promote(soak_replica(s)->root);
    s->at = 1 - s->at;
    set_role(soak_primary(s), true);
    order(s, "repoint --epoch 1 127.0.0.1:%u", proxy_port(soak_primary(s)->px));
    if (!s->failed && !daemon_wait_state(s->dm, "streaming", RIG_WAIT_MS))
        soak_fail(s, "not streaming after the repoint");
    soak_make_replica(s);
    if (!s->failed)
        order(s, "unfence %s", old_id);
    s->no_tx = sql_semi_status(soak_primary(s)->root, "no_tx");
    if (!s->failed)
        soak_start_writers(s);
    free(old_id);
}
