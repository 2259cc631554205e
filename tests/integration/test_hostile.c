/*
 * Hostile traffic at all surfaces at once, from many addresses, with good consumers, a good replica and commits beside it: nobody good is refused or cut, each commit
 * is acknowledged by us, health and operators get their answers, memory stays where it was. LT_HOSTILE_SECONDS: how long; an hour with LT_FULL=1.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fake_primary.h"
#include "good_replica.h"
#include "hostile.h"
#include "hostile_replicas.h"
#include "http_client.h"
#include "netns.h"
#include "rig.h"
#include "tail_raw.h"

enum { CONSUMERS = 3, ADDRESSES = 40, ANSWER_MS = 20000, ADDRESS_MAX = 16, ATTEMPTS = 3 };
#define MEMORY_MIB 16u /* tail.memory */
#define COMMAND_MIB                                                                                                    \
    32u /* what a replica may send at one time: the insider's statement may be there when memory is looked at */
#define GOOD_SECRET "good-secret"
#define BAD_SECRET  "bad-secret"

struct samples {
    double *ms;
    size_t n;
    size_t cap;
};

/* A follower from now on. */
struct consumer {
    pthread_t thread;
    char from[ADDRESS_MAX];
    pthread_mutex_t lock; /* where it is */
    char file[64];
    uint64_t offset;
    _Atomic uint64_t batches;
    atomic_bool failed;
};

static struct world {
    struct rig r;
    char *folder;
    struct fake_certs certs;
    uint16_t http_port;
    uint16_t replicas_port;
    char from[ADDRESSES][ADDRESS_MAX];
    const char *from_list[ADDRESSES];
    struct consumer consumers[CONSUMERS];
    char *first_file;
    pthread_t comer;
    pthread_t asker;
    char comer_from[ADDRESS_MAX];
    atomic_bool stop;
    _Atomic uint64_t came, not_let_in;
    _Atomic uint64_t asked, again, not_answered, slowest_ms;
} w;

/* ---- who is good */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRIES                                                                                                          \
    3 /* handshakes of a crowd on two processors, at a tenth of the speed: as a client would, it comes again */
#else
#define TRIES 1
#endif

static struct tail_raw *come_once(const char *from)
{
    struct tail_raw *t =
        tail_raw_connect_tls(w.r.dm->tail_port, &(struct tail_raw_tls){.ca = w.certs.ca, .from = from});
    if (t != NULL && tail_raw_hello(t, NULL, "alice:alice-secret", NULL) &&
        tail_raw_subscribe(t, &(struct tail_start){.start = LOGTAILER__TAIL__START_KIND__START_LATEST}))
        return t;
    (void)fprintf(stderr, "consumer %s: %s\n", from, t != NULL ? "no hello" : "no connection");
    tail_raw_free(t);
    return NULL;
}

static struct tail_raw *come(const char *from)
{
    struct tail_raw *t = NULL;
    for (int i = 0; i < TRIES && t == NULL; i++)
        t = come_once(from);
    return t;
}

