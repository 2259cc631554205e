/* status and lag: what matters first, a line each. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/jpath.h"
#include "ctl/format.h"
#include "ctl/show.h"
#include "ctl/table.h"

static void line(FILE *out, const char *label, char *text)
{
    if (text == NULL)
        ctl_out_of_memory();
    show_line(out, label, text);
    free(text);
}

/* Like asprintf; NULL when out of memory. */
__attribute__((format(printf, 1, 2))) static char *text_of(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

static const char *figure(const json_t *answer, const char *path, const char *(*format)(double, char *), char *buf)
{
    double number = 0;
    return jpath_number(answer, path, &number) ? format(number, buf) : "unknown";
}

static const char *count_figure(const json_t *answer, const char *path, char *buf)
{
    uint64_t n = 0;
    return jpath_count(answer, path, &n) ? format_count(n, buf) : "-";
}

static void show_source(FILE *out, const json_t *s)
{
    uint64_t port = 0;
    char *where = NULL;
    if (jpath(s, "source.host") != NULL && jpath_count(s, "source.port", &port))
        where = text_of("%s:%" PRIu64, jpath_text(s, "source.host", ""), port);
    else
        where = text_of("%s", jpath_text(s, "source.socket", "-"));
    if (where == NULL)
        ctl_out_of_memory();
    line(out, "source",
         text_of("%s, %s%s%s, %s, TLS %s", where, jpath_text(s, "source.flavor", "flavour unknown"),
                 jpath(s, "source.version") != NULL ? " " : "", jpath_text(s, "source.version", ""),
                 jpath_is_true(s, "source.connected") ? "connected" : "NOT CONNECTED",
                 jpath_text(s, "source.tls", "no")));
    line(out, "semi-sync",
         text_of("%s, %s", jpath_text(s, "source.semi_sync", "unknown"),
                 jpath_is_true(s, "source.acknowledging") ? "we acknowledge" : "WE DO NOT ACKNOWLEDGE"));
    free(where);
}

static void show_position(FILE *out, const json_t *s, const char *name)
{
    char *text = format_value(name, json_object_get(s, name));
    line(out, name, text);
}

static void show_count_and_times(FILE *out, const json_t *s, const char *name, const char *count)
{
    char path[3][64];
    char buf[4][FORMAT_SMALL];
    static const char *const quantiles[] = {"p50_us", "p99_us", "max_us"};
    for (int i = 0; i < 3; i++)
        (void)snprintf(path[i], sizeof path[i], "%s.%s", name, quantiles[i]);
    char total[64];
    (void)snprintf(total, sizeof total, "%s.%s", name, count);
    line(out, name,
         text_of("%s, p50 %s, p99 %s, max %s", count_figure(s, total, buf[0]), figure(s, path[0], format_us, buf[1]),
                 figure(s, path[1], format_us, buf[2]), figure(s, path[2], format_us, buf[3])));
}

static void show_store(FILE *out, const json_t *s)
{
    char segments[FORMAT_SMALL];
    char bytes[FORMAT_SMALL];
    char free_bytes[FORMAT_SMALL];
    const char *n = count_figure(s, "store.segments", segments);
    line(out, "store",
         text_of("%s segment%s, %s, %s free, %s", n, strcmp(n, "1") == 0 ? "" : "s",
                 figure(s, "store.bytes", format_bytes, bytes), figure(s, "store.free_bytes", format_bytes, free_bytes),
                 jpath_text(s, "store.dir", "-")));
}

void show_lag(FILE *out, const json_t *answer)
{
    /* `lag` may give the figures by themselves or under "lag", as status does. */
    const json_t *lag = json_is_object(json_object_get(answer, "lag")) ? json_object_get(answer, "lag") : answer;
    char bytes[FORMAT_SMALL];
    char seconds[FORMAT_SMALL];
    line(out, "source lag",
         text_of("%s, %s behind the primary", figure(lag, "source_bytes", format_bytes, bytes),
                 figure(lag, "source_seconds", format_seconds, seconds)));
    line(out, "durable lag",
         text_of("%s received and not yet durable", figure(lag, "durable_bytes", format_bytes, bytes)));
    line(out, "consumer lag",
         text_of("%s behind what is durable, the slowest", figure(lag, "consumers_max_bytes", format_bytes, bytes)));
}

static void show_list_of_texts(FILE *out, const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        char *text = format_value("", item);
        show_line(out, "", text != NULL ? text : "");
        free(text);
    }
}

