/*
 * One dump, from its first byte to its last: takes what is readable, checks it, appends or compares it, syncs once, acknowledges once.
 * The straight line between a commit on the source and its ACK; what proves law 1 is stream_turn and the ack gate.
 *
 * Layer: ingest. Thread: ingest. Owns: its buffers. Borrows: wire, store, gate for its life.
 * Errors: LT_ECLOSED and others with a fault set when the connection is of no more use; the store may be broken then
 *   (store_is_broken), and the caller repairs it. LT_EAGAIN is never returned.
 * Units: microseconds of the monotonic clock. Memory: two buffers of STREAM_BUFFER_BYTES and STREAM_HEAD_BYTES, whatever the size of events; a list of
 *   GTIDs over STREAM_WHOLE_BYTES is held whole besides, at most EVENT_LIST_MAX.
 */
#ifndef LT_INGEST_STREAM_H
#define LT_INGEST_STREAM_H

#include "base/hist.h"
#include "binlog/packet.h"
#include "ingest/fault.h"
#include "ingest/gate.h"
#include "ingest/replica.h"
#include "ingest/wire.h"
#include "store/store.h"

#define STREAM_BUFFER_BYTES (1024u * 1024u)
/* Events up to this size are handled whole; larger ones pass through in pieces. */
#define STREAM_WHOLE_BYTES (768u * 1024u)
#define STREAM_HEAD_BYTES  TXN_HEAD_BYTES

/* With an ACK due: at most this much stream before the sync; without one, at the latest. */
#define STREAM_ACK_BATCH_BYTES (4u * 1024u * 1024u)
#define STREAM_ACK_BATCH_US    10000u
#define STREAM_BATCH_BYTES     (8u * 1024u * 1024u)
#define STREAM_BATCH_US        50000u
/* Nothing more came for this long: sync what is there, so that `durable` is honest without ACKs. */
#define STREAM_IDLE_SYNC_US 2000u

struct stream_options {
    struct wire *wire;
    struct store *store;
    struct ack_gate *gate;
    uint64_t connection;      /* as gate_admit gave it; 0: a proving dump, which acknowledges nothing */
    uint64_t dead_after_us;   /* silence that means a dead peer */
    struct hist *ack_us;      /* from readable to ACK sent; may be NULL */
    uint64_t (*now_us)(void); /* NULL: clock_mono_us */
};

/* An event too large for the buffer, on its way through. */
struct stream_large {
    bool active;
    bool flagged;
    bool checksummed;
    struct event_header header;
    enum replica_action action;
    uint64_t offset; /* of the event */
    uint64_t done;   /* bytes of it handled */
    uint32_t crc;
    uint8_t crc_stored[EVENT_CRC_LEN];
    size_t head_len;
};

/* A list of GTIDs too large for the buffer, kept until it is whole: it is judged before the store gets a byte of it. */
struct stream_list {
    uint8_t *event; /* NULL: none on its way */
    size_t length;
    size_t got;
    size_t cap; /* grows with what came, not with what the header promises */
    bool flagged;
};

struct stream {
    struct stream_options opt;
    struct replica replica;
    struct packet_framer framer;
    enum semi_sync_header semi_sync; /* decided by the first packet */
    uint8_t *buf;
    size_t len;    /* bytes in buf */
    size_t used;   /* of them handled */
    uint8_t *head; /* first bytes of the large event */
    struct stream_large large;
    struct stream_list list;
    char stored_file[BINLOG_NAME_MAX + 1]; /* the store's newest file */
    struct gtid last_before;               /* last transaction of the file before, once another began */
    bool drained;                          /* the last read found nothing more */
    uint64_t read_at_us;                   /* when the last bytes came */
    uint64_t unsynced_at_us;               /* when the oldest unsynced byte came */
    bool ack_due;
    struct gate_position ack;
    uint64_t ack_at_us; /* when the oldest transaction of the coming ACK was readable */
    /* What the caller steers by. */
    bool began;            /* the first FDE was judged */
    bool start_seen;       /* of a new file: its GTID list, or anything after it */
    bool list_seen;        /* a list of GTIDs was compared on this connection */
    bool unreadable;       /* the source ended the dump: it cannot read on in its file, from replica.offset */
    bool heartbeat;        /* the last event was a heartbeat: the source had nothing more */
    uint32_t last_event_s; /* source's clock in the last real event; any client can set it */
    uint64_t
        committed_us; /* when the last MySQL transaction was committed, by the source's clock: no client sets it; 0: not told */
    uint64_t events;
    uint64_t bytes; /* from the wire */
    uint64_t flags_seen;
    uint64_t incidents;      /* Incident events appended: the source says that its binlog lacks changes */
    uint64_t incident_start; /* of the last one, in incident_file */
    char incident_file[BINLOG_NAME_MAX + 1];
    uint64_t boundary_mismatches; /* ACK flags where our parser saw no end of a transaction */
};

int stream_init(struct stream *st, const struct stream_options *opt, const struct replica_start *start) LT_MUST_CHECK;
/* Drops a large event in flight from the store, and a list; frees. */
void stream_fini(struct stream *st);

/*
 * One turn: read until nothing is readable or the batch is full, then one sync if one is due, then one ACK if one is due.
 * *ret_wait_us: how long the caller may wait for the wire before the next turn. On failure *ret_fault says why.
 */
int stream_turn(struct stream *st, uint64_t *ret_wait_us, struct fault *ret_fault) LT_MUST_CHECK;

/* Everything this store holds of the asked file came again and was equal, and a new file's start continued it. */
bool stream_is_proved(const struct stream *st);

/* --- between stream.c and stream_event.c --- */
/* Handle the whole packets in the buffer; stops when the batch is full. */
int stream_consume(struct stream *st, struct fault *ret_fault) LT_MUST_CHECK;
bool stream_batch_full(const struct stream *st);
/* A store failure as a fault; returns rc. */
int stream_store_fault(struct fault *f, int rc, const struct lt_err *err);

#endif
