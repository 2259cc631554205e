/* The ack gate: nothing leaves that is not durable, proved, newer and allowed. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "cunit_main.h"
#include "ingest/gate.h"

static unsigned sent;
static int send_rc;

static int count_send(struct wire *w, const void *buf, size_t len, struct lt_err *err)
{
    (void)w;
    (void)buf;
    (void)len;
    (void)err;
    if (send_rc == 0)
        sent++;
    return send_rc;
}

static const struct wire_ops ops = {NULL, count_send};
static struct wire wire = {.ops = &ops};

static int ack(struct ack_gate *g, uint64_t connection, const char *file, uint64_t pos)
{
    struct lt_err err;
    return gate_send_ack(g, connection, &wire, file, pos, &err);
}

static int dump(struct ack_gate *g, uint64_t connection, const char *file, uint64_t pos)
{
    struct lt_err err;
    return gate_send_dump(g, connection, &wire, "x", 1, file, pos, &err);
}

static void test_only_durable(void)
{
    struct ack_gate g;
    gate_init(&g);
    uint64_t c = gate_admit(&g, "a");
    sent = 0;
    CU_ASSERT_EQUAL(ack(&g, c, "b.000002", 100), LT_EINVAL);
    gate_durable(&g, "b.000002", 100);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000002", 101), LT_EINVAL);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000003", 4), LT_EINVAL);
    CU_ASSERT_EQUAL(ack(&g, c, "c.000001", 4), LT_EINVAL);
    CU_ASSERT_EQUAL(sent, 0);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000002", 100), 0);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000002", 100), LT_EOS);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 100000), LT_EOS);
    CU_ASSERT_EQUAL(sent, 1);
    gate_doubt(&g);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000002", 200), LT_EINVAL);
    gate_fini(&g);
}

/* 999999 to 1000000: names are ordered by their number. */
static void test_number_order(void)
{
    struct ack_gate g;
    gate_init(&g);
    uint64_t c = gate_admit(&g, "a");
    gate_durable(&g, "b.1000000", 50);
    CU_ASSERT_EQUAL(ack(&g, c, "b.999999", 70), 0);
    CU_ASSERT_EQUAL(ack(&g, c, "b.1000000", 50), 0);
    CU_ASSERT_EQUAL(ack(&g, c, "b.1000001", 4), LT_EINVAL);
    gate_fini(&g);
}

static void test_only_admitted(void)
{
    struct ack_gate g;
    gate_init(&g);
    gate_durable(&g, "b.000001", 100);
    CU_ASSERT_EQUAL(ack(&g, 0, "b.000001", 50), LT_EINVAL);
    uint64_t c = gate_admit(&g, "a");
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 50), 0);
    uint64_t d = gate_admit(&g, "a");
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 60), LT_EINVAL);
    CU_ASSERT_EQUAL(ack(&g, d, "b.000001", 50), 0); /* again, on another connection: heals a lost ACK */
    gate_revoke(&g, d);
    CU_ASSERT_EQUAL(ack(&g, d, "b.000001", 60), LT_EINVAL);
    gate_fini(&g);
}

static void test_dump_is_an_acknowledgement(void)
{
    struct ack_gate g;
    gate_init(&g);
    uint64_t c = gate_admit(&g, "a");
    CU_ASSERT_EQUAL(dump(&g, c, "b.000001", 4), LT_EINVAL);
    gate_durable(&g, "b.000001", 100);
    CU_ASSERT_EQUAL(dump(&g, c, "b.000001", 101), LT_EINVAL);
    CU_ASSERT_EQUAL(dump(&g, c, "b.000002", 5), LT_EINVAL);
    CU_ASSERT_EQUAL(dump(&g, c, "b.000003", 4), LT_EINVAL);
    CU_ASSERT_EQUAL(dump(&g, c, "b.000001", 100), 0);
    CU_ASSERT_EQUAL(dump(&g, c, "b.000002", 4), 0);
    gate_close(&g);
    CU_ASSERT_TRUE(gate_is_closed(&g, "a"));
    CU_ASSERT_EQUAL(dump(&g, c, "b.000001", 100), LT_EFENCED);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 100), LT_EFENCED);
    gate_open(&g);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 100), 0);
    gate_fini(&g);
}

