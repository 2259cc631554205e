/* Commands that compare sets of GTIDs with what is durable here: diff, wait-gtid. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "ops/commands/families.h"
#include "ops/commands/waits.h"

/* Of the flavour that is held; where nothing is held, a MySQL set has colons. ret: initialised. */
static int parse_set(const char *text, const struct gtid_set *held, struct gtid_set *ret, struct lt_err *err)
{
    enum gtid_kind kind =
        gtid_set_is_empty(held) ? (strchr(text, ':') != NULL ? GTID_MYSQL : GTID_MARIADB) : held->kind;
    int rc = gtid_set_parse(kind, text, ret);
    if (rc == LT_ENOMEM)
        return lt_err_set(err, rc, "out of memory");
    if (rc != 0)
        return lt_err_set(err, LT_EINVAL, "that is no %s set of GTIDs", kind == GTID_MYSQL ? "MySQL" : "MariaDB");
    return LT_OK;
}

static int held_now(struct ops *ops, struct gtid_set *ret, struct lt_err *err)
{
    int rc = waits_held(ops, ret);
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "out of memory");
}

/* a minus b; b is left as it is. *ret_count: transactions (MySQL) or (domain, server) pairs (MariaDB). */
static json_t *difference(const struct gtid_set *a, const struct gtid_set *b)
{
    struct gtid_set d;
    char *text = NULL;
    gtid_set_init(&d);
    if (gtid_set_copy(&d, a) == 0 && gtid_set_subtract(&d, b) == 0)
        text = gtid_set_format(&d);
    json_t *json = text != NULL ? json_string(text) : NULL;
    free(text);
    gtid_set_fini(&d);
    return json;
}

/* What was given up, is held all the same, and not in `theirs`. */
static json_t *given_up(const struct gtid_set *held, const struct gtid_set *ours, const struct gtid_set *theirs)
{
    struct gtid_set d;
    json_t *json = NULL;
    gtid_set_init(&d);
    if (gtid_set_copy(&d, held) == 0 && gtid_set_subtract(&d, ours) == 0)
        json = difference(&d, theirs);
    gtid_set_fini(&d);
    return json;
}

/* What is only here is what a candidate must be fed with. Given up, it must not come back by that. */
static int diff(struct ops *ops, const char *text, const struct gtid_set *held, json_t **ret_answer, struct lt_err *err)
{
    struct gtid_set ours;
    struct gtid_set theirs;
    gtid_set_init(&ours);
    gtid_set_init(&theirs);
    int rc = parse_set(text, held, &theirs, err);
    if (rc == 0 && waits_held_for_good(ops, &ours) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    if (rc == 0) {
        *ret_answer = json_pack("{s:o, s:o, s:o}", "only_here", difference(&ours, &theirs), "only_there",
                                difference(&theirs, held), "given_up", given_up(held, &ours, &theirs));
        if (*ret_answer == NULL)
            rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    }
    gtid_set_fini(&ours);
    gtid_set_fini(&theirs);
    return rc;
}

static int run_diff(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct gtid_set held;
    if (argc != 2)
        return lt_err_set(err, LT_EINVAL, "usage: diff SET");
    gtid_set_init(&held);
    int rc = held_now(arg, &held, err);
    if (rc == 0)
        rc = diff(arg, argv[1], &held, ret_answer, err);
    gtid_set_fini(&held);
    return rc;
}

/* "1500ms", "30s"; a bare number is seconds. */
static int parse_timeout(const char *text, uint64_t *ret_us)
{
    uint64_t seconds = 0;
    if (units_parse_u64(text, 365u * 86400u, &seconds) == 0) {
        *ret_us = seconds * 1000000;
        return LT_OK;
    }
    return units_parse_duration(text, ret_us);
}

static int run_wait_gtid(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct gtid_set held;
    struct gtid_set set;
    uint64_t timeout_us = 0;
    (void)ret_answer;
    if (argc != 3 || parse_timeout(argv[2], &timeout_us) != 0)
        return lt_err_set(err, LT_EINVAL, "usage: wait-gtid SET TIMEOUT");
    gtid_set_init(&held);
    gtid_set_init(&set);
    int rc = held_now(ops, &held, err);
    if (rc == 0)
        rc = parse_set(argv[1], &held, &set, err);
    /* A variable that was never filled would be a set that is always reached. */
    if (rc == 0 && gtid_set_is_empty(&set))
        rc = lt_err_set(err, LT_EINVAL, "an empty set has nothing to wait for: did what should have filled it fail?");
    gtid_set_fini(&held);
    struct admin_reply *reply = rc == 0 ? admin_reply_later(ops->admin) : NULL;
    if (reply != NULL) {
        waits_add(ops->waits, &set, timeout_us, reply);
        return LT_OK;
    }
    gtid_set_fini(&set);
    return rc != 0 ? rc : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static const struct admin_command commands[] = {
    {"diff", "SET: what is here and not in SET, the reverse, and what was given up here (repoint --new-history)",
     run_diff},
    {"wait-gtid", "SET TIMEOUT: answers when all of SET is durable here, or says what is missing", run_wait_gtid},
};

const struct command_family commands_gtid = {commands, sizeof commands / sizeof commands[0]};
