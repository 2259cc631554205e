#include "rig.h"

enum server_flavor flavor;

int rig_main(int argc, char **argv, const char *suite, const struct test_case *cases, size_t n)
{
    flavor = argc > 1 && strcmp(argv[1], "mysql") == 0 ? SERVER_MYSQL : SERVER_MARIADB;
    if (!server_is_installed(flavor)) {
        fprintf(stderr, "%s is not installed: run sh tests/install.sh test\n", server_flavor_name(flavor));
        return 1;
    }
    return cunit_run(suite, cases, n);
}

unsigned rig_rounds(unsigned small, unsigned full)
{
    const char *v = getenv("LT_FULL");
    return v != NULL && strcmp(v, "1") == 0 ? full : small;
}

void rig_start_server(struct rig *r, const struct server_options *so, bool use_proxy)
{
    struct server_options opt = so ? *so : (struct server_options){0};
    opt.flavor = flavor;
    *r = (struct rig){.srv = server_start(&opt)};
    if (use_proxy)
        r->px = proxy_start(r->srv->port);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

void rig_start_daemon(struct rig *r, char *const *settings)
{
    struct daemon_options opt = {.server = r->srv, .port = r->px ? proxy_port(r->px) : 0, .settings = settings};
    r->dm = daemon_start(&opt);
}

void rig_start(struct rig *r, const struct server_options *so, bool use_proxy, char *const *settings)
{
    rig_start_server(r, so, use_proxy);
    rig_start_daemon(r, settings);
    bool ok = daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r->dm);
}

void rig_end(struct rig *r)
{
    /* In order, so that a sanitizer has its say; a test may have ended it in its own way. */
    if (r->dm != NULL && r->dm->pid != 0) {
        int status = daemon_stop(r->dm);
        CU_ASSERT_EQUAL(status, 0);
        if (status != 0)
            daemon_show_log(r->dm);
    }
    daemon_free(r->dm);
    sql_close(r->root);
    sql_close(r->other);
    proxy_free(r->px);
    server_free(r->srv);
}

void rig_check_identical(struct rig *r)
{
    char file[256];
    uint64_t offset = 0;
    size_t compared = 0;
    server_must_live(r->srv);
    bool ok = daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r->dm);
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_TRUE(binlogs_compare(r->srv, r->dm->dir, offset, &compared));
    CU_ASSERT_TRUE(binlogs_all_readable(flavor, r->dm->dir, offset));
}

void rig_check_oked(struct rig *r, struct writers *wr)
{
    size_t n = 0;
    uint64_t *ids = writers_oked(wr, &n);
    CU_ASSERT(n > 0);
    CU_ASSERT_EQUAL(binlogs_missing_ids(r->dm->dir, UINT64_MAX, ids, n), 0);
    free(ids);
}

bool rig_error_is(struct rig *r, const char *code)
{
    json_t *status = daemon_command(r->dm, "status");
    const char *found = json_string_value(json_object_get(json_object_get(status, "last_error"), "code"));
    bool is = found != NULL && strcmp(found, code) == 0;
    json_decref(status);
    return is;
}

static size_t dump_threads(struct rig *r)
{
    enum { COMMAND = 4 };
    struct sql_rows *rows = sql_rows(r->root, "SHOW PROCESSLIST");
    size_t n = 0;
    for (size_t i = 0; rows != NULL && i < rows->rows; i++) {
        const char *command = rows->cells[i * rows->columns + COMMAND];
        n += command != NULL && strncmp(command, "Binlog Dump", strlen("Binlog Dump")) == 0;
    }
    sql_rows_free(rows);
    return n;
}

bool rig_wait_dumps(struct rig *r, size_t n)
{
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    while (dump_threads(r) != n) {
        if (proc_now_ms() >= end)
            return false;
        proc_sleep_ms(10);
    }
    return true;
}

int64_t rig_status_number(struct rig *r, const char *object, const char *key)
{
    json_t *status = daemon_command(r->dm, "status");
    const json_t *value = json_object_get(json_object_get(status, object), key);
    int64_t n = json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
    json_decref(status);
    return n;
}

const char *rig_program(const char *variable)
{
    const char *path = getenv(variable);
    if (path == NULL || access(path, X_OK) != 0)
        proc_die("%s does not name a program (run the test through meson)", variable);
    return path;
}
