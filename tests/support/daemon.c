/*
 * Happy path: daemon_start → daemon_wait_state("streaming") → … → daemon_stop.
 * Failure: every wait has its time-out and returns false; the test shows the log.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MS = 30000, STOP_MS = 60000, POLL_MS = 10 };

static const char *program(void)
{
    const char *path = secure_getenv("LT_DAEMON");
    if (path == NULL || access(path, X_OK) != 0)
        proc_die("LT_DAEMON does not name the logtailerd program (run the test through meson)");
    return path;
}

/* ---- configuration ---- */

static void put(FILE *f, const char *setting)
{
    const char *dot = strchr(setting, '.');
    if (dot == NULL)
        proc_die("a setting is section.key=value, not %s", setting);
    (void)fprintf(f, "[%.*s]\n%s\n", (int)(dot - setting), setting, dot + 1);
}

/* A default, unless the caller sets the same key: the parser may refuse a key that comes twice. */
static void put_default(FILE *f, const struct daemon_options *opt, const char *key, const char *value)
{
    size_t len = strlen(key);
    for (char *const *s = opt->settings; s != NULL && *s != NULL; s++) {
        if (strncmp(*s, key, len) == 0 && (*s)[len] == '=')
            return;
    }
    char *line = proc_fmt("%s=%s", key, value);
    put(f, line);
    free(line);
}

static void write_password(const struct daemon *dm, const struct daemon_options *opt)
{
    char *path = proc_fmt("%s/password", dm->folder);
    char *text = proc_fmt("%s\n", opt->password != NULL ? opt->password : SERVER_REPL_PASSWORD);
    proc_write_file(path, text);
    if (chmod(path, 0600) != 0)
        proc_die_errno("chmod %s", path);
    free(text);
    free(path);
}

static void write_config(const struct daemon *dm, const struct daemon_options *opt)
{
    FILE *f = fopen(dm->config, "we");
    if (f == NULL)
        proc_die_errno("%s", dm->config);
    unsigned port_number = opt->port != 0 ? opt->port : opt->server != NULL ? opt->server->port : 3306;
    char *port = proc_fmt("%u", port_number);
    char *password = proc_fmt("%s/password", dm->folder);
    write_password(dm, opt);
    put_default(f, opt, "source.host", "127.0.0.1");
    put_default(f, opt, "source.port", port);
    put_default(f, opt, "source.user", opt->user != NULL ? opt->user : SERVER_REPL_USER);
    put_default(f, opt, "source.password_file", password);
    if (opt->server != NULL && opt->server->ca != NULL)
        put_default(f, opt, "source.ssl_ca", opt->server->ca);
    put_default(f, opt, "store.dir", dm->dir);
    /* Tests run where they are, on overlay and tmpfs too. */
    put_default(f, opt, "store.allow_unsafe_fs", "yes");
    /* A disk that others keep busy is no disk that hangs: tests of that say what they want. */
    put_default(f, opt, "store.stall_disconnect", "60s");
    put_default(f, opt, "log.level", "info");
    char *listen = proc_fmt("127.0.0.1:%u", dm->tail_port);
    put_default(f, opt, "tail.listen", listen);
    free(listen);
    for (char *const *s = opt->settings; s != NULL && *s != NULL; s++)
        put(f, *s);
    if (fclose(f) != 0)
        proc_die_errno("%s", dm->config);
    free(password);
    free(port);
}

/* ---- life ---- */

static void launch(struct daemon *dm)
{
    struct proc_args args = {0};
    for (size_t i = 0; i < dm->wrapper.n; i++)
        proc_args_add(&args, "%s", dm->wrapper.v[i]);
    proc_args_add(&args, "%s", program());
    proc_args_add(&args, "--config");
    proc_args_add(&args, "%s", dm->config);
    dm->pid = proc_spawn(args.v, dm->log);
    proc_args_fini(&args);
}