static void show_trouble(FILE *out, const char *label, const json_t *trouble, const char *since)
{
    line(out, label,
         text_of("%s: %s (%s)", jpath_text(trouble, "code", "?"), jpath_text(trouble, "message", "-"),
                 jpath_text(trouble, since, "time unknown")));
    if (jpath(trouble, "cure") != NULL)
        line(out, "", text_of("cure: %s", jpath_text(trouble, "cure", "-")));
}

static void show_warnings(FILE *out, const json_t *s)
{
    const json_t *warnings = json_object_get(s, "warnings");
    size_t i = 0;
    json_t *warning = NULL;
    if (json_array_size(warnings) == 0)
        show_line(out, "warnings", json_is_array(warnings) ? "none" : "-");
    json_array_foreach(warnings, i, warning) show_trouble(out, "WARNING", warning, "since");
}

static void show_fence_part(FILE *out, const json_t *s)
{
    const json_t *fence = jpath(s, "fence");
    size_t i = 0;
    json_t *source = NULL;
    if (fence == NULL) {
        show_line(out, "fence", "none");
        return;
    }
    /* Fenced and left by a repoint, or still the one that is followed. */
    bool current = !json_is_false(json_object_get(fence, "current"));
    json_array_foreach(json_object_get(fence, "sources"), i, source)
        line(out, current ? "FENCED" : "fenced before",
             text_of("%s: %s (%s, %s)", jpath_text(source, "source_id", "?"), jpath_text(source, "reason", "-"),
                     jpath_text(source, "at", "time unknown"), jpath_text(source, "guarantee", "guarantee unknown")));
    if (json_is_false(json_object_get(fence, "persisted")))
        show_line(out, "", "NOT PERSISTED: it holds only while this process lives");
    if (json_is_false(json_object_get(fence, "final")))
        show_line(out, "", "NOT FINAL: more may still be stored; repeat fence for the last place");
}

static void show_protection(FILE *out, const json_t *s)
{
    if (jpath(s, "protection") == NULL)
        return;
    const char *after = jpath_text(s, "protection.lost_after", "the beginning");
    const char *lost_at = jpath_text(s, "protection.lost_at", "time unknown");
    const char *restored_at = jpath_text(s, "protection.restored_at", "");
    if (restored_at[0] == '\0')
        line(out, "UNPROTECTED", text_of("commits after %s, since %s, up to now", after, lost_at));
    else
        line(out, "UNPROTECTED",
             text_of("commits after %s up to %s, from %s to %s", after,
                     jpath_text(s, "protection.restored_with", "the last one then"), lost_at, restored_at));
}

void show_status(FILE *out, const json_t *s)
{
    char buf[FORMAT_SMALL];
    line(out, "state", text_of("%s since %s", jpath_text(s, "state", "unknown"), jpath_text(s, "state_since", "-")));
    show_line(out, "failover safe", jpath_text(s, "failover_safe.answer", "unknown"));
    show_list_of_texts(out, jpath(s, "failover_safe.reasons"));
    bool current = jpath_is_true(s, "last_error.current"); /* what needs somebody stands on top */
    if (current)
        show_trouble(out, "ERROR", jpath(s, "last_error"), "at");
    show_warnings(out, s);
    show_protection(out, s);
    show_fence_part(out, s);
    show_source(out, s);
    show_lag(out, s);
    show_position(out, s, "received");
    show_position(out, s, "durable");
    if (jpath(s, "durable.gtid_executed") != NULL)
        show_line(out, "", jpath_text(s, "durable.gtid_executed", "-"));
    show_position(out, s, "acked");
    show_count_and_times(out, s, "acks", "sent");
    show_count_and_times(out, s, "syncs", "count");
    const json_t *consumers = jpath(s, "consumers");
    if (json_is_object(consumers)) /* a number, or an object with details */
        show_line(out, "consumers", count_figure(s, "consumers.count", buf));
    else
        line(out, "consumers", format_value("consumers", consumers));
    if (jpath_is_true(s, "replicas.served")) {
        char bytes[FORMAT_SMALL];
        line(out, "replicas",
             text_of("%s, the slowest %s behind", count_figure(s, "replicas.connected", buf),
                     figure(s, "replicas.max_lag_bytes", format_bytes, bytes)));
    }
    show_store(out, s);
    if (!current && jpath(s, "last_error") != NULL)
        show_trouble(out, "last error", jpath(s, "last_error"), "at");
}
