/*
 * - Empty: the next bytes go to the front, so a stream of small events never moves any.
 * - A piece of an event at the end: moved to the front when the room behind it is small.
 * - An event larger than the buffer: doubled, at most up to what it needs. Once it has been taken, back to the base size.
 */
#include "client/inbuf.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN (16u << 10) /* do not ask the kernel for less while moving bytes would make more */

void inbuf_fini(struct inbuf *b)
{
    free(b->data);
    *b = (struct inbuf){0};
}

void inbuf_reset(struct inbuf *b)
{
    b->start = b->end = 0;
    if (b->cap > INBUF_BASE)
        inbuf_fini(b);
}

void inbuf_take(struct inbuf *b, size_t n)
{
    lt_assert(n <= inbuf_len(b));
    b->start += n;
}

static void move_to_front(struct inbuf *b)
{
    size_t len = inbuf_len(b);
    if (b->data != NULL && b->start > 0 && len > 0)
        memmove(b->data, b->data + b->start, len);
    b->start = 0;
    b->end = len;
}

/* Large pieces are moved by the kernel's page tables, not copied: there is no second one beside the first. */
static int resize(struct inbuf *b, size_t cap)
{
    lt_assert(cap > 0);
    move_to_front(b);
    uint8_t *grown = realloc(b->data, cap);
    if (grown == NULL)
        return LT_ENOMEM;
    b->data = grown;
    b->cap = cap;
    return 0;
}

static size_t grown_cap(const struct inbuf *b, size_t need)
{
    size_t twice = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    return need < twice ? need : twice;
}

int inbuf_room(struct inbuf *b, size_t need, uint8_t **ret_at, size_t *ret_room)
{
    size_t len = inbuf_len(b);
    int rc = 0;
    if (b->data == NULL || (b->cap > INBUF_BASE && need <= INBUF_BASE && len <= INBUF_BASE))
        rc = resize(b, INBUF_BASE);
    else if (len == 0 || b->cap - b->end < ROOM_MIN)
        move_to_front(b);
    if (rc == 0 && b->end == b->cap && need > b->cap)
        rc = resize(b, grown_cap(b, need));
    if (rc != 0)
        return rc;
    *ret_at = b->data + b->end;
    *ret_room = b->cap - b->end;
    return 0;
}

void inbuf_added(struct inbuf *b, size_t n)
{
    lt_assert(n <= b->cap - b->end);
    b->end += n;
}
