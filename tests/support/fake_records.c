/* What tests set while the fake primary runs, what it has recorded, and waiting for it. */
#include "fake_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

void fake_set_identity(struct fake_primary *fp, const char *uuid, uint32_t server_id)
{
    fake_lock(fp);
    if (uuid)
        (void)snprintf(fp->uuid, sizeof fp->uuid, "%s", uuid);
    if (server_id)
        fp->server_id = server_id;
    fake_unlock(fp);
}

void fake_set_var(struct fake_primary *fp, const char *name, const char *value)
{
    fake_lock(fp);
    fake_vars_set(&fp->vars, name, value);
    fake_unlock(fp);
}

void fake_set_status(struct fake_primary *fp, const char *name, const char *value)
{
    fake_lock(fp);
    fake_vars_set(&fp->status, name, value);
    fake_unlock(fp);
}

void fake_answer(struct fake_primary *fp, const char *match, const struct fake_answer *answer)
{
    fake_lock(fp);
    struct fake_answer_rule *grown = realloc(fp->answers, (fp->answer_count + 1) * sizeof *grown);
    lt_assert(grown);
    fp->answers = grown;
    struct fake_answer_rule *r = &grown[fp->answer_count++];
    *r = (struct fake_answer_rule){.match = fake_keep_text(fp, match), .answer = *answer};
    r->answer.text = fake_keep_text(fp, answer->text);
    r->answer.rows = fake_keep_text(fp, answer->rows);
    fake_unlock(fp);
}

void fake_login_rule(struct fake_primary *fp, const struct fake_login_rule *rule)
{
    fake_lock(fp);
    struct fake_login_rule *grown = realloc(fp->logins, (fp->login_count + 1) * sizeof *grown);
    lt_assert(grown);
    fp->logins = grown;
    grown[fp->login_count] = *rule;
    grown[fp->login_count++].after += fp->counters.connections;
    fake_unlock(fp);
}

void fake_dump_rule(struct fake_primary *fp, const struct fake_dump_rule *rule)
{
    fake_lock(fp);
    struct fake_dump_rule *grown = realloc(fp->rules, (fp->rule_count + 1) * sizeof *grown);
    unsigned *seen = realloc(fp->rule_seen, (fp->rule_count + 1) * sizeof *seen);
    lt_assert(grown && seen);
    fp->rules = grown;
    fp->rule_seen = seen;
    struct fake_dump_rule *r = &grown[fp->rule_count];
    seen[fp->rule_count++] = 0;
    *r = *rule;
    r->err_text = fake_keep_text(fp, rule->err_text);
    r->rotate_name = fake_keep_text(fp, rule->rotate_name);
    r->bytes = fake_keep(fp, rule->bytes, rule->bytes_len);
    fake_unlock(fp);
}

void fake_clear_rules(struct fake_primary *fp)
{
    fake_lock(fp);
    fp->answer_count = 0;
    fp->login_count = 0;
    fp->rule_count = 0;
    fake_unlock(fp);
}

void fake_counters(struct fake_primary *fp, struct fake_counters *ret)
{
    fake_lock(fp);
    *ret = fp->counters;
    fake_unlock(fp);
}

bool fake_dump_get(struct fake_primary *fp, unsigned number, struct fake_dump *ret)
{
    fake_lock(fp);
    bool known = number >= 1 && number <= fp->counters.dumps;
    if (known)
        *ret = fp->dumps[number - 1];
    fake_unlock(fp);
    return known;
}

bool fake_ack_get(struct fake_primary *fp, size_t index, struct fake_ack *ret)
{
    fake_lock(fp);
    bool known = index < fp->ack_count;
    if (known)
        *ret = fp->acks[index];
    fake_unlock(fp);
    return known;
}

bool fake_last_sent(struct fake_primary *fp, struct fake_sent *ret)
{
    fake_lock(fp);
    *ret = fp->last_sent;
    bool known = ret->after_us != 0;
    fake_unlock(fp);
    return known;
}

