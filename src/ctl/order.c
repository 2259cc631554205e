#include "ctl/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jpath.h"
#include "ctl/commands.h"

#define ANSWER_MARGIN_US 500000U
#define LEAST_WAIT_US    10000U

bool order_is_one(const struct arguments *args)
{
    const struct command *known = command_find(args->words[0]);
    bool lists = strcmp(args->words[0], "consumers") == 0 || strcmp(args->words[0], "replicas") == 0;
    bool has_verb = lists && args->n_words > 1; /* consumers forget NAME */
    return known == NULL || !known->looks || has_verb;
}

/* A part of the time is left for the answer: one who begins at the last moment should still be heard. */
static uint64_t begin_within(uint64_t timeout_us)
{
    uint64_t margin = timeout_us / 4;
    return timeout_us - (margin < ANSWER_MARGIN_US ? margin : ANSWER_MARGIN_US);
}

/* It knows no orders, or cannot judge the id: in both cases it has begun nothing. */
static bool takes_no_id(const json_t *answer)
{
    const char *code = jpath_text(answer, "error.code", "");
    return strcmp(code, "other_clock") == 0 ||
           (strcmp(code, "unknown_command") == 0 &&
            strstr(jpath_text(answer, "error.message", ""), "no command order;") != NULL);
}

static enum order_state state_after(const struct client *client, int rc, enum order_state unknown)
{
    if (rc == LT_OK)
        return ORDER_ANSWERED;
    return client->went_out ? unknown : ORDER_NOT_DONE;
}

static int give_plainly(struct client *client, const char *line, uint64_t timeout_us, struct order *order,
                        json_t **ret_answer, char **ret_text, struct lt_err *err)
{
    order->id[0] = '\0';
    int rc = client_ask(client, line, timeout_us, ret_answer, ret_text, err);
    order->state = state_after(client, rc, ORDER_OPEN);
    return rc;
}

int order_give(struct client *client, const char *line, uint64_t timeout_us, struct order *order, json_t **ret_answer,
               char **ret_text, struct lt_err *err)
{
    char *with_id = NULL;
    uint64_t begun_us = clock_mono_us();
    *order = (struct order){.state = ORDER_NOT_DONE};
    order_id_make(begin_within(timeout_us), order->id);
    if (asprintf(&with_id, "order %s %s", order->id, line) < 0)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    int rc = client_ask(client, with_id, timeout_us, ret_answer, ret_text, err);
    free(with_id);
    order->state = state_after(client, rc, ORDER_UNKNOWN);
    if (rc != LT_OK || !takes_no_id(*ret_answer))
        return rc;
    json_decref(*ret_answer);
    free(*ret_text);
    *ret_answer = NULL;
    *ret_text = NULL;
    uint64_t gone_us = clock_mono_us() - begun_us;
    uint64_t left_us = gone_us + LEAST_WAIT_US < timeout_us ? timeout_us - gone_us : LEAST_WAIT_US;
    return give_plainly(client, line, left_us, order, ret_answer, ret_text, err);
}
