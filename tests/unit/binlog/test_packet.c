#include "cunit_main.h"

#include "binlog/packet.h"
#include "sample.h"

#define XID_PACKET                                                                                                     \
    "22 00 00 0f | 00 ef 01 | 0c af 03 6b 10 50 81 00 00 1f 00 00 00 96 07 00 00 00 00 | 32 00 00 00 00 00 00 00 | "   \
    "bd 25 51 3e"
#define ROTATE_PACKET                                                                                                  \
    "2f 00 00 01 | 00 ef 00 | 00 00 00 00 04 50 81 00 00 2c 00 00 00 00 00 00 00 20 00 | 04 00 00 00 00 00 00 00 | "   \
    "'binlog.000001' | 68 0c 75 d8"

/* ---- framing ---- */

/* Frame payloads of the given lengths, byte i of the whole stream of payloads being a function of i. */
struct stream {
    uint8_t *data;
    size_t len;
    const size_t *payloads;
    size_t count;
};

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 7);
}

static struct stream make_stream(const size_t *payloads, size_t count)
{
    struct stream s = {.payloads = payloads, .count = count};
    for (size_t i = 0; i < count; i++)
        s.len += payloads[i] + (payloads[i] / PACKET_MAX_PART + 1) * PACKET_HEADER_LEN;
    s.data = malloc(s.len);
    if (s.data == NULL)
        abort();
    uint8_t *p = s.data;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t seq = 0;
        size_t left = payloads[i];
        size_t part;
        do {
            part = left < PACKET_MAX_PART ? left : PACKET_MAX_PART;
            store_u24(p, (uint32_t)part);
            p[3] = seq++;
            for (size_t k = 0; k < part; k++)
                p[PACKET_HEADER_LEN + k] = pattern(at++);
            p += PACKET_HEADER_LEN + part;
            left -= part;
        } while (part == PACKET_MAX_PART);
    }
    return s;
}

struct check {
    size_t packet;    /* index of the logical packet */
    size_t in_packet; /* bytes of it seen */
    size_t total;
    bool bad;
};

static void check_span(struct check *c, const struct stream *s, const struct packet_span *span, size_t whole_max)
{
    if (c->packet >= s->count) {
        c->bad = true;
        return;
    }
    size_t length = s->payloads[c->packet];
    bool part_starts = c->in_packet % PACKET_MAX_PART == 0;
    c->bad |= span->first != (c->in_packet == 0 && part_starts);
    c->bad |= span->seq != (uint8_t)(c->in_packet / PACKET_MAX_PART);
    c->bad |= span->len == 0 && !span->last;
    c->bad |= span->part_len <= whole_max && span->len != span->part_len;
    c->bad |= part_starts && span->part_len > whole_max && span->len < whole_max;
    for (size_t i = 0; i < span->len && !c->bad; i++)
        c->bad |= span->data[i] != pattern(c->total + i);
    c->total += span->len;
    c->in_packet += span->len;
    bool ends = c->in_packet == length && (length % PACKET_MAX_PART != 0 || span->part_len == 0);
    c->bad |= span->last != ends;
    if (span->last) {
        c->packet++;
        c->in_packet = 0;
    }
}

/* Offer the stream in cuts of 1..max_cut bytes, as a socket buffer that keeps what was not used. */
static void run_stream(const struct stream *s, size_t whole_max, size_t max_cut, uint64_t seed)
{
    struct packet_framer f = {0};
    struct check c = {0};
    size_t from = 0;
    size_t to = 0;
    while (!c.bad && (from < s->len || to < s->len)) {
        struct packet_span span;
        size_t used = 1;
        int rc = packet_next(&f, s->data + from, to - from, whole_max, &span, &used);
        if (rc == LT_EAGAIN) {
            c.bad |= used != 0 || to == s->len;
            size_t cut = max_cut == 1 ? 1 : 1 + sample_random(&seed) % max_cut;
            to += cut < s->len - to ? cut : s->len - to;
            continue;
        }
        c.bad |= rc != 0 || used == 0 || used > to - from;
        if (c.bad)
            break;
        check_span(&c, s, &span, whole_max);
        from += used;
    }
    CU_ASSERT_FALSE(c.bad);
    CU_ASSERT_EQUAL(c.packet, s->count);
}

static void test_small_packets_in_any_cut(void)
{
    static const size_t payloads[] = {1, 5, 34, 1, 300, 47, 2, 1000};
    struct stream s = make_stream(payloads, sizeof payloads / sizeof payloads[0]);
    for (size_t whole_max = 0; whole_max < 400; whole_max += 33) {
        run_stream(&s, whole_max, 1, 1);
        for (uint64_t seed = 1; seed < 50; seed++)
            run_stream(&s, whole_max, 1 + seed * 7, seed);
    }
    free(s.data);
}

