#include "good_replica.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cunit_main.h"
#include "proc.h"
#include "raw_replica.h"

#define ANSWER_MS 20000

static struct {
    struct raw_options opt;
    struct raw_replica *raw;
    pthread_t follower;
    pthread_t comer;
    pthread_mutex_t lock; /* where it is */
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;
    char texts[3][64]; /* address, user, password */
    char first[BINLOG_NAME_MAX + 1];
    atomic_bool stop;
    atomic_bool cut;
    _Atomic uint64_t events, came, not_let_in;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct raw_replica *come(void)
{
    struct lt_err err = {0};
    struct raw_replica *raw = raw_open(&g.opt, &err);
    if (raw == NULL)
        (void)fprintf(stderr, "a good replica: %s\n", err.text);
    return raw;
}

static void *follow(void *arg)
{
    int rc = raw_dump(g.raw, g.first, 4);
    (void)arg;
    while (rc == 0 && !atomic_load(&g.stop)) {
        struct raw_event ev;
        rc = raw_next(g.raw, &ev);
        if (rc != 0 || !ev.crc_ok)
            break;
        (void)pthread_mutex_lock(&g.lock);
        memcpy(g.file, ev.file, sizeof g.file);
        g.offset = ev.end;
        (void)pthread_mutex_unlock(&g.lock);
        (void)atomic_fetch_add(&g.events, 1);
    }
    if (!atomic_load(&g.stop)) {
        (void)fprintf(stderr, "the good replica was cut: %d %s\n", rc, raw_error_text(g.raw));
        atomic_store(&g.cut, true);
    }
    raw_close(g.raw);
    return NULL;
}

static void *come_and_go(void *arg)
{
    (void)arg;
    while (!atomic_load(&g.stop)) {
        char answer[32] = "";
        struct raw_replica *raw = come();
        bool in = raw != NULL && raw_query(raw, "SELECT 1", answer, sizeof answer) == 0 && strcmp(answer, "1") == 0;
        (void)atomic_fetch_add(in ? &g.came : &g.not_let_in, 1);
        raw_close(raw);
        proc_sleep_ms(200);
    }
    return NULL;
}

void good_replica_begin(const char *address, uint16_t port, const char *file, const char *user, const char *password)
{
    const char *texts[] = {address, user, password};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        (void)snprintf(g.texts[i], sizeof g.texts[i], "%s", texts[i]);
    (void)snprintf(g.first, sizeof g.first, "%s", file);
    g.opt = (struct raw_options){.host = g.texts[0],
                                 .port = port,
                                 .user = g.texts[1],
                                 .password = g.texts[2],
                                 .tls = true,
                                 .server_id = 8001,
                                 .heartbeat_ms = 500,
                                 .timeout_ms = ANSWER_MS};
    g.raw = come(); /* before there are threads: the client library finds its plugins for one at a time */
    CU_ASSERT_FATAL(g.raw != NULL);
    if (pthread_create(&g.follower, NULL, follow, NULL) != 0 || pthread_create(&g.comer, NULL, come_and_go, NULL) != 0)
        proc_die("no thread");
}

bool good_replica_is_at(const char *file, uint64_t offset)
{
    (void)pthread_mutex_lock(&g.lock);
    bool is = strcmp(g.file, file) == 0 && g.offset == offset;
    (void)pthread_mutex_unlock(&g.lock);
    return is;
}

void good_replica_end(void)
{
    atomic_store(&g.stop, true);
    (void)pthread_join(g.follower, NULL);
    (void)pthread_join(g.comer, NULL);
    CU_ASSERT_FALSE(atomic_load(&g.cut));
    CU_ASSERT(atomic_load(&g.came) > 0);
    CU_ASSERT_EQUAL(atomic_load(&g.not_let_in), 0);
    (void)printf("\n    a good replica took %llu events, a tool came %llu times",
                 (unsigned long long)atomic_load(&g.events), (unsigned long long)atomic_load(&g.came));
}
