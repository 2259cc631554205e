#include "fence_site.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"

static char dir[64];
static char path[108];

/* ---- a disk that hangs ---- */

static pthread_mutex_t hang_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hang_over = PTHREAD_COND_INITIALIZER;
static bool hanging;

void site_set_hanging(bool on)
{
    (void)pthread_mutex_lock(&hang_lock);
    hanging = on;
    (void)pthread_cond_broadcast(&hang_over);
    (void)pthread_mutex_unlock(&hang_lock);
}

static void on_call(enum vfs_op op, void *arg)
{
    (void)arg;
    if (op != VFS_OP_FSYNC)
        return;
    (void)pthread_mutex_lock(&hang_lock);
    while (hanging)
        (void)pthread_cond_wait(&hang_over, &hang_lock);
    (void)pthread_mutex_unlock(&hang_lock);
}

/* ---- the daemon's parts ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct site *s = arg;
    (void)fd;
    (void)what;
    if (s->ops != NULL) /* a test may have closed it */
        ops_tick(s->ops);
}

static void on_stop(void *arg)
{
    ((struct site *)arg)->stopped = true;
}

static void on_fatal(void *arg, const char *why)
{
    (void)arg;
    (void)fprintf(stderr, "fatal: %s\n", why);
}

static bool min_needed(void *arg, unsigned *ret_lineage, char ret_file[BINLOG_NAME_MAX + 1],
                       char ret_name[CONSUMER_NAME_MAX + 1])
{
    (void)snprintf(ret_name, CONSUMER_NAME_MAX + 1, "slow");
    *ret_lineage = 1;
    (void)snprintf(ret_file, BINLOG_NAME_MAX + 1, "%s", TEST_FILE);
    return ((struct site *)arg)->needs;
}

static struct ops_options options(struct site *s)
{
    return (struct ops_options){
        .base = s->base,
        .store = s->store,
        .gate = &s->gate,
        .settings = {.source_host = "127.0.0.1", .source_port = 1, .store_dir = TEST_DIR},
        .socket_path = path,
        .socket_mode = 0600,
        .callbacks = {.stop = on_stop, .arg = s},
        .monitor = {.source = {.host = "127.0.0.1", .port = 1, .user = "nobody", .connect_timeout_us = 500000}},
        .consumers = {.min_needed = min_needed, .arg = s},
    };
}

int site_open_ops(struct site *s, struct lt_err *err)
{
    struct ops_options opt = options(s);
    return ops_open(&opt, &s->ops, err);
}

void site_set_retention(struct site *s, uint64_t bytes)
{
    struct lt_err err;
    struct ops_options opt = options(s);
    opt.retention.bytes = bytes;
    struct ops_prepared *prepared = NULL;
    CU_ASSERT_EQUAL_FATAL(ops_prepare(s->ops, &opt, &prepared, &err), 0);
    ops_adopt(s->ops, &opt, prepared);
}

bool site_up(struct site *s)
{
    struct lt_err err = {0};
    struct timeval often = {.tv_usec = 20000};
    s->base = event_base_new();
    gate_init(&s->gate);
    int rc = test_open(vfs_sim_vfs(s->sim), false, &s->store, &err);
    if (rc == 0)
        rc = site_open_ops(s, &err);
    struct ingest_options io = {
        .source =
            {.host = "127.0.0.1", .port = 1, .user = "nobody", .connect_timeout_us = 500000, .read_timeout_us = 500000},
        .semi_sync = true,
        .heartbeat_us = 1000000,
        .retry_min_us = 10000,
        .retry_max_us = 20000,
        .start = "earliest",
        .server_id = 77,
        .store = s->store,
        .gate = &s->gate,
        .on_fatal = on_fatal,
    };
    if (rc == 0) {
        io.follow = ops_follow(s->ops);
        rc = ingest_start(&io, &s->ingest, &err);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return false;
    }
    ops_attach(s->ops, s->ingest);
    s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
    return event_add(s->tick, &often) == 0;
}

void site_down(struct site *s)
{
    ops_close(s->ops);
    ingest_stop(s->ingest);
    store_close(s->store);
    event_free(s->tick);
    event_base_free(s->base);
    gate_fini(&s->gate);
    s->ops = NULL;
    s->ingest = NULL;
    s->store = NULL;
}

