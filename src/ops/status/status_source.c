/* Status: the source, as the stream and the monitor know it. */
#include "ops/fence/fence.h"
#include "ops/status/status_internal.h"

json_t *status_last_error(const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    if (iv->last_error.code == FAULT_NONE)
        return json_null();
    bool current = iv->last_error_current;
    char cure[CURE_MAX];
    if (iv->last_error.code == FAULT_SEMI_SYNC_OFF && s->mon_fresh && s->mon.semi_sync.enabled)
        current = false; /* switched on since we connected: flags come on the same stream */
    json_t *o = json_object();
    put(o, "code", json_string(fault_name(iv->last_error.code)));
    put(o, "message", json_string(iv->last_error.message));
    put(o, "cure", json_string(fault_cure(iv->last_error.code, iv->source.old_names, cure)));
    put(o, "at", wall_time(iv->last_error_at_us));
    put(o, "current", json_boolean(current));
    return o;
}

/* As the monitor sees it now, else as it was when the stream connected. */
static json_t *semi_sync(const struct snapshot *s)
{
    static const char *const names[] = {"unsupported", "off", "on"};
    const struct monitor_semi_sync *ss = &s->mon.semi_sync;
    if (s->mon_fresh)
        return json_string(!ss->supported ? "unsupported" : ss->enabled && ss->active ? "on" : "off");
    return s->ingest.source.version[0] != '\0' ? json_string(names[s->ingest.source.semi_sync]) : json_null();
}

/* Where the source's binlog ends, as far as it is known. */
static json_t *position(const struct snapshot *s)
{
    if (s->mon_fresh && s->mon.have_position)
        return file_offset(s->mon.file, s->mon.offset);
    return s->lag.bytes_known && s->lag.bytes == 0 ? file_offset(s->ingest.received.file, s->ingest.received.offset)
                                                   : json_null();
}

json_t *status_source(const struct ops *ops, const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    const struct session_info *si = &iv->source;
    bool streamed = si->version[0] != '\0';
    bool watched = s->mon.version[0] != '\0';
    bool mariadb = streamed ? si->mariadb : s->mon.mariadb;
    json_t *o = json_object();
    const struct follow *fw = fence_follow(ops->fence);
    put(o, "host", text_or_null(fw->active ? fw->host : ops->opt.settings.source_host));
    put(o, "port", count(fw->active ? fw->port : ops->opt.settings.source_port));
    put(o, "socket", text_or_null(fw->active ? NULL : ops->opt.settings.source_socket));
    put(o, "id", text_or_null(streamed ? si->source_id : s->mon.source_id));
    put(o, "version", text_or_null(streamed ? si->version : s->mon.version));
    put(o, "flavor", streamed || watched ? json_string(mariadb ? "mariadb" : "mysql") : json_null());
    put(o, "connected", json_boolean(iv->connected));
    put(o, "tls", text_or_null(si->tls_cipher));
    put(o, "semi_sync", semi_sync(s));
    put(o, "acknowledging", json_boolean(iv->semi_sync_active));
    put(o, "position", position(s));
    put(o, "gtid_executed", s->mon_fresh && s->mon.have_gtids ? gtids(&s->mon.gtids) : json_null());
    put(o, "clock_offset_ms", s->mon_fresh ? json_integer((json_int_t)(s->mon.clock_offset_us / 1000)) : json_null());
    put(o, "heard_ms", iv->heard_us != 0 ? count(s->heard_age_us / 1000) : json_null());
    return o;
}

static json_t *primary_semi_sync(const struct monitor_view *mon)
{
    static const char *const points[] = {"unknown", "AFTER_SYNC", "AFTER_COMMIT"};
    const struct monitor_semi_sync *ss = &mon->semi_sync;
    if (!ss->supported)
        return json_null();
    json_t *o = json_object();
    put(o, "enabled", json_boolean(ss->enabled));
    put(o, "active", json_boolean(ss->active));
    put(o, "clients", count(ss->clients));
    put(o, "wait_sessions", count(ss->wait_sessions));
    put(o, "yes_tx", count(ss->yes_tx));
    put(o, "no_tx", count(ss->no_tx));
    put(o, "no_times", count(ss->no_times));
    put(o, "wait_point", json_string(points[ss->wait_point]));
    put(o, "timeout_ms", count(ss->timeout_ms));
    put(o, "wait_no_replica", json_boolean(ss->wait_no_replica));
    put(o, "wait_count", count(ss->wait_count));
    return o;
}

json_t *status_monitor(const struct snapshot *s)
{
    static const char *const introspection[] = {"unknown", "partial", "full"};
    const struct monitor_view *mon = &s->mon;
    json_t *o = json_object();
    put(o, "connected", json_boolean(mon->connected));
    put(o, "age_ms", mon->at_us != 0 ? count((s->now_us - mon->at_us) / 1000) : json_null());
    put(o, "rounds", count(mon->rounds));
    put(o, "round_ms", mon->at_us != 0 ? count(mon->round_us / 1000) : json_null());
    put(o, "error", text_or_null(mon->error));
    put(o, "introspection", json_string(introspection[mon->sees_all_threads]));
    put(o, "dump_threads", mon->have_dumps ? count(mon->own_dumps + mon->other_dumps) : json_null());
    put(o, "semi_sync", primary_semi_sync(mon));
    return o;
}
