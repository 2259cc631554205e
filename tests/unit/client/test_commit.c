/* Named consumers: commits, their confirmation, over lost connections and after the end. */
#include <stdatomic.h>

#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define SRC   "source-1"

struct commits {
    struct fake_source s;
    char name[64];
    bool lose_first; /* the connection goes when the first commit came */
    bool close_at_end;
    bool committed_before;
    atomic_uint taken;
    uint64_t offsets[8];
    unsigned starts[8];
};

static Logtailer__Tail__Position at(uint64_t offset)
{
    Logtailer__Tail__Position p = LOGTAILER__TAIL__POSITION__INIT;
    p.lineage = 1;
    p.file = FILE1;
    p.source_id = SRC;
    p.offset = offset;
    return p;
}

static bool take_commit(struct commits *k, struct fake_conn *c, bool confirm)
{
    Logtailer__Tail__Commit *m = (Logtailer__Tail__Commit *)(void *)fake_read(c, FRAME_COMMIT);
    Logtailer__Tail__Committed reply = LOGTAILER__TAIL__COMMITTED__INIT;
    if (m == NULL || m->position == NULL)
        return false;
    unsigned n = atomic_load(&k->taken);
    if (n < 8)
        k->offsets[n] = m->position->offset;
    atomic_store(&k->taken, n + 1);
    Logtailer__Tail__Position p = at(m->position->offset);
    reply.position = &p;
    protobuf_c_message_free_unpacked(&m->base, NULL);
    return !confirm || fake_send_message(c, FRAME_COMMITTED, &reply.base, NULL, 0);
}

static bool hello(struct commits *k, struct fake_conn *c)
{
    Logtailer__Tail__HelloReply m = LOGTAILER__TAIL__HELLO_REPLY__INIT;
    Logtailer__Tail__Hello *h = (Logtailer__Tail__Hello *)(void *)fake_read(c, FRAME_HELLO);
    Logtailer__Tail__Position end = fake_source_end(&k->s);
    Logtailer__Tail__Position before = at(4);
    if (h == NULL)
        return false;
    snprintf(k->name, sizeof k->name, "%s", h->name);
    protobuf_c_message_free_unpacked(&h->base, NULL);
    m.version = 1;
    m.heartbeat_ms = 20000;
    m.durable = &end;
    m.committed = k->committed_before ? &before : NULL;
    return fake_send_message(c, FRAME_HELLO_REPLY, &m.base, NULL, 0);
}

static bool stream(struct commits *k, struct fake_conn *c, unsigned n)
{
    Logtailer__Tail__Subscribe *sub = (Logtailer__Tail__Subscribe *)(void *)fake_read(c, FRAME_SUBSCRIBE);
    if (sub == NULL)
        return false;
    k->starts[n < 8 ? n : 7] = (unsigned)sub->start;
    Logtailer__Tail__FileBegin b = LOGTAILER__TAIL__FILE_BEGIN__INIT;
    Logtailer__Tail__Batch m = LOGTAILER__TAIL__BATCH__INIT;
    Logtailer__Tail__Position p = at(sub->position != NULL ? sub->position->offset : 4);
    const struct binlog_gen *g = &k->s.files[0].gen;
    struct event_header h;
    bool ok = event_header_parse(g->data + 4, g->len - 4, &h) == 0;
    b.position = &p;
    b.flavor = "mysql";
    b.format_description.data = g->data + 4;
    b.format_description.len = h.length;
    m.lineage = 1;
    m.file = FILE1;
    m.offset = p.offset;
    m.boundary = true;
    m.next_offset = g->len;
    for (uint64_t o = p.offset; o < g->len && event_header_parse(g->data + o, g->len - o, &h) == 0; o += h.length)
        m.count++;
    ok = ok && fake_send_message(c, FRAME_FILE_BEGIN, &b.base, NULL, 0);
    if (m.count > 0)
        ok = ok && fake_send_message(c, FRAME_BATCH, &m.base, g->data + p.offset, g->len - p.offset);
    if (sub->until_end) {
        Logtailer__Tail__End e = LOGTAILER__TAIL__END__INIT;
        Logtailer__Tail__Position end = at(g->len);
        e.position = &end;
        ok = ok && fake_send_message(c, FRAME_END, &e.base, NULL, 0) && !k->close_at_end;
    }
    protobuf_c_message_free_unpacked(&sub->base, NULL);
    return ok;
}

