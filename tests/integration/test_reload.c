/*
 * What a reload changes, for every key of the table, seen from outside: a good one what is reloadable and nothing else, a refused one nothing. The daemon
 * runs in a network of the test's own, where strangers are.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fake_primary.h"
#include "http_client.h"
#include "netns.h"
#include "rig.h"
#include "tail_raw.h"

#define CODE(name) LOGTAILER__TAIL__ERROR_CODE__ERROR_##name
enum { LINES_MAX = 10, IN = -1, NO_ANSWER = -2 };

static struct world {
    char *folder;
    struct fake_certs a;      /* the server's, and whose CA vouches for clients in the base configuration */
    struct fake_certs b;      /* another one */
    struct fake_certs client; /* alice's, by a CA of its own */
    char *password;
    char *users;  /* alice */
    char *others; /* bob */
    char *broken; /* no users file */
    uint16_t http_port;
    struct daemon *dm;
    struct proc_args base;
} w;

/* ---- the daemon's configuration ---- */

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

static char *file_in_folder(const char *name, char *text)
{
    char *path = proc_fmt("%s/%s", w.folder, name);
    proc_write_file(path, text);
    if (chmod(path, 0600) != 0)
        proc_die_errno("%s", path);
    free(text);
    return path;
}

static void certs_in_folder(const char *name, const char *cn, struct fake_certs *ret)
{
    char *dir = proc_fmt("%s/%s", w.folder, name);
    if (mkdir(dir, 0700) != 0)
        proc_die_errno("%s", dir);
    fake_certs_make(dir, cn, 10, ret);
    free(dir);
}

static bool names_key(const char *setting, const char *key)
{
    size_t len = strlen(key);
    return strncmp(setting, key, len) == 0 && setting[len] == '=';
}

static const char *setting_of(char *const *settings, const char *key)
{
    for (; settings != NULL && *settings != NULL; settings++) {
        if (names_key(*settings, key))
            return *settings + strlen(key) + 1;
    }
    return NULL;
}

/* The base with these instead; both lists may be NULL. */
static void configure(char *const *change, char *const *more)
{
    struct proc_args all = {0};
    char *const *lists[] = {w.base.v, change, more};
    for (size_t i = 0; i < 3; i++) {
        for (char *const *s = lists[i]; s != NULL && *s != NULL; s++) {
            char *key = proc_fmt("%.*s", (int)strcspn(*s, "="), *s);
            bool replaced = false;
            for (size_t k = i + 1; k < 3; k++)
                replaced = replaced || setting_of(lists[k], key) != NULL;
            if (!replaced)
                proc_args_add(&all, "%s", *s);
            free(key);
        }
    }
    daemon_configure(w.dm, &(struct daemon_options){.port = 1, .settings = all.v});
    proc_args_fini(&all);
}

/* The answer; the caller calls json_decref. */
static json_t *reload(char *const *change, char *const *more)
{
    configure(change, more);
    return daemon_command(w.dm, "reload");
}

static bool refused(json_t *answer)
{
    bool is = json_object_get(answer, "error") != NULL;
    json_decref(answer);
    return is;
}

/* ---- what is seen from outside ---- */

struct outside {
    char line[LINES_MAX][64]; /* "name=value" */
    size_t n;
    json_t *config; /* rows */
};

static void see(struct outside *o, const char *name, int value)
{
    (void)snprintf(o->line[o->n++], sizeof o->line[0], "%s=%d", name, value);
}

/* IN, NO_ANSWER, or the code of the Error. */
static int hello_once(const struct tail_raw_tls *tls, const char *token, unsigned *ret_heartbeat)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    struct tail_frame f = {0};
    int result = NO_ANSWER;
    m.min_version = m.max_version = 1;
    m.token = (char *)token;
    struct tail_raw *t = tail_raw_connect_tls(w.dm->tail_port, tls);
    if (t != NULL && tail_raw_send_message(t, FRAME_HELLO, &m.base) &&
        tail_raw_next_word(t, &f, RIG_WAIT_MS) == TAIL_FRAME) {
        if (f.type == FRAME_HELLO_REPLY) {
            result = IN;
            *ret_heartbeat = f.hello->heartbeat_ms;
        } else if (f.type == FRAME_ERROR) {
            result = (int)f.error->code;
        }
    }
    tail_frame_fini(&f);
    tail_raw_free(t);
    return result;
}

