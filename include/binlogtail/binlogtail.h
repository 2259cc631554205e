/*
 * libbinlogtail: follows a MySQL or MariaDB binlog that logtailerd serves. One handle is one subscription: it connects, hands out events,
 * and after a lost connection goes on where it was, without a gap and without a repeat.
 *
 *     struct binlogtail_options opt = BINLOGTAIL_OPTIONS_INIT;
 *     opt.host = "127.0.0.1";
 *     opt.start = BINLOGTAIL_START_EARLIEST;
 *     struct binlogtail *bt = binlogtail_open(&opt, NULL);
 *     const struct binlogtail_event *ev;
 *     int rc;
 *     while ((rc = binlogtail_wait_event(bt, -1, &ev)) >= 0) {
 *         if (rc == 0 || ev->kind != BINLOGTAIL_EVENT)
 *             continue;
 *         ... ev->data, ev->length ...
 *     }
 *     fprintf(stderr, "%s\n", binlogtail_last_error(bt)->message);
 *     binlogtail_close(bt);
 *
 * Only durable events and whole transactions are ever served: what was handed out cannot vanish from the server in a crash.
 *
 * Threads:  a handle is used by one thread at a time; different handles are independent. The library starts no thread, installs no signal
 *           handler, raises no SIGPIPE, keeps no global state and prints nothing.
 * Blocking: only binlogtail_wait_event waits. Names are resolved by getaddrinfo, which may take its time, at each attempt to connect, inside
 *           binlogtail_open, _process or _next; numeric addresses never wait.
 * Errors:   int results are 0 or more, or a negative BINLOGTAIL_E*; binlogtail_last_error tells more. An error that binlogtail_next or
 *           binlogtail_wait_event returns is final: the handle connects no more, its tokens stay readable.
 * Lifetime: an event and all it points to are valid until the next call of binlogtail_next, _wait_event, _process or _close on its handle.
 * Units:    milliseconds and bytes where a name says so; file offsets are bytes from the start of the source's file.
 * Evolution: fields are added at the end of structs only; kinds of events may be added: pass over the ones you do not know.
 */
#ifndef BINLOGTAIL_H
#define BINLOGTAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BINLOGTAIL_API __attribute__((visibility("default")))
#else
#define BINLOGTAIL_API
#endif

struct binlogtail;

/* ---- Errors ---- */

enum binlogtail_code {
    BINLOGTAIL_OK = 0,
    BINLOGTAIL_EINVAL = -1,    /* an option or argument; the handle (if there was one) is as before */
    BINLOGTAIL_ENOMEM = -2,    /* out of memory */
    BINLOGTAIL_ESYS = -3,      /* a system call that should work did not: sys_errno */
    BINLOGTAIL_ECONNECT = -4,  /* no connection: name not known, refused, unreachable, timed out */
    BINLOGTAIL_ELOST = -5,     /* the connection broke, or heartbeats stopped */
    BINLOGTAIL_ETLS = -6,      /* TLS: certificate not trusted, host name wrong, the peer does not speak it */
    BINLOGTAIL_EPROTOCOL = -7, /* the peer does not follow the protocol */
    BINLOGTAIL_ECHECKSUM = -8, /* an event's CRC-32 is wrong */
    BINLOGTAIL_ESERVER = -9,   /* the server refused: server_code says why */
    BINLOGTAIL_ESTATE = -10,   /* not possible now: the stream has ended, no name to commit for, no position yet */
};

