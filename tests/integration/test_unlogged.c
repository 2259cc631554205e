/*
 * GTIDs that no binlog of the source has: a server made from a dump, a domain that was deleted. Its sister has purged them, and is a good successor all
 * the same; one that has purged transactions of its own is not.
 */
#include <stdio.h>

#include "pair.h"
#include "watching.h"

#define DUMPED "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-1000"

enum { WAIT_MS = 30000 };

struct sisters {
    struct rig r;
    struct pair b;
};

static void purge_all(struct sql *root)
{
    uint64_t until = proc_now_ms() + WAIT_MS;
    size_t left = 2;
    while (left > 1 && proc_now_ms() < until) {
        sql_must(root, "FLUSH BINARY LOGS");
        char *newest = sql_value(root, flavor == SERVER_MYSQL ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
        sql_must(root, "PURGE BINARY LOGS TO '%s'", newest);
        free(newest);
        struct sql_rows *rows = sql_rows(root, "SHOW BINARY LOGS");
        left = rows->rows;
        sql_rows_free(rows);
    }
    CU_ASSERT_EQUAL(left, 1);
}

/* As a restore of a dump leaves a server. */
static void make_from_dump(struct sql *root)
{
    sql_must(root, "RESET BINARY LOGS AND GTIDS");
    sql_must(root, "SET GLOBAL gtid_purged = '" DUMPED "'");
}

/* Domain 9 was written long ago; the source has forgotten it since. source_lists_it: its oldest file has not. */
static void delete_domain(struct sisters *t, bool source_lists_it)
{
    struct sql *root = t->r.root;
    sql_must(root, "CREATE TABLE t.old (i INT PRIMARY KEY)");
    sql_must(root, "SET SESSION gtid_domain_id = 9, SESSION server_id = 9");
    sql_must(root, "INSERT INTO t.old VALUES (1)");
    sql_must(root, "SET SESSION gtid_domain_id = 0, SESSION server_id = 1");
    CU_ASSERT_TRUE(pair_wait_caught_up(t->b.root, root, 60));
    purge_all(t->b.root);
    purge_all(root);
    sql_must(root, "FLUSH BINARY LOGS DELETE_DOMAIN_ID = (9)");
    if (!source_lists_it)
        purge_all(root);
}

static void begin(struct sisters *t, bool source_lists_it)
{
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    static char *settings[] = {"source.start=latest", NULL};
    struct rig *r = &t->r;
    rig_start_server(r, &(struct server_options){.args = flavor == SERVER_MARIADB ? mariadb_args : NULL}, false);
    pair_start(&t->b, 2);
    sql_semi_set(r->root, "enabled", "0");
    if (flavor == SERVER_MYSQL) {
        make_from_dump(r->root);
        make_from_dump(t->b.root);
    }
    pair_replicate(t->b.root, r->srv);
    if (flavor == SERVER_MARIADB)
        delete_domain(t, source_lists_it);
    sql_semi_set(r->root, "enabled", "1");
    rig_start_daemon(r, settings);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", WAIT_MS));
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT)");
    sql_must(r->root, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_TRUE(pair_wait_caught_up(t->b.root, r->root, 60));
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, WAIT_MS));
}

static void end(struct sisters *t)
{
    pair_end(&t->b);
    rig_end(&t->r);
}

static void expect(struct sisters *t, const char *options, const char *refusal, const char *words)
{
    json_t *answer = pair_command(t->r.dm, "repoint %s 127.0.0.1:%u", options, t->b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), refusal);
    char *text = json_dumps(answer, 0);
    if (strcmp(pair_error(answer), refusal) != 0)
        fprintf(stderr, "%s\n", text);
    CU_ASSERT(words == NULL || strstr(text, words) != NULL);
    CU_ASSERT(strstr(text, "aaaaaaaa-") == NULL);
    CU_ASSERT(refusal[0] != '\0' || strstr(text, "9-9-") == NULL);
    free(text);
    json_decref(answer);
}

static void check_safe(struct sisters *t)
{
    CU_ASSERT_TRUE(daemon_wait_state(t->r.dm, "streaming", WAIT_MS));
    sql_must(t->b.root, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_EQUAL(sql_semi_status(t->b.root, "no_tx"), 0);
    json_t *status = pair_command(t->r.dm, "status");
    const json_t *safe = json_object_get(status, "failover_safe");
    char *reasons = json_dumps(json_object_get(safe, "reasons"), 0);
    CU_ASSERT(strstr(reasons, "history") == NULL && strstr(reasons, "cover") == NULL);
    if (strcmp(pair_text(safe, "answer"), "no") == 0)
        fprintf(stderr, "%s\n", reasons);
    CU_ASSERT_STRING_NOT_EQUAL(pair_text(safe, "answer"), "no");
    free(reasons);
    json_decref(status);
    json_t *answer = pair_command(t->r.dm, "position");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "covered")));
    json_decref(answer);
}

/* The primary dies with everything; what was learnt from it outlives the process. */
static void failover(bool source_lists_it, const char *options)
{
    struct sisters t;
    begin(&t, source_lists_it);
    server_kill(t.r.srv);
    pair_promote(t.b.root);
    daemon_kill(t.r.dm);
    daemon_restart(t.r.dm);
    CU_ASSERT_TRUE(daemon_wait_error(t.r.dm, "connect", WAIT_MS));
    json_decref(pair_fence(t.r.dm));
    expect(&t, options, "", NULL);
    check_safe(&t);
    end(&t);
}

static void test_to_the_sister(void)
{
    failover(true, "");
}

/* Asked for without need, a new history is judged by what is the case. */
static void test_by_a_new_history(void)
{
    failover(true, "--new-history");
}

/* The candidate wrote five transactions after its promotion and purged them: those are named, not what came before our first byte. */
static void test_a_true_gap(void)
{
    struct sisters t;
    begin(&t, false);
    json_decref(pair_fence(t.r.dm));
    pair_promote(t.b.root);
    expect(&t, "--dry-run", "", NULL);
    sql_semi_set(t.b.root, "enabled", "0");
    if (flavor == SERVER_MARIADB)
        sql_must(t.b.root, "SET SESSION gtid_domain_id = 7");
    for (int i = 0; i < 5; i++)
        sql_must(t.b.root, "INSERT INTO t.a VALUES (NULL)");
    expect(&t, "--dry-run", "", NULL); /* it has them still */
    purge_all(t.b.root);
    expect(&t, "--dry-run", "gap", flavor == SERVER_MARIADB ? "7-2-5" : ":1-5");
    end(&t);
}

static const struct test_case cases[] = {
    {"to the sister", test_to_the_sister},
    {"by a new history", test_by_a_new_history},
    {"a true gap", test_a_true_gap},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "unlogged", cases, sizeof cases / sizeof cases[0]);
}
