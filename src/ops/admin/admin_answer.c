/*
 * What is said to a client: answers, errors, the list of commands, and answers that come later.
 *
 * - A reply that is to come later is an object of its own: the connection and the reply know each other, and whichever goes first tells
 *   the other.
 * Failure: an answer that cannot be written closes the connection.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/clock.h"
#include "ops/admin/admin_internal.h"

const char *admin_error_code(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {LT_EINVAL, "bad_arguments"}, {LT_ENOTFOUND, "not_found"},      {LT_EBUSY, "busy"},
        {LT_ETIMEOUT, "timeout"},     {LT_EFENCED, "fenced"},           {LT_ESTOPPED, "stopping"},
        {LT_EAGAIN, "not_now"},       {LT_EUNSUPPORTED, "unsupported"}, {LT_EFULL, "disk_full"},
        {LT_ESYNC, "disk_failed"},    {LT_EDIVERGED, "diverged"},       {LT_EGAP, "gap"},
        {LT_ETOOBIG, "too_big"},      {LT_ENOMEM, "out_of_memory"},     {LT_ECORRUPT, "store_corrupt"},
        {LT_ECLOSED, "connect"},      {LT_ENOFILES, "no_descriptors"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return "internal";
}

static const char sorry[] = "{\"error\":{\"code\":\"internal\",\"message\":\"the answer could not be written\"}}";

void admin_answer_text(struct conn *conn, const char *text)
{
    if (evbuffer_add(conn->out, text, strlen(text)) != 0 || evbuffer_add(conn->out, "\n", 1) != 0)
        admin_close_conn(conn);
}

/* Takes the reference. */
void admin_answer(struct conn *conn, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    const char *line = text != NULL ? text : sorry;
    json_decref(json);
    if (conn->order != NULL)
        admin_order_finish(conn->order, line);
    admin_answer_text(conn, line);
    free(text);
}

/* Takes the reference. NULL: out of memory. */
static json_t *describe_error(const char *code, const char *message, json_t *details)
{
    json_t *text = json_string(message);
    if (text == NULL) /* what the client sent need not be UTF-8, JSON must be */
        text = json_string("(the message is not UTF-8)");
    json_t *json = json_pack("{s:{s:s, s:o}}", "error", "code", code, "message", text);
    if (json != NULL && details != NULL)
        (void)json_object_set(json, "details", details);
    json_decref(details);
    return json;
}

/* Takes the reference to details, which may be NULL. */
void admin_answer_error(struct conn *conn, const char *code, const char *message, json_t *details)
{
    admin_answer(conn, describe_error(code, message, details));
}

json_t *admin_list_commands(const struct admin *admin)
{
    json_t *list = json_array();
    for (size_t i = 0; i < admin->n_commands; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", admin->table[i].name, "help", admin->table[i].help));
    static const char *const own[][2] = {
        {"order", "ID COMMAND...: begins the command in time or never, and once; ID is BOOT-SENT-WITHIN-RANDOM"},
        {"outcome", "ID: what became of that order"},
        {"help", "lists the commands"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "name", own[i][0], "help", own[i][1]));
    return json_pack("{s:o}", "commands", list);
}

struct admin_reply *admin_new_reply(struct conn *conn)
{
    lt_assert(conn->reply == NULL);
    struct admin_reply *reply = calloc(1, sizeof *reply);
    if (reply == NULL)
        return NULL;
    reply->conn = conn;
    reply->order = admin_order_ref(conn->order);
    conn->reply = reply;
    return reply;
}

struct admin_reply *admin_reply_later(struct admin *admin)
{
    lt_assert(admin->running != NULL);
    return admin_new_reply(admin->running);
}

/* The connection goes on with what it has sent meanwhile. */
static struct conn *end_reply(struct admin_reply *reply)
{
    static const struct timeval soon = {0};
    struct conn *conn = reply->conn;
    free(reply);
    if (conn == NULL)
        return NULL;
    conn->reply = NULL;
    conn->answered = conn->admin->running == conn;
    if (conn->dead)
        return NULL;
    (void)event_add(conn->ev_more, &soon);
    return conn;
}

bool admin_reply_is_wanted(const struct admin_reply *reply)
{
    if (reply->conn == NULL || reply->conn->dead)
        return false;
    struct pollfd p = {.fd = reply->conn->fd}; /* not POLLRDHUP: that comes with a half-close, too */
    return poll(&p, 1, 0) <= 0 || (p.revents & (POLLHUP | POLLERR)) == 0;
}

bool admin_reply_in_time(const struct admin_reply *reply)
{
    return reply->order == NULL || clock_mono_us() < reply->order->deadline_us;
}

void admin_reply_text(struct admin_reply *reply, const char *text)
{
    struct order *order = reply->order;
    struct conn *conn = end_reply(reply);
    if (conn != NULL) {
        admin_answer_text(conn, text);
        admin_flush(conn);
    }
    if (order != NULL)
        admin_order_finish(order, text);
    admin_order_unref(order);
}

/* Takes the reference. */
static void reply_with(struct admin_reply *reply, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    admin_reply_text(reply, text != NULL ? text : sorry);
    free(text);
}

void admin_reply_send(struct admin_reply *reply, json_t *answer)
{
    reply_with(reply, answer != NULL ? answer : json_pack("{s:b}", "ok", 1));
}

void admin_reply_error(struct admin_reply *reply, const char *code, const char *message, json_t *details)
{
    reply_with(reply, describe_error(code, message, details));
}
