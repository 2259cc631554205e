/*
 * DIR/consumers: one state file for each name.
 *
 * - Saved through statefile_write: a crash leaves the old position or the new one, never half of one.
 * - Loaded at start; left-over NAME.tmp files are no names and are passed over; unknown keys too.
 * - "away=SECONDS CHECKSUM": the checksum is of the seconds, the name and the place, so that a damaged number, or one that was written for something
 *   else, makes nobody look as if he had been away for years.
 * Failure: a file that does not parse is reported and skipped. Guessing a position could make a consumer lose events.
 */
#include "store/consumers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "binlog/crc32.h"
#include "store/store_internal.h"

#define STATE_MAX 4096u
#define SECOND_US 1000000u

bool consumer_name_ok(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);

    if (len == 0 || len > CONSUMER_NAME_MAX || name[0] == '.' || strspn(name, allowed) != len)
        return false;
    return len < 4 || strcmp(name + len - 4, ".tmp") != 0;
}

static uint32_t away_checksum(const struct consumer_state *c, uint64_t seconds)
{
    char text[STATE_MAX];
    int n = snprintf(text, sizeof text, "%s %u %s %s %" PRIu64 " %" PRIu64 " %" PRIu64, c->name, c->lineage,
                     c->source_id, c->file, c->offset, c->committed_us, seconds);
    return crc32_update(0, text, (size_t)n);
}

int consumer_save(struct store *s, const struct consumer_state *c, struct lt_err *err)
{
    char text[STATE_MAX];

    if (!consumer_name_ok(c->name) || !binlog_name_ok(c->file))
        return lt_err_set(err, LT_EINVAL, "a consumer's name or file");
    char *dir = store_path(s->dir, "consumers", "");
    if (dir == NULL)
        return lt_err_set(err, LT_ENOMEM, "consumer %s", c->name);
    uint64_t away = c->away_us / SECOND_US;
    int n = snprintf(text, sizeof text,
                     "lineage=%u\nsource_id=%s\nfile=%s\noffset=%" PRIu64 "\ncommitted_us=%" PRIu64 "\naway=%" PRIu64
                     " %08" PRIx32 "\n",
                     c->lineage, c->source_id, c->file, c->offset, c->committed_us, away, away_checksum(c, away));
    int rc = statefile_write(s->vfs, dir, c->name, text, (size_t)n, err);
    free(dir);
    return rc;
}

int consumer_remove(struct store *s, const char *name, struct lt_err *err)
{
    char *dir = store_path(s->dir, "consumers", "");
    char *path = dir != NULL && consumer_name_ok(name) ? store_path(dir, name, "") : NULL;
    int rc = LT_OK;
    if (path == NULL) {
        rc = dir == NULL || consumer_name_ok(name) ? lt_err_set(err, LT_ENOMEM, "consumer %s", name)
                                                   : lt_err_set(err, LT_EINVAL, "a consumer's name");
    } else {
        int sys = s->vfs->unlink(s->vfs->ctx, path);
        rc = sys < 0 && sys != -ENOENT ? store_sys_err(err, sys, "remove %s", path) : store_fsync_dir(s->vfs, dir, err);
    }
    free(path);
    free(dir);
    return rc;
}

static bool take_pair(struct consumer_state *c, const char *key, const char *value)
{
    uint64_t n = 0;

    if (strcmp(key, "source_id") == 0)
        return units_take_text(c->source_id, sizeof c->source_id, value) == 0;
    if (strcmp(key, "file") == 0)
        return units_take_text(c->file, sizeof c->file, value) == 0 && binlog_name_ok(c->file);
    if (strcmp(key, "offset") == 0)
        return units_parse_u64(value, UINT64_MAX, &c->offset) == 0;
    if (strcmp(key, "committed_us") == 0)
        return units_parse_u64(value, UINT64_MAX, &c->committed_us) == 0;
    if (strcmp(key, "lineage") != 0)
        return true;
    if (units_parse_u64(value, 999999999, &n) < 0)
        return false;
    c->lineage = (unsigned)n;
    return true;
}

