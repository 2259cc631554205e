/* Commands that decide who gets an ACK: fence, unfence, repoint. Words in, fence.h does the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "ops/commands/families.h"
#include "ops/fence/fence.h"

#define USAGE_FENCE   "fence [--epoch N] [--mode auto|drop|hold] REASON"
#define USAGE_UNFENCE "unfence [--epoch N] [SOURCE-ID]"
#define USAGE_REPOINT "repoint [--epoch N] [--new-history] [--dry-run] HOST:PORT"

/* "--name VALUE" or "--name=VALUE" at argv[*i]; NULL: it is not that one, or its value lacks. */
static const char *option_value(int argc, char **argv, int *i, const char *name)
{
    size_t len = strlen(name);
    if (*i >= argc || argv[*i] == NULL || strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] != '\0' || *i + 1 >= argc)
        return NULL;
    return argv[++*i];
}

static bool take_epoch(const char *value, struct fence_order *o)
{
    o->have_epoch = units_parse_u64(value, INT64_MAX, &o->epoch) == 0;
    return o->have_epoch;
}

static bool take_mode(const char *value, struct fence_order *o)
{
    for (enum fence_mode m = FENCE_AUTO; m <= FENCE_HOLD; m++) {
        if (strcmp(value, fence_mode_name(m)) == 0) {
            o->mode = m;
            return true;
        }
    }
    return false;
}

/* JSON holds UTF-8 only, and a fence is not refused for its reason. */
static void mend_reason(char *reason)
{
    json_t *text = json_string(reason);
    bool bad = text == NULL;
    json_decref(text);
    for (char *p = reason; bad && *p != '\0'; p++)
        if ((*p & 0x80) != 0)
            *p = '?';
}

static void add_reason(struct fence_order *o, const char *word)
{
    size_t len = strlen(o->reason);
    (void)snprintf(o->reason + len, sizeof o->reason - len, "%s%s", len > 0 ? " " : "", word);
}

static bool parse_fence(int argc, char **argv, struct fence_order *o)
{
    const char *value = NULL;
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        bool ok = ((value = option_value(argc, argv, &i, "--epoch")) != NULL && take_epoch(value, o)) ||
                  ((value = option_value(argc, argv, &i, "--mode")) != NULL && take_mode(value, o));
        if (!ok)
            return false;
    }
    for (; i < argc; i++)
        add_reason(o, argv[i]);
    mend_reason(o->reason);
    return o->reason[0] != '\0';
}

static int later(struct ops *ops, struct admin_reply **ret, struct lt_err *err)
{
    *ret = admin_reply_later(ops->admin);
    return *ret != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static int run_fence(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct fence_order o = {.mode = FENCE_AUTO};
    struct admin_reply *reply = NULL;
    (void)ret_answer;
    if (!parse_fence(argc, argv, &o))
        return lt_err_set(err, LT_EINVAL, "usage: " USAGE_FENCE);
    int rc = later(ops, &reply, err);
    if (rc == 0)
        fence_run(ops->fence, &o, reply);
    return rc;
}

static int run_unfence(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct fence_order o = {0};
    struct admin_reply *reply = NULL;
    const char *value = NULL;
    bool ok = true;
    (void)ret_answer;
    for (int i = 1; i < argc && ok; i++) {
        if (strncmp(argv[i], "--", 2) == 0)
            ok = (value = option_value(argc, argv, &i, "--epoch")) != NULL && take_epoch(value, &o);
        else if (o.source_id != NULL || strlen(argv[i]) > STORE_SOURCE_ID_MAX)
            ok = false;
        else
            o.source_id = argv[i];
    }
    if (!ok)
        return lt_err_set(err, LT_EINVAL, "usage: " USAGE_UNFENCE);
    int rc = later(ops, &reply, err);
    if (rc == 0)
        fence_run_unfence(ops->fence, &o, reply);
    return rc;
}

/* "host:port", "[::1]:3306"; a name is letters, digits, dots, dashes, underscores. */
static bool take_address(char *text, struct fence_order *o)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%";
    char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || units_parse_u64(colon + 1, 65535, &port) != 0 || port == 0)
        return false;
    *colon = '\0';
    size_t len = (size_t)(colon - text);
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text[len - 1] = '\0';
        text++;
    } else if (strchr(text, ':') != NULL) {
        return false;
    }
    len = strlen(text);
    if (len == 0 || len > FOLLOW_HOST_MAX || strspn(text, allowed) != len)
        return false;
    memcpy(o->host, text, len + 1);
    o->port = (unsigned)port;
    return true;
}

static bool take_repoint_word(int argc, char **argv, int *i, struct fence_order *o)
{
    const char *value = NULL;
    if (strcmp(argv[*i], "--new-history") == 0)
        return o->new_history = true;
    if (strcmp(argv[*i], "--dry-run") == 0)
        return o->dry_run = true;
    if (strncmp(argv[*i], "--", 2) == 0)
        return (value = option_value(argc, argv, i, "--epoch")) != NULL && take_epoch(value, o);
    return o->port == 0 && take_address(argv[*i], o);
}

static int run_repoint(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct fence_order o = {0};
    struct admin_reply *reply = NULL;
    bool ok = true;
    (void)ret_answer;
    for (int i = 1; i < argc && ok; i++)
        ok = take_repoint_word(argc, argv, &i, &o);
    if (!ok || o.port == 0)
        return lt_err_set(err, LT_EINVAL, "usage: " USAGE_REPOINT);
    int rc = later(ops, &reply, err);
    if (rc == 0)
        fence_run_repoint(ops->fence, &o, reply);
    return rc;
}

static const struct admin_command commands[] = {
    {"fence", "[--epoch N] [--mode auto|drop|hold] REASON: no acknowledgement for this source until it is released",
     run_fence},
    {"unfence", "[--epoch N] [SOURCE-ID]: release that source; alone: the one last fenced", run_unfence},
    {"repoint", "[--epoch N] [--new-history] [--dry-run] HOST:PORT: prove another source and follow it", run_repoint},
};

const struct command_family commands_fence = {commands, sizeof commands / sizeof commands[0]};
