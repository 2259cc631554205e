/*
 * What is held of the lineages before the present one: their GTIDs, and the end of the last of them that has a file.
 *
 * - Within one lineage the list at a file's start says what came before it. A new lineage begins with the source's word alone, and until its
 *   bytes are here nobody could tell what this store holds. So each lineage's folder says what was held when it began: `held-before`,
 *   written before the lineage is used. It outlives the segments it speaks of, and an open reads one small file, however many lineages there were.
 * - A folder without it (made by an older program, or by one that crashed between the folder and the file) is answered from the files: the
 *   list and the transactions of each older lineage's last file. It is written then, because retention may take those files away.
 *
 * Format of held-before: key=value lines; unknown keys are passed over.
 *   first_file=NAME  first_list=SET (of the lineage itself, where it continues the one before)   gtid_executed=SET   lineage=N  source_id=ID  file=NAME  offset=N   last_lineage=N  last_gtid=GTID  last_file=NAME  last_start=N  last_end=N
 * Failure: one that does not parse is damage: it is noted, and the files are asked. Histories of two flavours have no common set: the newer counts.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "store/scan.h"
#include "store/store_internal.h"

#define HELD_FILE     "held-before"
#define HELD_FILE_MAX (256u * 1024u * 1024u)

int store_held_union(struct gtid_set *held, const struct gtid_set *newer)
{
    int rc = gtid_set_union(held, newer);
    return rc == LT_EINVAL ? gtid_set_copy(held, newer) : rc;
}

/* ---- the file ---- */

static enum gtid_kind kind_of(const char *text)
{
    return strchr(text, ':') != NULL ? GTID_MYSQL : GTID_MARIADB; /* a UUID comes before the colon */
}

static int take_number(unsigned *ret, const char *value)
{
    uint64_t n = 0;
    if (units_parse_u64(value, UINT32_MAX, &n) < 0)
        return LT_ECORRUPT;
    *ret = (unsigned)n;
    return 0;
}

static int take_set(struct gtid_set *ret, const char *value)
{
    return value[0] != '\0' ? gtid_set_parse(kind_of(value), value, ret) : 0;
}

static int take_pair(struct store_held *h, const char *key, const char *value)
{
    struct store_end *e = &h->end;
    if (strcmp(key, "gtid_executed") == 0)
        return take_set(&h->gtids, value);
    if (strcmp(key, "first_file") == 0)
        return units_take_text(h->seam.file, sizeof h->seam.file, value);
    if (strcmp(key, "first_list") == 0)
        return take_set(&h->seam.list, value);
    if (strcmp(key, "lineage") == 0)
        return take_number(&e->lineage, value);
    if (strcmp(key, "source_id") == 0)
        return units_take_text(e->source_id, sizeof e->source_id, value);
    if (strcmp(key, "file") == 0)
        return units_take_text(e->file, sizeof e->file, value);
    if (strcmp(key, "offset") == 0)
        return units_parse_u64(value, UINT64_MAX, &e->offset);
    if (strcmp(key, "last_lineage") == 0)
        return take_number(&e->last_lineage, value);
    if (strcmp(key, "last_gtid") == 0)
        return value[0] != '\0' ? gtid_parse(kind_of(value), value, &e->last_gtid) : 0;
    if (strcmp(key, "last_file") == 0)
        return units_take_text(e->last_file, sizeof e->last_file, value);
    if (strcmp(key, "last_start") == 0)
        return units_parse_u64(value, UINT64_MAX, &e->last_start);
    return strcmp(key, "last_end") == 0 ? units_parse_u64(value, UINT64_MAX, &e->last_end) : 0;
}

/* The last line is the end mark: a file that lacks it was cut. */
static int parse(char *text, struct store_held *ret)
{
    char *save = NULL;
    bool whole = false;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '=');
        if (eq == NULL)
            return LT_ECORRUPT;
        *eq = '\0';
        int rc = take_pair(ret, line, eq + 1);
        if (rc != 0)
            return rc == LT_ENOMEM ? rc : LT_ECORRUPT;
        whole = strcmp(line, "last_end") == 0;
    }
    return whole ? 0 : LT_ECORRUPT;
}

