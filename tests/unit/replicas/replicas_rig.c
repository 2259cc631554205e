#include "replicas_rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "proc.h"

void replicas_rig_start(struct replicas_rig *r, bool mariadb, bool crc, const struct replicas_options *opt)
{
    struct lt_err err = {0};
    struct replicas_options o = opt != NULL ? *opt : (struct replicas_options){0};
    *r = (struct replicas_rig){0};
    serve_rig_store(&r->log, mariadb);
    gen_fini(&r->log.gen);
    gen_init(&r->log.gen, mariadb, crc);
    serve_rig_lineage(&r->log, "11111111-2222-3333-4444-555555555555");
    o.store = r->log.store;
    o.host = "127.0.0.1";
    o.server_id = 4711;
    memcpy(o.server_uuid, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", sizeof o.server_uuid);
    if (replicas_start(&o, &r->replicas, &err) != 0)
        proc_die("%s", err.text);
}

void replicas_rig_end(struct replicas_rig *r)
{
    replicas_stop(r->replicas);
    serve_rig_end(&r->log);
}

struct raw_replica *replicas_rig_client(struct replicas_rig *r, const struct raw_options *opt)
{
    struct lt_err err = {0};
    struct raw_options o = opt != NULL ? *opt : (struct raw_options){0};
    o.port = replicas_port(r->replicas);
    o.user = o.user != NULL ? o.user : "anybody";
    o.timeout_ms = o.timeout_ms != 0 ? o.timeout_ms : RIG_WAIT_MS;
    struct raw_replica *raw = raw_open(&o, &err);
    if (raw == NULL)
        proc_die("%s", err.text);
    return raw;
}

static void keep(struct received *got, const struct raw_event *ev)
{
    if (got->len + ev->len > got->cap) {
        got->cap = 2 * (got->len + ev->len);
        got->data = realloc(got->data, got->cap);
        CU_ASSERT_FATAL(got->data != NULL);
    }
    memcpy(got->data + got->len, ev->data, ev->len);
    got->len += ev->len;
}

static void take(struct received *got, const char *file, const struct raw_event *ev)
{
    CU_ASSERT(ev->crc_ok);
    CU_ASSERT(!ev->ack_wanted);
    if (ev->h.type == EVENT_HEARTBEAT || ev->h.type == EVENT_HEARTBEAT_V2) {
        got->heartbeats++;
        got->heartbeat_pos = ev->h.log_pos;
    } else if (ev->artificial) {
        if (ev->h.type == EVENT_ROTATE && got->made_up == 0) {
            got->first_pos = load_u64(ev->data + EVENT_HEADER_LEN);
            (void)snprintf(got->first_rotate, sizeof got->first_rotate, "%s", ev->file);
        }
        got->files += ev->h.type == EVENT_ROTATE;
        got->made_up++;
    } else if (strcmp(ev->file, file) == 0) {
        keep(got, ev);
    }
}

void receive_all(struct raw_replica *raw, const char *file, struct received *ret)
{
    struct raw_event ev;
    *ret = (struct received){0};
    while ((ret->end = raw_next(raw, &ev)) == 0)
        take(ret, file, &ev);
}

void received_fini(struct received *got)
{
    free(got->data);
}
