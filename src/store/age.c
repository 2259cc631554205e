/*
 * - One number counts elapsed time; a mark says at which number all files up to one had ended. Marks that come within a grain of each other
 *   become one, with the later number: ages are never too large.
 * - After a boot the number stands still for the time away, until the source's clock has been heard; then it moves on by the smaller of what the two
 *   wall clocks say since they were last known together, less what was counted since.
 * Failure: a mark that finds no memory is made at the next call, later.
 */
#include "store/age.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void age_init(struct age_ledger *a)
{
    memset(a, 0, sizeof *a);
}

void age_fini(struct age_ledger *a)
{
    free(a->marks);
    age_init(a);
}

/* ---- the clocks ---- */

/* The first line of a small file; false: not to be had. */
static bool read_line(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, cap - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return false;
    buf[n] = '\0';
    buf[strcspn(buf, " \n")] = '\0';
    return buf[0] != '\0';
}

/* The clock and the file tell the same; where one of them is made up by somebody between us and the kernel, the smaller one is believed. */
void age_read_uptime(struct age_uptime *ret)
{
    struct timespec ts = {0};
    char text[64];
    *ret = (struct age_uptime){0};
    if (!read_line("/proc/sys/kernel/random/boot_id", ret->boot_id, sizeof ret->boot_id))
        ret->boot_id[0] = '\0';
    (void)clock_gettime(CLOCK_BOOTTIME, &ts);
    ret->us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    if (read_line("/proc/uptime", text, sizeof text)) {
        double s = strtod(text, NULL);
        if (s > 0 && s * 1e6 < (double)ret->us)
            ret->us = (uint64_t)(s * 1e6);
    }
}

static bool same_boot(const struct age_uptime *a, const struct age_uptime *b)
{
    return strcmp(a->boot_id, b->boot_id) == 0;
}

/* Time away that both wall clocks agree on. */
static void credit(struct age_ledger *a, const struct age_reading *now)
{
    int64_t ours = now->wall_us - a->both.wall_us;
    int64_t theirs = now->source_us - a->both.source_us;
    int64_t passed = ours < theirs ? ours : theirs;
    if (a->both.source_us == 0 || strcmp(a->both.source_id, now->source_id) != 0 || passed <= 0)
        return;
    uint64_t clock_us = a->both.clock_us + (uint64_t)passed;
    if (clock_us > a->clock_us)
        a->clock_us = clock_us;
}

void age_advance(struct age_ledger *a, const struct age_reading *now)
{
    if (!same_boot(&a->up, &now->up))
        a->unsure = true;
    else if (now->up.us > a->up.us)
        a->clock_us += now->up.us - a->up.us;
    a->up = now->up;
    if (now->source_us == 0)
        return;
    if (a->unsure)
        credit(a, now);
    a->unsure = false;
    a->both.clock_us = a->clock_us;
    a->both.wall_us = now->wall_us;
    a->both.source_us = now->source_us;
    memcpy(a->both.source_id, now->source_id, sizeof a->both.source_id);
}

/* ---- marks ---- */

static bool is_of(const struct age_mark *m, const struct store_segment_info *info)
{
    return m->upto.lineage == info->lineage && strcmp(m->upto.file, info->file) == 0 && m->bytes == info->bytes &&
           strcmp(m->source_id, info->source_id) == 0;
}

/* Both ascend, so one walk finds which marks are of files that are there and have ended. */
static void drop_unfounded(struct age_ledger *a, const struct store_segment_info *list, size_t n)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct age_mark *m = &a->marks[i];
        struct store_place p = {0};
        for (; at + 1 < n; at++) {
            p.lineage = list[at].lineage;
            memcpy(p.file, list[at].file, sizeof p.file);
            if (store_place_compare(&p, &m->upto) >= 0)
                break;
        }
        if (at + 1 < n && is_of(m, &list[at]))
            a->marks[kept++] = *m;
    }
    a->changed = a->changed || kept != a->count;
    a->count = kept;
}

/* Every second one goes: its files count by the next. */
static void thin_out(struct age_ledger *a)
{
    size_t kept = 0;
    for (size_t i = 1; i < a->count; i += 2)
        a->marks[kept++] = a->marks[i];
    if (a->count % 2 == 1)
        a->marks[kept++] = a->marks[a->count - 1];
    a->count = kept;
}

/* Where the next mark goes: the last one again while the one before it is not a grain old. NULL: no memory. */
static struct age_mark *next_mark(struct age_ledger *a, uint64_t grain_us)
{
    if (a->marks == NULL)
        a->marks = calloc(AGE_MARKS_MAX, sizeof *a->marks);
    if (a->marks == NULL)
        return NULL;
    if (a->count >= 2 && a->clock_us - a->marks[a->count - 2].clock_us < grain_us)
        return &a->marks[a->count - 1];
    if (a->count == AGE_MARKS_MAX)
        thin_out(a);
    return &a->marks[a->count++];
}

void age_note(struct age_ledger *a, const struct store_segment_info *list, size_t n, uint64_t grain_us)
{
    drop_unfounded(a, list, n);
    if (n < 2)
        return;
    const struct store_segment_info *ended = &list[n - 2];
    if (a->count > 0 && is_of(&a->marks[a->count - 1], ended))
        return;
    struct age_mark *m = next_mark(a, grain_us);
    if (m == NULL)
        return;
    *m = (struct age_mark){.clock_us = a->clock_us, .upto.lineage = ended->lineage, .bytes = ended->bytes};
    memcpy(m->upto.file, ended->file, sizeof m->upto.file);
    memcpy(m->source_id, ended->source_id, sizeof m->source_id);
    a->changed = true;
}

struct store_place age_older_than(const struct age_ledger *a, uint64_t age_us)
{
    struct store_place p = {0};
    for (size_t i = 0; i < a->count && a->clock_us - a->marks[i].clock_us >= age_us; i++)
        p = a->marks[i].upto;
    return p;
}
