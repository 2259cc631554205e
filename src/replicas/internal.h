/*
 * What the files of the replicas layer share. Not for other layers.
 *
 * Layer: replicas. Thread: all of it the listener's, but for what is atomic and what `lock` guards.
 * Invariants: nothing is built while out or pay holds something, but for the answers to one command; pay_off + pay_left <= the readable end of
 *   pay_file. A session that was closed is `dead` and stays in memory until the loop comes around: whoever called what may close it looks at that.
 */
#ifndef LT_REPLICAS_INTERNAL_H
#define LT_REPLICAS_INTERNAL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "access/peers.h"
#include "access/replica_users.h"
#include "access/tls.h"
#include "channel/channel.h"
#include "feed/feed.h"
#include "feed/newest.h"
#include "mysqlwire/auth.h"
#include "mysqlwire/command.h"
#include "mysqlwire/handshake.h"
#include "mysqlwire/made_up.h"
#include "mysqlwire/reply.h"
#include "mysqlwire/statement.h"
#include "mysqlwire/substitute.h"
#include "replicas/replicas.h"
#include "replicas/user_vars.h"

#define STREAM_CHUNK    65536u /* read of a file at once; a larger event goes from the file */
#define STREAM_BATCH    (1u << 20)
#define WAIT_TIMEOUT_US 28800000000u /* a client that says nothing, as servers have it */
#define QUEUE_TURN_US   2000u        /* of one queue, before sockets and the others are looked at */
#define ADDRESS_MAX     64
#define VERSION_MAX     80

struct replicas_policy {
    struct replica_users *users;
    uint8_t (*fast)[VERIFIER_FAST_LEN]; /* by the user's index: what an earlier login left */
    bool *has_fast;
    SSL_CTX *tls;
    enum anonymous anonymous; /* not AUTO */
    uint32_t max_replicas;
    bool limit_loopback;
    uint64_t max_lag;
    uint64_t send_timeout_us;
    uint64_t login_us;
    uint64_t auth_delay_us;
    size_t input_memory;
};

enum client_state {
    CLIENT_LOGIN,     /* the greeting is out */
    CLIENT_TLS,       /* handshake */
    CLIENT_AUTH,      /* to and fro about the password */
    CLIENT_PENALTY,   /* a wrong password is answered late */
    CLIENT_COMMAND,   /* waits for a command */
    CLIENT_LOCATING,  /* walks to where the dump begins */
    CLIENT_STREAMING, /* sends */
    CLIENT_CLOSING,   /* its last packet is on the way */
};

struct login; /* login.c */
struct client_queue;

enum checksum_wish { WISH_UNSET, WISH_NONE, WISH_CRC32 };

struct stream {
    struct feed feed;
    uint64_t at;        /* behind what was put into packets, in feed.file */
    uint64_t to;        /* end of the batch */
    uint64_t large_off; /* of an event that goes in pieces: what is not in a part yet */
    uint64_t large_left;
    bool was_large; /* the event sent last went by itself */
    bool part_full; /* the part on its way has the length that says: another follows */
    uint64_t asked; /* the position asked for, for error texts */
    bool bad_place; /* it lies inside of the event at `near` */
    uint64_t near;
    char asked_file[BINLOG_NAME_MAX + 1];
    enum checksum_wish wish;
    bool crc;   /* as the file has it */
    bool first; /* no file was begun yet */

    bool clear_created; /* by GTID: what the first file begins with is held */
    bool mariadb;
    bool non_block;
    bool heartbeat_v2;
    bool annotate;         /* MariaDB: the statements beside the rows are wanted */
    unsigned capability;   /* MariaDB: which of its events the client knows */
    uint32_t server_id;    /* as the dump says it */
    uint64_t heartbeat_us; /* 0: none */
    uint64_t sent_us;
};

struct client {
    TAILQ_ENTRY(client) link;
    TAILQ_ENTRY(client) stranger;
    bool is_stranger; /* it has not logged in, and is in `strangers` */
    bool is_limited;  /* one of limited_strangers, while it is a stranger */
    struct peer_key key;
    TAILQ_ENTRY(client) turn;
    bool has_turn; /* it is in its queue */
    struct client_queue *queue;
    bool dead; /* closed, and in `graves` */
    struct replicas *r;
    enum client_state state;
    struct channel ch;
    bool wants_write;
    struct event on_read;
    struct event on_write;
    struct event on_timer;
    bool loopback;
    char host[ADDRESS_MAX];
    char address[ADDRESS_MAX + 8];
    uint32_t thread_id;
    uint32_t capabilities;
    char user[HANDSHAKE_USER_MAX + 1];
    uint64_t connected_us; /* wall clock */
    uint64_t sent_bytes;
    bool anonymous;
    unsigned char mark[32]; /* of the verifiers that it was let in by */
    struct login *login;

