#include "ops/fence/followed.h"

#include <stdio.h>

#include "base/log.h"
#include "ops/fence/fence.h"

struct monitor_options followed_options(const struct ops *ops, const struct monitor_options *configured)
{
    struct monitor_options mo = *configured;
    const struct follow *fw = fence_follow(ops->fence);
    if (fw->active) {
        mo.source.host = fw->host;
        mo.source.port = fw->port;
        mo.source.socket = NULL;
    }
    return mo;
}

void followed_note(struct ops *ops)
{
    const struct follow *fw = fence_follow(ops->fence);
    char *address = ops->watch.source_differs;
    size_t cap = sizeof ops->watch.source_differs;
    if (fence_source_differs(ops->fence))
        (void)snprintf(address, cap, "%.100s:%u", fw->host, fw->port);
    else
        address[0] = '\0';
}

void followed_changed(struct ops *ops)
{
    struct monitor_options mo = followed_options(ops, &ops->opt.monitor);
    if (monitor_configure(ops->watch.monitor, &mo) != 0)
        log_error("ops", "out of memory: the monitor still watches the source before");
    ops->watch.complete = false; /* it was about the one before */
    followed_note(ops);
}
