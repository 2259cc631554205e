/*
 * The image of the page in which a file ends, kept in memory so that a repair can write it again.
 *
 * - Appended bytes are copied into the image of the page being filled; of a large piece only its last page is.
 * - When the page that holds the last boundary is left, a copy stays behind for the sync that makes this boundary the watermark.
 * Failure: none but reading one back from the file.
 */
#include <errno.h>
#include <string.h>

#include "store/store_internal.h"

static uint64_t page_of(uint64_t end)
{
    return (end - 1) / STORE_PAGE * STORE_PAGE;
}

bool page_holds_end(const struct page_image *p, uint64_t end)
{
    return end > p->off && end <= p->off + p->len;
}

void page_copy_to(struct page_image *dst, const struct page_image *src, uint64_t end)
{
    lt_assert(page_holds_end(src, end));
    dst->off = src->off;
    dst->len = (uint32_t)(end - src->off);
    memcpy(dst->bytes, src->bytes, dst->len);
}

void page_append(struct page_image *p, uint64_t off, const uint8_t *data, size_t len, uint64_t keep,
                 struct page_image *kept)
{
    if (len == 0)
        return;
    lt_assert(off == p->off + p->len);
    uint64_t last = page_of(off + len);
    if (last != p->off) {
        if (page_holds_end(p, keep))
            page_copy_to(kept, p, keep);
        /* Whole pages in between cannot hold a boundary: the piece belongs to one event. */
        size_t skip = last > off ? (size_t)(last - off) : 0;
        data += skip;
        len -= skip;
        p->off = last;
        p->len = 0;
    }
    memcpy(p->bytes + p->len, data, len);
    p->len += (uint32_t)len;
}

int page_load(const struct vfs *vfs, int fd, uint64_t end, struct page_image *ret)
{
    ret->off = page_of(end);
    ret->len = (uint32_t)(end - ret->off);
    ssize_t n = vfs_pread_full(vfs, fd, ret->bytes, ret->len, ret->off);
    if (n < 0)
        return (int)n;
    return n == (ssize_t)ret->len ? 0 : -EIO;
}