    uint8_t head[4]; /* of the packet that comes */
    size_t head_len;
    uint32_t part_left;
    bool part_more;
    uint8_t *in; /* its payload so far */
    size_t in_len;
    size_t in_cap;
    uint8_t seq;         /* of the last packet, theirs or ours */
    uint64_t command_us; /* since when one is coming; 0: none */
    uint64_t stray_us;
    size_t stray; /* bytes that came while it is streamed to */

    uint8_t *out;
    size_t out_len;
    size_t out_sent;
    size_t out_cap;
    struct feed_file *pay_file; /* sent behind out; borrowed of the feed */
    uint64_t pay_off;
    uint64_t pay_left;
    uint64_t progress_us; /* the socket took something */

    struct user_vars vars;
    bool registered;
    struct command_replica replica;
    struct stream st;
};

TAILQ_HEAD(client_list, client);

/* Those who have turns of one kind, and the event that gives some of them theirs. */
struct client_queue {
    struct client_list waiting;
    struct event on_run;
};

struct replicas {
    struct store *store;
    char *host;
    uint16_t wanted_port;
    _Atomic uint16_t port;
    int listen_fd;
    char server_uuid[37];
    uint32_t server_id;
    int nice;
    bool tls;
    EVP_PKEY *rsa;
    char *rsa_pem;
    pthread_t thread;
    bool started;
    bool watching; /* the store's watermark */
    struct event_base *base;
    int wake_fd;
    atomic_bool woken; /* a write to wake_fd is pending or being served */
    atomic_bool stop;
    struct event on_wake;
    struct event on_accept;
    struct event on_accept_timer;
    struct event on_pass;
    struct event on_tick;
    struct event on_view;
    uint64_t next_pass_us;
    _Atomic uint64_t fd_limit; /* connections that descriptors allow */
    struct feed_files files;
    struct feed_desk desk;
    struct newest newest;
    uint8_t *scratch; /* STREAM_CHUNK */
    pthread_mutex_t lock;
    struct replicas_policy *fresh; /* to be taken over */
    struct replicas_client *seen;  /* what view.c published, and who is to be ended */
    size_t seen_count;
    struct replicas_upstream upstream;
    uint32_t *to_end; /* thread ids */
    size_t to_end_count;
    _Atomic uint64_t max_lag; /* of the policy */
    struct replicas_policy *policy;
    struct client_list all;
    struct client_queue turns;
    struct client_queue logins;
    struct client_list graves;
    struct client_list strangers; /* who came first is first */
    size_t limited_strangers;     /* those of them whose address is not known */
    struct peers peers;
    uint32_t next_thread_id;
    size_t input_memory;
    uint64_t started_us;
    _Atomic uint64_t connected;
    _Atomic uint64_t streaming;
    _Atomic uint64_t accepted;
    _Atomic uint64_t refused;
    _Atomic uint64_t denied;
    _Atomic uint64_t slow_closed;
    _Atomic uint64_t sent_bytes;
};

/* ---- rules.c */
int rules_make(const struct replicas_options *opt, struct replicas_policy **ret, struct lt_err *err) LT_MUST_CHECK;
void rules_free(struct replicas_policy *p);
/* Of the user's verifiers: changes with them. */
bool rules_mark(const struct replicas_policy *p, const char *user, unsigned char ret[32]);
bool rules_lets_in_nameless(const struct replicas_policy *p, bool loopback);
int rules_rsa(EVP_PKEY **ret, char **ret_pem, struct lt_err *err) LT_MUST_CHECK;

/* ---- replicas.c */
/* Any thread: the listener's looks at what it was left. */
void replicas_wake(struct replicas *r);
/* What is asked of us about the log: is it MariaDB's, and which version wrote its newest file ("" while nothing is stored). */
bool replicas_flavor(struct replicas *r, bool *ret_mariadb, bool *ret_crc, char version[VERSION_MAX]);

/* ---- door.c */
int door_open(struct replicas *r, struct lt_err *err) LT_MUST_CHECK;
int door_arm(struct replicas *r, struct lt_err *err) LT_MUST_CHECK;
void door_close(struct replicas *r);
void door_on_accept_timer(evutil_socket_t fd, short what, void *arg);

/* ---- view.c. By the listener's thread */
void view_publish(struct replicas *r);
/* Soon: somebody's stream began. */
void view_soon(struct replicas *r);
void view_end_asked(struct replicas *r);

/* ---- crowd.c */
/* Connections that there may be. */
uint64_t crowd_places(const struct replicas *r);
/* For one from there; who has to go for him is gone then. */
bool crowd_has_room(struct replicas *r, const struct sockaddr_storage *from, const char **ret_why);
/* Each of these once for a connection; LT_ENOMEM: it is not counted, and leaves nothing. */
int crowd_enter(struct client *s, const struct sockaddr_storage *from) LT_MUST_CHECK;
void crowd_leave(struct client *s);
void crowd_logged_in(struct client *s);

/* ---- descriptors.c. From main. */
void descriptors_share(struct replicas *r, uint64_t replicas);
/* After a reload: raises the limit of open files where more are wanted; never fewer than before. */
void descriptors_grow(struct replicas *r, uint64_t replicas);

