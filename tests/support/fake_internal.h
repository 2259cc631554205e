/*
 * What the parts of the fake primary share. Not for tests.
 *
 * Layer: tests. Thread: fields of struct fake_primary under its lock unless marked; a struct fake_conn belongs to its thread but for
 * what is marked.
 */
#ifndef LT_TESTS_FAKE_INTERNAL_H
#define LT_TESTS_FAKE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <openssl/ssl.h>

#include "binlog/gtid.h"
#include "fake_primary.h"

struct fake_event {
    uint64_t at;  /* into the file's bytes; not for virtual ones */
    uint64_t end; /* offset in the file */
    uint32_t len;
    uint32_t seed;
    uint8_t head[EVENT_HEADER_LEN];
    bool is_virtual;
    bool crc;
    bool ack;
};

/* Takes a piece of an event; false: no more of it. */
typedef bool (*fake_sink)(void *arg, const uint8_t *data, size_t len);
/* A virtual event in pieces, without any lock. */
bool fake_virtual_each(const struct fake_event *ev, fake_sink sink, void *arg);

/* What tests hand over is kept until the server is freed: rules may be cleared while a dump still follows one. */
struct fake_kept {
    struct fake_kept *next;
    uint8_t data[];
};

struct fake_file {
    char name[BINLOG_NAME_MAX + 1];
    uint64_t base;
    struct fake_bytes bytes;
    struct fake_event *events;
    size_t count;
    size_t cap;
};

struct fake_var {
    char *name;
    char *value; /* NULL: unknown */
};
struct fake_vars {
    struct fake_var *v;
    size_t count;
};

struct fake_answer_rule {
    const char *match;
    struct fake_answer answer;
};

struct fake_io {
    int fd;
    SSL *ssl;
    uint8_t seq;
    uint8_t seq_add;
    struct fake_bytes out;
    uint8_t in[70000];
    size_t in_len;
    unsigned reads; /* reads that returned bytes; tells whether a packet came in one */
    bool failed;
    unsigned key_update_every;
    bool half_out; /* TLS: the last write has to be repeated */
    unsigned records;
    unsigned key_updates;
    /* logical packet being written */
    uint64_t left;      /* payload bytes to come */
    uint32_t part_left; /* of the physical part */
    bool need_empty;    /* the last part was full: an empty one ends the packet */
};

struct fake_conn {
    TAILQ_ENTRY(fake_conn) link;
    struct fake_primary *fp;
    struct fake_io io;
    unsigned number;
    pthread_t thread;
    int wake_fd;           /* eventfd: the model changed or the connection shall end */
    atomic_bool stop;      /* KILLed or the server stops */
    atomic_bool reset;     /* end with RST */
    atomic_bool duplicate; /* a newer dump has the same identity */
    bool done;             /* under the lock: thread may be joined */
    uint32_t client_caps;
    uint8_t salt[20];
    struct fake_vars user_vars;
    bool registered;
    /* of the dump that runs; under the lock */
    bool dumping;
    unsigned dump_number;
};

struct fake_primary {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_options opt;
    enum fake_release release;
    enum fake_plugin plugin;
    SSL_CTX *tls;
    int listen_fd;
    uint16_t port;
    int stop_fd; /* eventfd for the accept thread */
    pthread_t accept_thread;
    bool accepting;
    char uuid[40];
    uint32_t server_id;
    TAILQ_HEAD(fake_conns, fake_conn) conns;
    unsigned live_conns;

    struct fake_file **files;
    size_t file_count;
    unsigned history; /* counts resets */
    struct fake_gen gen;
    uint64_t next_seq;
    uint64_t started_us;

    struct fake_vars vars;
    struct fake_vars status;
    struct fake_answer_rule *answers;
    size_t answer_count;
    struct fake_login_rule *logins;
    size_t login_count;
    struct fake_dump_rule *rules;
    unsigned *rule_seen;
    size_t rule_count;

    struct fake_counters counters;
    struct fake_dump *dumps;
    struct fake_ack *acks;
    size_t ack_count;
    size_t ack_cap;
    struct fake_pos acked;    /* highest ACK packet */
    struct fake_pos released; /* or start asked for */
    struct fake_pos sent_to;
    struct fake_sent last_sent;
    struct fake_bytes log;
    struct fake_kept *kept;
};

/* A copy that lives as long as the server; NULL for NULL. */
void *fake_keep(struct fake_primary *fp, const void *data, size_t len);
const char *fake_keep_text(struct fake_primary *fp, const char *text);
void *fake_grow(void *array, size_t count, size_t *cap, size_t item);

void fake_lock(struct fake_primary *fp);
void fake_unlock(struct fake_primary *fp);
/* Lock held: something that a dump or a waiter looks at changed. */
void fake_notify(struct fake_primary *fp);
void fake_conn_end(struct fake_conn *cn, bool reset); /* lock held */
bool fake_is_mariadb(const struct fake_primary *fp);
/* MySQL and MariaDB before 10 number alike: major * 10000 + minor * 100 + patch. */
unsigned fake_version_number(const char *version);