/* False: what came does not follow what it had. */
static bool take(struct consumer *c, const struct tail_frame *f)
{
    bool ok = true;
    (void)pthread_mutex_lock(&c->lock);
    if (f->type == FRAME_FILE_BEGIN) {
        (void)snprintf(c->file, sizeof c->file, "%s", f->begin->position->file);
        c->offset = f->begin->position->offset;
    } else if (f->type == FRAME_BATCH) {
        ok = f->batch->offset == c->offset && f->batch->next_offset == c->offset + f->payload_len;
        c->offset = f->batch->next_offset;
        (void)atomic_fetch_add(&c->batches, 1);
    } else {
        ok = f->type == FRAME_HEARTBEAT || f->type == FRAME_FILE_END;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return ok;
}

static void *follow(void *arg)
{
    struct consumer *c = arg;
    struct tail_raw *t = come(c->from);
    bool ok = t != NULL;
    while (ok && !atomic_load(&w.stop)) {
        struct tail_frame f = {0};
        enum tail_result res = tail_raw_next(t, &f, ANSWER_MS);
        ok = res == TAIL_FRAME && take(c, &f);
        if (!ok)
            (void)fprintf(stderr, "consumer %s: result %d, frame %d: %s\n", c->from, (int)res, f.type,
                          res == TAIL_FRAME && f.type == FRAME_ERROR ? f.error->message : "");
        tail_frame_fini(&f);
    }
    tail_raw_free(t);
    atomic_store(&c->failed, !ok);
    return NULL;
}

/* Comes and goes, each time with a handshake of its own. */
static void *come_and_go(void *arg)
{
    (void)arg;
    while (!atomic_load(&w.stop)) {
        struct tail_frame f = {0};
        struct tail_raw *t = come(w.comer_from);
        bool in = t != NULL && tail_raw_next_word(t, &f, ANSWER_MS) == TAIL_FRAME && f.type == FRAME_FILE_BEGIN;
        (void)atomic_fetch_add(in ? &w.came : &w.not_let_in, 1);
        tail_frame_fini(&f);
        tail_raw_free(t);
        proc_sleep_ms(100);
    }
    return NULL;
}

static bool is_healthy(void)
{
    char *health = http_client_get(w.http_port, "/healthz");
    bool is = health != NULL && strstr(health, " 200 ") != NULL;
    free(health);
    return is;
}

static bool status_answers(void)
{
    json_t *status = daemon_command_within(w.r.dm, "status", ANSWER_MS);
    bool is = json_is_string(json_object_get(status, "state"));
    json_decref(status);
    return is;
}

/*
 * Who connects, and is kept from his processor before he asks for as long as the crowd needs to come anew, is an idle client like others and may be
 * closed: then he asks again, as any check does.
 */
static void must_answer(const char *what, bool (*question)(void))
{
    uint64_t began = proc_now_ms();
    bool answered = false;
    for (int i = 0; !answered && i < ATTEMPTS; i++) {
        answered = question();
        (void)atomic_fetch_add(&w.again, answered ? 0 : 1);
    }
    uint64_t took = proc_now_ms() - began;
    if (!answered)
        (void)fprintf(stderr, "%s: no answer after %llu ms\n", what, (unsigned long long)took);
    (void)atomic_fetch_add(answered ? &w.asked : &w.not_answered, 1);
    if (took > atomic_load(&w.slowest_ms))
        atomic_store(&w.slowest_ms, took);
}

/* Health over HTTP, and an operator. */
static void *ask(void *arg)
{
    (void)arg;
    while (!atomic_load(&w.stop)) {
        must_answer("health", is_healthy);
        must_answer("status", status_answers);
        proc_sleep_ms(100);
    }
    return NULL;
}

/* ---- commits */

static void add(struct samples *s, double ms)
{
    if (s->n == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 4096;
        s->ms = reallocarray(s->ms, s->cap, sizeof *s->ms);
        if (s->ms == NULL)
            proc_die("out of memory");
    }
    s->ms[s->n++] = ms;
}

static double now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Returns the largest resident size meanwhile. */
static uint64_t commit_for(uint64_t ms, struct samples *s)
{
    uint64_t most = 0;
    for (uint64_t until = proc_now_ms() + ms; proc_now_ms() < until; proc_sleep_ms(1)) {
        double began = now_ms();
        CU_ASSERT_EQUAL(sql_exec(w.r.root, "INSERT INTO t.hostile (text) VALUES (REPEAT('x', 100))"), 0);
        add(s, now_ms() - began);
        uint64_t rss = s->n % 50 == 0 ? daemon_rss_kib(w.r.dm) : 0;
        most = rss > most ? rss : most;
    }
    return most;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *what, struct samples *s)
{
    if (s->n == 0)
        return;
    qsort(s->ms, s->n, sizeof *s->ms, compare);
    (void)printf("\n    commits %s: %zu, p50 %.2f ms, p99 %.2f ms, slowest %.1f ms", what, s->n, s->ms[s->n / 2],
                 s->ms[s->n * 99 / 100], s->ms[s->n - 1]);
    free(s->ms);
}

/* ---- the test */

static uint64_t length_ms(void)
{
    const char *text = getenv("LT_HOSTILE_SECONDS"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    unsigned long s = text != NULL ? strtoul(text, NULL, 10) : rig_rounds(10, 3600);
    return (s > 4 ? s : 4) * 1000;
}

static void begin_good(void)
{
    for (int i = 0; i < CONSUMERS; i++) {
        struct consumer *c = &w.consumers[i];
        (void)snprintf(c->from, sizeof c->from, "%s", netns_stranger());
        (void)pthread_mutex_init(&c->lock, NULL);
        if (pthread_create(&c->thread, NULL, follow, c) != 0)
            proc_die("no thread");
    }
    (void)snprintf(w.comer_from, sizeof w.comer_from, "%s", netns_stranger());
    if (pthread_create(&w.comer, NULL, come_and_go, NULL) != 0 || pthread_create(&w.asker, NULL, ask, NULL) != 0)
        proc_die("no thread");
    /* They are users from known addresses before anybody attacks. */
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(10)) {
        unsigned in = 0;
        for (int i = 0; i < CONSUMERS; i++)
            in += atomic_load(&w.consumers[i].batches) > 0;
        if (in == CONSUMERS && atomic_load(&w.came) > 0)
            break;
        CU_ASSERT_EQUAL(sql_exec(w.r.root, "INSERT INTO t.hostile (text) VALUES ('begin')"), 0);
    }
    CU_ASSERT(atomic_load(&w.came) > 0);
}

/* All have all there is. */
static bool consumers_caught_up(void)
{
    char file[256];
    uint64_t offset = 0;
    if (!daemon_wait_caught_up(w.r.dm, w.r.root, RIG_WAIT_MS) || !daemon_position(w.r.dm, file, sizeof file, &offset))
        return false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(10)) {
        unsigned there = 0;
        for (int i = 0; i < CONSUMERS; i++) {
            struct consumer *c = &w.consumers[i];
            (void)pthread_mutex_lock(&c->lock);
            there += strcmp(c->file, file) == 0 && c->offset == offset;
            (void)pthread_mutex_unlock(&c->lock);
        }
        there += good_replica_is_at(file, offset);
        if (there == CONSUMERS + 1)
            return true;
    }
    return false;
}