static void test_packets_around_16_mib(void)
{
    static const size_t payloads[] = {
        PACKET_MAX_PART - 1, PACKET_MAX_PART, 7, PACKET_MAX_PART + 1, 2 * (size_t)PACKET_MAX_PART, 1};
    struct stream s = make_stream(payloads, sizeof payloads / sizeof payloads[0]);
    run_stream(&s, 65536, 1 << 20, 42);
    run_stream(&s, 1 << 20, 4 << 20, 43);
    run_stream(&s, PACKET_MAX_PART, 20 << 20, 44);
    free(s.data);
}

static void test_empty_packet_is_refused(void)
{
    static const uint8_t empty[] = {0, 0, 0, 3};
    struct packet_framer f = {0};
    struct packet_span span;
    size_t used;
    CU_ASSERT_EQUAL(packet_next(&f, empty, sizeof empty, 100, &span, &used), LT_EPROTO);
    CU_ASSERT_EQUAL(packet_next(&f, empty, 3, 100, &span, &used), LT_EAGAIN);
}

/* ---- first bytes ---- */

static void test_xid_packet_wants_ack(void)
{
    struct sample s = sample_hex(XID_PACKET);
    struct packet_framer f = {0};
    struct packet_span span;
    struct packet_first first;
    size_t used;
    CU_ASSERT_EQUAL(packet_next(&f, s.data, s.len, 1000, &span, &used), 0);
    CU_ASSERT_EQUAL(used, s.len);
    CU_ASSERT_EQUAL(span.len, 0x22);
    CU_ASSERT_EQUAL(span.seq, 0x0f);
    CU_ASSERT(span.first && span.last);
    CU_ASSERT_EQUAL(packet_parse_first(span.data, span.len, true, SEMI_SYNC_HEADER_PRESENT, &first), 0);
    CU_ASSERT_EQUAL(first.kind, PACKET_EVENT);
    CU_ASSERT_EQUAL(first.prefix_len, 3);
    CU_ASSERT_TRUE(first.ack_wanted);
    CU_ASSERT_TRUE(event_crc_ok(span.data + 3, span.len - 3));
    CU_ASSERT_EQUAL(packet_parse_first(span.data, span.len, true, SEMI_SYNC_HEADER_UNKNOWN, &first), LT_EINVAL);
}

static void test_event_prefix(void)
{
    static const uint8_t plain[] = {0, 0xef, 1};
    static const uint8_t wrong[] = {0, 0xee, 1};
    struct packet_first first;
    CU_ASSERT_EQUAL(packet_parse_first(plain, 3, true, SEMI_SYNC_HEADER_ABSENT, &first), 0);
    CU_ASSERT_EQUAL(first.prefix_len, 1);
    CU_ASSERT_FALSE(first.ack_wanted);
    CU_ASSERT_EQUAL(packet_parse_first(plain, 2, true, SEMI_SYNC_HEADER_PRESENT, &first), LT_EPROTO);
    CU_ASSERT_EQUAL(packet_parse_first(wrong, 3, true, SEMI_SYNC_HEADER_PRESENT, &first), LT_EPROTO);
    CU_ASSERT_EQUAL(packet_parse_first(wrong + 1, 2, true, SEMI_SYNC_HEADER_PRESENT, &first), LT_EPROTO);
    CU_ASSERT_EQUAL(packet_parse_first(plain, 0, true, SEMI_SYNC_HEADER_PRESENT, &first), LT_EPROTO);
}

static void test_eof_and_err(void)
{
    struct packet_first first;
    struct sample eof = sample_hex("fe 00 00 02 00");
    struct sample eof7 = sample_hex("fe 00 00 02 00 00 00");
    struct sample err = sample_hex("ff d4 04 '#HY000Could not find' 0a 'file'");
    CU_ASSERT_EQUAL(packet_parse_first(eof.data, eof.len, true, SEMI_SYNC_HEADER_PRESENT, &first), 0);
    CU_ASSERT_EQUAL(first.kind, PACKET_EOF);
    CU_ASSERT_EQUAL(packet_parse_first(eof7.data, eof7.len, true, SEMI_SYNC_HEADER_UNKNOWN, &first), 0);
    CU_ASSERT_EQUAL(first.kind, PACKET_EOF);
    CU_ASSERT_EQUAL(packet_parse_first(eof.data, eof.len, false, SEMI_SYNC_HEADER_ABSENT, &first), LT_EPROTO);
    CU_ASSERT_EQUAL(packet_parse_first(err.data, err.len, true, SEMI_SYNC_HEADER_PRESENT, &first), 0);
    CU_ASSERT_EQUAL(first.kind, PACKET_ERR);
    CU_ASSERT_EQUAL(first.err_code, 1236);
    CU_ASSERT_STRING_EQUAL(first.err_state, "HY000");
    CU_ASSERT_STRING_EQUAL(first.err_text, "Could not find file");
    CU_ASSERT_EQUAL(packet_parse_first(err.data, 2, true, SEMI_SYNC_HEADER_PRESENT, &first), LT_EPROTO);
    for (size_t n = 3; n < err.len; n++) {
        uint8_t *copy = sample_exact(err.data, n);
        CU_ASSERT_EQUAL(packet_parse_first(copy, n, true, SEMI_SYNC_HEADER_PRESENT, &first), 0);
        free(copy);
    }
    memset(err.data + 9, 'x', SAMPLE_MAX - 9);
    CU_ASSERT_EQUAL(packet_parse_first(err.data, SAMPLE_MAX, true, SEMI_SYNC_HEADER_PRESENT, &first), 0);
    CU_ASSERT_EQUAL(strlen(first.err_text), sizeof first.err_text - 1);
}

