/*
 * - A callback of the library sees each read. Until the greeting is there whole it is gathered, in whatever pieces it comes; then it is judged,
 *   while the library still holds it.
 * - Of an answer the number of columns is looked at in the same way.
 * - Bytes and time are counted from where the caller began. What goes past them shuts the socket down: the library sees the end of a connection,
 *   and frees what it had kept.
 * Failure: a greeting that is too long for us, or none at all, is taken for one that offers no TLS.
 */
#include "ingest/source_internal.h"

#include <ma_pvio.h>

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "binlog/packet.h"
#include "ingest/source_watch.h"

/* Longer than any server's, by far. */
#define GREETING_MAX 1024
/* A number of columns, as long as it can be. */
#define LENENC_MAX 9

struct watch {
    bool armed;
    bool greeting_due;
    bool head_due; /* an answer's first packet: how many columns */
    enum source_watch_tls tls;
    enum source_watched broken;
    uint64_t bytes_left;
    uint64_t until_us;
    size_t len;
    uint8_t packet[PACKET_HEADER_LEN + GREETING_MAX]; /* as far as it is looked at */
};
static _Thread_local struct watch watch;

/* Exported by the library; its header declares it without the length's type agreeing across versions, so we state what it calls. */
int ma_pvio_register_callback(my_bool enable, void (*fn)(int mode, MYSQL *mysql, const uchar *buf, size_t len));

#define PVIO_CALLBACK_READ 0

static void stop(MYSQL *mysql, enum source_watched broken)
{
    watch.broken = watch.broken == SOURCE_WATCH_FINE ? broken : watch.broken;
    (void)shutdown(mysql_get_socket(mysql), SHUT_RDWR);
}

static void judge_greeting(MYSQL *mysql, size_t payload_len)
{
    if (watch.tls == SOURCE_WATCH_TLS_UNUSED)
        return;
    struct packet_greeting g;
    uint16_t code = 0;
    int rc = payload_len <= GREETING_MAX
                 ? packet_parse_greeting(watch.packet + PACKET_HEADER_LEN, payload_len, &g, &code)
                 : LT_EPROTO;
    if (rc != 0 && code != 0)
        return; /* an ERR packet: the library reports it, and sends nothing */
    if (rc == 0 && (g.capabilities & PACKET_CLIENT_SSL))
        return;
    if (watch.tls == SOURCE_WATCH_TLS_NEEDED) {
        stop(mysql, SOURCE_WATCH_NO_TLS);
        return;
    }
    /* The library takes "wanted" for "there" when it chooses how to send a password, and would send it in clear text. */
    my_bool off = 0;
    (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &off);
    mysql->client_flag &= ~(unsigned long)CLIENT_SSL;
}

/* The library makes room for as many columns as are claimed. What is no number of columns (OK, ERR, a file asked for) is let pass. */
static void judge_head(MYSQL *mysql, const uint8_t *payload, size_t len)
{
    struct cursor c = cursor_on(payload, len);
    uint64_t columns = len == 0 || payload[0] == 0xfb || payload[0] == 0xff ? 0 : cursor_lenenc(&c);
    if (cursor_ok(&c) && columns > SOURCE_COLUMNS_LIMIT)
        stop(mysql, SOURCE_WATCH_TOO_MUCH);
}

/* Of the first packet, in whatever pieces it comes, up to max bytes of payload. False: more is to come. */
static bool gather(const uchar *buf, size_t len, size_t max, size_t *ret_payload_len)
{
    size_t room = PACKET_HEADER_LEN + max - watch.len;
    size_t n = len < room ? len : room;
    memcpy(watch.packet + watch.len, buf, n);
    watch.len += n;
    if (watch.len < PACKET_HEADER_LEN)
        return false;
    *ret_payload_len = load_u24(watch.packet);
    return watch.len >= PACKET_HEADER_LEN + (*ret_payload_len < max ? *ret_payload_len : max);
}

static void gather_head(MYSQL *mysql, const uchar *buf, size_t len)
{
    size_t payload_len = 0;
    if (!gather(buf, len, LENENC_MAX, &payload_len))
        return;
    watch.head_due = false;
    judge_head(mysql, watch.packet + PACKET_HEADER_LEN, payload_len < LENENC_MAX ? payload_len : LENENC_MAX);
}

/*
 * An "error" 65535 is how MariaDB reports progress. Before it counts it as that the library asks who the server is, which nothing has told yet:
 * libmariadb 3.3 reads a NULL. In the library's own buffer it becomes an error like any other.
 */
static void refuse_progress(MYSQL *mysql, const uchar *buf, size_t before)
{
    enum { LAST = PACKET_HEADER_LEN + 2 }; /* the code's second byte */
    const uint8_t *payload = watch.packet + PACKET_HEADER_LEN;
    if (before > LAST || watch.len <= LAST || payload[0] != 0xff || load_u16(payload + 1) != 0xffff)
        return;
    ((uchar *)buf)[LAST - before] = 0;
    stop(mysql, SOURCE_WATCH_NO_GREETING);
}

static void gather_greeting(MYSQL *mysql, const uchar *buf, size_t len)
{
    size_t before = watch.len;
    size_t payload_len = 0;
    bool whole = gather(buf, len, GREETING_MAX, &payload_len);
    refuse_progress(mysql, buf, before);
    if (!whole)
        return;
    watch.greeting_due = false;
    judge_greeting(mysql, payload_len);
}

static void on_io(int mode, MYSQL *mysql, const uchar *buf, size_t len)
{
    if (!watch.armed || mode != PVIO_CALLBACK_READ || mysql == NULL || len == 0 || len > SIZE_MAX / 2)
        return;
    if (len > watch.bytes_left) {
        stop(mysql, SOURCE_WATCH_TOO_MUCH);
        return;
    }
    watch.bytes_left -= len;
    if (clock_mono_us() > watch.until_us) {
        stop(mysql, SOURCE_WATCH_TOO_SLOW);
        return;
    }
    if (watch.greeting_due)
        gather_greeting(mysql, buf, len);
    if (watch.head_due)
        gather_head(mysql, buf, len);
}

void source_watch_install(void)
{
    ma_pvio_register_callback(1, on_io);
}

static void begin(uint64_t bytes, uint64_t us)
{
    watch = (struct watch){.armed = true, .bytes_left = bytes, .until_us = clock_mono_us() + us};
}

void source_watch_login(enum source_watch_tls tls, uint64_t us)
{
    begin(SOURCE_LOGIN_MAX, us);
    watch.tls = tls;
    watch.greeting_due = true;
}

void source_watch_answer(uint64_t us)
{
    begin(SOURCE_HEAD_MAX, us);
    watch.head_due = true;
}

void source_watch_rows(void)
{
    watch.bytes_left = SOURCE_ANSWER_MAX;
}

enum source_watched source_watch_end(void)
{
    watch.armed = false;
    return watch.broken;
}