/* File names by number, then offset; an empty name is the lowest. */
int fake_pos_cmp(const struct fake_pos *a, const struct fake_pos *b);

/* fake_model.c; lock held */
struct fake_file *fake_file_find(struct fake_primary *fp, const char *name, size_t *ret_index);
void fake_files_free(struct fake_primary *fp);
uint64_t fake_file_end(const struct fake_file *f);
bool fake_file_has_crc(const struct fake_file *f);

/* fake_io.c */
void fake_io_init(struct fake_io *io, int fd);
void fake_io_fini(struct fake_io *io);
bool fake_io_start_tls(struct fake_io *io, SSL_CTX *ctx);
/* A whole small packet into buf; -1 at the end of the connection or when cn->stop is set. Sets io->seq to the next number. */
long fake_io_read(struct fake_conn *cn, uint8_t *buf, size_t cap);
/* What is there without waiting into io->in: bytes, 0 for none, -1 for the end. */
long fake_io_fill(struct fake_io *io);
void fake_packet_begin(struct fake_io *io, uint64_t payload_len);
void fake_packet_add(struct fake_io *io, const void *data, size_t len);
void fake_packet_whole(struct fake_io *io, const void *data, size_t len);
bool fake_io_flush(struct fake_io *io);
void fake_send_ok(struct fake_io *io);
void fake_send_eof(struct fake_io *io);
void fake_send_err(struct fake_io *io, uint16_t code, const char *text);

/* fake_greeting.c: true when the client is in. */
bool fake_login(struct fake_conn *cn);

/* fake_result.c. First line: column names by tab; then a line for each row; "NULL" is NULL. */
void fake_send_table(struct fake_io *io, const char *text);

/* fake_query.c, fake_vars.c */
void fake_query(struct fake_conn *cn, const char *sql, size_t len);
void fake_vars_defaults(struct fake_primary *fp);
const char *fake_vars_get(const struct fake_vars *vars, const char *name);
void fake_vars_set(struct fake_vars *vars, const char *name, const char *value);
void fake_vars_fini(struct fake_vars *vars);
/* Lock held: system variable or status as text into buf; false when unknown. */
bool fake_system_var(struct fake_primary *fp, const char *name, char *buf, size_t cap);
/* SHOW VARIABLES / STATUS: calls fn for each (name, value), in no order. */
typedef void (*fake_var_fn)(const char *name, const char *value, void *arg);
void fake_each_var(struct fake_primary *fp, bool status, fake_var_fn fn, void *arg);
bool fake_like(const char *text, const char *pattern);

/* fake_stream.c: serve a dump until it ends; false: close the connection, true: back to commands. */
bool fake_serve_dump(struct fake_conn *cn, const uint8_t *cmd, size_t len);

#define FAKE_RULES_MAX 16
struct fake_stream {
    struct fake_conn *cn;
    struct fake_dump rec;
    struct fake_dump_rule rules[FAKE_RULES_MAX];
    size_t rule_count;
    unsigned history;
    bool header;   /* packets carry the semi-sync header */
    bool once;     /* EOF when all is sent */
    bool crc;      /* of the file being sent */
    bool annotate; /* MariaDB: ANNOTATE_ROWS wanted */
    bool heartbeat_v2;
    bool silent;
    bool only_heartbeats;
    bool over;             /* close the connection */
    bool back_to_commands; /* refused: the connection goes on */
    bool quit_seen;
    unsigned events; /* stored events sent */
    unsigned lost_acks;
    unsigned delay_ms;
    unsigned key_updates; /* already counted */
    uint64_t fired;       /* one bit for each rule whose action was taken */
    char file[BINLOG_NAME_MAX + 1];
    size_t next;          /* index of the next event in the file */
    uint64_t pos;         /* end of what was sent */
    struct gtid_set skip; /* GTID start: transactions not to be sent */
    bool skipping;
    struct fake_bytes event; /* copy of the event being sent */
};

/* fake_dump.c: the request, its record and rules. False: refused, an ERR is on its way. */
bool fake_dump_open(struct fake_stream *st, const uint8_t *cmd, size_t len);
void fake_dump_close(struct fake_stream *st);
void fake_dump_refuse(struct fake_stream *st, uint16_t code, const char *text);
/* After a flush: how far the dump is. at: the flagged event just sent, with its times, or NULL. */
void fake_dump_publish(struct fake_stream *st, const struct fake_sent *sent);

/* fake_packets.c: what a server makes up while it sends. */
void fake_send_event(struct fake_stream *st, const uint8_t *event, size_t len, bool flag);
void fake_send_rotate(struct fake_stream *st, const char *name, uint64_t pos, bool crc, uint32_t timestamp);
void fake_send_heartbeat(struct fake_stream *st);
void fake_send_prefix(struct fake_stream *st, uint64_t event_len, bool flag);
/* FDE and START_ENCRYPTION again, for a start behind them. Lock held. */
void fake_send_file_head(struct fake_stream *st, const struct fake_file *f);

/* fake_acks.c: everything the client has sent during a dump. False when the connection is over. */
bool fake_take_acks(struct fake_stream *st);

#endif