static char *format(const struct store_held *h)
{
    const struct store_end *e = &h->end;
    char gtid[GTID_TEXT_MAX];
    char *text = NULL;
    char *set = gtid_set_format(&h->gtids);
    char *list = gtid_set_format(&h->seam.list);
    if (set == NULL || list == NULL) {
        free(set);
        free(list);
        return NULL;
    }
    int n =
        asprintf(&text,
                 "first_file=%s\nfirst_list=%s\ngtid_executed=%s\nlineage=%u\nsource_id=%s\nfile=%s\noffset=%" PRIu64
                 "\nlast_lineage=%u\nlast_gtid=%s\nlast_file=%s\nlast_start=%" PRIu64 "\nlast_end=%" PRIu64 "\n",
                 h->seam.file, list, set, e->lineage, e->source_id, e->file, e->offset, e->last_lineage,
                 gtid_format(&e->last_gtid, gtid, sizeof gtid), e->last_file, e->last_start, e->last_end);
    free(set);
    free(list);
    return n < 0 ? NULL : text;
}

int store_held_write(struct store *s, const struct lineage *lin, const struct store_held *h, struct lt_err *err)
{
    char *text = format(h);
    if (text == NULL)
        return lt_err_set(err, LT_ENOMEM, "%s", HELD_FILE);
    int rc = statefile_write(s->vfs, lin->path, HELD_FILE, text, strlen(text), err);
    free(text);
    return rc;
}

/* ---- from the running store ---- */

static void note_end(const struct store *s, struct store_end *e)
{
    if (s->seg.node == NULL)
        return;
    e->lineage = s->lineage->number;
    memcpy(e->source_id, s->lineage->source_id, sizeof e->source_id);
    memcpy(e->file, s->seg.node->file, sizeof e->file);
    e->offset = s->wm.trk.boundary;
    bool here = s->wm.trk.have_last;
    if (!here && s->last_file[0] == '\0')
        return;
    e->last_lineage = e->lineage;
    memcpy(e->last_file, here ? e->file : s->last_file, sizeof e->last_file);
    e->last_start = here ? s->wm.trk.last_start : s->last_start;
    e->last_end = here ? s->wm.trk.last_end : s->last_end;
    e->last_gtid = here ? s->wm.trk.last_gtid : s->last_gtid;
}

int store_held_now(const struct store *s, struct store_held *ret)
{
    int rc = gtid_set_copy(&ret->gtids, &s->before.gtids);
    if (rc == 0)
        rc = store_held_union(&ret->gtids, &s->gtids);
    if (rc != 0)
        return rc;
    ret->end = s->before.end;
    note_end(s, &ret->end);
    return 0;
}

/* ---- from the files ---- */

