/*
 * Happy path: mysql_real_connect, one SET, COM_BINLOG_DUMP written to the socket itself, then packets through packet_next. The TLS object
 * is taken out of Connector/C's connection; libmysqlclient never reads or writes again, and its COM_QUIT is kept in by a shutdown first.
 */
#include "raw_replica.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mysql.h>
#include <openssl/ssl.h>
/* The pieces of Connector/C that hold the SSL object want these. */
#define HAVE_TLS 1
typedef unsigned char uchar;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <ma_pvio.h>
#include <ma_tls.h>
#pragma GCC diagnostic pop

#include "base/clock.h"
#include "base/cursor.h"
#include "binlog/packet.h"

#define INPUT_CAP (256ul * 1024)
#define FLAG_TWO  2 /* MySQL: heartbeats v2; MariaDB: annotate events */

struct raw_replica {
    MYSQL *my;
    struct raw_options opt;
    int fd;
    SSL *ssl;
    bool mariadb;
    struct lt_err err;
    unsigned err_code;
    uint8_t *in;
    size_t in_at;
    size_t in_end;
    struct packet_framer framer;
    enum semi_sync_header header;
    uint8_t *event;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t pos;
    bool crc;
};

static int set_up_session(struct raw_replica *r)
{
    char sql[1024];
    char none[8];
    const struct raw_options *o = &r->opt;
    int n = snprintf(sql, sizeof sql, "SET @mariadb_slave_capability=4");
    if (o->heartbeat_ms)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", @master_heartbeat_period=%llu, @source_heartbeat_period=%llu",
                      (unsigned long long)o->heartbeat_ms * 1000000, (unsigned long long)o->heartbeat_ms * 1000000);
    if (!o->no_checksum_var)
        n += snprintf(
            sql + n, sizeof sql - (size_t)n,
            ", @master_binlog_checksum=@@global.binlog_checksum, @source_binlog_checksum=@@global.binlog_checksum");
    if (o->uuid)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ", @slave_uuid='%s', @replica_uuid='%s'", o->uuid, o->uuid);
    if (o->semi_sync)
        (void)snprintf(sql + n, sizeof sql - (size_t)n, ", @rpl_semi_sync_slave=1, @rpl_semi_sync_replica=1");
    return raw_query(r, sql, none, sizeof none);
}

