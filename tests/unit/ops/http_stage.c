#include "http_stage.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/hist.h"
#include "ops/http/http.h"
#include "ops/http/http_access.h"
#include "ops/status/latency.h"

#define SOURCE                                                                                                         \
    "\"source\":{\"host\":\"db1.example\",\"port\":3306,\"id\":\"7c1\",\"version\":\"9.7.4\",\"flavor\":\"mysql\","    \
    "\"tls\":\"TLS_AES_256_GCM_SHA384\","
#define REST                                                                                                           \
    "\"store\":{\"dir\":\"/var/lib/logtailer/db1\",\"segments\":7,\"bytes\":7301444403,\"free_bytes\":912680550400},"  \
    "\"syncs\":{\"count\":48211,\"p50_us\":412,\"p99_us\":1830,\"max_us\":48000},"                                     \
    "\"acks\":{\"sent\":48000,\"p50_us\":853,\"p99_us\":2400,\"max_us\":51000},\"consumers\":3,"                       \
    "\"received\":{\"file\":\"mysql-bin.000007\",\"offset\":184204211},\"durable\":{\"file\":\"mysql-bin.000007\","    \
    "\"offset\":184203187,\"gtid_executed\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-48211\"},"                        \
    "\"monitor\":{\"connected\":true,\"semi_sync\":{\"active\":true,\"clients\":2,\"wait_sessions\":3}},"              \
    "\"acked\":{\"file\":\"mysql-bin.000007\",\"offset\":184203187}"

const char stage_streaming[] =
    "{\"state\":\"streaming\",\"state_since\":\"2026-11-25T01:00:00.000Z\",\"started\":\"2026-11-25T00:59:00.000Z\","
    "\"last_error\":null," SOURCE "\"connected\":true,\"semi_sync\":\"on\",\"acknowledging\":true},"
    "\"lag\":{\"source_bytes\":1536,\"source_seconds\":0.2,\"durable_bytes\":1024,\"consumers_max_bytes\":52428800},"
    "\"fence\":null,\"failover_safe\":{\"answer\":\"yes\",\"reasons\":[]},\"warnings\":[]," REST "}";

const char stage_error[] =
    "{\"state\":\"error\",\"state_since\":\"2026-11-25T01:00:00.000Z\",\"last_error\":{\"code\":\"diverged\","
    "\"message\":"
    "\"mysql-bin.000007 differs from the source's at offset 184203187 <script>alert(1)</script>\",\"cure\":\"find out "
    "which history is right: nothing "
    "was overwritten; then repoint --new-history\",\"at\":\"2026-11-25T01:00:00.000Z\",\"current\":true}," SOURCE
    "\"connected\":false,\"semi_sync\":\"on\",\"acknowledging\":false},"
    "\"lag\":{\"source_bytes\":null,\"source_seconds\":null,\"durable_bytes\":0,\"consumers_max_bytes\":0},"
    "\"fence\":null,\"failover_safe\":{\"answer\":\"no\",\"reasons\":[\"commits on the source are not acknowledged by "
    "this "
    "process now\",\"the histories differ\"]},\"warnings\":[{\"code\":\"free_space\",\"message\":\"912 MiB are free on "
    "the file "
    "system of store.dir\",\"cure\":\"free space, or purge\",\"since\":\"2026-11-25T00:30:00.000Z\"}]," REST "}";

const char stage_fenced[] =
    "{\"state\":\"fenced\",\"state_since\":\"2026-11-25T01:00:00.000Z\",\"last_error\":null," SOURCE
    "\"connected\":false,\"semi_sync\":\"on\",\"acknowledging\":false},"
    "\"lag\":{\"source_bytes\":null,\"source_seconds\":null,\"durable_bytes\":0,\"consumers_max_bytes\":0},"
    "\"fence\":{\"current\":true,\"persisted\":true,\"epoch\":7,\"sources\":[{\"source_id\":\"7c1\",\"reason\":"
    "\"primary "
    "db1 is dead\",\"at\":\"2026-11-25T01:00:00.000Z\",\"guarantee\":\"strong\",\"why\":[]}]},"
    "\"failover_safe\":{\"answer\":\"yes\",\"reasons\":[]},\"warnings\":[]," REST "}";

static struct http *http;
static pthread_t thread;
static atomic_bool stop;
static atomic_bool hanging;
static atomic_uint pictures;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *status_text;
static struct hist acks;
static struct hist syncs;

static void add_values(unsigned n)
{
    for (unsigned i = 0; i < 50; i++) {
        uint64_t spread = (uint64_t)((n * 50 + i) * 2654435761U % 1000);
        hist_add(&acks, 300 + spread * spread / 400);
        hist_add(&syncs, 120 + spread * spread / 800);
    }
}

static void picture(void *arg, json_t **ret_status, json_t **ret_latency)
{
    (void)arg;
    unsigned n = atomic_fetch_add(&pictures, 1);
    add_values(n);
    (void)pthread_mutex_lock(&lock);
    json_t *status = status_text != NULL ? json_loads(status_text, 0, NULL) : NULL;
    (void)pthread_mutex_unlock(&lock);
    if (status != NULL)
        (void)json_object_set_new(json_object_get(status, "acks"), "sent", json_integer(48000 + (json_int_t)n * 50));
    *ret_status = status;
    *ret_latency = status != NULL ? latency_answer(&acks, &syncs) : NULL;
}

static void *play_main(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        if (!atomic_load(&hanging))
            http_tick(http);
        (void)usleep(10000);
    }
    return NULL;
}

const struct http_access_options *stage_access;

uint16_t stage_start(void)
{
    struct lt_err err = {0};
    struct http_access *access = NULL;
    (void)signal(SIGPIPE, SIG_IGN); /* as logtailerd does */
    atomic_store(&stop, false);
    atomic_store(&hanging, false);
    stage_set_status(stage_streaming);
    if (http_access_make(stage_access != NULL ? stage_access : &(struct http_access_options){0}, "127.0.0.1", &access,
                         &err) != LT_OK ||
        http_open("127.0.0.1", 0, access, picture, NULL, &http, &err) != LT_OK ||
        pthread_create(&thread, NULL, play_main, NULL) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return http_port(http);
}

void stage_adopt(const struct http_access_options *opt)
{
    struct http_access *access = NULL;
    struct lt_err err = {0};
    if (http_access_make(opt, "127.0.0.1", &access, &err) != LT_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    http_adopt(http, access);
}

void stage_stop(void)
{
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    http_close(http);
}

void stage_set_status(const char *status)
{
    (void)pthread_mutex_lock(&lock);
    status_text = status;
    (void)pthread_mutex_unlock(&lock);
}

void stage_hang(bool hang)
{
    atomic_store(&hanging, hang);
}

unsigned stage_pictures(void)
{
    return atomic_load(&pictures);
}
