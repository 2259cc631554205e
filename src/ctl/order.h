/*
 * A command that changes something: it goes out with an id that says until when it may be begun, so that what was not begun in time never is,
 * and what was can be asked for later (`outcome ID`).
 *
 * Layer: ctl. Thread: main. Borrows: client. Errors: as client_ask; order->state says what is known of the order then.
 */
#ifndef LT_CTL_ORDER_H
#define LT_CTL_ORDER_H

#include "base/order_id.h"
#include "ctl/arguments.h"
#include "ctl/client.h"

enum order_state {
    ORDER_ANSWERED,
    ORDER_NOT_DONE, /* for certain: nobody can have read it whole */
    ORDER_UNKNOWN,  /* it may have been begun in time; it will not be any more */
    ORDER_OPEN,     /* to an older logtailerd, without an id: it may even be begun later */
};

struct order {
    char id[ORDER_ID_MAX];
    enum order_state state;
};

/* Everything is an order but what is known to change nothing. */
bool order_is_one(const struct arguments *args);

/* line: the command as client_join_words made it. The others as client_ask. */
int order_give(struct client *client, const char *line, uint64_t timeout_us, struct order *order, json_t **ret_answer,
               char **ret_text, struct lt_err *err) LT_MUST_CHECK;

#endif