/* After all else was read. What is not to be believed is 0. */
static uint64_t parse_away(const struct consumer_state *c, const char *value)
{
    char want[64];
    uint64_t seconds = 0;
    char digits[24];
    size_t len = value != NULL ? strcspn(value, " ") : 0;
    if (len == 0 || len >= sizeof digits)
        return 0;
    memcpy(digits, value, len);
    digits[len] = '\0';
    if (units_parse_u64(digits, UINT64_MAX / SECOND_US, &seconds) != 0)
        return 0;
    (void)snprintf(want, sizeof want, "%s %08" PRIx32, digits, away_checksum(c, seconds));
    return strcmp(value, want) == 0 ? seconds * SECOND_US : 0;
}

static bool parse_state(struct consumer_state *c, char *text)
{
    char *rest = NULL;
    const char *away = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *eq = strchr(line, '=');
        if (eq == NULL)
            return false;
        *eq = '\0';
        if (strcmp(line, "away") == 0)
            away = eq + 1;
        else if (!take_pair(c, line, eq + 1))
            return false;
    }
    c->away_us = parse_away(c, away);
    return c->lineage > 0 && c->file[0] != '\0' && c->offset >= BINLOG_MAGIC_LEN;
}

struct listing {
    struct consumer_state *list; /* only the names so far */
    size_t count;
    size_t cap;
};

static int on_name(const char *name, bool is_dir, void *arg)
{
    struct listing *l = arg;

    if (is_dir || !consumer_name_ok(name))
        return 0;
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 16;
        struct consumer_state *grown = reallocarray(l->list, cap, sizeof *grown);
        if (grown == NULL)
            return LT_ENOMEM;
        l->list = grown;
        l->cap = cap;
    }
    struct consumer_state *c = &l->list[l->count++];
    memset(c, 0, sizeof *c);
    memcpy(c->name, name, strlen(name) + 1);
    return 0;
}

/* LT_ENOMEM, or whatever else is wrong with this one file. */
static int load_one(struct store *s, const char *dir, struct consumer_state *c, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = statefile_read(s->vfs, dir, c->name, STATE_MAX, &text, &len, err);

    if (rc == 0 && !parse_state(c, text))
        rc = lt_err_set(err, LT_ECORRUPT, "%s/%s does not hold a position", dir, c->name);
    free(text);
    return rc;
}

static int load_all(struct store *s, const char *dir, struct listing *l, size_t *ret_bad, struct lt_err *err)
{
    size_t good = 0;

    *ret_bad = 0;
    for (size_t i = 0; i < l->count; i++) {
        int rc = load_one(s, dir, &l->list[i], err);
        if (rc == LT_ENOMEM)
            return rc;
        if (rc == 0)
            l->list[good++] = l->list[i];
        else
            (*ret_bad)++;
    }
    l->count = good;
    return 0;
}

int consumer_load_all(struct store *s, struct consumer_state **ret, size_t *ret_count, size_t *ret_bad,
                      struct lt_err *err)
{
    char *dir = store_path(s->dir, "consumers", "");
    struct listing l = {0};

    if (dir == NULL)
        return lt_err_set(err, LT_ENOMEM, "list of consumers");
    int rc = s->vfs->list(s->vfs->ctx, dir, on_name, &l);
    if (rc == LT_ENOMEM)
        rc = lt_err_set(err, rc, "list of consumers");
    else if (rc != 0)
        rc = store_sys_err(err, rc, "read directory %s", dir);
    else
        rc = load_all(s, dir, &l, ret_bad, err);
    free(dir);
    if (rc != 0) {
        free(l.list);
        return rc;
    }
    *ret = l.list;
    *ret_count = l.count;
    return 0;
}
