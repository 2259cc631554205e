/*
 * The proxy's controls, and what its records tell: a client's bytes are packets of 3 bytes length, 1 byte number, payload.
 */
#include "proxy_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 4,
    COM_QUIT = 0x01,
    COM_BINLOG_DUMP = 0x12,
    COM_BINLOG_DUMP_GTID = 0x1e,
    ACK_MAGIC = 0xEF,
    CLIENT_SSL_HIGH = 0x08, /* CLIENT_SSL is 0x800: bit 3 of the second byte */
};

/* What one connection's client sent, counted. */
struct tally {
    size_t dumps;
    size_t acks;
    bool quit_after_dump;
};

uint16_t proxy_port(const struct proxy *px)
{
    return px->port;
}

void proxy_drop(struct proxy *px, enum proxy_direction dir, bool on)
{
    atomic_store(&px->drop[dir], on);
}

void proxy_pause(struct proxy *px, enum proxy_direction dir, bool on)
{
    atomic_store(&px->pause[dir], on);
}

void proxy_delay(struct proxy *px, enum proxy_direction dir, unsigned delay_ms)
{
    atomic_store(&px->delay_ms[dir], delay_ms);
}

void proxy_split(struct proxy *px, size_t bytes)
{
    atomic_store(&px->split, bytes);
}

void proxy_set_accept(struct proxy *px, enum proxy_accept mode)
{
    atomic_store(&px->accept, (int)mode);
}

void proxy_accept_more(struct proxy *px, long n)
{
    atomic_store(&px->left, n);
}

void proxy_strip_tls(struct proxy *px, bool on)
{
    atomic_store(&px->strip_tls, on);
}

void proxy_corrupt_at(struct proxy *px, uint64_t offset)
{
    (void)pthread_mutex_lock(&px->lock);
    px->corrupt_at = offset;
    (void)pthread_mutex_unlock(&px->lock);
}

static void set_corrupt_text(struct proxy *px, const char *text, unsigned times, size_t distance, unsigned char mask)
{
    (void)pthread_mutex_lock(&px->lock);
    free(px->corrupt_text);
    px->corrupt_text = proc_fmt("%s", text);
    px->corrupt_times = times;
    px->corrupt_distance = distance;
    px->corrupt_mask = mask;
    (void)pthread_mutex_unlock(&px->lock);
}

void proxy_corrupt_text(struct proxy *px, const char *text, unsigned times)
{
    set_corrupt_text(px, text, times, 0, 0x01);
}

void proxy_corrupt_near(struct proxy *px, const char *text, size_t distance, unsigned char mask)
{
    set_corrupt_text(px, text, 1, 1 + distance, mask);
}

void proxy_strip_greeting(unsigned char *data, size_t len)
{
    /* header, protocol 10, version text and its NUL, thread id (4), salt (8), filler (1), capabilities (2) */
    if (len < HEADER + 2 || data[HEADER] != 10)
        return;
    unsigned char *nul = memchr(data + HEADER + 1, 0, len - HEADER - 1);
    if (nul == NULL || (size_t)(data + len - nul) < 1 + 4 + 8 + 1 + 2)
        return;
    nul[1 + 4 + 8 + 1 + 1] &= (unsigned char)~CLIENT_SSL_HIGH;
}

/* ---- records ---- */

static void tally_packet(struct tally *sum, const unsigned char *packet, size_t len)
{
    bool command = packet[3] == 0 && len > 0;
    unsigned char first = len > 0 ? packet[HEADER] : 0;
    bool in_dump = sum->dumps > 0;
    if (command && (first == COM_BINLOG_DUMP || first == COM_BINLOG_DUMP_GTID))
        sum->dumps++;
    else if (in_dump && first == ACK_MAGIC)
        sum->acks++;
    else if (in_dump && command && len == 1 && first == COM_QUIT)
        sum->quit_after_dump = true;
}

static struct tally tally_conn(const struct proxy_conn *cn)
{
    struct tally sum = {0};
    size_t at = 0;
    while (cn->rec_len - at >= HEADER) {
        const unsigned char *p = cn->rec + at;
        size_t len = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
        if (cn->rec_len - at - HEADER < len)
            break;
        tally_packet(&sum, p, len);
        at += HEADER + len;
    }
    return sum;
}

static struct tally tally_all(struct proxy *px)
{
    struct tally all = {0};
    (void)pthread_mutex_lock(&px->lock);
    for (size_t i = 0; i < px->n; i++) {
        struct tally one = tally_conn(px->conns[i]);
        all.dumps += one.dumps;
        all.acks += one.acks;
        all.quit_after_dump = all.quit_after_dump || one.quit_after_dump;
    }
    (void)pthread_mutex_unlock(&px->lock);
    return all;
}

size_t proxy_connections(struct proxy *px)
{
    (void)pthread_mutex_lock(&px->lock);
    size_t n = px->n;
    (void)pthread_mutex_unlock(&px->lock);
    return n;
}

size_t proxy_open_connections(struct proxy *px)
{
    size_t open = 0;
    (void)pthread_mutex_lock(&px->lock);
    for (size_t i = 0; i < px->n; i++)
        open += !atomic_load(&px->conns[i]->closed);
    (void)pthread_mutex_unlock(&px->lock);
    return open;
}

uint64_t proxy_client_bytes(struct proxy *px)
{
    (void)pthread_mutex_lock(&px->lock);
    uint64_t n = px->client_bytes;
    (void)pthread_mutex_unlock(&px->lock);
    return n;
}

unsigned char *proxy_recorded(struct proxy *px, size_t n, size_t *ret_len)
{
    (void)pthread_mutex_lock(&px->lock);
    size_t len = n < px->n ? px->conns[n]->rec_len : 0;
    unsigned char *copy = malloc(len + 1);
    if (copy == NULL)
        proc_die("out of memory");
    if (len > 0)
        memcpy(copy, px->conns[n]->rec, len);
    (void)pthread_mutex_unlock(&px->lock);
    *ret_len = len;
    return copy;
}

bool proxy_saw_quit_after_dump(struct proxy *px)
{
    return tally_all(px).quit_after_dump;
}

size_t proxy_dumps_seen(struct proxy *px)
{
    return tally_all(px).dumps;
}

size_t proxy_acks_seen(struct proxy *px)
{
    return tally_all(px).acks;
}

bool proxy_client_sent(struct proxy *px, const char *text)
{
    bool found = false;
    (void)pthread_mutex_lock(&px->lock);
    for (size_t i = 0; i < px->n && !found; i++) {
        const struct proxy_conn *cn = px->conns[i];
        found = cn->rec_len > 0 && memmem(cn->rec, cn->rec_len, text, strlen(text)) != NULL;
    }
    (void)pthread_mutex_unlock(&px->lock);
    return found;
}
