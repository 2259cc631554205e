/* The pure parts of logtailerctl: figures, tables, graphs, arguments, the lag check, what --watch remembers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/jpath.h"
#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/graph.h"
#include "ctl/history.h"
#include "ctl/set_words.h"
#include "ctl/show.h"
#include "ctl/table.h"

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    if (json == NULL)
        abort();
    return json;
}

/* What fn writes, to be freed. */
#define CAPTURE(text, call)                                                                                            \
    do {                                                                                                               \
        size_t capture_len = 0;                                                                                        \
        FILE *out = open_memstream(&(text), &capture_len);                                                             \
        if (out == NULL)                                                                                               \
            abort();                                                                                                   \
        call;                                                                                                          \
        (void)fclose(out);                                                                                             \
    } while (0)

static void paths_into_answers(void)
{
    json_t *o = parse("{\"a\":{\"b\":{\"c\":7,\"n\":null,\"neg\":-1,\"r\":1.5,\"t\":true}},\"s\":\"x\",\"l\":[1]}");
    double number = -3;
    uint64_t n = 99;
    CU_ASSERT(jpath_number(o, "a.b.c", &number) && number == 7);
    CU_ASSERT(jpath_number(o, "a.b.r", &number) && number == 1.5);
    CU_ASSERT(jpath_count(o, "a.b.c", &n) && n == 7);
    CU_ASSERT_FALSE(jpath_count(o, "a.b.neg", &n));
    CU_ASSERT_FALSE(jpath_count(o, "a.b.r", &n));
    CU_ASSERT_FALSE(jpath_number(o, "a.b.n", &number));
    CU_ASSERT_FALSE(jpath_number(o, "a.x.c", &number));
    CU_ASSERT_FALSE(jpath_number(NULL, "a", &number));
    CU_ASSERT_FALSE(jpath_number(o, "s.t", &number));
    CU_ASSERT_PTR_NULL(jpath(o, "l.0"));
    CU_ASSERT_PTR_NULL(jpath(o, ""));
    CU_ASSERT_PTR_NULL(jpath(o, "a.b.c.d.e.f.g.h.i.j"));
    CU_ASSERT_PTR_NULL(jpath(o, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    CU_ASSERT(jpath_is_true(o, "a.b.t"));
    CU_ASSERT_FALSE(jpath_is_true(o, "a.b.c"));
    CU_ASSERT_STRING_EQUAL(jpath_text(o, "s", "-"), "x");
    CU_ASSERT_STRING_EQUAL(jpath_text(o, "a", "-"), "-");
    json_decref(o);
}

static void latencies(void)
{
    char *text = NULL;
    json_t *o = parse("{\"le_us\":[50,1000],\"acks\":{\"count\":4,\"sum_us\":4000,\"cumulative\":[0,3]},"
                      "\"syncs\":{\"count\":1,\"sum_us\":20,\"cumulative\":[1,1]}}");
    CAPTURE(text, show_latency(out, o));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "4, 1.0 ms on average"));
    const char *low = strstr(text, "up to 50 us");
    const char *middle = strstr(text, "up to 1.0 ms");
    const char *high = strstr(text, "over 1.0 ms");
    CU_ASSERT_FATAL(low != NULL && middle != NULL && high != NULL && low < middle && middle < high);
    CU_ASSERT(strstr(low, "100.0 %") < middle);
    CU_ASSERT_PTR_NOT_NULL(strstr(middle, "75.0 %"));
    CU_ASSERT_PTR_NOT_NULL(strstr(high, "25.0 %"));
    CU_ASSERT_PTR_NULL(strstr(high, "100.0 %"));
    free(text);
    json_decref(o);
    /* Nothing yet, and an answer that is none: no line too many, no crash. */
    static const char *const odd[] = {"{\"le_us\":[],\"acks\":{\"count\":0,\"sum_us\":0,\"cumulative\":[]}}", "{}",
                                      "{\"le_us\":7,\"acks\":{\"count\":2,\"cumulative\":[\"x\",-1]}}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        o = parse(odd[i]);
        CAPTURE(text, show_latency(out, o));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "none since the start"));
        free(text);
        json_decref(o);
    }
}