/* Those from before are gone. */
static void wait_for_nobody(void)
{
    json_int_t n = -1;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; n != 0 && proc_now_ms() < until; proc_sleep_ms(1)) {
        json_t *status = daemon_command(w.dm, "status");
        n = json_integer_value(json_object_get(status, "consumers"));
        json_decref(status);
    }
    CU_ASSERT_EQUAL(n, 0);
}

static int hello(const struct tail_raw_tls *tls, const char *token, unsigned *ret_heartbeat)
{
    wait_for_nobody();
    return hello_once(tls, token, ret_heartbeat);
}

/* Is there room for two at a time? The second of them is answered as soon as it is judged. */
static bool room_for_two(void)
{
    unsigned heartbeat;
    wait_for_nobody();
    struct tail_raw *first = tail_raw_connect_tls(w.dm->tail_port, &(struct tail_raw_tls){0});
    CU_ASSERT_PTR_NOT_NULL(first);
    int second = hello_once(&(struct tail_raw_tls){.from = netns_local()}, "alice:alice-secret", &heartbeat);
    tail_raw_free(first);
    return second != NO_ANSWER && second != CODE(TOO_MANY);
}

/* The status of an answer; 0: none. */
static int ask(const char *host)
{
    char *request = proc_fmt("GET /status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    int fd = http_client_connect(w.http_port);
    CU_ASSERT_FATAL(fd >= 0);
    char *answer = http_client_talk(fd, request);
    int status = answer != NULL && strlen(answer) > 9 ? atoi(answer + 9) : 0;
    (void)close(fd);
    free(answer);
    free(request);
    return status;
}

static json_t *config_rows(void)
{
    json_t *answer = daemon_command(w.dm, "config");
    json_t *rows = json_incref(json_object_get(answer, "config"));
    json_decref(answer);
    return rows;
}

static void look(struct outside *o)
{
    unsigned heartbeat = 0;
    *o = (struct outside){.config = config_rows()};
    see(o, "room", room_for_two());
    see(o, "stranger", hello(&(struct tail_raw_tls){.from = netns_stranger()}, "", &heartbeat));
    see(o, "loopback", hello(&(struct tail_raw_tls){.from = netns_local()}, "", &heartbeat));
    see(o, "alice", hello(&(struct tail_raw_tls){.from = netns_local()}, "alice:alice-secret", &heartbeat));
    see(o, "bob", hello(&(struct tail_raw_tls){.from = netns_local()}, "bob:bob-secret", &heartbeat));
    see(o, "heartbeat", (int)heartbeat);
    see(o, "http", ask("127.0.0.1"));
    see(o, "name", ask("evil.example"));
    wait_for_nobody();
    struct tail_raw *a = tail_raw_connect_tls(w.dm->tail_port, &(struct tail_raw_tls){.ca = w.a.ca});
    tail_raw_free(a);
    wait_for_nobody();
    struct tail_raw *b = tail_raw_connect_tls(w.dm->tail_port, &(struct tail_raw_tls){.ca = w.b.ca});
    tail_raw_free(b);
    see(o, "certificate", a != NULL ? 1 : b != NULL ? 2 : 0);
    see(o, "client",
        hello(&(struct tail_raw_tls){.from = netns_stranger(), .cert = w.client.cert, .key = w.client.key}, "",
              &heartbeat));
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

/* ---- every key ---- */

static const struct key_change {
    const char *key;
    const char *value;   /* A FILE's: the name of one in the folder */
    const char *with[2]; /* what must change beside it */
    const char *shows;   /* lines that change when it is taken over, between blanks; NULL: only `config` shows it */
} changes[] = {
    {"source.host", "127.0.0.2", {0}, NULL},
    {"source.port", "2", {0}, NULL},
    {"source.socket", "/nonexistent.sock", {"source.host="}, NULL},
    {"source.user", "other", {0}, NULL},
    {"source.password_file", "FOLDER/others", {0}, NULL},
    {"source.defaults_file", "FOLDER/others", {"source.password_file="}, NULL},
    {"source.ssl_mode", "DISABLED", {0}, NULL},
    {"source.ssl_ca", "FOLDER/a/ca.pem", {0}, NULL},
    {"source.verified_login", "yes", {0}, NULL},
    {"source.ssl_cert", "FOLDER/a/server.pem", {"source.ssl_key=FOLDER/a/server.key"}, NULL},
    {"source.ssl_key", "FOLDER/b/server.key", {"source.ssl_cert=FOLDER/b/server.pem"}, NULL},
    {"source.server_id", "5", {0}, NULL},
    {"source.semi_sync", "no", {0}, NULL},
    {"source.heartbeat_period", "2s", {0}, NULL},
    {"source.connect_timeout", "6s", {0}, NULL},
    {"source.retry_min", "200ms", {0}, NULL},
    {"source.retry_max", "11s", {0}, NULL},
    {"source.start", "latest", {0}, NULL},
    {"source.catchup_async", "1MiB", {0}, NULL},
    {"store.dir", "FOLDER/elsewhere", {0}, NULL},
    {"store.retention_age", "9d", {0}, NULL},
    {"store.retention_size", "9GiB", {0}, NULL},
    {"store.min_free", "2MiB", {0}, NULL},
    {"store.consumer_max_lag", "1GiB", {0}, NULL},
    {"store.stall_disconnect", "61s", {0}, NULL},
    {"store.allow_unsafe_fs", "no", {0}, NULL},
    {"tail.listen", "127.0.0.1:1", {0}, NULL},
    {"tail.users_file", "FOLDER/others", {0}, " alice bob "},
    {"tail.ssl_cert", "FOLDER/b/server.pem", {"tail.ssl_key=FOLDER/b/server.key"}, " certificate "},
    {"tail.ssl_key", "FOLDER/b/server.key", {"tail.ssl_cert=FOLDER/b/server.pem"}, " certificate "},
    {"tail.ssl_ca", "FOLDER/client/ca.pem", {0}, " client "},
    {"tail.ssl_crl", "FOLDER/client/crl-empty.pem", {"tail.ssl_ca=FOLDER/client/ca.pem"}, " client "},
    {"tail.ssl_crl", "FOLDER/client/crl.pem", {"tail.ssl_ca=FOLDER/client/ca.pem"}, " client "},
    {"tail.allow_anonymous", "yes", {0}, " stranger loopback client "},
    {"tail.allow_anonymous", "loopback", {0}, " loopback "},
    {"tail.max_consumers", "1", {0}, " room "},
    {"tail.memory", "8MiB", {0}, NULL},
    {"tail.max_names", "3", {0}, NULL},
    {"tail.max_names_per_user", "3", {0}, NULL},
    {"tail.consumer_max_age", "30d", {0}, NULL},
    {"tail.heartbeat_period", "3s", {0}, " heartbeat "},
    {"tail.send_timeout", "61s", {0}, NULL},
    {"replicas.listen", "127.0.0.1:3", {0}, NULL},
    {"replicas.users_file", "FOLDER/others", {0}, NULL},
    {"replicas.ssl_cert", "FOLDER/b/server.pem", {"replicas.ssl_key=FOLDER/b/server.key"}, NULL},
    {"replicas.ssl_key", "FOLDER/b/server.key", {"replicas.ssl_cert=FOLDER/b/server.pem"}, NULL},
    {"replicas.ssl_ca",
     "FOLDER/a/ca.pem",
     {"replicas.ssl_cert=FOLDER/b/server.pem", "replicas.ssl_key=FOLDER/b/server.key"},
     NULL},
    {"replicas.allow_anonymous", "yes", {0}, NULL},
    {"replicas.max_replicas", "5", {0}, NULL},
    {"replicas.max_lag", "5MiB", {0}, NULL},
    {"replicas.send_timeout", "61s", {0}, NULL},
    {"replicas.server_id", "77", {0}, NULL},
    {"admin.socket", "FOLDER/elsewhere.sock", {0}, NULL},
    {"admin.mode", "0600", {0}, NULL},
    {"admin.group", "daemon", {0}, NULL},
    {"http.listen", "127.0.0.1:2", {0}, NULL},
    {"http.users_file", "FOLDER/others", {0}, " http "},
    {"http.ssl_cert", "FOLDER/b/server.pem", {"http.ssl_key=FOLDER/b/server.key"}, " http name "},
    {"http.ssl_key", "FOLDER/b/server.key", {"http.ssl_cert=FOLDER/b/server.pem"}, " http name "},
    {"http.allow_anonymous", "no", {0}, " http "},
    {"http.names", "evil.example", {0}, " name "},
    {"log.level", "debug", {0}, NULL},
    {"log.format", "json", {0}, NULL},
};

/* FOLDER is the test's. */
static void add_setting(struct proc_args *to, const char *key, const char *value)
{
    static const char folder[] = "FOLDER";
    const char *at = strstr(value, folder);
    const char *eq = key != NULL ? "=" : "";
    if (at != NULL)
        proc_args_add(to, "%s%s%.*s%s%s", key != NULL ? key : "", eq, (int)(at - value), value, w.folder,
                      at + sizeof folder - 1);
    else
        proc_args_add(to, "%s%s%s", key != NULL ? key : "", eq, value);
}

static struct proc_args settings_of(const struct key_change *c)
{
    struct proc_args s = {0};
    add_setting(&s, c->key, c->value);
    for (size_t i = 0; i < 2 && c->with[i] != NULL; i++)
        add_setting(&s, NULL, c->with[i]);
    return s;
}

static void same_outside(const struct outside *now, const struct outside *before, const char *what)
{
    CU_ASSERT_TRUE(json_equal(now->config, before->config));
    CU_ASSERT_EQUAL(now->n, before->n);
    for (size_t i = 0; i < now->n; i++) {
        CU_ASSERT_STRING_EQUAL(now->line[i], before->line[i]);
        if (strcmp(now->line[i], before->line[i]) != 0)
            (void)fprintf(stderr, "%s: %s, before %s\n", what, now->line[i], before->line[i]);
    }
}

/* The rows are the base's, but for reloadable ones that were set. */
static void check_config(const json_t *rows, const json_t *base, char *const *set)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char *key = proc_fmt("%s.%s", text_of(row, "section"), text_of(row, "key"));
        const char *fresh = json_is_true(json_object_get(row, "reload")) ? setting_of(set, key) : NULL;
        const char *want = fresh != NULL ? fresh : text_of(json_array_get(base, i), "value");
        if (strcmp(text_of(row, "value"), "(hidden)") == 0)
            want = "(hidden)";
        CU_ASSERT_STRING_EQUAL(text_of(row, "value"), want);
        if (strcmp(text_of(row, "value"), want) != 0)
            (void)fprintf(stderr, "%s is %s, not %s\n", key, text_of(row, "value"), want);
        free(key);
    }
}