/* ---- client.c */
void client_begin(struct replicas *r, int fd, const struct sockaddr_storage *from);
void client_close(struct client *s, const char *why); /* why NULL: it left by itself */
void client_set_state(struct client *s, enum client_state state);
void client_arm(struct client *s, uint64_t us); /* 0: no timer */
void client_turn_later(struct client *s);
void client_queue_arm(struct client_queue *q);
/* What its stream has to say, as far as the socket takes it. */
void client_turn(struct client *s);
/* That, and what it sent to us. */
void client_go_on(struct client *s);
void client_free(struct client *s);
/* As a MySQL replica tells it; NULL: it did not. */
const char *client_uuid(const struct client *s);

/* ---- input.c: what comes */
void input_read(struct client *s);
bool input_is_wanted(const struct client *s);
/* Bytes that nobody looks at. */
bool input_is_stray(const struct client *s);
void input_drop(struct client *s);

/* ---- packets.c: what leaves */
/* False: no memory. */
bool packets_bytes(struct client *s, const void *data, size_t len);
bool packets_packet(struct client *s, const void *payload, size_t len); /* with its 4 bytes; below 16 MiB */
bool packets_event(struct client *s, const uint8_t *event, size_t len); /* 00 in front; below 16 MiB */
bool packets_part(struct client *s, uint32_t len);                      /* only the 4 bytes */
bool packets_err(struct client *s, uint16_t code, const char *state, const char *fmt, ...) LT_PRINTF(4, 5);
bool packets_reply(struct client *s, struct reply *reply); /* ends the reply */
/* LT_OK: all went out; LT_EAGAIN: on_write will come; else the peer is gone. */
int packets_flush(struct client *s, struct lt_err *err);

/* ---- login.c */
bool login_greet(struct client *s);
void login_packet(struct client *s, const uint8_t *payload, size_t len);
void login_tls(struct client *s);
void login_penalty_over(struct client *s);
void login_free(struct client *s);
void login_begin_commands(struct client *s);
void login_change_user(struct client *s, const uint8_t *payload, size_t len);

/* ---- answers.c, select.c, show.c, variables.c */
void answers_command(struct client *s, const uint8_t *payload, size_t len);
/* Appends the answer. */
void answers_query(struct client *s, const char *text, size_t len, struct reply *reply);
void select_answer(struct client *s, const struct statement *st, struct reply *reply);
/* False: not one of these. */
bool show_answer(struct client *s, const struct statement *st, struct reply *reply);

/* show_upstream.c. all: MariaDB's form for all connections */
void show_upstream(struct client *s, bool mariadb, bool all, struct reply *reply);

enum variable_found { VARIABLE_UNKNOWN, VARIABLE_VALUE, VARIABLE_FAILED };
/* *ret is malloc'd. */
enum variable_found variables_get(struct replicas *r, const char *name, char **ret);
/* May a client set it for itself, with nothing behind it? */
bool variables_may_set(const char *name);
/* Calls fn for all that this flavour has and that fit the pattern of LIKE; NULL: all. */
void variables_each(struct replicas *r, const char *like, void (*fn)(void *arg, const char *name, const char *value),
                    void *arg);
bool like_fits(const char *text, const char *pattern);

/* ---- dump.c */
void dump_answer(struct client *s, const struct command_dump *cmd);
void dump_locate(struct client *s);
/* It has its place: the stream begins. */
void dump_from_here(struct client *s);

/* ---- dump_state.c: MariaDB. until may be NULL */
void dump_by_state(struct client *s, const char *state, const char *until);

/* ---- stream.c */
enum stream_step { STREAM_BUILT, STREAM_WAIT, STREAM_YIELD, STREAM_END };
enum stream_step stream_step(struct client *s);
void stream_heartbeat(struct client *s);
void stream_close(struct client *s);
/* An error 1236, and the end. */
enum stream_step stream_fail(struct client *s, const char *fmt, ...) LT_PRINTF(2, 3);

/* ---- stream_substitute.c: MariaDB's events, for clients that do not know them all */
/* p: an event, of which `len` bytes are there. */
enum substitute stream_substitute(const struct stream *st, const uint8_t *p, size_t len);
/* In place of the event, which is overwritten; STREAM_END: refused. */
enum stream_step stream_send_substitute(struct client *s, uint8_t *event, size_t len, enum substitute how);
/* The same for one of `length` bytes at the stream's place, which no chunk holds. */
enum stream_step stream_substitute_large(struct client *s, uint32_t length, enum substitute how);

/* ---- stream_made_up.c. False: no memory. */
bool say_rotate(struct client *s, bool crc, const char *file, uint64_t pos);
bool say_heartbeat(struct client *s, uint64_t pos);
/* The file's format description with what servers change for this place: in the middle, or what it begins with is held. */
bool say_format(struct client *s, const uint8_t *fde, size_t len, bool middle);
/* What was left out ends here. */
bool say_skipped(struct client *s, uint64_t pos);
/* MariaDB: the end that was asked for is reached. */
bool say_until(struct client *s, uint64_t pos);

#endif
