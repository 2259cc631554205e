/* Status and lag: the three lags, never mixed. */
#include "ops/status/status.h"
#include "ops/status/status_internal.h"

json_t *status_lag(const struct snapshot *s)
{
    const struct lag *lag = &s->lag;
    json_t *o = json_object();
    put(o, "source_bytes", lag->bytes_known ? count(lag->bytes) : json_null());
    put(o, "source_seconds", lag->seconds_known ? json_real(lag->seconds) : json_null());
    put(o, "source_transactions", lag->transactions_known ? count(lag->transactions) : json_null());
    put(o, "durable_bytes", count(s->durable_lag));
    put(o, "consumers_max_bytes", count(s->consumers.max_lag_bytes));
    return o;
}

int lag_answer(struct ops *ops, json_t **ret_answer)
{
    struct snapshot s;
    if (snapshot_take(ops, &s) != 0)
        return LT_ENOMEM;
    json_t *o = status_lag(&s);
    put(o, "consumers", count(s.consumers.connected));
    put(o, "clock_offset_ms", s.mon_fresh ? json_integer((json_int_t)(s.mon.clock_offset_us / 1000)) : json_null());
    put(o, "state", json_string(ingest_state_name(s.ingest.state)));
    snapshot_release(&s);
    *ret_answer = o;
    return o != NULL ? LT_OK : LT_ENOMEM;
}
