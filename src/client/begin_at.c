/*
 * Halving over the numbers of the files in the newest history, a connection for each look: a file's time is that of its format description.
 * A file that is not there counts as one that begins before: the oldest ones are gone. If none begins before, the time lies in an older
 * history or before all that is there, and everything has to be looked through.
 */
#include "client/begin_at.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "binlog/event.h"
#include "client/binlogtail_run.h"
#include "client/place.h"

#define LOOK_MS 500

struct look {
    struct place first; /* that can be read */
    struct place last;  /* what is durable */
    bool there;
    int64_t time_s; /* of the file's beginning */
};

static void take_place(const struct binlogtail_position *pos, struct place *ret)
{
    ret->lineage = pos->lineage;
    (void)snprintf(ret->file, sizeof ret->file, "%s", pos->file);
    (void)snprintf(ret->source_id, sizeof ret->source_id, "%s", pos->source_id);
}

/* True when the file's time is known. */
static bool take_event(const struct binlogtail_event *ev, struct look *l)
{
    struct event_header h;
    if (ev->kind == BINLOGTAIL_CONNECTED) {
        take_place(&ev->server->earliest, &l->first);
        take_place(&ev->server->durable, &l->last);
    }
    if ((ev->kind != BINLOGTAIL_FILE_BEGIN && ev->kind != BINLOGTAIL_EVENT) || ev->length < EVENT_HEADER_LEN ||
        event_header_parse(ev->data, ev->length, &h) != 0)
        return false;
    l->there = true;
    l->time_s = (int64_t)h.timestamp;
    return true;
}

static bool is_missing(const struct binlogtail_error *e)
{
    return e->code == BINLOGTAIL_ESERVER &&
           (e->server_code == BINLOGTAIL_SERVER_NOT_FOUND || e->server_code == BINLOGTAIL_SERVER_PURGED);
}

/* -1: looked; a file that is gone is not there. */
static int look_at(const struct opts *opts, bool (*stop)(void), const char *position, struct look *l)
{
    struct binlogtail_options lib = opts->lib;
    struct binlogtail_error e;
    const struct binlogtail_event *ev;
    lib.start = position != NULL ? BINLOGTAIL_START_POSITION : BINLOGTAIL_START_EARLIEST;
    lib.position = position;
    lib.until_end = false;
    struct binlogtail *bt = binlogtail_open(&lib, &e);
    int rc = bt != NULL ? 0 : e.code;
    int code = -1;
    l->there = false;
    while (rc >= 0 && code < 0) {
        rc = binlogtail_wait_event(bt, LOOK_MS, &ev);
        if (rc == 1 && take_event(ev, l))
            break;
        if (rc == 1 && ev->kind == BINLOGTAIL_CONNECTED && l->last.file[0] == '\0')
            break; /* nothing is stored */
        if (stop())
            code = EXIT_END;
    }
    if (rc < 0) {
        const struct binlogtail_error *why = bt != NULL ? binlogtail_last_error(bt) : &e;
        if (!is_missing(why) || position == NULL) {
            say_error(opts, why);
            code = say_exit_code(why);
        }
    }
    binlogtail_close(bt);
    return code;
}

/* The newest history's file of that number. */
static int token_of(const struct place *last, uint64_t number, char *buf)
{
    struct place p = *last;
    const char *dot = strrchr(last->file, '.');
    int stem = dot != NULL ? (int)(dot - last->file) : 0;
    (void)snprintf(p.file, sizeof p.file, "%.*s.%06" PRIu64, stem, last->file, number);
    p.offset = BINLOG_MAGIC_LEN;
    return place_format(&p, buf, BINLOGTAIL_TOKEN_MAX);
}

int begin_at_time(const struct opts *opts, bool (*stop)(void), char *ret_token)
{
    struct look l = {0};
    char token[BINLOGTAIL_TOKEN_MAX];
    int code = look_at(opts, stop, NULL, &l);
    ret_token[0] = '\0';
    if (code >= 0 || l.last.file[0] == '\0')
        return code;
    uint64_t low = l.first.lineage == l.last.lineage ? binlog_name_number(l.first.file) : 0;
    uint64_t high = binlog_name_number(l.last.file);
    while (low < high) { /* the file that is looked for is low or lies behind it */
        uint64_t mid = low + (high - low + 1) / 2;
        if (token_of(&l.last, mid, token) != 0)
            return -1;
        code = look_at(opts, stop, token, &l);
        if (code >= 0)
            return code;
        if (l.there && l.time_s >= opts->from.time_s) {
            high = mid - 1;
            continue;
        }
        low = mid;
        if (l.there)
            (void)snprintf(ret_token, BINLOGTAIL_TOKEN_MAX, "%s", token);
    }
    return -1;
}
