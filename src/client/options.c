/* Copies and checks the options. Failure: LT_EINVAL with a sentence; what was copied so far is freed by options_fini. */
#include <stdlib.h>
#include <string.h>

#include "client/handle.h"

#define DEFAULT_PORT       7306
#define CONNECT_TIMEOUT_MS 10000
#define BACKOFF_MIN_MS     100
#define BACKOFF_MAX_MS     10000
#define NAME_MAX_LEN       64
#define STRING_MAX         (512u << 10)
#define SET_TEXT_MAX       (16u << 20) /* with all the blanks it came with */
#define SET_ROOM           16384u      /* of a request, for what goes with the set */

#ifndef LT_VERSION
#error "LT_VERSION is the project's version"
#endif

static const char **const *strings(struct binlogtail_options *o, const char **ret[12])
{
    ret[0] = &o->host;
    ret[1] = &o->name;
    ret[2] = &o->token;
    ret[3] = &o->agent;
    ret[4] = &o->tls_ca;
    ret[5] = &o->tls_cert;
    ret[6] = &o->tls_key;
    ret[7] = &o->tls_name;
    ret[8] = &o->position;
    ret[9] = &o->gtid_set;
    ret[10] = NULL;
    return (const char **const *)ret;
}

static int copy_strings(struct binlogtail_options *o, struct lt_err *err)
{
    const char **all[12];
    int rc = 0;
    (void)strings(o, all);
    for (size_t i = 0; all[i] != NULL; i++) {
        const char *from = *all[i];
        unsigned max = all[i] == &o->gtid_set ? SET_TEXT_MAX : STRING_MAX;
        if (from != NULL && strlen(from) > max)
            rc = lt_err_set(err, LT_EINVAL, "an option of more than %u bytes", max);
        /* After a failure nothing may be left that is not ours to free. */
        *all[i] = from != NULL && rc == 0 ? strdup(from) : NULL;
        if (from != NULL && rc == 0 && *all[i] == NULL)
            rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    }
    return rc;
}

void options_fini(struct binlogtail *bt)
{
    const char **all[12];
    (void)strings(&bt->opt, all);
    for (size_t i = 0; all[i] != NULL; i++) {
        free((char *)*all[i]);
        *all[i] = NULL;
    }
}

static bool name_ok(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    bool temporary = len >= 4 && strcmp(name + len - 4, ".tmp") == 0; /* names files at the server */
    return len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len && name[0] != '.' && !temporary;
}

static int default_string(const char **s, const char *value, struct lt_err *err)
{
    if (*s == NULL)
        *s = strdup(value);
    return *s != NULL ? 0 : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static int fill_defaults(struct binlogtail_options *o, struct lt_err *err)
{
    int rc = default_string(&o->host, "127.0.0.1", err);
    if (rc == 0)
        rc = default_string(&o->agent, "libbinlogtail " LT_VERSION, err);
    if (o->port == 0)
        o->port = DEFAULT_PORT;
    o->max_event_bytes = or_default(o->max_event_bytes, EVENT_LENGTH_MAX);
    o->connect_timeout_ms = or_default(o->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    o->backoff_min_ms = or_default(o->backoff_min_ms, BACKOFF_MIN_MS);
    o->backoff_max_ms = or_default(o->backoff_max_ms, BACKOFF_MAX_MS);
    if (o->backoff_max_ms < o->backoff_min_ms)
        o->backoff_max_ms = o->backoff_min_ms;
    return rc;
}

static int parse_set(struct binlogtail *bt, const char *text, struct lt_err *err)
{
    gtid_set_init(&bt->stream.gtids);
    bt->stream.by_gtids = true;
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
        return 0;
    if (gtid_set_parse(GTID_MYSQL, text, &bt->stream.gtids) != 0 &&
        gtid_set_parse(GTID_MARIADB, text, &bt->stream.gtids) != 0)
        return lt_err_set(err, LT_EINVAL, "gtid_set: neither a MySQL nor a MariaDB GTID set");
    char *sent = gtid_set_format(&bt->stream.gtids);
    size_t len = sent != NULL ? strlen(sent) : 0;
    free(sent);
    if (sent == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    if (len > FRAME_REQUEST_MAX - SET_ROOM)
        return lt_err_set(err, LT_EINVAL, "gtid_set: %zu bytes where %u can be sent", len,
                          FRAME_REQUEST_MAX - SET_ROOM);
    return 0;
}

static int check_start(struct binlogtail *bt, struct lt_err *err)
{
    const struct binlogtail_options *o = &bt->opt;
    switch (o->start) {
    case BINLOGTAIL_START_LATEST:
    case BINLOGTAIL_START_EARLIEST:
        return 0;
    case BINLOGTAIL_START_POSITION:
        if (o->position == NULL || place_parse(o->position, &bt->start) != 0)
            return lt_err_set(err, LT_EINVAL, "position: neither a resume token nor FILE:OFFSET");
        return 0;
    case BINLOGTAIL_START_GTIDS:
        return parse_set(bt, o->gtid_set, err);
    default:
        return lt_err_set(err, LT_EINVAL, "start %d is not known", (int)o->start);
    }
}

int options_copy(struct binlogtail *bt, const struct binlogtail_options *opt, struct lt_err *err)
{
    size_t size = opt->struct_size < sizeof bt->opt ? opt->struct_size : sizeof bt->opt;
    if (opt->struct_size < offsetof(struct binlogtail_options, start))
        return lt_err_set(err, LT_EINVAL, "options were not made with BINLOGTAIL_OPTIONS_INIT");
    memcpy(&bt->opt, opt, size);
    int rc = copy_strings(&bt->opt, err);
    if (rc == 0)
        rc = fill_defaults(&bt->opt, err);
    if (rc == 0 && bt->opt.name != NULL && !name_ok(bt->opt.name))
        rc = lt_err_set(err, LT_EINVAL, "name: 1 to %d letters, digits, '.', '_' and '-', no dot first, no .tmp last",
                        NAME_MAX_LEN);
    if (rc == 0 && bt->opt.resume_committed && bt->opt.name == NULL)
        rc = lt_err_set(err, LT_EINVAL, "resume_committed needs a name");
    if (rc == 0)
        rc = check_start(bt, err);
    bt->stream.max_event = bt->opt.max_event_bytes;
    bt->stream.no_checksum = bt->opt.no_checksum;
    return rc;
}
