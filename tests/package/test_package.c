/* Files that no compiler reads: parsed, and held against what the programs know. Argument 1: the source folder; 2: logtailerd.conf.5. */
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>
#include <yaml.h>

#include "cunit_main.h"
#include "proc.h"
#include "prom_check.h"

#include "ctl/commands.h"
#include "daemon/conf_table.h"
#include "ingest/fault.h"
#include "ops/http/metrics.h"
#include "ops/status/latency.h"
#include "ops/watch/alarms.h"

static const char *top;
static const char *conf_page;
static char *metrics;

static char *read_source(const char *name)
{
    char *path = proc_fmt("%s/%s", top, name);
    char *text = proc_read_file(path, NULL);
    CU_ASSERT_PTR_NOT_NULL(text);
    if (text == NULL)
        (void)fprintf(stderr, "cannot read %s\n", path);
    free(path);
    return text != NULL ? text : proc_fmt("%s", "");
}

/* Runs fn on every file below docker/ that the pattern matches, at least once. */
static void each_file(const char *pattern, void (*fn)(const char *name))
{
    glob_t found = {0};
    char *full = proc_fmt("%s/%s", top, pattern);
    CU_ASSERT_EQUAL(glob(full, GLOB_BRACE, NULL, &found), 0);
    CU_ASSERT(found.gl_pathc > 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        fn(found.gl_pathv[i] + strlen(top) + 1);
    globfree(&found);
    free(full);
}

/* ---- YAML ---- */

struct mapping {
    char *keys[200];
    size_t n;
    bool is_map;
    bool at_key;
};

/* A scalar, or the end of a nested value, in the mapping around it. */
static bool take_node(struct mapping *m, const char *scalar)
{
    if (!m->is_map)
        return true;
    m->at_key = !m->at_key;
    if (m->at_key) /* that was a value */
        return true;
    for (size_t i = 0; i < m->n; i++) {
        if (scalar == NULL || strcmp(m->keys[i], scalar) == 0)
            return false;
    }
    if (scalar != NULL && m->n < 200)
        m->keys[m->n++] = proc_fmt("%s", scalar);
    return scalar != NULL;
}

static void end_mapping(struct mapping *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->keys[i]);
    *m = (struct mapping){0};
}

/* Well-formed, and no key twice in one mapping. */
static bool check_event(const yaml_event_t *event, struct mapping stack[32], size_t *depth)
{
    switch ((int)event->type) {
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (*depth == 31)
            return false;
        stack[++*depth] = (struct mapping){.is_map = event->type == YAML_MAPPING_START_EVENT, .at_key = true};
        return true;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        end_mapping(&stack[(*depth)--]);
        return take_node(&stack[*depth], NULL) || !stack[*depth].is_map;
    case YAML_SCALAR_EVENT:
        return take_node(&stack[*depth], (const char *)event->data.scalar.value);
    case YAML_ALIAS_EVENT:
        return take_node(&stack[*depth], "*");
    default:
        return true;
    }
}

static bool yaml_is_sound(const char *text)
{
    static struct mapping stack[32];
    size_t depth = 0;
    yaml_parser_t parser;
    yaml_event_t event;
    bool ok = yaml_parser_initialize(&parser) == 1;
    bool end = false;
    memset(stack, 0, sizeof stack);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (ok && !end) {
        ok = yaml_parser_parse(&parser, &event) == 1;
        if (!ok) {
            (void)fprintf(stderr, "line %zu: %s\n", parser.problem_mark.line + 1, parser.problem);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        ok = check_event(&event, stack, &depth);
        if (!ok)
            (void)fprintf(stderr, "line %zu: a key comes twice, or is none\n", event.start_mark.line + 1);
        yaml_event_delete(&event);
    }
    while (depth > 0)
        end_mapping(&stack[depth--]);
    yaml_parser_delete(&parser);
    return ok;
}

static void check_yaml(const char *name)
{
    char *text = read_source(name);
    CU_ASSERT(yaml_is_sound(text));
    if (!yaml_is_sound(text))
        (void)fprintf(stderr, "in %s\n", name);
    free(text);
}

static void yaml_files(void)
{
    each_file("docker/{*.yaml,*/*.yml,*/*/*/*.yml}", check_yaml);
    CU_ASSERT_FALSE(yaml_is_sound("a: 1\nb: [\n"));
    CU_ASSERT_FALSE(yaml_is_sound("a: 1\nb: {c: 1, c: 2}\n"));
    CU_ASSERT_FALSE(yaml_is_sound("a: 1\na: {}\n"));
    CU_ASSERT(yaml_is_sound("a: &x {b: 1}\nc:\n  <<: *x\n  b: [1, {d: 2}]\nd: *x\n"));
}

/* ---- metrics ---- */

/* Every word of the text that begins with logtailer_ is a metric, but for those behind a slash or dot (file names). */
static bool metrics_exist(const char *text, bool complain)
{
    bool ok = true;
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, "logtailer_")) != NULL;) {
        char name[128];
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool word = p == text || (!isalnum((unsigned char)p[-1]) && strchr("_/.", p[-1]) == NULL);
        (void)snprintf(name, sizeof name, "%.*s", (int)len, p);
        p += len;
        if (!word || strcmp(name, "logtailer_password") == 0)
            continue;
        n++;
        if (!prom_has_name(metrics, name)) {
            ok = false;
            if (complain)
                (void)fprintf(stderr, "there is no metric %s\n", name);
        }
    }
    return ok && (n > 0 || !complain);
}

