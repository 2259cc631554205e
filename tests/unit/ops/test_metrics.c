/* The pure parts behind HTTP: metrics, readiness, latency; and the strict reader that judges the metrics. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cunit_main.h"
#include "prom_check.h"

#include "base/hist.h"
#include "ops/http/metrics.h"
#include "ops/http/ready.h"
#include "ops/status/latency.h"

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    if (json == NULL)
        abort();
    return json;
}

static const char full[] =
    "{\"state\":\"streaming\",\"state_since\":\"2026-11-25T01:00:00.250Z\",\"started\":\"2026-11-25T00:00:00.000Z\","
    "\"last_error\":{\"code\":\"connect\",\"current\":true},\"source\":{\"id\":\"a\\\"b\\\\c\\nd\",\"version\":\"9.7\","
    "\"flavor\":\"mysql\",\"connected\":true,\"acknowledging\":false,\"semi_sync\":\"on\"},\"received\":{\"file\":\"b."
    "000007\","
    "\"offset\":5000000000},\"durable\":{\"file\":\"b.000006\",\"offset\":4},\"acked\":null,\"lag\":{\"source_bytes\":"
    "12,"
    "\"source_seconds\":0.25,\"durable_bytes\":null,\"consumers_max_bytes\":7},\"acks\":{\"sent\":9},\"consumers\":3,"
    "\"consumer_names\":{\"count\":5,\"forgotten\":2},"
    "\"monitor\":{\"semi_sync\":{\"active\":false,\"no_tx\":4}},\"store\":{\"sync_running_ms\":1250,\"segments\":2,"
    "\"bytes\":4096,\"free_bytes\":1e12,\"aborted_transactions\":1},\"fence\":{\"reason\":"
    "\"x\"},"
    "\"failover_safe\":{\"answer\":\"weak\"},\"warnings\":[{\"code\":\"free_space\"},{\"code\":\"free_space\"},"
    "{\"code\":\"clock_offset\"},{}]}";

static char *metrics_of(const char *status, const struct hist *h)
{
    char why[200] = "";
    json_t *s = parse(status);
    json_t *l = latency_answer(h, h);
    char *text = metrics_text(s, l);
    CU_ASSERT_PTR_NOT_NULL(text);
    if (!prom_check(text, why, sizeof why)) {
        CU_FAIL("the metrics are not well-formed");
        (void)fprintf(stderr, "%s\n%s", why, text);
    }
    json_decref(s);
    json_decref(l);
    return text;
}

static void check_sample(const char *text, const char *series, double want)
{
    double value = -1;
    bool found = prom_sample(text, series, &value);
    CU_ASSERT(found);
    CU_ASSERT_DOUBLE_EQUAL(value, want, 1e-9);
    if (!found || value != want)
        (void)fprintf(stderr, "%s: %f, not %f\n", series, value, want);
}

static void every_figure(void)
{
    static struct hist h;
    static const uint64_t values[] = {1, 60, 300, 300, 2000000, 999999999};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        hist_add(&h, values[i]);
    char *text = metrics_of(full, &h);
    check_sample(text, "logtailer_state{state=\"streaming\"}", 1);
    check_sample(text, "logtailer_state{state=\"error\"}", 0);
    check_sample(text, "logtailer_start_time_seconds", 1795564800);
    check_sample(text, "logtailer_state_since_seconds", 1795568400.25);
    check_sample(text, "logtailer_source_connected", 1);
    check_sample(text, "logtailer_acknowledging", 0);
    check_sample(text, "logtailer_source_semi_sync{value=\"on\"}", 1);
    check_sample(text, "logtailer_source_lag_bytes", 12);
    check_sample(text, "logtailer_source_lag_seconds", 0.25);
    check_sample(text, "logtailer_consumers_max_lag_bytes", 7);
    check_sample(text, "logtailer_consumers", 3);
    check_sample(text, "logtailer_consumer_names", 5);
    check_sample(text, "logtailer_consumers_forgotten_total", 2);
    check_sample(text, "logtailer_acks_sent_total", 9);
    check_sample(text, "logtailer_store_free_bytes", 1e12);
    check_sample(text, "logtailer_position_file_number{point=\"received\"}", 7);
    check_sample(text, "logtailer_position_offset_bytes{point=\"received\"}", 5000000000.0);
    check_sample(text, "logtailer_position_offset_bytes{point=\"durable\"}", 4);
    check_sample(text, "logtailer_store_sync_running_seconds", 1.25);
    check_sample(text, "logtailer_source_semi_sync_active", 0);
    check_sample(text, "logtailer_source_commits_unacknowledged_total", 4);
    check_sample(text, "logtailer_fenced", 1);
    check_sample(text, "logtailer_failover_safe{answer=\"weak\"}", 1);
    check_sample(text, "logtailer_failover_safe{answer=\"yes\"}", 0);
    check_sample(text, "logtailer_warnings", 4);
    check_sample(text, "logtailer_warning{code=\"free_space\"}", 1);
    check_sample(text, "logtailer_warning{code=\"clock_offset\"}", 1);
    check_sample(text, "logtailer_error{code=\"connect\"}", 1);
    check_sample(text, "logtailer_ack_duration_seconds_bucket{le=\"5e-05\"}", 1);
    check_sample(text, "logtailer_ack_duration_seconds_bucket{le=\"0.0001\"}", 2);
    check_sample(text, "logtailer_ack_duration_seconds_bucket{le=\"0.0005\"}", 4);
    check_sample(text, "logtailer_ack_duration_seconds_bucket{le=\"10\"}", 5);
    check_sample(text, "logtailer_ack_duration_seconds_bucket{le=\"+Inf\"}", 6);
    check_sample(text, "logtailer_sync_duration_seconds_count", 6);
    check_sample(text, "logtailer_sync_duration_seconds_sum", 1002.000660);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "source_id=\"a\\\"b\\\\c\\nd\""));
    /* Not known is not there. */
    CU_ASSERT_FALSE(prom_has_name(text, "logtailer_durable_lag_bytes"));
    double none = 0;
    CU_ASSERT_FALSE(prom_sample(text, "logtailer_position_offset_bytes{point=\"acked\"}", &none));
    free(text);
}