static void end_good(void)
{
    uint64_t batches = 0;
    CU_ASSERT_TRUE(consumers_caught_up());
    atomic_store(&w.stop, true);
    for (int i = 0; i < CONSUMERS; i++) {
        (void)pthread_join(w.consumers[i].thread, NULL);
        (void)pthread_mutex_destroy(&w.consumers[i].lock);
        CU_ASSERT_FALSE(atomic_load(&w.consumers[i].failed));
        batches += atomic_load(&w.consumers[i].batches);
    }
    (void)pthread_join(w.comer, NULL);
    (void)pthread_join(w.asker, NULL);
    good_replica_end();
    CU_ASSERT_EQUAL(atomic_load(&w.not_let_in), 0);
    CU_ASSERT_EQUAL(atomic_load(&w.not_answered), 0);
    (void)printf(
        "\n    good: %d consumers took %llu batches, one came %llu times; %llu health checks and status, %llu asked "
        "again, the slowest %llu ms",
        CONSUMERS, (unsigned long long)batches, (unsigned long long)atomic_load(&w.came),
        (unsigned long long)atomic_load(&w.asked), (unsigned long long)atomic_load(&w.again),
        (unsigned long long)atomic_load(&w.slowest_ms));
}

static struct hostile_replicas *attack_replicas(void)
{
    return hostile_replicas_start(&(struct hostile_replicas_target){.port = w.replicas_port,
                                                                    .insider = "bad",
                                                                    .insider_password = BAD_SECRET,
                                                                    .file = w.first_file,
                                                                    .from = w.from_list,
                                                                    .n_from = ADDRESSES},
                                  (1u << HOSTILE_REPLICA_KINDS) - 1);
}