static void protection_lines(void)
{
    char *text = NULL;
    json_t *o =
        parse("{\"protection\":{\"lost_after\":null,\"lost_at\":\"T1\",\"restored_with\":null,\"restored_at\":null}}");
    CAPTURE(text, show_status(out, o));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "commits after the beginning, since T1, up to now"));
    free(text);
    json_decref(o);
    o = parse("{\"protection\":{\"lost_after\":\"0-1-5\",\"lost_at\":\"T1\",\"restored_with\":\"0-1-9\",\"restored_"
              "at\":\"T2\"}}");
    CAPTURE(text, show_status(out, o));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "commits after 0-1-5 up to 0-1-9, from T1 to T2"));
    free(text);
    json_decref(o);
}

static void figures(void)
{
    char buf[FORMAT_SMALL];
    CU_ASSERT_STRING_EQUAL(format_bytes(0, buf), "0 B");
    CU_ASSERT_STRING_EQUAL(format_bytes(1536, buf), "1.5 KiB");
    CU_ASSERT_STRING_EQUAL(format_bytes(3e18, buf), "2664.5 PiB");
    CU_ASSERT_STRING_EQUAL(format_us(853, buf), "853 us");
    CU_ASSERT_STRING_EQUAL(format_us(1234, buf), "1.2 ms");
    CU_ASSERT_STRING_EQUAL(format_us(3.4e6, buf), "3.4 s");
    CU_ASSERT_STRING_EQUAL(format_seconds(0, buf), "0.0 s");
    CU_ASSERT_STRING_EQUAL(format_seconds(600, buf), "10 min");
    CU_ASSERT_STRING_EQUAL(format_seconds(10800, buf), "3.0 h");
    CU_ASSERT_STRING_EQUAL(format_seconds(864000, buf), "10.0 d");
    CU_ASSERT_STRING_EQUAL(format_count(0, buf), "0");
    CU_ASSERT_STRING_EQUAL(format_count(999, buf), "999");
    CU_ASSERT_STRING_EQUAL(format_count(1234567, buf), "1,234,567");
    CU_ASSERT_STRING_EQUAL(format_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
}

static void check_value(const char *name, const char *json, const char *want)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    char *text = format_value(name, value);
    CU_ASSERT_STRING_EQUAL(text, want);
    free(text);
    json_decref(value);
}

static void values_by_their_names(void)
{
    check_value("free_bytes", "2048", "2.0 KiB");
    check_value("p50_us", "2048", "2.0 ms");
    check_value("source_seconds", "1.26", "1.3 s");
    check_value("connected_since_s", "1795564800.25", "2026-11-25T00:00:00Z");
    check_value("committed_at_s", "0", "0");
    check_value("committed_at_s", "1e300", "10000000000000000525047602552044202487044685811");
    check_value("port", "3306", "3306");
    check_value("ratio", "0.5", "0.500");
    check_value("x", "true", "yes");
    check_value("x", "false", "no");
    check_value("x", "null", "-");
    check_value("x", "[1,2,3]", "3");
    check_value("x", "{}", "-");
    check_value("x", "{\"file\":\"b.7\",\"offset\":12}", "b.7:12");
    check_value("x", "{\"a\":1}", "{\"a\":1}");
    char *none = format_value("x", NULL);
    CU_ASSERT_STRING_EQUAL(none, "-");
    free(none);
}