static void answers_that_say_little(void)
{
    static struct hist empty;
    static const char *const few[] = {
        "{}",
        "{\"state\":null,\"source\":null,\"durable\":null,\"warnings\":null,\"started\":\"yesterday\",\"consumers\":[{}"
        ",{}]}",
        "{\"state\":7,\"source\":[],\"durable\":{\"file\":\"nonumber\",\"offset\":-1},\"warnings\":[7],\"consumers\":{"
        "\"count\":5}}",
        "{\"durable\":{\"file\":\"b.7x\"},\"received\":{\"file\":\"b.\"},\"last_error\":{\"current\":true}}",
    };
    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
        char *text = metrics_of(few[i], &empty);
        CU_ASSERT_FALSE(prom_has_name(text, "logtailer_source_lag_bytes"));
        check_sample(text, "logtailer_fenced", 0);
        check_sample(text, "logtailer_ack_duration_seconds_count", 0);
        if (i == 1)
            check_sample(text, "logtailer_consumers", 2);
        if (i == 2)
            check_sample(text, "logtailer_consumers", 5);
        free(text);
    }
    char *text = metrics_text(NULL, NULL);
    char why[200] = "";
    CU_ASSERT(prom_check(text, why, sizeof why));
    free(text);
}

static void check_ready(const char *status, const char *want)
{
    char why[512];
    json_t *s = parse(status);
    CU_ASSERT_EQUAL(ready_judge(s, why, sizeof why), want[0] == '\0');
    CU_ASSERT_STRING_EQUAL(why, want);
    json_decref(s);
}

#define SOURCE(acknowledging, semi_sync)                                                                               \
    "\"source\":{\"acknowledging\":" acknowledging ",\"semi_sync\":\"" semi_sync "\"}"

static void readiness(void)
{
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"fence\":null}", "");
    /* An old error that is out of the way, and warnings about other things. */
    check_ready(
        "{\"state\":\"streaming\"," SOURCE("true", "on") ",\"last_error\":{\"code\":\"disk_full\",\"current\":false},"
                                                         "\"warnings\":[{\"code\":\"clock_offset\"}]}",
        "");
    check_ready("{\"state\":\"catching_up\"," SOURCE("true", "on") "}", "not streaming: catching_up\n");
    check_ready("{\"state\":\"streaming\"," SOURCE("false", "on") "}", "not acknowledging\n");
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "off") "}", "semi-sync on the source: off\n");
    check_ready("{\"state\":\"streaming\"," SOURCE(
                    "true", "on") ",\"last_error\":{\"code\":\"disk_stalled\",\"current\":true}}",
                "storage is not in order\n");
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"warnings\":[{\"code\":\"storage_slow\"}]}",
                "storage is not in order\n");
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"fence\":{}}", "fenced\n");
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"fence\":{\"current\":true}}", "fenced\n");
    /* Of the source that was left. */
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"fence\":{\"current\":false}}", "");
    check_ready("{\"state\":\"streaming\"," SOURCE("true", "on") ",\"store\":{\"state\":\"slow\"}}",
                "storage is not in order\n");
    check_ready("{\"state\":\"fenced\"}",
                "not streaming: fenced\nnot acknowledging\nsemi-sync on the source: unknown\nfenced\n");
    check_ready("{}", "not streaming: unknown\nnot acknowledging\nsemi-sync on the source: unknown\n");
}

