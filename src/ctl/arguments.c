#include "ctl/arguments.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "ctl/commands.h"

enum option_kind { OPT_TEXT, OPT_FLAG, OPT_SECONDS, OPT_TIME, OPT_SIZE };

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* of its place in struct arguments */
    size_t has;    /* of its "was given"; 0: none */
};

#define PLACE(member) offsetof(struct arguments, member)

static const struct option options[] = {
    {"--socket", OPT_TEXT, PLACE(socket), 0},
    {"--dir", OPT_TEXT, PLACE(dir), 0},
    {"--json", OPT_FLAG, PLACE(json), 0},
    {"--watch", OPT_FLAG, PLACE(watch), 0},
    {"--help", OPT_FLAG, PLACE(help), 0},
    {"-h", OPT_FLAG, PLACE(help), 0},
    {"--version", OPT_FLAG, PLACE(version), 0},
    {"--interval", OPT_TIME, PLACE(interval_us), 0},
    {"--timeout", OPT_TIME, PLACE(timeout_us), 0},
    {"--max-seconds", OPT_SECONDS, PLACE(limits.max_seconds), PLACE(limits.has_seconds)},
    {"--max-bytes", OPT_SIZE, PLACE(limits.max_bytes), PLACE(limits.has_bytes)},
};

/* *ret_value: what stands behind "=", or NULL. */
static const struct option *find_option(const char *word, const char **ret_value)
{
    size_t len = strcspn(word, "=");
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strlen(options[i].name) == len && strncmp(options[i].name, word, len) == 0) {
            *ret_value = word[len] == '=' ? word + len + 1 : NULL;
            return &options[i];
        }
    }
    return NULL;
}

static int parse_seconds(const char *text, double *ret_seconds)
{
    char *end = NULL;
    errno = 0;
    double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(v) || v < 0)
        return LT_EINVAL;
    *ret_seconds = v;
    return LT_OK;
}

/* "2" is 2 s, "500ms" as it says; never 0. */
static int parse_time(const char *text, uint64_t *ret_us)
{
    double seconds = 0;
    uint64_t us = 0;
    int rc = LT_OK;
    if (parse_seconds(text, &seconds) == LT_OK && seconds <= 1e6)
        us = (uint64_t)(seconds * 1e6);
    else
        rc = units_parse_duration(text, &us);
    if (rc != LT_OK || us < 10000)
        return LT_EINVAL;
    *ret_us = us;
    return LT_OK;
}

static int take_value(const struct option *opt, const char *value, struct arguments *args, struct lt_err *err)
{
    char *place = (char *)args + opt->offset;
    int rc = LT_OK;
    switch (opt->kind) {
    case OPT_TEXT:
        memcpy(place, &value, sizeof value);
        break;
    case OPT_FLAG:
        *(bool *)place = true;
        break;
    case OPT_SECONDS:
        rc = parse_seconds(value, (double *)(void *)place);
        break;
    case OPT_TIME:
        rc = parse_time(value, (uint64_t *)(void *)place);
        break;
    case OPT_SIZE:
        rc = units_parse_bytes(value, (uint64_t *)(void *)place);
        break;
    }
    if (rc != LT_OK)
        return lt_err_set(err, LT_EINVAL, "%s does not take \"%.60s\"; it wants %s", opt->name, value,
                          opt->kind == OPT_SIZE ? "bytes with their unit, as 16MiB or 200B" : "seconds, as 2.5");
    if (opt->has != 0)
        *((bool *)args + opt->has) = true;
    return LT_OK;
}

static int check(const struct arguments *args, struct lt_err *err)
{
    const char *command = args->n_words > 0 ? args->words[0] : "";
    const struct command *known = command_find(command);
    bool looks = strcmp(command, "status") == 0 || strcmp(command, "lag") == 0;
    bool limited = args->limits.has_seconds || args->limits.has_bytes;
    if (args->help || args->version)
        return LT_OK;
    if (args->n_words == 0)
        return lt_err_set(err, LT_EINVAL, "a command is missing");
    if (args->socket != NULL && args->dir != NULL)
        return lt_err_set(err, LT_EINVAL, "--socket and --dir exclude each other");
    if ((args->watch || args->interval_us != 0) && !looks)
        return lt_err_set(err, LT_EINVAL, "--watch and --interval go with status and lag");
    if (limited && strcmp(command, "lag") != 0)
        return lt_err_set(err, LT_EINVAL, "--max-seconds and --max-bytes go with lag");
    if (args->watch && (args->json || limited))
        return lt_err_set(err, LT_EINVAL, "--watch does not go with --json, --max-seconds or --max-bytes");
    if (known != NULL && known->arguments[0] == '\0' && args->n_words > 1)
        return lt_err_set(err, LT_EINVAL, "%s takes no argument \"%.60s\"", command, args->words[1]);
    return LT_OK;
}

