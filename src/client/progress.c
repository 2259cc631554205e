#include "client/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "binlog/event.h"

#define SHOW_AFTER_US 1000000
#define DRAW_EVERY_US 200000
#define BAR_WIDTH     30

static void begin(struct progress *p, const struct binlogtail_position *durable)
{
    bool on = p->on;
    bool drawn = p->drawn;
    *p = (struct progress){.on = on, .drawn = drawn, .begun_us = clock_mono_us()};
    p->last_number = binlog_name_number(durable->file);
    p->last_offset = durable->offset;
}

void progress_event(struct progress *p, const struct binlogtail_event *ev)
{
    switch (ev->kind) {
    case BINLOGTAIL_CONNECTED:
        begin(p, &ev->server->durable);
        return;
    case BINLOGTAIL_FILE_BEGIN:
        (void)snprintf(p->file, sizeof p->file, "%s", ev->position.file);
        p->number = binlog_name_number(p->file);
        p->offset = ev->position.offset;
        if (p->first_number == 0) {
            p->first_number = p->number;
            p->first_offset = p->offset;
        }
        return;
    case BINLOGTAIL_EVENT:
        p->bytes += ev->length;
        p->offset = ev->end_offset;
        return;
    case BINLOGTAIL_FILE_END:
        p->files_ended++;
        p->ended_bytes += ev->position.offset;
        return;
    case BINLOGTAIL_CAUGHT_UP:
    case BINLOGTAIL_HEARTBEAT: /* nothing came for a while: what is left is left out, by GTID set */
    case BINLOGTAIL_DISCONNECTED:
    case BINLOGTAIL_END:
        progress_clear(p);
        p->begun_us = 0;
        return;
    case BINLOGTAIL_LINEAGE:
    case BINLOGTAIL_COMMITTED:
    default:
        return;
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Bytes from the place to the durable end, with files to come as large as the mean of those that ended. */
static uint64_t remaining(const struct progress *p)
{
    if (p->number >= p->last_number)
        return p->last_offset > p->offset ? p->last_offset - p->offset : 0;
    uint64_t mean =
        p->files_ended > 0 ? p->ended_bytes / p->files_ended : larger(larger(p->offset, p->last_offset), 1u << 20);
    uint64_t between = p->last_number - p->number - 1;
    uint64_t here = mean > p->offset ? mean - p->offset : 0;
    return here + between * mean + p->last_offset;
}

struct progress_view progress_compute(const struct progress *p, uint64_t now_us)
{
    struct progress_view v = {0};
    uint64_t us = now_us > p->begun_us ? now_us - p->begun_us : 1;
    uint64_t left = remaining(p);
    v.bytes_per_second = (uint64_t)((double)p->bytes * 1e6 / (double)us);
    v.done = p->bytes + left > 0 ? (double)p->bytes / (double)(p->bytes + left) : 1;
    v.seconds_left = v.bytes_per_second > 0 ? left / v.bytes_per_second : 0;
    return v;
}

/* Three digits and a unit: what the eye takes in. */
static const char *short_bytes(uint64_t bytes, char *buf, size_t cap)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 1000 && u + 1 < sizeof units / sizeof units[0]) {
        v /= 1024;
        u++;
    }
    (void)snprintf(buf, cap, "%.*f %s", u == 0 || v >= 100 ? 0 : v >= 10 ? 1 : 2, v, units[u]);
    return buf;
}

void progress_tick(struct progress *p)
{
    char bar[BAR_WIDTH + 1];
    char bytes[32];
    char rate[32];
    uint64_t now = clock_mono_us();
    if (!p->on || p->begun_us == 0 || p->file[0] == '\0' || now - p->begun_us < SHOW_AFTER_US ||
        now - p->drawn_us < DRAW_EVERY_US)
        return;
    struct progress_view v = progress_compute(p, now);
    size_t full = (size_t)(v.done * BAR_WIDTH);
    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = "=> "[i < full ? 0 : i == full ? 1 : 2];
    bar[BAR_WIDTH] = '\0';
    (void)fputs("\r\033[K", stderr);
    plain_print(stderr, "%s  [%s] %3.0f %%  %s  %s/s  %" PRIu64 ":%02" PRIu64 " left", p->file, bar, v.done * 100,
                short_bytes(p->bytes, bytes, sizeof bytes), short_bytes(v.bytes_per_second, rate, sizeof rate),
                v.seconds_left / 60, v.seconds_left % 60);
    p->drawn = true;
    p->drawn_us = now;
}

void progress_clear(struct progress *p)
{
    if (p->drawn)
        (void)fputs("\r\033[K", stderr);
    p->drawn = false;
}
