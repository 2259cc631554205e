/*
 * What becomes of a failure: another attempt (a DISCONNECTED event, back-off) or the end (an error for good).
 *
 * - The network's failures heal: tried for ever, unless the options set a number.
 * - A peer that breaks the protocol or TLS was perhaps cut off at a bad moment: tried again, but given up when it never worked, or when three
 *   connections in a row brought nothing.
 * - A server's refusal is final where it does not say when to come back. A GTID subscription whose position is of no use any more (purged, another
 *   server's) asks again by its set alone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "client/handle.h"

#define FRUITLESS_MAX 3

#define CODE(name) ((int)LOGTAILER__TAIL__ERROR_CODE__ERROR_##name)

int policy_code(const struct lt_err *err)
{
    switch (err->code) {
    case LT_ENOMEM:
        return BINLOGTAIL_ENOMEM;
    case LT_ENOTFOUND:
    case LT_ETIMEOUT:
        return BINLOGTAIL_ECONNECT;
    case LT_ECLOSED:
        return BINLOGTAIL_ELOST;
    case CONN_ETLS:
        return BINLOGTAIL_ETLS;
    case LT_EPROTO:
    case LT_ETOOBIG:
        return BINLOGTAIL_EPROTOCOL;
    case LT_ECHECKSUM:
        return BINLOGTAIL_ECHECKSUM;
    case LT_EINVAL:
        return BINLOGTAIL_EINVAL;
    default:
        return BINLOGTAIL_ESYS;
    }
}

static const char *cure_of(int code)
{
    switch (code) {
    case BINLOGTAIL_ECONNECT:
        return "check host and port, that logtailerd runs there and that its tail.listen is reachable from here";
    case BINLOGTAIL_ETLS:
        return "check tls_ca, the host name and the dates of the certificates; a server without tail.ssl_cert does not "
               "speak TLS";
    case BINLOGTAIL_EPROTOCOL:
        return "check that the port is logtailerd's tail.listen, and whether it wants TLS";
    case BINLOGTAIL_ECHECKSUM:
        return "when it comes again at the same place, the stored file is damaged: have the operator look at that "
               "server";
    case BINLOGTAIL_EINVAL:
        return "use TLS, or say that the token may go in the clear";
    default:
        return "";
    }
}

void policy_set_error(struct binlogtail_error *e, int code, const char *message, const char *cure)
{
    *e = (struct binlogtail_error){.code = code};
    (void)snprintf(e->message, sizeof e->message, "%s", message);
    (void)snprintf(e->cure, sizeof e->cure, "%s", cure != NULL ? cure : cure_of(code));
}

/* Full jitter: anything between 0 and a bound that doubles. Without randomness the bound itself. */
static uint32_t backoff_ms(const struct binlogtail *bt)
{
    uint64_t bound = bt->opt.backoff_min_ms;
    uint32_t random = 0;
    for (unsigned i = 1; i < bt->failures && bound < bt->opt.backoff_max_ms; i++)
        bound *= 2;
    if (bound > bt->opt.backoff_max_ms)
        bound = bt->opt.backoff_max_ms;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return (uint32_t)bound;
    return (uint32_t)(random % (bound + 1));
}

static int give_up(struct binlogtail *bt)
{
    drive_close(bt, HANDLE_FAILED, 0);
    return bt->error.code;
}

/* asked_ms: when the server said to come back; it spreads its clients itself. 0: it did not say. */
static int try_again(struct binlogtail *bt, uint32_t asked_ms)
{
    uint32_t wait = asked_ms > 0 ? asked_ms : backoff_ms(bt);
    drive_close(bt, HANDLE_WAITING, clock_mono_us() + (uint64_t)wait * 1000);
    if (!place_is_set(&bt->commit))
        bt->commit = bt->unconfirmed; /* it may not have arrived */
    bt->unconfirmed = (struct place){0};
    bt->said = bt->error;
    bt->event = (struct binlogtail_event){.kind = BINLOGTAIL_DISCONNECTED, .type_name = "", .gtid = "", .flavor = ""};
    bt->event.position = place_view(&bt->stream.at);
    bt->event.end_offset = bt->stream.at.offset;
    bt->event.error = &bt->said;
    bt->event.retry_in_ms = wait;
    return 1;
}

/* Too often in a row? */
static bool exhausted(const struct binlogtail *bt)
{
    uint32_t limit = bt->ever_connected ? bt->opt.attempts : bt->opt.attempts_first;
    return limit != 0 && bt->failures >= limit;
}

int policy_failed(struct binlogtail *bt, const struct lt_err *err)
{
    int code = policy_code(err);
    if (code == BINLOGTAIL_ELOST && bt->state == HANDLE_CONNECTING)
        code = BINLOGTAIL_ECONNECT;
    policy_set_error(&bt->error, code, err->text, NULL);
    bt->error.sys_errno = err->sys_errno;
    bt->failures++;
    if (exhausted(bt))
        return give_up(bt);
    switch (code) {
    case BINLOGTAIL_ECONNECT:
    case BINLOGTAIL_ELOST:
    case BINLOGTAIL_ESYS:
        return try_again(bt, 0);
    case BINLOGTAIL_ETLS:
    case BINLOGTAIL_EPROTOCOL:
    case BINLOGTAIL_ECHECKSUM:
        bt->fruitless++;
        if (!bt->ever_connected || bt->fruitless >= FRUITLESS_MAX)
            return give_up(bt);
        return try_again(bt, 0);
    default:
        return give_up(bt);
    }
}

static bool comes_back(const struct stream_refusal *r)
{
    return r->retry_after_ms > 0 || r->code == CODE(TIMEOUT) || r->code == CODE(STOPPING);
}

/* The place is of no use, but the set still says all. */
static bool set_helps(const struct binlogtail *bt, int code)
{
    return bt->stream.by_gtids && bt->stream.begun && !bt->by_gtids_anew &&
           (code == CODE(PURGED) || code == CODE(NOT_FOUND) || code == CODE(WRONG_LINEAGE) ||
            code == CODE(BAD_POSITION));
}

static int end_of_nothing(struct binlogtail *bt)
{
    drive_close(bt, HANDLE_ENDED, 0);
    bt->event = (struct binlogtail_event){.kind = BINLOGTAIL_END, .type_name = "", .gtid = "", .flavor = ""};
    bt->event.position = place_view(&bt->stream.at);
    return 1;
}

int policy_refused(struct binlogtail *bt)
{
    const struct stream_refusal *r = &bt->stream.refusal;
    struct binlogtail_error *e = &bt->error;
    policy_set_error(e, BINLOGTAIL_ESERVER, r->message, r->cure);
    e->server_code = r->code;
    if (place_is_set(&r->earliest))
        lt_ignore(place_format(&r->earliest, e->earliest, sizeof e->earliest)); /* fits: BINLOGTAIL_TOKEN_MAX */
    if (place_is_set(&r->durable))
        lt_ignore(place_format(&r->durable, e->durable, sizeof e->durable));
    if (r->code == CODE(EMPTY) && bt->opt.until_end)
        return end_of_nothing(bt);
    if (set_helps(bt, r->code)) {
        bt->by_gtids_anew = true;
        return try_again(bt, r->retry_after_ms);
    }
    if (r->code == CODE(EMPTY) && bt->opt.start == BINLOGTAIL_START_LATEST)
        bt->opt.start = BINLOGTAIL_START_EARLIEST; /* whatever comes, comes after we asked */
    bt->failures++;
    if (!comes_back(r) || exhausted(bt))
        return give_up(bt);
    return try_again(bt, r->retry_after_ms);
}
