/*
 * - Every dump has a connection of its own: the protocol has no way to end a dump but closing it.
 * - The source's identity is checked on each: an address may lead elsewhere between two connects.
 * - MariaDB: each dump has another server_id out of our range, written down before it is used, and the thread of the dump before is killed
 *   by its number if it may still live: two dumps with one server_id freeze the whole server.
 * - Before an acknowledging dump the source's executed set must still hold what it held when it was proved.
 * - An acknowledging dump's command leaves through the gate, like an ACK.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_internal.h"

#define DEAD_AFTER_PERIODS 3
#define PROVE_HEARTBEAT_US 50000u /* a proving dump, or a look, learns by heartbeat that there is no more */
#define START_TIME_SLACK_S 2u     /* UNIX_TIMESTAMP() - Uptime wavers by a second */

/* The lineage's source, by its name or by another that is proved or about to be (recognise.c). */
static int check_name(struct ingest *ing, struct session_info *info, struct fault *f)
{
    struct store_resume r;
    store_resume_point(ing->opt.store, &r);
    if (ing->any_source || !r.have_lineage || strcmp(r.source_id, info->own_id) == 0)
        return LT_OK;
    if (strcmp(ing->alias, info->own_id) == 0) {
        memcpy(info->source_id, r.source_id, sizeof info->source_id);
        return LT_OK;
    }
    memcpy(ing->stranger, info->own_id, sizeof ing->stranger);
    return fault_set(f, FAULT_WRONG_SOURCE, "this store belongs to source %s, the server at %s:%u is %s", r.source_id,
                     ing->target.host, ing->target.port, info->own_id);
}

int dump_check_identity(struct ingest *ing, struct session_info *info, struct fault *f)
{
    int rc = check_name(ing, info, f);
    if (rc != 0)
        return rc;
    uint32_t base = ing->identity.server_id;
    bool same = info->mariadb ? info->server_id >= base && info->server_id < base + 2 * INGEST_MARIADB_IDS
                              : info->server_id == base;
    if (same || strcmp(info->server_uuid, ing->identity.server_uuid) == 0)
        return fault_set(f, FAULT_DUPLICATE, "the source's own server_id %u or server_uuid is the one we use",
                         info->server_id);
    if (info->binlog_engine[0] != '\0')
        return fault_set(f, FAULT_ENGINE, "the source keeps its binlog in %s (binlog_storage_engine), not in files",
                         info->binlog_engine);
    if (!info->binlog_on)
        return fault_set(f, FAULT_NO_BINLOG, "the source writes no binlog (log_bin is off)");
    return LT_OK;
}

/* The id of the coming dump; on MariaDB the next of the range, durable before it is used. */
static int choose_identity(struct ingest *ing, enum dump_purpose purpose, const struct session_info *info,
                           struct source *conn, struct session_dump *d, struct fault *f)
{
    struct identity *id = &ing->identity;
    struct lt_err err;
    d->uuid = purpose == DUMP_ACKNOWLEDGE ? id->server_uuid : id->prove_uuid;
    d->server_id = id->server_id + (purpose == DUMP_ACKNOWLEDGE ? 0 : INGEST_MARIADB_IDS);
    if (!info->mariadb)
        return LT_OK;
    uint64_t started = info->started_s;
    bool same_run = started + START_TIME_SLACK_S >= id->last_source_start_s &&
                    id->last_source_start_s + START_TIME_SLACK_S >= started;
    if (id->last_thread_id != 0 && same_run)
        session_kill_dump(conn, id->last_thread_id);
    id->dump_serial++;
    id->last_thread_id = info->thread_id;
    id->last_source_start_s = started;
    d->server_id += id->dump_serial % INGEST_MARIADB_IDS;
    int rc = identity_save(ing->opt.store, id, &err);
    return rc == 0 ? LT_OK : fault_set(f, fault_of_store_error(rc, err.sys_errno), "%s", err.text);
}

/*
 * Between the two dumps the source may have begun its history anew, and asking for a place acknowledges it. What a source has executed only grows, but
 * for a reset: what the proving dump's connection was told must still be there. Asked as late as SQL can be asked on this connection. A MySQL
 * source without GTIDs has nothing that could tell; there the stream itself says it, after the dump was asked for.
 */
