/* The collecting half of the raw consumer: batches into files, with every rule of the protocol checked on the way. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cursor.h"
#include "binlog/event.h"
#include "tail_raw.h"

static void wrong(struct tail_copy *c, const char *why)
{
    (void)fprintf(stderr, "raw consumer: %s\n", why);
    c->wrong = true;
}

static struct tail_file *find(const struct tail_copy *c, unsigned lineage, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->files[i].lineage == lineage && strcmp(c->files[i].name, name) == 0)
            return &c->files[i];
    }
    return NULL;
}

const struct tail_file *tail_copy_file(const struct tail_copy *c, unsigned lineage, const char *name)
{
    return find(c, lineage, name);
}

static struct tail_file *file_at(struct tail_copy *c, const Logtailer__Tail__Position *p)
{
    struct tail_file *f = find(c, p->lineage, p->file);
    if (f != NULL)
        return f;
    c->files = realloc(c->files, (c->count + 1) * sizeof *c->files);
    if (c->files == NULL)
        abort();
    f = &c->files[c->count++];
    *f = (struct tail_file){.lineage = p->lineage, .from = p->offset};
    (void)snprintf(f->name, sizeof f->name, "%s", p->file);
    return f;
}

static void set_resume(struct tail_copy *c, const struct tail_file *f, uint64_t offset)
{
    memcpy(c->at, f->name, sizeof c->at);
    c->resume = (struct tail_start){
        .start = LOGTAILER__TAIL__START_KIND__START_POSITION, .lineage = f->lineage, .file = c->at, .offset = offset};
}

static void take_begin(struct tail_copy *c, const Logtailer__Tail__FileBegin *m)
{
    struct event_fde fde;
    if (m->position == NULL || event_fde_parse(m->format_description.data, m->format_description.len, &fde) != 0) {
        wrong(c, "FileBegin without a position or a format description");
        return;
    }
    if (strcmp(m->flavor, fde.is_mariadb ? "mariadb" : "mysql") != 0)
        wrong(c, "FileBegin with the wrong flavour");
    if (m->new_lineage != (c->begun && c->lineage != m->position->lineage))
        wrong(c, "FileBegin marks a new lineage where there is none, or does not");
    c->lineage_switches += m->new_lineage ? 1 : 0;
    c->lineage = m->position->lineage;
    c->begun = true;
    set_resume(c, file_at(c, m->position), m->position->offset);
}

/* Whole events, as many as it says. */
static bool events_whole(const struct tail_frame *f)
{
    size_t at = 0;
    uint32_t n = 0;
    while (at < f->payload_len) {
        struct event_header h;
        if (event_header_parse(f->payload + at, f->payload_len - at, &h) != 0 || h.length > f->payload_len - at)
            return false;
        at += h.length;
        n++;
    }
    return n == f->batch->count && n > 0;
}

static void take_batch(struct tail_copy *c, const struct tail_frame *frame)
{
    const Logtailer__Tail__Batch *m = frame->batch;
    struct tail_file *f = find(c, m->lineage, m->file);
    if (f == NULL || !c->begun) {
        wrong(c, "a batch before its FileBegin");
        return;
    }
    if (!events_whole(frame) || m->next_offset - m->offset != frame->payload_len) {
        wrong(c, "a batch that is not whole events");
        return;
    }
    if (m->offset < c->resume.offset)
        wrong(c, "a batch goes back");
    if (m->offset > c->resume.offset)
        f->holes = true;
    if (f->len + frame->payload_len > f->cap) {
        f->cap = (f->len + frame->payload_len) * 2;
        f->bytes = realloc(f->bytes, f->cap);
        if (f->bytes == NULL)
            abort();
    }
    memcpy(f->bytes + f->len, frame->payload, frame->payload_len);
    f->len += frame->payload_len;
    c->batches++;
    c->events += m->count;
    c->boundary = m->boundary;
    set_resume(c, f, m->next_offset);
}

void tail_copy_take(struct tail_copy *c, const struct tail_frame *f)
{
    switch (f->type) {
    case FRAME_FILE_BEGIN:
        take_begin(c, f->begin);
        break;
    case FRAME_BATCH:
        take_batch(c, f);
        break;
    case FRAME_FILE_END:
        c->aborted += f->file_end->aborted ? 1 : 0;
        break;
    case FRAME_END:
        c->ended = true;
        break;
    case FRAME_ERROR:
        c->error = (int)f->error->code;
        break;
    default:
        break;
    }
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static enum tail_result take_next(struct tail_copy *c, struct tail_raw *t, uint64_t until)
{
    struct tail_frame f;
    uint64_t now = now_ms();
    enum tail_result r = tail_raw_next(t, &f, now < until ? (unsigned)(until - now) : 0);
    if (r == TAIL_FRAME)
        tail_copy_take(c, &f);
    tail_frame_fini(&f);
    return r;
}

enum tail_result tail_copy_run(struct tail_copy *c, struct tail_raw *t, unsigned timeout_ms)
{
    uint64_t until = now_ms() + timeout_ms;
    enum tail_result r = TAIL_FRAME;
    while (r == TAIL_FRAME && !c->wrong && !c->ended && c->error == 0)
        r = take_next(c, t, until);
    return r;
}

bool tail_copy_until(struct tail_copy *c, struct tail_raw *t, const char *file, uint64_t offset, unsigned timeout_ms)
{
    uint64_t until = now_ms() + timeout_ms;
    for (;;) {
        if (c->resume.file != NULL && strcmp(c->resume.file, file) == 0 && c->resume.offset >= offset)
            return true;
        if (c->wrong || c->error != 0 || take_next(c, t, until) != TAIL_FRAME)
            return false;
    }
}

static bool file_equals(const struct tail_file *f, const char *store_dir)
{
    char pattern[512];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/lineages/%04u-*/%s", store_dir, f->lineage, f->name);
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    FILE *in = fopen(found.gl_pathv[0], "re");
    globfree(&found);
    uint8_t *bytes = malloc(f->len + 1);
    bool same = in != NULL && bytes != NULL && fseek(in, (long)f->from, SEEK_SET) == 0 &&
                fread(bytes, 1, f->len, in) == f->len && (f->len == 0 || memcmp(bytes, f->bytes, f->len) == 0);
    free(bytes);
    if (in != NULL)
        (void)fclose(in);
    return same;
}

bool tail_copy_equals(const struct tail_copy *c, const char *store_dir)
{
    bool all = c->count > 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->files[i].holes || !file_equals(&c->files[i], store_dir)) {
            (void)fprintf(stderr, "raw consumer: %s differs from the stored file\n", c->files[i].name);
            all = false;
        }
    }
    return all;
}

void tail_copy_fini(struct tail_copy *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->files[i].bytes);
    free(c->files);
    memset(c, 0, sizeof *c);
}
