/*
 * Readers of what is durable.
 *
 * - A reader opens its own descriptor and remembers its place in the list of files; the node it stands on is not freed (refs).
 * - `sealed` is loaded before `readable`: with the writer storing them in the opposite order, a reader that sees "sealed" sees the final size.
 * Failure: a file shorter than its readable size is LT_ECORRUPT; a file that was purged is LT_ENOTFOUND.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

struct store_reader {
    struct store *s;
    struct seg_node *node;
    int fd;
    uint64_t offset;
};

/* The node, held until let_go(); NULL: none. */
static struct seg_node *hold_node(struct store *s, unsigned lineage, const char *file)
{
    (void)pthread_mutex_lock(&s->list_mutex);
    struct seg_node *node = atomic_load_explicit(&s->head, memory_order_acquire);
    while (node != NULL && (node->lineage->number != lineage || strcmp(node->file, file) != 0))
        node = atomic_load_explicit(&node->next, memory_order_acquire);
    if (node != NULL)
        node->refs++;
    (void)pthread_mutex_unlock(&s->list_mutex);
    return node;
}

static struct seg_node *hold_next(struct store *s, struct seg_node *node)
{
    (void)pthread_mutex_lock(&s->list_mutex);
    struct seg_node *next = atomic_load_explicit(&node->next, memory_order_acquire);
    if (next != NULL)
        next->refs++;
    (void)pthread_mutex_unlock(&s->list_mutex);
    return next;
}

static void let_go(struct store *s, struct seg_node *node)
{
    (void)pthread_mutex_lock(&s->list_mutex);
    node->refs--;
    (void)pthread_mutex_unlock(&s->list_mutex);
}

static int open_node(struct store *s, const struct seg_node *node, struct lt_err *err)
{
    char *path = store_path(node->lineage->path, node->file, "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "open %s", node->file);
    int fd = s->vfs->open(s->vfs->ctx, path, O_RDONLY, 0);
    if (fd == -ENOENT)
        fd = lt_err_set(err, LT_ENOTFOUND, "%s is no longer stored", node->file);
    else if (fd < 0)
        fd = store_sys_err(err, fd, "open %s", path);
    free(path);
    return fd;
}

static int open_at(struct store *s, struct seg_node *node, uint64_t offset, struct store_reader **ret,
                   struct lt_err *err)
{
    uint64_t end = atomic_load_explicit(&node->readable, memory_order_acquire);
    if (offset < BINLOG_MAGIC_LEN || offset > end)
        return lt_err_set(err, LT_EINVAL, "offset %llu is not in [4, %llu] of %s", (unsigned long long)offset,
                          (unsigned long long)end, node->file);
    struct store_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lt_err_set(err, LT_ENOMEM, "open %s", node->file);
    r->s = s;
    r->node = node;
    r->offset = offset;
    r->fd = open_node(s, node, err);
    if (r->fd < 0) {
        int rc = r->fd;
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int store_reader_open(struct store *s, unsigned lineage, const char *file, uint64_t offset, struct store_reader **ret,
                      struct lt_err *err)
{
    struct seg_node *node = hold_node(s, lineage, file);
    if (node == NULL)
        return lt_err_set(err, LT_ENOTFOUND, "no file %s in lineage %u", file, lineage);
    int rc = open_at(s, node, offset, ret, err);
    if (rc < 0)
        let_go(s, node);
    return rc;
}

void store_reader_close(struct store_reader *r)
{
    if (r == NULL)
        return;
    (void)r->s->vfs->close(r->s->vfs->ctx, r->fd);
    let_go(r->s, r->node);
    free(r);
}

int store_reader_fd(const struct store_reader *r, uint64_t *ret_offset, uint64_t *ret_end, bool *ret_sealed)
{
    *ret_sealed = atomic_load_explicit(&r->node->sealed, memory_order_acquire);
    *ret_end = atomic_load_explicit(&r->node->readable, memory_order_acquire);
    *ret_offset = r->offset;
    return r->fd;
}

void store_reader_info(const struct store_reader *r, struct store_segment_info *ret)
{
    store_node_info(r->node, ret);
}

/* Without the mutex: the nodes behind one that somebody stands on are not freed. */
int store_reader_next_info(const struct store_reader *r, struct store_segment_info *ret)
{
    const struct seg_node *next = atomic_load_explicit(&r->node->next, memory_order_acquire);
    if (next == NULL)
        return LT_EOS;
    store_node_info(next, ret);
    return 0;
}

int store_reader_pread(const struct store_reader *r, void *buf, size_t len, uint64_t off, struct lt_err *err)
{
    ssize_t n = vfs_pread_full(r->s->vfs, r->fd, buf, len, off);
    if (n < 0)
        return store_sys_err(err, (int)n, "read %s", r->node->file);
    if ((size_t)n != len)
        return lt_err_set(err, LT_ECORRUPT, "%s ends at offset %llu, before its durable end", r->node->file,
                          (unsigned long long)(off + (uint64_t)n));
    return 0;
}

void store_reader_advance(struct store_reader *r, uint64_t len)
{
    lt_assert(len <= atomic_load_explicit(&r->node->readable, memory_order_acquire) - r->offset);
    r->offset += len;
}

int store_reader_read(struct store_reader *r, void *buf, size_t cap, size_t *ret_len, bool *ret_sealed,
                      struct lt_err *err)
{
    uint64_t off;
    uint64_t end;
    bool sealed;
    int fd = store_reader_fd(r, &off, &end, &sealed);

    *ret_sealed = sealed && off == end;
    if (off == end)
        return LT_EOS;
    size_t len = end - off < cap ? (size_t)(end - off) : cap;
    ssize_t n = r->s->vfs->pread(r->s->vfs->ctx, fd, buf, len, off);
    if (n < 0)
        return store_sys_err(err, (int)n, "read %s", r->node->file);
    if (n == 0 && len > 0)
        return lt_err_set(err, LT_ECORRUPT, "%s ends at offset %llu, before its durable end", r->node->file,
                          (unsigned long long)off);
    r->offset += (uint64_t)n;
    *ret_len = (size_t)n;
    *ret_sealed = sealed;
    return 0;
}

int store_reader_next(struct store_reader *r, struct lt_err *err)
{
    struct seg_node *next = hold_next(r->s, r->node);
    if (next == NULL)
        return LT_EOS;
    int fd = open_node(r->s, next, err);
    if (fd < 0) {
        let_go(r->s, next);
        return fd;
    }
    let_go(r->s, r->node);
    (void)r->s->vfs->close(r->s->vfs->ctx, r->fd);
    r->fd = fd;
    r->node = next;
    r->offset = BINLOG_MAGIC_LEN;
    return 0;
}
