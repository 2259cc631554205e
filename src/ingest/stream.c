/*
 * A turn:
 * - read until EAGAIN or the batch is full; every event is checked and appended (stream_event.c);
 * - one sync when an ACK is due, the batch is full, or the unsynced bytes are old enough;
 * - report the durable end to the gate, then one ACK for the last flagged position;
 * - then tell readers: waking them before would put their work between the sync and its ACK.
 * Failure modes: a peer that breaks off or sends nonsense ends the stream, after what came before it was synced and acknowledged;
 * a store that fails ends it at once, without an ACK (the caller repairs). Silence counts only once the socket was drained: bytes that
 * waited for us while the disk hung are a sign of life.
 */
#include "ingest/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int stream_init(struct stream *st, const struct stream_options *opt, const struct replica_start *start)
{
    *st = (struct stream){.opt = *opt, .semi_sync = SEMI_SYNC_HEADER_UNKNOWN};
    if (st->opt.now_us == NULL)
        st->opt.now_us = clock_mono_us;
    st->framer.first = true;
    st->buf = malloc(STREAM_BUFFER_BYTES);
    st->head = malloc(STREAM_HEAD_BYTES);
    if (st->buf == NULL || st->head == NULL) {
        stream_fini(st);
        return LT_ENOMEM;
    }
    st->read_at_us = st->opt.now_us();
    memcpy(st->stored_file, start->held_file, sizeof st->stored_file);
    replica_init(&st->replica, start);
    return LT_OK;
}

void stream_fini(struct stream *st)
{
    struct lt_err err;
    if (st->large.active && st->large.action == REPLICA_APPEND)
        lt_ignore(store_event_abort(st->opt.store, &err)); /* a failure leaves the store broken, which its owner sees */
    st->large.active = false;
    free(st->list.event);
    st->list.event = NULL;
    free(st->buf);
    free(st->head);
    st->buf = NULL;
    st->head = NULL;
}

int stream_store_fault(struct fault *f, int rc, const struct lt_err *err)
{
    (void)fault_set(f, fault_of_store_error(rc, err->sys_errno), "%s", err->text);
    return rc;
}

bool stream_is_proved(const struct stream *st)
{
    const struct replica *r = &st->replica;
    /* A format description alone proves nothing, stored before or not; a heartbeat says that there is nothing more to see. */
    bool start_known = st->start_seen || (!r->file_is_new && (r->resumed || st->heartbeat));
    return st->began && replica_is_past_held(r) && start_known && (!r->start.exact_list || st->list_seen);
}

bool stream_batch_full(const struct stream *st)
{
    uint64_t unsynced = store_unsynced(st->opt.store);
    if (st->ack_due && (unsynced >= STREAM_ACK_BATCH_BYTES || st->read_at_us - st->ack_at_us >= STREAM_ACK_BATCH_US))
        return true;
    return unsynced > 0 && (unsynced >= STREAM_BATCH_BYTES || st->read_at_us - st->unsynced_at_us >= STREAM_BATCH_US);
}

/* Make room, then one read. */
static int fill(struct stream *st, struct lt_err *err)
{
    size_t left = st->len - st->used;
    if (st->used > 0) {
        memmove(st->buf, st->buf + st->used, left);
        st->used = 0;
        st->len = left;
    }
    size_t n = 0;
    int rc = wire_read(st->opt.wire, st->buf + st->len, STREAM_BUFFER_BYTES - st->len, &n, err);
    if (rc != 0)
        return rc;
    st->len += n;
    st->bytes += n;
    st->read_at_us = st->opt.now_us();
    return LT_OK;
}

/* Handle what an earlier full batch left over, then read and handle until drained or full. LT_OK in both cases. */
static int take_readable(struct stream *st, struct fault *f)
{
    struct lt_err err;
    st->drained = false;
    int rc = stream_consume(st, f);
    if (rc != 0)
        return rc;
    while (!stream_batch_full(st)) {
        rc = fill(st, &err);
        if (rc == LT_EAGAIN) {
            st->drained = true;
            return LT_OK;
        }
        if (rc != 0) {
            (void)fault_set(f, FAULT_CONNECT, "%s", err.text);
            return rc;
        }
        rc = stream_consume(st, f);
        if (rc != 0)
            return rc;
    }
    return LT_OK;
}

static bool sync_is_due(const struct stream *st, bool ending)
{
    if (store_unsynced(st->opt.store) == 0)
        return false;
    if (ending || st->ack_due || stream_batch_full(st))
        return true;
    return st->opt.now_us() - st->unsynced_at_us >= STREAM_IDLE_SYNC_US;
}

/* The only way from bytes to an acknowledgement: sync, tell the gate what the sync covered, send. */
static int sync_and_acknowledge(struct stream *st, bool ending, struct fault *f)
{
    struct lt_err err;
    struct store *store = st->opt.store;
    if (sync_is_due(st, ending)) {
        int rc = store_sync_unpublished(store, &err);
        if (rc != 0)
            return stream_store_fault(f, rc, &err);
        gate_durable(st->opt.gate, st->stored_file, store_durable(store));
    }
    if (!st->ack_due || st->opt.connection == 0)
        return LT_OK;
    int rc = gate_send_ack(st->opt.gate, st->opt.connection, st->opt.wire, st->ack.file, st->ack.offset, &err);
    if (rc != 0 && rc != LT_EOS) {
        (void)fault_set(f, FAULT_CONNECT, "%s", err.text);
        return rc;
    }
    st->ack_due = false;
    if (rc == LT_OK && st->opt.ack_us != NULL)
        hist_add(st->opt.ack_us, st->opt.now_us() - st->ack_at_us);
    return LT_OK;
}

/* How long nothing needs to be done unless something becomes readable. */
static uint64_t next_wait(const struct stream *st, uint64_t now)
{
    uint64_t silent = now - st->read_at_us;
    uint64_t wait = silent < st->opt.dead_after_us ? st->opt.dead_after_us - silent : 0;
    if (store_unsynced(st->opt.store) > 0 && wait > STREAM_IDLE_SYNC_US)
        wait = STREAM_IDLE_SYNC_US;
    return st->drained ? wait : 0;
}

int stream_turn(struct stream *st, uint64_t *ret_wait_us, struct fault *ret_fault)
{
    int read_rc = take_readable(st, ret_fault);
    uint64_t drained_us =
        st->opt.now_us(); /* silence ends here: what came while a sync hung is only seen in the next turn */
    if (read_rc != 0 && store_is_broken(st->opt.store))
        return read_rc;
    struct fault sync_fault;
    int rc = sync_and_acknowledge(st, read_rc != 0, &sync_fault);
    (void)store_publish_pending(st->opt.store); /* only now are others woken; a busy view is told when idle */
    if (rc != 0 && (read_rc == 0 || store_is_broken(st->opt.store))) {
        *ret_fault = sync_fault;
        return rc;
    }
    if (read_rc != 0)
        return read_rc;
    if (st->drained && drained_us - st->read_at_us >= st->opt.dead_after_us) {
        (void)fault_set(ret_fault, FAULT_CONNECT, "the source was silent for %llu ms",
                        (unsigned long long)((drained_us - st->read_at_us) / 1000));
        return LT_ETIMEOUT;
    }
    *ret_wait_us = next_wait(st, st->opt.now_us());
    return LT_OK;
}
