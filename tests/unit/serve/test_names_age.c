/* Names that are away grow older by time that was seen, with a virtual clock: across restarts, not by jumps, and never by a number that is not to be believed. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cunit_main.h"
#include "proc.h"
#include "serve/names.h"
#include "store/consumers.h"
#include "vfs_sim.h"

#define S       1000000ull
#define H       (3600 * S)
#define D       (24 * H)
#define WAIT_MS 20000
#define FILE_1  "mysql-bin.000001"

struct rig {
    struct vfs_sim *sim;
    struct store *store;
    struct names n;
    uint64_t now; /* the monotonic clock */
    uint32_t ids;
};

static void on_done(void *arg, struct session_ref by, const struct consumer_state *state, int rc, const char *why)
{
    (void)arg;
    (void)by;
    (void)state;
    (void)rc;
    (void)why;
}

static void open_all(struct rig *r)
{
    struct lt_err err;
    size_t bad = 0;
    struct store_options so = {.dir = "/db"};
    if (store_open(&so, vfs_sim_vfs(r->sim), &r->store, &err) != 0 ||
        names_open(&r->n, r->store, on_done, NULL, &bad, &err) != 0)
        proc_die("%s", err.text);
    CU_ASSERT_EQUAL(bad, 0);
}

static void close_all(struct rig *r)
{
    names_close(&r->n);
    store_close(r->store);
}

static void start(struct rig *r)
{
    *r = (struct rig){.sim = vfs_sim_new(1), .now = 5 * S};
    open_all(r);
}

static void end(struct rig *r)
{
    close_all(r);
    vfs_sim_free(r->sim);
}

static bool row(struct rig *r, const char *name, struct names_row *ret)
{
    struct names_row *rows = NULL;
    size_t n = 0;
    bool found = false;
    CU_ASSERT_EQUAL_FATAL(names_list(&r->n, &rows, &n), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].state.name, name) == 0 && (found = true))
            *ret = rows[i];
    }
    free(rows);
    return found;
}

static bool there(struct rig *r, const char *name)
{
    struct names_row ignored;
    return row(r, name, &ignored);
}

static uint64_t away(struct rig *r, const char *name)
{
    struct names_row found = {0};
    CU_ASSERT_TRUE(row(r, name, &found));
    return found.state.away_us;
}

/* What the disk has of it; -1: nothing. */
static int64_t on_disk(struct rig *r, const char *name)
{
    struct consumer_state *list = NULL;
    struct lt_err err;
    size_t n = 0;
    size_t bad = 0;
    int64_t is = -1;
    CU_ASSERT_EQUAL_FATAL(consumer_load_all(r->store, &list, &n, &bad, &err), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0)
            is = (int64_t)list[i].away_us;
    }
    free(list);
    return is;
}

static struct session_ref come(struct rig *r, const char *name, bool *ret_has)
{
    static const struct names_limits limits = {.user = ""};
    struct session_ref by = {.id = ++r->ids};
    struct session_ref before;
    struct consumer_state state;
    CU_ASSERT_EQUAL_FATAL(names_attach(&r->n, name, by, &limits, &before, ret_has, &state), 0);
    return by;
}

