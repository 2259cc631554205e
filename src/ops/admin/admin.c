/*
 * The listener of the admin socket, and who may connect; what a connection does: admin_conn.c.
 *
 * What can go wrong:
 * - too many connections: the one that has been idle for longest makes room, so that a fence gets in whoever hangs about; idle is who has no answer
 *   to come, whatever it drips of a line; the newest is refused only while all wait for answers;
 * - no descriptor for accept: the listener rests ACCEPT_PAUSE or until a connection closes;
 * - a place that cannot be had yet: tried for again every second.
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

#include <event2/event.h>

#include "base/descriptors.h"
#include "base/listen.h"
#include "base/log.h"
#include "ops/admin/admin_internal.h"
#include "ops/admin/admin_listen.h"
#include "ops/admin/admin_peer.h"

static const struct timeval accept_pause = {.tv_sec = 1};

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
        admin_free_conn(conn);
    }
    /* A descriptor is free again: the listener need not rest any longer. */
    if (event_pending(admin->ev_resume, EV_TIMEOUT, NULL) != 0) {
        (void)event_del(admin->ev_resume);
        (void)event_add(admin->ev_accept, NULL);
    }
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
    } else if (admin_add_conn(admin, fd) != LT_OK) {
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
    admin_book_open(&admin->book);
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
        admin_free_conn(conn);
    }
    admin_book_close(&admin->book);
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
