/*
 * DIR/age as text: key=value lines, one "mark=" for each mark, last a "crc=" of all before it, since a digit that went bad could make everything
 * old. Unknown keys are passed over, so that an older program reads a newer file.
 *
 * - Written without the reserve for a full disk: that is the fence's.
 * Failure: a file that is not whole and right is LT_ECORRUPT; nothing of it is believed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "binlog/crc32.h"
#include "store/age.h"
#include "store/store_internal.h"

#define AGE_FILE     "age"
#define AGE_FILE_MAX (1024u * 1024u)

static void write_ledger(FILE *f, const struct age_ledger *a)
{
    (void)fprintf(f, "clock_us=%" PRIu64 "\nboot_id=%s\nuptime_us=%" PRIu64 "\n", a->clock_us, a->up.boot_id, a->up.us);
    (void)fprintf(
        f, "both_clock_us=%" PRIu64 "\nboth_wall_us=%" PRId64 "\nboth_source_us=%" PRId64 "\nboth_source_id=%s\n",
        a->both.clock_us, a->both.wall_us, a->both.source_us, a->both.source_id);
    (void)fprintf(f, "unsure=%d\n", a->unsure ? 1 : 0);
    for (size_t i = 0; i < a->count; i++) {
        const struct age_mark *m = &a->marks[i];
        if (strpbrk(m->source_id, " \n") != NULL || strpbrk(m->upto.file, " \n") != NULL)
            continue; /* no source has such a name; the folder of one that people made */
        (void)fprintf(f, "mark=%" PRIu64 " %u %" PRIu64 " %s %s\n", m->clock_us, m->upto.lineage, m->bytes,
                      m->source_id, m->upto.file);
    }
}

char *age_format(const struct age_ledger *a)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return NULL;
    write_ledger(f, a);
    bool ok = fflush(f) == 0;
    uint32_t crc = ok ? crc32_update(0, text, len) : 0;
    (void)fprintf(f, "crc=%08" PRIx32 "\n", crc);
    if (fclose(f) != 0 || !ok) {
        free(text);
        return NULL;
    }
    return text;
}

static bool take_u64(const char *value, uint64_t *ret)
{
    return units_parse_u64(value, UINT64_MAX, ret) == 0;
}

static bool take_time(const char *value, int64_t *ret)
{
    char *end = NULL;
    *ret = strtoll(value, &end, 10);
    return end != value && *end == '\0';
}

static bool take_name(const char *value, char *dst, size_t cap)
{
    if (strlen(value) >= cap)
        return false;
    memcpy(dst, value, strlen(value) + 1);
    return true;
}

static bool take_mark(struct age_ledger *a, char *value)
{
    char *rest = NULL;
    char *word[5];
    uint64_t lineage = 0;
    struct age_mark m = {0};
    for (int i = 0; i < 5; i++) {
        word[i] = strtok_r(i == 0 ? value : NULL, " ", &rest);
        if (word[i] == NULL)
            return false;
    }
    if (!take_u64(word[0], &m.clock_us) || units_parse_u64(word[1], 999999999, &lineage) < 0 ||
        !take_u64(word[2], &m.bytes) || !take_name(word[3], m.source_id, sizeof m.source_id) ||
        !take_name(word[4], m.upto.file, sizeof m.upto.file) || m.clock_us > a->clock_us || lineage == 0)
        return false;
    m.upto.lineage = (unsigned)lineage;
    const struct age_mark *last = a->count > 0 ? &a->marks[a->count - 1] : NULL;
    if (a->count == AGE_MARKS_MAX ||
        (last != NULL && (last->clock_us > m.clock_us || store_place_compare(&last->upto, &m.upto) >= 0)))
        return false;
    a->marks[a->count++] = m;
    return true;
}

static bool take_pair(struct age_ledger *a, const char *key, char *value)
{
    uint64_t flag = 0;
    if (strcmp(key, "clock_us") == 0)
        return take_u64(value, &a->clock_us);
    if (strcmp(key, "boot_id") == 0)
        return take_name(value, a->up.boot_id, sizeof a->up.boot_id);
    if (strcmp(key, "uptime_us") == 0)
        return take_u64(value, &a->up.us);
    if (strcmp(key, "both_clock_us") == 0)
        return take_u64(value, &a->both.clock_us) && a->both.clock_us <= a->clock_us;
    if (strcmp(key, "both_wall_us") == 0)
        return take_time(value, &a->both.wall_us);
    if (strcmp(key, "both_source_us") == 0)
        return take_time(value, &a->both.source_us);
    if (strcmp(key, "both_source_id") == 0)
        return take_name(value, a->both.source_id, sizeof a->both.source_id);
    if (strcmp(key, "mark") == 0)
        return take_mark(a, value);
    if (strcmp(key, "unsure") != 0)
        return true;
    if (!take_u64(value, &flag))
        return false;
    a->unsure = flag != 0;
    return true;
}

/* Cuts the last line off and holds it against the rest. */
static bool crc_fits(char *text)
{
    char *last = strstr(text, "\ncrc=");
    if (last == NULL)
        return false;
    char *end = NULL;
    unsigned long crc = strtoul(last + 5, &end, 16);
    last[1] = '\0';
    return end == last + 5 + 8 && strcmp(end, "\n") == 0 && crc == crc32_update(0, text, strlen(text));
}

int age_parse(char *text, struct age_ledger *ret)
{
    struct age_ledger a = {.marks = calloc(AGE_MARKS_MAX, sizeof *a.marks)};
    char *rest = NULL;
    if (a.marks == NULL)
        return LT_ENOMEM;
    bool ok = crc_fits(text);
    for (char *line = ok ? strtok_r(text, "\n", &rest) : NULL; ok && line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *eq = strchr(line, '=');
        ok = eq != NULL;
        if (ok) {
            *eq = '\0';
            ok = take_pair(&a, line, eq + 1);
        }
    }
    if (!ok) {
        age_fini(&a);
        return LT_ECORRUPT;
    }
    if (a.up.boot_id[0] == '\0') { /* whether this is the same boot cannot be told */
        a.unsure = true;
        a.up.us = UINT64_MAX;
    }
    age_fini(ret);
    *ret = a;
    return LT_OK;
}

int age_load(struct store *s, struct age_ledger *ret, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = statefile_read(s->vfs, s->dir, AGE_FILE, AGE_FILE_MAX, &text, &len, err);
    if (rc == 0 && (strlen(text) != len || (rc = age_parse(text, ret)) == LT_ECORRUPT))
        rc = lt_err_set(err, LT_ECORRUPT, "%s/" AGE_FILE " is damaged", s->dir);
    free(text);
    return rc;
}

int age_save(struct store *s, struct age_ledger *a, struct lt_err *err)
{
    char *text = age_format(a);
    if (text == NULL)
        return lt_err_set(err, LT_ENOMEM, "DIR/" AGE_FILE);
    int rc = statefile_write(s->vfs, s->dir, AGE_FILE, text, strlen(text), err);
    free(text);
    if (rc == 0)
        a->changed = false;
    return rc;
}