static struct consumer_state state_of(const char *name, uint64_t committed_us)
{
    struct consumer_state c = {
        .lineage = 1, .source_id = "s", .file = FILE_1, .offset = 100, .committed_us = committed_us};
    (void)snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

static bool becomes(struct rig *r, const char *name, int64_t least, int64_t most)
{
    int64_t is = on_disk(r, name);
    for (uint64_t until = proc_now_ms() + WAIT_MS; (is < least || is > most) && proc_now_ms() < until;
         is = on_disk(r, name))
        proc_sleep_ms(1);
    return is >= least && is <= most;
}

/* It committed a year ago, and goes. */
static void leave_place(struct rig *r, const char *name)
{
    bool has;
    struct session_ref by = come(r, name, &has);
    struct consumer_state c = state_of(name, clock_wall_us() - 365 * D);
    CU_ASSERT_EQUAL(names_commit(&r->n, by, &c), 0);
    CU_ASSERT_TRUE(becomes(r, name, 0, 0));
    names_detach(&r->n, name, by);
    names_age(&r->n, r->now, true, 0); /* it was still there before this look */
}

static struct {
    atomic_bool inside;
    atomic_bool go_on;
} unlinking;

/* The committing thread has nothing to do, or is held in an unlink. */
static bool settled(struct rig *r)
{
    bool busy = false;
    (void)pthread_mutex_lock(&r->n.lock);
    for (unsigned i = 0; i < NAMES_BUCKETS; i++) {
        for (const struct named *e = r->n.buckets[i]; e != NULL; e = e->next)
            busy = busy || e->chore || e->dirty;
    }
    (void)pthread_mutex_unlock(&r->n.lock);
    return !busy || (atomic_load(&unlinking.inside) && !atomic_load(&unlinking.go_on));
}

/* Time runs faster than any disk, but for the last minutes. */
static void pass(struct rig *r, uint64_t us, uint64_t max)
{
    for (uint64_t until = r->now + us; r->now < until;) {
        r->now = until - r->now < 10 * S ? until : r->now + 10 * S;
        names_age(&r->n, r->now, true, max);
        for (uint64_t end_ms = proc_now_ms() + WAIT_MS;
             until - r->now < 300 * S && !settled(r) && proc_now_ms() < end_ms;)
            proc_sleep_ms(1);
    }
}

static bool goes(struct rig *r, const char *name)
{
    for (uint64_t until = proc_now_ms() + WAIT_MS; there(r, name) && proc_now_ms() < until;)
        proc_sleep_ms(1);
    return !there(r, name) && on_disk(r, name) == -1;
}

/* ---- what counts */

static void forgotten_in_time(void)
{
    struct rig r;
    bool has;
    start(&r);
    leave_place(&r, "gone");
    leave_place(&r, "back");
    leave_place(&r, "here");
    (void)come(&r, "here", &has);
    CU_ASSERT_TRUE(has);
    pass(&r, D - 10 * S, D);
    CU_ASSERT_EQUAL(away(&r, "gone"), D - 10 * S);
    struct session_ref by = come(&r, "back", &has); /* in the last moment */
    CU_ASSERT_TRUE(has);
    CU_ASSERT_EQUAL(away(&r, "back"), 0);
    CU_ASSERT_TRUE(becomes(&r, "back", 0, 0)); /* on the disk too */
    names_detach(&r.n, "back", by);
    CU_ASSERT_EQUAL(names_forgotten(&r.n), 0);
    pass(&r, 10 * S, D);
    CU_ASSERT_TRUE(goes(&r, "gone"));
    CU_ASSERT_EQUAL(names_forgotten(&r.n), 1);
    pass(&r, D - 10 * S, D);
    CU_ASSERT_EQUAL(away(&r, "back"), D - 10 * S); /* the look after it left does not count */
    pass(&r, 10 * S, D);
    CU_ASSERT_TRUE(goes(&r, "back"));
    CU_ASSERT_TRUE(there(&r, "here"));
    CU_ASSERT_EQUAL(away(&r, "here"), 0);
    (void)come(&r, "gone", &has); /* as a new name */
    CU_ASSERT_FALSE(has);
    end(&r);
}

static void unseen_time(void)
{
    struct rig r;
    start(&r);
    leave_place(&r, "a");
    pass(&r, 100 * D, 0); /* off: it grows older, and stays */
    CU_ASSERT_TRUE(away(&r, "a") == 100 * D && names_forgotten(&r.n) == 0);
    CU_ASSERT_NOT_EQUAL(on_disk(&r, "a"), -1);
    bool has;
    names_detach(&r.n, "a", come(&r, "a", &has));
    names_age(&r.n, r.now, true, H);
    r.now += 3650 * D; /* we were stopped, or the machine was */
    names_age(&r.n, r.now, true, H);
    CU_ASSERT_EQUAL(away(&r, "a"), NAMES_LOOK_MAX_US);
    r.now -= D;
    names_age(&r.n, r.now, true, H); /* a clock that goes back counts nothing */
    names_age(&r.n, r.now, true, H);
    CU_ASSERT_EQUAL(away(&r, "a"), NAMES_LOOK_MAX_US);
    for (int i = 1; i < 10000; i++) /* nobody can connect, at one end of the time or at both */
        names_age(&r.n, r.now += 5 * S, i % 3 == 0, H);
    CU_ASSERT_EQUAL(away(&r, "a"), NAMES_LOOK_MAX_US);
    names_age(&r.n, r.now, true, H);
    pass(&r, H - NAMES_LOOK_MAX_US - S, H);
    CU_ASSERT_TRUE(there(&r, "a"));
    pass(&r, S, H);
    CU_ASSERT_TRUE(goes(&r, "a"));
    end(&r);
}

/* ---- restarts */

static void restarts(void)
{
    struct rig r;
    bool has;
    start(&r);
    leave_place(&r, "a");
    leave_place(&r, "b");
    pass(&r, D - 60 * S, D);
    CU_ASSERT_TRUE(becomes(&r, "a", (int64_t)(D - 160 * S), (int64_t)D));
    for (int i = 0; i < 3; i++) { /* down for months, the monotonic clock anywhere; killed or not */
        close_all(&r);
        if (i == 2)
            vfs_sim_process_death(r.sim);
        r.now = i == 0 ? 1 : r.now + 100 * D;
        open_all(&r);
        names_age(&r.n, r.now, true, D);
        CU_ASSERT(away(&r, "a") >= D - 160 * S && away(&r, "a") <= D + (unsigned)i * NAMES_GRACE_US / 4);
        pass(&r, NAMES_GRACE_US / 4, D);
    }
    CU_ASSERT_TRUE(away(&r, "a") >= D - 400 * S && there(&r, "b")); /* so soon after a start nobody goes */
    struct session_ref by = come(&r, "b", &has);
    CU_ASSERT_TRUE(has && becomes(&r, "b", 0, 0)); /* before it commits anything */
    names_detach(&r.n, "b", by);
    pass(&r, NAMES_GRACE_US, D);
    CU_ASSERT_TRUE(goes(&r, "a"));
    CU_ASSERT_TRUE(there(&r, "b"));
    close_all(&r);
    open_all(&r);
    CU_ASSERT_TRUE(!there(&r, "a") && there(&r, "b"));
    CU_ASSERT(away(&r, "b") <= NAMES_GRACE_US);
    end(&r);
}

static void put(struct rig *r, const char *name, const char *text)
{
    char *path = proc_fmt("/db/consumers/%s", name);
    vfs_sim_put(r->sim, path, text, strlen(text));
    free(path);
}

static char *file_of(struct rig *r, const char *name)
{
    char *path = proc_fmt("/db/consumers/%s", name);
    const uint8_t *data = NULL;
    size_t len = 0;
    CU_ASSERT_TRUE_FATAL(vfs_sim_get(r->sim, path, &data, &len));
    char *text = proc_fmt("%.*s", (int)len, (const char *)data);
    free(path);
    return text;
}

/* A file as we write it, with so much in it. */
static char *saved(struct rig *r, const char *name, uint64_t committed_us, uint64_t away_us)
{
    struct lt_err err;
    struct consumer_state c = state_of(name, committed_us);
    c.away_us = away_us;
    CU_ASSERT_EQUAL_FATAL(consumer_save(r->store, &c, &err), 0);
    return file_of(r, name);
}

static void numbers_that_lie(void)
{
    static const char *const lines[] = {"",
                                        "away=\n",
                                        "away= \n",
                                        "away=9\n",
                                        "away=-5 00000000\n",
                                        "away=999999999999 00000000\n",
                                        "away=99999999999999999999 0000000\n",
                                        "away=1e9 0\n",
                                        "away=3600 \n"};
    struct rig r;
    start(&r);
    uint64_t wall = clock_wall_us();
    char *good = saved(&r, "good", wall - 365 * D, 100 * D);
    char *base = proc_fmt("%.*s", (int)(strstr(good, "away=") - good), good);
    put(&r, "copied", good); /* somebody else's */
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char *text = proc_fmt("%s%s", base, lines[i]);
        char *name = proc_fmt("line%zu", i);
        put(&r, name, text);
        free(name);
        free(text);
    }
    char *digit = strstr(good, "away=") + strlen("away=");
    *digit = '9'; /* one that fell over */
    put(&r, "good2", good);
    free(saved(&r, "future", wall + 20 * 365 * D,
               100 * D));                              /* committed when a clock was wrong, or is read when one is */
    free(saved(&r, "longer", wall - 10 * D, 100 * D)); /* than since it committed */
    free(saved(&r, "huge", wall - 10 * D, UINT64_MAX / 2));
    free(saved(&r, "never", 0, 100 * D)); /* by any clock it could be */
    close_all(&r);
    open_all(&r);
    CU_ASSERT_EQUAL(away(&r, "good"), 100 * D);
    CU_ASSERT_EQUAL(away(&r, "never"), 100 * D);
    struct names_row *rows = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL_FATAL(names_list(&r.n, &rows, &n), 0);
    CU_ASSERT_EQUAL(n, 7 + sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < n; i++) {
        bool believed = strcmp(rows[i].state.name, "good") == 0 || strcmp(rows[i].state.name, "never") == 0;
        CU_ASSERT_TRUE(rows[i].has && (believed || rows[i].state.away_us == 0));
    }
    free(rows);
    names_age(&r.n, r.now, true, D);
    pass(&r, NAMES_GRACE_US, D); /* and none of them goes */
    CU_ASSERT_TRUE(goes(&r, "good") && goes(&r, "never"));
    CU_ASSERT_EQUAL(names_forgotten(&r.n), 2);
    CU_ASSERT_TRUE(there(&r, "future") && there(&r, "longer") && there(&r, "huge") && there(&r, "copied"));
    free(base);
    free(good);
    end(&r);
}