/* What a server says, in server_code. */
enum binlogtail_server_code {
    BINLOGTAIL_SERVER_NONE = 0,
    BINLOGTAIL_SERVER_PROTOCOL = 1,       /* did not understand us */
    BINLOGTAIL_SERVER_VERSION = 2,        /* no protocol version in common */
    BINLOGTAIL_SERVER_AUTH = 3,           /* token missing or wrong */
    BINLOGTAIL_SERVER_FORBIDDEN = 4,      /* the user may not use that consumer name */
    BINLOGTAIL_SERVER_TLS_REQUIRED = 5,   /* connect with TLS */
    BINLOGTAIL_SERVER_TOO_MANY = 6,       /* connections; tried again */
    BINLOGTAIL_SERVER_TIMEOUT = 7,        /* we were slow to ask; tried again */
    BINLOGTAIL_SERVER_NOT_FOUND = 8,      /* no such lineage or file was ever there */
    BINLOGTAIL_SERVER_PURGED = 9,         /* was there and is no more: error.earliest is what there is */
    BINLOGTAIL_SERVER_AHEAD = 10,         /* position past the durable end: error.durable */
    BINLOGTAIL_SERVER_BAD_POSITION = 11,  /* not the start of an event */
    BINLOGTAIL_SERVER_WRONG_LINEAGE = 12, /* the position belongs to another source's history */
    BINLOGTAIL_SERVER_BAD_GTID_SET = 13,  /* does not parse, or is of the other flavour */
    BINLOGTAIL_SERVER_NAME_IN_USE = 14,   /* a newer connection took the consumer name over */
    BINLOGTAIL_SERVER_UNNAMED = 15,       /* commit without a consumer name */
    BINLOGTAIL_SERVER_EMPTY = 16,         /* nothing is stored yet; tried again */
    BINLOGTAIL_SERVER_CORRUPT = 17,       /* the stored file is damaged there */
    BINLOGTAIL_SERVER_STOPPING = 19,      /* the server stops; connects again when it says */
    BINLOGTAIL_SERVER_INTERNAL = 20,
    BINLOGTAIL_SERVER_ENDED = 21, /* an operator ended this connection */
};

#define BINLOGTAIL_TOKEN_MAX 400 /* bytes that hold any resume token and its NUL */

struct binlogtail_error {
    int code;        /* enum binlogtail_code; BINLOGTAIL_OK: no error so far */
    int server_code; /* enum binlogtail_server_code, with BINLOGTAIL_ESERVER */
    int sys_errno;   /* 0: none */
    char message[512];
    char cure[256];                      /* what to do about it; "" when there is nothing to say */
    char earliest[BINLOGTAIL_TOKEN_MAX]; /* first position that can be read, when the server said so; else "" */
    char durable[BINLOGTAIL_TOKEN_MAX];  /* the server's durable end, when it said so; else "" */
};

/* ---- Options ---- */

enum binlogtail_start {
    BINLOGTAIL_START_LATEST = 0, /* what becomes durable from now on */
    BINLOGTAIL_START_EARLIEST,   /* the oldest byte the server has */
    BINLOGTAIL_START_POSITION,   /* position: a resume token, or FILE:OFFSET, or FILE */
    BINLOGTAIL_START_GTIDS,      /* gtid_set: every transaction that is not in it */
};

/*
 * Fill with BINLOGTAIL_OPTIONS_INIT, then change what you need. 0, NULL and false are the defaults. Strings are copied.
 */
struct binlogtail_options {
    size_t struct_size; /* set by BINLOGTAIL_OPTIONS_INIT; the library reads no further */
    const char *host;   /* name or address; NULL: 127.0.0.1 */
    uint16_t port;      /* 0: 7306 */
    /* Consumer name, under which the server keeps what was committed; letters, digits, '.', '_', '-'. NULL: anonymous. */
    const char *name;
    const char *token; /* USER:SECRET; NULL: none. Sent in the clear only to loopback, unless token_in_clear */
    bool token_in_clear;
    const char *agent; /* your program and version, for the operator's list; NULL: libbinlogtail's own */

    bool tls;
    bool tls_no_verify;   /* take any certificate: an attacker in between can then read and change everything */
    const char *tls_ca;   /* PEM file with trusted certificates; NULL: the system's */
    const char *tls_cert; /* PEM file, our certificate and its chain; NULL: none */
    const char *tls_key;  /* PEM file; NULL: in tls_cert */
    const char *tls_name; /* name or address the server's certificate must be for; NULL: host */

