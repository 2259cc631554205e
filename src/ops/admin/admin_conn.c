/*
 * One connection to the admin socket.
 *
 * Happy path: read what is there; for every whole line split, look up, run, append the answer; send; wait for more.
 *
 * What can go wrong:
 * - the client does not read: no further line is run while ADMIN_OUTPUT_MAX is waiting (it is closed then), nor past the write deadline;
 * - it sends many lines at once: LINES_PER_TURN of them, then the loop's other work has its turn;
 * - it sends a line without end: line_too_long, and the connection is closed once that is out;
 * - its answer comes later (admin_reply_later): nothing more is read or run until then, other clients go on;
 * - it half-closes (printf | socat): what it has sent is answered, then the connection is closed.
 * A connection is only marked dead where it fails and freed by its own event at the end of the turn: no callback frees what it stands on.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/log.h"
#include "ops/admin/admin_internal.h"
#include "ops/admin/admin_words.h"

#define READ_CHUNK     65536 /* a line is searched for its end at each */
#define SEND_CHUNK     65536
#define LINES_PER_TURN 16

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

void admin_free_conn(struct conn *conn)
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

static void run_words(struct conn *conn, int argc, char **argv)
{
    struct lt_err err = {0};
    const struct admin *admin = conn->admin;
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

/* A line that was cut off may be another order than the one that was meant. */
static void run_order(struct conn *conn, int argc, char **argv)
{
    if (argc < 3) {
        admin_answer_error(conn, "bad_arguments", "usage: order ID COMMAND [ARGUMENTS]", NULL);
        return;
    }
    if (conn->cut) {
        admin_answer_error(conn, "not_begun", "not begun: the order has no line end, so there may be more of it", NULL);
        return;
    }
    struct order *order = admin_order_begin(conn, argv[1]);
    if (order == NULL)
        return;
    conn->order = order;
    run_words(conn, argc - 2, argv + 2);
    conn->order = NULL;
    admin_order_unref(order);
}

static void run_outcome(struct conn *conn, int argc, char **argv)
{
    if (argc == 2)
        admin_order_ask(conn, argv[1]);
    else
        admin_answer_error(conn, "bad_arguments", "usage: outcome ID", NULL);
}

static void run_line(struct conn *conn, char *line, size_t len)
{
    char *argv[ADMIN_WORDS_MAX + 1];
    int argc = 0;
    struct lt_err err = {0};
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
    if (strcmp(argv[0], "order") == 0)
        run_order(conn, argc, argv);
    else if (strcmp(argv[0], "outcome") == 0)
        run_outcome(conn, argc, argv);
    else
        run_words(conn, argc, argv);
}

/* The next line, which the caller frees; NULL when there is no whole one. The rest before the end of input counts as one. */
static char *next_line(struct conn *conn, size_t *ret_len)
{
    size_t waiting = evbuffer_get_length(conn->in);
    char *line = evbuffer_readln(conn->in, ret_len, EVBUFFER_EOL_LF);
    conn->cut = line == NULL;
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

int admin_add_conn(struct admin *admin, int fd)
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
        admin_free_conn(conn);
        return LT_ENOMEM;
    }
    conn->active = ++admin->acts;
    LIST_INSERT_HEAD(&admin->conns, conn, link);
    admin->n_conns++;
    return LT_OK;
}