struct raw_replica *raw_open(const struct raw_options *opt, struct lt_err *err)
{
    struct raw_replica *r = calloc(1, sizeof *r);
    lt_assert(r);
    r->opt = *opt;
    r->in = malloc(INPUT_CAP);
    r->event = malloc(RAW_EVENT_KEPT);
    r->my = mysql_init(NULL);
    lt_assert(r->in && r->event && r->my);
    my_bool no = 0;
    my_bool yes = 1;
    unsigned seconds = opt->timeout_ms ? (opt->timeout_ms + 999) / 1000 : 5;
    (void)mysql_optionsv(r->my, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    (void)mysql_optionsv(r->my, MYSQL_OPT_READ_TIMEOUT, &seconds);
    (void)mysql_optionsv(r->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
    if (opt->tls)
        (void)mysql_optionsv(r->my, MYSQL_OPT_SSL_ENFORCE, &yes);
    const char *host = opt->host ? opt->host : "127.0.0.1";
    if (!mysql_real_connect(r->my, opt->socket ? NULL : host, opt->user, opt->password, NULL, opt->port, opt->socket,
                            0)) {
        (void)lt_err_set(err, LT_ECLOSED, "%u: %s", mysql_errno(r->my), mysql_error(r->my));
        raw_close(r);
        return NULL;
    }
    r->fd = (int)mysql_get_socket(r->my);
    r->mariadb = strstr(mysql_get_server_info(r->my), "MariaDB") != NULL;
    if (r->my->net.pvio && r->my->net.pvio->ctls)
        r->ssl = r->my->net.pvio->ctls->ssl;
    if (set_up_session(r) != 0) {
        if (err)
            *err = r->err;
        raw_close(r);
        return NULL;
    }
    return r;
}

void raw_close(struct raw_replica *r)
{
    if (!r)
        return;
    if (r->fd > 0 && !r->opt.quit_at_close)
        (void)shutdown(r->fd, SHUT_RDWR);
    mysql_close(r->my);
    free(r->in);
    free(r->event);
    free(r);
}

static int query_row(struct raw_replica *r, const char *sql, char *first, char *second, size_t cap)
{
    MYSQL_RES *res = NULL;
    first[0] = '\0';
    if (mysql_query(r->my, sql) != 0 || ((res = mysql_store_result(r->my)) == NULL && mysql_field_count(r->my))) {
        r->err_code = mysql_errno(r->my);
        return lt_err_set(&r->err, LT_EPROTO, "%s", mysql_error(r->my));
    }
    MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
    if (row) {
        (void)snprintf(first, cap, "%s", row[0] ? row[0] : "");
        if (second && mysql_num_fields(res) > 1)
            (void)snprintf(second, cap, "%s", row[1] ? row[1] : "");
    }
    if (res)
        mysql_free_result(res);
    return 0;
}

int raw_query(struct raw_replica *r, const char *sql, char *buf, size_t cap)
{
    return query_row(r, sql, buf, NULL, cap);
}

int raw_primary_end(struct raw_replica *r, char file[BINLOG_NAME_MAX + 1], uint64_t *ret_pos)
{
    char pos[BINLOG_NAME_MAX + 1] = "";
    int ret = query_row(r, "SHOW MASTER STATUS", file, pos, BINLOG_NAME_MAX + 1);
    if (ret != 0)
        ret = query_row(r, "SHOW BINARY LOG STATUS", file, pos, BINLOG_NAME_MAX + 1);
    if (ret == 0)
        *ret_pos = strtoull(pos, NULL, 10);
    return ret;
}

unsigned raw_thread_id(const struct raw_replica *r)
{
    return (unsigned)mysql_thread_id(r->my);
}

bool raw_is_mariadb(const struct raw_replica *r)
{
    return r->mariadb;
}

/* ------------------------------------------------------------------ the socket itself -------------------------------------------- */

int raw_send(struct raw_replica *r, const void *data, size_t len)
{
    const uint8_t *p = data;
    /* What is sent here is far smaller than a socket's buffer: a TLS write that would block is a dead peer. */
    if (r->ssl)
        return SSL_write(r->ssl, p, (int)len) == (int)len ? 0 : lt_err_set(&r->err, LT_ECLOSED, "TLS write");
    while (len) {
        ssize_t n = send(r->fd, p, len, MSG_NOSIGNAL);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            (void)poll(&(struct pollfd){.fd = r->fd, .events = POLLOUT}, 1, 100);
        } else if (n < 0 && errno != EINTR) {
            return lt_err_sys(&r->err, LT_ECLOSED, "send");
        }
    }
    return 0;
}

/* More input; the consumed part is moved out first. */
static int fill(struct raw_replica *r)
{
    uint64_t until = clock_mono_us() + (r->opt.timeout_ms ? r->opt.timeout_ms : 5000) * 1000ull;
    memmove(r->in, r->in + r->in_at, r->in_end - r->in_at);
    r->in_end -= r->in_at;
    r->in_at = 0;
    for (;;) {
        size_t room = INPUT_CAP - r->in_end;
        short want = POLLIN;
        if (r->ssl) {
            int n = SSL_read(r->ssl, r->in + r->in_end, (int)room);
            if (n > 0) {
                r->in_end += (size_t)n;
                return 0;
            }
            int why = SSL_get_error(r->ssl, n);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                return lt_err_set(&r->err, LT_ECLOSED, "TLS connection closed");
            want = why == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
        } else {
            ssize_t n = recv(r->fd, r->in + r->in_end, room, MSG_DONTWAIT);
            if (n > 0) {
                r->in_end += (size_t)n;
                return 0;
            }
            if (n == 0 || (errno != EAGAIN && errno != EINTR))
                return lt_err_set(&r->err, LT_ECLOSED, "connection closed");
        }
        uint64_t now = clock_mono_us();
        if (now >= until)
            return lt_err_set(&r->err, LT_ETIMEOUT, "nothing came");
        (void)poll(&(struct pollfd){.fd = r->fd, .events = want}, 1, (int)((until - now) / 1000) + 1);
    }
}

static int send_dump(struct raw_replica *r, const char *file, uint64_t pos, const uint8_t *cmd, size_t len)
{
    (void)snprintf(r->file, sizeof r->file, "%s", file);
    r->pos = pos;
    r->header = SEMI_SYNC_HEADER_UNKNOWN;
    r->framer = (struct packet_framer){0};
    /* Connector/C leaves a TLS socket blocking, with a time-out of its own. */
    if (fcntl(r->fd, F_SETFL, O_NONBLOCK) != 0)
        return lt_err_sys(&r->err, LT_ESYS, "fcntl");
    return raw_send(r, cmd, len);
}

/* Registering is a command with an answer, so it is read before the dump takes the stream over. */
static int register_replica(struct raw_replica *r)
{
    uint8_t cmd[512];
    size_t len;
    struct packet_span span;
    size_t used;
    int ret = packet_write_register(cmd, sizeof cmd, r->opt.server_id, "raw", 0, &len);
    if (ret == 0)
        ret = raw_send(r, cmd, len);
    while (ret == 0 && (ret = packet_next(&r->framer, r->in + r->in_at, r->in_end - r->in_at, INPUT_CAP / 2, &span,
                                          &used)) == LT_EAGAIN)
        ret = fill(r);
    if (ret != 0)
        return ret;
    r->in_at += used;
    if (span.len && span.data[0] == 0xff) {
        r->err_code = load_u16(span.data + 1);
        return lt_err_set(&r->err, LT_EPROTO, "register: error %u", r->err_code);
    }
    return 0;
}

int raw_dump(struct raw_replica *r, const char *file, uint64_t pos)
{
    uint8_t cmd[512];
    size_t len;
    int ret = r->opt.register_first ? register_replica(r) : 0;
    if (ret == 0)
        ret =
            packet_write_dump(cmd, sizeof cmd, file, pos, r->opt.no_annotations ? 0 : FLAG_TWO, r->opt.server_id, &len);
    return ret == 0 ? send_dump(r, file, pos, cmd, len) : ret;
}

int raw_dump_gtid(struct raw_replica *r, const char *file, uint64_t pos, const uint8_t *set, size_t set_len)
{
    static const uint8_t empty[8];
    uint8_t cmd[4096];
    size_t len;
    int ret = packet_write_dump_gtid(cmd, sizeof cmd, file, pos, FLAG_TWO, r->opt.server_id, set ? set : empty,
                                     set ? set_len : sizeof empty, &len);
    return ret == 0 ? send_dump(r, file, pos, cmd, len) : ret;
}

int raw_ack(struct raw_replica *r, const char *file, uint64_t pos)
{
    uint8_t cmd[PACKET_ACK_NAME_MAX + 64];
    size_t len;
    int ret = packet_write_ack(cmd, sizeof cmd, file, pos, &len);
    return ret == 0 ? raw_send(r, cmd, len) : ret;
}

/* ------------------------------------------------------------------ events ------------------------------------------------------- */

struct arriving {
    struct packet_first first;
    uint64_t len; /* bytes of the event so far */
};

/* A packet's first bytes: what it is, and whether packets of this connection have the header. */
static int take_first(struct raw_replica *r, const struct packet_span *span, struct arriving *a)
{
    bool event = span->len && span->data[0] != 0xff && span->data[0] != 0xfe;
    if (event && r->header == SEMI_SYNC_HEADER_UNKNOWN) {
        int ret = packet_detect_semi_sync(span->data, span->len, &r->header);
        if (ret != 0)
            return lt_err_set(&r->err, ret, "the first packet is no event");
    }
    int ret = packet_parse_first(span->data, span->len, span->last, r->header, &a->first);
    if (ret != 0)
        return lt_err_set(&r->err, ret, "malformed packet");
    if (a->first.kind == PACKET_EOF)
        return LT_EOS;
    if (a->first.kind == PACKET_ERR) {
        r->err_code = a->first.err_code;
        return lt_err_set(&r->err, LT_EPROTO, "%s", a->first.err_text);
    }
    return 0;
}

static void take_bytes(struct raw_replica *r, struct arriving *a, const uint8_t *p, size_t len)
{
    if (a->len < RAW_EVENT_KEPT) {
        size_t n = RAW_EVENT_KEPT - (size_t)a->len;
        memcpy(r->event + a->len, p, len < n ? len : n);
    }
    a->len += len;
}

/* What the event says about the stream itself. */
static void follow(struct raw_replica *r, struct raw_event *ev)
{
    struct event_rotate rot;
    struct event_fde fde;
    ev->artificial = event_is_artificial(&ev->h, r->pos);
    if (!ev->artificial)
        r->pos += ev->h.length;
    if (ev->h.type == EVENT_FORMAT_DESCRIPTION && event_fde_parse(ev->data, ev->len, &fde) == 0)
        r->crc = fde.checksum == CHECKSUM_CRC32;
    /* A wrong guess about its checksum shows in the name: the one that parses and fits is right. */
    if (ev->h.type == EVENT_ROTATE && ev->artificial) {
        bool crc = event_crc_ok(ev->data, ev->len);
        if (event_rotate_parse(ev->data, ev->len, crc, &rot) == 0) {
            (void)snprintf(r->file, sizeof r->file, "%s", rot.name);
            r->pos = rot.pos;
        }
    }
    bool has_crc = r->crc || ev->h.type == EVENT_FORMAT_DESCRIPTION;
    ev->crc_ok = !has_crc || ev->artificial || ev->len < ev->h.length || event_crc_ok(ev->data, ev->len);
    ev->end = r->pos;
    (void)snprintf(ev->file, sizeof ev->file, "%s", r->file);
}

int raw_next(struct raw_replica *r, struct raw_event *ret_event)
{
    struct arriving a = {0};
    struct raw_event ev = {0};
    for (bool last = false; !last;) {
        struct packet_span span;
        size_t used;
        int ret = packet_next(&r->framer, r->in + r->in_at, r->in_end - r->in_at, INPUT_CAP / 4, &span, &used);
        if (ret == LT_EAGAIN) {
            ret = fill(r);
        } else if (ret == 0) {
            size_t skip = 0;
            r->in_at += used;
            last = span.last;
            if (span.first) {
                ret = take_first(r, &span, &a);
                ev.seq = span.seq;
                skip = a.first.prefix_len;
            }
            if (ret == 0)
                take_bytes(r, &a, span.data + skip, span.len - skip);
        }
        if (ret != 0)
            return ret;
    }
    ev.data = r->event;
    ev.len = a.len < RAW_EVENT_KEPT ? (size_t)a.len : RAW_EVENT_KEPT;
    ev.ack_wanted = a.first.ack_wanted;
    ev.parts = (unsigned)((a.len + a.first.prefix_len) / PACKET_MAX_PART + 1);
    int ret = event_header_parse(ev.data, ev.len, &ev.h);
    if (ret != 0 || ev.h.length != a.len)
        return lt_err_set(&r->err, LT_EPROTO, "event length %u in a packet of %llu", ev.h.length,
                          (unsigned long long)a.len);
    follow(r, &ev);
    *ret_event = ev;
    return 0;
}

bool raw_has_header(const struct raw_replica *r)
{
    return r->header == SEMI_SYNC_HEADER_PRESENT;
}

unsigned raw_error_code(const struct raw_replica *r)
{
    return r->err_code;
}

const char *raw_error_text(const struct raw_replica *r)
{
    return r->err.text;
}

int raw_fd(const struct raw_replica *r)
{
    return r->fd;
}