static void used_metrics_exist(void)
{
    static const char *const files[] = {"docker/grafana/dashboards/logtailer.json", "docker/prometheus/alerts.yml"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *text = read_source(files[i]);
        CU_ASSERT(metrics_exist(text, true));
        free(text);
    }
    CU_ASSERT_FALSE(metrics_exist("rate(logtailer_nonsense[1m])", false));
}

static json_int_t grid(const json_t *panel, const char *key)
{
    const json_t *n = json_object_get(json_object_get(panel, "gridPos"), key);
    CU_ASSERT(json_is_integer(n));
    return json_integer_value(n);
}

static bool overlap(const json_t *a, const json_t *b)
{
    return grid(a, "x") < grid(b, "x") + grid(b, "w") && grid(b, "x") < grid(a, "x") + grid(a, "w") &&
           grid(a, "y") < grid(b, "y") + grid(b, "h") && grid(b, "y") < grid(a, "y") + grid(a, "h");
}

static void the_dashboard(void)
{
    char *text = read_source("docker/grafana/dashboards/logtailer.json");
    json_t *dashboard = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *panels = json_object_get(dashboard, "panels");
    size_t i = 0;
    json_t *panel = NULL;
    CU_ASSERT(json_array_size(panels) > 5);
    json_array_foreach(panels, i, panel)
    {
        size_t t = 0;
        json_t *target = NULL;
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(panel, "datasource"), "uid")),
                               "${datasource}");
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_FALSE(overlap(panel, json_array_get(panels, k)));
        CU_ASSERT(json_array_size(json_object_get(panel, "targets")) > 0);
        json_array_foreach(json_object_get(panel, "targets"), t, target)
            CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(json_object_get(target, "expr")), "$instance"));
    }
    /* Panels ask the variable, wherever the dashboard is imported; it begins as the data source that is provisioned. */
    char *source = read_source("docker/grafana/provisioning/datasources/prometheus.yml");
    const json_t *variable = json_array_get(json_object_get(json_object_get(dashboard, "templating"), "list"), 0);
    const char *uid = json_string_value(json_object_get(json_object_get(variable, "current"), "value"));
    char *line = proc_fmt("uid: %s\n", uid);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(variable, "name")), "datasource");
    CU_ASSERT_PTR_NOT_NULL(strstr(source, line));
    free(line);
    free(source);
    json_decref(dashboard);
    free(text);
}

/* ---- configuration ---- */

static void check_config(const char *name)
{
    struct conf conf;
    struct lt_err err = {0};
    char *text = read_source(name);
    CU_ASSERT_EQUAL(conf_init(&conf, &err), LT_OK);
    CU_ASSERT_EQUAL(conf_parse_text(&conf, name, text, strlen(text), &err), LT_OK);
    if (err.code != 0)
        (void)fprintf(stderr, "%s\n", err.text);
    conf_fini(&conf);
    free(text);
}

static void configurations(void)
{
    each_file("docker/logtailer/*.conf", check_config);
    each_file("src/daemon/package/*.conf", check_config);
}

/* `section.key` in a document is a key. */
static bool keys_exist(const char *text)
{
    bool ok = true;
    for (const char *p = text; (p = strchr(p, '`')) != NULL; p++) {
        char section[32];
        char key[64];
        char end;
        if (sscanf(p, "`%31[a-z].%63[a-z_]%c", section, key, &end) != 3 || strchr("` =", end) == NULL)
            continue;
        if (conf_has_section(section) && conf_find(section, key) == NULL && strcmp(section, "source") != 0) {
            (void)fprintf(stderr, "there is no key %s.%s\n", section, key);
            ok = false;
        }
    }
    return ok;
}

