/*
 * The public functions. One event at a time: the stream is asked, then the socket, until neither has anything.
 * Failure: what the connection or the stream reports goes through policy.c, which decides between another attempt and the end.
 */
#include "binlogtail/binlogtail.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/handle.h"

#define COMMIT_TRIES 5

/* ---- life ---- */

static int set_up(struct binlogtail *bt, const struct binlogtail_options *opt, struct lt_err *err)
{
    int rc = options_copy(bt, opt, err);
    if (rc != 0)
        return rc;
    const struct binlogtail_options *o = &bt->opt;
    struct conn_tls tls = {.ca = o->tls_ca,
                           .cert = o->tls_cert,
                           .key = o->tls_key,
                           .name = o->tls_name != NULL ? o->tls_name : o->host,
                           .verify = !o->tls_no_verify};
    rc = conn_init(&bt->conn, o->tls ? &tls : NULL, err);
    return rc == 0 ? drive_init(bt, err) : rc;
}

struct binlogtail *binlogtail_open(const struct binlogtail_options *opt, struct binlogtail_error *ret_error)
{
    struct lt_err err = {.code = LT_ENOMEM, .text = "out of memory"};
    struct binlogtail *bt = calloc(1, sizeof *bt);
    int rc = LT_ENOMEM;
    if (bt != NULL) {
        bt->epoll_fd = bt->timer_fd = bt->watched_fd = -1;
        bt->conn.fd = -1;
        rc = set_up(bt, opt, &err);
    }
    if (rc != 0) {
        if (ret_error != NULL)
            policy_set_error(ret_error, policy_code(&err), err.text, "");
        binlogtail_close(bt);
        return NULL;
    }
    drive_begin(bt);
    return bt;
}

void binlogtail_close(struct binlogtail *bt)
{
    if (bt == NULL)
        return;
    conn_fini(&bt->conn);
    drive_fini(bt);
    stream_fini(&bt->stream);
    inbuf_fini(&bt->in);
    options_fini(bt);
    free(bt);
}

/* ---- loop ---- */

static int ended(const struct binlogtail *bt)
{
    if (bt->state == HANDLE_FAILED)
        return bt->error.code;
    return bt->state == HANDLE_ENDED ? BINLOGTAIL_ESTATE : 0;
}

int binlogtail_fd(const struct binlogtail *bt)
{
    return bt->epoll_fd;
}

unsigned binlogtail_wanted(const struct binlogtail *bt)
{
    return ended(bt) == 0 ? BINLOGTAIL_WANT_READ : 0;
}