/* Those lines changed that the key is shown by, and no others. */
static void check_lines(const struct outside *now, const struct outside *base, const struct key_change *c)
{
    for (size_t i = 0; i < now->n; i++) {
        char *name = proc_fmt(" %.*s ", (int)strcspn(now->line[i], "="), now->line[i]);
        bool changes_it = c->shows != NULL && strstr(c->shows, name) != NULL;
        bool changed = strcmp(now->line[i], base->line[i]) != 0;
        CU_ASSERT_EQUAL(changed, changes_it);
        if (changed != changes_it)
            (void)fprintf(stderr, "%s: %s, before %s\n", c->key, now->line[i], base->line[i]);
        free(name);
    }
}

static bool is_reloadable(const json_t *rows, const char *key)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        size_t len = strlen(text_of(row, "section"));
        if (strncmp(key, text_of(row, "section"), len) == 0 && strcmp(key + len + 1, text_of(row, "key")) == 0)
            return json_is_true(json_object_get(row, "reload"));
    }
    CU_FAIL("the table lacks a key of the test");
    return false;
}

static bool lists(const json_t *answer, const char *list, const char *key)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(answer, list), i, name)
    {
        if (strcmp(json_string_value(name), key) == 0)
            return true;
    }
    return false;
}

/* Good alone; refused beside a users file that is none, and beside a word that no key takes: in the parts, and in the file. */
static void walk_key(const struct key_change *c, const struct outside *base)
{
    struct outside now;
    struct proc_args set = settings_of(c);
    bool reloadable = is_reloadable(base->config, c->key);
    bool listens = strncmp(c->key, "tail.", 5) == 0 || strncmp(c->key, "http.", 5) == 0;
    char *broken = proc_fmt("tail.users_file=%s", w.broken);
    bool is_users = strcmp(c->key, "tail.users_file") == 0;
    CU_ASSERT_TRUE(refused(reload(set.v, (char *[]){is_users ? "tail.ssl_ca=/dev/null" : broken, NULL})));
    look(&now);
    same_outside(&now, base, c->key);
    json_decref(now.config);
    CU_ASSERT_TRUE(refused(reload(set.v, (char *[]){"log.nonsense=1", NULL})));
    json_t *rows = config_rows();
    CU_ASSERT_TRUE(json_equal(rows, base->config));
    json_decref(rows);

    json_t *answer = reload(set.v, NULL);
    CU_ASSERT_TRUE(lists(answer, reloadable ? "reload" : "restart", c->key));
    json_decref(answer);
    if (listens) {
        look(&now);
        check_lines(&now, base, reloadable ? c : &(struct key_change){.key = c->key});
    } else {
        now = (struct outside){.config = config_rows()};
    }
    check_config(now.config, base->config, set.v);
    json_decref(now.config);
    json_decref(reload(NULL, NULL));
    free(broken);
    proc_args_fini(&set);
}

