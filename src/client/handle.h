/*
 * The handle behind binlogtail.h: options, connection, stream, and when to do what.
 *
 *     WAITING → CONNECTING → GREETING → STREAMING → (ENDED | FAILED)
 *        ↑___________|___________|__________|
 *
 * Layer: client, private. Thread: one at a time per handle. Owns: all of it.
 * Errors: internal functions return LT_* with lt_err; what the caller sees is made in policy.c alone.
 */
#ifndef LT_CLIENT_HANDLE_H
#define LT_CLIENT_HANDLE_H

#include "client/conn.h"
#include "client/inbuf.h"
#include "client/stream.h"

enum handle_state {
    HANDLE_WAITING,    /* for wake_us, then the next attempt */
    HANDLE_CONNECTING, /* TCP and TLS */
    HANDLE_GREETING,   /* Hello was sent */
    HANDLE_STREAMING,
    HANDLE_ENDED,
    HANDLE_FAILED
};

struct binlogtail {
    struct binlogtail_options opt; /* strings are ours */
    struct place start;            /* START_POSITION */
    struct conn conn;
    struct inbuf in;
    struct stream stream;
    enum handle_state state;
    int epoll_fd;
    int timer_fd;
    int watched_fd; /* in epoll_fd; -1 none */
    unsigned watched_events;
    uint64_t timer_us; /* what timer_fd is set to; 0: nothing */
    uint64_t wake_us;  /* CLOCK_MONOTONIC: next thing to do by itself; 0: none */
    uint64_t heard_us; /* last byte from the server */
    size_t budget;     /* bytes that may still be received before the caller's loop gets a turn */
    bool drained;      /* the last receive said: nothing now */
    bool broken;       /* the connection ended: broken_err; what was received before it is still good */
    struct lt_err broken_err;
    unsigned failures;  /* attempts in a row that did not lead to a stream */
    unsigned fruitless; /* connections in a row that broke the protocol before an event came */
    bool ever_connected;
    bool by_gtids_anew;       /* the position is of no use any more: ask by GTID set alone */
    bool empty_end;           /* until_end of an empty store: END is due */
    bool ending;              /* END was handed out; only the confirmation of a commit may still come */
    struct place commit;      /* asked for, not sent; file "": none */
    struct place unconfirmed; /* sent; file "": none */
    unsigned commit_tries;    /* connections made for it after the END */
    struct binlogtail_event event;
    struct binlogtail_server server;
    struct binlogtail_error error;
    struct binlogtail_error said; /* what a DISCONNECTED event points to */
};

#define HANDLE_BUDGET (4u << 20)

/* ---- options.c ---- */
int options_copy(struct binlogtail *bt, const struct binlogtail_options *opt, struct lt_err *err) LT_MUST_CHECK;
void options_fini(struct binlogtail *bt);

/* ---- requests.c ---- */
int request_hello(struct binlogtail *bt, struct lt_err *err) LT_MUST_CHECK;
int request_subscribe(struct binlogtail *bt, struct lt_err *err) LT_MUST_CHECK;
/* What waits in bt->commit. */
int request_commit(struct binlogtail *bt, struct lt_err *err) LT_MUST_CHECK;

/* ---- policy.c: what becomes of a failure. Each returns 1 (bt->event is DISCONNECTED or END) or the final error. ---- */
int policy_failed(struct binlogtail *bt, const struct lt_err *err) LT_MUST_CHECK;
int policy_refused(struct binlogtail *bt) LT_MUST_CHECK;
/* cure NULL: the usual one of this code. */
void policy_set_error(struct binlogtail_error *e, int code, const char *message, const char *cure);
int policy_code(const struct lt_err *err);

/* ---- drive.c: connection, timers, receiving ---- */
int drive_init(struct binlogtail *bt, struct lt_err *err) LT_MUST_CHECK;
void drive_fini(struct binlogtail *bt);
/* The first attempt. */
void drive_begin(struct binlogtail *bt);
/* Everything that can be done now. A failure is left in broken/broken_err for the caller of next. */
void drive_turn(struct binlogtail *bt);
/* Receive more, when the budget allows. True when something came. */
bool drive_receive(struct binlogtail *bt);
/* Watch what has to be watched until the next turn. */
void drive_rearm(struct binlogtail *bt);
void drive_break(struct binlogtail *bt, const struct lt_err *err);
/* Close the connection and go to this state; WAITING until wake_us. */
void drive_close(struct binlogtail *bt, enum handle_state state, uint64_t wake_us);

#endif
