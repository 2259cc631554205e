/*
 * Every figure comes from a snapshot that its owner published; the store's and the ingest's are each consistent in themselves.
 * Not known is null, never 0: a lag that nobody measured must not look like none.
 */
#include "ops/status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ops/ops_internal.h"

static void set(json_t *object, const char *key, json_t *value)
{
    lt_ignore(json_object_set_new(object, key, value)); /* out of memory shows as a missing key */
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *count(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *wall_time(uint64_t us)
{
    char buf[40];
    struct tm tm;
    time_t s = (time_t)(us / 1000000);
    if (us == 0 || gmtime_r(&s, &tm) == NULL)
        return json_null();
    size_t n = strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(buf + n, sizeof buf - n, ".%03uZ", (unsigned)(us / 1000 % 1000));
    return json_string(buf);
}

static json_t *file_offset(const char *file, uint64_t offset)
{
    if (file[0] == '\0')
        return json_null();
    json_t *o = json_object();
    set(o, "file", json_string(file));
    set(o, "offset", count(offset));
    return o;
}

static json_t *gtids(const struct gtid_set *gs)
{
    char *text = gtid_set_format(gs);
    json_t *j = text ? json_string(text) : json_null();
    free(text);
    return j;
}

static json_t *histogram(const struct hist *h, const char *count_name)
{
    json_t *o = json_object();
    set(o, count_name, count(hist_count(h)));
    set(o, "p50_us", count(hist_quantile(h, 0.5)));
    set(o, "p99_us", count(hist_quantile(h, 0.99)));
    set(o, "max_us", count(hist_max(h)));
    return o;
}

static json_t *last_error(const struct ingest_view *iv)
{
    if (iv->last_error.code == FAULT_NONE)
        return json_null();
    json_t *o = json_object();
    set(o, "code", json_string(fault_name(iv->last_error.code)));
    set(o, "message", json_string(iv->last_error.message));
    set(o, "cure", json_string(fault_cure(iv->last_error.code)));
    set(o, "at", wall_time(iv->last_error_at_us));
    set(o, "current", json_boolean(iv->last_error_current));
    return o;
}

static json_t *source(const struct ops *ops, const struct ingest_view *iv)
{
    static const char *const semi_sync[] = {"unsupported", "off", "on"};
    const struct session_info *si = &iv->source;
    bool known = si->version[0] != '\0';
    json_t *o = json_object();
    set(o, "host", text_or_null(ops->opt.settings.source_host));
    set(o, "port", count(ops->opt.settings.source_port));
    set(o, "socket", text_or_null(ops->opt.settings.source_socket));
    set(o, "id", text_or_null(si->source_id));
    set(o, "version", text_or_null(si->version));
    set(o, "flavor", known ? json_string(si->mariadb ? "mariadb" : "mysql") : json_null());
    set(o, "connected", json_boolean(iv->connected));
    set(o, "tls", text_or_null(si->tls_cipher));
    set(o, "semi_sync", known ? json_string(semi_sync[si->semi_sync]) : json_null());
    set(o, "acknowledging", json_boolean(iv->semi_sync_active));
    set(o, "position", iv->source_idle ? file_offset(iv->received.file, iv->received.offset) : json_null());
    return o;
}

static json_t *lag(const struct ops *ops, const struct ingest_view *iv, const struct serve_view *cv)
{
    json_t *o = json_object();
    uint64_t received = store_stat_received(ops->opt.store);
    uint64_t synced = store_stat_synced(ops->opt.store);
    int64_t behind_us = (int64_t)clock_wall_us() + iv->source.clock_offset_us - (int64_t)iv->last_event_s * 1000000;
    bool current = iv->connected && iv->state == INGEST_STREAMING;
    set(o, "source_bytes", current && iv->source_idle ? count(0) : json_null());
    if (current && iv->source_idle)
        set(o, "source_seconds", json_real(0));
    else
        set(o, "source_seconds",
            current && iv->last_event_s != 0 ? json_real(behind_us > 0 ? (double)behind_us / 1e6 : 0) : json_null());
    set(o, "durable_bytes", count(received > synced ? received - synced : 0));
    set(o, "consumers_max_bytes", count(cv->max_lag_bytes));
    return o;
}

static json_t *store_part(const struct ops *ops, const struct store_view *sv)
{
    json_t *o = json_object();
    struct vfs_fs_info fs;
    set(o, "dir", text_or_null(ops->opt.settings.store_dir));
    set(o, "lineage", count(sv->lineage));
    set(o, "source_id", text_or_null(sv->source_id));
    set(o, "segments", count(sv->segments));
    set(o, "bytes", count(sv->bytes));
    set(o, "aborted_transactions", count(sv->aborted));
    /* A hung sync holds the file system: do not ask it then. */
    bool hung =
        store_stat_sync_since(ops->opt.store) != 0 && clock_mono_us() - store_stat_sync_since(ops->opt.store) > 100000;
    set(o, "free_bytes", !hung && store_fs_info(ops->opt.store, &fs) == 0 ? count(fs.free_bytes) : json_null());
    return o;
}

static json_t *failover_safe(const struct ingest_view *iv, const struct store_view *sv)
{
    json_t *o = json_object();
    json_t *reasons = json_array();
    bool acknowledging =
        iv->state == INGEST_STREAMING && iv->semi_sync_active && iv->source.semi_sync == SESSION_SEMI_SYNC_ON;
    if (!acknowledging)
        lt_ignore(json_array_append_new(reasons,
                                        json_string("commits on the source are not acknowledged by this process now")));
    if (sv->file[0] == '\0')
        lt_ignore(json_array_append_new(reasons, json_string("the store is empty")));
    if (acknowledging)
        lt_ignore(json_array_append_new(reasons, json_string("the source's time-out and wait point are not watched")));
    set(o, "answer", json_string(acknowledging && sv->file[0] != '\0' ? "weak" : "no"));
    set(o, "reasons", reasons);
    return o;
}

static void fill_status(json_t *o, const struct ops *ops, const struct ingest_view *iv, const struct store_view *sv)
{
    struct serve_view cv = {0};
    if (ops->serve != NULL && serve_view_get(ops->serve, &cv) != 0)
        memset(&cv, 0, sizeof cv); /* out of memory */
    set(o, "state", json_string(ingest_state_name(iv->state)));
    set(o, "state_since", wall_time(iv->state_since_us));
    set(o, "started", wall_time(ops->started_us));
    set(o, "last_error", last_error(iv));
    set(o, "source", source(ops, iv));
    set(o, "received", file_offset(iv->received.file, iv->received.offset));
    json_t *durable = file_offset(sv->file, sv->watermark);
    if (json_is_object(durable))
        set(durable, "gtid_executed", gtids(&sv->gtid_executed));
    set(o, "durable", durable);
    set(o, "acked", file_offset(iv->acked.file, iv->acked.offset));
    set(o, "lag", lag(ops, iv, &cv));
    json_t *acks = histogram(ingest_ack_us(ops->ingest), "measured");
    set(acks, "sent", count(iv->acks_sent));
    set(o, "acks", acks);
    set(o, "syncs", histogram(store_stat_sync_us(ops->opt.store), "count"));
    set(o, "consumers", count(cv.connected));
    set(o, "store", store_part(ops, sv));
    set(o, "fence", json_null());
    set(o, "failover_safe", failover_safe(iv, sv));
    set(o, "warnings", json_array());
}

int status_answer(const struct ops *ops, json_t **ret_answer)
{
    struct ingest_view iv;
    struct store_view sv;
    if (store_view_get(ops->opt.store, &sv) != 0)
        return LT_ENOMEM;
    ingest_view(ops->ingest, &iv);
    json_t *o = json_object();
    if (o != NULL)
        fill_status(o, ops, &iv, &sv);
    store_view_fini(&sv);
    *ret_answer = o;
    return o ? LT_OK : LT_ENOMEM;
}

int position_answer(const struct ops *ops, json_t **ret_answer)
{
    struct store_view sv;
    char gtid[GTID_TEXT_MAX];
    if (store_view_get(ops->opt.store, &sv) != 0)
        return LT_ENOMEM;
    json_t *o = json_object();
    set(o, "lineage", count(sv.lineage));
    set(o, "source_id", text_or_null(sv.source_id));
    set(o, "file", text_or_null(sv.file));
    set(o, "offset", count(sv.watermark));
    set(o, "gtid_executed", gtids(&sv.gtid_executed));
    json_t *last = json_null();
    if (sv.last_file[0] != '\0') {
        last = json_object();
        set(last, "gtid", text_or_null(gtid_format(&sv.last_gtid, gtid, sizeof gtid)));
        set(last, "file", json_string(sv.last_file));
        set(last, "start", count(sv.last_start));
        set(last, "end", count(sv.last_end));
    }
    set(o, "last_transaction", last);
    store_view_fini(&sv);
    *ret_answer = o;
    return o ? LT_OK : LT_ENOMEM;
}
