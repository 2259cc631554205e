/* Failure: a sentence on stderr that says which argument, then "Try 'binlogtail --help'"; exit code 2. */
#include "client/binlogtail_opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/plain.h"
#include "base/units.h"
#include "client/binlogtail_help.h"

#define SECRET_MAX 4096

enum {
    OPT_FROM = 1,
    OPT_UNTIL,
    OPT_UNTIL_END,
    OPT_NAME,
    OPT_TOKEN_FILE,
    OPT_TOKEN_IN_CLEAR,
    OPT_RESUME_FILE,
    OPT_JSON,
    OPT_RAW,
    OPT_OUT,
    OPT_DATABASE,
    OPT_TABLE,
    OPT_HEARTBEATS,
    OPT_STATEMENTS,
    OPT_UTC,
    OPT_TLS,
    OPT_CA,
    OPT_CERT,
    OPT_KEY,
    OPT_TLS_NAME,
    OPT_TLS_NO_VERIFY,
    OPT_RETRY,
    OPT_NO_RETRY,
    OPT_MAX_EVENT,
    OPT_NO_CHECKSUM,
    OPT_NO_PROGRESS,
    OPT_QUIET,
    OPT_VERSION,
    OPT_HELP
};

static const struct option long_options[] = {
    {"from", required_argument, NULL, OPT_FROM},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"until-end", no_argument, NULL, OPT_UNTIL_END},
    {"name", required_argument, NULL, OPT_NAME},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"token-in-clear", no_argument, NULL, OPT_TOKEN_IN_CLEAR},
    {"resume-file", required_argument, NULL, OPT_RESUME_FILE},
    {"json", no_argument, NULL, OPT_JSON},
    {"raw", no_argument, NULL, OPT_RAW},
    {"out", required_argument, NULL, OPT_OUT},
    {"database", required_argument, NULL, OPT_DATABASE},
    {"table", required_argument, NULL, OPT_TABLE},
    {"heartbeats", no_argument, NULL, OPT_HEARTBEATS},
    {"statements", no_argument, NULL, OPT_STATEMENTS},
    {"utc", no_argument, NULL, OPT_UTC},
    {"tls", no_argument, NULL, OPT_TLS},
    {"ca", required_argument, NULL, OPT_CA},
    {"cert", required_argument, NULL, OPT_CERT},
    {"key", required_argument, NULL, OPT_KEY},
    {"tls-name", required_argument, NULL, OPT_TLS_NAME},
    {"tls-no-verify", no_argument, NULL, OPT_TLS_NO_VERIFY},
    {"retry", no_argument, NULL, OPT_RETRY},
    {"no-retry", no_argument, NULL, OPT_NO_RETRY},
    {"max-event", required_argument, NULL, OPT_MAX_EVENT},
    {"no-checksum", no_argument, NULL, OPT_NO_CHECKSUM},
    {"no-progress", no_argument, NULL, OPT_NO_PROGRESS},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int LT_PRINTF(1, 2) usage_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fputs("binlogtail: ", stderr);
    plain_vprint(stderr, fmt, ap);
    (void)fputs("\nTry 'binlogtail --help'.\n", stderr);
    va_end(ap);
    return EXIT_USAGE;
}

/* The first line of a small file, without its end. */
static int read_line(const char *path, char **ret)
{
    char buf[SECRET_MAX];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    bool got = fgets(buf, sizeof buf, f) != NULL;
    int error = ferror(f) ? errno : ENODATA;
    (void)fclose(f);
    if (got)
        buf[strcspn(buf, "\r\n")] = '\0';
    *ret = got ? strdup(buf) : NULL;
    explicit_bzero(buf, sizeof buf);
    if (*ret == NULL)
        errno = got ? ENOMEM : error;
    return *ret != NULL ? 0 : -1;
}

static int complain(const char *path)
{
    struct lt_err err;
    (void)lt_err_sys(&err, LT_ESYS, "%s", path);
    return usage_error("%s", err.text);
}

static int add_filter(struct opts *o, const char *database, size_t database_len, const char *table)
{
    struct opts_filter *grown = reallocarray(o->filters, o->n_filters + 1, sizeof *grown);
    if (grown == NULL)
        return EXIT_LOCAL;
    o->filters = grown;
    grown[o->n_filters++] = (struct opts_filter){.database = database != NULL ? strndup(database, database_len) : NULL,
                                                 .table = table != NULL ? strdup(table) : NULL};
    return -1;
}

static int add_database(struct opts *o, const char *text)
{
    if (text[0] == '\0')
        return usage_error("--database: the name is empty");
    return add_filter(o, text, strlen(text), NULL);
}

static int add_table(struct opts *o, const char *text)
{
    if (text[0] == '\0')
        return usage_error("--table: the name is empty");
    const char *dot = strchr(text, '.');
    if (dot == NULL)
        return add_filter(o, NULL, 0, text);
    return add_filter(o, text, (size_t)(dot - text), dot + 1);
}

