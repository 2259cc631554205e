/*
 * Events that stand in for MariaDB's own ones, as its servers send them to clients that say what they know.
 *
 * - All but statements beside rows are small; of those an old client gets a comment as long, in memory for as long as it takes to send it.
 */
#include <stdlib.h>

#include "binlog/packet.h"
#include "replicas/internal.h"

#define FLAGS2_AT (EVENT_HEADER_LEN + 12)

enum substitute stream_substitute(const struct stream *st, const uint8_t *p, size_t len)
{
    if (!st->mariadb)
        return SUBSTITUTE_NONE;
    if (p[4] == EVENT_MARIADB_GTID && len <= FLAGS2_AT)
        return SUBSTITUTE_NONE; /* its rest is in the next chunk, where it is asked again */
    bool standalone = p[4] == EVENT_MARIADB_GTID && (p[FLAGS2_AT] & MARIADB_GTID_STANDALONE) != 0;
    return substitute_for(p[4], standalone, st->capability, st->annotate);
}

static enum stream_step refuse(struct client *s, uint8_t type)
{
    if (type == EVENT_MARIADB_GTID)
        return stream_fail(s, "Failed to replace GTID event with backwards-compatible event: currupt event.");
    if (type == EVENT_MARIADB_ANNOTATE_ROWS)
        return stream_fail(s, "Failed to replace row annotate event with dummy: too small event.");
    return stream_fail(s, "Failed to replace binlog checkpoint or gtid list event with dummy: too small event.");
}

enum stream_step stream_send_substitute(struct client *s, uint8_t *event, size_t len, enum substitute how)
{
    uint8_t type = event[4];
    int rc =
        how == SUBSTITUTE_BEGIN ? substitute_begin(event, len, s->st.crc) : substitute_comment(event, len, s->st.crc);
    if (rc != 0)
        return refuse(s, type);
    if (packets_event(s, event, len))
        return STREAM_BUILT;
    client_close(s, "out of memory");
    return STREAM_END;
}

enum stream_step stream_substitute_large(struct client *s, uint32_t length, enum substitute how)
{
    struct stream *st = &s->st;
    struct lt_err err = {0};
    if (length >= PACKET_MAX_PART)
        return stream_fail(s,
                           "an event of %u bytes is not replaced for a client that does not know it: set "
                           "@mariadb_slave_capability = 4, or ask for annotations",
                           length);
    uint8_t *event = malloc(length);
    enum stream_step step = STREAM_END;
    if (event == NULL)
        client_close(s, "out of memory");
    else if (store_reader_pread(st->feed.file->reader, event, length, st->at, &err) != 0)
        step = stream_fail(s, "%s", err.text);
    else
        step = stream_send_substitute(s, event, length, how);
    if (step == STREAM_BUILT)
        st->at += length;
    free(event);
    return step;
}