/* What the source had when the proving dump began, but for what a MySQL was made with and no binlog ever brings. */
static int note_catch_up(struct ingest *ing, const struct dump *d, struct fault *f)
{
    ing->catch_up_at_us = clock_mono_us();
    if (gtid_set_copy(&ing->catch_up, &ing->proved_by) != 0 ||
        (!d->info.mariadb && gtid_set_subtract(&ing->catch_up, &ing->purged) == LT_ENOMEM))
        return fault_set(f, FAULT_CONNECT, "out of memory");
    return LT_OK;
}

static int check_same_history(struct ingest *ing, enum dump_purpose purpose, const struct dump *d, struct fault *f)
{
    struct gtid_set now;
    if (purpose == DUMP_PROBE)
        return LT_OK;
    gtid_set_init(&now);
    int rc = purpose == DUMP_PROVE ? session_purged(d->conn, &d->info, &ing->purged, f) : LT_OK;
    if (rc == 0)
        rc = session_executed(d->conn, &d->info, &now, f);
    if (rc == 0 && purpose == DUMP_PROVE) {
        gtid_set_fini(&ing->proved_by);
        ing->proved_by = now;
        return note_catch_up(ing, d, f);
    }
    if (rc == 0 && !gtid_set_is_empty(&ing->proved_by) && !gtid_set_contains_set(&now, &ing->proved_by))
        rc = fault_set(f, FAULT_CONNECT, "%s lost transactions since its history was proved: proving it again",
                       d->info.source_id);
    gtid_set_fini(&now);
    return rc;
}

static int send_dump(struct ingest *ing, struct dump *d, const struct session_dump *sd, struct fault *f)
{
    uint8_t packet[INGEST_DUMP_PACKET_MAX];
    size_t len = 0;
    struct lt_err err;
    if (session_dump_packet(&d->info, sd, packet, sizeof packet, &len) != 0)
        return fault_set(f, FAULT_PROTOCOL, "no dump command can ask this source for %s:%" PRIu64, sd->file, sd->pos);
    int rc;
    if (sd->semi_sync) {
        d->admitted = gate_admit(ing->opt.gate, d->info.source_id);
        rc = gate_send_dump(ing->opt.gate, d->admitted, &d->wire, packet, len, sd->file, sd->pos, &err);
    } else {
        rc = wire_send_whole(&d->wire, packet, len, &err);
    }
    return rc == 0 ? LT_OK : fault_set(f, FAULT_CONNECT, "asking for the dump: %s", err.text);
}

int dump_begin(struct ingest *ing, enum dump_purpose purpose, const struct replica_start *start, struct dump *d,
               struct fault *f)
{
    struct lt_err err;
    struct session_dump sd = {
        .pos = start->pos,
        .semi_sync = purpose == DUMP_ACKNOWLEDGE,
        .heartbeat_us = ing->opt.heartbeat_us,
        .report_port = ing->opt.report_port,
        .connect_state = d->connect_state,
    };
    if (purpose != DUMP_ACKNOWLEDGE && sd.heartbeat_us > PROVE_HEARTBEAT_US)
        sd.heartbeat_us = PROVE_HEARTBEAT_US;
    memcpy(sd.file, start->file, sizeof sd.file);
    int rc = dump_check_identity(ing, &d->info, f);
    if (rc == 0 && purpose == DUMP_ACKNOWLEDGE)
        rc = recognise_same(ing, &d->info, f);
    if (rc == 0)
        rc = choose_identity(ing, purpose, &d->info, d->conn, &sd, f);
    if (rc == 0)
        rc = session_prepare(d->conn, &sd, f);
    if (rc == 0)
        rc = check_same_history(ing, purpose, d, f);
    if (rc != 0)
        return rc;
    if (source_take_over(d->conn, &d->wire, &err) != 0)
        return fault_set(f, FAULT_TLS, "%s", err.text);
    rc = session_register(&d->wire, &sd, ing->opt.source.connect_timeout_us, f);
    return rc == 0 ? send_dump(ing, d, &sd, f) : rc;
}

