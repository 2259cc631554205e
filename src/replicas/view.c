/*
 * What operators see of replicas, and what retention must leave for them.
 *
 * - The listener's thread copies its clients once a second, and a moment after a stream began; others read the copy, and count lags then, against the list
 *   of files as it is. Places only move on, so that an old copy holds too much back and never too little.
 * - Who is to be ended is put on a list that the thread looks at when it is woken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feed/ruler.h"
#include "replicas/internal.h"

#define SOON_US 100000

/* ---- by the listener's thread */

static const char *state_of(const struct client *s)
{
    switch (s->state) {
    case CLIENT_COMMAND:
        return "idle";
    case CLIENT_LOCATING:
        return "locating";
    case CLIENT_STREAMING:
        return "streaming";
    case CLIENT_CLOSING:
        return "closing";
    case CLIENT_LOGIN:
    case CLIENT_TLS:
    case CLIENT_AUTH:
    case CLIENT_PENALTY:
        break;
    }
    return "login";
}

static const char *kind_of(const struct client *s, const char *uuid)
{
    if (!s->registered)
        return "client"; /* mysqlbinlog and the like do not register */
    return uuid != NULL ? "mysql replica" : "mariadb replica";
}

static void fill(struct replicas_client *c, const struct client *s)
{
    const char *uuid = client_uuid(s);
    *c = (struct replicas_client){
        .thread_id = s->thread_id,
        .kind = kind_of(s, uuid),
        .state = state_of(s),
        .tls = s->ch.ssl != NULL,
        .server_id = s->registered ? s->replica.server_id : s->st.server_id,
        .port = s->replica.port,
        .connected_us = s->connected_us,
        .sent_bytes = s->sent_bytes,
    };
    (void)snprintf(c->address, sizeof c->address, "%s", s->address);
    (void)snprintf(c->user, sizeof c->user, "%s", s->user);
    (void)snprintf(c->uuid, sizeof c->uuid, "%s", uuid != NULL ? uuid : "");
    (void)snprintf(c->host, sizeof c->host, "%s", s->replica.host);
    if (s->state != CLIENT_STREAMING || s->st.feed.file == NULL)
        return;
    c->by_gtid = s->st.feed.filter != NULL;
    c->lineage = s->st.feed.file->info.lineage;
    memcpy(c->file, s->st.feed.file->info.file, sizeof c->file);
    c->offset = s->st.at;
}

void view_publish(struct replicas *r)
{
    struct client *s;
    size_t n = 0;
    size_t at = 0;
    TAILQ_FOREACH (s, &r->all, link)
        n++;
    struct replicas_client *list = calloc(n + 1, sizeof *list);
    if (list == NULL)
        return; /* the next time */
    TAILQ_FOREACH (s, &r->all, link)
        fill(&list[at++], s);
    (void)pthread_mutex_lock(&r->lock);
    struct replicas_client *before = r->seen;
    r->seen = list;
    r->seen_count = n;
    (void)pthread_mutex_unlock(&r->lock);
    free(before);
}

void view_soon(struct replicas *r)
{
    struct timeval tv = {.tv_usec = SOON_US};
    if (!event_pending(&r->on_view, EV_TIMEOUT, NULL))
        (void)event_add(&r->on_view, &tv);
}

void view_end_asked(struct replicas *r)
{
    (void)pthread_mutex_lock(&r->lock);
    uint32_t *list = r->to_end;
    size_t n = r->to_end_count;
    r->to_end = NULL;
    r->to_end_count = 0;
    (void)pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        struct client *s;
        TAILQ_FOREACH (s, &r->all, link) {
            if (s->thread_id == list[i])
                break;
        }
        if (s != NULL)
            client_close(s, "an operator ended it");
    }
    if (n > 0)
        view_publish(r);
    free(list);
}

/* ---- by others */

int replicas_list(struct replicas *r, struct replicas_client **ret, size_t *ret_count)
{
    struct ruler ruler;
    (void)pthread_mutex_lock(&r->lock);
    size_t n = r->seen_count;
    struct replicas_client *list = calloc(n + 1, sizeof *list);
    if (list != NULL && n > 0)
        memcpy(list, r->seen, n * sizeof *list);
    (void)pthread_mutex_unlock(&r->lock);
    if (list == NULL || ruler_init(&ruler, r->store) != 0) {
        free(list);
        return LT_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i].file[0] != '\0')
            list[i].lag_bytes = ruler_lag(&ruler, list[i].lineage, list[i].file, list[i].offset);
    }
    ruler_fini(&ruler);
    *ret = list;
    *ret_count = n;
    return 0;
}

static bool is_named(const struct replicas_client *c, const char *who)
{
    char id[12];
    (void)snprintf(id, sizeof id, "%u", c->server_id);
    return strcmp(c->address, who) == 0 || (c->server_id != 0 && strcmp(id, who) == 0) ||
           (c->uuid[0] != '\0' && strcasecmp(c->uuid, who) == 0);
}

size_t replicas_end(struct replicas *r, const char *who)
{
    size_t found = 0;
    (void)pthread_mutex_lock(&r->lock);
    uint32_t *grown = reallocarray(r->to_end, r->to_end_count + r->seen_count + 1, sizeof *grown);
    if (grown != NULL)
        r->to_end = grown;
    for (size_t i = 0; grown != NULL && i < r->seen_count; i++) {
        if (!is_named(&r->seen[i], who))
            continue;
        r->to_end[r->to_end_count++] = r->seen[i].thread_id;
        found++;
    }
    (void)pthread_mutex_unlock(&r->lock);
    if (found > 0)
        replicas_wake(r);
    return found;
}

uint64_t replicas_max_lag(struct replicas *r)
{
    struct replicas_client *list;
    size_t n;
    uint64_t most = 0;
    if (replicas_list(r, &list, &n) != 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        most = list[i].lag_bytes > most ? list[i].lag_bytes : most;
    free(list);
    return most;
}

int replicas_min_needed(struct replicas *r, struct replicas_client *ret)
{
    struct replicas_client *list;
    size_t n;
    bool found = false;
    uint64_t max_lag = atomic_load(&r->max_lag);
    if (max_lag == 0)
        return LT_ENOTFOUND;
    if (replicas_list(r, &list, &n) != 0)
        return LT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (list[i].file[0] == '\0' || list[i].lag_bytes > max_lag || (found && list[i].lag_bytes < ret->lag_bytes))
            continue;
        *ret = list[i];
        found = true;
    }
    free(list);
    return found ? 0 : LT_ENOTFOUND;
}
