/*
 * Happy path, per thread: take an id → INSERT → OK → note the id.
 * Failure: the statement fails or the connection is lost → count it → connect again → next id.
 */
#include "writers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PAYLOAD_DEFAULT = 100, RECONNECT_MS = 20 };

struct writer {
    struct writers *all;
    pthread_t thread;
    struct sql *sql;     /* under the lock, so that stop can abort it */
    uint64_t started_ms; /* of the INSERT in flight; 0: none */
    bool ended;
    bool lying; /* the session's time is a false one */
};

struct writers {
    struct writers_options opt;
    pthread_mutex_t lock;
    struct writer *threads;
    bool stopping;
    bool joined;
    uint64_t next_id;
    uint64_t *oked;
    size_t oked_n;
    size_t oked_cap;
    uint64_t max_ms;
    size_t errors;
};

/* The CRC32 that SQL's CRC32() gives. */
static uint32_t crc32_text(const char *text, size_t len)
{
    uint32_t crc = ~0U;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1)));
    }
    return ~crc;
}

static char *make_insert(uint64_t id, size_t payload_bytes)
{
    char *token = proc_fmt("id=%llu;", (unsigned long long)id);
    size_t head = strlen(token);
    size_t len = payload_bytes > head ? payload_bytes : head;
    char *payload = realloc(token, len + 1);
    if (payload == NULL)
        proc_die("out of memory");
    memset(payload + head, 'a' + (int)(id % 26), len - head);
    payload[len] = '\0';
    char *statement =
        proc_fmt("INSERT INTO t.w VALUES (%llu, '%s', %u)", (unsigned long long)id, payload, crc32_text(payload, len));
    free(payload);
    return statement;
}

static char *make_statement(const struct writers_options *opt, uint64_t id)
{
    bool large = opt->large_every != 0 && id % opt->large_every == 0;
    return make_insert(id, large ? opt->large_bytes : opt->payload_bytes);
}

/* The session's time for this row: usually the true one. */
static bool set_time(struct writer *w, uint64_t id)
{
    static const char *const lies[][2] = {
        {"0.5", "1"}, {"1", "1"}, {"1700000000", "1700000000"}, {"2147483647", "2147483647"}};
    unsigned every = w->all->opt.lying_every;
    bool lie = every != 0 && id % every == 0;
    bool mysql = w->all->opt.server->flavor == SERVER_MYSQL; /* which refuses less than a second */
    if (!lie && !w->lying)
        return true;
    const char *time = lie ? lies[id / every % (sizeof lies / sizeof lies[0])][mysql] : "DEFAULT";
    w->lying = lie;
    return sql_exec(w->sql, "SET timestamp=%s", time) == 0;
}

/* Begin the next row: an id and a connection, or false when it is time to end. */
static bool begin(struct writer *w, uint64_t *ret_id)
{
    struct writers *wr = w->all;
    (void)pthread_mutex_lock(&wr->lock);
    bool go = !wr->stopping;
    if (go) {
        *ret_id = wr->next_id++;
        w->started_ms = proc_now_ms();
    }
    (void)pthread_mutex_unlock(&wr->lock);
    return go;
}

static void note_oked(struct writers *wr, uint64_t id)
{
    if (wr->oked_n == wr->oked_cap) {
        wr->oked_cap = wr->oked_cap != 0 ? wr->oked_cap * 2 : 1024;
        wr->oked = realloc(wr->oked, wr->oked_cap * sizeof(*wr->oked));
        if (wr->oked == NULL)
            proc_die("out of memory");
    }
    wr->oked[wr->oked_n++] = id;
}

static void finish(struct writer *w, uint64_t id, bool ok)
{
    struct writers *wr = w->all;
    (void)pthread_mutex_lock(&wr->lock);
    uint64_t took = proc_now_ms() - w->started_ms;
    if (took > wr->max_ms)
        wr->max_ms = took;
    w->started_ms = 0;
    if (ok)
        note_oked(wr, id);
    else
        wr->errors++;
    (void)pthread_mutex_unlock(&wr->lock);
}

static void set_connection(struct writer *w, struct sql *sql)
{
    (void)pthread_mutex_lock(&w->all->lock);
    struct sql *old = w->sql;
    w->sql = sql;
    (void)pthread_mutex_unlock(&w->all->lock);
    sql_close(old);
}

static struct sql *connect_writer(const struct writers *wr, const struct sql_target *target)
{
    struct sql *sql = sql_open(target, NULL, 0);
    if (sql != NULL && wr->opt.session != NULL && sql_exec(sql, "%s", wr->opt.session) != 0) {
        sql_close(sql);
        sql = NULL;
    }
    return sql;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct sql_target target = server_tcp(w->all->opt.server, NULL, NULL);
    uint64_t id;
    while (begin(w, &id)) {
        if (w->sql == NULL) {
            w->lying = false;
            set_connection(w, connect_writer(w->all, &target));
        }
        char *statement = make_statement(&w->all->opt, id);
        bool ok = w->sql != NULL && set_time(w, id) && sql_exec(w->sql, "%s", statement) == 0;
        free(statement);
        finish(w, id, ok);
        if (!ok) {
            set_connection(w, NULL);
            proc_sleep_ms(RECONNECT_MS);
        } else if (w->all->opt.pause_ms != 0) {
            proc_sleep_ms(w->all->opt.pause_ms);
        }
    }
    set_connection(w, NULL);
    (void)pthread_mutex_lock(&w->all->lock);
    w->ended = true;
    (void)pthread_mutex_unlock(&w->all->lock);
    return NULL;
}