static void nothing_steers_the_terminal(void)
{
    static const char *const texts[][2] = {
        {"plain", "plain"},
        {"\033[2J\x07x\x7f", "?[2J?x?"},
        {"a\nb\rc\td", "a?b?c?d"},
        {"Stra\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x90\xac",
         "Stra\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x90\xac"},
        {"\xc2\x9b"
         "2J",
         "??2J"},      /* the C1 form of ESC [ */
        {"\xc3", "?"}, /* cut off */
        {"\xe2\x82", "??"},
        {"\xff\xc0\x80", "???"},
        {"\xe2\x80\xae\xe2\x81\xa6x\xe2\x80\xa8", "??????x???"}, /* what turns a line, and what ends one */
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *clean = format_clean(texts[i][0]);
        CU_ASSERT_STRING_EQUAL(clean, texts[i][1]);
        free(clean);
    }
    CU_ASSERT_EQUAL(format_width("Stra\xc3\x9f"
                                 "e"),
                    6);
}

static void tables(void)
{
    struct table *t = table_new(3);
    static const char *const cells[] = {"name", "lag", "note", "a", "5", "", "longer \xc3\xa9", "12345", "x\ny"};
    for (size_t i = 0; i < 9; i++)
        table_cell(t, cells[i]);
    table_align_right(t, 1);
    char *text = NULL;
    CAPTURE(text, table_print(t, out));
    CU_ASSERT_STRING_EQUAL(text, "name        lag  note\n"
                                 "a             5\n"
                                 "longer \xc3\xa9  12345  x?y\n");
    free(text);
    table_free(t);
}

static void graphs(void)
{
    static const double values[] = {99, 0, 1, (double)NAN, 4, 8};
    struct graph_style style = {.utf8 = true, .width = 5, .height = 1, .line_end = "\n"};
    char *text = NULL;
    CU_ASSERT_EQUAL(graph_top(&style, values, 6), 8);
    CAPTURE(text, graph_print(out, &style, values, 6));
    CU_ASSERT_STRING_EQUAL(text, " ▁ ▄█\n");
    free(text);
    style.height = 2;
    style.width = 7;
    CAPTURE(text, graph_print(out, &style, values + 1, 5));
    CU_ASSERT_STRING_EQUAL(text, "      █\n   ▂ ██\n");
    free(text);
    style.utf8 = false;
    style.height = 1;
    CAPTURE(text, graph_print(out, &style, values + 1, 5));
    CU_ASSERT_STRING_EQUAL(text, "   _ -#\n");
    free(text);
    CAPTURE(text, graph_print(out, &style, values, 0));
    CU_ASSERT_STRING_EQUAL(text, "       \n");
    free(text);
    /* Next to nothing still shows. */
    static const double small[] = {1, 10000};
    style = (struct graph_style){.utf8 = true, .width = 2, .height = 1, .line_end = ""};
    CAPTURE(text, graph_print(out, &style, small, 2));
    CU_ASSERT_STRING_EQUAL(text, "▁█");
    free(text);
}

static void check_lag(const struct lag_limits *limits, const char *json, enum lag_verdict want, const char *want_line)
{
    char line[900];
    json_t *answer = json != NULL ? parse(json) : NULL;
    CU_ASSERT_EQUAL(lag_check(limits, answer, "nobody\nthere", line, sizeof line), want);
    CU_ASSERT_STRING_EQUAL(line, want_line);
    json_decref(answer);
}

