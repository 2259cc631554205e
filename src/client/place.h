/*
 * A place in the log, owned, and its text: the resume token.
 *
 *     LINEAGE/FILE:OFFSET@SOURCE_ID        a transaction boundary
 *     LINEAGE/FILE:OFFSET+SKIP@SOURCE_ID   inside a transaction that begins at OFFSET: SKIP bytes of it were taken
 *     FILE:OFFSET, FILE                    what people type: lineage 0 (the newest that has the file), any source
 *
 * Layer: client. Pure. Thread: any. Errors: LT_EINVAL for text that is none of these; LT_EPROTO for a peer's position that cannot be one.
 */
#ifndef LT_CLIENT_PLACE_H
#define LT_CLIENT_PLACE_H

#include "base/err.h"
#include "binlog/event.h"
#include "binlogtail/binlogtail.h"
#include "tail.pb-c.h"

#define SOURCE_ID_MAX 63

struct place {
    uint32_t lineage;
    uint64_t offset;
    uint64_t skip;
    char file[BINLOG_NAME_MAX + 1]; /* "" = no place */
    char source_id[SOURCE_ID_MAX + 1];
};

int place_parse(const char *text, struct place *ret) LT_MUST_CHECK;
/* buf is always terminated. LT_ETOOBIG when cap is too small. */
int place_format(const struct place *p, char *buf, size_t cap) LT_MUST_CHECK;
/* A peer's position: NULL gives no place. */
int place_from_message(const Logtailer__Tail__Position *m, struct place *ret) LT_MUST_CHECK;
/* Borrows p's strings. */
Logtailer__Tail__Position place_to_message(struct place *p);
struct binlogtail_position place_view(const struct place *p);
/* By lineage, then the number of the file, then offset: negative, 0, positive. */
int place_compare(const struct place *a, const struct place *b);
static inline bool place_is_set(const struct place *p)
{
    return p->file[0] != '\0';
}

#endif
