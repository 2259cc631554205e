/* Start and stop, the accept thread, a thread for each connection, and what tests set and ask. */
#include "fake_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    COM_QUIT = 0x01,
    COM_INIT_DB = 0x02,
    COM_QUERY = 0x03,
    COM_PING = 0x0e,
    COM_BINLOG_DUMP = 0x12,
    COM_REGISTER_SLAVE = 0x15,
    COM_BINLOG_DUMP_GTID = 0x1e,
    COM_RESET_CONNECTION = 0x1f,
};

void fake_lock(struct fake_primary *fp)
{
    lt_assert(pthread_mutex_lock(&fp->lock) == 0);
}

void fake_unlock(struct fake_primary *fp)
{
    lt_assert(pthread_mutex_unlock(&fp->lock) == 0);
}

void fake_notify(struct fake_primary *fp)
{
    struct fake_conn *cn;
    (void)pthread_cond_broadcast(&fp->changed);
    TAILQ_FOREACH (cn, &fp->conns, link)
        if (cn->dumping)
            (void)eventfd_write(cn->wake_fd, 1);
}

void fake_conn_end(struct fake_conn *cn, bool reset)
{
    if (cn->done)
        return;
    if (reset)
        atomic_store(&cn->reset, true);
    atomic_store(&cn->stop, true);
    (void)eventfd_write(cn->wake_fd, 1);
}

bool fake_is_mariadb(const struct fake_primary *fp)
{
    return fake_release_is_mariadb(fp->release);
}

unsigned fake_version_number(const char *version)
{
    unsigned part[3] = {0};
    if (strncmp(version, "5.5.5-", 6) == 0)
        version += 6;
    for (int i = 0; i < 3; i++) {
        char *end;
        part[i] = (unsigned)strtoul(version, &end, 10);
        if (*end != '.')
            break;
        version = end + 1;
    }
    return part[0] * 10000 + part[1] * 100 + part[2];
}

int fake_pos_cmp(const struct fake_pos *a, const struct fake_pos *b)
{
    uint64_t na = binlog_name_number(a->file);
    uint64_t nb = binlog_name_number(b->file);
    if (na != nb)
        return na < nb ? -1 : 1;
    return a->pos < b->pos ? -1 : a->pos > b->pos;
}

void *fake_keep(struct fake_primary *fp, const void *data, size_t len)
{
    if (!data)
        return NULL;
    struct fake_kept *k = malloc(sizeof *k + len);
    lt_assert(k);
    memcpy(k->data, data, len);
    k->next = fp->kept;
    fp->kept = k;
    return k->data;
}

const char *fake_keep_text(struct fake_primary *fp, const char *text)
{
    return text ? fake_keep(fp, text, strlen(text) + 1) : NULL;
}

void *fake_grow(void *array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 64;
    void *p = reallocarray(array, *cap, item);
    lt_assert(p);
    return p;
}

/* ------------------------------------------------------------------ connections -------------------------------------------------- */

/* False: the connection ends. */
static bool serve_command(struct fake_conn *cn, const uint8_t *cmd, size_t len)
{
    switch (cmd[0]) {
    case COM_QUIT:
        return false;
    case COM_QUERY:
        fake_query(cn, (const char *)cmd + 1, len - 1);
        return true;
    case COM_REGISTER_SLAVE:
        cn->registered = true;
        fake_query(cn, "do com_register_slave", 21);
        return true;
    case COM_BINLOG_DUMP:
    case COM_BINLOG_DUMP_GTID:
        return fake_serve_dump(cn, cmd, len);
    case COM_PING:
    case COM_INIT_DB:
    case COM_RESET_CONNECTION:
        fake_send_ok(&cn->io);
        return true;
    default:
        fake_send_err(&cn->io, 1047, "Unknown command");
        return true;
    }
}

