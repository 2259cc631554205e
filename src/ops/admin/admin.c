/*
 * Happy path: accept; read what is there; for every whole line split, look up, run, append the answer; send; wait for more.
 *
 * What can go wrong:
 * - the client does not read: no further line is run while ADMIN_OUTPUT_MAX is waiting (it is closed then), nor past the write deadline;
 * - it sends many lines at once: LINES_PER_TURN of them, then the loop's other work has its turn;
 * - it sends a line without end: line_too_long, and the connection is closed once that is out;
 * - its answer comes later (admin_reply_later): nothing more is read or run until then, other clients go on;
 * - it half-closes (printf | socat): what it has sent is answered, then the connection is closed;
 * - too many connections: the one that has been idle for longest makes room, so that a fence gets in whoever hangs about; idle is who has no answer
 *   to come, whatever it drips of a line; the newest is refused only while all wait for answers;
 * - no descriptor for accept: the listener rests ACCEPT_PAUSE or until a connection closes.
 * A connection is only marked dead where it fails and freed by its own event at the end of the turn: no callback frees what it stands on.
 */
#include "ops/admin/admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/descriptors.h"
#include "base/listen.h"
#include "base/log.h"
#include "ops/admin/admin_internal.h"
#include "ops/admin/admin_listen.h"
#include "ops/admin/admin_peer.h"
#include "ops/admin/admin_words.h"

#define READ_CHUNK     65536 /* a line is searched for its end at each */
#define SEND_CHUNK     65536
#define LINES_PER_TURN 16
static const struct timeval accept_pause = {.tv_sec = 1};

/* Idempotent. */
void admin_close_conn(struct conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = true;
    (void)event_del(conn->ev_read);
    (void)event_del(conn->ev_write);
    (void)event_del(conn->ev_more);
    (void)close(conn->fd);
    conn->fd = -1;
    event_active(conn->admin->ev_reap, 0, 0);
}

static void free_conn(struct conn *conn)
{
    if (conn->reply != NULL)
        conn->reply->conn = NULL;
    if (conn->ev_read != NULL)
        event_free(conn->ev_read);
    if (conn->ev_write != NULL)
        event_free(conn->ev_write);
    if (conn->ev_more != NULL)
        event_free(conn->ev_more);
    if (conn->in != NULL)
        evbuffer_free(conn->in);
    if (conn->out != NULL)
        evbuffer_free(conn->out);
    if (conn->fd >= 0)
        (void)close(conn->fd);
    free(conn);
}

/* Leave what is unsent to on_writable. The deadline runs from the last byte the client took, not from the last answer. */
static void wait_writable(struct conn *conn, bool progress)
{
    if (!progress && event_pending(conn->ev_write, EV_WRITE, NULL) != 0)
        return;
    if (event_add(conn->ev_write, &conn->admin->write_deadline) != 0)
        admin_close_conn(conn);
}