static void script_commits(struct fake_conn *c, unsigned n, void *arg)
{
    struct commits *k = arg;
    if (!hello(k, c))
        return;
    if (k->close_at_end && n > 0) { /* only a commit comes */
        (void)take_commit(k, c, true);
        (void)fake_wait_gone(c, 20000);
        return;
    }
    if (!stream(k, c, n))
        return;
    while (take_commit(k, c, !(k->lose_first && n == 0)) && !(k->lose_first && n == 0)) {
    }
}

static void begin(struct commits *k)
{
    fake_source_init(&k->s, false);
    (void)fake_source_add(&k->s, 1, SRC, FILE1, 4, 50);
}

static void confirmed(void)
{
    struct commits k = {0};
    struct taken t = {0};
    begin(&k);
    struct fake_tail *ft = fake_tail_start(script_commits, &k);
    struct binlogtail_options o = taken_options(ft);
    o.name = "worker-1";
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), BINLOGTAIL_ESTATE); /* nothing has come */
    CU_ASSERT_TRUE(taken_events(&t, bt, 8));                         /* in the second transaction */
    CU_ASSERT_EQUAL(binlogtail_commit(bt, "nonsense"), BINLOGTAIL_EINVAL);
    CU_ASSERT_EQUAL(binlogtail_commit(bt, FILE1 ":4"), BINLOGTAIL_EINVAL); /* of which lineage? */
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), 0);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    CU_ASSERT_STRING_EQUAL(k.name, "worker-1");
    char token[BINLOGTAIL_TOKEN_MAX];
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_EXACT, token, sizeof token), 0);
    CU_ASSERT_EQUAL(binlogtail_commit(bt, "1/" FILE1 ":400+33@" SRC), 0); /* what lies before the transaction */
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    CU_ASSERT_EQUAL(k.offsets[1], 400);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static void unnamed(void)
{
    struct commits k = {0};
    struct taken t = {0};
    begin(&k);
    struct fake_tail *ft = fake_tail_start(script_commits, &k);
    struct binlogtail_options o = taken_options(ft);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_events(&t, bt, 3));
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), BINLOGTAIL_ESTATE);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

/* The connection went before the confirmation: the commit is sent again. */
static void sent_again(void)
{
    struct commits k = {.lose_first = true};
    struct taken t = {0};
    begin(&k);
    struct fake_tail *ft = fake_tail_start(script_commits, &k);
    struct binlogtail_options o = taken_options(ft);
    o.name = "worker";
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_events(&t, bt, 6));
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), 0);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    CU_ASSERT_EQUAL(atomic_load(&k.taken), 2);
    CU_ASSERT_EQUAL(k.offsets[0], k.offsets[1]);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static void after_the_end(bool server_closes)
{
    struct commits k = {.close_at_end = server_closes};
    struct taken t = {0};
    begin(&k);
    struct fake_tail *ft = fake_tail_start(script_commits, &k);
    struct binlogtail_options o = taken_options(ft);
    o.name = "worker";
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), 0);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    CU_ASSERT_EQUAL(k.offsets[0], k.s.files[0].gen.len);
    CU_ASSERT_EQUAL(fake_tail_connections(ft), server_closes ? 2 : 1);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ESTATE);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_DISCONNECTED], 0);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static void at_the_end(void)
{
    after_the_end(false);
    after_the_end(true);
}

static void begins_where_it_committed(void)
{
    struct commits k = {.committed_before = true};
    struct taken t = {0};
    begin(&k);
    struct fake_tail *ft = fake_tail_start(script_commits, &k);
    struct binlogtail_options o = taken_options(ft);
    o.name = "worker";
    o.start = BINLOGTAIL_START_LATEST;
    o.resume_committed = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    CU_ASSERT_EQUAL(k.starts[0], LOGTAILER__TAIL__START_KIND__START_POSITION);
    binlogtail_close(bt);
    fake_tail_free(ft);
    k.committed_before = false;
    ft = fake_tail_start(script_commits, &k);
    o.port = fake_tail_port(ft);
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_FILE_BEGIN));
    CU_ASSERT_EQUAL(k.starts[0], LOGTAILER__TAIL__START_KIND__START_LATEST);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static const struct test_case cases[] = {
    {"a commit is confirmed", confirmed},
    {"no commit without a name", unnamed},
    {"a commit that was lost is sent again", sent_again},
    {"a commit after the end", at_the_end},
    {"a name begins where it committed", begins_where_it_committed},
};

int main(void)
{
    return cunit_run("commit", cases, sizeof cases / sizeof cases[0]);
}
