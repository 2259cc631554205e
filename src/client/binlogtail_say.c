/* What binlogtail says on stderr: what happened, what to do. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "client/binlogtail_run.h"

#define SAY_AGAIN_US 30000000

int say_exit_code(const struct binlogtail_error *e)
{
    switch (e->code) {
    case BINLOGTAIL_EINVAL:
        return EXIT_USAGE;
    case BINLOGTAIL_ECONNECT:
    case BINLOGTAIL_ELOST:
        return EXIT_CONNECT;
    case BINLOGTAIL_ETLS:
        return EXIT_REFUSED;
    case BINLOGTAIL_EPROTOCOL:
    case BINLOGTAIL_ECHECKSUM:
        return EXIT_BAD_DATA;
    case BINLOGTAIL_ESERVER:
        break;
    default:
        return EXIT_LOCAL;
    }
    switch (e->server_code) {
    case BINLOGTAIL_SERVER_VERSION:
    case BINLOGTAIL_SERVER_AUTH:
    case BINLOGTAIL_SERVER_FORBIDDEN:
    case BINLOGTAIL_SERVER_TLS_REQUIRED:
    case BINLOGTAIL_SERVER_TOO_MANY:
    case BINLOGTAIL_SERVER_NAME_IN_USE:
    case BINLOGTAIL_SERVER_UNNAMED:
    case BINLOGTAIL_SERVER_ENDED:
        return EXIT_REFUSED;
    case BINLOGTAIL_SERVER_NOT_FOUND:
    case BINLOGTAIL_SERVER_PURGED:
    case BINLOGTAIL_SERVER_AHEAD:
    case BINLOGTAIL_SERVER_BAD_POSITION:
    case BINLOGTAIL_SERVER_WRONG_LINEAGE:
    case BINLOGTAIL_SERVER_BAD_GTID_SET:
    case BINLOGTAIL_SERVER_EMPTY:
        return EXIT_POSITION;
    case BINLOGTAIL_SERVER_PROTOCOL:
    case BINLOGTAIL_SERVER_CORRUPT:
        return EXIT_BAD_DATA;
    default:
        return EXIT_CONNECT;
    }
}

void say_error(const struct opts *opts, const struct binlogtail_error *e)
{
    bool coded = e->code == BINLOGTAIL_ESERVER;
    plain_print(stderr, "binlogtail: %s%s%s%s\n", e->message, coded ? " (" : "",
                coded ? binlogtail_server_code_name(e->server_code) : "", coded ? ")" : "");
    if (e->cure[0] != '\0')
        plain_print(stderr, "  what helps: %s\n", e->cure);
    if (e->earliest[0] != '\0')
        plain_print(stderr, "  the oldest position there: --from %s\n", e->earliest);
    if (e->durable[0] != '\0')
        plain_print(stderr, "  the durable end there: %s\n", e->durable);
    if (e->code == BINLOGTAIL_ESERVER && e->server_code == BINLOGTAIL_SERVER_TLS_REQUIRED && !opts->lib.tls)
        (void)fputs("  here: --tls, and --ca FILE when its certificate is not signed by one the system trusts\n",
                    stderr);
    if (e->code == BINLOGTAIL_ESERVER && e->server_code == BINLOGTAIL_SERVER_AUTH)
        (void)fputs("  here: --token-file FILE with USER:SECRET in its first line\n", stderr);
}

/* What is new at once, the same again now and then: an outage of hours must not fill a log. */
static void say_lost(struct run *r, const struct binlogtail_event *ev)
{
    uint64_t now = clock_mono_us();
    if (r->was_lost && strcmp(r->lost, ev->error->message) == 0 && now - r->lost_us < SAY_AGAIN_US)
        return;
    progress_clear(&r->progress);
    plain_print(stderr, "binlogtail: %s; trying again\n", ev->error->message);
    (void)snprintf(r->lost, sizeof r->lost, "%s", ev->error->message);
    r->lost_us = now;
    r->was_lost = true;
}

void say_mark(struct run *r, const struct binlogtail_event *ev)
{
    if (r->opts->quiet)
        return;
    if (ev->kind == BINLOGTAIL_DISCONNECTED) {
        say_lost(r, ev);
    } else if (ev->kind == BINLOGTAIL_CONNECTED && r->was_lost) {
        plain_print(stderr, "binlogtail: connected to %s\n", ev->server->agent);
        r->was_lost = false;
    } else if (ev->kind == BINLOGTAIL_CONNECTED && r->talkative && ev->server->durable.file[0] != '\0') {
        plain_print(stderr, "binlogtail: %s (%s), durable to %s:%" PRIu64 "\n", ev->server->agent, ev->server->flavor,
                    ev->server->durable.file, ev->server->durable.offset);
    } else if (ev->kind == BINLOGTAIL_LINEAGE) {
        progress_clear(&r->progress);
        plain_print(stderr, "binlogtail: another history begins: lineage %" PRIu32 " of source %s\n",
                    ev->position.lineage, ev->position.source_id);
    }
}