void admin_flush(struct conn *conn)
{
    size_t len = 0;
    bool progress = false;
    while (!conn->dead && (len = evbuffer_get_length(conn->out)) > 0) {
        size_t part = len < SEND_CHUNK ? len : SEND_CHUNK;
        const unsigned char *data = evbuffer_pullup(conn->out, (ev_ssize_t)part);
        ssize_t n = data != NULL ? send(conn->fd, data, part, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
        if (n > 0) {
            progress = true;
            (void)evbuffer_drain(conn->out, (size_t)n);
        } else if (data != NULL && (errno == EAGAIN || errno == EINTR)) {
            wait_writable(conn, progress);
            return;
        } else {
            admin_close_conn(conn);
        }
    }
    if (!conn->dead) {
        (void)event_del(conn->ev_write);
        if (conn->closing)
            admin_close_conn(conn);
    }
}

int admin_no_arguments(int argc, char **argv, struct lt_err *err)
{
    return argc == 1 ? LT_OK : lt_err_set(err, LT_EINVAL, "%s takes no argument \"%.60s\"", argv[0], argv[1]);
}

static void run_command(struct conn *conn, const struct admin_command *command, int argc, char **argv)
{
    json_t *json = NULL;
    struct lt_err err = {0};
    log_debug("admin", "command %s", command->name);
    conn->admin->running = conn;
    int rc = command->run(conn->admin->arg, argc, argv, &json, &err);
    conn->admin->running = NULL;
    if (conn->reply != NULL) {
        lt_assert(rc == LT_OK && json == NULL);
        (void)event_del(conn->ev_read); /* it could stay readable for long */
        return;
    }
    if (conn->answered) { /* later came at once */
        conn->answered = false;
        return;
    }
    if (rc != LT_OK)
        admin_answer_error(conn, admin_error_code(rc), err.text[0] != '\0' ? err.text : lt_code_text(rc), json);
    else
        admin_answer(conn, json != NULL ? json : json_pack("{s:b}", "ok", 1));
}

static void run_line(struct conn *conn, char *line, size_t len)
{
    char *argv[ADMIN_WORDS_MAX + 1];
    int argc = 0;
    struct lt_err err = {0};
    const struct admin *admin = conn->admin;
    if (memchr(line, '\0', len) != NULL) {
        admin_answer_error(conn, "bad_arguments", "the line holds a zero byte", NULL);
        return;
    }
    if (admin_split_words(line, argv, &argc, &err) != LT_OK) {
        admin_answer_error(conn, "bad_arguments", err.text, NULL);
        return;
    }
    if (argc == 0)
        return;
    for (size_t i = 0; i < admin->n_commands; i++) {
        if (strcmp(admin->table[i].name, argv[0]) == 0) {
            run_command(conn, &admin->table[i], argc, argv);
            return;
        }
    }
    if (strcmp(argv[0], "help") == 0) {
        admin_answer(conn, admin_list_commands(admin));
        return;
    }
    (void)lt_err_set(&err, LT_EINVAL, "there is no command %.100s; help lists them", argv[0]);
    admin_answer_error(conn, "unknown_command", err.text, NULL);
}

/* The next line, which the caller frees; NULL when there is no whole one. The rest before the end of input counts as one. */
static char *next_line(struct conn *conn, size_t *ret_len)
{
    size_t waiting = evbuffer_get_length(conn->in);
    char *line = evbuffer_readln(conn->in, ret_len, EVBUFFER_EOL_LF);
    if (line != NULL || waiting == 0 || !conn->eof || waiting > ADMIN_LINE_MAX)
        return line;
    line = malloc(waiting + 1);
    if (line != NULL) {
        (void)evbuffer_remove(conn->in, line, waiting);
        line[waiting] = '\0';
        *ret_len = waiting;
    }
    return line;
}

static void refuse_long_line(struct conn *conn)
{
    struct lt_err err = {0};
    (void)lt_err_set(&err, LT_ETOOBIG, "a line has at most %d bytes", ADMIN_LINE_MAX);
    admin_answer_error(conn, "line_too_long", err.text, NULL);
    conn->closing = true;
    (void)event_del(conn->ev_read);
}

static void run_lines(struct conn *conn)
{
    size_t len = 0;
    char *line = NULL;
    int n = 0;
    while (!conn->dead && !conn->closing && conn->reply == NULL && n < LINES_PER_TURN &&
           (line = next_line(conn, &len)) != NULL) {
        n++;
        if (evbuffer_get_length(conn->out) > ADMIN_OUTPUT_MAX) {
            log_warn("admin", "closed a client that does not read its answers");
            admin_close_conn(conn);
        } else if (len > ADMIN_LINE_MAX) {
            refuse_long_line(conn);
        } else {
            conn->active = ++conn->admin->acts;
            run_line(conn, line, len);
            admin_flush(conn);
        }
        free(line);
    }
    if (conn->dead)
        return;
    if (conn->reply != NULL) {
        admin_flush(conn);
        return;
    }
    if (n == LINES_PER_TURN) {
        static const struct timeval soon = {0};
        (void)event_add(conn->ev_more, &soon);
    } else {
        if (!conn->closing && evbuffer_get_length(conn->in) > ADMIN_LINE_MAX)
            refuse_long_line(conn);
        conn->closing = conn->closing || conn->eof;
    }
    admin_flush(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;
    (void)what;
    if (conn->dead || conn->closing)
        return;
    if (!conn->eof && evbuffer_get_length(conn->in) <= ADMIN_LINE_MAX) {
        int n = evbuffer_read(conn->in, fd, READ_CHUNK);
        if (n == 0) {
            conn->eof = true;
            (void)event_del(conn->ev_read); /* it would stay readable */
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            admin_close_conn(conn);
            return;
        }
    }
    run_lines(conn);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;
    (void)fd;
    (void)what;
    if (conn->dead || conn->closing || conn->reply != NULL)
        return;
    if (!conn->eof && event_pending(conn->ev_read, EV_READ, NULL) == 0 && event_add(conn->ev_read, NULL) != 0) {
        admin_close_conn(conn);
        return;
    }
    run_lines(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;
    (void)fd;
    if (conn->dead)
        return;
    if ((what & EV_WRITE) == 0) {
        log_warn("admin", "closed a client that does not read its answers");
        admin_close_conn(conn);
        return;
    }
    admin_flush(conn);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    struct admin *admin = arg;
    struct conn *next = NULL;
    (void)fd;
    (void)what;
    for (struct conn *conn = LIST_FIRST(&admin->conns); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link);
        if (!conn->dead)
            continue;
        LIST_REMOVE(conn, link);
        admin->n_conns--;
        free_conn(conn);
    }
    /* A descriptor is free again: the listener need not rest any longer. */
    if (event_pending(admin->ev_resume, EV_TIMEOUT, NULL) != 0) {
        (void)event_del(admin->ev_resume);
        (void)event_add(admin->ev_accept, NULL);
    }
}

static int add_conn(struct admin *admin, int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        (void)close(fd);
        return LT_ENOMEM;
    }
    conn->admin = admin;
    conn->fd = fd;
    conn->in = evbuffer_new();
    conn->out = evbuffer_new();
    conn->ev_read = event_new(admin->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    conn->ev_write = event_new(admin->base, fd, EV_WRITE, on_writable, conn);
    conn->ev_more = event_new(admin->base, -1, 0, on_more, conn);
    if (conn->in == NULL || conn->out == NULL || conn->ev_read == NULL || conn->ev_write == NULL ||
        conn->ev_more == NULL || event_add(conn->ev_read, NULL) != 0) {
        free_conn(conn);
        return LT_ENOMEM;
    }
    conn->active = ++admin->acts;
    LIST_INSERT_HEAD(&admin->conns, conn, link);
    admin->n_conns++;
    return LT_OK;
}

static void refuse(int fd, const char *answer)
{
    (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

/* True when there is room for one more. */
static bool make_room(struct admin *admin)
{
    struct conn *idlest = NULL;
    struct conn *conn = NULL;
    size_t live = 0;
    LIST_FOREACH (conn, &admin->conns, link) {
        live += !conn->dead;
        if (!conn->dead && conn->reply == NULL && (idlest == NULL || conn->active < idlest->active))
            idlest = conn;
    }
    size_t most = descriptors_scaled(ADMIN_CONNECTIONS_MAX);
    if (live < most)
        return true;
    if (idlest == NULL)
        return false;
    if (admin->shed++ % most == 0)
        log_warn("admin", "%zu clients are connected: those idle for longest are closed to let others in", most);
    admin_close_conn(idlest);
    return true;
}

static void take(struct admin *admin, int fd)
{
    struct admin_peer peer = {.uid = (uid_t)-1};
    if (!admin_peer_of(fd, &peer) || !admin_peer_allowed(&peer, geteuid(), admin->file.st_gid, admin->file.st_mode)) {
        log_warn("admin", "refused a connection: user %u (process %d) may not", (unsigned)peer.uid, (int)peer.pid);
        refuse(
            fd,
            "{\"error\":{\"code\":\"not_permitted\",\"message\":\"admin.mode and admin.group do not admit you\"}}\n");
    } else if (!make_room(admin)) {
        log_warn("admin", "refused a connection: %zu wait for answers", descriptors_scaled(ADMIN_CONNECTIONS_MAX));
        refuse(fd, "{\"error\":{\"code\":\"busy\",\"message\":\"too many connections\"}}\n");
    } else if (add_conn(admin, fd) != LT_OK) {
        log_warn("admin", "refused a connection: out of memory");
    }
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    struct admin *admin = arg;
    (void)what;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        take(admin, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    struct lt_err err = {0};
    (void)lt_err_sys(&err, LT_ESYS, "accept");
    log_warn("admin", "no new connections for a second: %s", err.text);
    (void)event_del(admin->ev_accept);
    (void)event_add(admin->ev_resume, &accept_pause);
}

/* LT_EINVAL: trying again does not help. */
static int start_listening(struct admin *admin, struct lt_err *err)
{
    int rc = admin_listen(admin->path, admin->mode, admin->group, &admin->fd, &admin->file, err);
    if (rc == LT_ESYS && lt_errno_is_setting(err->sys_errno))
        rc = LT_EINVAL;
    if (rc != LT_OK) {
        (void)snprintf(admin->trouble, sizeof admin->trouble, "admin.socket: %.180s", err->text);
        return rc;
    }
    if (event_assign(admin->ev_accept, admin->base, admin->fd, EV_READ | EV_PERSIST, on_connection, admin) != 0 ||
        event_add(admin->ev_accept, NULL) != 0)
        return lt_err_set(err, LT_ENOMEM, "admin socket: out of memory");
    admin->trouble[0] = '\0';
    return LT_OK;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct admin *admin = arg;
    struct lt_err err = {0};
    (void)fd;
    (void)what;
    if (admin->fd >= 0)
        (void)event_add(admin->ev_accept, NULL);
    else if (start_listening(admin, &err) == LT_OK)
        log_notice("admin", "listening on %s", admin->path);
    else
        (void)event_add(admin->ev_resume, &accept_pause);
}

static int make_events(struct admin *admin, struct lt_err *err)
{
    admin->ev_accept = event_new(admin->base, -1, EV_READ | EV_PERSIST, on_connection, admin);
    admin->ev_resume = event_new(admin->base, -1, 0, on_resume, admin);
    admin->ev_reap = event_new(admin->base, -1, 0, on_reap, admin);
    return admin->ev_accept != NULL && admin->ev_resume != NULL && admin->ev_reap != NULL
               ? LT_OK
               : lt_err_set(err, LT_ENOMEM, "admin socket: out of memory");
}

/* A place that is taken, and what else may be over in a moment, is tried for again. */
static int first_listen(struct admin *admin, struct lt_err *err)
{
    struct lt_err local = {0};
    int rc = start_listening(admin, &local);
    if (rc == LT_EINVAL || rc == LT_ENOMEM) {
        *err = local;
        return rc;
    }
    if (rc != LT_OK) {
        log_warn("admin", "no orders can be given yet: %s", local.text);
        (void)event_add(admin->ev_resume, &accept_pause);
    }
    return LT_OK;
}

/* NOLINTNEXTLINE(readability-function-size): called once, and every part of it has to be said */
int admin_open(struct event_base *base, const char *path, unsigned mode, const char *group,
               const struct admin_command *table, size_t n, void *arg, struct admin **ret_admin, struct lt_err *err)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return lt_err_set(err, LT_ENOMEM, "admin socket: out of memory");
    admin->base = base;
    admin->fd = -1;
    admin->table = table;
    admin->n_commands = n;
    admin->arg = arg;
    admin_set_write_deadline(admin, ADMIN_WRITE_DEADLINE_US);
    LIST_INIT(&admin->conns);
    admin->mode = mode;
    admin->path = strdup(path);
    admin->group = group != NULL ? strdup(group) : NULL;
    int rc = admin->path == NULL || (group != NULL && admin->group == NULL)
                 ? lt_err_set(err, LT_ENOMEM, "admin socket: out of memory")
                 : make_events(admin, err);
    if (rc == LT_OK)
        rc = first_listen(admin, err);
    if (rc != LT_OK) {
        admin_close(admin);
        return rc;
    }
    *ret_admin = admin;
    return LT_OK;
}

/* Somebody may have put another socket in its place meanwhile. */
static void remove_file(const struct admin *admin)
{
    struct stat st;
    if (admin->fd >= 0 && lstat(admin->path, &st) == 0 && st.st_dev == admin->file.st_dev &&
        st.st_ino == admin->file.st_ino)
        (void)unlink(admin->path);
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    struct conn *conn = NULL;
    while ((conn = LIST_FIRST(&admin->conns)) != NULL) {
        LIST_REMOVE(conn, link);
        admin_flush(conn);
        free_conn(conn);
    }
    if (admin->ev_accept != NULL)
        event_free(admin->ev_accept);
    if (admin->ev_resume != NULL)
        event_free(admin->ev_resume);
    if (admin->ev_reap != NULL)
        event_free(admin->ev_reap);
    remove_file(admin);
    if (admin->fd >= 0)
        (void)close(admin->fd);
    free(admin->path);
    free(admin->group);
    free(admin);
}

size_t admin_connections(const struct admin *admin)
{
    return admin->n_conns;
}

void admin_set_write_deadline(struct admin *admin, uint64_t us)
{
    admin->write_deadline.tv_sec = (time_t)(us / 1000000);
    admin->write_deadline.tv_usec = (suseconds_t)(us % 1000000);
}

const char *admin_trouble(const struct admin *admin)
{
    return admin->trouble;
}
