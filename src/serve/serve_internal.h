/*
 * What the files of the serve layer share. Not for other layers.
 *
 * Layer: serve. Thread: struct serve is shared (see each field); a worker and its sessions belong to one thread, but for what `pub_lock` guards
 *   and the mailbox.
 * Owns: see each field.
 * Invariants: a session is in exactly one list of its worker or in none; out_len == 0 and pay_left == 0 before a frame is built;
 *   pay_off + pay_left <= readable end of pay_file.
 */
#ifndef LT_SERVE_INTERNAL_H
#define LT_SERVE_INTERNAL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "access/peers.h"
#include "access/tls.h"
#include "access/users.h"
#include "channel/channel.h"
#include "feed/feed.h"
#include "feed/newest.h"
#include "feed/places.h"
#include "serve/names.h"
#include "serve/request.h"
#include "serve/serve.h"

_Static_assert(SERVE_USER_MAX == USERS_NAME_MAX, "one length of names");

#define SERVE_THREADS_MAX 16u
#define SERVE_LINGER_US   1000000u /* after an Error: the peer's time to read it */

/* What a reload replaces as a whole; counted, so that a session may go on using what it has. */
struct serve_policy {
    _Atomic unsigned refs;
    uint64_t generation; /* counts reloads; set before others see it */
    struct users *users;
    SSL_CTX *tls;
    bool client_certificates;
    enum anonymous anonymous; /* not AUTO */
    bool clear_tokens;        /* they come over a network without TLS */
    uint32_t max_consumers;
    uint32_t max_per_address; /* 0: none */
    bool limit_loopback;
    uint64_t heartbeat_us;
    uint64_t send_timeout_us;
    uint64_t consumer_max_lag;
    uint64_t consumer_max_age_us; /* 0: nobody is forgotten */
    uint64_t memory;
    uint32_t max_names;
    uint32_t max_names_per_user;
    uint64_t handshake_us;
    uint64_t auth_delay_us;
};

/* By what a session is who it is. */
enum session_proof { PROOF_NONE /* nobody */, PROOF_TOKEN, PROOF_CERTIFICATE };

enum session_state {
    SESSION_PEEK,      /* TLS listener: is it TLS at all? */
    SESSION_TLS,       /* handshake */
    SESSION_HELLO,     /* waits for Hello */
    SESSION_PENALTY,   /* a wrong token is answered late */
    SESSION_READY,     /* waits for Subscribe */
    SESSION_LOCATING,  /* walks to where it begins */
    SESSION_STREAMING, /* sends */
    SESSION_CLOSING,   /* its last frame is on the way */
    SESSION_LINGER,    /* the peer's time to read it */
};

TAILQ_HEAD(session_list, session);

struct session_error {
    int code; /* Logtailer__Tail__ErrorCode */
    uint32_t retry_after_ms;
    char message[256];
};

/* What others may see; under the worker's pub_lock. */
struct session_public {
    enum session_state state;
    struct feed_file *file; /* NULL: nothing yet; held by the session */
    uint64_t offset;
    uint64_t sent_bytes;
    uint64_t sent_batches;
    char name[CONSUMER_NAME_MAX + 1];
    char user[SERVE_USER_MAX + 1];
    char agent[64];
    uint64_t memory; /* what its requests make us hold */
    bool shed;       /* it is on its way out for that, and counts no more */
};

struct session {
    TAILQ_ENTRY(session) link;
    struct session_list *list; /* of the worker's; NULL: none */
    struct worker *w;
    uint32_t slot;
    uint64_t id;
    enum session_state state;
    struct channel ch;
    bool wants_write; /* on_write is added */
    struct event on_read;
    struct event on_write;
    struct event on_timer;
    struct peer_key key;
    bool loopback;
    enum session_proof proof;
    unsigned char mark[USERS_MARK_LEN]; /* PROOF_TOKEN: of the user's line */
    uint64_t judged;                    /* generation of the policy that let it in, or of its handshake so far */
    bool stranger;                      /* counted as one that has not said who it is */
    char address[SERVE_ADDRESS_MAX];
    uint64_t connected_us; /* wall */
    struct session_public pub;

    uint8_t *in; /* a frame that is not there whole */
    size_t in_len;
    size_t in_cap;