static void documents_name_keys_that_exist(void)
{
    static const char *const files[] = {"README.md", "docker/README.md", "src/ops/RUNBOOK.md"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *text = read_source(files[i]);
        CU_ASSERT(keys_exist(text));
        free(text);
    }
    CU_ASSERT_FALSE(keys_exist("see `store.nonsense` for it"));
    CU_ASSERT(keys_exist("see `store.dir = x` for it"));
}

/* As a manual page has it. */
static char *escaped(const char *text)
{
    char *out = proc_fmt("%*s", (int)strlen(text) * 2 + 1, "");
    char *p = out;
    for (; *text != '\0'; text++) {
        if (*text == '-')
            *p++ = '\\';
        *p++ = *text;
    }
    *p = '\0';
    return out;
}

static void the_manual_has_every_key(void)
{
    char *page = proc_read_file(conf_page, NULL);
    CU_ASSERT_PTR_NOT_NULL(page);
    for (size_t i = 0; page != NULL && i < conf_n_rows; i++) {
        char *fallback = escaped(conf_rows[i].fallback);
        char *help = escaped(conf_rows[i].help);
        char *title =
            proc_fmt(".BR %s \" (%s)\"\n%s\n", conf_rows[i].key, fallback[0] != '\0' ? fallback : "not set", help);
        CU_ASSERT_PTR_NOT_NULL(strstr(page, title));
        if (strstr(page, title) == NULL)
            (void)fprintf(stderr, "logtailerd.conf.5 lacks %s", title);
        free(title);
        free(help);
        free(fallback);
    }
    free(page);
}

static void every_command_is_written_down(void)
{
    char *page = read_source("src/ctl/package/logtailerctl.1");
    char *completion = read_source("src/ctl/package/logtailerctl.bash");
    for (size_t i = 0; i < n_commands; i++) {
        char *name = escaped(commands[i].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(page, name));
        CU_ASSERT_PTR_NOT_NULL(strstr(completion, commands[i].name));
        free(name);
    }
    free(page);
    free(completion);
}

static bool has_code(const char *text, const char *code)
{
    char *quoted = proc_fmt("`%s`", code);
    bool found = strstr(text, quoted) != NULL;
    if (!found)
        (void)fprintf(stderr, "RUNBOOK.md lacks %s\n", quoted);
    free(quoted);
    return found;
}

/* Who is called at night finds every code there, and every alert. */
static void every_trouble_is_in_the_runbook(void)
{
    char *text = read_source("src/ops/RUNBOOK.md");
    for (int code = FAULT_NONE + 1; code <= FAULT_PROTOCOL; code++)
        CU_ASSERT(has_code(text, fault_name((enum fault_code)code)));
    for (int code = 0; code < ALARM_COUNT; code++)
        CU_ASSERT(has_code(text, alarm_code_name((enum alarm_code)code)));
    CU_ASSERT_FALSE(has_code(text, "nonsense"));
    free(text);
    char *rules = read_source("docker/prometheus/alerts.yml");
    text = read_source("docker/README.md");
    unsigned n = 0;
    for (const char *p = rules; (p = strstr(p, "- alert: ")) != NULL; n++) {
        char name[64] = "";
        p += strlen("- alert: ");
        CU_ASSERT_EQUAL(sscanf(p, "%63[A-Za-z]", name), 1);
        CU_ASSERT(has_code(text, name));
    }
    CU_ASSERT(n > 5);
    free(text);
    free(rules);
}

/* ---- the image ---- */

static void the_image(void)
{
    char *text = read_source("docker/Dockerfile");
    const char *first = strstr(text, "\nFROM ");
    CU_ASSERT_PTR_NOT_NULL(first);
    CU_ASSERT_PTR_NOT_NULL(first != NULL ? strstr(first + 1, "\nFROM ") : NULL);
    const char *user = strstr(text, "\nUSER logtailer\n");
    CU_ASSERT_PTR_NOT_NULL(user);
    CU_ASSERT(user != NULL && strstr(user, "\nENTRYPOINT [\"/usr/lib/logtailer/entrypoint.sh\"]\n") != NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nHEALTHCHECK "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "sh tests/install.sh build"));
    free(text);
}

/* Whose bytes run is written down: a version of at least two numbers, or a digest. */
static bool is_pinned(const char *image, size_t len)
{
    const char *tag = memrchr(image, ':', len);
    return memmem(image, len, "@sha256:", 8) != NULL ||
           (tag != NULL && memchr(tag, '.', len - (size_t)(tag - image)) != NULL);
}

static size_t count_pinned(const char *file, const char *word)
{
    char *text = read_source(file);
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL;) {
        at += strlen(word);
        bool ok = is_pinned(at, strcspn(at, " \n"));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            (void)fprintf(stderr, "%s: %.*s\n", file, (int)strcspn(at, "\n"), at);
        n++;
    }
    free(text);
    return n;
}