static void test_detect_semi_sync(void)
{
    struct sample s = sample_hex(ROTATE_PACKET);
    uint8_t *payload = s.data + PACKET_HEADER_LEN;
    size_t len = s.len - PACKET_HEADER_LEN;
    enum semi_sync_header header = SEMI_SYNC_HEADER_UNKNOWN;
    CU_ASSERT_EQUAL(packet_detect_semi_sync(payload, len, &header), 0);
    CU_ASSERT_EQUAL(header, SEMI_SYNC_HEADER_PRESENT);
    payload[2] = 0; /* the same event behind a plain 00 */
    CU_ASSERT_EQUAL(packet_detect_semi_sync(payload + 2, len - 2, &header), 0);
    CU_ASSERT_EQUAL(header, SEMI_SYNC_HEADER_ABSENT);
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = sample_exact(payload, n);
        CU_ASSERT_EQUAL(packet_detect_semi_sync(copy, n, &header), LT_EPROTO);
        free(copy);
    }
    payload[1] = 0;
    CU_ASSERT_EQUAL(packet_detect_semi_sync(payload, len, &header), LT_EPROTO);
}

/* ---- what we send ---- */

static void check_written(const char *what, int rc, const uint8_t *out, size_t len, const char *hex)
{
    struct sample want = sample_hex(hex);
    CU_ASSERT_EQUAL(rc, 0);
    bool same = rc == 0 && len == want.len && memcmp(out, want.data, len) == 0;
    if (!same)
        (void)fprintf(stderr, "%s differs\n", what);
    CU_ASSERT_TRUE(same);
}

