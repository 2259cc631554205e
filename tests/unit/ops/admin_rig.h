/*
 * What the tests of the admin socket share: a socket in a temporary folder, an event loop that the test steps, and a client.
 * Layer: tests/unit/ops. One includer per program.
 */
#ifndef LT_TESTS_ADMIN_RIG_H
#define LT_TESTS_ADMIN_RIG_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "cunit_main.h"
#include "ops/admin/admin.h"

#define CLIENT_BUF (4U << 20)

static char dir[64];
static char path[108];
static struct event_base *base;
static struct admin *admin;

static void step(void)
{
    for (int i = 0; i < 3; i++)
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static int connect_client(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Sends text and gives back what comes within a second until lines answers are there or the connection ends. */
static char *talk_bytes(int fd, const char *text, size_t len, unsigned lines)
{
    static char buf[CLIENT_BUF];
    size_t sent = 0;
    size_t got = 0;
    bool eof = false;
    uint64_t until = clock_mono_us() + 20000000; /* byte by byte, on a busy machine */
    buf[0] = '\0';
    while (!eof && lines > 0 && clock_mono_us() < until) {
        ssize_t n = sent < len ? send(fd, text + sent, len - sent, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        step();
        while (lines > 0 && (n = read(fd, buf + got, 1)) == 1)
            lines -= buf[got++] == '\n';
        eof = lines > 0 && (n == 0 || errno == ECONNRESET);
    }
    buf[got] = '\0';
    return buf;
}

static char *talk(int fd, const char *text, unsigned lines)
{
    return talk_bytes(fd, text, strlen(text), lines);
}

static bool is_closed(int fd)
{
    char c = 0;
    ssize_t n = -1;
    for (int i = 0; i < 100; i++) {
        step();
        n = read(fd, &c, 1);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        if (n < 0)
            (void)usleep(5000);
    }
    return false;
}

static int admin_rig_main(const char *suite, const struct test_case *cases, size_t n)
{
    (void)snprintf(dir, sizeof dir, "/tmp/lt-admin-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/admin.sock", dir);
    int bad = cunit_run(suite, cases, n);
    (void)rmdir(dir);
    return bad;
}

#endif
