#include "cunit_main.h"

#include "binlog/txn.h"
#include "sample.h"

/* ---- real files ---- */

struct walk {
    struct txn_tracker t;
    unsigned gtids;
    unsigned completed;
    unsigned bad_crc;
    unsigned bad_pos;
    unsigned bad_length; /* a transaction that does not end where its GTID event said */
    uint64_t ends[64];
};

static bool is_gtid(uint8_t type)
{
    return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED ||
           type == EVENT_MARIADB_GTID;
}

static void note_step(struct walk *w, const struct txn_step *step, uint64_t announced)
{
    if (step->completed) {
        if (w->completed < 64)
            w->ends[w->completed] = w->t.offset;
        w->completed++;
        w->bad_length += announced != 0 && announced != w->t.offset;
        w->bad_length += step->start != w->t.last_start || w->t.last_end != w->t.offset;
    }
    w->bad_length += step->boundary != (w->t.boundary == w->t.offset);
}

/* forget_length: as if the release had no transaction_length, so that the events have to tell. */
static bool walk_file(const char *name, bool forget_length, struct walk *w)
{
    size_t len = 0;
    uint8_t *file = sample_file(name, &len);
    if (file == NULL)
        return false;
    memset(w, 0, sizeof *w);
    txn_reset(&w->t);
    uint64_t announced = 0;
    bool good = true;
    while (good && w->t.offset < len) {
        const uint8_t *event = file + w->t.offset;
        struct event_header h;
        struct txn_step step;
        good = event_header_parse(event, len - w->t.offset, &h) == 0 && h.length <= len - w->t.offset;
        if (!good)
            break;
        txn_feed(&w->t, &h, event, h.length, &step);
        w->bad_pos += h.log_pos != w->t.offset || event_is_artificial(&h, w->t.offset - h.length);
        if (w->t.checksum == CHECKSUM_CRC32 || h.type == EVENT_FORMAT_DESCRIPTION)
            w->bad_crc += !event_crc_ok(event, h.length);
        if (is_gtid(h.type)) {
            w->gtids++;
            announced = w->t.open_end;
            if (forget_length)
                w->t.open_end = 0;
        }
        note_step(w, &step, announced);
    }
    good = good && w->t.offset == len;
    free(file);
    return good;
}

static void test_real_files(void)
{
    for (size_t i = 0; i < SAMPLE_FILES; i++) {
        struct walk w;
        bool mysql = strncmp(sample_files[i], "mysql", 5) == 0;
        bool ends_in_stop = strstr(sample_files[i], "stop") != NULL;
        CU_ASSERT_TRUE(walk_file(sample_files[i], false, &w));
        CU_ASSERT_EQUAL(w.bad_crc, 0);
        CU_ASSERT_EQUAL(w.bad_pos, 0);
        CU_ASSERT_EQUAL(w.bad_length, 0);
        CU_ASSERT_EQUAL(w.completed, w.gtids);
        CU_ASSERT_EQUAL(w.t.odd, 0);
        CU_ASSERT_FALSE(w.t.open);
        CU_ASSERT_TRUE(w.t.ended);
        CU_ASSERT_TRUE(w.t.have_fde);
        CU_ASSERT_EQUAL(w.t.is_mariadb, !mysql);
        CU_ASSERT_EQUAL(w.t.boundary, w.t.offset);
        CU_ASSERT_EQUAL(w.gtids == 0, ends_in_stop);
    }
}

/* The events alone lead to the same boundaries as transaction_length. */
static void test_rules_agree_with_lengths(void)
{
    for (size_t i = 0; i < SAMPLE_FILES; i++) {
        struct walk with;
        struct walk without;
        CU_ASSERT_TRUE(walk_file(sample_files[i], false, &with));
        CU_ASSERT_TRUE(walk_file(sample_files[i], true, &without));
        CU_ASSERT_EQUAL(with.completed, without.completed);
        CU_ASSERT_EQUAL(without.t.odd, 0);
        CU_ASSERT_EQUAL(memcmp(with.ends, without.ends, sizeof with.ends), 0);
    }
}

static void test_last_gtids(void)
{
    struct walk w = {0};
    char text[GTID_TEXT_MAX];
    CU_ASSERT_TRUE(walk_file("mariadb_domains.bin", false, &w));
    CU_ASSERT_EQUAL(w.t.last_gtid.kind, GTID_MARIADB);
    CU_ASSERT_STRING_EQUAL(gtid_format(&w.t.last_gtid, text, sizeof text), "0-33105-5002");
    CU_ASSERT_TRUE(walk_file("mysql_anonymous.bin", false, &w));
    CU_ASSERT_TRUE(w.t.have_last);
    CU_ASSERT_EQUAL(w.t.last_gtid.kind, GTID_NONE);
    CU_ASSERT_TRUE(walk_file("mysql_tagged.bin", false, &w));
    CU_ASSERT_EQUAL(w.t.last_gtid.kind, GTID_MYSQL);
    CU_ASSERT_STRING_EQUAL(w.t.last_gtid.tag, "");
}

