/*
 * A look at what a source has: a dump without semi-sync, read only as far as its first Rotate and, if wanted, the FDE, the list of GTIDs
 * before the file or the first transaction. Nothing is stored, nothing acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/ingest_internal.h"

#define PROBE_BUFFER (64u * 1024u)
#define PROBE_MAX    (EVENT_LIST_MAX + 16u) /* the largest event that is looked at, with what stands before it */

struct probe {
    char file[BINLOG_NAME_MAX + 1];
    uint8_t *fde;
    size_t fde_len;
    bool want_fde;
    struct gtid_set *want_list; /* NULL: not wanted */
    bool have_list;
    bool want_transaction; /* the first one ends the look, or that there is none */
    bool unreadable;
    enum semi_sync_header header;
    uint8_t *packet; /* gathered so far; grows with what came */
    size_t len;
    size_t cap;
};

static int take_fde(struct probe *p, const uint8_t *event, size_t len, struct fault *f)
{
    free(p->fde);
    p->fde = malloc(len);
    if (p->fde == NULL)
        return fault_set(f, FAULT_CONNECT, "out of memory");
    memcpy(p->fde, event, len);
    p->fde_len = len;
    return LT_OK;
}

/* *ret_done: the list came, or an event that it would have come before. */
static int take_list(struct probe *p, const struct event_header *h, const uint8_t *event, size_t len, bool *ret_done,
                     struct fault *f)
{
    int rc = LT_OK;
    bool crc = event_crc_ok(event, len);
    if (h->type == EVENT_PREVIOUS_GTIDS)
        rc = gtid_set_from_previous_gtids(event, len, crc, p->want_list);
    else if (h->type == EVENT_MARIADB_GTID_LIST)
        rc = gtid_set_from_gtid_list(event, len, crc, p->want_list);
    else if (h->type == EVENT_MARIADB_START_ENCRYPTION || h->type == EVENT_HEARTBEAT || h->type == EVENT_ROTATE)
        return LT_OK;
    if (rc != 0)
        return fault_set(f, FAULT_PROTOCOL, "%s: its list of GTIDs cannot be read", p->file);
    p->have_list = h->type == EVENT_PREVIOUS_GTIDS || h->type == EVENT_MARIADB_GTID_LIST;
    *ret_done = true;
    return LT_OK;
}

static int probe_event(struct probe *p, const uint8_t *payload, size_t len, bool *ret_done, struct fault *f)
{
    struct packet_first first;
    struct event_header h;
    if (p->header == SEMI_SYNC_HEADER_UNKNOWN && len > 0 && payload[0] == 0 &&
        packet_detect_semi_sync(payload, len, &p->header) != 0)
        return fault_set(f, FAULT_PROTOCOL, "the source's stream does not begin with a Rotate event");
    if (packet_parse_first(payload, len, true, p->header, &first) != 0 || first.kind == PACKET_EOF)
        return fault_set(f, FAULT_PROTOCOL, "the source ended the dump");
    if (first.kind == PACKET_ERR) {
        p->unreadable = torn_is_told_by(first.err_code, first.err_text);
        return fault_set(f, fault_of_server_error(first.err_code, first.err_text), "error %u: %s", first.err_code,
                         first.err_text);
    }
    const uint8_t *event = payload + first.prefix_len;
    size_t event_len = len - first.prefix_len;
    struct event_rotate rot;
    if (event_header_parse(event, event_len, &h) != 0 || h.length != event_len)
        return fault_set(f, FAULT_PROTOCOL, "malformed event from the source");
    if (h.type == EVENT_ROTATE && (p->file[0] == '\0' || p->want_transaction)) {
        if (event_rotate_parse(event, event_len, event_crc_ok(event, event_len), &rot) != 0)
            return fault_set(f, FAULT_PROTOCOL, "malformed Rotate event from the source");
        memcpy(p->file, rot.name, sizeof p->file);
        *ret_done = !p->want_fde && p->want_list == NULL && !p->want_transaction;
        return LT_OK;
    }
    if (h.type == EVENT_FORMAT_DESCRIPTION) {
        *ret_done = p->want_list == NULL && !p->want_transaction;
        return take_fde(p, event, event_len, f);
    }
    if (p->want_transaction) {
        *ret_done = h.type != EVENT_PREVIOUS_GTIDS && h.type != EVENT_STOP;
        return LT_OK;
    }
    return p->want_list != NULL ? take_list(p, &h, event, event_len, ret_done, f) : LT_OK;
}

