/*
 * A source in memory: turns a generated binlog file into the packets of a dump, and checks every ACK against what is really on the
 * simulated disk at that moment.
 */
#ifndef LT_TESTS_SCRIPTED_H
#define LT_TESTS_SCRIPTED_H

#include "ingest/stream.h"
#include "store_test.h"

struct scripted {
    struct wire wire; /* first: the ops cast back */
    struct vfs_sim *sim;
    const struct binlog_gen *gen; /* the file whose bytes are sent */
    uint8_t *bytes;
    size_t len;
    size_t cap;
    size_t at;
    size_t chunk; /* bytes that become readable at a time */
    bool breathe; /* LT_EAGAIN after each chunk */
    bool ready;
    unsigned acks;
    uint64_t acked;       /* highest position acknowledged */
    unsigned not_durable; /* ACKs for bytes that a power cut could take: must stay 0 */
    bool send_fails;
};

void scripted_init(struct scripted *sc, struct vfs_sim *sim, const struct binlog_gen *gen);
void scripted_fini(struct scripted *sc);
void scripted_packet(struct scripted *sc, const uint8_t *event, size_t len, bool semi_sync, bool flag);
/* The artificial Rotate to name:pos. */
void scripted_rotate(struct scripted *sc, const char *name, uint64_t pos);
/* All events of the file from `from`; Xid events carry the flag. */
void scripted_events(struct scripted *sc, size_t from);
/* The same; the event at offset `odd` carries the flag too. */
void scripted_events_flagged(struct scripted *sc, size_t from, size_t odd);

#endif