/* What a set gathers from a file must be what the next file's list says more than this one's. */
static void check_list_of_next(const char *file, const char *next, bool mariadb)
{
    size_t len = 0;
    uint8_t type = mariadb ? EVENT_MARIADB_GTID_LIST : EVENT_PREVIOUS_GTIDS;
    struct gtid_set sets[2] = {{0}, {0}};
    const char *names[] = {file, next};
    for (int i = 0; i < 2; i++) {
        uint8_t *data = sample_file(names[i], &len);
        CU_ASSERT_PTR_NOT_NULL(data);
        if (data == NULL)
            continue;
        struct txn_tracker t;
        txn_reset(&t);
        while (t.offset < len) {
            const uint8_t *event = data + t.offset;
            struct event_header h;
            struct txn_step step;
            if (event_header_parse(event, len - t.offset, &h) != 0)
                break;
            txn_feed(&t, &h, event, h.length, &step);
            bool crc = t.checksum == CHECKSUM_CRC32;
            int rc = 0;
            if (h.type == type && mariadb)
                rc = gtid_set_from_gtid_list(event, h.length, crc, &sets[i]);
            else if (h.type == type)
                rc = gtid_set_from_previous_gtids(event, h.length, crc, &sets[i]);
            else if (i == 0 && step.completed && step.gtid.kind != GTID_NONE)
                rc = gtid_set_add(&sets[0], &step.gtid);
            CU_ASSERT_EQUAL(rc, 0);
        }
        free(data);
    }
    CU_ASSERT_FALSE(gtid_set_is_empty(&sets[0]));
    CU_ASSERT_TRUE(gtid_set_equal(&sets[0], &sets[1]));
    gtid_set_fini(&sets[0]);
    gtid_set_fini(&sets[1]);
}

static void test_sets_match_the_next_list(void)
{
    /* Files that follow each other but for rotations in between, which write nothing. */
    check_list_of_next("mysql_tagged.bin", "mysql_payload.bin", false);
    check_list_of_next("mysql_payload.bin", "mysql_none.bin", false);
    check_list_of_next("mysql_none.bin", "mysql_stop.bin", false);
    check_list_of_next("mariadb_domains.bin", "mariadb_none.bin", true);
    check_list_of_next("mariadb_compressed.bin", "mariadb_stop.bin", true);
}

/* ---- made-up streams ---- */

#define GTID_BODY                                                                                                      \
    "00 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 07 00 00 00 00 00 00 00 | 02 | 05 00 00 00 00 00 00 00 | "   \
    "06 00 00 00 00 00 00 00"
#define GTID_BODY_WITH_LENGTH GTID_BODY "| d5 7c 56 43 e9 60 06 | fc 10 01 | c3 89 01 00" /* 272 */
#define MARIADB_BODY          "88 13 00 00 00 00 00 00 | 00 00 00 00 | 0c | 00 00 00 00 00 00"
#define MARIADB_STANDALONE    "88 13 00 00 00 00 00 00 | 00 00 00 00 | 0d | 00 00 00 00 00 00"

static struct txn_step feed(struct txn_tracker *t, uint8_t type, const char *hex)
{
    struct sample body = sample_hex(hex);
    struct sample s = sample_event(type, 0, 0, &body, false);
    struct event_header h = {0};
    struct txn_step step;
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), 0);
    txn_feed(t, &h, s.data, s.len, &step);
    CU_ASSERT_EQUAL(step.boundary, !t->open);
    return step;
}

static struct txn_step feed_query(struct txn_tracker *t, const char *sql)
{
    char hex[200];
    (void)snprintf(hex, sizeof hex, "00 00 00 00 00 00 00 00 00 00 00 00 00 | 00 | '%s'", sql);
    return feed(t, EVENT_QUERY, hex);
}