static void end_attack_replicas(struct hostile_replicas *h)
{
    (void)printf("\n    hostile replicas:");
    for (int k = 0; k < HOSTILE_REPLICA_KINDS; k++) {
        uint64_t n = hostile_replicas_count(h, (enum hostile_replica)k);
        CU_ASSERT(n > 0);
        (void)printf(" %s %llu%s", hostile_replica_name((enum hostile_replica)k), (unsigned long long)n,
                     k + 1 < HOSTILE_REPLICA_KINDS ? "," : "");
    }
    hostile_replicas_stop(h);
}

static struct hostile *attack(void)
{
    for (int i = 0; i < ADDRESSES; i++) {
        (void)snprintf(w.from[i], ADDRESS_MAX, "%s", netns_stranger());
        w.from_list[i] = w.from[i];
    }
    return hostile_start(&(struct hostile_target){.tail_port = w.r.dm->tail_port,
                                                  .http_port = w.http_port,
                                                  .admin_socket = w.r.dm->socket,
                                                  .insider_name = "mallory",
                                                  .insider_token = "mallory:mallory-secret",
                                                  .from = w.from_list,
                                                  .n_from = ADDRESSES},
                         (1u << HOSTILE_KINDS) - 1);
}

static void end_attack(struct hostile *h)
{
    (void)printf("\n    hostile:");
    for (int k = 0; k < HOSTILE_KINDS; k++) {
        uint64_t n = hostile_count(h, (enum hostile_kind)k);
        CU_ASSERT(n > 0);
        (void)printf(" %s %llu%s", hostile_name((enum hostile_kind)k), (unsigned long long)n,
                     k + 1 < HOSTILE_KINDS ? "," : "");
    }
    hostile_stop(h);
}

/* In a short run the insider's requests do not take all yet that they may. */
static void check_memory(uint64_t warm_kib, uint64_t late_kib, bool short_run)
{
    uint64_t more_kib = warm_kib / 10 + ((8u + COMMAND_MIB) << 10) + (short_run ? MEMORY_MIB << 10 : 0);
    (void)printf("\n    resident: %llu KiB when warm, %llu KiB at the end", (unsigned long long)warm_kib,
                 (unsigned long long)late_kib);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
    CU_ASSERT(late_kib <= warm_kib + more_kib);
#else
    (void)more_kib;
#endif
}

static void test_hostile(void)
{
    struct samples quiet = {0};
    struct samples beside = {0};
    uint64_t ms = length_ms();
    uint64_t quiet_ms = ms / 5 < 60000 ? ms / 5 : 60000;
    uint64_t third = (ms - quiet_ms) / 3;
    sql_must(w.r.root, "CREATE DATABASE IF NOT EXISTS t");
    sql_must(w.r.root, "CREATE TABLE t.hostile (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200))");
    begin_good();
    w.first_file = sql_value(w.r.root, "SHOW BINARY LOGS");
    CU_ASSERT_FATAL(w.first_file != NULL);
    good_replica_begin(netns_stranger(), w.replicas_port, w.first_file, "good", GOOD_SECRET);
    int64_t no_tx = sql_semi_status(w.r.root, "no_tx");
    int64_t yes_tx = sql_semi_status(w.r.root, "yes_tx");
    (void)commit_for(quiet_ms, &quiet);
    struct hostile *h = attack();
    struct hostile_replicas *hr = attack_replicas();
    uint64_t warm = commit_for(third, &beside);
    (void)commit_for(third, &beside);
    uint64_t late = commit_for(third, &beside);
    end_attack(h);
    end_attack_replicas(hr);
    size_t n = quiet.n + beside.n;
    CU_ASSERT_EQUAL(sql_semi_status(w.r.root, "no_tx"), no_tx);
    CU_ASSERT(sql_semi_status(w.r.root, "yes_tx") - yes_tx >= (int64_t)n);
    end_good();
    print_samples("quiet", &quiet);
    print_samples("beside hostile traffic", &beside);
    check_memory(warm, late, third < 20000);
    free(w.first_file);
    rig_check_identical(&w.r);
}