static void lag_checks(void)
{
    const struct lag_limits seconds = {.has_seconds = true, .max_seconds = 10};
    const struct lag_limits bytes = {.has_bytes = true, .max_bytes = 1000};
    const struct lag_limits both = {.has_seconds = true, .max_seconds = 10, .has_bytes = true, .max_bytes = 1000};
    check_lag(&seconds, "{\"source_bytes\":0,\"source_seconds\":0.0,\"durable_bytes\":5}", LAG_OK,
              "LAG OK: 0 B, 0.0 s behind the primary | source_seconds=0.000s;;10.000;0 source_bytes=0B;;;0 "
              "durable_bytes=5B;;;0");
    check_lag(
        &seconds, "{\"lag\":{\"source_bytes\":2048,\"source_seconds\":10.5,\"durable_bytes\":0}}", LAG_BEHIND,
        "LAG BEHIND: 2.0 KiB, 10.5 s behind the primary | source_seconds=10.500s;;10.000;0 source_bytes=2048B;;;0 "
        "durable_bytes=0B;;;0");
    check_lag(&bytes, "{\"source_bytes\":1000,\"source_seconds\":null}", LAG_OK,
              "LAG OK: 1000 B, unknown seconds behind the primary | source_seconds=U;;;0 source_bytes=1000B;;1000;0 "
              "durable_bytes=U;;;0");
    check_lag(&both, "{\"source_bytes\":1001,\"source_seconds\":null}", LAG_BEHIND,
              "LAG BEHIND: 1001 B, unknown seconds behind the primary | source_seconds=U;;10.000;0 "
              "source_bytes=1001B;;1000;0 durable_bytes=U;;;0");
    check_lag(
        &both, "{\"source_bytes\":0,\"source_seconds\":null}", LAG_UNKNOWN,
        "LAG UNKNOWN: 0 B, unknown seconds behind the primary | source_seconds=U;;10.000;0 source_bytes=0B;;1000;0 "
        "durable_bytes=U;;;0");
    check_lag(&seconds, "{}", LAG_UNKNOWN,
              "LAG UNKNOWN: unknown bytes, unknown seconds behind the primary | source_seconds=U;;10.000;0 "
              "source_bytes=U;;;0 durable_bytes=U;;;0");
    check_lag(&seconds, NULL, LAG_UNKNOWN,
              "LAG UNKNOWN: nobody?there | source_seconds=U;;10.000;0 source_bytes=U;;;0 durable_bytes=U;;;0");
    char tiny[16];
    CU_ASSERT_EQUAL(lag_check(&seconds, NULL, "why", tiny, sizeof tiny), LAG_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(tiny, "LAG UNKNOWN: wh");
}

static int args_of(const char *text, struct arguments *ret, struct lt_err *err)
{
    static char copy[600];
    char *argv[48] = {0};
    char *rest = NULL;
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "logtailerctl %s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return arguments_parse(argc, argv, ret, err);
}

static void arguments(void)
{
    struct arguments a;
    struct lt_err err;
    CU_ASSERT_EQUAL(args_of("--socket /x --json repoint h:1 --new-history --timeout 2.5", &a, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(a.socket, "/x");
    CU_ASSERT(a.json);
    CU_ASSERT_EQUAL(a.n_words, 3);
    CU_ASSERT_STRING_EQUAL(a.words[2], "--new-history");
    CU_ASSERT_EQUAL(a.timeout_us, 2500000);
    CU_ASSERT_EQUAL(args_of("lag --max-seconds=3 --max-bytes 16MiB", &a, &err), LT_OK);
    CU_ASSERT(a.limits.has_seconds && a.limits.max_seconds == 3);
    CU_ASSERT(a.limits.has_bytes && a.limits.max_bytes == 16777216);
    CU_ASSERT_EQUAL(args_of("status --watch --interval 500ms", &a, &err), LT_OK);
    CU_ASSERT(a.watch);
    CU_ASSERT_EQUAL(a.interval_us, 500000);
    CU_ASSERT_EQUAL(args_of("fence -- --json", &a, &err), LT_OK);
    CU_ASSERT_FALSE(a.json);
    CU_ASSERT_STRING_EQUAL(a.words[1], "--");
    CU_ASSERT_STRING_EQUAL(a.words[2], "--json");
    CU_ASSERT_EQUAL(args_of("--json -- fence --watch", &a, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(a.words[1], "--watch");
    CU_ASSERT_EQUAL(args_of("--help", &a, &err), LT_OK);
    CU_ASSERT(a.help);
}

static void bad_arguments(void)
{
    static const char *const bad[][2] = {
        {"", "a command is missing"},
        {"--frob status", "unknown option --frob"},
        {"--socket", "--socket needs a value"},
        {"--socket a --dir b status", "exclude each other"},
        {"position --watch", "go with status and lag"},
        {"position --interval 1", "go with status and lag"},
        {"status --max-bytes 1B", "go with lag"},
        {"lag --watch --json", "--watch does not go"},
        {"lag --watch --max-bytes 1B", "--watch does not go"},
        {"lag --max-bytes x", "--max-bytes does not take \"x\"; it wants bytes"},
        {"lag --max-seconds -1", "--max-seconds does not take \"-1\"; it wants seconds"},
        {"lag --max-seconds nan", "does not take"},
        {"lag --max-seconds 1x", "does not take"},
        {"status --timeout 0", "--timeout does not take"},
        {"status --json=yes", "--json takes no value"},
        {"status now", "status takes no argument \"now\""},
        {"x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32",
         "more than 32 words"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arguments a;
        struct lt_err err = {0};
        CU_ASSERT_EQUAL(args_of(bad[i][0], &a, &err), LT_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad[i][1]));
    }
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "we");
    if (f != NULL)
        (void)fclose(f);
}

static void which_socket(void)
{
    char root[] = "/tmp/test_ctl.XXXXXX";
    char path[512];
    char file[128];
    struct lt_err err = {0};
    struct arguments a = {0};
    if (mkdtemp(root) == NULL)
        abort();
    (void)unsetenv("LOGTAILER_SOCKET");
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "give --dir or --socket"));
    (void)snprintf(file, sizeof file, "%s/db1", root);
    (void)mkdir(file, 0700);
    (void)snprintf(file, sizeof file, "%s/db1/admin.sock", root);
    touch(file);
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(path, file);
    (void)snprintf(file, sizeof file, "%s/db2", root);
    (void)mkdir(file, 0700);
    (void)snprintf(file, sizeof file, "%s/db2/admin.sock", root);
    touch(file);
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "db1/admin.sock, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "db2/admin.sock"));
    (void)setenv("LOGTAILER_SOCKET", "/run/x.sock", 1);
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(path, "/run/x.sock");
    (void)unsetenv("LOGTAILER_SOCKET");
    a.dir = "/d";
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(path, "/d/admin.sock");
    a.socket = "/s";
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, sizeof path, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(path, "/s");
    CU_ASSERT_EQUAL(arguments_socket(&a, root, path, 2, &err), LT_EINVAL);
    for (int i = 1; i <= 2; i++) {
        (void)snprintf(file, sizeof file, "%s/db%d/admin.sock", root, i);
        (void)unlink(file);
        (void)snprintf(file, sizeof file, "%s/db%d", root, i);
        (void)rmdir(file);
    }
    CU_ASSERT_EQUAL(rmdir(root), 0);
}

static void words_become_a_line(void)
{
    static const char *const words[] = {"fence", "the \"old\" one", "a\\b", "", "plain"};
    static const char *const bad[] = {"fence", "two\nlines"};
    struct lt_err err;
    char *line = NULL;
    CU_ASSERT_EQUAL(client_join_words(words, 5, &line, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(line, "fence \"the \\\"old\\\" one\" \"a\\\\b\" \"\" plain");
    free(line);
    CU_ASSERT_EQUAL(client_join_words(bad, 2, &line, &err), LT_EINVAL);
}

/* What stands for a set becomes one word; other commands' words stay as they are. */
static void sets_as_people_have_them(void)
{
    static const char *const rows[][4] = {
        {"diff", "u:1-5,\nv:1\n", NULL, "diff u:1-5,v:1"},
        {"diff", "u:1-5,\\nv:1\\n", NULL, "diff u:1-5,v:1"},
        {"diff", "0-1-5, ", "0-2-6", "diff 0-1-5,0-2-6"},
        {"diff", "0-1-5 ,", " 0-2-6\t", "diff 0-1-5,0-2-6"},
        {"diff", "0-1-5", "0-2-6", "diff \"0-1-5 0-2-6\""},
        {"diff", "", NULL, "diff \"\""},
        {"wait-gtid", "u:1,\nv:2", "30s", "wait-gtid u:1,v:2 30s"},
        {"wait-gtid", "u:1\r\n", "30s", "wait-gtid u:1 30s"},
        {"wait-gtid", "u:1", NULL, "wait-gtid u:1"},
        {"fence", "a  b\\n", "c", "fence \"a  b\\\\n\" c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arguments a = {.n_words = rows[i][2] != NULL ? 3 : 2};
        struct lt_err err = {0};
        char *owned = NULL;
        char *line = NULL;
        memcpy(a.words, rows[i], 3 * sizeof rows[i][0]);
        CU_ASSERT_EQUAL(set_words_gather(&a, &owned, &err), LT_OK);
        CU_ASSERT_EQUAL(client_join_words(a.words, a.n_words, &line, &err), LT_OK);
        CU_ASSERT_STRING_EQUAL(line, rows[i][3]);
        free(line);
        free(owned);
    }
    struct arguments a = {.words = {"diff", "@/nonexistent/set"}, .n_words = 2};
    struct lt_err err = {0};
    char *owned = NULL;
    CU_ASSERT_EQUAL(set_words_gather(&a, &owned, &err), LT_ESYS);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/set"));
}

static void history(void)
{
    static struct history h;
    json_t *s1 = parse("{\"acks\":{\"sent\":100},\"lag\":{\"source_bytes\":7}}");
    json_t *s2 = parse("{\"acks\":{\"sent\":350},\"lag\":{\"source_bytes\":null}}");
    json_t *l1 = parse("{\"le_us\":[100,1000,10000],\"acks\":{\"count\":100,\"cumulative\":[100,100,100]}}");
    json_t *l2 = parse("{\"le_us\":[100,1000,10000],\"acks\":{\"count\":200,\"cumulative\":[198,199,200]}}");
    history_add(&h, s1, l1, 1000000);
    CU_ASSERT(isnan(h.acks_per_second[0]) && isnan(h.ack_p99_us[0]));
    CU_ASSERT_EQUAL(h.lag_bytes[0], 7);
    history_add(&h, s2, l2, 1500000);
    CU_ASSERT_EQUAL(h.acks_per_second[1], 500);
    CU_ASSERT_EQUAL(h.ack_p99_us[1], 1000); /* of the 100 that came, 98 within 100 us, 99 within 1 ms */
    CU_ASSERT(isnan(h.lag_bytes[1]));
    /* A restart begins anew, an answer that is missing is a hole. */
    history_add(&h, s1, l1, 2000000);
    CU_ASSERT(isnan(h.acks_per_second[2]) && isnan(h.ack_p99_us[2]));
    history_add(&h, NULL, NULL, 2500000);
    history_add(&h, s2, l2, 3000000);
    CU_ASSERT(isnan(h.acks_per_second[4]) && isnan(h.ack_p99_us[4]));
    CU_ASSERT_EQUAL(h.n, 5);
    for (int i = 0; i < 2 * HISTORY_SAMPLES; i++)
        history_add(&h, s1, l1, 4000000 + (uint64_t)i);
    CU_ASSERT_EQUAL(h.n, HISTORY_SAMPLES);
    CU_ASSERT_EQUAL(h.acks_per_second[HISTORY_SAMPLES - 1], 0);
    json_decref(s1);
    json_decref(s2);
    json_decref(l1);
    json_decref(l2);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"paths into answers", paths_into_answers},
        {"figures", figures},
        {"latency for people", latencies},
        {"unprotected commits for people", protection_lines},
        {"values by their names", values_by_their_names},
        {"nothing steers the terminal", nothing_steers_the_terminal},
        {"tables", tables},
        {"graphs", graphs},
        {"lag checks", lag_checks},
        {"arguments", arguments},
        {"bad arguments", bad_arguments},
        {"which socket", which_socket},
        {"words become a line", words_become_a_line},
        {"sets as people have them", sets_as_people_have_them},
        {"history", history},
    };
    return cunit_run("ctl_parts", cases, sizeof cases / sizeof cases[0]);
}
