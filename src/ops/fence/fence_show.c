/* What status shows of fences and repoints. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/json_put.h"
#include "ops/fence/fence_internal.h"
#include "store/reader.h"

static json_t *entry(const struct fence_entry *e)
{
    json_t *o = json_object();
    put(o, "source_id", json_string(e->source_id));
    put(o, "reason", json_string(e->reason));
    put(o, "at", wall_time(e->at_us));
    put(o, "mode", json_string(fence_mode_name(e->hold ? FENCE_HOLD : FENCE_DROP)));
    put(o, "guarantee", json_string(e->strong ? "strong" : "weak"));
    put(o, "why", json_incref(e->why));
    put(o, "lineage", json_integer(e->lineage));
    put(o, "file", e->file[0] != '\0' ? json_string(e->file) : json_null());
    put(o, "offset", json_integer((json_int_t)e->offset));
    return o;
}

static bool is_persisted(const struct fence *f)
{
    return f->written == f->generation;
}

enum failover_fence fence_failover(struct fence *f)
{
    struct ingest_view iv;
    char id[STORE_SOURCE_ID_MAX + 1];
    if (!fence_current(f))
        return FAILOVER_OPEN;
    fence_ingest_view(f, &iv);
    fence_current_id(f, id);
    const struct fence_entry *e = fence_find(&f->state, id);
    if (!fence_is_final(f, &iv))
        return FAILOVER_FENCE_NOT_FINAL;
    if (e == NULL || !e->complete) /* fenced before it had told its name: nothing was ever held of it */
        return FAILOVER_FENCE_INCOMPLETE;
    if (!e->strong)
        return FAILOVER_FENCE_WEAK;
    if (e->was_weak)
        return FAILOVER_FENCE_WAS_WEAK;
    return is_persisted(f) ? FAILOVER_FENCED : FAILOVER_FENCE_NOT_PERSISTED;
}

json_t *fence_status(struct fence *f)
{
    struct ingest_view iv;
    if (f->state.count == 0)
        return json_null();
    fence_ingest_view(f, &iv);
    bool current = fence_current(f);
    json_t *list = json_array();
    for (size_t i = 0; i < f->state.count; i++)
        lt_ignore(json_array_append_new(list, entry(&f->state.entries[i])));
    json_t *o = json_object();
    put(o, "current", json_boolean(current));
    put(o, "persisted", json_boolean(is_persisted(f)));
    put(o, "final", current ? json_boolean(fence_is_final(f, &iv)) : json_null());
    put(o, "held", json_integer(iv.held));
    put(o, "epoch", f->state.have_epoch ? json_integer((json_int_t)f->state.epoch) : json_null());
    put(o, "sources", list);
    return o;
}

static void warn(json_t *array, const char *code, const char *message, const char *cure, uint64_t since_us)
{
    json_t *o = json_pack("{s:s, s:s, s:s}", "code", code, "message", message, "cure", cure);
    put(o, "since", wall_time(since_us));
    lt_ignore(json_array_append_new(array, o));
}

bool fence_source_differs(const struct fence *f)
{
    return f->follow.active &&
           (strcmp(f->ops->named_host, f->follow.host) != 0 || f->ops->named_port != f->follow.port);
}

void fence_warnings(struct fence *f, json_t *array)
{
    char text[700];
    if (f->written != f->generation && f->write_error[0] != '\0') {
        (void)snprintf(text, sizeof text, "the fence is not on disk: %.500s", f->write_error);
        warn(array, "fence_not_persisted", text,
             "free space or mend the disk; it is tried again every second. Until then the fence ends with this process",
             0);
    }
}

/* A new history was begun, nothing connects it with the one before, and of that one segments are still there. */
static bool is_apart(const struct fence *f)
{
    struct store_segment_info oldest;
    const struct follow *fw = &f->follow;
    if (!fw->active || !fw->new_history || fw->proved)
        return false;
    int rc = store_oldest(f->ops->opt.store, &oldest);
    return rc != LT_ENOTFOUND && (rc != 0 || oldest.lineage <= fw->after_lineage);
}

/* Sets of GTIDs say nothing across a new history: there may be none, or of two flavours, and then the newer alone counts as held. */
bool fence_covered(const struct fence *f, const struct store_view *sv)
{
    const struct follow *fw = &f->follow;
    if (sv->held.file[0] == '\0')
        return true; /* nothing is held */
    if (sv->file[0] == '\0' || is_apart(f))
        return false;
    return sv->continues || gtid_set_contains_set(&sv->gtid_executed, &sv->gtid_held) ||
           (fw->active && (fw->proved || !fw->new_history) && sv->lineage > fw->after_lineage &&
            gtid_set_contains_set(&sv->gtid_executed, &fw->covers));
}

const char *fence_uncovered(const struct fence *f, const struct store_view *sv, char *buf, size_t cap)
{
    if (!f->follow.active)
        return NULL;
    bool connected = f->follow.proved || !f->follow.new_history;
    if (connected && !fence_covered(f, sv))
        return "since the repoint the new source's stream does not yet cover what was held before";
    if (!is_apart(f))
        return NULL;
    (void)snprintf(buf, cap,
                   "a new history was begun by repoint: missing before it: %.150s; only in the one before: %.100s",
                   f->follow.gap != NULL ? f->follow.gap : "nothing known",
                   f->follow.only_here != NULL ? f->follow.only_here : "nothing known");
    return buf;
}
