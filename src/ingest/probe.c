/*
 * A look at what a source has: a dump without semi-sync, read only as far as its first Rotate and, if wanted, the FDE. Nothing is stored,
 * nothing acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/ingest_internal.h"

#define PROBE_BUFFER (256u * 1024u)

struct probe {
    char file[BINLOG_NAME_MAX + 1];
    uint8_t *fde;
    size_t fde_len;
    bool want_fde;
    enum semi_sync_header header;
};

static int probe_event(struct probe *p, const uint8_t *payload, size_t len, bool *ret_done, struct fault *f)
{
    struct packet_first first;
    struct event_header h;
    if (p->header == SEMI_SYNC_HEADER_UNKNOWN && len > 0 && payload[0] == 0 &&
        packet_detect_semi_sync(payload, len, &p->header) != 0)
        return fault_set(f, FAULT_PROTOCOL, "the source's stream does not begin with a Rotate event");
    if (packet_parse_first(payload, len, true, p->header, &first) != 0 || first.kind == PACKET_EOF)
        return fault_set(f, FAULT_PROTOCOL, "the source ended the dump");
    if (first.kind == PACKET_ERR)
        return fault_set(f, fault_of_server_error(first.err_code, first.err_text), "error %u: %s", first.err_code,
                         first.err_text);
    const uint8_t *event = payload + first.prefix_len;
    size_t event_len = len - first.prefix_len;
    struct event_rotate rot;
    if (event_header_parse(event, event_len, &h) != 0 || h.length != event_len)
        return fault_set(f, FAULT_PROTOCOL, "malformed event from the source");
    if (h.type == EVENT_ROTATE && p->file[0] == '\0') {
        if (event_rotate_parse(event, event_len, event_crc_ok(event, event_len), &rot) != 0)
            return fault_set(f, FAULT_PROTOCOL, "malformed Rotate event from the source");
        memcpy(p->file, rot.name, sizeof p->file);
        *ret_done = !p->want_fde;
    } else if (h.type == EVENT_FORMAT_DESCRIPTION) {
        p->fde = malloc(event_len);
        if (p->fde == NULL)
            return fault_set(f, FAULT_CONNECT, "out of memory");
        memcpy(p->fde, event, event_len);
        p->fde_len = event_len;
        *ret_done = true;
    }
    return LT_OK;
}

static int probe_read(struct ingest *ing, struct wire *w, struct probe *p, uint8_t *buf, struct fault *f)
{
    struct packet_framer framer = {.first = true};
    uint64_t until = clock_mono_us() + ing->opt.source.read_timeout_us;
    size_t len = 0;
    bool done = false;
    while (!done) {
        struct packet_span span;
        struct lt_err err;
        size_t n = 0;
        bool woken = false;
        int rc = packet_next(&framer, buf, len, PROBE_BUFFER - PACKET_HEADER_LEN, &span, &n);
        if (rc == 0) {
            rc = probe_event(p, span.data, span.len, &done, f);
            if (rc != 0)
                return rc;
            memmove(buf, buf + n, len - n);
            len -= n;
            continue;
        }
        rc = wire_read(w, buf + len, PROBE_BUFFER - len, &n, &err);
        if (rc == 0)
            len += n;
        else if (rc != LT_EAGAIN || clock_mono_us() >= until || ingest_stopping(ing) || len == PROBE_BUFFER)
            return fault_set(f, FAULT_CONNECT, "looking at the source's files: %s",
                             rc == LT_EAGAIN ? "no answer" : err.text);
        else
            lt_ignore(wire_wait(w, ing->wake_fd, 100000, &woken)); /* the loop looks again in any case */
    }
    return LT_OK;
}

static int probe_dump(struct ingest *ing, struct dump *d, const char *file, const struct gtid_set *by_gtid,
                      struct fault *f)
{
    struct replica_start start = {.pos = BINLOG_MAGIC_LEN};
    (void)snprintf(start.file, sizeof start.file, "%s", file);
    if (by_gtid == NULL)
        return dump_begin(ing, DUMP_PROBE, &start, d, f);
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

int dump_probe(struct ingest *ing, const char *file, const struct gtid_set *by_gtid, char ret_file[BINLOG_NAME_MAX + 1],
               uint8_t **ret_fde, size_t *ret_fde_len, struct fault *ret_fault)
{
    struct dump d = {0};
    struct probe p = {.want_fde = ret_fde != NULL};
    uint8_t *buf = malloc(PROBE_BUFFER);
    if (buf == NULL)
        return fault_set(ret_fault, FAULT_CONNECT, "out of memory");
    int rc = ingest_connect(ing, &d.conn, &d.info, ret_fault);
    if (rc == 0)
        rc = probe_dump(ing, &d, file, by_gtid, ret_fault);
    if (rc == 0)
        rc = probe_read(ing, &d.wire, &p, buf, ret_fault);
    dump_close(ing, &d);
    free(buf);
    if (rc != 0) {
        free(p.fde);
        return rc;
    }
    memcpy(ret_file, p.file, sizeof p.file);
    if (ret_fde != NULL) {
        *ret_fde = p.fde;
        *ret_fde_len = p.fde_len;
    }
    return LT_OK;
}
