#include "daemon/conf_probe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/listen.h"
#include "daemon/conf.h"
#include "daemon/conf_table.h"

#define GROUP_BUFFER 65536
#define PASSWORD_MAX 1024

/* The start makes the last folder of the path, no others. */
static int probe_parent(const char *dir, struct lt_err *err)
{
    char *copy = strdup(dir);
    if (copy == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    char *slash = strrchr(copy, '/');
    const char *parent = slash == NULL ? "." : slash == copy ? "/" : copy;
    if (slash != NULL && slash != copy)
        *slash = '\0';
    int rc = access(parent, W_OK | X_OK) == 0
                 ? LT_OK
                 : lt_err_sys(err, LT_EINVAL, "store.dir: %.200s is not there, and cannot be made", dir);
    free(copy);
    return rc;
}

static int probe_store(const char *dir, struct lt_err *err)
{
    struct stat st;
    if (stat(dir, &st) != 0)
        return errno == ENOENT ? probe_parent(dir, err)
                               : lt_err_sys(err, LT_EINVAL, "store.dir: cannot look at %.200s", dir);
    if (!S_ISDIR(st.st_mode))
        return lt_err_set(err, LT_EINVAL, "store.dir: %.200s is no folder", dir);
    if (access(dir, R_OK | W_OK | X_OK) != 0)
        return lt_err_sys(err, LT_EINVAL, "store.dir: %.200s cannot be written by this user", dir);
    return LT_OK;
}

static int probe_group(const char *name, struct lt_err *err)
{
    struct group group;
    struct group *found = NULL;
    char *buf = malloc(GROUP_BUFFER);
    if (buf == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    bool number = name[strspn(name, "0123456789")] == '\0';
    int sys = number ? 0 : getgrnam_r(name, &group, buf, GROUP_BUFFER, &found);
    free(buf);
    return number || sys != 0 || found != NULL
               ? LT_OK
               : lt_err_set(err, LT_EINVAL, "admin.group: there is no group %.60s", name);
}

/* A file that should hold certificates holds one. */
static int probe_certificates(const struct conf_row *row, const char *path, struct lt_err *err)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return lt_err_sys(err, LT_EINVAL, "%s.%s: cannot read %.200s", row->section, row->key, path);
    X509 *cert = PEM_read_X509_AUX(f, NULL, NULL, NULL);
    (void)fclose(f);
    ERR_clear_error();
    if (cert == NULL)
        return lt_err_set(err, LT_EINVAL, "%s.%s: %.200s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
                          row->section, row->key, path);
    X509_free(cert);
    return LT_OK;
}

static int probe_files(const struct conf *conf, struct lt_err *err)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        bool certificates = strcmp(row->key, "ssl_ca") == 0 || strcmp(row->key, "ssl_cert") == 0;
        const char *path = certificates ? *(char *const *)conf_value_look(row, conf) : NULL;
        int rc = path != NULL ? probe_certificates(row, path, err) : LT_OK;
        if (rc != LT_OK)
            return rc;
    }
    return LT_OK;
}

static int probe_password(const struct conf *conf, struct lt_err *err)
{
    char password[PASSWORD_MAX];
    int rc = conf_read_password(conf, password, sizeof password, NULL, err);
    explicit_bzero(password, sizeof password);
    return rc;
}

/* One that runs with this configuration has its ports. */
static bool is_running(const struct conf *conf)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", conf->admin.socket);
    bool there = connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 || errno == EAGAIN;
    (void)close(fd);
    return there;
}

static int probe_port(const char *key, const struct conf_listen *listen, struct lt_err *err)
{
    int fd = -1;
    uint16_t port = 0;
    if (!listen->on)
        return LT_OK;
    int rc = listen_tcp(key, listen->host, listen->port, 1, &fd, &port, err);
    if (rc == LT_OK)
        (void)close(fd);
    return rc;
}

int conf_probe(const struct conf *conf, struct lt_err *err)
{
    int rc = probe_store(conf->store.dir, err);
    if (rc == LT_OK && conf->admin.group != NULL)
        rc = probe_group(conf->admin.group, err);
    if (rc == LT_OK)
        rc = probe_files(conf, err);
    if (rc == LT_OK)
        rc = probe_password(conf, err);
    if (rc == LT_OK && !is_running(conf)) {
        rc = probe_port("tail.listen", &conf->tail.listen, err);
        if (rc == LT_OK)
            rc = probe_port("http.listen", &conf->http.listen, err);
    }
    return rc;
}