static void images_are_pinned(void)
{
    CU_ASSERT_EQUAL(count_pinned("docker/Dockerfile", "\nFROM "), 2);
    CU_ASSERT(count_pinned("docker/compose.yaml", " image: ") >= 6);
}

/* Runs secrets.sh into these folders, and reads what it made. */
static char *make_secrets(const char *dir)
{
    char *script = proc_fmt("%s/docker/setup/secrets.sh", top);
    char *primary = proc_fmt("%s/primary", dir);
    char *tailer = proc_fmt("%s/tailer", dir);
    char *password = proc_fmt("%s/logtailer_password", tailer);
    char *ca = proc_fmt("%s/ca.pem", tailer);
    char *cert = proc_fmt("%s/server.pem", primary);
    (void)mkdir(primary, 0700);
    (void)mkdir(tailer, 0700);
    CU_ASSERT_EQUAL(proc_run((char *[]){"sh", script, primary, tailer, NULL}, NULL, NULL), 0);
    CU_ASSERT_EQUAL(
        proc_run((char *[]){"openssl", "verify", "-CAfile", ca, "-verify_hostname", "primary", cert, NULL}, NULL, NULL),
        0);
    char *text = proc_read_file(password, NULL);
    free(cert);
    free(ca);
    free(password);
    free(tailer);
    free(primary);
    free(script);
    return text;
}

/* Every installation has passwords of its own, and keeps them; none stands in a file of ours. */
static void secrets_are_made(void)
{
    char *one = proc_tempdir();
    char *two = proc_tempdir();
    char *first = make_secrets(one);
    char *again = make_secrets(one);
    char *other = make_secrets(two);
    CU_ASSERT(first != NULL && strlen(first) == 49); /* 48 digits, a line end */
    CU_ASSERT(first != NULL && again != NULL && strcmp(first, again) == 0);
    CU_ASSERT(first != NULL && other != NULL && strcmp(first, other) != 0);
    char *text = read_source("docker/compose.yaml");
    CU_ASSERT_PTR_NULL(strstr(text, "PASSWORD: "));
    CU_ASSERT_PTR_NULL(strstr(text, "PWD: "));
    free(text);
    text = read_source("docker/logtailer/logtailerd.conf");
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nssl_mode = VERIFY_IDENTITY\n"));
    free(text);
    free(first);
    free(again);
    free(other);
    free(one);
    free(two);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"YAML files", yaml_files},
        {"used metrics exist", used_metrics_exist},
        {"the dashboard", the_dashboard},
        {"configurations", configurations},
        {"documents name keys that exist", documents_name_keys_that_exist},
        {"the manual has every key", the_manual_has_every_key},
        {"every command is written down", every_command_is_written_down},
        {"every trouble is in the runbook", every_trouble_is_in_the_runbook},
        {"the image", the_image},
        {"images are pinned", images_are_pinned},
        {"secrets are made", secrets_are_made},
    };
    static const char status_text[] =
        "{\"state\":\"streaming\",\"state_since\":\"2026-11-25T01:00:00.000Z\","
        "\"started\":\"2026-11-25T01:00:00.000Z\","
        "\"source\":{\"connected\":true,\"acknowledging\":true,\"semi_sync\":\"on\"},"
        "\"failover_safe\":{\"answer\":\"yes\"},"
        "\"lag\":{\"source_bytes\":0,\"source_seconds\":0,\"durable_bytes\":0,"
        "\"consumers_max_bytes\":0},\"acks\":{\"sent\":1},"
        "\"monitor\":{\"connected\":true,\"semi_sync\":{\"active\":true,\"clients\":1,\"wait_sessions\":0,\"yes_tx\":1,"
        "\"no_tx\":0}},"
        "\"consumers\":0,\"store\":{\"sync_running_ms\":0,\"segments\":1,\"bytes\":1,\"free_bytes\":1,"
        "\"aborted_transactions\":0},\"warnings\":[],"
        "\"durable\":{\"file\":\"b.1\",\"offset\":4}}";
    static struct hist none;
    if (argc != 3)
        return 1;
    top = argv[1];
    conf_page = argv[2];
    json_t *status = json_loads(status_text, 0, NULL);
    json_t *latency = latency_answer(&none, &none);
    metrics = metrics_text(status, latency);
    int bad = cunit_run("package", cases, sizeof cases / sizeof cases[0]);
    json_decref(status);
    json_decref(latency);
    free(metrics);
    return bad;
}
