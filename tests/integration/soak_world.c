/*
 * Happy path: disk → two servers, each behind a proxy → the second replicates → logtailerd on the disk, behind the first's proxy → writers.
 * Failure: what a soak cannot go on without ends the test; a violation is kept by soak_fail.
 */
#include "soak.h"

#include <stdarg.h>

enum { DISK_MIB = 768, WRITERS = 8, PAUSE_MS = 4, LARGE_EVERY = 499, LARGE_MIN = 1 << 20, LARGE_MAX = 4 << 20 };
enum { LYING_EVERY = 23 };

bool soak_with(const char *name)
{
    const char *list = secure_getenv("LT_SOAK_WITHOUT");
    size_t len = strlen(name);
    for (const char *at = list; at != NULL && (at = strstr(at, name)) != NULL; at += len) {
        if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
            return false;
    }
    return true;
}

/* xorshift64* */
uint64_t soak_random(struct soak *s, uint64_t n)
{
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (s->random * 0x2545F4914F6CDD1DULL >> 11) % n;
}

unsigned soak_between(struct soak *s, unsigned low, unsigned high)
{
    return low + (unsigned)soak_random(s, high - low + 1);
}

struct soak_side *soak_primary(struct soak *s)
{
    return &s->side[s->at];
}

struct soak_side *soak_replica(struct soak *s)
{
    return &s->side[1 - s->at];
}

void soak_reopen(struct soak_side *side)
{
    sql_close(side->root);
    side->root = server_root(side->srv);
}

static void start_side(struct soak_side *side, unsigned server_id, enum server_semisync semisync)
{
    static char *args[] = {"--max-binlog-size=16M", NULL, NULL};
    struct server_options so = {.flavor = flavor, .server_id = server_id, .semisync = semisync, .args = args};
    if (flavor == SERVER_MARIADB) /* MySQL's default */
        args[1] = "--log-slave-updates";
    side->srv = server_start(&so);
    side->px = proxy_start(side->srv->port);
    side->root = server_root(side->srv);
}

/* Everything by default but what a test needs: plain packets for the proxy, and a disk that hangs is told after a second. */
static void start_daemon(struct soak *s)
{
    char *dir = proc_fmt("%s/store", disk_dir(s->disk));
    char *settings[] = {"source.ssl_mode=DISABLED", "store.stall_disconnect=1s", "store.min_free=8MiB", NULL};
    s->dm = daemon_start(&(struct daemon_options){.server = soak_primary(s)->srv,
                                                  .port = proxy_port(soak_primary(s)->px),
                                                  .dir = dir,
                                                  .settings = settings,
                                                  .wrapper = disk_wrapper(s->disk)});
    free(dir);
}

void soak_start(struct soak *s, uint64_t seed)
{
    *s = (struct soak){.seed = seed, .random = seed * 0x9E3779B97F4A7C15ULL | 1};
    s->disk = disk_new(DISK_MIB);
    start_side(&s->side[0], 1, SERVER_SEMISYNC_ON);
    start_side(&s->side[1], 2, SERVER_SEMISYNC_OFF);
    soak_make_replica(s);
    start_daemon(s);
    bool ok = daemon_wait_state(s->dm, "streaming", RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(s->dm);
    s->began_ms = proc_now_ms();
    soak_start_writers(s);
}

void soak_end(struct soak *s)
{
    if (s->wr != NULL)
        soak_stop_writers(s, 0);
    if (s->dm->pid != 0) {
        int status = daemon_stop(s->dm);
        if (status != 0)
            soak_fail(s, "logtailerd ended with status %d", status);
    }
    daemon_free(s->dm);
    for (int i = 0; i < 2; i++) {
        sql_close(s->side[i].root);
        proxy_free(s->side[i].px);
        server_free(s->side[i].srv);
    }
    disk_free(s->disk);
    soak_ledger_fini(&s->ledger);
}

void soak_start_writers(struct soak *s)
{
    uint64_t first = s->ledger.size;
    s->wr = writers_start(&(struct writers_options){.server = soak_primary(s)->srv,
                                                    .threads = WRITERS,
                                                    .pause_ms = PAUSE_MS,
                                                    .payload_bytes = 200,
                                                    .large_every = soak_with("large rows") ? LARGE_EVERY : 0,
                                                    .large_bytes = soak_between(s, LARGE_MIN, LARGE_MAX),
                                                    .lying_every = soak_with("lying times") ? LYING_EVERY : 0,
                                                    .first_id = first != 0 ? first : 1});
}

void soak_stop_writers(struct soak *s, unsigned grace_ms)
{
    writers_stop(s->wr, grace_ms);
    soak_ledger_note(&s->ledger, s->wr);
    s->ledger.confirmed += writers_oked_count(s->wr);
    writers_free(s->wr);
    s->wr = NULL;
}

size_t soak_confirmed(struct soak *s)
{
    return s->ledger.confirmed + (s->wr != NULL ? writers_oked_count(s->wr) : 0);
}

/* The store, its log, and the primary's side of it, outside of what the guardian removes. */
static char *keep(struct soak *s)
{
    static const char script[] = "mkdir -p \"$1\" && cp -a \"$2\" \"$1/store\"; cp \"$3\" \"$1/logtailerd.log\"\n"
                                 "mkdir -p \"$1/0\" \"$1/1\"; cp -a \"$4\"/mysql-bin.* \"$4/../server.log\" \"$1/0\"\n"
                                 "cp -a \"$5\"/mysql-bin.* \"$5/../server.log\" \"$1/1\"\n";
    const char *base = secure_getenv("LT_TMP");
    char *to = proc_fmt("%s/soak-%s-%llu", base != NULL && base[0] != '\0' ? base : "/tmp", server_flavor_name(flavor),
                        (unsigned long long)s->seed);
    char *argv[] = {
        "sh", "-c", (char *)script, "sh", to, s->dm->dir, s->dm->log, s->side[0].srv->datadir, s->side[1].srv->datadir,
        NULL};
    (void)proc_run(argv, NULL, NULL);
    return to;
}

void soak_fail(struct soak *s, const char *fmt, ...)
{
    va_list ap;
    if (s->failed)
        return;
    s->failed = true;
    fprintf(stderr, "\nVIOLATION after %.1f s: ", (double)(proc_now_ms() - s->began_ms) / 1000);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    json_t *status = s->dm->pid != 0 ? daemon_command_within(s->dm, "status", 3000) : NULL;
    char *text = json_dumps(json_object_get(status, "last_error"), 0);
    char *state = json_dumps(json_object_get(status, "state"), JSON_ENCODE_ANY);
    char *kept = keep(s);
    fprintf(stderr, "\n  state %s, last error %s\n  LT_SEED=%llu; the store, the binlogs and the logs are in %s\n",
            state != NULL ? state : "unknown", text != NULL ? text : "none", (unsigned long long)s->seed, kept);
    daemon_show_log(s->dm);
    CU_FAIL("a violation");
    free(kept);
    free(state);
    free(text);
    json_decref(status);
}