int dump_open(struct ingest *ing, enum dump_purpose purpose, const struct replica_start *start, struct dump *ret,
              struct fault *ret_fault)
{
    *ret = (struct dump){0};
    int rc = ingest_connect(ing, &ret->conn, &ret->info, ret_fault);
    if (rc != 0)
        return rc;
    rc = dump_begin(ing, purpose, start, ret, ret_fault);
    if (rc != 0) {
        dump_close(ing, ret);
        return rc;
    }
    struct stream_options so = {
        .wire = &ret->wire,
        .store = ing->opt.store,
        .gate = ing->opt.gate,
        .connection = ret->admitted,
        .dead_after_us = DEAD_AFTER_PERIODS * ing->opt.heartbeat_us,
        .ack_us = &ing->ack_us,
    };
    if (stream_init(&ret->stream, &so, start) != 0) {
        dump_close(ing, ret);
        return fault_set(ret_fault, FAULT_CONNECT, "out of memory");
    }
    ret->stream_open = true;
    ingest_note_source(ing, &ret->info, purpose == DUMP_ACKNOWLEDGE);
    return LT_OK;
}

void dump_hold(struct ingest *ing, struct dump *d)
{
    struct holder *h = NULL;
    struct lt_err err;
    gate_revoke(ing->opt.gate, d->admitted);
    d->admitted = 0;
    ingest_forget_connection(ing);
    if (holder_start(d->conn, &d->wire, d->info.source_id, &h, &err) == 0) {
        d->conn = NULL;
        if (!ingest_keep_holder(ing, h))
            holder_stop(h);
        else
            log_notice("ingest", "the connection to %s stays open and is not answered", d->info.source_id);
    } else {
        log_error("ingest", "the connection to the fenced source is closed, not held: %s", err.text);
    }
    dump_close(ing, d);
}

void dump_close(struct ingest *ing, struct dump *d)
{
    if (d->admitted != 0)
        gate_revoke(ing->opt.gate, d->admitted);
    if (d->stream_open)
        stream_fini(&d->stream);
    ingest_disconnect(ing, d->conn);
    *d = (struct dump){0};
}

/* Its transactions are on the source and in no binlog: whoever reads this one must know. */
static void note_incidents(struct ingest_view *v, const struct stream *st, struct dump *d)
{
    if (st->incidents == d->incidents_noted)
        return;
    log_warn("ingest", "an Incident event at %s:%" PRIu64 ": the source lost changes on their way to its binlog",
             st->incident_file, st->incident_start);
    v->incidents += st->incidents - d->incidents_noted;
    d->incidents_noted = st->incidents;
    memcpy(v->incident_at.file, st->incident_file, sizeof v->incident_at.file);
    v->incident_at.offset = st->incident_start;
}

static void note_progress(struct ingest *ing, struct dump *d)
{
    struct ingest_view *v = &ing->view;
    const struct stream *st = &d->stream;
    if (st->began && st->replica.state != REPLICA_AWAIT_FDE) {
        memcpy(v->received.file, st->replica.file, sizeof v->received.file);
        v->received.offset = st->replica.offset;
    }
    v->heard_us = st->read_at_us;
    if (v->semi_sync_active && v->counted_from_us == 0 && st->bytes > 0)
        v->counted_from_us = st->read_at_us;
    v->source_idle = st->heartbeat;
    v->acks_requested += st->flags_seen - d->flags_counted;
    d->flags_counted = st->flags_seen;
    v->last_event_s = st->last_event_s;
    note_incidents(v, st, d);
    if (st->boundary_mismatches != d->mismatches_noted) {
        log_warn("ingest",
                 "the source asked for an ACK at %s:%" PRIu64 ", where this program sees no end of a transaction",
                 st->ack.file, st->ack.offset);
        v->boundary_mismatches += st->boundary_mismatches - d->mismatches_noted;
        d->mismatches_noted = st->boundary_mismatches;
    }
    ing->view_dirty = true;
}

int dump_turn(struct ingest *ing, struct dump *d, struct fault *ret_fault)
{
    uint64_t wait_us = 0;
    bool woken = false;
    int rc = stream_turn(&d->stream, &wait_us, ret_fault);
    note_progress(ing, d);
    if (rc != 0)
        return rc;
    if (wait_us > 0) {
        /* Idle moments are when others are told and the store may prepare. */
        ingest_publish(ing, false);
        (void)store_publish_pending(ing->opt.store);
        if (store_idle(ing->opt.store))
            wait_us = 0; /* one piece was done; a look at the wire before the next */
        if (wire_wait(&d->wire, ing->wake_fd, wait_us, &woken) == LT_ESYS)
            return fault_set(ret_fault, FAULT_CONNECT, "waiting for the source failed");
        if (woken)
            ingest_drain_wake(ing);
    } else if (d->stream.read_at_us >= ing->published_us + INGEST_PUBLISH_US) {
        ingest_publish(ing, false);
    }
    return LT_OK;
}