static void check_all_are_walked(const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char *key = proc_fmt("%s.%s", text_of(row, "section"), text_of(row, "key"));
        bool is = false;
        for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++)
            is = is || strcmp(changes[k].key, key) == 0;
        CU_ASSERT_TRUE(is);
        if (!is)
            (void)fprintf(stderr, "nothing walks %s\n", key);
        free(key);
    }
}

static void test_every_key(void)
{
    struct outside base;
    struct outside again;
    json_decref(reload(NULL, NULL));
    look(&base);
    check_all_are_walked(base.config);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        walk_key(&changes[i], &base);
    look(&again);
    same_outside(&again, &base, "at the end");
    json_decref(base.config);
    json_decref(again.config);
}

/* ---- who gets in ---- */

static int stranger(void)
{
    unsigned ignored;
    return hello(&(struct tail_raw_tls){.from = netns_stranger()}, "", &ignored);
}

/* A file that is good by itself, for loopback without users, over a daemon that listens to all and has users. */
static void test_a_refused_reload_lets_nobody_in(void)
{
    char *loopback = proc_fmt("tail.listen=127.0.0.1:%u", w.dm->tail_port);
    CU_ASSERT_EQUAL(stranger(), CODE(AUTH));
    CU_ASSERT_TRUE(refused(reload((char *[]){loopback, "tail.users_file=", "tail.allow_anonymous=no", NULL}, NULL)));
    CU_ASSERT_EQUAL(stranger(), CODE(AUTH));
    json_t *answer = reload((char *[]){loopback, "tail.users_file=", "tail.allow_anonymous=yes", NULL}, NULL);
    bool taken = json_object_get(answer, "reload") != NULL;
    json_decref(answer);
    /* Whatever becomes of it, `config` tells who gets in. */
    json_t *rows = config_rows();
    size_t i;
    json_t *row;
    bool says_yes = false;
    json_array_foreach(rows, i, row) says_yes =
        says_yes || (strcmp(text_of(row, "key"), "allow_anonymous") == 0 && strcmp(text_of(row, "value"), "yes") == 0);
    CU_ASSERT_EQUAL(stranger() == IN, says_yes);
    CU_ASSERT_TRUE(taken || !says_yes);
    json_decref(rows);
    json_decref(reload(NULL, NULL));
    CU_ASSERT_EQUAL(stranger(), CODE(AUTH));
    free(loopback);
}