static int gather(struct probe *p, const struct packet_span *span, struct fault *f)
{
    if (span->first)
        p->len = 0;
    if (span->len > PROBE_MAX - p->len)
        return fault_set(f, FAULT_TOO_LARGE, "%s begins with an event of more than %u bytes", p->file, EVENT_LIST_MAX);
    if (p->len + span->len > p->cap) {
        size_t cap = p->cap * 2 > p->len + span->len ? p->cap * 2 : p->len + span->len;
        uint8_t *bigger = realloc(p->packet, cap);
        if (bigger == NULL)
            return fault_set(f, FAULT_CONNECT, "out of memory");
        p->packet = bigger;
        p->cap = cap;
    }
    if (span->len > 0)
        memcpy(p->packet + p->len, span->data, span->len);
    p->len += span->len;
    return LT_OK;
}

/* What is in the buffer, packet by packet. *len: what is left of it. */
static int take_packets(struct probe *p, struct packet_framer *framer, uint8_t *buf, size_t *len, bool *ret_done,
                        struct fault *f)
{
    struct packet_span span;
    size_t used = 0;
    while (!*ret_done) {
        size_t n = 0;
        int rc = packet_next(framer, buf + used, *len - used, 0, &span, &n);
        if (rc == LT_EAGAIN)
            break;
        if (rc != 0)
            return fault_set(f, FAULT_PROTOCOL, "malformed packet from the source");
        used += n;
        rc = gather(p, &span, f);
        if (rc == 0 && span.last)
            rc = probe_event(p, p->packet, p->len, ret_done, f); // NOLINT(clang-analyzer-unix.Malloc): look() frees
        if (rc != 0)
            return rc;
    }
    memmove(buf, buf + used, *len - used);
    *len -= used;
    return LT_OK;
}

static int probe_read(struct ingest *ing, struct wire *w, struct probe *p, uint8_t *buf, struct fault *f)
{
    struct packet_framer framer = {.first = true};
    uint64_t until = clock_mono_us() + ing->opt.source.read_timeout_us;
    size_t len = 0;
    bool done = false;
    while (!done) {
        struct lt_err err;
        size_t n = 0;
        bool woken = false;
        int rc = wire_read(w, buf + len, PROBE_BUFFER - len, &n, &err);
        if (rc == 0) {
            len += n;
            rc = take_packets(p, &framer, buf, &len, &done, f);
            if (rc != 0)
                return rc;
            if (framer.started) /* a large packet on its way: heartbeats alone do not prolong the wait */
                until = clock_mono_us() + ing->opt.source.read_timeout_us;
            continue;
        }
        if (rc != LT_EAGAIN || clock_mono_us() >= until || ingest_stopping(ing))
            return fault_set(f, FAULT_CONNECT, "looking at the source's files: %s",
                             rc == LT_EAGAIN ? "no answer" : err.text);
        lt_ignore(wire_wait(w, ing->wake_fd, 100000, &woken)); /* the loop looks again in any case */
    }
    return LT_OK;
}

/* The last GTID of each domain, which is what a MariaDB replica starts behind; malloc'd, NULL when out of memory. */
static char *connect_state(const struct gtid_set *set)
{
    size_t cap = set->state_count * GTID_TEXT_MAX + 1;
    size_t len = 0;
    char *text = calloc(1, cap);
    for (size_t i = 0; text != NULL && i < set->state_count; i++) {
        const struct gtid_state *st = &set->states[i];
        struct gtid g = {.kind = GTID_MARIADB, .domain_id = st->domain_id, .server_id = st->server_id, .seq = st->seq};
        char one[GTID_TEXT_MAX];
        if (st->last_in_domain)
            len +=
                (size_t)snprintf(text + len, cap - len, "%s%s", len > 0 ? "," : "", gtid_format(&g, one, sizeof one));
    }
    return text;
}

/* MariaDB takes the place from a variable; the file's name is empty then. */
static int probe_dump_mariadb(struct ingest *ing, struct dump *d, const struct gtid_set *by_gtid, struct fault *f)
{
    struct replica_start start = {.pos = BINLOG_MAGIC_LEN};
    char *state = connect_state(by_gtid);
    if (state == NULL)
        return fault_set(f, FAULT_CONNECT, "out of memory");
    d->connect_state = state;
    int rc = dump_begin(ing, DUMP_PROBE, &start, d, f);
    d->connect_state = NULL;
    free(state);
    return rc;
}

