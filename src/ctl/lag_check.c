#include "ctl/lag_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jpath.h"
#include "ctl/format.h"

static void append(char *buf, size_t cap, size_t *len, const char *text)
{
    size_t n = strlen(text);
    size_t room = cap - *len - 1;
    n = n < room ? n : room;
    memcpy(buf + *len, text, n);
    *len += n;
    buf[*len] = '\0';
}

struct figure {
    const char *name;
    const char *unit; /* "s" or "B" */
    bool known;
    double value;
    bool limited;
    double limit;
};

/* The limit is missing in the data where it is not asked for; a figure that is not known is U, as plugins write it. */
static void append_figure(char *buf, size_t cap, size_t *len, const struct figure *f)
{
    char text[160];
    char number[40] = "U";
    char max[40] = "";
    int digits = f->unit[0] == 's' ? 3 : 0;
    if (f->known)
        (void)snprintf(number, sizeof number, "%.*f%s", digits, f->value, f->unit);
    if (f->limited)
        (void)snprintf(max, sizeof max, "%.*f", digits, f->limit);
    (void)snprintf(text, sizeof text, " %s=%s;;%s;0", f->name, number, max);
    append(buf, cap, len, text);
}

enum lag_verdict lag_check(const struct lag_limits *limits, const json_t *answer, const char *why, char *buf,
                           size_t cap)
{
    static const char *const words[] = {"LAG OK", "LAG BEHIND", "LAG UNKNOWN"};
    const json_t *lag = json_is_object(json_object_get(answer, "lag")) ? json_object_get(answer, "lag") : answer;
    double bytes = 0;
    double seconds = 0;
    double durable = 0;
    bool has_bytes = jpath_number(lag, "source_bytes", &bytes);
    bool has_seconds = jpath_number(lag, "source_seconds", &seconds);
    bool has_durable = jpath_number(lag, "durable_bytes", &durable);
    enum lag_verdict verdict = LAG_OK;
    if ((limits->has_seconds && !has_seconds) || (limits->has_bytes && !has_bytes))
        verdict = LAG_UNKNOWN;
    /* One figure over its limit is bad news whether the other is known or not. */
    if ((limits->has_seconds && has_seconds && seconds > limits->max_seconds) ||
        (limits->has_bytes && has_bytes && bytes > (double)limits->max_bytes))
        verdict = LAG_BEHIND;
    char figures[2][FORMAT_SMALL];
    size_t len = 0;
    buf[0] = '\0';
    append(buf, cap, &len, words[verdict]);
    append(buf, cap, &len, ": ");
    if (answer == NULL) {
        char *clean = format_clean(why);
        append(buf, cap, &len, clean != NULL ? clean : "");
        free(clean);
    } else {
        append(buf, cap, &len, has_bytes ? format_bytes(bytes, figures[0]) : "unknown bytes");
        append(buf, cap, &len, ", ");
        append(buf, cap, &len, has_seconds ? format_seconds(seconds, figures[1]) : "unknown seconds");
        append(buf, cap, &len, " behind the primary");
    }
    append(buf, cap, &len, " |");
    const struct figure data[] = {
        {"source_seconds", "s", has_seconds, seconds, limits->has_seconds, limits->max_seconds},
        {"source_bytes", "B", has_bytes, bytes, limits->has_bytes, (double)limits->max_bytes},
        {"durable_bytes", "B", has_durable, durable, false, 0},
    };
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++)
        append_figure(buf, cap, &len, &data[i]);
    return verdict;
}