/* The log of a daemon with these settings says so once it runs, and none of the other things. */
static void check_told(char *const *settings, const char *told)
{
    static const char *const things[] = {"whoever is on this machine reads every row",
                                         "whoever reaches the port reads every row", "no consumer gets in",
                                         "consumers need a user, on this machine too", "in clear text"};
    struct daemon *dm = daemon_start(&(struct daemon_options){.port = 1, .settings = settings});
    CU_ASSERT_TRUE(daemon_wait_state(dm, "connecting", RIG_WAIT_MS));
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
        CU_ASSERT_EQUAL(daemon_log_contains(dm, things[i]), strstr(told, things[i]) != NULL);
    CU_ASSERT_EQUAL(daemon_stop(dm), 0);
    daemon_free(dm);
}

static void test_what_is_told_at_start(void)
{
    char *users = proc_fmt("tail.users_file=%s", w.users);
    check_told(NULL, "whoever is on this machine reads every row");
    check_told((char *[]){"tail.allow_anonymous=no", NULL}, "no consumer gets in");
    check_told((char *[]){"tail.allow_anonymous=yes", "tail.listen=0.0.0.0:0", NULL},
               "whoever reaches the port reads every row");
    check_told((char *[]){users, NULL}, "consumers need a user, on this machine too");
    check_told((char *[]){users, "tail.listen=0.0.0.0:0", NULL},
               "consumers need a user, on this machine too; in clear text");
    free(users);
}