/* A COMMIT behind as much status and as long a name as the format allows: within the head that everybody keeps, and seen alike by all. */
static void test_statement_far_behind(void)
{
    enum { STATUS = 65535, NAME = 255, BODY = EVENT_HEADER_LEN + 13 + STATUS + NAME + 1 };
    static uint8_t event[BODY + 100];
    struct txn_tracker t;
    struct event_header h;
    struct txn_step step;
    size_t len = BODY + 6;
    event[4] = EVENT_QUERY;
    event[9] = (uint8_t)len;
    event[10] = (uint8_t)(len >> 8);
    event[11] = (uint8_t)(len >> 16);
    event[EVENT_HEADER_LEN + 8] = NAME;
    event[EVENT_HEADER_LEN + 11] = 0xff;
    event[EVENT_HEADER_LEN + 12] = 0xff;
    memcpy(event + BODY, "COMMIT", 6);
    txn_reset(&t);
    (void)feed_query(&t, "BEGIN");
    CU_ASSERT_EQUAL(event_header_parse(event, len, &h), 0);
    txn_feed(&t, &h, event, len < TXN_HEAD_BYTES ? len : TXN_HEAD_BYTES, &step);
    CU_ASSERT_TRUE(step.completed);
    CU_ASSERT_EQUAL(t.odd, 0);
}

static void test_mysql_without_length(void)
{
    struct txn_tracker t;
    txn_reset(&t);
    CU_ASSERT_FALSE(feed(&t, EVENT_GTID, GTID_BODY).boundary);
    CU_ASSERT_TRUE(feed_query(&t, "DROP TABLE x").completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    CU_ASSERT_FALSE(feed(&t, EVENT_INTVAR, "00").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "BEGIN").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "SAVEPOINT a").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "ROLLBACK TO a").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_INCIDENT, "00").boundary);
    CU_ASSERT_TRUE(feed_query(&t, "COMMIT").completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    CU_ASSERT_TRUE(feed(&t, EVENT_TRANSACTION_PAYLOAD, "00").completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    CU_ASSERT_TRUE(feed(&t, EVENT_INCIDENT, "00").completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    (void)feed_query(&t, "XA START X'',X'',1");
    CU_ASSERT_FALSE(feed_query(&t, "XA END X'',X'',1").boundary);
    CU_ASSERT_TRUE(feed(&t, EVENT_XA_PREPARE, "00").completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    CU_ASSERT_TRUE(feed_query(&t, "XA COMMIT X'',X'',1").completed);
    CU_ASSERT_EQUAL(t.odd, 0);
}

static void test_mysql_with_length(void)
{
    struct txn_tracker t;
    txn_reset(&t);
    /* 272 = 79 of the GTID event + 3 * 27 + 112: no XID and no COMMIT is needed, and none ends it early. */
    (void)feed(&t, EVENT_GTID, GTID_BODY_WITH_LENGTH);
    uint64_t end = t.open_start + 272;
    CU_ASSERT_EQUAL(t.open_end, end);
    while (end - t.offset >= 54)
        CU_ASSERT_FALSE(feed(&t, EVENT_XID, "00 00 00 00 00 00 00 00").boundary);
    char hex[3 * 64] = "";
    for (uint64_t i = EVENT_HEADER_LEN; i < end - t.offset; i++)
        memcpy(hex + strlen(hex), "00 ", 4);
    struct txn_step step = feed(&t, EVENT_TABLE_MAP, hex);
    CU_ASSERT_TRUE(step.completed);
    CU_ASSERT_EQUAL(step.gtid.seq, 7);
    CU_ASSERT_EQUAL(t.odd, 0);
    /* No event ends where it should: the events decide, and it is counted. */
    (void)feed(&t, EVENT_GTID, GTID_BODY_WITH_LENGTH);
    while (t.offset < t.open_start + 272)
        CU_ASSERT_FALSE(feed(&t, EVENT_TABLE_MAP, "00 00").boundary);
    CU_ASSERT_EQUAL(t.odd, 1);
    CU_ASSERT_TRUE(feed(&t, EVENT_XID, "00").completed);
}

static void test_mariadb(void)
{
    struct txn_tracker t;
    txn_reset(&t);
    (void)feed(&t, EVENT_MARIADB_GTID, MARIADB_STANDALONE);
    CU_ASSERT_FALSE(feed(&t, EVENT_INTVAR, "00").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_USER_VAR, "00").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_RAND, "00").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_MARIADB_ANNOTATE_ROWS, "00").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_TABLE_MAP, "00").boundary);
    CU_ASSERT_TRUE(feed(&t, EVENT_WRITE_ROWS_V1, "00").completed);
    (void)feed(&t, EVENT_MARIADB_GTID, MARIADB_STANDALONE);
    CU_ASSERT_TRUE(feed(&t, EVENT_MARIADB_QUERY_COMPRESSED, "00").completed);
    (void)feed(&t, EVENT_MARIADB_GTID, MARIADB_BODY);
    CU_ASSERT_FALSE(feed_query(&t, "BEGIN").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "CREATE TABLE x (id int)").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "ROLLBACK TO a").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_MARIADB_QUERY_COMPRESSED, "00").boundary);
    CU_ASSERT_TRUE(feed_query(&t, "ROLLBACK").completed);
    (void)feed(&t, EVENT_MARIADB_GTID, MARIADB_BODY);
    CU_ASSERT_TRUE(feed_query(&t, "XA ROLLBACK X'',X'',1").completed);
    CU_ASSERT_TRUE(feed(&t, EVENT_MARIADB_BINLOG_CHECKPOINT, "00").boundary);
    CU_ASSERT_EQUAL(t.odd, 0);
}