/* A store with two files of one history. */
void site_begin(struct site *s)
{
    struct binlog_gen g;
    struct lt_err err;
    *s = (struct site){.sim = vfs_sim_new(3)};
    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_txn(&g, 50);
    struct store *store = test_begin(vfs_sim_vfs(s->sim), false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    CU_ASSERT_TRUE(test_feed(store, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_segment_begin(store, TEST_FILE2, &err), 0);
    CU_ASSERT_TRUE(test_feed(store, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_segment_begin(store, "mysql-bin.000003", &err), 0);
    CU_ASSERT_TRUE(test_feed(store, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(store, &err), 0);
    store_close(store);
    gen_fini(&g);
    vfs_sim_on_call(s->sim, on_call, NULL);
    CU_ASSERT_TRUE_FATAL(site_up(s));
}

void site_end(struct site *s)
{
    site_set_hanging(false);
    site_down(s);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(s->sim), 0);
    vfs_sim_free(s->sim);
}

/* ---- a client ---- */

int site_send_line(const char *line)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) || send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
        abort();
    return fd;
}

/* Runs the loop until the answer is there. */
json_t *site_receive(struct site *s, int fd)
{
    static char buf[65536];
    size_t len = 0;
    uint64_t until = clock_mono_us() + 60000000;
    while (clock_mono_us() < until) {
        (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
        ssize_t n = read(fd, buf + len, sizeof buf - len - 1);
        if (n == 0)
            break;
        if (n < 0) {
            (void)usleep(1000);
            continue;
        }
        len += (size_t)n;
        if (buf[len - 1] == '\n')
            break;
    }
    (void)close(fd);
    return json_loadb(buf, len, 0, NULL);
}

json_t *site_ask(struct site *s, const char *line)
{
    json_t *answer = site_receive(s, site_send_line(line));
    CU_ASSERT_PTR_NOT_NULL(answer);
    return answer;
}

const char *site_error_of(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    return code != NULL ? code : "";
}

bool site_yes(const json_t *answer, const char *key)
{
    return json_is_true(json_object_get(answer, key));
}

void site_expect(struct site *s, const char *line, const char *code)
{
    json_t *answer = site_ask(s, line);
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), code);
    json_decref(answer);
}

bool site_on_disk(struct site *s, struct fence_state *ret)
{
    const uint8_t *data;
    size_t len;
    fence_state_init(ret);
    return vfs_sim_get_durable(s->sim, TEST_DIR "/fence", &data, &len) &&
           fence_state_decode((const char *)data, len, ret) == 0;
}

size_t site_fenced_on_disk(struct site *s)
{
    struct fence_state fs;
    size_t n = site_on_disk(s, &fs) ? fs.count : 0;
    fence_state_fini(&fs);
    return n;
}

bool site_closed(struct site *s)
{
    return gate_is_closed(&s->gate, TEST_SOURCE);
}

/* Until status says so, at most half a minute. */
bool site_wait_persisted(struct site *s)
{
    uint64_t until = clock_mono_us() + 30000000;
    bool persisted = false;
    while (!persisted && clock_mono_us() < until) {
        json_t *status = site_ask(s, "status");
        persisted = site_yes(json_object_get(status, "fence"), "persisted");
        json_decref(status);
    }
    return persisted;
}

int site_main(const char *suite, const struct test_case *cases, size_t n)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    (void)snprintf(dir, sizeof dir, "/tmp/lt-fence-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/admin.sock", dir);
    source_global_init();
    int bad = cunit_run(suite, cases, n);
    (void)rmdir(dir);
    return bad;
}

json_t *site_fence(struct site *s, const char *line)
{
    json_t *answer = site_ask(s, line);
    for (int i = 0; i < 30 && !(site_yes(answer, "persisted") && site_yes(answer, "final")); i++) {
        json_decref(answer);
        answer = site_ask(s, line);
    }
    CU_ASSERT_TRUE(site_yes(answer, "persisted"));
    CU_ASSERT_TRUE(site_yes(answer, "final"));
    return answer;
}

void site_begin_empty(struct site *s)
{
    *s = (struct site){.sim = vfs_sim_new(3)};
    vfs_sim_on_call(s->sim, on_call, NULL);
    CU_ASSERT_TRUE_FATAL(site_up(s));
}