static void the_reader_is_strict(void)
{
#define HEAD(name, type) "# HELP " name " x\n# TYPE " name " " type "\n"
    static const char *const wrong[][2] = {
        {"", "end in a line end"},
        {HEAD("a", "gauge") "a 1", "end in a line end"},
        {"a 1\n", "not of the family"},
        {"# HELP a x\na 1\n", "HELP without TYPE"},
        {"# HELP a x\n", "HELP without TYPE"},
        {"# HELP a x\n# HELP b x\n", "HELP without TYPE"},
        {"# HELP a\n# TYPE a gauge\n", "HELP needs"},
        {"# HELP a \\t\n# TYPE a gauge\n", "wrong escape"},
        {"# TYPE a gauge\na 1\n", "TYPE must follow"},
        {"# HELP a x\n# TYPE b gauge\n", "TYPE must follow"},
        {HEAD("a", "gauge") HEAD("a", "gauge"), "second time"},
        {HEAD("a", "thing"), "unknown type"},
        {HEAD("a_total", "gauge"), "_total"},
        {HEAD("a", "counter"), "_total"},
        {HEAD("a_us", "gauge"), "no base unit"},
        {HEAD("a_count", "gauge"), "belongs to histograms"},
        {HEAD("a", "gauge") "a 1\na 2\n", "series comes a second time"},
        {HEAD("a", "gauge") "b 1\n", "not of the family"},
        {HEAD("a", "gauge") "a{b=\"x} 1\n", "not closed"},
        {HEAD("a", "gauge") "a{b=\"\\t\"} 1\n", "wrong escape"},
        {HEAD("a", "gauge") "a{b=x} 1\n", "name=\"value\""},
        {HEAD("a", "gauge") "a{__b=\"x\"} 1\n", "name=\"value\""},
        {HEAD("a", "gauge") "a{b=\"x\" 1\n", "labels end"},
        {HEAD("a", "gauge") "a x\n", "no number"},
        {HEAD("a", "gauge") "a  1\n", "no number"},
        {HEAD("a", "gauge") "a 1 \n", "no number"},
        {HEAD("a", "gauge") "a\n", "blank stands before"},
        {HEAD("a", "gauge") "\n", "neither a comment"},
        {HEAD("a", "gauge") "1a 1\n", "neither a comment"},
        {HEAD("a_total", "counter") "a_total -1\n", "not negative"},
        {HEAD("h", "histogram") "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n", "count is not the +Inf"},
        {HEAD("h", "histogram") "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n", "count is not the +Inf"},
        {HEAD("h", "histogram") "h_bucket{le=\"+Inf\"} 1\nh_count 1\n", "lacks its"},
        {HEAD("h", "histogram") "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n", "less than the one before"},
        {HEAD("h", "histogram") "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n", "numbers that grow"},
        {HEAD("h", "histogram") "h_bucket 1\n", "numbers that grow"},
        {HEAD("h", "histogram") "h_max 1\n", "has _bucket"},
        {HEAD("h", "histogram") "h_sum{le=\"1\"} 1\n", "only buckets"},
    };
    char why[200];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_FALSE(prom_check(wrong[i][0], why, sizeof why));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, wrong[i][1]));
        if (strstr(why, wrong[i][1]) == NULL)
            (void)fprintf(stderr, "%zu: %s\n", i, why);
    }
    CU_ASSERT(prom_check(HEAD("a", "gauge") "a{b=\"\\\"\\\\\\n\",c=\"\"} -1.5e3\n" HEAD(
                             "h", "histogram") "h_bucket{le=\"0.1\"} 1\n"
                                               "h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
                         why, sizeof why));
}

/* Beside what the kernel says of us in other ways. */
static void test_process(void)
{
    struct hist h = {0};
    char *text = metrics_of("{}", &h);
    double value = 0;
    struct rlimit rl;
    CU_ASSERT_TRUE(prom_sample(text, "process_cpu_seconds_total", &value) && value > 0 && value < 3600);
    CU_ASSERT_TRUE(prom_sample(text, "process_resident_memory_bytes", &value) && value > 1e5 && value < 1e11);
    CU_ASSERT_TRUE(prom_sample(text, "process_virtual_memory_bytes", &value) && value > 1e6);
    CU_ASSERT_TRUE(prom_sample(text, "process_start_time_seconds", &value) && value <= (double)time(NULL) + 2 &&
                   value > (double)time(NULL) - 3600);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &rl), 0);
    CU_ASSERT_TRUE(prom_sample(text, "process_max_fds", &value) && value == (double)rl.rlim_cur);
    CU_ASSERT_TRUE(prom_sample(text, "process_open_fds", &value));
    double before = value;
    double began = 0;
    double again = 0;
    CU_ASSERT_TRUE(prom_sample(text, "process_start_time_seconds", &began));
    int fd = dup(0);
    free(text);
    text = metrics_of("{}", &h);
    CU_ASSERT_TRUE(fd >= 0 && prom_sample(text, "process_open_fds", &value) && value == before + 1);
    CU_ASSERT_TRUE(prom_sample(text, "process_start_time_seconds", &again) && began == again);
    (void)close(fd);
    free(text);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"every figure", every_figure}, {"answers that say little", answers_that_say_little},
        {"readiness", readiness},       {"the reader is strict", the_reader_is_strict},
        {"the process", test_process},
    };
    return cunit_run("metrics", cases, sizeof cases / sizeof cases[0]);
}
