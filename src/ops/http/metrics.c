#include "ops/http/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/jpath.h"
#include "base/log.h"
#include "ops/http/metrics_process.h"
#include "ops/http/ready.h"

/* A number, or true and false as 1 and 0. */
struct simple {
    const char *name;
    const char *type;
    const char *path;
    double scale; /* from the answer's unit to the base unit */
    const char *help;
};

static const struct simple simple[] = {
    {"logtailer_source_connected", "gauge", "source.connected", 1, "Whether a stream of the source is open."},
    {"logtailer_acknowledging", "gauge", "source.acknowledging", 1,
     "Whether the stream is one that the source waits for: a semi-sync dump."},
    {"logtailer_source_lag_bytes", "gauge", "lag.source_bytes", 1, "What the source has written and was not received."},
    {"logtailer_source_lag_seconds", "gauge", "lag.source_seconds", 1,
     "Age of the oldest event not received; 0 when the source is idle."},
    {"logtailer_source_lag_transactions", "gauge", "lag.source_transactions", 1,
     "Transactions that the source has executed and that are not durable here."},
    {"logtailer_durable_lag_bytes", "gauge", "lag.durable_bytes", 1, "Received and not yet durable."},
    {"logtailer_consumers_memory_bytes", "gauge", "consumers_memory.bytes", 1,
     "Memory that consumers' requests take: GTID sets, frames that are not there whole."},
    {"logtailer_consumers_memory_limit_bytes", "gauge", "consumers_memory.limit_bytes", 1, "tail.memory."},
    {"logtailer_consumers_shed_total", "counter", "consumers_memory.shed", 1,
     "Consumers that had to go because that memory was used up."},
    {"logtailer_consumer_names", "gauge", "consumer_names.count", 1, "Names of consumers, connected or away."},
    {"logtailer_consumers_forgotten_total", "counter", "consumer_names.forgotten", 1,
     "Named consumers that were forgotten: away for longer than tail.consumer_max_age."},
    {"logtailer_consumers_max_lag_bytes", "gauge", "lag.consumers_max_bytes", 1,
     "Durable and not yet taken by the slowest consumer."},
    {"logtailer_replicas", "gauge", "replicas.connected", 1, "Who is connected to replicas.listen."},
    {"logtailer_replicas_streaming", "gauge", "replicas.streaming", 1, "Of them, those that are sent the log."},
    {"logtailer_replicas_max_lag_bytes", "gauge", "replicas.max_lag_bytes", 1,
     "Durable and not yet sent to the slowest of them."},
    {"logtailer_replicas_accepted_total", "counter", "replicas.accepted", 1, "Connections of replicas."},
    {"logtailer_replicas_refused_total", "counter", "replicas.refused", 1,
     "Connections of replicas that were refused: too many, in all or from one address."},
    {"logtailer_replicas_denied_total", "counter", "replicas.denied", 1, "Logins of replicas that were denied."},
    {"logtailer_replicas_slow_closed_total", "counter", "replicas.slow_closed", 1,
     "Replicas that were closed because they took nothing for replicas.send_timeout."},
    {"logtailer_replicas_sent_bytes_total", "counter", "replicas.sent_bytes", 1, "Bytes sent to replicas."},
    {"logtailer_acks_sent_total", "counter", "acks.sent", 1, "Acknowledgements sent to the source."},
    {"logtailer_acks_requested_total", "counter", "acks.requested", 1, "Events for which the source asked for one."},
    {"logtailer_store_segments", "gauge", "store.segments", 1, "Segment files in the store."},
    {"logtailer_store_bytes", "gauge", "store.bytes", 1, "Size of all segment files."},
    {"logtailer_store_free_bytes", "gauge", "store.free_bytes", 1, "Free space on the file system of the store."},
    {"logtailer_store_sync_running_seconds", "gauge", "store.sync_running_ms", 1e-3,
     "How long the sync that runs now has taken; 0 when none runs."},
    {"logtailer_aborted_transactions_total", "counter", "store.aborted_transactions", 1,
     "Transactions that a change of file cut off."},
    {"logtailer_source_clock_offset_seconds", "gauge", "source.clock_offset_ms", 1e-3,
     "The source's clock minus ours."},
    {"logtailer_monitor_connected", "gauge", "monitor.connected", 1, "Whether the source can be asked."},
    {"logtailer_source_semi_sync_active", "gauge", "monitor.semi_sync.active", 1,
     "Whether the source's commits wait; 0: it fell back to asynchronous."},
    {"logtailer_source_semi_sync_clients", "gauge", "monitor.semi_sync.clients", 1,
     "Acknowledgers that the source counts, this one among them."},
    {"logtailer_source_semi_sync_waiting_commits", "gauge", "monitor.semi_sync.wait_sessions", 1,
     "Sessions on the source that wait for an acknowledgement now."},
    {"logtailer_source_commits_acknowledged_total", "counter", "monitor.semi_sync.yes_tx", 1,
     "Commits of the source with an acknowledgement."},
    {"logtailer_source_commits_unacknowledged_total", "counter", "monitor.semi_sync.no_tx", 1,
     "Commits of the source without one."},
};

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line end escaped. */
static void put_label(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            (void)fputs("\\n", out);
        else if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text);
        else
            (void)fputc(*text, out);
    }
}

