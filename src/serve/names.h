/*
 * Named consumers: who uses a name now, what it committed, and the thread that makes commits durable.
 * Does not judge rights or positions.
 *
 * Layer: serve. Thread: any; one mutex, never held over the disk. Owns: the committing thread and DIR/consumers/.
 * The disk is also the one that ACKs wait for: commits of a name that come while one is being written are one write, and the thread rests after each
 * write for three times as long as it took (at most NAMES_REST_MAX_US), so that a thousand committing consumers take no more than a quarter of it.
 * What may wait (how long a name has been away, names that were away for too long) the thread does when no commit waits, one at a time.
 * Errors: LT_EBUSY (the name belongs to a newer connection), LT_EFULL and LT_ETOOBIG (a new name beyond the limit in all, of the user), LT_ENOMEM, and those of consumers.h.
 */
#ifndef LT_SERVE_NAMES_H
#define LT_SERVE_NAMES_H

#include <pthread.h>

#include "access/users.h"
#include "store/consumers.h"

#define NAMES_BUCKETS     1024u
#define NAMES_REST_MAX_US 50000u
/* names_age.c. The longest time between two looks that counts: what passed while we hung or were stopped, nobody could connect in. */
#define NAMES_LOOK_MAX_US 10000000u
#define NAMES_SAVE_LEAST_US                                                                                            \
    60000000u /* how long a name has been away is written when it is so much more than on the disk, */
#define NAMES_SAVE_EACH_US 10000000u /* and one name in such a time at most: the disk belongs to the ACKs */
#define NAMES_GRACE_US                                                                                                 \
    600000000u /* after a start nobody is forgotten for so long, or a quarter of the age: all come back then */
#define NAMES_RETRY_US 60000000u /* after a file that could not be removed or written */

/* A connection, also when it is gone. id 0: none. */
struct session_ref {
    unsigned worker;
    uint32_t slot;
    uint64_t id;
};

struct named {
    struct named *next;
    char name[CONSUMER_NAME_MAX + 1];
    struct session_ref owner;
    bool has; /* state is durable */
    struct consumer_state state;
    uint64_t away_us; /* seen, since it was last connected; state.away_us is what the disk has of it */
    bool just_left;   /* since the last look: none of the time before that one counts */
    bool chore;       /* queued in chores: forget it if it is time, or write how long it is away */
    struct named *next_chore;
    bool dirty; /* want is to be written */
    struct named *next_dirty;
    struct consumer_state want;
    struct session_ref want_by;
};

/* On the committing thread, with the lock; must not call back into names. rc 0, or why it is not durable. */
typedef void (*names_done_fn)(void *arg, struct session_ref by, const struct consumer_state *state, int rc,
                              const char *why);

struct names {
    struct store *store;
    names_done_fn done;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct named *buckets[NAMES_BUCKETS];
    size_t count;
    struct named *dirty_first;
    struct named *dirty_last;
    struct named *chore_first;
    struct named *chore_last;
    bool stop;
    bool running;
    pthread_t thread;
    uint64_t commits;
    struct {
        uint64_t looked_us;  /* monotonic; 0: never */
        bool open;           /* at that look: whoever wanted could connect */
        uint64_t max_us;     /* at that look: tail.consumer_max_age; 0: nobody is forgotten */
        uint64_t seen_us;    /* since names_open, of open time */
        uint64_t save_at_us; /* in seen_us: not before */
        uint64_t retry_us;   /* in seen_us: after a failure not before */
        bool failed;         /* the last chore: said in the log */
        uint64_t forgotten;
    } age;
};

/* Loads what there is; ret_bad: files that do not parse, the last named in err. */
int names_open(struct names *n, struct store *store, names_done_fn done, void *arg, size_t *ret_bad,
               struct lt_err *err) LT_MUST_CHECK;
/* What is pending is written. */
void names_close(struct names *n);

/* How many names there may be: each that was committed under is a file on the disk that ACKs wait for. 0: no limit. */
struct names_limits {
    uint32_t in_all;
    uint32_t per_user;
    const char *user;          /* who asks; "": nobody. All names that are no user's are nobody's */
    const struct users *users; /* NULL: none */
};

/* by owns the name from now on; ret_before: who did (id 0: nobody). *ret_has and ret_state: what is committed. */
int names_attach(struct names *n, const char *name, struct session_ref by, const struct names_limits *limits,
                 struct session_ref *ret_before, bool *ret_has, struct consumer_state *ret_state) LT_MUST_CHECK;
void names_detach(struct names *n, const char *name, struct session_ref by);
int names_commit(struct names *n, struct session_ref by, const struct consumer_state *state) LT_MUST_CHECK;

/*
 * The name's committed position goes, from the disk too. Waits for that, without the lock. LT_ENOTFOUND: there is no such name; LT_EBUSY: it is
 * connected, or its position is still being written after 2 s. Who comes meanwhile begins with what it is told, and stays.
 */
int names_forget(struct names *n, const char *name, struct lt_err *err) LT_MUST_CHECK;

/*
 * About once a second: how long those that are away have been so. Only time counts in which looks followed each other, with `open` at both ends of it;
 * never what a clock says of a time that nobody saw. Who has been away for max_us (0: nobody) is forgotten, on the committing thread, as by names_forget.
 */
void names_age(struct names *n, uint64_t now_mono_us, bool open, uint64_t max_us);
uint64_t names_forgotten(struct names *n); /* so, since names_open */

struct names_row {
    struct session_ref owner;
    bool has;
    struct consumer_state state; /* name is always set; away_us is as of the last look */
};
int names_list(struct names *n, struct names_row **ret, size_t *ret_count) LT_MUST_CHECK;
uint64_t names_commits(struct names *n);

#endif