/* The nodes of one older lineage, in order: list[from, to). */
static int walk_file(struct store *s, const struct seg_node *node, struct gtid_set *gtids, struct scan *sc,
                     struct lt_err *err)
{
    char *path = store_path(node->lineage->path, node->file, "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "%s", node->file);
    int fd = s->vfs->open(s->vfs->ctx, path, O_RDONLY, 0);
    int rc = fd < 0 ? store_sys_err(err, fd, "open %s", path) : 0;
    free(path);
    if (rc == 0)
        rc = scan_with_ends(s, node->lineage, node->file, fd, false, gtids, sc, err);
    if (fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, fd);
    return rc < 0 ? rc : 0;
}

/* Backwards to a file with a list, then forwards again: a file without one adds to what the files before it hold. */
static int walk_lineage(struct store *s, struct seg_node *const *nodes, size_t count, struct store_held *h,
                        struct lt_err *err)
{
    struct gtid_set all;
    struct store_end *e = &h->end;
    size_t first = count;
    bool list = false;
    int rc = 0;
    gtid_set_init(&all);
    while (rc == 0 && !list && first > 0) {
        struct scan sc = {0};
        gtid_set_clear(&all);
        rc = walk_file(s, nodes[--first], &all, &sc, err);
        list = sc.list_seen;
    }
    gtid_set_clear(&all);
    for (size_t i = first; rc == 0 && i < count; i++) {
        struct scan sc = {0};
        rc = walk_file(s, nodes[i], &all, &sc, err);
        e->lineage = nodes[i]->lineage->number;
        memcpy(e->source_id, nodes[i]->lineage->source_id, sizeof e->source_id);
        memcpy(e->file, nodes[i]->file, sizeof e->file);
        e->offset = sc.bound.trk.boundary;
        if (rc != 0 || !sc.now.trk.have_last)
            continue;
        e->last_lineage = e->lineage;
        memcpy(e->last_file, e->file, sizeof e->last_file);
        e->last_start = sc.now.trk.last_start;
        e->last_end = sc.now.trk.last_end;
        e->last_gtid = sc.now.trk.last_gtid;
    }
    if (rc == 0 && store_held_union(&h->gtids, &all) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "executed GTID set");
    gtid_set_fini(&all);
    return rc;
}

static int collect_nodes(struct store *s, struct seg_node ***ret, size_t *ret_count, struct lt_err *err)
{
    size_t n = 0;
    struct seg_node **nodes = calloc(s->segments + 1, sizeof(struct seg_node *));
    if (nodes == NULL)
        return lt_err_set(err, LT_ENOMEM, "list of files");
    struct seg_node *node = atomic_load_explicit(&s->head, memory_order_relaxed);
    for (; node != NULL && node->lineage != s->lineage && n < s->segments;
         node = atomic_load_explicit(&node->next, memory_order_relaxed))
        nodes[n++] = node;
    *ret = nodes;
    *ret_count = n;
    return 0;
}

static int ask_files(struct store *s, struct store_held *h, struct lt_err *err)
{
    struct seg_node **nodes = NULL;
    size_t count = 0;
    int rc = collect_nodes(s, &nodes, &count, err);
    for (size_t from = 0; rc == 0 && from < count;) {
        size_t to = from;
        while (to < count && nodes[to]->lineage == nodes[from]->lineage)
            to++;
        rc = walk_lineage(s, nodes + from, to - from, h, err);
        from = to;
    }
    free(nodes);
    return rc;
}

static int read_file(struct store *s, struct store_held *ret, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = statefile_read(s->vfs, s->lineage->path, HELD_FILE, HELD_FILE_MAX, &text, &len, err);
    if (rc != 0)
        return rc;
    rc = parse(text, ret);
    free(text);
    return rc == LT_ENOMEM ? lt_err_set(err, rc, "%s", HELD_FILE) : rc;
}

void store_held_fini(struct store_held *h)
{
    gtid_set_fini(&h->gtids);
    gtid_set_fini(&h->seam.list);
    memset(h, 0, sizeof *h);
}

int store_held_load(struct store *s, struct lt_err *err)
{
    struct store_held *h = &s->before;
    if (s->lineage == NULL)
        return 0;
    int rc = read_file(s, h, err);
    if (rc == LT_ECORRUPT && !s->recovery.sealed_damage) {
        s->recovery.sealed_damage = true;
        (void)snprintf(s->recovery.damage, sizeof s->recovery.damage, "%.150s/%s: made anew from the older files",
                       s->lineage->path, HELD_FILE);
    }
    if (rc == LT_ENOTFOUND || rc == LT_ECORRUPT) {
        store_held_fini(h);
        rc = ask_files(s, h, err);
        if (rc == 0 && h->end.file[0] != '\0')
            rc = store_held_write(s, s->lineage, h, err);
        if (rc == LT_EFULL)
            rc = 0; /* it is known now, and the next open tries again */
    }
    s->before_fresh = rc == 0;
    return rc;
}
