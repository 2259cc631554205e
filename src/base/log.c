/*
 * One line, one write:
 * - the level gate (in the macro), then the call site's rate limit;
 * - the message is formatted, then escaped into a line of at most PIPE_BUF bytes on the stack;
 * - under a lock that is waited for only LOCK_WAIT_MS: is the descriptor writable now? then one write.
 *
 * What can go wrong: stderr full (pipe, journal socket, stopped terminal) or another thread stuck in it: the line is dropped and counted,
 * and the first line that gets through again says how many. O_NONBLOCK is no way out, it is a property of the open file that other
 * processes share. A pipe that polls writable has a free page, so a line of at most PIPE_BUF does not block; a socket is asked with
 * MSG_DONTWAIT. A regular file is always "writable": whoever logs to a file puts it on a disk that answers.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/plain.h"

#define LINE_MAX_BYTES PIPE_BUF
#define MESSAGE_MAX    3072
#define WINDOW_US      1000000ULL
#define LOCK_WAIT_MS   10

static const char *const level_names[] = {"error", "warn", "notice", "info", "debug"};

static _Atomic int current_level = LOG_LEVEL_NOTICE;
static _Atomic int current_format = LOG_FORMAT_TEXT;
static _Atomic int out_fd = STDERR_FILENO;
static _Atomic unsigned long long dropped;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
/* Under out_lock: */
static unsigned long long dropped_told;
static _Atomic bool torn; /* a socket took a part of the last line; looked at without the lock, too */

struct line {
    char buf[LINE_MAX_BYTES];
    size_t len;
    size_t cap; /* leaves room for the closing characters */
};

void log_configure(enum log_level level, enum log_format format)
{
    log_level_set(level);
    atomic_store(&current_format, (int)format);
}

enum log_level log_level_get(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_level_set(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return LT_OK;
        }
    }
    return LT_EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_DEBUG ? level_names[level] : "unknown";
}

bool log_enabled(enum log_level level)
{
    return level <= log_level_get();
}

unsigned long long log_dropped(void)
{
    return atomic_load(&dropped);
}

void log_set_fd(int fd)
{
    (void)pthread_mutex_lock(&out_lock);
    atomic_store(&out_fd, fd);
    torn = false;
    (void)pthread_mutex_unlock(&out_lock);
}

/* All of s or nothing, so that no escape is cut in two. */
static bool put(struct line *line, const char *s, size_t n)
{
    if (n > line->cap - line->len)
        return false;
    memcpy(line->buf + line->len, s, n);
    line->len += n;
    return true;
}

/* A character that would steer who looks at it: exact in JSON all the same, as its code. */
static bool put_code(struct line *line, uint32_t code, bool json)
{
    char esc[16];
    int len = 0;
    if (code < 0x80 && !json)
        len = snprintf(esc, sizeof esc, "\\x%02x", code);
    else if (code < 0x10000)
        len = snprintf(esc, sizeof esc, "\\u%04x", code);
    else
        len = snprintf(esc, sizeof esc, "\\u%04x\\u%04x", 0xd7c0u + (code >> 10), 0xdc00u + (code & 0x3ff));
    return put(line, esc, (size_t)len);
}

/* One character of the input as it goes into the line; returns how much of the input that was, 0 when the line is full. */
static size_t put_escaped(struct line *line, const char *s, bool json)
{
    uint32_t code = 0;
    size_t n = plain_utf8(s, strnlen(s, 4), &code);
    if (n == 0)
        return json ? put(line, "\\ufffd", 6) : put(line, "?", 1);
    if (!plain_code_ok(code))
        return put_code(line, code, json) ? n : 0;
    if (json && (s[0] == '"' || s[0] == '\\')) {
        char esc[2] = {'\\', s[0]};
        return put(line, esc, 2);
    }
    return put(line, s, n) ? n : 0;
}

static void put_text(struct line *line, const char *text, bool json)
{
    while (*text != '\0') {
        size_t n = put_escaped(line, text, json);
        if (n == 0)
            return;
        text += n;
    }
}

static void put_raw(struct line *line, const char *text)
{
    (void)put(line, text, strlen(text));
}

