/*
 * The daemon's parts without the daemon: a store on a simulated disk that can hang, ops with its admin socket, an ingest thread that finds nobody to
 * connect to, and a client. What the tests of fence, repoint, purge and drain share.
 * Layer: tests/unit/ops. Thread: the test's main thread.
 */
#ifndef LT_TESTS_FENCE_SITE_H
#define LT_TESTS_FENCE_SITE_H

#include "cunit_main.h"
#include "ops/fence/fence_state.h"
#include "ops/ops.h"
#include "store_test.h"

struct event;

struct site {
    struct vfs_sim *sim;
    struct event_base *base;
    struct event *tick;
    struct store *store;
    struct ack_gate gate;
    struct ops *ops;
    struct ingest *ingest;
    bool stopped;
    bool needs; /* a consumer needs the first file */
};

/* fsync hangs from now on, or no longer. */
void site_set_hanging(bool on);
/* Only ops over an open store. */
int site_open_ops(struct site *s, struct lt_err *err);
/* Store, ops, ingest; down takes them down, the disk stays. */
bool site_up(struct site *s);
void site_down(struct site *s);
/* A fresh disk whose store has three files of one history, and up. */
void site_begin(struct site *s);
void site_end(struct site *s);
/* The client's socket. */
int site_send_line(const char *line);
/* Runs the loop until the answer is there. The caller calls json_decref. */
json_t *site_receive(struct site *s, int fd);
json_t *site_ask(struct site *s, const char *line);
const char *site_error_of(const json_t *answer);
bool site_yes(const json_t *answer, const char *key);
/* The answer is an error of this code. */
void site_expect(struct site *s, const char *line, const char *code);
/* What a power cut would leave of DIR/fence. ret: to be freed in any case. */
bool site_on_disk(struct site *s, struct fence_state *ret);
size_t site_fenced_on_disk(struct site *s);
/* The gate, to the source of the store. */
bool site_closed(struct site *s);
/* Until status says so, at most half a minute. */
bool site_wait_persisted(struct site *s);
/* The order again and again until it is on disk and the log is final: threads may get their turn late. */
json_t *site_fence(struct site *s, const char *line);
/* The same with an empty store. */
void site_begin_empty(struct site *s);
/* As a reload does it. */
void site_set_retention(struct site *s, uint64_t bytes);
/* Run the cases in a temporary folder. */
int site_main(const char *suite, const struct test_case *cases, size_t n);

#endif