/* ---- the world */

static char *user_line(const char *user)
{
    unsigned char digest[32];
    char *both = proc_fmt("5a17%s-secret", user);
    char hex[65] = "";
    (void)EVP_Digest(both, strlen(both), digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    free(both);
    return proc_fmt("%s:sha256$5a17$%s\n", user, hex);
}

/* One who is good, and the insider. */
static char *replica_users(void)
{
    char good[42];
    char bad[42];
    hostile_replica_verifier(GOOD_SECRET, good);
    hostile_replica_verifier(BAD_SECRET, bad);
    char *text = proc_fmt("good:replica:%s\nbad:replica:%s\n", good, bad);
    char *path = proc_fmt("%s/replica-users", w.folder);
    proc_write_file(path, text);
    if (chmod(path, 0600) != 0)
        proc_die_errno("%s", path);
    free(text);
    return path;
}

static void start(void)
{
    struct proc_args s = {0};
    w.folder = proc_tempdir();
    fake_certs_make(w.folder, "localhost", 10, &w.certs);
    char *alice = user_line("alice");
    char *mallory = user_line("mallory");
    char *text = proc_fmt("%s%s", alice, mallory);
    char *users = proc_fmt("%s/users", w.folder);
    proc_write_file(users, text);
    if (chmod(users, 0600) != 0)
        proc_die_errno("%s", users);
    uint16_t port = proc_free_port();
    do
        w.http_port = proc_free_port();
    while (w.http_port == port);
    do
        w.replicas_port = proc_free_port();
    while (w.replicas_port == port || w.replicas_port == w.http_port);
    char *replicas = replica_users();
    proc_args_add(&s, "replicas.listen=0.0.0.0:%u", w.replicas_port);
    proc_args_add(&s, "replicas.users_file=%s", replicas);
    proc_args_add(&s, "replicas.ssl_cert=%s", w.certs.cert);
    proc_args_add(&s, "replicas.ssl_key=%s", w.certs.key);
    proc_args_add(&s, "replicas.send_timeout=2s");
    proc_args_add(&s, "replicas.max_replicas=400");
    proc_args_add(&s, "tail.listen=0.0.0.0:%u", port);
    proc_args_add(&s, "tail.users_file=%s", users);
    proc_args_add(&s, "tail.ssl_cert=%s", w.certs.cert);
    proc_args_add(&s, "tail.ssl_key=%s", w.certs.key);
    proc_args_add(&s, "tail.max_consumers=1000");
    proc_args_add(&s, "tail.memory=%uMiB", MEMORY_MIB);
    proc_args_add(&s, "tail.heartbeat_period=500ms");
    proc_args_add(&s, "http.listen=0.0.0.0:%u", w.http_port);
    proc_args_add(&s, "http.allow_anonymous=yes");
    rig_start(&w.r, NULL, false, s.v);
    w.r.dm->tail_port = port;
    proc_args_fini(&s);
    char *texts[] = {alice, mallory, text, users, replicas};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
}

static void run(void)
{
    start();
    test_hostile();
    rig_end(&w.r);
    proc_remove_dir(w.folder);
    free(w.folder);
}

static const struct test_case cases[] = {
    {"at all surfaces at once", run},
};

int main(int argc, char **argv)
{
    netns_enter();
    return rig_main(argc, argv, "hostile", cases, sizeof cases / sizeof cases[0]);
}