static int take_secret(struct opts *o, const char *path)
{
    free(o->token);
    o->token = NULL;
    if (read_line(path, &o->token) != 0)
        return complain(path);
    o->lib.token = o->token;
    return -1;
}

static int take_limit(struct opts *o, const char *text)
{
    uint64_t bytes;
    if (units_parse_bytes(text, &bytes) != 0 || bytes == 0 || bytes > UINT32_MAX)
        return usage_error("--max-event %s: not a size up to 4 GiB, with its unit, such as 64MiB", text);
    o->lib.max_event_bytes = (uint32_t)bytes;
    return -1;
}

static int take_tls(int c, struct opts *o)
{
    o->lib.tls = true;
    switch (c) {
    case OPT_CA:
        o->lib.tls_ca = optarg;
        break;
    case OPT_CERT:
        o->lib.tls_cert = optarg;
        break;
    case OPT_KEY:
        o->lib.tls_key = optarg;
        break;
    case OPT_TLS_NAME:
        o->lib.tls_name = optarg;
        break;
    case OPT_TLS_NO_VERIFY:
        o->lib.tls_no_verify = true;
        break;
    default:
        break;
    }
    return -1;
}

static int take_switch(int c, struct opts *o)
{
    switch (c) {
    case OPT_UNTIL_END:
        o->lib.until_end = true;
        return -1;
    case OPT_TOKEN_IN_CLEAR:
        o->lib.token_in_clear = true;
        return -1;
    case OPT_JSON:
    case OPT_RAW:
        if (o->format != FORMAT_TEXT)
            return usage_error("--json and --raw exclude each other");
        o->format = c == OPT_JSON ? FORMAT_JSON : FORMAT_RAW;
        return -1;
    case OPT_HEARTBEATS:
        o->heartbeats = true;
        return -1;
    case OPT_STATEMENTS:
        o->statements = true;
        return -1;
    case OPT_UTC:
        o->utc = true;
        return -1;
    case OPT_RETRY:
        o->lib.attempts_first = 0;
        return -1;
    case OPT_NO_RETRY:
        o->lib.attempts_first = o->lib.attempts = 1;
        return -1;
    case OPT_NO_CHECKSUM:
        o->lib.no_checksum = true;
        return -1;
    case OPT_NO_PROGRESS:
        o->progress = false;
        return -1;
    case OPT_QUIET:
        o->quiet = true;
        o->progress = false;
        return -1;
    case OPT_VERSION:
        (void)printf("binlogtail %s\n", binlogtail_version());
        return 0;
    case OPT_HELP:
        (void)fputs(binlogtail_help, stdout);
        return 0;
    default:
        (void)fputs("Try 'binlogtail --help'.\n", stderr);
        return EXIT_USAGE;
    }
}

static int take_option(int c, struct opts *o)
{
    switch (c) {
    case OPT_FROM:
        o->from_word = optarg;
        return -1;
    case OPT_UNTIL:
        o->until_word = optarg;
        return -1;
    case OPT_NAME:
        o->lib.name = optarg;
        return -1;
    case OPT_TOKEN_FILE:
        return take_secret(o, optarg);
    case OPT_RESUME_FILE:
        o->resume_file = optarg;
        return -1;
    case OPT_OUT:
        o->out_dir = optarg;
        return -1;
    case OPT_DATABASE:
        return add_database(o, optarg);
    case OPT_TABLE:
        return add_table(o, optarg);
    case OPT_MAX_EVENT:
        return take_limit(o, optarg);
    case OPT_TLS:
    case OPT_CA:
    case OPT_CERT:
    case OPT_KEY:
    case OPT_TLS_NAME:
    case OPT_TLS_NO_VERIFY:
        return take_tls(c, o);
    default:
        return take_switch(c, o);
    }
}

/* HOST:PORT, HOST, [ADDRESS]:PORT */
static int take_address(struct opts *o, const char *text)
{
    const char *host = text;
    size_t len = strcspn(text, ":");
    const char *rest = text + len;
    uint64_t port = 0;
    if (text[0] == '[') {
        host = text + 1;
        len = strcspn(host, "]");
        rest = host[len] == ']' ? host + len + 1 : "]";
    } else if (strchr(rest, ':') != strrchr(rest, ':')) { /* a bare IPv6 address */
        len = strlen(text);
        rest = "";
    }
    if (len == 0 || (rest[0] != '\0' && rest[0] != ':') ||
        (rest[0] == ':' && (units_parse_u64(rest + 1, UINT16_MAX, &port) != 0 || port == 0)))
        return usage_error("%s: not HOST:PORT", text);
    o->host = strndup(host, len);
    o->lib.host = o->host;
    o->lib.port = (uint16_t)port;
    return o->host != NULL ? -1 : EXIT_LOCAL;
}