int binlogtail_timeout_ms(const struct binlogtail *bt)
{
    if (bt->timer_us == 0)
        return -1;
    uint64_t now = clock_mono_us();
    if (now >= bt->timer_us)
        return 0;
    uint64_t ms = (bt->timer_us - now + 999) / 1000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int binlogtail_process(struct binlogtail *bt)
{
    int rc = ended(bt);
    if (rc == 0)
        drive_turn(bt);
    return rc == BINLOGTAIL_ESTATE ? 0 : rc;
}

/* ---- events ---- */

static int greeted(struct binlogtail *bt, struct lt_err *err)
{
    const struct stream_hello *h = &bt->stream.hello;
    bt->ever_connected = true;
    bt->state = HANDLE_STREAMING;
    int rc = bt->ending ? 0 : request_subscribe(bt, err);
    if (rc == 0 && place_is_set(&bt->commit))
        rc = request_commit(bt, err);
    if (rc != 0 || bt->ending)
        return rc;
    bt->server = (struct binlogtail_server){
        .version = h->version, .agent = h->agent, .flavor = h->flavor, .heartbeat_ms = h->heartbeat_ms};
    bt->server.earliest = place_view(&h->earliest);
    bt->server.durable = place_view(&h->durable);
    bt->server.committed = place_view(&h->committed);
    bt->event =
        (struct binlogtail_event){.kind = BINLOGTAIL_CONNECTED, .type_name = "", .gtid = "", .flavor = h->flavor};
    bt->event.position = place_view(&bt->stream.at);
    bt->event.server = &bt->server;
    return STREAM_EVENT;
}

static bool commit_is_open(const struct binlogtail *bt)
{
    return place_is_set(&bt->commit) || place_is_set(&bt->unconfirmed);
}

/* END was the last event; a commit that was called for after it may still be on its way. */
static int finish(struct binlogtail *bt)
{
    if (bt->ending && bt->state == HANDLE_STREAMING && !commit_is_open(bt))
        drive_close(bt, HANDLE_ENDED, 0);
    return ended(bt);
}

/* The server closed after END, the commit is not confirmed: bring it over a connection of its own, a few times. */
static int bring_commit(struct binlogtail *bt)
{
    if (!commit_is_open(bt) || bt->commit_tries++ >= COMMIT_TRIES) {
        drive_close(bt, HANDLE_ENDED, 0);
        return ended(bt);
    }
    if (!place_is_set(&bt->commit))
        bt->commit = bt->unconfirmed;
    bt->unconfirmed = (struct place){0};
    drive_close(bt, HANDLE_WAITING, clock_mono_us() + (uint64_t)bt->opt.backoff_min_ms * 1000 * bt->commit_tries);
    return 0;
}

static int failed(struct binlogtail *bt, const struct lt_err *err)
{
    return bt->ending ? bring_commit(bt) : policy_failed(bt, err);
}

/* What the stream said: 1, 0 to go on, or final. */
static int act(struct binlogtail *bt, int rc, struct lt_err *err)
{
    if (rc == STREAM_HELLO)
        rc = greeted(bt, err);
    if (rc == STREAM_REFUSED)
        return policy_refused(bt);
    if (rc < 0)
        return failed(bt, err);
    if (rc == STREAM_EVENT && bt->event.kind != BINLOGTAIL_CONNECTED) {
        bt->failures = 0;
        bt->by_gtids_anew = false;
    }
    if (rc == STREAM_EVENT && bt->event.kind == BINLOGTAIL_EVENT)
        bt->fruitless = 0;
    if (rc == STREAM_EVENT && bt->event.kind == BINLOGTAIL_END)
        bt->ending = true;
    if (rc == STREAM_EVENT && bt->event.kind == BINLOGTAIL_COMMITTED &&
        place_compare(&bt->stream.said, &bt->unconfirmed) >= 0)
        bt->unconfirmed = (struct place){0};
    return rc;
}

int binlogtail_next(struct binlogtail *bt, const struct binlogtail_event **ret_event)
{
    int rc = finish(bt);
    struct lt_err err;
    while (rc == 0) {
        if (bt->state == HANDLE_GREETING || bt->state == HANDLE_STREAMING)
            rc = act(bt, stream_next(&bt->stream, &bt->in, &bt->event, &err), &err);
        if (rc != 0 || drive_receive(bt))
            continue;
        if (!bt->broken)
            break;
        err = bt->broken_err;
        rc = failed(bt, &err);
    }
    if (rc == 1)
        *ret_event = &bt->event;
    else if (rc == 0)
        drive_rearm(bt);
    return rc;
}

static int wait_turn(struct binlogtail *bt, uint64_t deadline_us)
{
    struct pollfd p = {.fd = bt->epoll_fd, .events = POLLIN};
    int ms = -1;
    if (deadline_us != 0) {
        uint64_t now = clock_mono_us();
        uint64_t left = now >= deadline_us ? 0 : (deadline_us - now + 999) / 1000;
        ms = left > INT_MAX ? INT_MAX : (int)left;
    }
    int n = poll(&p, 1, ms);
    if (n > 0)
        drive_turn(bt);
    return n > 0;
}

int binlogtail_wait_event(struct binlogtail *bt, int timeout_ms, const struct binlogtail_event **ret_event)
{
    uint64_t deadline = timeout_ms >= 0 ? clock_mono_us() + (uint64_t)timeout_ms * 1000 : 0;
    for (;;) {
        int rc = binlogtail_next(bt, ret_event);
        if (rc != 0 || !wait_turn(bt, deadline))
            return rc;
    }
}

/* ---- where to go on ---- */

int binlogtail_token(const struct binlogtail *bt, enum binlogtail_token_kind kind, char *buf, size_t cap)
{
    const struct stream *st = &bt->stream;
    struct place p = kind == BINLOGTAIL_TOKEN_EXACT ? stream_exact(st) : st->boundary;
    if (!st->begun)
        return BINLOGTAIL_ESTATE;
    return place_format(&p, buf, cap) == 0 ? 0 : BINLOGTAIL_EINVAL;
}

int binlogtail_token_check(const char *text)
{
    struct place p;
    return text != NULL && place_parse(text, &p) == 0 ? 0 : BINLOGTAIL_EINVAL;
}

char *binlogtail_gtid_set(const struct binlogtail *bt)
{
    return bt->stream.by_gtids ? gtid_set_format(&bt->stream.gtids) : NULL;
}

int binlogtail_commit(struct binlogtail *bt, const char *token)
{
    struct place p = bt->stream.boundary;
    struct lt_err err;
    if (bt->opt.name == NULL || ended(bt) != 0 || (token == NULL && !bt->stream.begun))
        return BINLOGTAIL_ESTATE;
    if (token != NULL && (place_parse(token, &p) != 0 || p.lineage == 0))
        return BINLOGTAIL_EINVAL;
    p.skip = 0;
    bt->commit = p;
    if (bt->state != HANDLE_STREAMING || bt->broken)
        return 0; /* with the next connection */
    if (request_commit(bt, &err) != 0)
        drive_break(bt, &err);
    drive_rearm(bt);
    return 0;
}

/* ---- words ---- */

const struct binlogtail_error *binlogtail_last_error(const struct binlogtail *bt)
{
    return &bt->error;
}

const char *binlogtail_code_name(int code)
{
    static const char *const names[] = {"OK",   "EINVAL",    "ENOMEM",    "ESYS",    "ECONNECT", "ELOST",
                                        "ETLS", "EPROTOCOL", "ECHECKSUM", "ESERVER", "ESTATE"};
    return code <= 0 && code > -(int)(sizeof names / sizeof names[0]) ? names[-code] : "unknown";
}

const char *binlogtail_server_code_name(int code)
{
    static const char *const names[] = {
        "",          "protocol", "version", "auth",         "forbidden",     "tls_required", "too_many",    "timeout",
        "not_found", "purged",   "ahead",   "bad_position", "wrong_lineage", "bad_gtid_set", "name_in_use", "unnamed",
        "empty",     "corrupt",  "unknown", "stopping",     "internal",      "ended"};
    return code >= 0 && code < (int)(sizeof names / sizeof names[0]) ? names[code] : "unknown";
}

const char *binlogtail_type_name(uint8_t type)
{
    return event_type_name(type);
}

const char *binlogtail_version(void)
{
    return LT_VERSION;
}