static const struct test_case cases[] = {
    {"what is told at start", test_what_is_told_at_start},
    {"a refused reload lets nobody in", test_a_refused_reload_lets_nobody_in},
    {"every key", test_every_key},
};

static void start(void)
{
    w.folder = proc_tempdir();
    certs_in_folder("a", "localhost", &w.a);
    certs_in_folder("b", "localhost", &w.b);
    certs_in_folder("client", "alice", &w.client);
    w.users = file_in_folder("users", user_line("alice"));
    w.others = file_in_folder("others", user_line("bob"));
    w.broken = file_in_folder("broken", proc_fmt("nonsense\n"));
    w.password = file_in_folder("password", proc_fmt("secret\n"));
    proc_args_add(&w.base, "source.password_file=%s", w.password);
    proc_args_add(&w.base, "tail.users_file=%s", w.users);
    proc_args_add(&w.base, "tail.ssl_cert=%s", w.a.cert);
    proc_args_add(&w.base, "tail.ssl_key=%s", w.a.key);
    uint16_t port = proc_free_port();
    proc_args_add(&w.base, "tail.listen=0.0.0.0:%u", port);
    do
        w.http_port = proc_free_port();
    while (w.http_port == port);
    proc_args_add(&w.base, "http.listen=127.0.0.1:%u", w.http_port);
    w.dm = daemon_start(&(struct daemon_options){.port = 1, .settings = w.base.v});
    w.dm->tail_port = port;
    if (!daemon_wait_state(w.dm, "connecting", RIG_WAIT_MS))
        daemon_show_log(w.dm);
}

int main(void)
{
    netns_enter();
    start();
    int bad = cunit_run("reload", cases, sizeof cases / sizeof cases[0]);
    if (daemon_stop(w.dm) != 0)
        bad = 1;
    if (bad)
        daemon_show_log(w.dm);
    daemon_free(w.dm);
    proc_remove_dir(w.folder);
    char *texts[] = {w.folder, w.password, w.users, w.others, w.broken};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    proc_args_fini(&w.base);
    return bad;
}