    enum binlogtail_start start;
    const char *position;
    const char *gtid_set;  /* "" or NULL: empty, everything. MySQL "uuid:1-5,uuid:tag:1" or MariaDB "0-1-100,1-1-5" */
    bool resume_committed; /* with a name: begin where this name committed last; when it never did, as start says */
    bool until_end;        /* end (BINLOGTAIL_END) at what is durable when the subscription begins */

    uint32_t max_event_bytes;    /* 0: 1 GiB + 64 MiB, the largest that servers make */
    uint32_t max_batch_bytes;    /* a wish; 0: the server's choice. Memory does not depend on it */
    bool no_checksum;            /* do not check the events' CRC-32 */
    uint32_t connect_timeout_ms; /* for each address, until the server has answered; 0: 10 s */
    uint32_t backoff_min_ms;     /* before the second attempt to connect at most so long, then doubling; 0: 100 */
    uint32_t
        backoff_max_ms; /* 0: 10 s. The wait is random between 0 and the bound; a time the server asked for is kept */
    uint32_t attempts_first; /* give up after so many failures in a row, before the first success; 0: never */
    uint32_t attempts;       /* the same after it; 0: never */
};
#ifdef __cplusplus
/* C++ compilers miss the fields that a braced list leaves out. */
static inline binlogtail_options binlogtail_options_init_(void)
{
    binlogtail_options o = {};
    o.struct_size = sizeof o;
    return o;
}
#define BINLOGTAIL_OPTIONS_INIT binlogtail_options_init_()
#else
#define BINLOGTAIL_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        .struct_size = sizeof(struct binlogtail_options)                                                               \
    }
#endif

/* ---- Events ---- */

enum binlogtail_kind {
    BINLOGTAIL_CONNECTED = 1, /* the server answered: server */
    BINLOGTAIL_DISCONNECTED,  /* error, retry_in_ms: another attempt follows by itself */
    BINLOGTAIL_LINEAGE, /* the history that follows is another one than before (position.lineage, .source_id): transactions may come
                                 again under other positions, unless the subscription is by GTID set */
    BINLOGTAIL_FILE_BEGIN, /* what follows is in this file, from position on; comes again after each connection (BINLOGTAIL_RESUMED) */
    BINLOGTAIL_EVENT,     /* a binlog event */
    BINLOGTAIL_FILE_END,  /* the file is complete */
    BINLOGTAIL_HEARTBEAT, /* durable, source_time_us, server_time_us */
    BINLOGTAIL_CAUGHT_UP, /* all that was durable when the server last said so has been handed out; once per connection.
                                 By GTID set it does not come when the last of it is left out */
    BINLOGTAIL_COMMITTED, /* a commit is durable at the server: position */
    BINLOGTAIL_END, /* until_end: that was all. What follows is BINLOGTAIL_ESTATE, after the COMMITTED of a last commit */
};

/*
 * marks. TXN_CUT: before this event the transaction in progress ends unfinished, forget its part: its source never finished it, or it comes again
 * from its beginning.
 */
#define BINLOGTAIL_TXN_BEGIN 0x01u /* first event of a transaction */
#define BINLOGTAIL_TXN_PART  0x02u /* belongs to a transaction, first and last included */
#define BINLOGTAIL_TXN_END   0x04u /* last event of it */
#define BINLOGTAIL_TXN_CUT   0x08u
#define BINLOGTAIL_RESUMED   0x10u /* FILE_BEGIN: goes on exactly where the stream was */
#define BINLOGTAIL_CRC       0x20u /* the last 4 bytes of data are a CRC-32 (checked, unless no_checksum) */