/* A file's or a set's text would fill the screen. */
static int bad_where(const char *option, const char *word, const struct lt_err *err)
{
    return usage_error("%s %.100s: %s", option, word, err->text);
}

static int take_from(struct opts *o)
{
    struct lt_err err;
    o->from_given = o->from_word != NULL;
    if (!o->from_given)
        return -1;
    if (where_parse(o->from_word, o->utc, &o->from, &err) != 0)
        return bad_where("--from", o->from_word, &err);
    switch (o->from.kind) {
    case WHERE_LATEST:
        o->lib.start = BINLOGTAIL_START_LATEST;
        break;
    case WHERE_POSITION:
        o->lib.start = BINLOGTAIL_START_POSITION;
        o->lib.position = o->from.text;
        break;
    case WHERE_GTIDS:
        o->lib.start = BINLOGTAIL_START_GTIDS;
        o->lib.gtid_set = o->from.text;
        break;
    case WHERE_EARLIEST:
    case WHERE_TIME: /* found once there is a connection; till then all that is older is passed over */
    case WHERE_NONE:
    default:
        o->lib.start = BINLOGTAIL_START_EARLIEST;
        break;
    }
    return -1;
}

static int take_until(struct opts *o)
{
    struct lt_err err;
    if (o->until_word == NULL)
        return -1;
    if (where_parse(o->until_word, o->utc, &o->until, &err) != 0)
        return bad_where("--until", o->until_word, &err);
    if (o->until.kind == WHERE_EARLIEST || o->until.kind == WHERE_LATEST)
        return usage_error("--until takes FILE:OFFSET, a GTID set or a time; the end of what is there: --until-end");
    return -1;
}

static int read_resume_file(struct opts *o)
{
    if (o->resume_file == NULL)
        return -1;
    if (read_line(o->resume_file, &o->resume_token) != 0)
        return errno == ENOENT || errno == ENODATA ? -1 : complain(o->resume_file);
    if (binlogtail_token_check(o->resume_token) != 0)
        return usage_error("%s: does not hold a resume token", o->resume_file);
    o->lib.start = BINLOGTAIL_START_POSITION;
    o->lib.position = o->resume_token;
    if (o->from.kind == WHERE_TIME) /* it was the beginning of an earlier run */
        where_fini(&o->from);
    return -1;
}

static int check_together(const struct opts *o)
{
    if (o->format == FORMAT_RAW && o->out_dir == NULL)
        return usage_error("--raw needs --out DIR");
    if (o->out_dir != NULL && (o->out_dir[0] == '\0' || strcmp(o->out_dir, "-") == 0))
        return usage_error("--out %s: --raw copies files into a folder, which this is not", o->out_dir);
    if (o->format != FORMAT_RAW && o->out_dir != NULL)
        return usage_error("--out goes with --raw");
    if (o->format == FORMAT_RAW && (o->n_filters > 0 || o->resume_file != NULL))
        return usage_error("--raw copies whole files and knows by them where to go on: no filters, no --resume-file");
    if (o->format == FORMAT_RAW && o->lib.start == BINLOGTAIL_START_GTIDS)
        return usage_error("--raw copies whole files: --from cannot be a GTID set");
    if (o->lib.tls_key != NULL && o->lib.tls_cert == NULL)
        return usage_error("--key goes with --cert");
    return -1;
}

int opts_parse(int argc, char **argv, struct opts *ret)
{
    *ret = (struct opts){.lib = BINLOGTAIL_OPTIONS_INIT, .progress = true};
    ret->lib.attempts_first = 1;
    ret->lib.agent = "binlogtail " LT_VERSION;
    int c;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int code = take_option(c, ret);
        if (code >= 0)
            return code;
    }
    if (optind != argc - 1)
        return usage_error(optind == argc ? "HOST:PORT is missing" : "more than one HOST:PORT");
    int code = take_address(ret, argv[optind]);
    if (code < 0)
        code = take_from(ret);
    if (code < 0)
        code = take_until(ret);
    if (code < 0)
        code = check_together(ret);
    if (code < 0)
        code = read_resume_file(ret);
    /* A name that committed goes on there, unless the command line says otherwise. */
    ret->lib.resume_committed =
        ret->lib.name != NULL && !ret->from_given && ret->resume_token == NULL && ret->format != FORMAT_RAW;
    return code;
}

void opts_fini(struct opts *o)
{
    for (size_t i = 0; i < o->n_filters; i++) {
        free(o->filters[i].database);
        free(o->filters[i].table);
    }
    free(o->filters);
    if (o->token != NULL)
        explicit_bzero(o->token, strlen(o->token));
    free(o->token);
    free(o->host);
    free(o->resume_token);
    where_fini(&o->from);
    where_fini(&o->until);
    *o = (struct opts){0};
}