static bool number_at(const json_t *status, const char *path, double *ret_number)
{
    const json_t *value = jpath(status, path);
    if (json_is_boolean(value)) {
        *ret_number = json_is_true(value) ? 1 : 0;
        return true;
    }
    return jpath_number(status, path, ret_number);
}

static void put_simple(FILE *out, const json_t *status)
{
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        double number = 0;
        if (!number_at(status, simple[i].path, &number))
            continue;
        head(out, simple[i].name, simple[i].type, simple[i].help);
        (void)fprintf(out, "%s %.15g\n", simple[i].name, number * simple[i].scale);
    }
}

/* One sample for each value it may have; the present one is 1. */
static void put_choice(FILE *out, const char *name, const char *help, const char *label, const char *const *choices,
                       const char *present)
{
    if (present == NULL)
        return;
    head(out, name, "gauge", help);
    for (; *choices != NULL; choices++)
        (void)fprintf(out, "%s{%s=\"%s\"} %d\n", name, label, *choices, strcmp(*choices, present) == 0);
}

static void put_choices(FILE *out, const json_t *status)
{
    static const char *const states[] = {"connecting", "proving", "catching_up", "streaming",
                                         "fenced",     "error",   "stopped",     NULL};
    static const char *const answers[] = {"yes", "weak", "no", NULL};
    static const char *const semi_sync[] = {"on", "off", "unsupported", NULL};
    put_choice(out, "logtailer_state", "The state; one of them is 1.", "state", states,
               jpath_text(status, "state", NULL));
    put_choice(out, "logtailer_failover_safe", "Whether a failover to what is held here loses no confirmed commit.",
               "answer", answers, jpath_text(status, "failover_safe.answer", NULL));
    put_choice(out, "logtailer_source_semi_sync", "Semi-sync on the source.", "value", semi_sync,
               jpath_text(status, "source.semi_sync", NULL));
}

static void put_info(FILE *out, const json_t *status)
{
    static const char *const labels[][2] = {
        {"source_id", "source.id"}, {"source_flavor", "source.flavor"}, {"source_version", "source.version"}};
    head(out, "logtailer_info", "gauge", "What runs here, as labels; always 1.");
    (void)fputs("logtailer_info{version=\"" LT_VERSION "\"", out);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        (void)fprintf(out, ",%s=\"", labels[i][0]);
        put_label(out, jpath_text(status, labels[i][1], ""));
        (void)fputc('"', out);
    }
    (void)fputs("} 1\n", out);
}

static void put_time(FILE *out, const json_t *status, const char *path, const char *name, const char *help)
{
    struct tm tm = {0};
    const char *text = jpath_text(status, path, "");
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL)
        return;
    double fraction = rest[0] == '.' ? strtod(rest, NULL) : 0;
    head(out, name, "gauge", help);
    (void)fprintf(out, "%s %.3f\n", name, (double)timegm(&tm) + fraction);
}

/* The number that a binlog file's name ends in. */
static bool file_number(const char *file, uint64_t *ret_number)
{
    const char *dot = file != NULL ? strrchr(file, '.') : NULL;
    char *end = NULL;
    if (dot == NULL || dot[1] < '0' || dot[1] > '9')
        return false;
    *ret_number = strtoull(dot + 1, &end, 10);
    return *end == '\0';
}