    uint8_t *out; /* a frame's header and message */
    size_t out_len;
    size_t out_sent;
    struct feed_file *pay_file; /* its payload, sent after them; borrowed of the feed */
    uint64_t pay_off;
    uint64_t pay_left;
    uint64_t sent_us;            /* the last frame was built */
    uint64_t progress_us;        /* the socket took something */
    uint64_t blocked_us;         /* progress_us as of its place in `blocked` */
    struct session_error *error; /* to be sent; then the end */
    struct consumer_state *committed;
    bool beat; /* a heartbeat is due */
    bool last; /* what is in out is the last frame */

    bool named;
    struct feed feed; /* its place, and what is next */
};

enum mail_kind { MAIL_SOCKET, MAIL_TAKEN_OVER, MAIL_ENDED, MAIL_COMMITTED, MAIL_SHED };

struct mail {
    struct mail *next;
    enum mail_kind kind;
    struct session_ref to;
    int fd; /* MAIL_SOCKET */
    bool stranger;
    struct sockaddr_storage from;
    int rc; /* MAIL_COMMITTED */
    struct consumer_state state;
};

struct worker {
    struct serve *s;
    unsigned index;
    pthread_t thread;
    bool started;
    struct event_base *base;
    int wake_fd;
    atomic_bool woken; /* a write to wake_fd is pending or being served */
    struct event on_wake;
    struct event on_pass; /* a later pass over those that wait */
    struct event on_run;
    struct event on_tick;
    struct feed_desk desk;
    uint8_t *scratch;      /* CHANNEL_TLS_CHUNK bytes */
    struct newest newest;  /* as of the last pass */
    uint64_t pass_us;      /* when the last pass began */
    uint64_t next_pass_us; /* not before, with many consumers */
    uint64_t heartbeat_us; /* the policy's, as of the last tick */
    struct event on_judge;
    uint64_t judging; /* generation that sessions are or were last judged by */
    size_t judge_at;  /* slot */
    unsigned ended;   /* by that */

    struct session_list ready;   /* have a turn to come */
    struct session_list quiet;   /* at the watermark; by sent_us */
    struct session_list blocked; /* their socket is full; by progress_us */
    struct session **slots;
    size_t n_slots;
    size_t free_slot; /* all below are taken */
    _Atomic uint64_t count;
    bool stopping;
    uint64_t stop_at_us;

    pthread_mutex_t pub_lock; /* slots' membership and each session's pub */
    pthread_mutex_t mail_lock;
    struct mail *mail_first;
    struct mail *mail_last;
};

struct serve {
    struct store *store;
    char *agent;
    char *host; /* to listen on */
    uint16_t wanted_port;
    int listen_fd;            /* worker 0's; -1: not had yet */
    _Atomic uint16_t port;    /* 0: not had yet */
    char listen_trouble[200]; /* under policy_lock */
    bool tls;
    int nice;
    uint64_t stop_us;
    unsigned n_workers;
    struct worker workers[SERVE_THREADS_MAX];
    struct feed_files files;
    struct names names;
    bool names_open;
    uint64_t looked_us;      /* serve_tick */
    uint64_t looked_refused; /* refused as of then */
    struct peers peers;
    pthread_mutex_t policy_lock;
    struct serve_policy *policy;
    _Atomic uint64_t generation; /* the policy's */
    _Atomic uint64_t fd_limit;   /* connections that descriptors allow */
    uint64_t fd_others;          /* descriptors that other listeners may take */
    atomic_bool stop;
    _Atomic uint64_t next_id;
    _Atomic uint64_t sessions;
    _Atomic uint64_t strangers; /* sessions that have not said who they are, from addresses that nobody knows */
    _Atomic uint64_t memory;    /* session_public.memory of all that are not shed */
    _Atomic uint64_t source_time_us;
    atomic_bool accept_paused;
    atomic_bool accept_room; /* a session ended meanwhile */
    struct event on_accept;  /* worker 0's loop */
    struct event on_accept_timer;
    /* counters */
    _Atomic uint64_t accepted, refused, auth_failures, errors, slow_closed, shed, accept_pauses, sent_bytes,
        sent_batches;
};

/* ---- policy.c */
int policy_make(const struct serve_options *opt, struct serve_policy **ret, struct lt_err *err) LT_MUST_CHECK;
void policy_tell(const struct serve_policy *p);   /* in the log: who gets in without a user */
struct serve_policy *policy_get(struct serve *s); /* then policy_put */
void policy_put(struct serve_policy *p);
uint64_t policy_places(const struct serve *s, const struct serve_policy *p); /* connections at one time */

