/*
 * What can go wrong:
 * - the order came too late (we were stopped, or busy): not begun, and who asks later is told so for certain;
 * - the client has gone before the answer: the record has it;
 * - the id is older than this process, or forgotten: unknown, and never called "not begun".
 */
#include "ops/admin/admin_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "ops/admin/admin_internal.h"

#define CLOCK_SLACK_US 1000000U

void admin_book_open(struct order_book *book)
{
    book->boot = order_id_boot();
    book->since_us = clock_mono_us();
}

struct order *admin_order_ref(struct order *order)
{
    if (order != NULL)
        order->refs++;
    return order;
}

void admin_order_unref(struct order *order)
{
    if (order == NULL || --order->refs > 0)
        return;
    lt_assert(SLIST_EMPTY(&order->asking));
    free(order->answer);
    free(order);
}

static void tell_askers(struct order *order, const char *answer)
{
    struct admin_reply *reply = NULL;
    while ((reply = SLIST_FIRST(&order->asking)) != NULL) {
        SLIST_REMOVE_HEAD(&order->asking, asking);
        admin_reply_text(reply, answer);
    }
}

static void drop(struct order_book *book, size_t at)
{
    static const char gone[] = "{\"error\":{\"code\":\"outcome_unknown\",\"message\":\"too many orders came since, and "
                               "its outcome is not kept: status shows what is in force\"}}";
    struct order *order = book->orders[at];
    book->n--;
    memmove(&book->orders[at], &book->orders[at + 1], (book->n - at) * sizeof(struct order *));
    order->book = NULL;
    book->bytes -= order->answer != NULL ? strlen(order->answer) : 0;
    if (order->sent_us > book->forgotten_us)
        book->forgotten_us = order->sent_us;
    tell_askers(order, gone);
    admin_order_unref(order);
}

void admin_book_close(struct order_book *book)
{
    while (book->n > 0)
        drop(book, book->n - 1);
}

/* Finished ones first: of those that are carried out somebody may still want to know. */
static void make_room(struct order_book *book)
{
    while (book->n > ADMIN_ORDERS_KEPT || (book->n > 1 && book->bytes > ADMIN_OUTCOMES_MAX)) {
        size_t at = 0;
        while (at < book->n && book->orders[at]->answer == NULL)
            at++;
        drop(book, at < book->n ? at : 0);
    }
}

static size_t place_of(const struct order_book *book, const char *id)
{
    size_t at = 0;
    while (at < book->n && strcmp(book->orders[at]->id, id) != 0)
        at++;
    return at;
}

void admin_order_finish(struct order *order, const char *answer)
{
    struct order_book *book = order->book;
    if (order->answer != NULL)
        return;
    order->answer = strdup(answer);
    tell_askers(order, answer);
    if (book == NULL)
        return;
    if (order->answer == NULL) { /* out of memory: unknown from now on */
        drop(book, place_of(book, order->id));
        return;
    }
    book->bytes += strlen(answer);
    make_room(book);
}

static struct order *find(struct order_book *book, const char *id)
{
    size_t at = place_of(book, id);
    return at < book->n ? book->orders[at] : NULL;
}

static void tell(struct conn *conn, struct order *order)
{
    if (order->answer != NULL) {
        admin_answer_text(conn, order->answer);
        return;
    }
    struct admin_reply *reply = order->n_asking < ADMIN_ASKING_MAX ? admin_new_reply(conn) : NULL;
    if (reply == NULL) {
        admin_answer_error(conn, "outcome_unknown", "begun, and still being carried out: ask again", NULL);
        return;
    }
    order->n_asking++;
    SLIST_INSERT_HEAD(&order->asking, reply, asking);
    (void)event_del(conn->ev_read);
}

/* False: refused. */
static bool take_id(struct conn *conn, const char *text, struct order_id *ret)
{
    if (order_id_parse(text, ret) == LT_OK)
        return true;
    admin_answer_error(conn, "bad_arguments", "that is no order's id: BOOT-SENT-WITHIN-RANDOM, in hexadecimal", NULL);
    return false;
}

static bool is_of_our_clock(const struct order_book *book, const struct order_id *id, uint64_t now)
{
    return id->boot == book->boot && id->sent_us <= now + CLOCK_SLACK_US;
}

static struct order *add(struct order_book *book, const char *text, const struct order_id *id)
{
    struct order *order = calloc(1, sizeof *order);
    if (order == NULL)
        return NULL;
    (void)snprintf(order->id, sizeof order->id, "%s", text);
    SLIST_INIT(&order->asking);
    order->refs = 2; /* the book's and the caller's */
    order->book = book;
    order->sent_us = id->sent_us;
    order->deadline_us = order_id_deadline_us(id);
    book->orders[book->n++] = order;
    make_room(book);
    return order;
}

struct order *admin_order_begin(struct conn *conn, const char *text)
{
    struct order_book *book = &conn->admin->book;
    struct order_id id;
    char why[200];
    uint64_t now = clock_mono_us();
    if (!take_id(conn, text, &id))
        return NULL;
    if (!is_of_our_clock(book, &id, now)) {
        admin_answer_error(conn, "other_clock", "not begun: its id is of another boot, or of another clock than ours",
                           NULL);
        return NULL;
    }
    struct order *order = find(book, text);
    if (order != NULL) { /* given twice, done once */
        tell(conn, order);
        return NULL;
    }
    if (now >= order_id_deadline_us(&id)) {
        (void)snprintf(why, sizeof why, "not begun: it was read %.1f s after its time was over",
                       (double)(now - order_id_deadline_us(&id)) / 1e6);
        admin_answer_error(conn, "not_begun", why, NULL);
        return NULL;
    }
    order = id.sent_us > book->forgotten_us ? add(book, text, &id) : NULL;
    if (order == NULL)
        admin_answer_error(conn, "not_begun", "not begun: too many orders at once, or no memory; give it again", NULL);
    return order;
}

void admin_order_ask(struct conn *conn, const char *text)
{
    struct order_book *book = &conn->admin->book;
    struct order_id id;
    char why[200];
    uint64_t now = clock_mono_us();
    if (!take_id(conn, text, &id))
        return;
    struct order *order = find(book, text);
    uint64_t deadline = order_id_deadline_us(&id);
    if (order != NULL) {
        tell(conn, order);
    } else if (!is_of_our_clock(book, &id, now) || id.sent_us <= book->since_us) {
        admin_answer_error(conn, "outcome_unknown",
                           "the order is older than this logtailerd, which has started since: status shows what is in "
                           "force",
                           NULL);
    } else if (id.sent_us <= book->forgotten_us) {
        admin_answer_error(conn, "outcome_unknown",
                           "too many orders came since, and its outcome is not kept: status shows what is in force",
                           NULL);
    } else if (now < deadline) {
        (void)snprintf(why, sizeof why, "not begun; within %.1f s it may still be: ask again then",
                       (double)(deadline - now) / 1e6);
        admin_answer_error(conn, "outcome_unknown", why, NULL);
    } else {
        admin_answer_error(conn, "not_begun", "not begun: it was not read in time, and will not be carried out", NULL);
    }
}
