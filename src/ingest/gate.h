/*
 * The ack gate: the one place from which an acknowledgement leaves, in all its three forms (the ACK packet, the position of a
 * semi-sync dump, a GTID set in one). Law 1 is enforced here: nothing goes out for a position that is not durable, for a
 * connection whose history was not proved, or for a source that is fenced.
 *
 * Layer: ingest. Thread: any; a mutex is held over {check, non-blocking send}, so that gate_close() returns only when no sender is inside.
 * Owns: nothing but its numbers. Errors: LT_EFENCED (closed), LT_EINVAL (not admitted, not durable, not flagged newer: a bug upstream that
 *   is refused, not sent), LT_ECLOSED (the send broke the connection).
 * Invariants: positions given out on one connection only grow; none is above `durable`; while closed, none leaves but to the one source
 *   it was opened to.
 */
#ifndef LT_INGEST_GATE_H
#define LT_INGEST_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "binlog/event.h"
#include "ingest/wire.h"
#include "store/store.h"

struct gate_position {
    char file[BINLOG_NAME_MAX + 1]; /* "" = none */
    uint64_t offset;
};

struct ack_gate {
    pthread_mutex_t lock;
    bool closed;                                   /* a source is fenced */
    char open_to[STORE_SOURCE_ID_MAX + 1];         /* while closed: the one source that is not; "" = none */
    uint64_t admitted;                             /* connection whose history was proved; 0 = none */
    char admitted_source[STORE_SOURCE_ID_MAX + 1]; /* the source at its other end */
    uint64_t next_connection;
    struct gate_position durable;    /* synced, whole events */
    struct gate_position acked;      /* last position acknowledged on this connection */
    struct gate_position last_acked; /* last position acknowledged at all, to last_acked_source */
    char last_acked_source[STORE_SOURCE_ID_MAX + 1];
    uint64_t acks_sent;
};

void gate_init(struct ack_gate *g);
void gate_fini(struct ack_gate *g);

/* The store synced up to here. Only ever called with what a sync that returned 0 covers. */
void gate_durable(struct ack_gate *g, const char *file, uint64_t offset);
/* The store forgot or was repaired: nothing is known to be durable until gate_durable says so again. */
void gate_doubt(struct ack_gate *g);

/* A connection to a source whose history was proved equal to the store's: returns its number, which sends must carry. */
uint64_t gate_admit(struct ack_gate *g, const char *source_id);
/* That connection is gone; a send with its number is refused from now on. */
void gate_revoke(struct ack_gate *g, uint64_t connection);

/*
 * Send a semi-sync dump command that asks for file:offset, which acknowledges all before it. Also allowed is offset 4 of the file
 * that follows the durable one: the caller has stored the Rotate at its end.
 */
int gate_send_dump(struct ack_gate *g, uint64_t connection, struct wire *w, const void *packet, size_t len,
                   const char *file, uint64_t offset, struct lt_err *err) LT_MUST_CHECK;

/* Send the ACK for file:offset. LT_EOS without sending when this connection acknowledged as much before. */
int gate_send_ack(struct ack_gate *g, uint64_t connection, struct wire *w, const char *file, uint64_t offset,
                  struct lt_err *err) LT_MUST_CHECK;

/* Close for every source: when this returns, no acknowledgement is on its way out of this process. */
void gate_close(struct ack_gate *g);
/* Nothing is fenced any more. */
void gate_open(struct ack_gate *g);
/* Others stay fenced: closed for every source but this one. */
void gate_open_to(struct ack_gate *g, const char *source_id);
/* For this source; "" = one that is not known yet. */
bool gate_is_closed(struct ack_gate *g, const char *source_id);

struct gate_view {
    struct gate_position durable;
    struct gate_position acked; /* to the source that is followed; files of another one say nothing of it */
    uint64_t acks_sent;
};
void gate_view(struct ack_gate *g, struct gate_view *ret);

#endif
