#include "ops/fence/position.h"

#include "ops/common/json_put.h"
#include "ops/fence/fence.h"

int position_answer(const struct ops *ops, json_t **ret_answer)
{
    struct store_view sv;
    char gtid[GTID_TEXT_MAX];
    if (store_view_get(ops->opt.store, &sv) != 0)
        return LT_ENOMEM;
    json_t *o = json_object();
    const struct store_end *held = &sv.held;
    put(o, "lineage", count(held->file[0] != '\0' ? held->lineage : sv.lineage));
    put(o, "source_id", text_or_null(held->file[0] != '\0' ? held->source_id : sv.source_id));
    put(o, "file", text_or_null(held->file));
    put(o, "offset", count(held->offset));
    put(o, "gtid_executed", gtids(&sv.gtid_held));
    put(o, "covered", json_boolean(fence_covered(ops->fence, &sv)));
    json_t *last = json_null();
    if (held->last_file[0] != '\0') {
        last = json_object();
        put(last, "gtid", text_or_null(gtid_format(&held->last_gtid, gtid, sizeof gtid)));
        put(last, "lineage", count(held->last_lineage));
        put(last, "file", json_string(held->last_file));
        put(last, "start", count(held->last_start));
        put(last, "end", count(held->last_end));
    }
    put(o, "last_transaction", last);
    store_view_fini(&sv);
    *ret_answer = o;
    return o ? LT_OK : LT_ENOMEM;
}