struct parsing {
    int argc;
    char *const *argv;
    int i;     /* the word that is looked at */
    bool ours; /* "--" did not come yet */
    struct arguments args;
};

static int take_word(struct parsing *p, struct lt_err *err)
{
    const char *word = p->argv[p->i];
    struct arguments *args = &p->args;
    if (p->ours && strcmp(word, "--") == 0) {
        p->ours = false;
        if (args->n_words == 0) /* behind the command it ends the command's options, too */
            return LT_OK;
    } else if (p->ours && args->n_words == 0 && word[0] == '-') {
        return lt_err_set(err, LT_EINVAL, "unknown option %.60s", word);
    }
    if (args->n_words == WORDS_MAX)
        return lt_err_set(err, LT_EINVAL, "more than %d words; put a reason in quotes", WORDS_MAX);
    args->words[args->n_words++] = word;
    return LT_OK;
}

static int take_option(struct parsing *p, const struct option *opt, const char *value, struct lt_err *err)
{
    bool flag = opt->kind == OPT_FLAG;
    if (flag && value != NULL)
        return lt_err_set(err, LT_EINVAL, "%s takes no value", opt->name);
    if (!flag && value == NULL) {
        if (++p->i == p->argc)
            return lt_err_set(err, LT_EINVAL, "%s needs a value", opt->name);
        value = p->argv[p->i];
    }
    return take_value(opt, value, &p->args, err);
}

int arguments_parse(int argc, char *const *argv, struct arguments *ret, struct lt_err *err)
{
    struct parsing p = {.argc = argc, .argv = argv, .ours = true};
    int rc = LT_OK;
    for (p.i = 1; p.i < argc && rc == LT_OK; p.i++) {
        const char *value = NULL;
        const struct option *opt = p.ours ? find_option(argv[p.i], &value) : NULL;
        rc = opt != NULL ? take_option(&p, opt, value, err) : take_word(&p, err);
    }
    if (rc == LT_OK)
        rc = check(&p.args, err);
    if (rc == LT_OK)
        *ret = p.args;
    return rc;
}

static int only_socket(const char *root, char *path, size_t cap, struct lt_err *err)
{
    char pattern[512];
    char list[400] = "";
    glob_t found = {0};
    (void)snprintf(pattern, sizeof pattern, "%s/*/admin.sock", root);
    int rc = glob(pattern, 0, NULL, &found); // NOLINT(concurrency-mt-unsafe): one thread
    if (rc != 0)
        found.gl_pathc = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%s", i > 0 ? ", " : "", found.gl_pathv[i]);
    }
    if (found.gl_pathc == 1)
        (void)snprintf(path, cap, "%s", found.gl_pathv[0]);
    size_t n = found.gl_pathc;
    globfree(&found);
    if (n == 1)
        return LT_OK;
    if (n == 0)
        return lt_err_set(err, LT_EINVAL,
                          "which logtailerd? no socket is in %s/*/ (or it may not be read): give --dir or --socket",
                          root);
    return lt_err_set(err, LT_EINVAL, "which logtailerd? give --socket: %s", list);
}

int arguments_socket(const struct arguments *args, const char *root, char *path, size_t cap, struct lt_err *err)
{
    const char *environment = secure_getenv("LOGTAILER_SOCKET");
    int n = 0;
    if (args->socket != NULL)
        n = snprintf(path, cap, "%s", args->socket);
    else if (args->dir != NULL)
        n = snprintf(path, cap, "%s/admin.sock", args->dir);
    else if (environment != NULL && environment[0] != '\0')
        n = snprintf(path, cap, "%s", environment);
    else
        return only_socket(root, path, cap, err);
    if (n < 0 || (size_t)n >= cap)
        return lt_err_set(err, LT_EINVAL, "the socket's path is too long");
    return LT_OK;
}
