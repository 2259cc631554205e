/* Sockets, TLS and packets of the fake primary. Sockets never block: every wait also hears the connection's eventfd. */
#include "fake_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "binlog/packet.h"

#define FLUSH_AT   (256ul * 1024)
#define TLS_RECORD 16384u

void fake_io_init(struct fake_io *io, int fd)
{
    memset(io, 0, sizeof *io);
    io->fd = fd;
}

void fake_io_fini(struct fake_io *io)
{
    SSL_free(io->ssl);
    io->ssl = NULL;
    fake_bytes_fini(&io->out);
}

static struct fake_conn *conn_of(struct fake_io *io)
{
    return (struct fake_conn *)(void *)((char *)io - offsetof(struct fake_conn, io));
}

/* False when the connection shall end. */
static bool wait_for(struct fake_io *io, short events)
{
    struct fake_conn *cn = conn_of(io);
    struct pollfd p[2] = {{.fd = io->fd, .events = events}, {.fd = cn->wake_fd, .events = POLLIN}};
    if (atomic_load(&cn->stop))
        return false;
    (void)poll(p, 2, 1000);
    if (p[1].revents) {
        eventfd_t n;
        (void)eventfd_read(cn->wake_fd, &n);
    }
    return !atomic_load(&cn->stop);
}

static short ssl_wants(const struct fake_io *io, int ret)
{
    switch (SSL_get_error(io->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    default:
        return 0;
    }
}

bool fake_io_start_tls(struct fake_io *io, SSL_CTX *ctx)
{
    io->ssl = SSL_new(ctx);
    if (!io->ssl || SSL_set_fd(io->ssl, io->fd) != 1)
        return false;
    for (;;) {
        int ret = SSL_accept(io->ssl);
        if (ret == 1)
            return true;
        short want = ssl_wants(io, ret);
        if (!want || !wait_for(io, want))
            return false;
    }
}

/* Bytes, 0 when it would block, -1 at the end. */
static long read_some(struct fake_io *io, void *buf, size_t len)
{
    if (io->ssl) {
        int n = SSL_read(io->ssl, buf, (int)len);
        if (n > 0)
            return n;
        return ssl_wants(io, n) ? 0 : -1;
    }
    ssize_t n = recv(io->fd, buf, len, MSG_DONTWAIT);
    if (n > 0)
        return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

long fake_io_fill(struct fake_io *io)
{
    if (io->in_len == sizeof io->in)
        return -1;
    long n = read_some(io, io->in + io->in_len, sizeof io->in - io->in_len);
    if (n > 0)
        io->in_len += (size_t)n;
    return n;
}

/* Exactly len bytes and not one more: what follows an SSLRequest belongs to the TLS layer. */
static bool read_exact(struct fake_io *io, uint8_t *buf, size_t len)
{
    while (len) {
        long n = read_some(io, buf, len);
        if (n < 0 || (n == 0 && !wait_for(io, POLLIN)))
            return false;
        buf += n;
        len -= (size_t)n;
    }
    return true;
}

long fake_io_read(struct fake_conn *cn, uint8_t *buf, size_t cap)
{
    uint8_t head[PACKET_HEADER_LEN];
    if (!fake_io_flush(&cn->io) || !read_exact(&cn->io, head, sizeof head))
        return -1;
    size_t len = load_u24(head);
    if (len > cap || !read_exact(&cn->io, buf, len))
        return -1;
    cn->io.seq = (uint8_t)(head[3] + 1);
    return (long)len;
}

static long write_some(struct fake_io *io, const uint8_t *p, size_t len)
{
    if (!io->ssl) {
        ssize_t n = send(io->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            return n;
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    /* A record that is half out must be written on first: a key update in between is refused, and leaves an error for the next look. */
    if (io->key_update_every && !io->half_out && ++io->records % io->key_update_every == 0 &&
        SSL_key_update(io->ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        io->key_updates++;
    ERR_clear_error();
    int n = SSL_write(io->ssl, p, (int)(len < TLS_RECORD ? len : TLS_RECORD));
    io->half_out = n <= 0;
    if (n > 0)
        return n;
    return ssl_wants(io, n) ? 0 : -1;
}

bool fake_io_flush(struct fake_io *io)
{
    size_t at = 0;
    while (!io->failed && at < io->out.len) {
        long n = write_some(io, io->out.p + at, io->out.len - at);
        if (n < 0 || (n == 0 && !wait_for(io, POLLOUT)))
            io->failed = true;
        else
            at += (size_t)n;
    }
    io->out.len = 0;
    return !io->failed;
}

static void open_part(struct fake_io *io)
{
    uint8_t head[PACKET_HEADER_LEN];
    io->part_left = io->left < PACKET_MAX_PART ? (uint32_t)io->left : PACKET_MAX_PART;
    io->left -= io->part_left;
    io->need_empty = io->part_left == PACKET_MAX_PART;
    store_u24(head, io->part_left);
    head[3] = (uint8_t)(io->seq++ + io->seq_add);
    fake_bytes_add(&io->out, head, sizeof head);
}

void fake_packet_begin(struct fake_io *io, uint64_t payload_len)
{
    io->left = payload_len;
    open_part(io);
}

void fake_packet_add(struct fake_io *io, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len && !io->failed) {
        size_t n = len < io->part_left ? len : io->part_left;
        fake_bytes_add(&io->out, p, n);
        p += n;
        len -= n;
        io->part_left -= (uint32_t)n;
        if (io->part_left == 0 && (io->left || io->need_empty))
            open_part(io);
        if (io->out.len >= FLUSH_AT)
            (void)fake_io_flush(io);
    }
}

void fake_packet_whole(struct fake_io *io, const void *data, size_t len)
{
    fake_packet_begin(io, len);
    fake_packet_add(io, data, len);
}

void fake_send_ok(struct fake_io *io)
{
    fake_packet_whole(io, "\0\0\0\2\0\0\0", 7);
}

void fake_send_eof(struct fake_io *io)
{
    fake_packet_whole(io, "\xfe\0\0\2\0", 5);
}

void fake_send_err(struct fake_io *io, uint16_t code, const char *text)
{
    static const struct {
        uint16_t code;
        const char *state;
    } states[] = {{1040, "08004"}, {1045, "28000"}, {1047, "08S01"}, {1064, "42000"}, {1130, "HY000"}, {1227, "42000"}};
    uint8_t buf[1024];
    struct writer w = writer_on(buf, sizeof buf);
    const char *state = "HY000";
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].code == code)
            state = states[i].state;
    writer_u8(&w, 0xff);
    writer_u16(&w, code);
    writer_u8(&w, '#');
    writer_bytes(&w, state, 5);
    writer_bytes(&w, text, strnlen(text, 900));
    fake_packet_whole(io, buf, w.len);
}
