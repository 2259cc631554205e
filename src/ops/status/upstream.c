/* Our source as the listener for replicas shows it, from the observers' snapshot. */
#include <stdio.h>
#include <string.h>

#include "ops/fence/fence.h"
#include "ops/status/status_internal.h"
#include "replicas/replicas.h"

static const char *where(const struct ops *ops, uint32_t *ret_port)
{
    const struct follow *fw = fence_follow(ops->fence);
    const struct ops_settings *set = &ops->opt.settings;
    *ret_port = fw->active ? fw->port : set->source_port;
    if (fw->active)
        return fw->host;
    if (set->source_host != NULL && set->source_host[0] != '\0')
        return set->source_host;
    *ret_port = 0;
    return set->source_socket != NULL ? set->source_socket : "";
}

void status_tell_replicas(const struct ops *ops, const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    struct replicas_upstream u = {
        .connected = iv->state == INGEST_STREAMING && iv->connected,
        .fenced = s->fenced,
        .lag_known = s->lag.seconds_known,
        .lag_s = s->lag.seconds_known && s->lag.seconds > 0 ? (uint64_t)s->lag.seconds : 0,
        .server_id = iv->source.server_id,
    };
    if (ops->replicas == NULL)
        return;
    (void)snprintf(u.host, sizeof u.host, "%s", where(ops, &u.port));
    (void)snprintf(u.uuid, sizeof u.uuid, "%s", iv->source.server_uuid);
    (void)snprintf(u.cipher, sizeof u.cipher, "%s", iv->source.tls_cipher);
    if (iv->last_error.code != FAULT_NONE && iv->last_error_current)
        (void)snprintf(u.error, sizeof u.error, "%.500s", iv->last_error.message);
    replicas_set_upstream(ops->replicas, &u);
}