static void put_time(struct line *line)
{
    uint64_t now = clock_wall_us();
    time_t sec = (time_t)(now / 1000000);
    struct tm tm = {0};
    (void)gmtime_r(&sec, &tm);
    char buf[40];
    size_t n = strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(buf + n, sizeof buf - n, ".%03uZ", (unsigned)(now / 1000 % 1000));
    put_raw(line, buf);
}

static void assemble(struct line *line, enum log_level level, const char *module, const char *message)
{
    bool json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    line->len = 0;
    line->cap = sizeof line->buf - sizeof "\"}\n";
    put_raw(line, json ? "{\"ts\":\"" : "");
    put_time(line);
    put_raw(line, json ? "\",\"level\":\"" : " ");
    put_raw(line, log_level_name(level));
    put_raw(line, json ? "\",\"module\":\"" : " ");
    put_text(line, module, json);
    put_raw(line, json ? "\",\"msg\":\"" : " ");
    put_text(line, message, json);
    line->cap = sizeof line->buf;
    put_raw(line, json ? "\"}\n" : "\n");
}

/* Under out_lock. True when all of it went out. */
static bool send_now(const char *data, size_t len)
{
    int fd = atomic_load(&out_fd);
    ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
            return false;
        n = write(fd, data, len);
    }
    torn = n > 0 ? (size_t)n < len : torn;
    return n == (ssize_t)len;
}

/* Whoever holds it only writes what can be written now. Not a timed lock: those that a step of the clock leaves alone TSan of gcc 12 does not know. */
static bool lock_for_a_moment(void)
{
    for (int tries = LOCK_WAIT_MS * 10; tries > 0; tries--) {
        if (pthread_mutex_trylock(&out_lock) == 0)
            return true;
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return false;
}

/* Under out_lock: say how many lines are missing before the first that gets through again. */
static bool tell_dropped(void)
{
    unsigned long long total = atomic_load(&dropped);
    if (total == dropped_told)
        return true;
    char text[96];
    (void)snprintf(text, sizeof text, "lines dropped because stderr would have blocked: count=%llu",
                   total - dropped_told);
    struct line line;
    assemble(&line, LOG_LEVEL_WARN, "log", text);
    if (!send_now(line.buf, line.len))
        return false;
    dropped_told = total;
    return true;
}

static void emit(const struct line *line)
{
    if (!lock_for_a_moment()) {
        atomic_fetch_add(&dropped, 1);
        return;
    }
    bool ok = true;
    if (torn) {
        ok = send_now("\n", 1);
        torn = !ok;
    }
    ok = ok && tell_dropped() && send_now(line->buf, line->len);
    if (!ok)
        atomic_fetch_add(&dropped, 1);
    (void)pthread_mutex_unlock(&out_lock);
}

/* May this call site write now? *ret_held: how many of its lines the window that ends now swallowed. */
static bool admit(struct log_site *site, unsigned *ret_held)
{
    *ret_held = 0;
    if (site == NULL)
        return true;
    unsigned long long now = clock_mono_us();
    unsigned long long start = atomic_load(&site->window_us);
    if ((start == 0 || now >= start + WINDOW_US) && atomic_compare_exchange_strong(&site->window_us, &start, now)) {
        unsigned n = atomic_exchange(&site->count, 1);
        *ret_held = n > LOG_BURST ? n - LOG_BURST : 0;
        return true;
    }
    return atomic_fetch_add(&site->count, 1) < LOG_BURST;
}

void log_write(struct log_site *site, enum log_level level, const char *module, const char *fmt, ...)
{
    int saved = errno;
    unsigned held = 0;
    if (admit(site, &held)) {
        struct line line;
        char message[MESSAGE_MAX];
        if (held > 0) {
            (void)snprintf(message, sizeof message, "%u more lines like the next one were held back", held);
            assemble(&line, level, module, message);
            emit(&line);
        }
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(message, sizeof message, fmt, ap);
        va_end(ap);
        if (n < 0)
            message[0] = '\0';
        assemble(&line, level, module, message);
        emit(&line);
    }
    errno = saved;
}
