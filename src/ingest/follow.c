/*
 * - One line for each field; texts that are not there have no line. GTID sets are in their own text form, which knows its flavour by itself.
 * Failure: a file that does not parse is LT_ECORRUPT and names itself: to follow the configured source in its place could be to follow a
 *   fenced one.
 */
#include "ingest/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "store/state.h"

void follow_init(struct follow *f)
{
    memset(f, 0, sizeof *f);
    gtid_set_init(&f->covers);
    gtid_set_init(&f->given_up);
}

void follow_fini(struct follow *f)
{
    gtid_set_fini(&f->covers);
    gtid_set_fini(&f->given_up);
    free(f->gap);
    free(f->only_here);
    follow_init(f);
}

static int copy_text(const char *text, char **ret)
{
    *ret = text != NULL ? strdup(text) : NULL;
    return text != NULL && *ret == NULL ? LT_ENOMEM : LT_OK;
}

int follow_copy(struct follow *dst, const struct follow *src)
{
    struct follow f = *src;
    gtid_set_init(&f.covers);
    gtid_set_init(&f.given_up);
    f.gap = f.only_here = NULL;
    int rc = gtid_set_copy(&f.covers, &src->covers);
    if (rc == 0)
        rc = gtid_set_copy(&f.given_up, &src->given_up);
    if (rc == 0)
        rc = copy_text(src->gap, &f.gap);
    if (rc == 0)
        rc = copy_text(src->only_here, &f.only_here);
    if (rc != 0) {
        follow_fini(&f);
        return rc;
    }
    follow_fini(dst);
    *dst = f;
    return LT_OK;
}

static int take_number(unsigned *ret, const char *value, uint64_t max)
{
    uint64_t n = 0;
    if (units_parse_u64(value, max, &n) < 0)
        return LT_ECORRUPT;
    *ret = (unsigned)n;
    return LT_OK;
}

/* A MySQL set begins with a UUID, a MariaDB one with numbers. */
static int take_set(struct gtid_set *ret, const char *value)
{
    if (value[0] == '\0')
        return LT_OK;
    int rc = gtid_set_parse(strchr(value, ':') != NULL ? GTID_MYSQL : GTID_MARIADB, value, ret);
    return rc == 0 || rc == LT_ENOMEM ? rc : LT_ECORRUPT;
}

static int take_file(struct follow *f, const char *value)
{
    if (value[0] != '\0' && !binlog_name_ok(value))
        return LT_ECORRUPT;
    return units_take_text(f->start_file, sizeof f->start_file, value) == 0 ? LT_OK : LT_ECORRUPT;
}

static int replace_text(char **text, const char *value)
{
    free(*text);
    return copy_text(value, text);
}

static int take_pair(struct follow *f, const char *key, const char *value)
{
    if (strcmp(key, "host") == 0)
        return units_take_text(f->host, sizeof f->host, value) == 0 ? LT_OK : LT_ECORRUPT;
    if (strcmp(key, "port") == 0)
        return take_number(&f->port, value, 65535);
    if (strcmp(key, "source_id") == 0)
        return units_take_text(f->source_id, sizeof f->source_id, value) == 0 ? LT_OK : LT_ECORRUPT;
    if (strcmp(key, "after_lineage") == 0)
        return take_number(&f->after_lineage, value, UINT32_MAX);
    if (strcmp(key, "start_file") == 0)
        return take_file(f, value);
    if (strcmp(key, "new_history") == 0)
        f->new_history = strcmp(value, "yes") == 0;
    if (strcmp(key, "proved") == 0)
        f->proved = strcmp(value, "yes") == 0;
    if (strcmp(key, "at_us") == 0)
        return units_parse_u64(value, UINT64_MAX, &f->at_us) < 0 ? LT_ECORRUPT : LT_OK;
    if (strcmp(key, "covers") == 0)
        return take_set(&f->covers, value);
    if (strcmp(key, "given_up") == 0)
        return take_set(&f->given_up, value);
    if (strcmp(key, "gap") == 0)
        return replace_text(&f->gap, value);
    if (strcmp(key, "only_here") == 0)
        return replace_text(&f->only_here, value);
    return LT_OK;
}

int follow_parse(char *text, struct follow *ret)
{
    struct follow f;
    char *save = NULL;
    int rc = LT_OK;
    follow_init(&f);
    if (text[0] == '\0') { /* a repoint that was taken back */
        follow_fini(ret);
        return LT_OK;
    }
    for (char *line = strtok_r(text, "\n", &save); rc == 0 && line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '=');
        if (eq == NULL) {
            rc = LT_ECORRUPT;
            break;
        }
        *eq = '\0';
        rc = take_pair(&f, line, eq + 1);
    }
    if (rc == 0 && f.new_history && f.only_here != NULL && gtid_set_is_empty(&f.given_up)) /* by an older program */
        rc = take_set(&f.given_up, f.only_here);
    if (rc == 0 && (f.host[0] == '\0' || f.port == 0 || f.source_id[0] == '\0'))
        rc = LT_ECORRUPT;
    if (rc != 0) {
        follow_fini(&f);
        return rc;
    }
    f.active = true;
    follow_fini(ret);
    *ret = f;
    return LT_OK;
}

char *follow_format(const struct follow *f)
{
    char *text = NULL;
    if (!f->active)
        return strdup("");
    char *covers = gtid_set_format(&f->covers);
    char *given_up = gtid_set_format(&f->given_up);
    if (covers == NULL || given_up == NULL) {
        free(covers);
        free(given_up);
        return NULL;
    }
    int n = asprintf(
        &text,
        "host=%s\nport=%u\nsource_id=%s\nafter_lineage=%u\nstart_file=%s\nnew_history=%s\nproved=%s\nat_us=%" PRIu64
        "\ncovers=%s\ngiven_up=%s\n%s%s%s%s%s%s",
        f->host, f->port, f->source_id, f->after_lineage, f->start_file, f->new_history ? "yes" : "no",
        f->proved ? "yes" : "no", f->at_us, covers, given_up, f->gap ? "gap=" : "", f->gap ? f->gap : "",
        f->gap ? "\n" : "", f->only_here ? "only_here=" : "", f->only_here ? f->only_here : "",
        f->only_here ? "\n" : "");
    free(covers);
    free(given_up);
    return n < 0 ? NULL : text;
}

int follow_load(struct store *s, struct follow *ret, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = store_state_read(s, "source", FOLLOW_FILE_MAX, &text, &len, err);
    if (rc != 0)
        return rc;
    rc = follow_parse(text, ret);
    free(text);
    if (rc == LT_ECORRUPT)
        return lt_err_set(
            err, rc,
            "DIR/source is damaged: it names the source to follow after a repoint; write it anew by repoint, "
            "or remove it to follow the configured source");
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "reading DIR/source");
}

int follow_save(struct store *s, const struct follow *f, struct lt_err *err)
{
    char *text = follow_format(f);
    if (text == NULL)
        return lt_err_set(err, LT_ENOMEM, "writing DIR/source");
    int rc = store_state_write(s, "source", text, strlen(text), err);
    free(text);
    return rc;
}
