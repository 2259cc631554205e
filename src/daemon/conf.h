/*
 * The configuration: one value that holds every key of the INI file, read, checked and rendered through one table.
 * Does not watch the file, does not apply anything, holds no passwords (only the names of the files they are in).
 *
 * Layer: daemon. Thread: main reads and replaces; others get a const pointer to a conf that nobody changes any more.
 * Owns: its strings, until conf_fini. A char * is NULL where the key is not set.
 * Errors: LT_EINVAL with a text that names file and line, section.key and what is accepted; LT_ESYS for files that cannot be read;
 *   LT_ENOMEM. After a failure the conf is still valid for conf_fini, but not for use.
 * Units: as the suffixes say.
 */
#ifndef LT_DAEMON_CONF_H
#define LT_DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

enum conf_ssl_mode {
    CONF_SSL_DISABLED,
    CONF_SSL_PREFERRED,
    CONF_SSL_REQUIRED,
    CONF_SSL_VERIFY_CA,
    CONF_SSL_VERIFY_IDENTITY,
};

/* Who needs no user. AUTO: those on loopback, while there are neither users nor a CA; then nobody. */
enum conf_anonymous { CONF_ANONYMOUS_AUTO, CONF_ANONYMOUS_NO, CONF_ANONYMOUS_LOOPBACK, CONF_ANONYMOUS_YES };

struct conf_listen {
    bool on;
    bool loopback;  /* 127.0.0.0/8, ::1 or localhost: nobody else can connect */
    uint16_t port;  /* 0: the kernel chooses */
    char host[256]; /* without the brackets of an IPv6 address */
};

#define CONF_KEYS_MAX 96

enum conf_origin { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_COMMAND_LINE };

struct conf {
    struct {
        char *host;
        uint32_t port;
        char *socket;
        char *user;
        char *password_file;
        char *defaults_file;
        int ssl_mode; /* enum conf_ssl_mode */
        char *ssl_ca;
        char *ssl_cert;
        char *ssl_key;
        bool verified_login;
        uint32_t server_id; /* 0: made once, kept in the store */
        bool semi_sync;
        uint64_t heartbeat_period_us;
        uint64_t connect_timeout_us;
        uint64_t retry_min_us;
        uint64_t retry_max_us;
        char *start; /* "earliest", "latest" or a file name */
        uint64_t catchup_async_bytes;
    } source;
    struct {
        char *dir;
        uint64_t retention_age_us;       /* 0: for ever */
        uint64_t retention_bytes;        /* 0: no limit */
        uint64_t min_free_bytes;         /* 0: not checked */
        uint64_t consumer_max_lag_bytes; /* 0: named consumers hold nothing back */
        uint64_t stall_disconnect_us;
        bool allow_unsafe_fs;
    } store;
    struct {
        struct conf_listen listen;
        char *users_file;
        char *ssl_cert;
        char *ssl_key;
        char *ssl_ca;        /* set: client certificates are asked for */
        char *ssl_crl;       /* of those, what was revoked */
        int allow_anonymous; /* enum conf_anonymous */
        uint32_t max_consumers;
        uint64_t memory_bytes;
        uint32_t max_names;
        uint32_t max_names_per_user;
        uint64_t consumer_max_age_us; /* 0: no named consumer is forgotten */
        uint64_t heartbeat_period_us;
        uint64_t send_timeout_us;
    } tail;
    struct {
        struct conf_listen listen;
        char *users_file;
        char *ssl_cert;
        char *ssl_key;
        char *ssl_ca;
        int allow_anonymous; /* enum conf_anonymous */
        uint32_t max_replicas;
        uint64_t max_lag_bytes; /* 0: replicas hold nothing back */
        uint64_t send_timeout_us;
        uint32_t server_id; /* 0: as towards the source */
    } replicas;
    struct {
        char *socket; /* conf_finish fills in DIR/admin.sock */
        uint32_t mode;
        char *group;
    } admin;
    struct {
        struct conf_listen listen;
        char *users_file;
        char *ssl_cert;
        char *ssl_key;
        int allow_anonymous; /* enum conf_anonymous */
        char *names;
    } http;
    struct {
        int level;  /* enum log_level */
        int format; /* enum log_format */
    } log;
    unsigned char origin[CONF_KEYS_MAX]; /* enum conf_origin, by row of the table */
};

/* Defaults everywhere. */
int conf_init(struct conf *conf, struct lt_err *err) LT_MUST_CHECK;
void conf_fini(struct conf *conf);

/* The text of an INI file over what is there; name goes into error texts. A key may be given once. */
int conf_parse_text(struct conf *conf, const char *name, const char *text, size_t len,
                    struct lt_err *err) LT_MUST_CHECK;
/* "section.key=value", as --set has it; the last one wins. */
int conf_set(struct conf *conf, const char *assignment, struct lt_err *err) LT_MUST_CHECK;
/* Fills in what depends on other keys, then the rules between keys. Asks the file system whether named files are readable. */
int conf_finish(struct conf *conf, struct lt_err *err) LT_MUST_CHECK;

/* All four steps. On failure there is nothing to free. */
int conf_load(struct conf *ret_conf, const char *path, const char *const *sets, size_t n_sets,
              struct lt_err *err) LT_MUST_CHECK;

/* What --help-config prints; the caller frees it. NULL when out of memory. */
char *conf_help_text(void);
/*
 * A new array of {section, key, value, default, from, reload}, in the order of the table; every value is text that the parser would take.
 * Where credentials are kept shows as "(hidden)". NULL when out of memory.
 */
json_t *conf_to_json(const struct conf *conf);
/* A new object {reload: [...], restart: [...]}: the keys that differ, by whether the running daemon can take them over. */
json_t *conf_changes(const struct conf *running, const struct conf *fresh);
/* While a repoint says which source is followed, the file's address needs no restart: it is compared with that one at once, and never followed. */
void conf_changes_of_followed(json_t *changes);

/*
 * What would be in force after a reload: fresh's values of the keys that a running daemon can take over, running's of all others. Neither of the two is
 * changed; on failure there is nothing to free. LT_EINVAL when what comes out breaks a rule between keys: then a key that needs a restart
 * belongs to the change.
 */
int conf_next(const struct conf *running, const struct conf *fresh, struct conf *ret_next,
              struct lt_err *err) LT_MUST_CHECK;
/* What conf_next made, or undone by a second call: exchanges the values that a reload changes. All other texts stay where they are: parts borrow them. */
void conf_exchange(struct conf *running, struct conf *next);

/*
 * The source's password, from source.password_file (its first line) or from password in [client] of source.defaults_file; "" where neither
 * is set. *ret_exposed (may be NULL) says that the file can be read by every local user: worth a warning. The caller wipes buf.
 */
int conf_read_password(const struct conf *conf, char *buf, size_t cap, bool *ret_exposed,
                       struct lt_err *err) LT_MUST_CHECK;

#endif