struct binlogtail_position {
    uint32_t lineage; /* source history in the server's store, from 1; 0: not known */
    const char *file; /* the source's name; "" when there is none */
    uint64_t offset;
    const char *source_id; /* whose history it is: server_uuid, or mariadb-<server_id> */
};

struct binlogtail_server {
    uint32_t version;                     /* of the protocol */
    const char *agent;                    /* logtailerd and its version */
    const char *flavor;                   /* "mysql", "mariadb", "" while nothing is stored */
    struct binlogtail_position earliest;  /* file "": nothing is stored */
    struct binlogtail_position durable;   /* the same */
    struct binlogtail_position committed; /* file "": nothing was committed under this name */
    uint32_t heartbeat_ms;
};

struct binlogtail_event {
    enum binlogtail_kind kind;
    unsigned marks;
    struct binlogtail_position position; /* where it begins; of COMMITTED and END what they are about */
    uint64_t end_offset;                 /* in the same file: where the next event begins */

    /* EVENT; of FILE_BEGIN the file's format description event (length 0: it is the first event that follows) */
    const uint8_t *data; /* the whole event as the source wrote it, header and checksum included */
    size_t length;

    /* EVENT, from its header */
    uint32_t time_s; /* since the epoch */
    uint32_t server_id;
    uint32_t log_pos; /* as in the header: low 32 bits of the end, 0 inside MariaDB 11.4+ transactions */
    uint16_t flags;
    uint8_t type;
    const char *type_name; /* "Query", "Xid", …; "Unknown" */
    const char *gtid;      /* of the transaction it belongs to, in the source's notation; "" = none */

    const char *flavor;                 /* EVENT, FILE_BEGIN: "mysql" or "mariadb" */
    bool aborted;                       /* FILE_END: ends inside a transaction that the source never finished */
    uint64_t source_time_us;            /* HEARTBEAT: source's clock at its last word, since the epoch; 0: not known */
    uint64_t server_time_us;            /* HEARTBEAT: server's clock */
    struct binlogtail_position durable; /* HEARTBEAT, CAUGHT_UP: the durable end */
    const struct binlogtail_server *server; /* CONNECTED; else NULL */
    const struct binlogtail_error *error;   /* DISCONNECTED; else NULL */
    uint32_t retry_in_ms;                   /* DISCONNECTED */
};

/* ---- Life ---- */

/*
 * A new handle; the first attempt to connect is under way when it returns. NULL on failure: *ret_error (may be NULL) says why
 * (BINLOGTAIL_EINVAL, _ENOMEM, _ESYS, _ETLS for certificate files). That the server cannot be reached is not a failure here.
 */
BINLOGTAIL_API struct binlogtail *binlogtail_open(const struct binlogtail_options *opt,
                                                  struct binlogtail_error *ret_error);

/* Closes the connection and frees everything. Does not wait. NULL is fine. */
BINLOGTAIL_API void binlogtail_close(struct binlogtail *bt);

/* ---- In an event loop of your own ---- */

/*
 * The descriptor to watch. It stays the same for the handle's life (connections come and go behind it) and becomes readable whenever
 * binlogtail_process has something to do, time-outs included. Owned by the handle: do not read, write or close it.
 */
BINLOGTAIL_API int binlogtail_fd(const struct binlogtail *bt);

#define BINLOGTAIL_WANT_READ 0x1u
#define BINLOGTAIL_WANT_WRITE                                                                                          \
    0x2u /* for programs that ask in general; the descriptor is only ever waited for to be readable */
/* What to watch the descriptor for: BINLOGTAIL_WANT_READ, or 0 when the handle has ended. */
BINLOGTAIL_API unsigned binlogtail_wanted(const struct binlogtail *bt);

/*
 * In how many milliseconds binlogtail_process wants to be called at the latest; -1: not before the descriptor is readable. For loops that
 * have a time-out anyway; the descriptor becomes readable then, so it may be ignored.
 */
BINLOGTAIL_API int binlogtail_timeout_ms(const struct binlogtail *bt);