/* ---- room.c: descriptors */
void room_make(struct serve *s, uint32_t consumers); /* main, or before there are threads; raises the limit */
int room_check(const struct serve *s, uint32_t consumers,
               struct lt_err *err) LT_MUST_CHECK; /* could there be so many? LT_EINVAL: says how many */

/* ---- listen.c: on worker 0's loop */
int listen_open(struct serve *s, struct lt_err *err) LT_MUST_CHECK; /* s->host, s->wanted_port */
void listen_get_trouble(struct serve *s, char *buf, size_t cap);    /* why there is no listener; "": there is one */
int listen_arm(struct serve *s, uint64_t after_us, struct lt_err *err) LT_MUST_CHECK;
void listen_close(struct serve *s);
void listen_room(struct serve *s); /* a descriptor became free: any thread */
void listen_resume(struct serve *s);

/* ---- worker.c */
int worker_init(struct serve *s, unsigned index, struct lt_err *err) LT_MUST_CHECK;
int worker_start(struct worker *w, struct lt_err *err) LT_MUST_CHECK;
void worker_fini(struct worker *w);
void worker_wake(struct worker *w); /* any thread; at most one write until it is served */
void worker_post(struct worker *w, struct mail *m);
void worker_run_soon(struct worker *w);
void session_move(struct session *s, struct session_list *to); /* NULL: out of all; kept in order by time */
struct session *worker_find(struct worker *w, struct session_ref ref);

/* ---- session.c: life */
/* Takes the socket that hand_over counted, or closes it. */
void session_accept(struct worker *w, int fd, const struct sockaddr_storage *from, bool stranger);
void session_settled(struct session *s); /* it has said who it is */
void session_free(struct session *s, bool reset);
void session_set_state(struct session *s, enum session_state state);
struct session_ref session_ref_of(const struct session *s);
void session_arm_timer(struct session *s, uint64_t us);
void session_publish_place(struct session *s);
void session_drop_stream(struct session *s);
const char *session_state_name(enum session_state state);

/* ---- session_input.c */
void session_input(struct session *s, const uint8_t *data, size_t len);

/* ---- session_memory.c: what requests make us hold */
void session_charge(struct session *s); /* after its input; may end in session_fail */
void session_uncharge(struct session *s);
void session_shed(struct session *s); /* MAIL_SHED */

/* ---- session_request.c */
void session_hello(struct session *s, const tail_hello *m);
void session_commit(struct session *s, const tail_commit *m);
bool nobody_may_come(const struct session *s, const struct serve_policy *p);

/* ---- judge.c: who may stay after a reload */
/* False: an Error is on its way. */
bool session_judge(struct session *s, const struct serve_policy *p);
int judge_init(struct worker *w, struct lt_err *err) LT_MUST_CHECK;
/* When there is another policy, all sessions of the worker are judged by it, a bounded time at once. */
void judge_if_due(struct worker *w);

/* ---- session_start.c: where a subscription begins */
void session_subscribe(struct session *s, const tail_subscribe *m);
struct places_wanted wanted_place(const tail_position *pos); /* borrows of pos, which may be NULL */
/* LOCATING: one turn. */
void session_locate(struct session *s);

/* ---- session_out.c: frames and errors */
/* The error goes out when the frame on the way has; retry_after_ms 0: retrying does not help. */
void session_fail(struct session *s, int code, uint32_t retry_after_ms, const char *fmt, ...) LT_PRINTF(4, 5);
void session_fail_err(struct session *s, const struct lt_err *err); /* of the store */
void session_fail_place(struct session *s, enum places_verdict verdict, const char *why);
bool out_build(struct session *s, uint8_t type, const ProtobufCMessage *m, uint32_t payload_len);
/* LT_OK: nothing is left; LT_EAGAIN; else the connection is to be closed. */
int out_flush(struct session *s) LT_MUST_CHECK;
struct place { /* for messages */
    tail_position position;
};
void place_set(struct place *p, const struct store_segment_info *info, uint64_t offset);
bool out_error(struct session *s);
const char *error_cure(int code);

/* ---- pump.c: what a session does with its turn */
void session_pump(struct session *s);

#endif