struct fake_pos fake_released(struct fake_primary *fp)
{
    fake_lock(fp);
    struct fake_pos at = fp->released;
    fake_unlock(fp);
    return at;
}

/* ------------------------------------------------------------------ waiting ------------------------------------------------------ */

struct wait_for {
    const struct fake_pos *at;
    enum fake_dump_kind kind;
    unsigned n;
};
typedef bool (*wait_test)(const struct fake_primary *fp, const struct wait_for *w);

static bool wait_until(struct fake_primary *fp, wait_test test, const struct wait_for *w, unsigned ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    fake_lock(fp);
    bool ok;
    while (!(ok = test(fp, w)))
        if (pthread_cond_timedwait(&fp->changed, &fp->lock, &until) == ETIMEDOUT)
            break;
    ok = ok || test(fp, w);
    fake_unlock(fp);
    return ok;
}

static bool is_acked(const struct fake_primary *fp, const struct wait_for *w)
{
    return fake_pos_cmp(&fp->acked, w->at) >= 0;
}

static bool is_released(const struct fake_primary *fp, const struct wait_for *w)
{
    return fake_pos_cmp(&fp->released, w->at) >= 0;
}

static bool is_sent(const struct fake_primary *fp, const struct wait_for *w)
{
    return fake_pos_cmp(&fp->sent_to, w->at) >= 0;
}

static bool have_begun(const struct fake_primary *fp, const struct wait_for *w)
{
    const struct fake_counters *c = &fp->counters;
    unsigned n = w->kind == FAKE_DUMP_SEMI_SYNC ? c->semi_sync_dumps
                 : w->kind == FAKE_DUMP_PLAIN   ? c->dumps - c->semi_sync_dumps
                                                : c->dumps;
    return n >= w->n;
}

static bool are_live(const struct fake_primary *fp, const struct wait_for *w)
{
    const struct fake_counters *c = &fp->counters;
    unsigned n = w->kind == FAKE_DUMP_SEMI_SYNC ? c->live_semi_sync
                 : w->kind == FAKE_DUMP_PLAIN   ? c->live_dumps - c->live_semi_sync
                                                : c->live_dumps;
    return n == w->n;
}

bool fake_wait_ack(struct fake_primary *fp, const struct fake_pos *at, unsigned ms)
{
    return wait_until(fp, is_acked, &(struct wait_for){.at = at}, ms);
}

bool fake_wait_released(struct fake_primary *fp, const struct fake_pos *at, unsigned ms)
{
    return wait_until(fp, is_released, &(struct wait_for){.at = at}, ms);
}

bool fake_wait_sent(struct fake_primary *fp, const struct fake_pos *at, unsigned ms)
{
    return wait_until(fp, is_sent, &(struct wait_for){.at = at}, ms);
}

bool fake_wait_dumps(struct fake_primary *fp, enum fake_dump_kind kind, unsigned n, unsigned ms)
{
    return wait_until(fp, have_begun, &(struct wait_for){.kind = kind, .n = n}, ms);
}

bool fake_wait_live(struct fake_primary *fp, enum fake_dump_kind kind, unsigned n, unsigned ms)
{
    return wait_until(fp, are_live, &(struct wait_for){.kind = kind, .n = n}, ms);
}

/* ------------------------------------------------------------------ the log of statements ---------------------------------------- */

char *fake_query_log(struct fake_primary *fp)
{
    fake_lock(fp);
    char *text = malloc(fp->log.len + 1);
    lt_assert(text);
    if (fp->log.len)
        memcpy(text, fp->log.p, fp->log.len);
    text[fp->log.len] = '\0';
    fake_unlock(fp);
    return text;
}

unsigned fake_queries(struct fake_primary *fp, const char *match)
{
    char *text = fake_query_log(fp);
    char *rest = text;
    unsigned n = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        n += strcasestr(line, match) != NULL;
    free(text);
    return n;
}