/* Files without GTID events. */
static void test_bare_transactions(void)
{
    struct txn_tracker t;
    txn_reset(&t);
    CU_ASSERT_TRUE(feed_query(&t, "CREATE TABLE x (id int)").boundary);
    CU_ASSERT_FALSE(feed_query(&t, "BEGIN").boundary);
    CU_ASSERT_FALSE(feed(&t, EVENT_TABLE_MAP, "00").boundary);
    CU_ASSERT_EQUAL(t.boundary, t.open_start);
    CU_ASSERT_TRUE(feed(&t, EVENT_XID, "00").completed);
    (void)feed_query(&t, "BEGIN");
    CU_ASSERT_TRUE(feed_query(&t, "COMMIT").completed);
    CU_ASSERT_TRUE(feed(&t, EVENT_INTVAR, "00").boundary);
    CU_ASSERT_EQUAL(t.odd, 0);
}

static void test_contradictions(void)
{
    struct txn_tracker t;
    txn_reset(&t);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    (void)feed_query(&t, "BEGIN");
    uint64_t second = t.offset;
    CU_ASSERT_FALSE(feed(&t, EVENT_GTID, GTID_BODY).completed);
    CU_ASSERT_EQUAL(t.odd, 1);
    CU_ASSERT_EQUAL(t.open_start, second);
    CU_ASSERT_EQUAL(t.boundary, second);
    struct txn_step step = feed(&t, EVENT_ROTATE, "04 00 00 00 00 00 00 00 'b.000002'");
    CU_ASSERT_TRUE(step.boundary && !step.completed);
    CU_ASSERT_EQUAL(t.odd, 2);
    CU_ASSERT_TRUE(t.ended);
    CU_ASSERT_FALSE(t.have_last);
    /* A GTID event that does not parse changes nothing. */
    CU_ASSERT_TRUE(feed(&t, EVENT_GTID, "00").boundary);
    CU_ASSERT_FALSE(t.ended);
    CU_ASSERT_EQUAL(t.odd, 3);
    CU_ASSERT_TRUE(feed(&t, EVENT_QUERY, "00").boundary);
    CU_ASSERT_EQUAL(t.odd, 4);
    CU_ASSERT_TRUE(feed(&t, EVENT_FORMAT_DESCRIPTION, "00").boundary);
    CU_ASSERT_EQUAL(t.odd, 5);
}

static void test_forced_boundary(void)
{
    struct txn_tracker t;
    struct txn_step step;
    txn_reset(&t);
    CU_ASSERT_FALSE(txn_force_boundary(&t, &step));
    CU_ASSERT_TRUE(step.boundary && !step.completed);
    (void)feed(&t, EVENT_GTID, GTID_BODY);
    (void)feed_query(&t, "BEGIN");
    CU_ASSERT_TRUE(txn_force_boundary(&t, &step));
    CU_ASSERT_TRUE(step.boundary && step.completed);
    CU_ASSERT_EQUAL(step.start, BINLOG_MAGIC_LEN);
    CU_ASSERT_EQUAL(step.gtid.seq, 7);
    CU_ASSERT_EQUAL(t.boundary, t.offset);
    CU_ASSERT_EQUAL(t.last_end, t.offset);
    CU_ASSERT_EQUAL(t.odd, 1);
}

static const struct test_case cases[] = {
    {"a statement far behind its event's start", test_statement_far_behind},
    {"real files: every boundary where expected", test_real_files},
    {"events alone agree with transaction_length", test_rules_agree_with_lengths},
    {"last GTID of a file", test_last_gtids},
    {"gathered sets match the next file's list", test_sets_match_the_next_list},
    {"MySQL without transaction_length", test_mysql_without_length},
    {"MySQL with transaction_length", test_mysql_with_length},
    {"MariaDB groups", test_mariadb},
    {"files without GTID events", test_bare_transactions},
    {"contradictions are counted", test_contradictions},
    {"boundary forced by the source's flag", test_forced_boundary},
};

int main(void)
{
    return cunit_run("txn", cases, sizeof cases / sizeof cases[0]);
}
