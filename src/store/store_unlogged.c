/*
 * GTIDs that are executed on the source and in no binlog of it since the present lineage began (store.h).
 *
 * - One small file in the lineage's folder, `unlogged`, replaced as a whole; what it says is carried into the folder of the next lineage before that
 *   is used: a candidate for a repoint is judged by it, and so is what comes after.
 * - It only ever takes away a false alarm. One that lacks or is damaged is learnt anew from the source.
 * Format: gtid_set=SET, and an end mark, so that a file that was cut is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

#define UNLOGGED_FILE     "unlogged"
#define UNLOGGED_FILE_MAX (256u * 1024u * 1024u)

static const char key[] = "gtid_set=";
static const char end_mark[] = "\nend=1\n";

const struct gtid_set *store_unlogged(const struct store *s)
{
    return &s->unlogged;
}

static int write_file(const struct store *s, const struct lineage *lin, const struct gtid_set *set, struct lt_err *err)
{
    char *text = NULL;
    char *formatted = gtid_set_format(set);
    int n = formatted != NULL ? asprintf(&text, "%s%s%s", key, formatted, end_mark) : -1;
    free(formatted);
    if (n < 0)
        return lt_err_set(err, LT_ENOMEM, "%s", UNLOGGED_FILE);
    int rc = statefile_write(s->vfs, lin->path, UNLOGGED_FILE, text, (size_t)n, err);
    free(text);
    return rc;
}

int store_unlogged_carry(const struct store *s, const struct lineage *lin, struct lt_err *err)
{
    return gtid_set_is_empty(&s->unlogged) ? 0 : write_file(s, lin, &s->unlogged, err);
}

int store_unlogged_learn(struct store *s, const struct gtid_set *more, struct lt_err *err)
{
    struct gtid_set all;
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (s->lineage == NULL || gtid_set_contains_set(&s->unlogged, more))
        return 0;
    gtid_set_init(&all);
    rc = gtid_set_copy(&all, &s->unlogged);
    if (rc == 0)
        rc = gtid_set_union(&all, more);
    if (rc == LT_EINVAL) /* the history before was of the other flavour */
        rc = gtid_set_copy(&all, more);
    if (rc < 0)
        rc = lt_err_set(err, rc, "%s", UNLOGGED_FILE);
    else
        rc = write_file(s, s->lineage, &all, err);
    if (rc < 0) {
        gtid_set_fini(&all);
        return rc;
    }
    gtid_set_fini(&s->unlogged);
    s->unlogged = all;
    return 0;
}

static int parse(char *text, size_t len, struct gtid_set *ret)
{
    size_t head = sizeof key - 1;
    size_t tail = sizeof end_mark - 1;
    if (len < head + tail || memcmp(text, key, head) != 0 || memcmp(text + len - tail, end_mark, tail) != 0)
        return LT_ECORRUPT;
    text[len - tail] = '\0';
    const char *value = text + head;
    if (value[0] == '\0')
        return 0;
    return gtid_set_parse(strchr(value, ':') != NULL ? GTID_MYSQL : GTID_MARIADB, value, ret);
}

int store_unlogged_load(struct store *s, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    if (s->lineage == NULL)
        return 0;
    int rc = statefile_read(s->vfs, s->lineage->path, UNLOGGED_FILE, UNLOGGED_FILE_MAX, &text, &len, err);
    if (rc == 0)
        rc = parse(text, len, &s->unlogged);
    free(text);
    return rc == LT_ENOMEM ? rc : 0;
}
