/* What the files of the admin socket share: its objects. Not for others. Layer: ops/admin. Thread: main. */
#ifndef LT_OPS_ADMIN_INTERNAL_H
#define LT_OPS_ADMIN_INTERNAL_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "ops/admin/admin.h"
#include "ops/admin/admin_order.h"

struct event;
struct evbuffer;
struct conn;

struct conn {
    LIST_ENTRY(conn) link;
    struct admin *admin;
    int fd;
    struct event *ev_read;
    struct event *ev_write;
    struct event
        *ev_more; /* lines that wait for the next turn; a timer, since an activated event would run in this one */
    struct evbuffer *in;
    struct evbuffer *out;
    bool cut;                  /* the line that is run had no line end */
    bool eof;                  /* the client will send nothing more */
    bool closing;              /* close when out is empty; nothing more is read */
    bool dead;                 /* freed at the end of the turn */
    bool answered;             /* the reply that was to come later came inside run */
    struct admin_reply *reply; /* the answer that is to come, or NULL */
    struct order *order;       /* being begun, whose answer comes next; or NULL */
    uint64_t active;           /* admin->acts at its begin, or when its last whole line was run */
};

struct admin_reply {
    struct conn *conn;               /* NULL: it is gone */
    struct order *order;             /* what it is the answer of, or NULL */
    SLIST_ENTRY(admin_reply) asking; /* for an order's outcome */
};

struct admin {
    struct event_base *base;
    char *path;
    unsigned mode;
    char *group; /* NULL: the process's own */
    struct stat file;
    int fd; /* -1: not had yet */
    char trouble[200];
    struct event *ev_accept;
    struct event *ev_resume; /* timer: the listener rests, or is tried for again */
    struct event *ev_reap;
    const struct admin_command *table;
    size_t n_commands;
    void *arg;
    struct timeval write_deadline;
    struct order_book book;
    struct conn *running; /* whose command is in run */
    LIST_HEAD(, conn) conns;
    size_t n_conns;
    uint64_t acts; /* connections and lines so far */
    uint64_t shed; /* connections closed to make room */
};

/* admin_conn.c */
int admin_add_conn(struct admin *admin, int fd) LT_MUST_CHECK; /* takes fd */
void admin_free_conn(struct conn *conn);                       /* off the list */
void admin_close_conn(struct conn *conn);                      /* idempotent */
void admin_flush(struct conn *conn);

/* admin_answer.c: a line into the connection's output. Both take the references; details may be NULL. */
void admin_answer(struct conn *conn, json_t *json);
void admin_answer_error(struct conn *conn, const char *code, const char *message, json_t *details);
/* text: a line without its end. */
void admin_answer_text(struct conn *conn, const char *text);
void admin_reply_text(struct admin_reply *reply, const char *text);
struct admin_reply *admin_new_reply(struct conn *conn); /* NULL: out of memory */
json_t *admin_list_commands(const struct admin *admin);

#endif
