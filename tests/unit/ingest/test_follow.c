/* DIR/source: what is written is what is read, damage is damage, and an empty file is a repoint that was taken back. */
#include <CUnit/CUnit.h>
#include <errno.h>

#include "cunit_main.h"
#include "ingest/follow.h"
#include "store_test.h"

static void fill(struct follow *f, enum gtid_kind kind)
{
    follow_init(f);
    f->active = true;
    (void)snprintf(f->host, sizeof f->host, "db-2.example.net");
    f->port = 3307;
    (void)snprintf(f->source_id, sizeof f->source_id, "mariadb-2");
    f->after_lineage = 4;
    (void)snprintf(f->start_file, sizeof f->start_file, "mysql-bin.000009");
    f->at_us = 1700000000000001;
    f->new_history = kind == GTID_MARIADB;
    const char *text = kind == GTID_MYSQL ? "00000000-0000-0000-0000-000000000001:1-5:7" : "0-1-5,7-2-9";
    CU_ASSERT_EQUAL(gtid_set_parse(kind, text, &f->covers), 0);
    f->gap = strdup("0-1-7");
    f->only_here = kind == GTID_MYSQL ? strdup("00000000-0000-0000-0000-000000000001:9") : NULL;
    if (f->only_here != NULL)
        CU_ASSERT_EQUAL(gtid_set_parse(kind, f->only_here, &f->given_up), 0);
}

static bool same(const struct follow *a, const struct follow *b)
{
    char *x = follow_format(a);
    char *y = follow_format(b);
    bool equal = strcmp(x, y) == 0;
    free(x);
    free(y);
    return equal;
}

static void test_round_trip(void)
{
    for (enum gtid_kind kind = GTID_MYSQL; kind <= GTID_MARIADB; kind++) {
        struct follow f;
        struct follow back;
        struct follow copy;
        fill(&f, kind);
        follow_init(&back);
        follow_init(&copy);
        char *text = follow_format(&f);
        CU_ASSERT_EQUAL(follow_parse(text, &back), 0);
        CU_ASSERT_TRUE(back.active);
        CU_ASSERT_TRUE(gtid_set_equal(&f.covers, &back.covers));
        CU_ASSERT_TRUE(gtid_set_equal(&f.given_up, &back.given_up));
        CU_ASSERT_TRUE(same(&f, &back));
        CU_ASSERT_EQUAL(follow_copy(&copy, &back), 0);
        CU_ASSERT_EQUAL(follow_copy(&copy, &f), 0);
        CU_ASSERT_TRUE(same(&f, &copy));
        free(text);
        follow_fini(&f);
        follow_fini(&back);
        follow_fini(&copy);
    }
}

static void test_damage(void)
{
    static const char *const bad[] = {
        "host=a\nport=1\n",
        "host=a\nsource_id=b\n",
        "port=1\nsource_id=b\n",
        "host=a\nport=0\nsource_id=b\n",
        "host=a\nport=65536\nsource_id=b\n",
        "host=a\nport=-1\nsource_id=b\n",
        "host=a\nport=1\nsource_id=b\nnonsense\n",
        "host=a\nport=1\nsource_id=b\nstart_file=../../etc/passwd\n",
        "host=a\nport=1\nsource_id=b\ncovers=what\n",
        "host=a\nport=1\nsource_id=b\ncovers=x:1\n",
        "host=a\nport=1\nsource_id=b\nafter_lineage=x\n",
        "host=a\nport=1\nsource_id=b\nat_us=x\n",
        "host=a\nport=1\nsource_id=0123456789012345678901234567890123456789012345678901234567890123456789\n",
    };
    struct follow f;
    fill(&f, GTID_MYSQL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s", bad[i]);
        CU_ASSERT_EQUAL(follow_parse(text, &f), LT_ECORRUPT);
        CU_ASSERT_EQUAL(f.port, 3307); /* what was there stays */
    }
    char newer[] = "host=a\nport=1\nsource_id=b\nsomething_new=1\n";
    CU_ASSERT_EQUAL(follow_parse(newer, &f), 0);
    CU_ASSERT_EQUAL(f.port, 1);
    char empty[] = "";
    CU_ASSERT_EQUAL(follow_parse(empty, &f), 0);
    CU_ASSERT_FALSE(f.active);
    char *text = follow_format(&f);
    CU_ASSERT_STRING_EQUAL(text, "");
    free(text);
    follow_fini(&f);
}

static void test_files(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct store *s = test_begin(vfs_sim_vfs(sim), false);
    struct follow f;
    struct follow back;
    struct lt_err err;
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    follow_init(&back);
    fill(&f, GTID_MYSQL);
    CU_ASSERT_EQUAL(follow_load(s, &back, &err), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(follow_save(s, &f, &err), 0);
    CU_ASSERT_EQUAL(follow_load(s, &back, &err), 0);
    CU_ASSERT_TRUE(same(&f, &back));
    vfs_sim_fail(sim, VFS_OP_FSYNC, 1, VFS_FAULT_ERROR, EIO, false);
    f.port = 1;
    CU_ASSERT_NOT_EQUAL(follow_save(s, &f, &err), 0);
    vfs_sim_heal(sim);
    CU_ASSERT_EQUAL(follow_load(s, &back, &err), 0);
    CU_ASSERT_EQUAL(back.port, 3307);
    vfs_sim_put(sim, TEST_DIR "/source", "host", 4);
    CU_ASSERT_EQUAL(follow_load(s, &back, &err), LT_ECORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "DIR/source"));
    follow_fini(&f);
    follow_fini(&back);
    store_close(s);
    vfs_sim_free(sim);
}

static const struct test_case cases[] = {
    {"written and read", test_round_trip},
    {"damage", test_damage},
    {"files", test_files},
};

int main(void)
{
    return cunit_run("follow", cases, sizeof cases / sizeof cases[0]);
}