static void *serve_conn(void *arg)
{
    struct fake_conn *cn = arg;
    struct fake_primary *fp = cn->fp;
    uint8_t *cmd = malloc(65536);
    lt_assert(cmd);
    if (fake_login(cn)) {
        long len;
        do {
            len = fake_io_read(cn, cmd, 65536);
        } while (len > 0 && serve_command(cn, cmd, (size_t)len));
        (void)fake_io_flush(&cn->io);
    }
    free(cmd);
    if (atomic_load(&cn->reset))
        (void)setsockopt(cn->io.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    fake_lock(fp);
    fake_io_fini(&cn->io);
    (void)close(cn->io.fd);
    (void)close(cn->wake_fd);
    fake_vars_fini(&cn->user_vars);
    cn->done = true;
    fp->live_conns--;
    fake_notify(fp);
    fake_unlock(fp);
    return NULL;
}

static void start_conn(struct fake_primary *fp, int fd)
{
    struct fake_conn *cn = calloc(1, sizeof *cn);
    lt_assert(cn);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    cn->fp = fp;
    cn->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    lt_assert(cn->wake_fd >= 0);
    fake_io_init(&cn->io, fd);
    cn->io.key_update_every = fp->opt.tls_key_update_every;
    fake_lock(fp);
    cn->number = ++fp->counters.connections;
    fp->live_conns++;
    TAILQ_INSERT_TAIL(&fp->conns, cn, link);
    lt_assert(pthread_create(&cn->thread, NULL, serve_conn, cn) == 0);
    fake_unlock(fp);
}

/* Join the threads that are done; all of them when `all` (they were told to end). */
static void reap(struct fake_primary *fp, bool all)
{
    struct fake_conn *cn;
    fake_lock(fp);
    while (all && fp->live_conns)
        (void)pthread_cond_wait(&fp->changed, &fp->lock);
    for (cn = TAILQ_FIRST(&fp->conns); cn;) {
        struct fake_conn *next = TAILQ_NEXT(cn, link);
        if (cn->done) {
            TAILQ_REMOVE(&fp->conns, cn, link);
            (void)pthread_join(cn->thread, NULL);
            free(cn);
        }
        cn = next;
    }
    fake_unlock(fp);
}

static void *accept_loop(void *arg)
{
    struct fake_primary *fp = arg;
    struct pollfd p[2] = {{.fd = fp->listen_fd, .events = POLLIN}, {.fd = fp->stop_fd, .events = POLLIN}};
    for (;;) {
        (void)poll(p, 2, -1);
        if (p[1].revents)
            return NULL;
        int fd = accept4(fp->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            start_conn(fp, fd);
        reap(fp, false);
    }
}

/* Bound but not listening: the port is kept and connects are refused. */
static void bind_port(struct fake_primary *fp)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(fp->port)};
    socklen_t len = sizeof sa;
    fp->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    lt_assert(fp->listen_fd >= 0);
    (void)setsockopt(fp->listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    lt_assert(bind(fp->listen_fd, (struct sockaddr *)&sa, sizeof sa) == 0);
    lt_assert(getsockname(fp->listen_fd, (struct sockaddr *)&sa, &len) == 0);
    fp->port = ntohs(sa.sin_port);
}

void fake_primary_resume(struct fake_primary *fp)
{
    if (fp->accepting)
        return;
    lt_assert(listen(fp->listen_fd, 128) == 0);
    fp->stop_fd = eventfd(0, EFD_CLOEXEC);
    lt_assert(fp->stop_fd >= 0);
    fp->accepting = true;
    lt_assert(pthread_create(&fp->accept_thread, NULL, accept_loop, fp) == 0);
}

void fake_close_all(struct fake_primary *fp, bool reset)
{
    struct fake_conn *cn;
    fake_lock(fp);
    TAILQ_FOREACH (cn, &fp->conns, link)
        fake_conn_end(cn, reset);
    fake_unlock(fp);
}

void fake_primary_pause(struct fake_primary *fp)
{
    if (!fp->accepting)
        return;
    (void)eventfd_write(fp->stop_fd, 1);
    (void)pthread_join(fp->accept_thread, NULL);
    (void)close(fp->stop_fd);
    (void)close(fp->listen_fd);
    fp->accepting = false;
    bind_port(fp);
    fake_close_all(fp, true);
    reap(fp, true);
}

/* ------------------------------------------------------------------ start and stop ----------------------------------------------- */

static enum fake_plugin plugin_of(const struct fake_primary *fp)
{
    if (fake_is_mariadb(fp))
        return FAKE_PLUGIN_MARIADB;
    if (fp->opt.plugin != FAKE_PLUGIN_AUTO)
        return fp->opt.plugin;
    unsigned number = fake_version_number(fp->opt.version);
    return number >= 90000 ? FAKE_PLUGIN_97 : number >= 80026 ? FAKE_PLUGIN_NEW : FAKE_PLUGIN_OLD;
}

static void copy_options(struct fake_primary *fp, const struct fake_options *opt)
{
    fp->opt = *opt;
    fp->opt.version = fake_keep_text(fp, opt->version ? opt->version : "8.0.46");
    fp->opt.user = fake_keep_text(fp, opt->user ? opt->user : "repl");
    fp->opt.password = fake_keep_text(fp, opt->password ? opt->password : "secret");
    fp->release = fake_release_of(fp->opt.version);
    fp->plugin = plugin_of(fp);
    fp->port = opt->port;
    fp->server_id = opt->server_id ? opt->server_id : 33104;
    (void)snprintf(fp->uuid, sizeof fp->uuid, "%s", opt->uuid ? opt->uuid : "68b1e7ed-e6ea-11f1-af30-02fc00000001");
}

static void set_up_tls(struct fake_primary *fp)
{
    if (!fp->opt.tls_cert || !fp->opt.tls_key)
        return;
    fp->tls = SSL_CTX_new(TLS_server_method());
    lt_assert(fp->tls);
    (void)SSL_CTX_set_mode(fp->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    lt_assert(SSL_CTX_use_certificate_chain_file(fp->tls, fp->opt.tls_cert) == 1);
    lt_assert(SSL_CTX_use_PrivateKey_file(fp->tls, fp->opt.tls_key, SSL_FILETYPE_PEM) == 1);
}

struct fake_primary *fake_primary_start(const struct fake_options *opt)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a client may be gone when TLS writes */
    struct fake_primary *fp = calloc(1, sizeof *fp);
    pthread_condattr_t attr;
    lt_assert(fp);
    (void)pthread_mutex_init(&fp->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&fp->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    TAILQ_INIT(&fp->conns);
    copy_options(fp, opt);
    fp->started_us = clock_mono_us();
    fp->next_seq = 1;
    fake_gen_init(&fp->gen, fp->release, strncmp(fp->opt.version, "5.5.5-", 6) ? fp->opt.version : fp->opt.version + 6);
    fp->gen.crc = !opt->no_checksum;
    fp->gen.server_id = fp->server_id;
    lt_assert(uuid_parse(fp->uuid, fp->gen.uuid) == 0);
    fake_vars_defaults(fp);
    set_up_tls(fp);
    bind_port(fp);
    fake_primary_resume(fp);
    return fp;
}

void fake_primary_stop(struct fake_primary *fp)
{
    if (!fp)
        return;
    fake_primary_pause(fp);
    (void)close(fp->listen_fd);
    SSL_CTX_free(fp->tls);
    fake_files_free(fp);
    fake_gen_fini(&fp->gen);
    fake_vars_fini(&fp->vars);
    fake_vars_fini(&fp->status);
    fake_bytes_fini(&fp->log);
    free(fp->answers);
    free(fp->logins);
    free(fp->rules);
    free(fp->rule_seen);
    free(fp->dumps);
    free(fp->acks);
    while (fp->kept) {
        struct fake_kept *next = fp->kept->next;
        free(fp->kept);
        fp->kept = next;
    }
    (void)pthread_cond_destroy(&fp->changed);
    (void)pthread_mutex_destroy(&fp->lock);
    free(fp);
}

uint16_t fake_port(const struct fake_primary *fp)
{
    return fp->port;
}