/* ---- the disk */

static void hold_unlink(enum vfs_op op, void *arg)
{
    (void)arg;
    if (op != VFS_OP_UNLINK)
        return;
    atomic_store(&unlinking.inside, true);
    while (!atomic_load(&unlinking.go_on))
        proc_sleep_ms(1);
}

/* Who comes while his file goes was told his place, and keeps it; whether he stays or not. */
static void back_in_the_last_moment(void)
{
    for (int stays = 0; stays < 2; stays++) {
        struct rig r;
        bool has = false;
        start(&r);
        leave_place(&r, "a");
        atomic_store(&unlinking.inside, false);
        atomic_store(&unlinking.go_on, false);
        vfs_sim_on_call(r.sim, hold_unlink, NULL);
        pass(&r, H, H);
        while (!atomic_load(&unlinking.inside))
            proc_sleep_ms(1);
        struct session_ref by = come(&r, "a", &has);
        CU_ASSERT_TRUE(has);
        if (stays == 0)
            names_detach(&r.n, "a", by);
        atomic_store(&unlinking.go_on, true);
        CU_ASSERT_TRUE(becomes(&r, "a", 0, 0));
        CU_ASSERT_TRUE(there(&r, "a"));
        CU_ASSERT_EQUAL(names_forgotten(&r.n), 0);
        pass(&r, D, 0);
        close_all(&r);
        open_all(&r);
        CU_ASSERT_TRUE(there(&r, "a"));
        end(&r);
    }
}