/*
 * Does what can be done without waiting: connects, receives, sends, judges time-outs. Then call binlogtail_next until it returns 0.
 * Returns 0, or the final error as binlogtail_next does.
 */
BINLOGTAIL_API int binlogtail_process(struct binlogtail *bt);

/*
 * The next event: 1 and *ret_event, 0 when there is none now, or the final error (again on each call). One call of binlogtail_process is good for a
 * bounded amount of data, so a loop that calls this until 0 comes round to its other work.
 */
BINLOGTAIL_API int binlogtail_next(struct binlogtail *bt, const struct binlogtail_event **ret_event);

/* ---- Without a loop ---- */

/*
 * The next event, waiting for it at most timeout_ms (-1: for ever). 1 and *ret_event, 0 when the time is over or a signal handler ran, or the
 * final error.
 */
BINLOGTAIL_API int binlogtail_wait_event(struct binlogtail *bt, int timeout_ms,
                                         const struct binlogtail_event **ret_event);

/* ---- Where to go on ---- */

enum binlogtail_token_kind {
    /* After the last whole transaction that was handed out: whoever resumes here gets the one in progress again from its first event. */
    BINLOGTAIL_TOKEN_BOUNDARY = 0,
    /* After the last event that was handed out, also in the middle of a transaction, which then goes on with its next event. */
    BINLOGTAIL_TOKEN_EXACT,
};

/*
 * The resume token, text for binlogtail_options.position: "LINEAGE/FILE:OFFSET@SOURCE_ID", inside a transaction (EXACT only)
 * "LINEAGE/FILE:OFFSET+SKIP@SOURCE_ID". buf of at least BINLOGTAIL_TOKEN_MAX. 0; BINLOGTAIL_ESTATE before the first FILE_BEGIN;
 * BINLOGTAIL_EINVAL when cap is too small. Valid also after the final error.
 */
BINLOGTAIL_API int binlogtail_token(const struct binlogtail *bt, enum binlogtail_token_kind kind, char *buf,
                                    size_t cap);

/* 0 when text can be a position option: a resume token, FILE:OFFSET or FILE; else BINLOGTAIL_EINVAL. */
BINLOGTAIL_API int binlogtail_token_check(const char *text);

/*
 * With BINLOGTAIL_START_GTIDS: the set that was asked for and all transactions handed out since, as text that the caller frees with free(). NULL
 * otherwise and when out of memory.
 */
BINLOGTAIL_API char *binlogtail_gtid_set(const struct binlogtail *bt);

/*
 * Tell the server that what lies before token (NULL: the BOUNDARY token now) is done with. Named consumers only. Sent as soon as there is a connection;
 * of several that wait only the last is sent. BINLOGTAIL_COMMITTED confirms it. 0, BINLOGTAIL_EINVAL, BINLOGTAIL_ENOMEM, BINLOGTAIL_ESTATE (no name, no
 * position, ended). A token inside a transaction commits what lies before that transaction.
 */
BINLOGTAIL_API int binlogtail_commit(struct binlogtail *bt, const char *token);

/* ---- Words ---- */

/* The last error of this handle, also one that was overcome. Never NULL. Valid until the handle is used again. */
BINLOGTAIL_API const struct binlogtail_error *binlogtail_last_error(const struct binlogtail *bt);
/* "ECONNECT", "ESERVER", …; static. */
BINLOGTAIL_API const char *binlogtail_code_name(int code);
/* "purged", "auth", …; "" for 0, "unknown" for others; static. */
BINLOGTAIL_API const char *binlogtail_server_code_name(int server_code);
/* Name of a binlog event type; "Unknown"; static. */
BINLOGTAIL_API const char *binlogtail_type_name(uint8_t type);
/* Version of the library, "0.1.0"; static. */
BINLOGTAIL_API const char *binlogtail_version(void);

#ifdef __cplusplus
}
#endif

#endif