/* One source is fenced and another is not: only a connection to that one gets through, whatever it was admitted as before. */
static void test_open_to_one_source(void)
{
    struct ack_gate g;
    gate_init(&g);
    uint64_t a = gate_admit(&g, "a");
    gate_durable(&g, "b.000001", 100);
    gate_open_to(&g, "b");
    CU_ASSERT_TRUE(gate_is_closed(&g, "a"));
    CU_ASSERT_FALSE(gate_is_closed(&g, "b"));
    CU_ASSERT_TRUE(gate_is_closed(&g, ""));
    CU_ASSERT_EQUAL(ack(&g, a, "b.000001", 100), LT_EFENCED);
    CU_ASSERT_EQUAL(dump(&g, a, "b.000001", 4), LT_EFENCED);
    uint64_t b = gate_admit(&g, "b");
    CU_ASSERT_EQUAL(ack(&g, b, "b.000001", 100), 0);
    CU_ASSERT_EQUAL(ack(&g, a, "b.000001", 100), LT_EINVAL);
    gate_close(&g);
    CU_ASSERT_TRUE(gate_is_closed(&g, "b"));
    CU_ASSERT_EQUAL(dump(&g, b, "b.000001", 100), LT_EFENCED);
    gate_open_to(&g, "");
    CU_ASSERT_TRUE(gate_is_closed(&g, ""));
    CU_ASSERT_EQUAL(dump(&g, b, "b.000001", 100), LT_EFENCED);
    gate_open(&g);
    CU_ASSERT_FALSE(gate_is_closed(&g, ""));
    CU_ASSERT_EQUAL(dump(&g, b, "b.000001", 100), 0);
    gate_fini(&g);
}

static void test_failed_send_is_not_an_ack(void)
{
    struct ack_gate g;
    struct gate_view v;
    gate_init(&g);
    uint64_t c = gate_admit(&g, "a");
    gate_durable(&g, "b.000001", 100);
    send_rc = LT_ECLOSED;
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 100), LT_ECLOSED);
    send_rc = 0;
    gate_view(&g, &v);
    CU_ASSERT_EQUAL(v.acks_sent, 0);
    CU_ASSERT_EQUAL(v.acked.file[0], '\0');
    char long_name[600];
    memset(long_name, 'n', sizeof long_name);
    long_name[599] = '\0';
    CU_ASSERT_NOT_EQUAL(ack(&g, c, long_name, 100), 0);
    gate_fini(&g);
}

/* Files and offsets of one source say nothing about another: what was acknowledged is told of the one that is followed. */
static void test_acked_is_of_the_source_that_is_followed(void)
{
    struct ack_gate g;
    struct gate_view v;
    gate_init(&g);
    uint64_t c = gate_admit(&g, "a");
    gate_durable(&g, "b.000001", 100);
    CU_ASSERT_EQUAL(ack(&g, c, "b.000001", 100), 0);
    gate_close(&g); /* a fence's answer has it */
    gate_revoke(&g, c);
    gate_view(&g, &v);
    CU_ASSERT_EQUAL(v.acked.offset, 100);
    gate_open_to(&g, "a");
    (void)gate_admit(&g, "a");
    gate_view(&g, &v);
    CU_ASSERT_EQUAL(v.acked.offset, 100);
    gate_open_to(&g, "z"); /* a repoint, before anything was proved */
    gate_view(&g, &v);
    CU_ASSERT_EQUAL(v.acked.file[0], '\0');
    CU_ASSERT_EQUAL(v.acks_sent, 1);
    gate_open(&g);
    c = gate_admit(&g, "z");
    gate_durable(&g, "z.000001", 50);
    CU_ASSERT_EQUAL(ack(&g, c, "z.000001", 50), 0);
    gate_view(&g, &v);
    CU_ASSERT_STRING_EQUAL(v.acked.file, "z.000001");
    (void)gate_admit(&g, "other");
    gate_view(&g, &v);
    CU_ASSERT_EQUAL(v.acked.file[0], '\0');
    gate_fini(&g);
}

static const struct test_case cases[] = {
    {"only what is durable", test_only_durable},
    {"file numbers, not letters", test_number_order},
    {"only an admitted connection", test_only_admitted},
    {"acked is of the source that is followed", test_acked_is_of_the_source_that_is_followed},
    {"a dump is an acknowledgement; a closed gate", test_dump_is_an_acknowledgement},
    {"open to one source alone", test_open_to_one_source},
    {"a failed send is no ACK", test_failed_send_is_not_an_ack},
};

int main(void)
{
    return cunit_run("gate", cases, sizeof cases / sizeof cases[0]);
}