static void a_disk_that_fails(void)
{
    struct rig r;
    bool has;
    start(&r);
    leave_place(&r, "a");
    leave_place(&r, "b");
    pass(&r, H - 10 * S, H);
    CU_ASSERT_TRUE(becomes(&r, "b", 60 * (int64_t)S, (int64_t)H));
    uint64_t calls = vfs_sim_calls(r.sim, VFS_OP_UNLINK);
    vfs_sim_fail(r.sim, VFS_OP_UNLINK, 1, VFS_FAULT_ERROR, EIO, true);
    struct session_ref by = come(&r, "b", &has);
    pass(&r, 10 * S, H);
    for (uint64_t until = proc_now_ms() + WAIT_MS; !vfs_sim_failed(r.sim) && proc_now_ms() < until;)
        proc_sleep_ms(1);
    pass(&r, 30 * S, H); /* not at each look */
    CU_ASSERT_EQUAL(vfs_sim_calls(r.sim, VFS_OP_UNLINK), calls + 1);
    CU_ASSERT_TRUE(there(&r, "a"));
    vfs_sim_heal(r.sim);
    pass(&r, NAMES_RETRY_US, H);
    CU_ASSERT_TRUE(goes(&r, "a"));
    CU_ASSERT_TRUE(becomes(&r, "b", 0, 0)); /* which waited with it, or not */
    names_detach(&r.n, "b", by);
    end(&r);
}

/* A hundred names that are away write no more often than one, and none is left out. */
static void few_writes(void)
{
    enum { NAMES = 100 };
    struct rig r;
    start(&r);
    for (int i = 0; i < NAMES; i++) {
        char *name = proc_fmt("n%d", i);
        leave_place(&r, name);
        free(name);
    }
    uint64_t before = vfs_sim_calls(r.sim, VFS_OP_RENAME);
    for (int i = 0; i < 4 * NAMES; i++) {
        pass(&r, NAMES_SAVE_EACH_US, D);
    }
    CU_ASSERT(vfs_sim_calls(r.sim, VFS_OP_RENAME) - before <= 4 * NAMES);
    for (int i = 0; i < NAMES; i++) {
        char *name = proc_fmt("n%d", i);
        CU_ASSERT_TRUE(becomes(&r, name, 60 * (int64_t)S, (int64_t)D));
        free(name);
    }
    end(&r);
}

static const struct test_case cases[] = {
    {"forgotten in time", forgotten_in_time},
    {"time that nobody saw", unseen_time},
    {"restarts", restarts},
    {"numbers that lie", numbers_that_lie},
    {"back in the last moment", back_in_the_last_moment},
    {"a disk that fails", a_disk_that_fails},
    {"few writes", few_writes},
};

int main(void)
{
    return cunit_run("serve names age", cases, sizeof cases / sizeof cases[0]);
}
