/* What comes next, asked as any protocol would: the order over files and lineages, the watermark, what is left out, where it ends, which places there are. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

#include "feed/feed.h"
#include "feed/newest.h"
#include "feed/places.h"
#include "feed/seek.h"

#define MYSQL_UUID "68b1e7ed-0102-0304-0506-0708090a0b0c"
#define TURNS_MAX  100000

static struct serve_rig r;
static struct feed_files files;
static struct feed_desk desk;

static void begin(bool mariadb)
{
    struct lt_err err;
    serve_rig_store(&r, mariadb);
    serve_rig_lineage(&r, RIG_SOURCE);
    files_init(&files, r.store);
    CU_ASSERT_EQUAL(feed_desk_init(&desk, &err), 0);
}

static void end(void)
{
    feed_desk_fini(&desk);
    files_fini(&files);
    serve_rig_end(&r);
}

static struct feed new_feed(uint64_t max_batch)
{
    return (struct feed){.files = &files, .desk = &desk, .max_batch = max_batch};
}

/* What was said, a letter each, runs of batches as one; and the bytes of the file it stands in. */
struct heard {
    char said[200];
    uint8_t *bytes;
    size_t len;
    uint64_t from; /* of the first batch in that file */
    unsigned lineages;
};

static void say(struct heard *h, char c)
{
    size_t n = strlen(h->said);
    if (n + 1 < sizeof h->said && (c != 'b' || n == 0 || h->said[n - 1] != 'b'))
        h->said[n] = c;
}

static void take_batch(struct feed *fd, const struct walk_batch *b, struct heard *h)
{
    struct lt_err err;
    size_t len = (size_t)(b->to - b->from);
    h->bytes = realloc(h->bytes, h->len + len);
    if (h->len == 0)
        h->from = b->from;
    CU_ASSERT_EQUAL(store_reader_pread(fd->file->reader, h->bytes + h->len, len, b->from, &err), 0);
    h->len += len;
    say(h, 'b');
}

/* Until it waits, ends or fails. */
static enum feed_next listen_to(struct feed *fd, struct heard *h)
{
    struct lt_err err;
    for (int i = 0; i < TURNS_MAX; i++) {
        struct feed_item item;
        enum feed_next next = feed_next(fd, &item, &err);
        switch (next) {
        case FEED_FILE:
            CU_ASSERT_TRUE(item.fde != NULL && item.fde_len > EVENT_HEADER_LEN);
            h->lineages += item.new_lineage;
            h->len = 0;
            say(h, item.mariadb ? 'F' : 'f');
            break;
        case FEED_BATCH:
            take_batch(fd, &item.batch, h);
            break;
        case FEED_FILE_END:
            say(h, 'e');
            break;
        case FEED_MOVED:
            CU_ASSERT_TRUE(fd->left != NULL && fd->left != fd->file); /* whoever looks at it still may */
            feed_let_go(fd);
            CU_ASSERT_PTR_NULL(fd->left);
            break;
        case FEED_AGAIN:
            break;
        case FEED_WAIT:
        case FEED_END:
        case FEED_FAILED:
            return next;
        }
    }
    CU_FAIL("it never rests");
    return FEED_FAILED;
}

static void heard_fini(struct heard *h)
{
    free(h->bytes);
    *h = (struct heard){0};
}

static void is_the_file(const struct heard *h)
{
    CU_ASSERT_EQUAL(h->from + h->len, r.gen.len);
    CU_ASSERT_TRUE(h->bytes != NULL && h->from + h->len == r.gen.len &&
                   memcmp(h->bytes, r.gen.data + h->from, h->len) == 0);
}

static void order_of_files_and_lineages(void)
{
    struct lt_err err;
    for (int flavor = 0; flavor < 2; flavor++) {
        struct heard h = {0};
        begin(flavor == 1);
        serve_rig_txns(&r, 5, 200);
        serve_rig_rotate(&r);
        serve_rig_txns(&r, 300, 2000);
        struct feed fd = new_feed(SERVE_BATCH_MIN);
        CU_ASSERT_EQUAL(feed_open(&fd, 1, RIG_FILE, BINLOG_MAGIC_LEN, &err), 0);
        CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT);
        CU_ASSERT_STRING_EQUAL(h.said, flavor == 1 ? "FbeFb" : "fbefb");
        is_the_file(&h);
        CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT); /* no news */
        serve_rig_txns(&r, 1, 100);
        CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT);
        is_the_file(&h);
        CU_ASSERT_EQUAL(h.lineages, 0);
        serve_rig_lineage(&r, "source-2");
        serve_rig_txns(&r, 2, 100);
        CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT);
        CU_ASSERT_STRING_EQUAL(h.said, flavor == 1 ? "FbeFbeFb" : "fbefbefb");
        CU_ASSERT_TRUE(h.lineages == 1 && fd.file->info.lineage == 2);
        is_the_file(&h);
        feed_close(&fd);
        feed_close(&fd);
        heard_fini(&h);
        end();
    }
}

/* Received is not enough, durable is. */
static void never_past_the_watermark(void)
{
    struct lt_err err;
    struct heard h = {0};
    struct newest newest = {0};
    begin(false);
    serve_rig_txns(&r, 3, 100);
    CU_ASSERT_TRUE(newest_look(&newest, &files));
    CU_ASSERT_FALSE(newest_look(&newest, &files));
    struct feed fd = new_feed(SERVE_BATCH_DEFAULT);
    CU_ASSERT_EQUAL(feed_open(&fd, 1, RIG_FILE, BINLOG_MAGIC_LEN, &err), 0);
    size_t durable = r.gen.len;
    gen_txn(&r.gen, 500);
    CU_ASSERT_EQUAL(gen_feed(r.store, r.gen.data, r.gen.len, r.fed, 4096, false, &r.fed), 0);
    CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT);
    CU_ASSERT_EQUAL(h.from + h.len, durable);
    CU_ASSERT_FALSE(newest_look(&newest, &files));
    serve_rig_sync(&r);
    CU_ASSERT_TRUE(newest_look(&newest, &files));
    CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_WAIT);
    is_the_file(&h);
    newest_fini(&newest);
    feed_close(&fd);
    heard_fini(&h);
    end();
}