static void put_positions(FILE *out, const json_t *status)
{
    static const char *const points[] = {"received", "durable", "acked"};
    static const char file_name[] = "logtailer_position_file_number";
    static const char offset_name[] = "logtailer_position_offset_bytes";
    char path[32];
    uint64_t n = 0;
    head(out, file_name, "gauge", "Number of the binlog file that the point is in.");
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s.file", points[i]);
        if (file_number(jpath_text(status, path, NULL), &n))
            (void)fprintf(out, "%s{point=\"%s\"} %" PRIu64 "\n", file_name, points[i], n);
    }
    head(out, offset_name, "gauge", "Offset of the point in that file.");
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s.offset", points[i]);
        if (jpath_count(status, path, &n))
            (void)fprintf(out, "%s{point=\"%s\"} %" PRIu64 "\n", offset_name, points[i], n);
    }
}

/* The code of the n-th warning, "" for none; told comes before it in the list: the code was told already. */
static const char *warning_code(const json_t *list, size_t n, bool *ret_told)
{
    const char *code = jpath_text(json_array_get(list, n), "code", "");
    *ret_told = false;
    for (size_t i = 0; i < n; i++)
        *ret_told = *ret_told || strcmp(jpath_text(json_array_get(list, i), "code", ""), code) == 0;
    return code;
}

static void put_troubles(FILE *out, const json_t *status)
{
    const json_t *warnings = jpath(status, "warnings");
    head(out, "logtailer_fenced", "gauge", "Whether a fence holds acknowledgements back.");
    (void)fprintf(out, "logtailer_fenced %d\n", ready_is_fenced(status));
    head(out, "logtailer_warnings", "gauge", "How many warnings there are.");
    (void)fprintf(out, "logtailer_warnings %zu\n", json_array_size(warnings));
    head(out, "logtailer_warning", "gauge", "1 for the code of each warning that is there.");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        bool told = false;
        const char *code = warning_code(warnings, i, &told);
        if (told)
            continue;
        (void)fputs("logtailer_warning{code=\"", out);
        put_label(out, code);
        (void)fputs("\"} 1\n", out);
    }
    head(out, "logtailer_error", "gauge", "1 for the code of the error that is in the way.");
    if (jpath_is_true(status, "last_error.current")) {
        (void)fputs("logtailer_error{code=\"", out);
        put_label(out, jpath_text(status, "last_error.code", ""));
        (void)fputs("\"} 1\n", out);
    }
}

/* A number in newer and older answers, an object or a list in others. */
static void put_consumers(FILE *out, const json_t *status)
{
    const json_t *consumers = jpath(status, "consumers");
    double n = 0;
    if (json_is_array(consumers))
        n = (double)json_array_size(consumers);
    else if (!jpath_number(status, "consumers", &n) && !jpath_number(status, "consumers.count", &n))
        return;
    head(out, "logtailer_consumers", "gauge", "Consumers that are connected.");
    (void)fprintf(out, "logtailer_consumers %.17g\n", n);
}

static void put_histogram(FILE *out, const json_t *latency, const char *part, const char *name, const char *help)
{
    const json_t *of = jpath(latency, part);
    const json_t *cumulative = jpath(of, "cumulative");
    const json_t *bounds = jpath(latency, "le_us");
    uint64_t count = 0;
    uint64_t sum_us = 0;
    if (!jpath_count(of, "count", &count) || !jpath_count(of, "sum_us", &sum_us))
        return;
    head(out, name, "histogram", help);
    for (size_t i = 0; i < json_array_size(bounds) && i < json_array_size(cumulative); i++)
        (void)fprintf(out, "%s_bucket{le=\"%.9g\"} %" JSON_INTEGER_FORMAT "\n", name,
                      (double)json_integer_value(json_array_get(bounds, i)) / 1e6,
                      json_integer_value(json_array_get(cumulative, i)));
    (void)fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name, count, name,
                  (double)sum_us / 1e6, name, count);
}

char *metrics_text(const json_t *status, const json_t *latency)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    put_info(out, status);
    put_time(out, status, "started", "logtailer_start_time_seconds", "When the process started, since the epoch.");
    put_time(out, status, "state_since", "logtailer_state_since_seconds",
             "When the present state began, since the epoch.");
    put_choices(out, status);
    put_simple(out, status);
    put_consumers(out, status);
    put_positions(out, status);
    put_troubles(out, status);
    put_histogram(out, latency, "acks", "logtailer_ack_duration_seconds", "From the receipt of a commit to its ACK.");
    put_histogram(out, latency, "syncs", "logtailer_sync_duration_seconds", "Time of one sync of the store.");
    head(out, "logtailer_log_lines_dropped_total", "counter", "Log lines dropped because nobody read them.");
    (void)fprintf(out, "logtailer_log_lines_dropped_total %llu\n", log_dropped());
    metrics_put_process(out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
