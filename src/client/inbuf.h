/*
 * The bytes received and not yet taken: one contiguous piece that grows only as far as bytes come in, and shrinks back.
 *
 * Layer: client. Thread: the handle's. Owns: its memory (inbuf_fini). Pointers into it hold until the next call but inbuf_len.
 * Errors: LT_ENOMEM; what is in it stays. Units: bytes.
 */
#ifndef LT_CLIENT_INBUF_H
#define LT_CLIENT_INBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define INBUF_BASE (256u << 10) /* capacity without a large event */

struct inbuf {
    uint8_t *data; /* NULL while nothing was received */
    size_t cap;
    size_t start;
    size_t end;
};

void inbuf_fini(struct inbuf *b);
/* Empty; memory beyond INBUF_BASE is given back. */
void inbuf_reset(struct inbuf *b);
static inline size_t inbuf_len(const struct inbuf *b)
{
    return b->end - b->start;
}
static inline const uint8_t *inbuf_head(const struct inbuf *b)
{
    return b->data + b->start;
}
/* n <= inbuf_len. */
void inbuf_take(struct inbuf *b, size_t n);
/*
 * Room for more bytes, when `need` contiguous ones from the head on are wanted: at most doubles what is there, so a length that was only
 * claimed costs nothing. *ret_room is 0 when the buffer holds need and is full.
 */
int inbuf_room(struct inbuf *b, size_t need, uint8_t **ret_at, size_t *ret_room) LT_MUST_CHECK;
/* n bytes were put where inbuf_room said. */
void inbuf_added(struct inbuf *b, size_t n);

#endif