static void left_out_and_ended(void)
{
    struct lt_err err;
    struct heard h = {0};
    struct newest newest = {0};
    begin(false);
    for (int i = 0; i < 3; i++) {
        serve_rig_txns(&r, 10, 200);
        serve_rig_rotate(&r);
    }
    serve_rig_txns(&r, 3, 200);
    CU_ASSERT_TRUE(newest_look(&newest, &files));
    CU_ASSERT_EQUAL(seek_flavor(&files, newest.file), GTID_MYSQL);

    struct feed fd = new_feed(SERVE_BATCH_DEFAULT);
    CU_ASSERT_EQUAL(feed_leave_out(&fd, GTID_MYSQL, MYSQL_UUID ":1-25"), 0);
    feed_end_at(&fd, newest.file);
    CU_ASSERT_EQUAL(feed_open_by_gtids(&fd, &err), 0);
    CU_ASSERT_STRING_EQUAL(fd.file->info.file, "mysql-bin.000003"); /* 21 to 30 */
    serve_rig_txns(&r, 5, 200);                                     /* behind the end */
    CU_ASSERT_EQUAL(listen_to(&fd, &h), FEED_END);
    CU_ASSERT_STRING_EQUAL(h.said, "fbefb");
    CU_ASSERT_TRUE(h.from + h.len < r.gen.len && fd.trk.offset == fd.end_offset);
    feed_close(&fd);

    fd = new_feed(SERVE_BATCH_DEFAULT);
    CU_ASSERT_EQUAL(feed_leave_out(&fd, GTID_MYSQL, "no set"), LT_EINVAL);
    feed_close(&fd);
    newest_fini(&newest);
    heard_fini(&h);
    end();
}

/* The names and texts are what operators of consumers get to read. */
static void places(void)
{
    begin(false);
    serve_rig_txns(&r, 3, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 3, 100);
    serve_rig_lineage(&r, "source-2");
    serve_rig_txns(&r, 3, 100);
    const struct {
        struct places_wanted at;
        enum places_verdict verdict;
        const char *why;
    } cases[] = {
        {{"mysql-bin.000001", 1, "", 4}, PLACES_OK, ""},
        {{"mysql-bin.000001", 0, "source-2", 4}, PLACES_OK, ""}, /* the newest of that name */
        {{"mysql-bin.000001", 0, RIG_SOURCE, 4},
         PLACES_OTHER_SOURCE,
         "lineage 2 is of source source-2, not of source-1"},
        {{"mysql-bin.000001", 1, RIG_SOURCE, 3}, PLACES_BAD, "offset 3: events begin at offset 4"},
        {{"mysql-bin.000001", 1, "", 1 << 30}, PLACES_BAD, "offset 1073741824 of mysql-bin.000001 is past its end, "},
        {{"mysql-bin.000001", 2, "", 1 << 30},
         PLACES_AHEAD,
         "offset 1073741824 of mysql-bin.000001 is past its durable end, "},
        {{"mysql-bin.000003", 1, "", 4},
         PLACES_NOT_FOUND,
         "mysql-bin.000003 of lineage 1: no such file in that lineage"},
        {{"mysql-bin.000003", 0, "", 4},
         PLACES_AHEAD,
         "mysql-bin.000003 of lineage 2: that file is newer than what is stored"},
        {{"mysql-bin.000000", 2, "", 4},
         PLACES_PURGED,
         "mysql-bin.000000 of lineage 2: that file is older than what is kept"},
        {{"mysql-bin.000001", 3, "", 4},
         PLACES_NOT_FOUND,
         "mysql-bin.000001 of lineage 3: that lineage was never here"},
        {{"", 1, "", 4}, PLACES_BAD, "the position has no binlog file name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct places_found found = {0};
        CU_ASSERT_EQUAL(places_judge(r.store, &cases[i].at, &found), cases[i].verdict);
        CU_ASSERT_NSTRING_EQUAL(found.why, cases[i].why, strlen(cases[i].why));
        CU_ASSERT_TRUE(cases[i].verdict != PLACES_OK || strcmp(found.info.file, cases[i].at.file) == 0);
    }
    struct places_found found;
    struct places_wanted done = {.file = "mysql-bin.000001", .lineage = 2, .source_id = "", .offset = r.gen.len};
    CU_ASSERT_EQUAL(places_check(&files, &done, &found), PLACES_OK);
    done.offset++;
    CU_ASSERT_EQUAL(places_check(&files, &done, &found), PLACES_AHEAD);
    done.lineage = 1;
    done.offset = 1 << 20;
    CU_ASSERT_EQUAL(places_check(&files, &done, &found), PLACES_BAD);
    done.lineage = 9;
    CU_ASSERT_EQUAL(places_check(&files, &done, &found), PLACES_NOT_FOUND);
    end();
}

static const struct test_case cases[] = {
    {"the order over files and lineages", order_of_files_and_lineages},
    {"never past the watermark", never_past_the_watermark},
    {"what is left out, and where it ends", left_out_and_ended},
    {"which places there are", places},
};

int main(void)
{
    return cunit_run("feed", cases, sizeof cases / sizeof cases[0]);
}