struct daemon *daemon_start(const struct daemon_options *opt)
{
    struct daemon *dm = calloc(1, sizeof(*dm));
    if (dm == NULL)
        proc_die("out of memory");
    dm->folder = proc_tempdir();
    dm->config = proc_fmt("%s/logtailerd.conf", dm->folder);
    dm->log = proc_fmt("%s/log", dm->folder);
    dm->dir = opt->dir != NULL ? proc_fmt("%s", opt->dir) : proc_fmt("%s/store", dm->folder);
    dm->socket = proc_fmt("%s/admin.sock", dm->dir);
    dm->tail_port = proc_free_port();
    if (mkdir(dm->dir, 0750) != 0 && errno != EEXIST)
        proc_die_errno("mkdir %s", dm->dir);
    for (char *const *w = opt->wrapper; w != NULL && *w != NULL; w++)
        proc_args_add(&dm->wrapper, "%s", *w);
    write_config(dm, opt);
    launch(dm);
    return dm;
}

void daemon_configure(struct daemon *dm, const struct daemon_options *opt)
{
    write_config(dm, opt);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool daemon_exited(struct daemon *dm, unsigned timeout_ms, int *ret_status)
{
    if (dm->pid != 0) {
        if (!proc_wait(dm->pid, timeout_ms, &dm->status))
            return false;
        dm->pid = 0;
    }
    if (ret_status != NULL)
        *ret_status = exit_code(dm->status);
    return true;
}

void daemon_kill(struct daemon *dm)
{
    if (dm->pid == 0)
        return;
    proc_signal(dm->pid, SIGKILL);
    if (!daemon_exited(dm, STOP_MS, NULL))
        proc_die("logtailerd (pid %d) does not end by SIGKILL", (int)dm->pid);
}

void daemon_restart(struct daemon *dm)
{
    daemon_kill(dm);
    launch(dm);
}

int daemon_stop(struct daemon *dm)
{
    int status = -1;
    proc_signal(dm->pid, SIGTERM);
    if (daemon_exited(dm, STOP_MS, &status))
        return status;
    daemon_kill(dm);
    return -1;
}

void daemon_signal(struct daemon *dm, int sig)
{
    proc_signal(dm->pid, sig);
}

void daemon_free(struct daemon *dm)
{
    if (dm == NULL)
        return;
    daemon_kill(dm);
    proc_remove_dir(dm->folder);
    proc_args_fini(&dm->wrapper);
    free(dm->folder);
    free(dm->config);
    free(dm->log);
    free(dm->dir);
    free(dm->socket);
    free(dm);
}

int daemon_run(char *const *args, char **ret_output)
{
    struct proc_args all = {0};
    proc_args_add(&all, "%s", program());
    for (char *const *a = args; a != NULL && *a != NULL; a++)
        proc_args_add(&all, "%s", *a);
    char *dir = proc_tempdir();
    char *out = proc_fmt("%s/out", dir);
    int status = proc_run(all.v, NULL, out);
    *ret_output = proc_read_file(out, NULL);
    proc_remove_dir(dir);
    proc_args_fini(&all);
    free(out);
    free(dir);
    return status;
}

/* ---- the admin socket ---- */

static int connect_admin(const struct daemon *dm)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(dm->socket) >= sizeof(sa.sun_path))
        proc_die("the path is too long for a Unix socket: %s", dm->socket);
    memcpy(sa.sun_path, dm->socket, strlen(dm->socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Read up to the end of the line; false when it does not come in time. */
/* One line, NUL for its end; NULL: none came in time. It grows as needed: nearly all answers are small, and tests ask thousands of times. */
static char *read_line(int fd, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    size_t len = 0;
    size_t cap = 16 * 1024;
    char *line = malloc(cap);
    while (line != NULL) {
        uint64_t now = proc_now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
            break;
        ssize_t n = read(fd, line + len, cap - len);
        if (n <= 0)
            break;
        char *nl = memchr(line + len, '\n', (size_t)n);
        if (nl != NULL) {
            *nl = '\0';
            return line;
        }
        len += (size_t)n;
        if (len == cap) {
            char *more = realloc(line, cap *= 2);
            if (more == NULL)
                break;
            line = more;
        }
    }
    free(line);
    return NULL;
}

json_t *daemon_command(const struct daemon *dm, const char *command)
{
    return daemon_command_within(dm, command, ANSWER_MS);
}

json_t *daemon_command_within(const struct daemon *dm, const char *command, unsigned timeout_ms)
{
    int fd = connect_admin(dm);
    if (fd < 0)
        return NULL;
    char *request = proc_fmt("%s\n", command);
    ssize_t len = (ssize_t)strlen(request);
    char *line = send(fd, request, (size_t)len, MSG_NOSIGNAL) == len ? read_line(fd, timeout_ms) : NULL;
    json_t *answer = line != NULL ? json_loads(line, 0, NULL) : NULL;
    free(request);
    free(line);
    (void)close(fd);
    return answer;
}

static bool status_has(const struct daemon *dm, const char *object, const char *key, const char *value)
{
    json_t *status = daemon_command(dm, "status");
    json_t *in = object != NULL ? json_object_get(status, object) : status;
    const char *text = json_string_value(json_object_get(in, key));
    bool same = text != NULL && strcmp(text, value) == 0;
    json_decref(status);
    return same;
}

static bool wait_status(struct daemon *dm, const char *object, const char *key, const char *value, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    while (!status_has(dm, object, key, value)) {
        if (proc_now_ms() >= end || daemon_exited(dm, 0, NULL))
            return false;
        proc_sleep_ms(POLL_MS);
    }
    return true;
}

bool daemon_wait_state(struct daemon *dm, const char *state, unsigned timeout_ms)
{
    return wait_status(dm, NULL, "state", state, timeout_ms);
}

bool daemon_wait_error(struct daemon *dm, const char *code, unsigned timeout_ms)
{
    return wait_status(dm, "last_error", "code", code, timeout_ms);
}

bool daemon_position(const struct daemon *dm, char *file, size_t file_size, uint64_t *ret_offset)
{
    json_t *answer = daemon_command(dm, "position");
    const char *name = json_string_value(json_object_get(answer, "file"));
    const json_t *offset = json_object_get(answer, "offset");
    bool ok = name != NULL && json_is_integer(offset) && strlen(name) < file_size;
    if (ok) {
        memcpy(file, name, strlen(name) + 1);
        *ret_offset = (uint64_t)json_integer_value(offset);
    }
    json_decref(answer);
    return ok;
}

static uint64_t file_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;
}

bool daemon_wait_position(const struct daemon *dm, const char *file, uint64_t offset, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    for (;;) {
        char at[256];
        uint64_t at_offset;
        if (daemon_position(dm, at, sizeof(at), &at_offset)) {
            uint64_t have = file_number(at);
            uint64_t want = file_number(file);
            if (have > want || (have == want && at_offset >= offset))
                return true;
        }
        if (proc_now_ms() >= end)
            return false;
        proc_sleep_ms(POLL_MS);
    }
}

bool daemon_wait_caught_up(const struct daemon *dm, struct sql *root, unsigned timeout_ms)
{
    struct sql_rows *rows = sql_rows(root, sql_is_mariadb(root) ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS");
    if (rows == NULL || rows->rows != 1)
        proc_die("the primary does not tell its position: %s", sql_error(root));
    bool ok = daemon_wait_position(dm, rows->cells[0], strtoull(rows->cells[1], NULL, 10), timeout_ms);
    sql_rows_free(rows);
    return ok;
}

/* ---- what it looks like from outside ---- */

static uint64_t proc_status_kib(const struct daemon *dm, const char *key)
{
    if (dm->pid == 0)
        return 0;
    char *path = proc_fmt("/proc/%d/status", (int)dm->pid);
    char *text = proc_read_file(path, NULL);
    const char *at = text != NULL ? strstr(text, key) : NULL;
    uint64_t kib = at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
    free(text);
    free(path);
    return kib;
}

uint64_t daemon_rss_kib(const struct daemon *dm)
{
    return proc_status_kib(dm, "VmRSS:");
}

uint64_t daemon_peak_rss_kib(const struct daemon *dm)
{
    return proc_status_kib(dm, "VmHWM:");
}

bool daemon_log_contains(const struct daemon *dm, const char *text)
{
    char *log = proc_read_file(dm->log, NULL);
    bool found = log != NULL && strstr(log, text) != NULL;
    free(log);
    return found;
}

void daemon_show_log(const struct daemon *dm)
{
    proc_show_log(dm->log);
}