static void test_write_ack(void)
{
    uint8_t out[PACKET_ACK_NAME_MAX + 32];
    char name[PACKET_ACK_NAME_MAX + 2];
    size_t len = 0;
    int rc = packet_write_ack(out, sizeof out, "binlog.000001", 0x796, &len);
    check_written("ack", rc, out, len,
                  "16 00 00 00 | ef | 96 07 00 00 00 00 00 00 | 62 69 6e 6c 6f 67 2e 30 30 30 30 30 31");
    for (size_t cap = 0; cap < len; cap++)
        CU_ASSERT_EQUAL(packet_write_ack(out, cap, "binlog.000001", 0x796, &len), LT_ETOOBIG);
    CU_ASSERT_EQUAL(packet_write_ack(out, sizeof out, "", 4, &len), LT_EINVAL);
    memset(name, 'a', sizeof name);
    name[PACKET_ACK_NAME_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(packet_write_ack(out, sizeof out, name, 4, &len), LT_ETOOBIG);
    name[PACKET_ACK_NAME_MAX] = '\0';
    CU_ASSERT_EQUAL(packet_write_ack(out, sizeof out, name, UINT64_MAX, &len), 0);
}

static void test_write_register(void)
{
    uint8_t out[400];
    char host[300];
    size_t len = 0;
    int rc = packet_write_register(out, sizeof out, 0x815a, "", 0x815a, &len);
    check_written("register", rc, out, len,
                  "12 00 00 00 | 15 | 5a 81 00 00 | 00 | 00 | 00 | 5a 81 | 00 00 00 00 | 00 00 00 00");
    rc = packet_write_register(out, sizeof out, 1, "h", 2, &len);
    check_written("register with host", rc, out, len,
                  "13 00 00 00 | 15 | 01 00 00 00 | 01 'h' | 00 | 00 | 02 00 | 00 00 00 00 | 00 00 00 00");
    memset(host, 'h', sizeof host);
    host[256] = '\0';
    CU_ASSERT_EQUAL(packet_write_register(out, sizeof out, 1, host, 2, &len), LT_EINVAL);
    CU_ASSERT_EQUAL(packet_write_register(out, 10, 1, "h", 2, &len), LT_ETOOBIG);
}

static void test_write_dump(void)
{
    uint8_t out[200];
    size_t len = 0;
    int rc = packet_write_dump(out, sizeof out, "binlog.000004", 0x249c, 2, 0x815a, &len);
    check_written("dump", rc, out, len, "18 00 00 00 | 12 | 9c 24 00 00 | 02 00 | 5a 81 00 00 | 'binlog.000004'");
    CU_ASSERT_EQUAL(packet_write_dump(out, sizeof out, "b.000001", (uint64_t)UINT32_MAX + 1, 0, 1, &len), LT_EINVAL);
    CU_ASSERT_EQUAL(packet_write_dump(out, sizeof out, "b.000001", UINT32_MAX, 0, 1, &len), 0);
    CU_ASSERT_EQUAL(packet_write_dump(out, 12, "b.000001", 4, 0, 1, &len), LT_ETOOBIG);
}

static void test_write_dump_gtid(void)
{
    uint8_t out[200];
    size_t len = 0;
    struct gtid_set set = {0};
    uint8_t *encoded = NULL;
    size_t encoded_len = 0;
    int rc = gtid_set_parse(GTID_MYSQL, "68b1e7ed-e6ea-11f1-af30-02fc00000001:1-6", &set);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(gtid_set_encode_mysql(&set, &encoded, &encoded_len), 0);
    rc = packet_write_dump_gtid(out, sizeof out, "", 4, 2, 0x815a, encoded, encoded_len, &len);
    check_written("dump gtid", rc, out, len,
                  "47 00 00 00 | 1e | 02 00 | 5a 81 00 00 | 00 00 00 00 | 04 00 00 00 00 00 00 00 | 30 00 00 00 | "
                  "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | "
                  "01 00 00 00 00 00 00 00 | 01 00 00 00 00 00 00 00 | 07 00 00 00 00 00 00 00");
    free(encoded);
    gtid_set_fini(&set);
    CU_ASSERT_EQUAL(packet_write_dump_gtid(out, 20, "b.000001", 4, 2, 1, out, 8, &len), LT_ETOOBIG);
}

static void test_greeting(void)
{
    struct sample mysql = sample_hex("0a '9.7.4' 00 | 2a 00 00 00 | 'abcdefgh' 00 | ff ff | 2d | 02 00 | ff df | 15 | "
                                     "00 00 00 00 00 00 00 00 00 00 | 'ijklmnopqrst' 00 | 'caching_sha2_password' 00");
    struct sample mariadb =
        sample_hex("0a '5.5.5-10.11.19-MariaDB-log' 00 | 07 00 00 00 | 'abcdefgh' 00 | fe f7 | 2d | "
                   "02 00 | ff 81 | 15 | 00 00 00 00 00 00 1d 00 00 00 | 'ijklmnopqrst' 00");
    struct sample err = sample_hex("ff 10 04 'Too many connections'");
    struct packet_greeting g;
    uint16_t code = 1;
    CU_ASSERT_EQUAL(packet_parse_greeting(mysql.data, mysql.len, &g, &code), 0);
    CU_ASSERT_STRING_EQUAL(g.version, "9.7.4");
    CU_ASSERT_EQUAL(g.thread_id, 42);
    CU_ASSERT_EQUAL(g.capabilities, 0xdfffffff);
    CU_ASSERT_FALSE(g.is_mariadb);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_EQUAL(packet_parse_greeting(mariadb.data, mariadb.len, &g, &code), 0);
    CU_ASSERT_TRUE(g.is_mariadb);
    CU_ASSERT_EQUAL(g.capabilities & PACKET_CLIENT_SSL, 0);
    CU_ASSERT_EQUAL(packet_parse_greeting(err.data, err.len, &g, &code), LT_EPROTO);
    CU_ASSERT_EQUAL(code, 1040);
    for (size_t n = 0; n < 22; n++) {
        uint8_t *copy = sample_exact(mysql.data, n);
        CU_ASSERT_EQUAL(packet_parse_greeting(copy, n, &g, &code), LT_EPROTO);
        free(copy);
    }
}

static const struct test_case cases[] = {
    {"small packets come out whole in any cut", test_small_packets_in_any_cut},
    {"payloads around the 16 MiB split", test_packets_around_16_mib},
    {"an empty logical packet is refused", test_empty_packet_is_refused},
    {"a flagged XID packet", test_xid_packet_wants_ack},
    {"prefix of events", test_event_prefix},
    {"EOF and ERR packets", test_eof_and_err},
    {"semi-sync header is told by lengths", test_detect_semi_sync},
    {"ACK", test_write_ack},
    {"COM_REGISTER_SLAVE", test_write_register},
    {"COM_BINLOG_DUMP", test_write_dump},
    {"COM_BINLOG_DUMP_GTID", test_write_dump_gtid},
    {"greeting", test_greeting},
};

int main(void)
{
    return cunit_run("packet", cases, sizeof cases / sizeof cases[0]);
}
