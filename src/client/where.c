#include "client/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file_text.h"
#include "base/units.h"
#include "binlog/gtid.h"
#include "binlogtail/binlogtail.h"

#define TEXT_MAX (16u << 20)

/* ---- times ---- */

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* Exactly n digits. */
static bool take(const char **p, unsigned n, int *ret)
{
    int v = 0;
    for (; n > 0; n--, (*p)++) {
        if (!is_digit(**p))
            return false;
        v = v * 10 + (**p - '0');
    }
    *ret = v;
    return true;
}

static bool skip(const char **p, char ch)
{
    if (**p != ch)
        return false;
    (*p)++;
    return true;
}

static bool take_date(const char **p, struct tm *tm)
{
    int year = 0;
    if (!take(p, 4, &year) || !skip(p, '-') || !take(p, 2, &tm->tm_mon) || !skip(p, '-') || !take(p, 2, &tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon--;
    return true;
}

/* HH:MM[:SS[.parts]] */
static bool take_clock(const char **p, struct tm *tm)
{
    if (!take(p, 2, &tm->tm_hour) || !skip(p, ':') || !take(p, 2, &tm->tm_min))
        return false;
    if (skip(p, ':') && !take(p, 2, &tm->tm_sec))
        return false;
    if (skip(p, '.')) {
        while (is_digit(**p))
            (*p)++;
    }
    return tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 59;
}

/* Z, +HH:MM, +HHMM, +HH; *ret_s: seconds east of UTC. False: there is none, or it is none. */
static bool take_zone(const char **p, int64_t *ret_s)
{
    int hours = 0;
    int minutes = 0;
    *ret_s = 0;
    if (skip(p, 'Z') || skip(p, 'z'))
        return true;
    bool east = skip(p, '+');
    if ((!east && !skip(p, '-')) || !take(p, 2, &hours))
        return false;
    (void)skip(p, ':');
    if (**p != '\0' && !take(p, 2, &minutes))
        return false;
    *ret_s = (east ? 1 : -1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return hours <= 15 && minutes <= 59;
}

/* Days that no calendar has become others: those are refused. An hour that a clock's change leaves out stays what the system makes of it. */
static int to_seconds(struct tm *tm, bool utc, int64_t *ret_s)
{
    struct tm asked = *tm;
    tm->tm_isdst = -1;
    time_t s = utc ? timegm(tm) : mktime(tm);
    if (tm->tm_mday != asked.tm_mday || tm->tm_mon != asked.tm_mon || tm->tm_year != asked.tm_year)
        return LT_EINVAL;
    *ret_s = (int64_t)s;
    return 0;
}

static int parse_ago(const char *text, int64_t now_s, int64_t *ret_s)
{
    uint64_t us = 0;
    if (units_parse_duration(text, &us) != 0 || us / 1000000 > (uint64_t)now_s)
        return LT_EINVAL;
    *ret_s = now_s - (int64_t)(us / 1000000);
    return 0;
}

int where_parse_time(const char *text, bool utc, int64_t now_s, int64_t *ret_s, bool *ret_looks)
{
    struct tm tm = {0};
    int64_t east = 0;
    const char *p = text;
    bool looks = text[0] == '-' && is_digit(text[1]);
    if (ret_looks != NULL)
        *ret_looks = looks;
    if (looks)
        return parse_ago(text + 1, now_s, ret_s);
    if (!take_date(&p, &tm))
        return LT_EINVAL;
    if (ret_looks != NULL)
        *ret_looks = *p == '\0' || *p == ' ' || *p == 'T';
    bool clock = skip(&p, 'T') || skip(&p, 't');
    for (; !clock && *p == ' ' && p[1] == ' '; p++)
        ;
    if ((clock || skip(&p, ' ')) && !take_clock(&p, &tm))
        return LT_EINVAL;
    while (*p == ' ')
        p++;
    bool zone = *p != '\0';
    if ((zone && !take_zone(&p, &east)) || *p != '\0' || tm.tm_mon < 0 || tm.tm_mon > 11)
        return LT_EINVAL;
    int rc = to_seconds(&tm, utc || zone, ret_s);
    *ret_s -= rc == 0 ? east : 0;
    return rc;
}

/* ---- places ---- */

static void trim(char *text)
{
    static const char blanks[] = " \t\r\n";
    size_t from = strspn(text, blanks);
    size_t len = strlen(text + from);
    memmove(text, text + from, len + 1);
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
        text[--len] = '\0';
}

static bool is_set(const char *text)
{
    struct gtid_set set = {0};
    bool yes = gtid_set_parse(GTID_MYSQL, text, &set) == 0 || gtid_set_parse(GTID_MARIADB, text, &set) == 0;
    yes = yes && !gtid_set_is_empty(&set); /* what failed to be filled in must not mean everything */
    gtid_set_fini(&set);
    return yes;
}

static enum where_kind kind_of(const char *text, bool utc, int64_t *ret_s, bool *ret_looks)
{
    if (strcmp(text, "latest") == 0)
        return WHERE_LATEST;
    if (strcmp(text, "earliest") == 0)
        return WHERE_EARLIEST;
    if (where_parse_time(text, utc, (int64_t)(clock_wall_us() / 1000000), ret_s, ret_looks) == 0)
        return WHERE_TIME;
    if (is_set(text))
        return WHERE_GTIDS;
    return binlogtail_token_check(text) == 0 ? WHERE_POSITION : WHERE_NONE;
}

int where_parse(const char *word, bool utc, struct where *ret, struct lt_err *err)
{
    struct where w = {.kind = WHERE_NONE};
    bool looks = false;
    int rc = file_text_of_word(word, TEXT_MAX, &w.text, err);
    if (rc != 0)
        return rc;
    trim(w.text);
    w.kind = kind_of(w.text, utc, &w.time_s, &looks);
    bool both = w.kind == WHERE_TIME && is_set(w.text); /* a day, and domain-server-number */
    if (w.kind != WHERE_NONE && !both) {
        *ret = w;
        return 0;
    }
    if (both)
        rc = lt_err_set(
            err, LT_EINVAL,
            "%s is a day and a GTID of MariaDB; say \"%s 00:00\" for the day, \"'%s'\" (with the inner quotes) "
            "for the GTID",
            w.text, w.text, w.text);
    else if (w.text[0] == '\0')
        rc = lt_err_set(err, LT_EINVAL, "is empty; for all there is say earliest");
    else if (looks)
        rc = lt_err_set(err, LT_EINVAL, "no such time; as \"2026-11-27 10:00\", 2026-11-27T10:00:05Z, -90min");
    else
        rc = lt_err_set(err, LT_EINVAL, "neither earliest, latest, FILE:OFFSET, a resume token, a GTID set nor a time");
    free(w.text);
    return rc;
}

void where_fini(struct where *w)
{
    free(w->text);
    *w = (struct where){0};
}
