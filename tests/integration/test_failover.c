/*
 * The runbook for a dead primary, under writers: kill -9, fence, the candidate is fed by binlogtail --raw and the server's own tools,
 * promote, repoint. No commit that a client was told is OK is missing on the new primary, and what only the old one has is listed.
 */
#include "pair.h"

struct site {
    struct rig r; /* r.srv: the old primary */
    struct pair b;
    struct writers *wr;
};

static void begin(struct site *s)
{
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    struct server_options so = {.args = flavor == SERVER_MARIADB ? mariadb_args : NULL};
    rig_start(&s->r, &so, false, NULL);
    pair_start(&s->b, 2);
    pair_replicate(s->b.root, s->r.srv);
    s->wr = writers_start(&(struct writers_options){.server = s->r.srv, .threads = 8});
    CU_ASSERT_TRUE(writers_wait_oked(s->wr, 50, 60000));
}

/* The candidate lags when the primary dies; the log rotates in between. */
static void kill_primary(struct site *s, unsigned round)
{
    size_t n = writers_oked_count(s->wr);
    if (round % 2 == 0)
        pair_stop_receiving(s->b.root);
    CU_ASSERT_TRUE(writers_wait_oked(s->wr, n + 100, 60000));
    if (round % 4 < 2)
        sql_must(s->r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(writers_wait_oked(s->wr, n + 200, 60000));
    server_kill(s->r.srv);
}

/* A replica applies what it received before it is fed: the feed begins behind what it has executed. */
static void stop_applying(struct site *s)
{
    const char *sql = flavor == SERVER_MYSQL ? "STOP REPLICA" : "STOP SLAVE";
    sql_must(s->b.root, "%s", sql);
}

static void check_nothing_lost(struct site *s)
{
    size_t n = 0;
    size_t missing = 0;
    uint64_t *ids = writers_oked(s->wr, &n);
    struct sql_rows *rows = sql_rows(s->b.root, "SELECT id FROM t.w ORDER BY id");
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < rows->rows && strtoull(rows->cells[at], NULL, 10) < ids[i])
            at++;
        missing += at == rows->rows || strtoull(rows->cells[at], NULL, 10) != ids[i];
    }
    CU_ASSERT_EQUAL(missing, 0);
    CU_ASSERT_EQUAL(sql_number(s->b.root, "SELECT COUNT(*) FROM t.w WHERE h <> CRC32(payload)"), 0);
    printf(" %zu OKed, %zu there", n, rows->rows);
    sql_rows_free(rows);
    free(ids);
}

/* Transactions of the old primary that nobody else has. */
static void check_extras(struct site *s)
{
    server_restart(s->r.srv, NULL);
    struct sql *old = server_root(s->r.srv);
    char *executed = pair_executed(old);
    json_t *diff = pair_command(s->r.dm, "diff %s", executed);
    const char *extras = pair_text(diff, "only_there");
    int64_t old_rows = sql_number(old, "SELECT COUNT(*) FROM t.w");
    int64_t common = 0;
    struct sql_rows *rows = sql_rows(s->b.root, "SELECT id FROM t.w");
    for (size_t i = 0; i < rows->rows; i++)
        common += sql_number(old, "SELECT COUNT(*) FROM t.w WHERE id=%s", rows->cells[i]) == 1;
    CU_ASSERT_EQUAL(common < old_rows, extras[0] != '\0');
    printf(", extras of the old primary: %s", extras[0] != '\0' ? extras : "none");
    sql_rows_free(rows);
    json_decref(diff);
    free(executed);
    sql_close(old);
}

/* As the runbook says: only where the candidate lacks something. An asynchronous one may be ahead of us, and MariaDB's tool refuses that. */
static json_t *feed_what_it_lacks(struct site *s)
{
    char *executed = pair_executed(s->b.root);
    json_t *diff = pair_command(s->r.dm, "diff %s", executed);
    free(executed);
    if (pair_text(diff, "only_here")[0] == '\0')
        return diff;
    json_decref(diff);
    pair_feed(&s->b, s->r.dm);
    executed = pair_executed(s->b.root);
    diff = pair_command(s->r.dm, "diff %s", executed);
    free(executed);
    return diff;
}

static void run_runbook(struct site *s)
{
    json_t *fenced = pair_fence(s->r.dm);
    stop_applying(s);
    json_t *diff = feed_what_it_lacks(s);
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), "");
    pair_promote(s->b.root);
    json_t *moved = pair_command(s->r.dm, "repoint --epoch 1 127.0.0.1:%u", s->b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(moved), "");
    if (pair_error(moved)[0] != '\0')
        fprintf(stderr, "%s\n", json_dumps(moved, 0));
    CU_ASSERT_TRUE(daemon_wait_state(s->r.dm, "streaming", 60000));
    sql_must(s->b.root, "INSERT INTO t.w VALUES (1000000000, 'id=1000000000;', CRC32('id=1000000000;'))");
    CU_ASSERT_EQUAL(sql_semi_status(s->b.root, "no_tx"), 0);
    json_decref(fenced);
    json_decref(diff);
    json_decref(moved);
}

static void fail_over(unsigned round)
{
    struct site s;
    begin(&s);
    kill_primary(&s, round);
    run_runbook(&s);
    writers_stop(s.wr, 100);
    printf("\n  ");
    check_nothing_lost(&s);
    check_extras(&s);
    writers_free(s.wr);
    pair_end(&s.b);
    rig_end(&s.r);
}

static void test_failovers(void)
{
    unsigned rounds = rig_rounds(2, 20);
    for (unsigned i = 0; i < rounds; i++)
        fail_over(i);
    printf("\n  ");
}

static const struct test_case cases[] = {
    {"kill -9 of the primary and the runbook", test_failovers},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "failover", cases, sizeof cases / sizeof cases[0]);
}