struct writers *writers_start(const struct writers_options *opt)
{
    struct writers *wr = calloc(1, sizeof(*wr));
    if (wr == NULL || pthread_mutex_init(&wr->lock, NULL) != 0)
        proc_die("out of memory");
    wr->opt = *opt;
    if (wr->opt.threads == 0)
        wr->opt.threads = 1;
    if (wr->opt.payload_bytes == 0)
        wr->opt.payload_bytes = PAYLOAD_DEFAULT;
    wr->next_id = opt->first_id != 0 ? opt->first_id : 1;
    struct sql *sql = server_root(opt->server);
    sql_must(sql,
             "CREATE TABLE IF NOT EXISTS t.w (id BIGINT PRIMARY KEY, payload LONGTEXT, h INT UNSIGNED) ENGINE=InnoDB "
             "DEFAULT CHARSET=latin1");
    sql_close(sql);
    wr->threads = calloc(wr->opt.threads, sizeof(*wr->threads));
    if (wr->threads == NULL)
        proc_die("out of memory");
    for (unsigned i = 0; i < wr->opt.threads; i++) {
        wr->threads[i].all = wr;
        if (pthread_create(&wr->threads[i].thread, NULL, writer_main, &wr->threads[i]) != 0)
            proc_die("cannot start a thread");
    }
    return wr;
}

/* True when all threads have ended; aborts their connections when asked to. */
static bool all_ended(struct writers *wr, bool abort_them)
{
    bool all = true;
    (void)pthread_mutex_lock(&wr->lock);
    for (unsigned i = 0; i < wr->opt.threads; i++) {
        struct writer *w = &wr->threads[i];
        all = all && w->ended;
        if (abort_them && w->sql != NULL)
            sql_abort(w->sql);
    }
    (void)pthread_mutex_unlock(&wr->lock);
    return all;
}

void writers_stop(struct writers *wr, unsigned grace_ms)
{
    if (wr->joined)
        return;
    (void)pthread_mutex_lock(&wr->lock);
    wr->stopping = true;
    (void)pthread_mutex_unlock(&wr->lock);
    uint64_t end = proc_now_ms() + grace_ms;
    while (!all_ended(wr, proc_now_ms() >= end))
        proc_sleep_ms(5);
    for (unsigned i = 0; i < wr->opt.threads; i++)
        (void)pthread_join(wr->threads[i].thread, NULL);
    wr->joined = true;
}

void writers_free(struct writers *wr)
{
    if (wr == NULL)
        return;
    writers_stop(wr, 0);
    (void)pthread_mutex_destroy(&wr->lock);
    free(wr->threads);
    free(wr->oked);
    free(wr);
}

/* ---- queries ---- */

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t writers_next_id(struct writers *wr)
{
    (void)pthread_mutex_lock(&wr->lock);
    uint64_t next = wr->next_id;
    (void)pthread_mutex_unlock(&wr->lock);
    return next;
}

uint64_t *writers_oked(struct writers *wr, size_t *ret_n)
{
    (void)pthread_mutex_lock(&wr->lock);
    size_t n = wr->oked_n;
    uint64_t *ids = malloc((n + 1) * sizeof(*ids));
    if (ids == NULL)
        proc_die("out of memory");
    if (n > 0)
        memcpy(ids, wr->oked, n * sizeof(*ids));
    (void)pthread_mutex_unlock(&wr->lock);
    qsort(ids, n, sizeof(*ids), compare_ids);
    *ret_n = n;
    return ids;
}

size_t writers_oked_count(struct writers *wr)
{
    (void)pthread_mutex_lock(&wr->lock);
    size_t n = wr->oked_n;
    (void)pthread_mutex_unlock(&wr->lock);
    return n;
}

bool writers_wait_oked(struct writers *wr, size_t count, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    while (writers_oked_count(wr) < count) {
        server_must_live(wr->opt.server);
        if (proc_now_ms() >= end)
            return false;
        proc_sleep_ms(5);
    }
    return true;
}

uint64_t writers_max_latency_ms(struct writers *wr)
{
    (void)pthread_mutex_lock(&wr->lock);
    uint64_t max = wr->max_ms;
    uint64_t now = proc_now_ms();
    for (unsigned i = 0; i < wr->opt.threads; i++) {
        uint64_t since = wr->threads[i].started_ms;
        if (since != 0 && now - since > max)
            max = now - since;
    }
    (void)pthread_mutex_unlock(&wr->lock);
    return max;
}

size_t writers_errors(struct writers *wr)
{
    (void)pthread_mutex_lock(&wr->lock);
    size_t n = wr->errors;
    (void)pthread_mutex_unlock(&wr->lock);
    return n;
}
