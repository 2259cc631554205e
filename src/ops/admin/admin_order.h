/*
 * Orders with an id: begun in time or never, each once, and their outcomes kept for who did not get the answer.
 *
 * Layer: ops/admin. Thread: main. Owns: the records; those still carried out belong to their reply, too, and outlive the book.
 * Limits: the last ADMIN_ORDERS_KEPT orders, ADMIN_OUTCOMES_MAX bytes of answers, ADMIN_ASKING_MAX
 *   who wait for the outcome of the same one. What was forgotten is told as unknown.
 * Not for other rooms.
 */
#ifndef LT_OPS_ADMIN_ORDER_H
#define LT_OPS_ADMIN_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/order_id.h"

#define ADMIN_ORDERS_KEPT  256
#define ADMIN_OUTCOMES_MAX (4U << 20)
#define ADMIN_ASKING_MAX   8

struct conn;
struct admin_reply;

struct order {
    unsigned refs;           /* of the book, and of who carries it out */
    struct order_book *book; /* NULL: forgotten, or the book is closed */
    char id[ORDER_ID_MAX];
    uint64_t sent_us;
    uint64_t deadline_us;
    char *answer; /* NULL: it is being carried out */
    SLIST_HEAD(, admin_reply) asking;
    unsigned n_asking;
};

struct order_book {
    struct order *orders[ADMIN_ORDERS_KEPT + 1]; /* the oldest first */
    size_t n;
    size_t bytes;
    uint32_t boot;
    uint64_t since_us;     /* nothing that was sent before came here */
    uint64_t forgotten_us; /* of what was sent up to then some is forgotten */
};

void admin_book_open(struct order_book *book);
void admin_book_close(struct order_book *book);

/* text: the id. NULL: refused, or the outcome of one with this id was answered (or will be). Else the caller has a reference, and begins it now. */
struct order *admin_order_begin(struct conn *conn, const char *text);
/* What became of it: answered now, or once it is there. */
void admin_order_ask(struct conn *conn, const char *text);
/* The first answer counts. */
void admin_order_finish(struct order *order, const char *answer);
struct order *admin_order_ref(struct order *order); /* NULL is fine */
void admin_order_unref(struct order *order);        /* NULL is fine */

#endif
