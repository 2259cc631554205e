/*
 * The listener: accepts, and says to those who are too many that they are.
 *
 * - Out of descriptors or memory: nothing is accepted for a second; who waits, waits in the listen queue.
 * - An address that cannot be had now is tried for again every second.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/listen.h"
#include "base/log.h"
#include "replicas/internal.h"

#define BACKLOG         1024
#define ACCEPT_TURN     32
#define ACCEPT_PAUSE_US 1000000
#define TOO_MANY        1040

int door_open(struct replicas *r, struct lt_err *err)
{
    uint16_t port = 0;
    int rc = listen_tcp("replicas.listen", r->host, r->wanted_port, BACKLOG, &r->listen_fd, &port, err);
    if (rc != 0)
        return rc;
    atomic_store(&r->port, port);
    log_notice("replicas", "replicas are served on %s:%u%s", r->host, port, r->tls ? " with TLS" : "");
    return 0;
}

static void pause_accept(struct replicas *r, uint64_t us)
{
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    (void)event_del(&r->on_accept);
    (void)event_add(&r->on_accept_timer, &tv);
}

/* Before a greeting an error has no SQLSTATE. */
static void refuse(int fd)
{
    static const char text[] = "Too many connections";
    uint8_t packet[64];
    struct writer w = writer_on(packet, sizeof packet);
    writer_u24(&w, 3 + sizeof text - 1);
    writer_u8(&w, 0);
    writer_u8(&w, 0xff);
    writer_u16(&w, TOO_MANY);
    writer_bytes(&w, text, sizeof text - 1);
    (void)send(fd, packet, w.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

static void let_in(struct replicas *r, int fd, const struct sockaddr_storage *from)
{
    const char *why;
    if (crowd_has_room(r, from, &why)) {
        client_begin(r, fd, from);
        return;
    }
    atomic_fetch_add(&r->refused, 1);
    log_warn("replicas", "refused a replica: %s", why);
    refuse(fd);
}

static bool out_of_something(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOMEM || e == ENOBUFS;
}

static void on_accept(evutil_socket_t lfd, short what, void *arg)
{
    struct replicas *r = arg;
    (void)what;
    for (int i = 0; i < ACCEPT_TURN; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(lfd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            let_in(r, fd, &from);
            continue;
        }
        if (out_of_something(errno)) {
            log_warn("replicas", "no descriptor or memory for another replica (errno %d): none for a while", errno);
            pause_accept(r, ACCEPT_PAUSE_US);
        }
        return;
    }
}

static int arm(struct replicas *r)
{
    if (event_assign(&r->on_accept, r->base, r->listen_fd, EV_READ | EV_PERSIST, on_accept, r) != 0)
        return LT_ESYS;
    return event_add(&r->on_accept, NULL) == 0 ? LT_OK : LT_ESYS;
}

void door_on_accept_timer(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    struct lt_err err = {0};
    (void)fd;
    (void)what;
    if (r->listen_fd < 0 && door_open(r, &err) != 0) {
        pause_accept(r, LISTEN_RETRY_US);
        return;
    }
    if (arm(r) != 0)
        pause_accept(r, LISTEN_RETRY_US);
}

int door_arm(struct replicas *r, struct lt_err *err)
{
    if (event_assign(&r->on_accept, r->base, -1, EV_READ | EV_PERSIST, on_accept, r) != 0 ||
        evtimer_assign(&r->on_accept_timer, r->base, door_on_accept_timer, r) != 0)
        return lt_err_set(err, LT_ESYS, "listener");
    if (r->listen_fd < 0)
        pause_accept(r, LISTEN_RETRY_US);
    else if (arm(r) != 0)
        return lt_err_set(err, LT_ESYS, "listener");
    return 0;
}

void door_close(struct replicas *r)
{
    if (event_initialized(&r->on_accept))
        (void)event_del(&r->on_accept);
    if (event_initialized(&r->on_accept_timer))
        (void)event_del(&r->on_accept_timer);
    if (r->listen_fd >= 0)
        (void)close(r->listen_fd);
    r->listen_fd = -1;
}