static int probe_dump(struct ingest *ing, struct dump *d, const char *file, const struct gtid_set *by_gtid,
                      struct fault *f)
{
    struct replica_start start = {.pos = BINLOG_MAGIC_LEN};
    (void)snprintf(start.file, sizeof start.file, "%s", file);
    if (by_gtid == NULL)
        return dump_begin(ing, DUMP_PROBE, &start, d, f);
    if (d->info.mariadb)
        return probe_dump_mariadb(ing, d, by_gtid, f);
    /* A GTID dump: the server itself picks the file. Never with semi-sync. */
    struct session_dump sd = {.heartbeat_us = ing->opt.heartbeat_us,
                              .uuid = ing->identity.prove_uuid,
                              .server_id = ing->identity.server_id + INGEST_MARIADB_IDS};
    struct lt_err err;
    uint8_t *set = NULL;
    size_t set_len = 0;
    size_t len = 0;
    int rc = dump_check_identity(ing, &d->info, f);
    if (rc == 0)
        rc = session_prepare(d->conn, &sd, f);
    if (rc != 0)
        return rc;
    if (source_take_over(d->conn, &d->wire, &err) != 0 || gtid_set_encode_mysql(by_gtid, &set, &set_len) != 0)
        return fault_set(f, FAULT_CONNECT, "preparing a dump by GTID");
    size_t cap = set_len + INGEST_DUMP_PACKET_MAX;
    uint8_t *packet = malloc(cap);
    rc = packet == NULL
             ? LT_ENOMEM
             : packet_write_dump_gtid(packet, cap, "", BINLOG_MAGIC_LEN, 0, sd.server_id, set, set_len, &len);
    if (rc == 0)
        rc = wire_send_whole(&d->wire, packet, len, &err);
    free(packet);
    free(set);
    return rc == 0 ? LT_OK : fault_set(f, FAULT_CONNECT, "asking for a dump by GTID");
}

/* One look; on failure nothing is left in *p. */
static int look(struct ingest *ing, const char *file, const struct gtid_set *by_gtid, struct probe *p, struct fault *f)
{
    struct dump d = {0};
    uint8_t *buf = malloc(PROBE_BUFFER);
    if (buf == NULL)
        return fault_set(f, FAULT_CONNECT, "out of memory");
    int rc = ingest_connect(ing, &d.conn, &d.info, f);
    if (rc == 0)
        rc = probe_dump(ing, &d, file, by_gtid, f);
    if (rc == 0)
        rc = probe_read(ing, &d.wire, p, buf, f);
    dump_close(ing, &d);
    free(buf);
    free(p->packet);
    p->packet = NULL;
    if (rc != 0) {
        free(p->fde);
        p->fde = NULL;
    }
    return rc;
}

int dump_probe(struct ingest *ing, const char *file, const struct gtid_set *by_gtid, char ret_file[BINLOG_NAME_MAX + 1],
               uint8_t **ret_fde, size_t *ret_fde_len, struct fault *ret_fault)
{
    struct probe p = {.want_fde = ret_fde != NULL};
    int rc = look(ing, file, by_gtid, &p, ret_fault);
    if (rc != 0)
        return rc;
    memcpy(ret_file, p.file, sizeof p.file);
    if (ret_fde != NULL) {
        *ret_fde = p.fde;
        *ret_fde_len = p.fde_len;
    }
    return LT_OK;
}

int dump_probe_list(struct ingest *ing, const char *file, char ret_file[BINLOG_NAME_MAX + 1], struct gtid_set *ret_list,
                    struct fault *ret_fault)
{
    struct probe p = {.want_list = ret_list};
    int rc = look(ing, file, NULL, &p, ret_fault);
    if (rc == 0)
        memcpy(ret_file, p.file, sizeof p.file);
    free(p.fde);
    return rc;
}

int dump_probe_first(struct ingest *ing, const char *file, char ret_file[BINLOG_NAME_MAX + 1], struct fault *ret_fault)
{
    struct probe p = {.want_transaction = true};
    int rc = look(ing, file, NULL, &p, ret_fault);
    memcpy(ret_file, p.file, sizeof p.file);
    free(p.fde);
    return rc;
}

int dump_probe_start(struct ingest *ing, const char *file, struct probe_start *ret, struct fault *ret_fault)
{
    struct probe p = {.want_list = &ret->list};
    struct event_fde fde = {.created = 0};
    int rc = look(ing, file, NULL, &p, ret_fault);
    ret->unreadable = p.unreadable;
    if (rc == 0 && (p.fde == NULL || event_fde_parse(p.fde, p.fde_len, &fde) != 0))
        rc = fault_set(ret_fault, FAULT_PROTOCOL, "%s: its format description cannot be read", file);
    free(p.fde);
    if (rc != 0)
        return rc;
    memcpy(ret->file, p.file, sizeof p.file);
    ret->have_list = p.have_list;
    ret->after_start = fde.created != 0;
    ret->mariadb = fde.is_mariadb;
    return LT_OK;
}
