/* The rules between keys, and what only the file system knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf_table.h"

static int check_source(const struct conf *conf, struct lt_err *err)
{
    if (conf->source.host == NULL && conf->source.socket == NULL)
        return lt_err_set(err, LT_EINVAL, "source.host or source.socket is required: where is the primary?");
    if (conf->source.host != NULL && conf->source.socket != NULL)
        return lt_err_set(err, LT_EINVAL, "source.host and source.socket exclude each other");
    if (conf->source.user == NULL)
        return lt_err_set(err, LT_EINVAL, "source.user is required: the account for replication");
    if (conf->source.password_file != NULL && conf->source.defaults_file != NULL)
        return lt_err_set(err, LT_EINVAL, "source.password_file and source.defaults_file exclude each other");
    if (conf->source.ssl_mode >= CONF_SSL_VERIFY_CA && conf->source.ssl_ca == NULL)
        return lt_err_set(err, LT_EINVAL,
                          "source.ssl_ca is required with source.ssl_mode = VERIFY_CA or VERIFY_IDENTITY");
    if (conf->source.ssl_mode == CONF_SSL_VERIFY_IDENTITY && conf->source.host == NULL)
        return lt_err_set(err, LT_EINVAL,
                          "source.ssl_mode = VERIFY_IDENTITY needs source.host: a socket has no name to verify");
    if ((conf->source.ssl_cert != NULL) != (conf->source.ssl_key != NULL))
        return lt_err_set(err, LT_EINVAL, "source.ssl_cert and source.ssl_key come together");
    if (conf->source.retry_min_us > conf->source.retry_max_us)
        return lt_err_set(err, LT_EINVAL, "source.retry_min is longer than source.retry_max");
    return LT_OK;
}

static int check_listeners(const struct conf *conf, struct lt_err *err)
{
    if ((conf->tail.ssl_cert != NULL) != (conf->tail.ssl_key != NULL))
        return lt_err_set(err, LT_EINVAL, "tail.ssl_cert and tail.ssl_key come together");
    if (conf->tail.ssl_ca != NULL && conf->tail.ssl_cert == NULL)
        return lt_err_set(err, LT_EINVAL,
                          "tail.ssl_ca needs tail.ssl_cert and tail.ssl_key: client certificates need TLS");
    if (conf->tail.ssl_crl != NULL && conf->tail.ssl_ca == NULL)
        return lt_err_set(err, LT_EINVAL, "tail.ssl_crl needs tail.ssl_ca: it lists what that CA revoked");
    if (conf->tail.listen.on && !conf->tail.listen.loopback && conf->tail.users_file == NULL &&
        conf->tail.ssl_ca == NULL && conf->tail.allow_anonymous != CONF_ANONYMOUS_YES)
        return lt_err_set(err, LT_EINVAL,
                          "tail.listen is open beyond loopback: set tail.users_file or tail.ssl_ca, or say "
                          "tail.allow_anonymous = yes");
    return LT_OK;
}

static int check_replicas(const struct conf *conf, struct lt_err *err)
{
    if ((conf->replicas.ssl_cert != NULL) != (conf->replicas.ssl_key != NULL))
        return lt_err_set(err, LT_EINVAL, "replicas.ssl_cert and replicas.ssl_key come together");
    if (conf->replicas.ssl_ca != NULL && conf->replicas.ssl_cert == NULL)
        return lt_err_set(err, LT_EINVAL,
                          "replicas.ssl_ca needs replicas.ssl_cert and replicas.ssl_key: client certificates need TLS");
    if (conf->replicas.listen.on && !conf->replicas.listen.loopback && conf->replicas.users_file == NULL &&
        conf->replicas.allow_anonymous != CONF_ANONYMOUS_YES)
        return lt_err_set(err, LT_EINVAL,
                          "replicas.listen is open beyond loopback: set replicas.users_file, or say "
                          "replicas.allow_anonymous = yes");
    return LT_OK;
}

static int check_http(const struct conf *conf, struct lt_err *err)
{
    bool users = conf->http.users_file != NULL;
    bool tls = conf->http.ssl_cert != NULL;
    if (tls != (conf->http.ssl_key != NULL))
        return lt_err_set(err, LT_EINVAL, "http.ssl_cert and http.ssl_key come together");
    if (!conf->http.listen.on || conf->http.listen.loopback || conf->http.allow_anonymous == CONF_ANONYMOUS_YES)
        return LT_OK;
    if (!users || !tls)
        return lt_err_set(
            err, LT_EINVAL,
            "http.listen is open beyond loopback: set http.users_file%s, or say http.allow_anonymous = yes",
            users ? " with http.ssl_cert and http.ssl_key (a secret in clear text is none)"
                  : ", http.ssl_cert and http.ssl_key");
    return LT_OK;
}

static int check_file(const struct conf_row *row, const char *path, struct lt_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        return lt_err_sys(err, LT_EINVAL, "%s.%s: cannot read %.200s", row->section, row->key, path);
    if (S_ISDIR(st.st_mode))
        return lt_err_set(err, LT_EINVAL, "%s.%s: %.200s is a folder", row->section, row->key, path);
    return LT_OK;
}

static int check_files(struct conf *conf, struct lt_err *err)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        const char *path = row->type == CONF_FILE ? *(char **)conf_value_place(row, conf) : NULL;
        int rc = path != NULL ? check_file(row, path, err) : LT_OK;
        if (rc != LT_OK)
            return rc;
    }
    return LT_OK;
}

/* admin.socket lives in the store's folder unless it is told otherwise. */
static int place_socket(struct conf *conf, struct lt_err *err)
{
    if (conf->admin.socket != NULL)
        return LT_OK;
    const struct conf_row *row = conf_find("admin", "socket");
    char *path = NULL;
    if (asprintf(&path, "%s/admin.sock", conf->store.dir) < 0)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    if (strlen(path) > row->max) {
        free(path);
        return lt_err_set(err, LT_EINVAL,
                          "admin.socket: store.dir is too long to hold it (%u bytes for a socket); set it elsewhere",
                          (unsigned)row->max);
    }
    conf->admin.socket = path;
    return LT_OK;
}

/* The file has no quotes: they would be part of a host's name, a path, a group. */
static int check_quotes(struct conf *conf, struct lt_err *err)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        bool text =
            row->type == CONF_STRING || row->type == CONF_PATH || row->type == CONF_FILE || row->type == CONF_START;
        const char *value = text ? *(char **)conf_value_place(row, conf) : NULL;
        if (value != NULL && (value[0] == '"' || value[0] == '\''))
            return lt_err_set(err, LT_EINVAL, "%s.%s = %.100s: values stand without quotes", row->section, row->key,
                              value);
    }
    return LT_OK;
}

int conf_finish(struct conf *conf, struct lt_err *err)
{
    if (conf->store.dir == NULL)
        return lt_err_set(err, LT_EINVAL, "store.dir is required: where are the segments kept?");
    int rc = check_quotes(conf, err);
    if (rc == LT_OK)
        rc = place_socket(conf, err);
    if (rc == LT_OK)
        rc = check_source(conf, err);
    if (rc == LT_OK)
        rc = check_listeners(conf, err);
    if (rc == LT_OK)
        rc = check_replicas(conf, err);
    if (rc == LT_OK)
        rc = check_http(conf, err);
    if (rc == LT_OK)
        rc = check_files(conf, err);
    return rc;
}
